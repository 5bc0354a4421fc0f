// Encodes and decodes messages from their rows (specs/kafka), for every API except the hot ones.
//
// Invariants:
// - decoding gives every field of the row: one that the version does not carry has its default;
// - a count is checked against the bytes that are left before anything is made for it, and one message makes at most
//   ELEMENTS_MAX array elements, so a frame cannot be blown up into memory beyond a fixed factor;
// - bytes fields are views of the frame: whoever keeps one longer than the request copies it.

import type { Field, Input, ScalarField, ScalarType, Values } from '../../../specs/kafka/row.ts';
import type { Reader } from '../../wire/reader.ts';
import { WireError } from '../../wire/wire-error.ts';
import type { Writer } from '../../wire/writer.ts';

const ELEMENTS_MAX = 200_000;
export const ZERO_UUID = '00000000000000000000000000000000';
const NO_BYTES = Buffer.alloc(0);
/** A classic string's length is an int16; a UTF-16 unit takes at most three bytes. */
const CLASSIC_BYTES_MAX = 0x7fff;
const UTF8_BYTES_MAX = 3;

type Struct = Record<string, unknown>;

/** Decodes one message body (behind the header). Throws WireError. */
export function decode<const Fields extends readonly Field[]>(
  fields: Fields,
  reader: Reader,
  version: number,
  flexible: boolean,
): Values<Fields> {
  return new Decoding(reader, version, flexible).struct(fields) as Values<Fields>;
}

/** Encodes one message body. Throws TypeError when a field without default is missing: that is our own bug. */
export function encode<const Fields extends readonly Field[]>(
  fields: Fields,
  value: Input<Fields>,
  writer: Writer,
  version: number,
  flexible: boolean,
): void {
  new Encoding(writer, version, flexible).struct(fields, value as Struct);
}

function carried(field: Field, version: number): boolean {
  return version >= (field.from ?? 0) && version <= (field.to ?? Number.MAX_SAFE_INTEGER);
}

class Decoding {
  readonly #reader: Reader;
  readonly #version: number;
  readonly #flexible: boolean;
  #elements = 0;

  constructor(reader: Reader, version: number, flexible: boolean) {
    this.#reader = reader;
    this.#version = version;
    this.#flexible = flexible;
  }

  struct(fields: readonly Field[]): Struct {
    const out: Struct = {};
    for (const field of fields) {
      const here = field.tag === undefined && carried(field, this.#version);
      out[field.name] = here ? this.#value(field) : absent(field);
    }
    if (this.#flexible) this.#tags(fields, out);
    return out;
  }

  /** Reads the tag buffer: known tags into `out`, others are skipped (KIP-482). */
  #tags(fields: readonly Field[], out: Struct): void {
    const reader = this.#reader;
    let count = reader.uvarint();
    for (; count > 0; count--) {
      const tag = reader.uvarint();
      const bytes = reader.uvarint();
      const end = reader.offset + bytes;
      const field = fields.find((candidate) => candidate.tag === tag && carried(candidate, this.#version));
      if (field === undefined) {
        reader.skip(bytes);
        continue;
      }
      out[field.name] = this.#value(field);
      if (reader.offset !== end) throw new WireError(`tag ${tag} does not end where it says`);
    }
  }

  #value(field: Field): unknown {
    if (field.type === '[]') return this.#array(field.fields, field.nullable);
    if (field.type === '{}') {
      const isNull = mayBeNull(field, this.#version) && this.#reader.int8() < 0;
      return isNull ? null : this.struct(field.fields);
    }
    return this.#scalar(field.type, field as ScalarField);
  }

  #array(fields: readonly Field[], nullable: number | undefined): Struct[] | null {
    const count = this.#count(nullable);
    if (count < 0) return null;
    const out: Struct[] = [];
    for (let i = 0; i < count; i++) out.push(this.struct(fields));
    return out;
  }

  #scalar(type: ScalarType, field: ScalarField): unknown {
    const reader = this.#reader;
    switch (type) {
      case 'bool':
        return reader.int8() !== 0;
      case 'int8':
        return reader.int8();
      case 'int16':
        return reader.int16();
      case 'int32':
        return reader.int32();
      case 'int64':
        // Offsets and times that nothing has are answered, not taken for a broken frame.
        return reader.nearestInt64();
      case 'float64':
        return reader.float64();
      case 'uuid': {
        const at = reader.skip(16);
        return reader.buffer.toString('hex', at, at + 16);
      }
      case 'string': {
        const bytes = this.#flexible ? reader.uvarint() - 1 : reader.int16();
        if (bytes < 0) return this.#null(field, '');
        return reader.utf8(bytes);
      }
      case 'bytes': {
        const bytes = this.#flexible ? reader.uvarint() - 1 : reader.int32();
        if (bytes < 0) return this.#null(field, NO_BYTES);
        return reader.slice(bytes);
      }
      case '[]int8':
      case '[]int32':
      case '[]string': {
        const count = this.#count(field.nullable);
        if (count < 0) return null;
        const out: unknown[] = [];
        const element = elementOf(field, type);
        for (let i = 0; i < count; i++) out.push(this.#scalar(element.type, element));
        return out;
      }
    }
  }

  /** A null where the row does not allow one is refused, except for empty forms that old clients are known to send. */
  #null(field: ScalarField, empty: unknown): unknown {
    if (mayBeNull(field, this.#version)) return null;
    if (field.type === 'bytes') return empty;
    throw new WireError(`${field.name} must not be null`);
  }

  #count(nullable: number | undefined): number {
    const reader = this.#reader;
    const count = this.#flexible ? reader.uvarint() - 1 : reader.int32();
    if (count < 0) {
      if (nullable !== undefined && this.#version >= nullable) return -1;
      // Arrays that must not be null: v0 clients send -1 for none.
      return 0;
    }
    if (count > reader.remaining) throw new WireError(`an array of ${count} elements in ${reader.remaining} bytes`);
    this.#elements += count;
    if (this.#elements > ELEMENTS_MAX) throw new WireError(`more than ${ELEMENTS_MAX} array elements`);
    return count;
  }
}

function mayBeNull(field: Field, version: number): boolean {
  return field.nullable !== undefined && version >= field.nullable;
}

function elementOf(field: ScalarField, type: '[]int8' | '[]int32' | '[]string'): ScalarField {
  const element = { '[]int8': 'int8', '[]int32': 'int32', '[]string': 'string' } as const;
  return { name: field.name, type: element[type] };
}

function absent(field: Field): unknown {
  if (field.default !== undefined) return field.default;
  switch (field.type) {
    case '[]':
    case '[]int8':
    case '[]int32':
    case '[]string':
      return [];
    case '{}':
      return Object.fromEntries(field.fields.map((inner) => [inner.name, absent(inner)]));
    case 'bool':
      return false;
    case 'string':
      return '';
    case 'bytes':
      return NO_BYTES;
    case 'uuid':
      return ZERO_UUID;
    default:
      return 0;
  }
}

class Encoding {
  readonly #writer: Writer;
  readonly #version: number;
  readonly #flexible: boolean;

  constructor(writer: Writer, version: number, flexible: boolean) {
    this.#writer = writer;
    this.#version = version;
    this.#flexible = flexible;
  }

  struct(fields: readonly Field[], value: Struct): void {
    let tags = 0;
    for (const field of fields) {
      if (!carried(field, this.#version)) continue;
      if (field.tag === undefined) this.#value(field, given(field, value));
      else if (value[field.name] !== undefined) tags++;
    }
    if (!this.#flexible) return;
    this.#writer.uvarint(tags);
    if (tags === 0) return;
    for (const field of fields) {
      if (field.tag === undefined || value[field.name] === undefined || !carried(field, this.#version)) continue;
      this.#tag(field.tag, field, value[field.name]);
    }
  }

  /** A tag carries its size before its bytes; sizes here are small, so the bytes are moved once their number is known. */
  #tag(tag: number, field: Field, value: unknown): void {
    const writer = this.#writer;
    writer.uvarint(tag);
    const before = writer.length;
    this.#value(field, value);
    const bytes = Buffer.from(writer.buffer.subarray(writer.start + before, writer.offset));
    writer.truncate(before);
    writer.uvarint(bytes.length);
    writer.bytes(bytes);
  }

  #value(field: Field, value: unknown): void {
    if (field.type === '[]') {
      const elements = value as Struct[] | null;
      this.#count(elements === null ? -1 : elements.length);
      for (const element of elements ?? []) this.struct(field.fields, element);
    } else if (field.type === '{}') {
      const isNullable = mayBeNull(field, this.#version);
      if (isNullable) this.#writer.int8(value === null ? -1 : 1);
      if (value !== null || !isNullable) this.struct(field.fields, value as Struct);
    } else {
      this.#scalar(field.type, field as ScalarField, value);
    }
  }

  #scalar(type: ScalarType, field: ScalarField, value: unknown): void {
    const writer = this.#writer;
    switch (type) {
      case 'bool':
        writer.int8(value === true ? 1 : 0);
        break;
      case 'int8':
        writer.int8(value as number);
        break;
      case 'int16':
        writer.int16(value as number);
        break;
      case 'int32':
        writer.int32(value as number);
        break;
      case 'int64':
        writer.int64(value as number);
        break;
      case 'float64':
        writer.float64(value as number);
        break;
      case 'uuid': {
        const at = writer.claim(16);
        writer.buffer.write(value as string, at, 16, 'hex');
        break;
      }
      case 'string':
        this.#string(field, value as string | null);
        break;
      case 'bytes':
        this.#bytes(value as Buffer | null);
        break;
      case '[]int8':
      case '[]int32':
      case '[]string': {
        const elements = value as readonly (number | string)[] | null;
        const element = elementOf(field, type);
        this.#count(elements === null ? -1 : elements.length);
        for (const one of elements ?? []) this.#scalar(element.type, element, one);
      }
    }
  }

  #string(field: ScalarField, value: string | null): void {
    const writer = this.#writer;
    // A version that knows no null for this field gets the empty string instead.
    if (value === null && mayBeNull(field, this.#version)) {
      if (this.#flexible) writer.uvarint(0);
      else writer.int16(-1);
      return;
    }
    let text = value ?? '';
    let bytes = Buffer.byteLength(text);
    // Names fit, because they came in a string of the same kind; a sentence about them, or what a client of a later
    // version said of itself, may not.
    if (!this.#flexible && bytes > CLASSIC_BYTES_MAX) {
      text = text.slice(0, CLASSIC_BYTES_MAX / UTF8_BYTES_MAX);
      bytes = Buffer.byteLength(text);
    }
    if (this.#flexible) writer.uvarint(bytes + 1);
    else writer.int16(bytes);
    writer.utf8(text);
  }

  #bytes(value: Buffer | null): void {
    this.#count(value === null ? -1 : value.length);
    if (value !== null) this.#writer.bytes(value);
  }

  /** A length or a count; -1 stands for null. */
  #count(count: number): void {
    if (this.#flexible) this.#writer.uvarint(count + 1);
    else this.#writer.int32(count);
  }
}

function given(field: Field, value: Struct): unknown {
  const own = value[field.name];
  if (own !== undefined) return own;
  if (field.default !== undefined) return field.default;
  throw new TypeError(`${field.name} is missing`);
}
