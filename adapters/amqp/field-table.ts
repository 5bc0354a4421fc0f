/**
 * Field tables and arrays (spec 4.2.5.5, letters in specs/amqp/field-types.ts).
 *
 * Invariants:
 * - every value keeps its type letter, so that what a client sent is what another client reads;
 * - 64-bit integers and timestamps are bigint, long strings are bytes (they need not be text);
 * - entries keep their order, and a key that appears twice stays twice;
 * - nesting is bounded (`tableDepthMax`), sizes are bounded by the frame they came in.
 */

import type { FieldTypeLetter } from '../../specs/amqp/field-types.ts';
import { fieldTypes } from '../../specs/amqp/field-types.ts';
import type { Reader } from '../wire/reader.ts';
import { WireError } from '../wire/wire-error.ts';
import type { Writer } from '../wire/writer.ts';

export type FieldValue =
  | { readonly type: 't'; readonly value: boolean }
  | { readonly type: 'b' | 'B' | 's' | 'u' | 'I' | 'i' | 'f' | 'd'; readonly value: number }
  | { readonly type: 'l' | 'L' | 'T'; readonly value: bigint }
  | { readonly type: 'D'; readonly value: { readonly scale: number; readonly digits: number } }
  | { readonly type: 'S' | 'x'; readonly value: Buffer }
  | { readonly type: 'V'; readonly value: null }
  | { readonly type: 'A'; readonly value: readonly FieldValue[] }
  | { readonly type: 'F'; readonly value: FieldTable };

export interface TableEntry {
  readonly key: string;
  readonly field: FieldValue;
}

export type FieldTable = readonly TableEntry[];

export const tableDepthMax = 32;

export const emptyTable: FieldTable = [];

/** The value under a key, the last one where a key appears twice, as a map built from the table would have it. */
export function fieldOf(table: FieldTable, key: string): FieldValue | undefined {
  return table.findLast((entry) => entry.key === key)?.field;
}

export function readTable(reader: Reader, depth = 0): FieldTable {
  const bytes = reader.uint32();
  if (bytes === 0) return emptyTable;
  const end = boundedEnd(reader, bytes, depth);
  const table: TableEntry[] = [];
  while (reader.offset < end) {
    const key = reader.utf8(reader.uint8());
    table.push({ key, field: readField(reader, depth) });
  }
  assertEnd(reader, end);
  return table;
}

/** An AMQPLAIN response is a table without the length in front of it. */
export function readBareTable(reader: Reader): FieldTable {
  const table: TableEntry[] = [];
  while (reader.remaining > 0) {
    const key = reader.utf8(reader.uint8());
    table.push({ key, field: readField(reader, 0) });
  }
  return table;
}

function readArray(reader: Reader, depth: number): readonly FieldValue[] {
  const end = boundedEnd(reader, reader.uint32(), depth);
  const values: FieldValue[] = [];
  while (reader.offset < end) values.push(readField(reader, depth));
  assertEnd(reader, end);
  return values;
}

function readField(reader: Reader, depth: number): FieldValue {
  const letter = String.fromCharCode(reader.uint8()) as FieldTypeLetter;
  switch (letter) {
    case 't':
      return { type: letter, value: reader.uint8() !== 0 };
    case 'b':
      return { type: letter, value: reader.int8() };
    case 'B':
      return { type: letter, value: reader.uint8() };
    case 's':
      return { type: letter, value: reader.int16() };
    case 'u':
      return { type: letter, value: reader.uint16() };
    case 'I':
      return { type: letter, value: reader.int32() };
    case 'i':
      return { type: letter, value: reader.uint32() };
    case 'l':
    case 'L':
      return { type: letter, value: reader.bigInt64() };
    case 'T':
      return { type: letter, value: reader.bigUint64() };
    case 'f':
      return { type: letter, value: reader.float32() };
    case 'd':
      return { type: letter, value: reader.float64() };
    case 'D':
      return { type: letter, value: { scale: reader.uint8(), digits: reader.uint32() } };
    case 'S':
    case 'x':
      // Copied: a table may outlive the chunk it was read from, and a view would pin all of that chunk.
      return { type: letter, value: Buffer.from(reader.slice(reader.uint32())) };
    case 'V':
      return { type: letter, value: null };
    case 'A':
      return { type: letter, value: readArray(reader, depth + 1) };
    case 'F':
      return { type: letter, value: readTable(reader, depth + 1) };
    default:
      throw new WireError(`field type ${JSON.stringify(letter)} is unknown`);
  }
}

export function writeTable(writer: Writer, table: FieldTable): void {
  const length = writer.reserveInt32();
  for (const { key, field } of table) {
    writeShortString(writer, key);
    writeField(writer, field);
  }
  writer.patchLength32(length);
}

function writeField(writer: Writer, field: FieldValue): void {
  writer.uint8(field.type.charCodeAt(0));
  switch (field.type) {
    case 't':
      writer.uint8(field.value ? 1 : 0);
      return;
    case 'b':
    case 'B':
      writer.uint8(field.value);
      return;
    case 's':
    case 'u':
      writer.uint16(field.value);
      return;
    case 'I':
    case 'i':
      writer.uint32(field.value);
      return;
    case 'l':
    case 'L':
      writer.bigInt64(field.value);
      return;
    case 'T':
      writer.bigUint64(field.value);
      return;
    case 'f':
      writer.float32(field.value);
      return;
    case 'd':
      writer.float64(field.value);
      return;
    case 'D':
      writer.uint8(field.value.scale);
      writer.uint32(field.value.digits);
      return;
    case 'S':
    case 'x':
      writer.uint32(field.value.length);
      writer.bytes(field.value);
      return;
    case 'V':
      return;
    case 'A': {
      const length = writer.reserveInt32();
      for (const value of field.value) writeField(writer, value);
      writer.patchLength32(length);
      return;
    }
    case 'F':
      writeTable(writer, field.value);
      return;
  }
}

/** A short string holds 255 bytes; one that is longer is cut at a character, as only our own texts can be. */
export function writeShortString(writer: Writer, value: string): void {
  let text = value;
  while (Buffer.byteLength(text) > 255) text = text.slice(0, Math.min(text.length - 1, 255));
  const at = writer.claim(1) - writer.start;
  const bytes = writer.utf8(text);
  writer.buffer[writer.start + at] = bytes;
}

/**
 * Walks a table without building it and returns the offset behind it. Tells `seen` of every entry of the outermost
 * table: where its key and its value are. This is how a publish is checked and searched without an object per header.
 */
export function walkTable(
  buffer: Buffer,
  at: number,
  end: number,
  seen?: (keyAt: number, keyBytes: number, valueAt: number, valueEnd: number) => void,
  depth = 0,
): number {
  const tableEnd = lengthAt(buffer, at, end, depth);
  let offset = at + 4;
  while (offset < tableEnd) {
    const keyBytes = buffer[offset]!;
    const keyAt = offset + 1;
    const valueAt = keyAt + keyBytes;
    offset = walkField(buffer, valueAt, tableEnd, depth);
    if (seen !== undefined) seen(keyAt, keyBytes, valueAt, offset);
  }
  return offset;
}

function walkField(buffer: Buffer, at: number, end: number, depth: number): number {
  if (at >= end) throw new WireError('a field table ends inside an entry');
  const code = buffer[at]!;
  const size = sizes[code]!;
  let next = at + 1;
  if (size >= 0) next += size;
  else if (code === arrayLetter) {
    const arrayEnd = lengthAt(buffer, next, end, depth + 1);
    next += 4;
    while (next < arrayEnd) next = walkField(buffer, next, arrayEnd, depth + 1);
  } else if (code === tableLetter) next = walkTable(buffer, next, end, undefined, depth + 1);
  else if (size === variableSize) next = lengthAt(buffer, next, end, 0);
  else throw new WireError(`field type ${JSON.stringify(String.fromCharCode(code))} is unknown`);
  if (next > end) throw new WireError('a field table ends inside a value');
  return next;
}

const arrayLetter = 'A'.charCodeAt(0);
const tableLetter = 'F'.charCodeAt(0);
const variableSize = -1;
const unknownLetter = -2;

/** Bytes behind each type letter; below zero where they do not follow from the letter. */
const sizes = new Int8Array(256).fill(unknownLetter);
for (const [letter, row] of Object.entries(fieldTypes)) {
  sizes[letter.charCodeAt(0)] = row.variable ? variableSize : row.bytes;
}

/** Where the value ends that has its length at `at`. */
function lengthAt(buffer: Buffer, at: number, end: number, depth: number): number {
  if (depth > tableDepthMax) throw new WireError(`field tables nest deeper than ${tableDepthMax}`);
  if (end - at < 4) throw new WireError('a field table ends inside a length');
  const valueEnd = at + 4 + buffer.readUInt32BE(at);
  if (valueEnd > end) throw new WireError('a length inside of a field table exceeds it');
  return valueEnd;
}

function boundedEnd(reader: Reader, bytes: number, depth: number): number {
  if (depth > tableDepthMax) throw new WireError(`field tables nest deeper than ${tableDepthMax}`);
  if (bytes > reader.remaining) throw new WireError('a length inside of a field table exceeds it');
  return reader.offset + bytes;
}

function assertEnd(reader: Reader, end: number): void {
  if (reader.offset !== end) throw new WireError('a field table and its last value end at different places');
}
