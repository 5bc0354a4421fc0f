// AMQP 0-9-1 on the wire, from the client's side: methods, content headers and field tables to octets and back, with the
// type letter of every value kept, because letters are part of what brokers answer. Written for scenarios, not for speed.
import { type FieldType, type MethodName, methodKey, methods } from '../../specs/amqp/methods.ts';

/** A value of a field table with its type letter. */
export class Field {
  readonly letter: string;
  readonly value: unknown;

  constructor(letter: string, value: unknown) {
    this.letter = letter;
    this.value = value;
  }
}

export const field = (letter: string, value: unknown): Field => new Field(letter, value);

export type Table = Readonly<Record<string, unknown>>;
export type Fields = Readonly<Record<string, unknown>>;

const INT32 = 2 ** 31;

/** Strings are S, integers I or l, doubles d, booleans t, null V, arrays A, bytes x, plain objects F; else say a letter. */
function letterOf(value: unknown): Field {
  if (value instanceof Field) return value;
  if (value === null) return field('V', null);
  if (typeof value === 'string') return field('S', value);
  if (typeof value === 'boolean') return field('t', value);
  if (typeof value === 'number' && !Number.isInteger(value)) return field('d', value);
  if (typeof value === 'number') return field(value >= -INT32 && value < INT32 ? 'I' : 'l', value);
  if (Array.isArray(value)) return field('A', value);
  if (value instanceof Uint8Array) return field('x', value);
  return field('F', value);
}

class Writer {
  readonly #parts: Buffer[] = [];

  take(): Buffer {
    return Buffer.concat(this.#parts);
  }

  bytes(bytes: Uint8Array): void {
    this.#parts.push(Buffer.from(bytes));
  }

  integer(value: number | bigint, size: number): void {
    const out = Buffer.alloc(8);
    out.writeBigInt64BE(BigInt.asIntN(64, BigInt(value)));
    this.#parts.push(out.subarray(8 - size));
  }

  short(text: string): void {
    const bytes = Buffer.from(text);
    this.integer(bytes.length, 1);
    this.bytes(bytes);
  }

  long(bytes: Uint8Array | string): void {
    const all = Buffer.from(bytes as Uint8Array);
    this.integer(all.length, 4);
    this.bytes(all);
  }

  table(table: Table): void {
    const inner = new Writer();
    for (const [name, value] of Object.entries(table)) {
      inner.short(name);
      inner.value(value);
    }
    this.long(inner.take());
  }

  value(given: unknown): void {
    const { letter, value } = letterOf(given);
    this.bytes(Buffer.from(letter, 'latin1'));
    const size = INTEGERS[letter];
    if (size !== undefined) return this.integer(typeof value === 'boolean' ? Number(value) : (value as number), size);
    const out = Buffer.alloc(8);
    switch (letter) {
      case 'V':
        return;
      case 'f':
        out.writeFloatBE(value as number);
        return this.bytes(out.subarray(0, 4));
      case 'd':
        out.writeDoubleBE(value as number);
        return this.bytes(out);
      case 'D': {
        const [scale, digits] = value as [number, number];
        this.integer(scale, 1);
        return this.integer(digits, 4);
      }
      case 'A': {
        const inner = new Writer();
        for (const one of value as unknown[]) inner.value(one);
        return this.long(inner.take());
      }
      case 'F':
        return this.table(value as Table);
      default:
        return this.long(value as string);
    }
  }
}

const INTEGERS: Readonly<Record<string, number>> = { t: 1, b: 1, B: 1, s: 2, u: 2, I: 4, i: 4, l: 8, L: 8, T: 8 };
const SIGNED = new Set(['b', 's', 'I', 'l', 'L']);

class Reader {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#bytes.length;
  }

  take(length: number): Buffer {
    if (this.at + length > this.#bytes.length) throw new Error(`${length} octets wanted at ${this.at} of a frame`);
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  /** Numbers, and bigints where a number would not be exact. */
  integer(size: number, isSigned = false): number | bigint {
    let value = 0n;
    for (const octet of this.take(size)) value = (value << 8n) | BigInt(octet);
    if (isSigned) value = BigInt.asIntN(size * 8, value);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  count(size: number): number {
    return Number(this.integer(size));
  }

  short(): string {
    return this.take(this.count(1)).toString();
  }

  long(): Buffer {
    return this.take(this.count(4));
  }

  table(): Record<string, Field> {
    const inner = new Reader(this.long());
    const table: Record<string, Field> = {};
    while (!inner.isAtEnd) {
      const name = inner.short();
      table[name] = inner.value();
    }
    return table;
  }

  value(): Field {
    const letter = this.take(1).toString('latin1');
    const size = INTEGERS[letter];
    if (letter === 't') return field(letter, this.count(1) !== 0);
    if (size !== undefined) return field(letter, this.integer(size, SIGNED.has(letter)));
    switch (letter) {
      case 'V':
        return field(letter, null);
      case 'f':
        return field(letter, this.take(4).readFloatBE());
      case 'd':
        return field(letter, this.take(8).readDoubleBE());
      case 'D':
        return field(letter, [this.count(1), this.count(4)]);
      case 'F':
        return field(letter, this.table());
      case 'A': {
        const inner = new Reader(this.long());
        const values: Field[] = [];
        while (!inner.isAtEnd) values.push(inner.value());
        return field(letter, values);
      }
      case 'S':
      case 'x':
        return field(letter, this.long());
      default:
        throw new Error(`a field of type ${letter}`);
    }
  }
}

const WIDTH = { octet: 1, short: 2, long: 4, longlong: 8 } as const;

function write(out: Writer, fields: readonly (readonly [string, FieldType])[], given: Fields): void {
  for (let i = 0; i < fields.length; i++) {
    const [name, type] = fields[i]!;
    const value = given[name];
    if (type === 'bit') {
      let octet = 0;
      let bit = 0;
      for (; fields[i]?.[1] === 'bit'; i++) octet |= (given[fields[i]![0]] ? 1 : 0) << bit++;
      i--;
      out.integer(octet, 1);
    } else if (type === 'shortstr') out.short((value ?? '') as string);
    else if (type === 'longstr') out.long((value ?? '') as string);
    else if (type === 'table') out.table((value ?? {}) as Table);
    else out.integer((value ?? 0) as number, WIDTH[type]);
  }
}

function read(from: Reader, fields: readonly (readonly [string, FieldType])[]): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (let i = 0; i < fields.length; i++) {
    const [name, type] = fields[i]!;
    if (type === 'bit') {
      const octet = from.count(1);
      for (let bit = 0; fields[i]?.[1] === 'bit'; i++) found[fields[i]![0]] = ((octet >> bit++) & 1) === 1;
      i--;
    } else if (type === 'shortstr') found[name] = from.short();
    else if (type === 'longstr') found[name] = from.long().toString();
    else if (type === 'table') found[name] = from.table();
    else found[name] = from.integer(WIDTH[type]);
  }
  return found;
}

export const FRAME = { method: 1, header: 2, body: 3, heartbeat: 8 } as const;
export const FRAME_END = 0xce;

export function frame(type: number, channel: number, payload: Uint8Array, end: number = FRAME_END): Buffer {
  const out = Buffer.alloc(payload.length + 8);
  out[0] = type;
  out.writeUInt16BE(channel, 1);
  out.writeUInt32BE(payload.length, 3);
  out.set(payload, 7);
  out[out.length - 1] = end;
  return out;
}

export function methodPayload(name: MethodName, fields: Fields = {}): Buffer {
  const row = methods[name];
  const out = new Writer();
  out.integer(methodKey(row.classId, row.methodId), 4);
  write(out, Object.entries(row.fields) as [string, FieldType][], fields);
  return out.take();
}

const NAME_OF = new Map(
  (Object.keys(methods) as MethodName[]).map((name) => [
    methodKey(methods[name].classId, methods[name].methodId),
    name,
  ]),
);

export function parseMethod(payload: Buffer): { name: MethodName; fields: Record<string, unknown> } {
  const reader = new Reader(payload);
  const key = reader.count(4);
  const name = NAME_OF.get(key);
  if (name === undefined) throw new Error(`a method ${key >>> 16}.${key & 0xffff}`);
  return { name, fields: read(reader, Object.entries(methods[name].fields) as [string, FieldType][]) };
}

/** The properties of a content header (spec 4.2.6.1), highest bit of the flags first. */
const PROPERTIES: readonly (readonly [string, FieldType])[] = [
  ['contentType', 'shortstr'],
  ['contentEncoding', 'shortstr'],
  ['headers', 'table'],
  ['deliveryMode', 'octet'],
  ['priority', 'octet'],
  ['correlationId', 'shortstr'],
  ['replyTo', 'shortstr'],
  ['expiration', 'shortstr'],
  ['messageId', 'shortstr'],
  ['timestamp', 'longlong'],
  ['type', 'shortstr'],
  ['userId', 'shortstr'],
  ['appId', 'shortstr'],
  ['clusterId', 'shortstr'],
];

export type Properties = Readonly<Record<string, unknown>>;

export function headerPayload(bodyBytes: number, properties: Properties = {}, classId = 60): Buffer {
  const out = new Writer();
  const present = PROPERTIES.filter(([name]) => properties[name] !== undefined);
  out.integer(classId, 2);
  out.integer(0, 2);
  out.integer(bodyBytes, 8);
  out.integer(
    PROPERTIES.reduce((flags, [name], i) => (properties[name] === undefined ? flags : flags | (1 << (15 - i))), 0),
    2,
  );
  write(out, present, properties);
  return out.take();
}

export function parseHeader(payload: Buffer): { bodyBytes: number; properties: Record<string, unknown> } {
  const reader = new Reader(payload);
  reader.take(4);
  const bodyBytes = reader.count(8);
  const flags = reader.count(2);
  const present = PROPERTIES.filter((_, i) => (flags & (1 << (15 - i))) !== 0);
  return { bodyBytes, properties: read(reader, present) };
}

/** A decoded value as text: type letter and value. */
export function told(value: unknown): string {
  if (!(value instanceof Field)) {
    if (typeof value === 'string') return JSON.stringify(value);
    if (value !== null && typeof value === 'object') return toldTable(value as Record<string, Field>);
    return String(value);
  }
  const { letter, value: inner } = value;
  if (letter === 'S') return `S ${JSON.stringify((inner as Buffer).toString())}`;
  if (letter === 'x') return `x ${(inner as Buffer).toString('hex')}`;
  if (letter === 'A') return `A [${(inner as Field[]).map(told).join(', ')}]`;
  if (letter === 'F') return `F ${toldTable(inner as Record<string, Field>)}`;
  if (letter === 'T' && Math.abs(Number(inner) - Date.now() / 1_000) < 86_400) return 'T <now>';
  return letter === 'V' ? 'V' : `${letter} ${String(inner)}`;
}

/** In their order, but for headers of dead letters: there a broker puts its own among the publisher's. */
const toldTable = (table: Record<string, Field>): string =>
  `{${Object.entries(table)
    .toSorted(([a], [b]) => ('x-death' in table ? (a < b ? -1 : 1) : 0))
    .map(([name, value]) => `${name}: ${told(value)}`)
    .join(', ')}}`;
