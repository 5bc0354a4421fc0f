// The header of one remoting command, decoded in place.
//
// Invariants:
// - one Header is reused for every command of a connection: it is valid until the next one is decoded;
// - a field's value is a range of `values`, which is the frame itself or, on the slow path, a scratch buffer;
// - accessors either give a value of the declared type or throw HeaderError, whose text names the field.

import { FLAG_ONEWAY, LANGUAGES } from '../../specs/rocketmq/constants.ts';
import { byteText } from './byte-text.ts';
import { FIELD_COUNT, type FieldNumber, fieldName } from './fields.ts';
import { unescapedBytes, unescapeInto } from './json-escape.ts';

/** The header cannot be understood; the connection goes on, the request is answered with SYSTEM_ERROR. */
export class HeaderError extends Error {
  override readonly name = 'HeaderError';
}

/** Most fields kept of one header; more than any request has, and what bounds the work per frame. */
const FIELDS_MAX = 64;
const EMPTY = Buffer.alloc(0);
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

export class Header {
  code = 0;
  opaque = 0;
  flag = 0;
  version = 0;
  /** Where the name of the client's language lies (JSON), or its number (binary); see `language`. */
  languageStart = 0;
  languageEnd = 0;
  languageCode = -1;
  /** A response's remark; JSON only, which is what our requests are answered in. */
  remark = '';
  /** SERIALIZE_JSON or SERIALIZE_BINARY; the reply uses the same. */
  serialize = 0;
  /** Where the command and its body lie in the frame. */
  frameStart = 0;
  bodyStart = 0;
  bodyEnd = 0;

  /** The bytes that value ranges point into. */
  values: Buffer = EMPTY;
  /** Ranges of names and values in order of appearance: for signatures, which cover unknown fields as well. */
  count = 0;
  readonly nameStarts = new Int32Array(FIELDS_MAX);
  readonly nameEnds = new Int32Array(FIELDS_MAX);
  readonly starts = new Int32Array(FIELDS_MAX);
  readonly ends = new Int32Array(FIELDS_MAX);
  /** 1 where the value is JSON text with escapes in it. */
  readonly escaped = new Uint8Array(FIELDS_MAX);
  // slots[field] is the field's place in the arrays above, for fields whose stamp is that of this header.
  readonly #slots = new Uint8Array(FIELD_COUNT);
  readonly #stamps = new Float64Array(FIELD_COUNT);
  #stamp = 0;

  /** Forgets all fields. */
  begin(values: Buffer): void {
    this.code = 0;
    this.opaque = 0;
    this.flag = 0;
    this.version = 0;
    this.languageStart = 0;
    this.languageEnd = 0;
    this.languageCode = -1;
    this.remark = '';
    this.count = 0;
    this.values = values;
    this.#stamp++;
  }

  /** Adds a field. A later one of the same name wins, as in a map. */
  add(field: FieldNumber, nameStart: number, nameEnd: number, start: number, end: number, escaped: number): void {
    const at = this.count;
    if (at === FIELDS_MAX) throw new HeaderError(`more than ${FIELDS_MAX} header fields`);
    this.nameStarts[at] = nameStart;
    this.nameEnds[at] = nameEnd;
    this.starts[at] = start;
    this.ends[at] = end;
    this.escaped[at] = escaped;
    this.count = at + 1;
    if (field >= 0) {
      this.#slots[field] = at;
      this.#stamps[field] = this.#stamp;
    }
  }

  /** The name of the client's language, `OTHER` when it says none that is known. */
  get language(): string {
    if (this.languageCode >= 0) return LANGUAGES[this.languageCode] ?? 'OTHER';
    const name = byteText(this.values, this.languageStart, this.languageEnd);
    return LANGUAGES.includes(name) ? name : 'OTHER';
  }

  /** The sender wants no reply. */
  get oneway(): boolean {
    return (this.flag & FLAG_ONEWAY) !== 0;
  }

  has(field: FieldNumber): boolean {
    return this.#stamps[field] === this.#stamp;
  }

  /** The value as a string; `absent` when the field is not there. Repeated values come from a cache. */
  string(field: FieldNumber, absent = ''): string {
    const at = this.#slot(field);
    return at < 0 ? absent : this.textAt(at);
  }

  /** The value of the field at that place, known or not. */
  textAt(at: number): string {
    const start = this.starts[at]!;
    const end = this.ends[at]!;
    if (this.escaped[at] === 0) return byteText(this.values, start, end);
    const target = Buffer.allocUnsafe(end - start);
    return target.toString('utf8', 0, unescapeInto(this.values, start, end, target, 0));
  }

  int(field: FieldNumber, absent = 0): number {
    const value = this.long(field, absent);
    if (value < -0x8000_0000 || value > 0x7fff_ffff) throw this.#bad(field, 'an int');
    return value;
  }

  /** The value as a safe integer. */
  long(field: FieldNumber, absent = 0): number {
    const at = this.#slot(field);
    if (at < 0) return absent;
    const bytes = this.values;
    let i = this.starts[at]!;
    const end = this.ends[at]!;
    const negative = bytes[i] === 0x2d;
    if (negative) i++;
    // Sixteen digits are checked by the result being safe; seventeen never are, and none is no number.
    if (i === end || end - i > 16) throw this.#bad(field, 'a long that a number can hold');
    let value = 0;
    for (; i < end; i++) {
      const digit = bytes[i]! - 0x30;
      if (digit < 0 || digit > 9) throw this.#bad(field, 'a number');
      value = value * 10 + digit;
    }
    if (value > Number.MAX_SAFE_INTEGER) throw this.#bad(field, 'a long that a number can hold');
    return negative && value !== 0 ? -value : value;
  }

  /** As `long`, with what a number cannot hold brought to the nearest it can: clients send Long.MAX_VALUE for "no end". */
  longClamped(field: FieldNumber, absent = 0): number {
    if (!this.has(field)) return absent;
    const value = this.bigLong(field);
    if (value > MAX_SAFE) return Number.MAX_SAFE_INTEGER;
    return value < -MAX_SAFE ? -Number.MAX_SAFE_INTEGER : Number(value);
  }

  /** The value with all 64 bits, for physical offsets. */
  bigLong(field: FieldNumber): bigint {
    const text = this.string(field);
    if (!/^-?\d{1,19}$/.test(text)) throw this.#bad(field, 'a long');
    return BigInt.asIntN(64, BigInt(text));
  }

  boolean(field: FieldNumber, absent = false): boolean {
    const at = this.#slot(field);
    if (at < 0) return absent;
    // As Boolean.parseBoolean: everything but "true" is false.
    return this.ends[at]! - this.starts[at]! === 4 && this.string(field).toLowerCase() === 'true';
  }

  /** Bytes of the value as they will be once unescaped; 0 when the field is not there. */
  bytesOf(field: FieldNumber): number {
    const at = this.#slot(field);
    if (at < 0) return 0;
    const start = this.starts[at]!;
    const end = this.ends[at]!;
    return this.escaped[at] === 0 ? end - start : unescapedBytes(this.values, start, end);
  }

  /** Bytes of the value as it stands in the header: what `copy` needs at most. */
  rawBytesOf(field: FieldNumber): number {
    const at = this.#slot(field);
    return at < 0 ? 0 : this.ends[at]! - this.starts[at]!;
  }

  /** Copies the unescaped value to target[at …) and returns where it ends. There is room for `rawBytesOf`. */
  copy(field: FieldNumber, target: Buffer, at: number): number {
    const slot = this.#slot(field);
    if (slot < 0) return at;
    const start = this.starts[slot]!;
    const end = this.ends[slot]!;
    if (this.escaped[slot] !== 0) return unescapeInto(this.values, start, end, target, at);
    this.values.copy(target, at, start, end);
    return at + end - start;
  }

  #slot(field: FieldNumber): number {
    return this.#stamps[field] === this.#stamp ? this.#slots[field]! : -1;
  }

  #bad(field: FieldNumber, wanted: string): HeaderError {
    return new HeaderError(`the header field ${fieldName(field)} is not ${wanted}`);
  }
}
