/**
 * The properties of a content header (spec 4.2.6.1, rows in specs/amqp/properties.ts): a word of flags and the values
 * that it announces.
 *
 * A message keeps the property octets its publisher sent, so the hot paths never build an object from them: `scan`
 * checks them once, at publish, and notes the few places that routing and storing look at. Reading them into an object
 * is for other protocols' readers and for dead letters.
 */

import type { PropertyName, PropertyType } from '../../specs/amqp/properties.ts';
import { properties as rows } from '../../specs/amqp/properties.ts';
import { Reader } from '../wire/reader.ts';
import { WireError } from '../wire/wire-error.ts';
import type { Writer } from '../wire/writer.ts';
import type { FieldTable } from './field-table.ts';
import { readTable, walkTable, writeShortString, writeTable } from './field-table.ts';

interface Domains {
  shortstr: string;
  table: FieldTable;
  octet: number;
  timestamp: bigint;
}

export type Properties = { [P in PropertyName]?: Domains[(typeof rows)[P]['type']] };

interface PropertyField {
  readonly name: PropertyName;
  readonly mask: number;
  readonly type: PropertyType;
}

const fields: readonly PropertyField[] = Object.entries(rows).map(([name, { bit, type }]) => ({
  name: name as PropertyName,
  mask: 1 << bit,
  type,
}));

const headersMask = 1 << rows.headers.bit;
const int64 = 'l'.charCodeAt(0);

/** Bits 0 and 1: more flags follow, and a bit that announces nothing. No 0-9-1 peer sets them. */
const unknownFlags = 0b11;

/** Throws WireError where buffer[start, end) is not exactly flags and the values they announce. */
export function readProperties(buffer: Buffer, start: number, end: number): Properties {
  const reader = new Reader(buffer, start, end);
  const flags = reader.uint16();
  const found: Record<string, Domains[PropertyType]> = {};
  for (const { name, mask, type } of fields) {
    if ((flags & mask) === 0) continue;
    if (type === 'shortstr') found[name] = reader.utf8(reader.uint8());
    else if (type === 'table') found[name] = readTable(reader);
    else if (type === 'octet') found[name] = reader.uint8();
    else found[name] = reader.bigUint64();
  }
  if ((flags & unknownFlags) !== 0 || reader.remaining > 0) throw new WireError('content properties and flags differ');
  return found as Properties;
}

export function writeProperties(writer: Writer, found: Properties): void {
  const flagsAt = writer.reserveInt16();
  let flags = 0;
  for (const { name, mask, type } of fields) {
    const value = found[name];
    if (value === undefined) continue;
    flags |= mask;
    if (type === 'shortstr') writeShortString(writer, value as string);
    else if (type === 'table') writeTable(writer, value as FieldTable);
    else if (type === 'octet') writer.uint8(value as number);
    else writer.bigUint64(value as bigint);
  }
  writer.patchInt16(flagsAt, flags);
}

/**
 * The properties at buffer[start, end) with one header more, a 64-bit integer, behind the others. They were checked
 * when they were stored.
 */
export function propertiesWithHeader(buffer: Buffer, start: number, end: number, name: string, value: number): Buffer {
  const flags = buffer.readUInt16BE(start);
  let at = start + 2;
  // Content type and content encoding are all that lies in front of the headers.
  for (const { name: property, mask } of fields) {
    if (property === 'headers') break;
    if ((flags & mask) !== 0) at += 1 + buffer[at]!;
  }
  const hasTable = (flags & headersMask) !== 0;
  const tableBytes = hasTable ? buffer.readUInt32BE(at) : 0;
  const tableEnd = hasTable ? at + 4 + tableBytes : at;
  const entryBytes = 1 + name.length + 9;
  const made = Buffer.allocUnsafe(end - start + (hasTable ? 0 : 4) + entryBytes);
  made.writeUInt16BE(flags | headersMask, 0);
  let to = 2 + buffer.copy(made, 2, start + 2, at);
  to = made.writeUInt32BE(tableBytes + entryBytes, to);
  if (hasTable) to += buffer.copy(made, to, at + 4, tableEnd);
  to = made.writeUInt8(name.length, to);
  to += made.write(name, to, 'latin1');
  to = made.writeUInt8(int64, to);
  to = made.writeBigInt64BE(BigInt(value), to);
  buffer.copy(made, to, tableEnd, end);
  return made;
}

/** Where a long string or byte array lies, in the buffer that was scanned. */
export interface Place {
  at: number;
  bytes: number;
}

/** Checks properties and finds the places in them that decide about routing and storing. One per connection, reused. */
export class PropertyScan {
  /** -1 without the property. */
  deliveryMode = -1;
  priority = 0;
  /** Seconds, -1 without the property. */
  timestamp = -1;
  readonly expiration: Place = { at: 0, bytes: -1 };
  readonly messageId: Place = { at: 0, bytes: -1 };
  readonly userId: Place = { at: 0, bytes: -1 };
  readonly replyTo: Place = { at: 0, bytes: -1 };
  /** Values of the headers that carry what AMQP has no property for, see specs/amqp/MAPPING.md. */
  readonly key: Place = { at: 0, bytes: -1 };
  readonly tag: Place = { at: 0, bytes: -1 };
  /** A CC or BCC header asks for more routing keys. */
  copies = false;
  /** A header says how long the message is to be held back. */
  delay = false;
  #buffer: Buffer = Buffer.alloc(0);

  /** Throws WireError where buffer[start, end) is not exactly flags and the values they announce. */
  scan(buffer: Buffer, start: number, end: number): void {
    this.#clear();
    if (end - start < 2) throw new WireError('content properties without flags');
    const flags = buffer.readUInt16BE(start);
    if ((flags & unknownFlags) !== 0) throw new WireError('content properties announce more flags');
    let at = start + 2;
    if (flags !== 0) {
      this.#buffer = buffer;
      for (const field of fields) {
        if ((flags & field.mask) !== 0) at = this.#value(field, buffer, at, end);
      }
    }
    if (at !== end) throw new WireError('content properties and flags differ');
  }

  #clear(): void {
    this.deliveryMode = -1;
    this.priority = 0;
    this.timestamp = -1;
    this.expiration.bytes = -1;
    this.messageId.bytes = -1;
    this.userId.bytes = -1;
    this.replyTo.bytes = -1;
    this.delay = false;
    this.key.bytes = -1;
    this.tag.bytes = -1;
    this.copies = false;
  }

  #value({ name, type }: PropertyField, buffer: Buffer, at: number, end: number): number {
    let next: number;
    switch (type) {
      case 'table':
        return walkTable(buffer, at, end, this.#header);
      case 'shortstr':
        next = at < end ? at + 1 + buffer[at]! : end + 1;
        break;
      case 'octet':
        next = at + 1;
        break;
      default:
        next = at + 8;
    }
    if (next > end) throw new WireError(`property ${name} is cut short`);
    if (name === 'deliveryMode') this.deliveryMode = buffer[at]!;
    else if (name === 'priority') this.priority = buffer[at]!;
    else if (name === 'timestamp')
      this.timestamp = buffer.readUInt32BE(at) * 0x1_0000_0000 + buffer.readUInt32BE(at + 4);
    else if (name === 'expiration' || name === 'messageId' || name === 'userId' || name === 'replyTo') {
      this[name].at = at + 1;
      this[name].bytes = buffer[at]!;
    }
    return next;
  }

  readonly #header = (keyAt: number, keyBytes: number, valueAt: number, valueEnd: number): void => {
    const buffer = this.#buffer;
    if (keyBytes === 2 || keyBytes === 3) {
      if (matches(buffer, keyAt, keyBytes, 'CC') || matches(buffer, keyAt, keyBytes, 'BCC')) this.copies = true;
    } else if (keyBytes === delayHeader.length && matches(buffer, keyAt, keyBytes, delayHeader)) {
      this.delay = true;
    } else if (keyBytes === keyHeader.length && matches(buffer, keyAt, keyBytes, keyHeader)) {
      this.#bytes(this.key, valueAt, valueEnd);
    } else if (keyBytes === tagHeader.length && matches(buffer, keyAt, keyBytes, tagHeader)) {
      this.#bytes(this.tag, valueAt, valueEnd);
    }
  };

  #bytes(place: Place, valueAt: number, valueEnd: number): void {
    const letter = this.#buffer[valueAt];
    if (letter !== longString && letter !== byteArray) return;
    place.at = valueAt + 5;
    place.bytes = valueEnd - place.at;
  }
}

/** Header that asks an exchange of the type x-delayed-message to hold a message back, in milliseconds. */
export const delayHeader = 'x-delay';
/** Header with a record's key where the routing key is not it. */
export const keyHeader = 'x-key';
/** Header with the tag by which RocketMQ's readers filter. */
export const tagHeader = 'TAGS';

const longString = 'S'.charCodeAt(0);
const byteArray = 'x'.charCodeAt(0);

function matches(buffer: Buffer, at: number, bytes: number, text: string): boolean {
  if (bytes !== text.length) return false;
  for (let i = 0; i < bytes; i++) if (buffer[at + i] !== text.charCodeAt(i)) return false;
  return true;
}
