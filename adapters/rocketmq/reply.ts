// Writes command frames: replies in the serialize type of their request, and the requests a broker sends.
//
//   begin… → text/number/hex per field → endHeader → body through `writer` → finish
//
// Invariants:
// - extFields is always there, if empty: the Java client dereferences it;
// - the lengths of the frame and its header are patched when they are known, the frame lies in one piece;
// - nothing is pushed anywhere: whoever owns the writer takes the finished frame.

import {
  FLAG_ONEWAY,
  FLAG_RESPONSE,
  LANGUAGE_OTHER,
  SERIALIZE_JSON,
  VERSION_V5_3_0,
} from '../../specs/rocketmq/constants.ts';
import type { Writer } from '../wire/writer.ts';
import { escapeInto } from './json-escape.ts';

/** A field's name in both spellings, made once at load. */
export class ReplyField {
  readonly json: Buffer;
  readonly binary: Buffer;

  constructor(name: string) {
    this.json = Buffer.from(`"${name}":"`);
    this.binary = Buffer.alloc(2 + name.length);
    this.binary.writeInt16BE(name.length, 0);
    this.binary.write(name, 2);
  }
}

/** A field that always has the same value, in both spellings. Neither name nor value needs escapes. */
export class ReplyConstant {
  readonly json: Buffer;
  readonly binary: Buffer;

  constructor(name: string, value: string) {
    this.json = Buffer.from(`"${name}":"${value}"`);
    this.binary = Buffer.alloc(6 + name.length + value.length);
    this.binary.writeInt16BE(name.length, 0);
    this.binary.write(name, 2);
    this.binary.writeInt32BE(value.length, 2 + name.length);
    this.binary.write(value, 6 + name.length);
  }
}

const CODE = Buffer.from('{"code":');
const EXT = Buffer.from(',"extFields":{');
const RESPONSE_TAIL = Buffer.from('},"flag":1,"language":"OTHER","opaque":');
const REQUEST_TAIL = Buffer.from('},"flag":0,"language":"OTHER","opaque":');
const ONEWAY_TAIL = Buffer.from('},"flag":2,"language":"OTHER","opaque":');
const REMARK = Buffer.from(',"remark":"');
const END = Buffer.from(`,"serializeTypeCurrentRPC":"JSON","version":${VERSION_V5_3_0}}`);
const END_REMARK = Buffer.from('"');
const HEX = Buffer.from('0123456789ABCDEF');
const FLAG_REQUEST = 0;
const REMARK_BYTES_MAX = 4096;

export class Reply {
  readonly writer: Writer;
  #json = true;
  #opaque = 0;
  #remark = '';
  #tail = RESPONSE_TAIL;
  #fields = 0;
  #extLength = 0;

  constructor(writer: Writer) {
    this.writer = writer;
  }

  /** Begins a response. An empty remark is left out. */
  begin(serialize: number, opaque: number, code: number, remark = ''): void {
    this.#begin(serialize, opaque, code, FLAG_RESPONSE, remark);
  }

  /** Begins a request to a client: always JSON, which every client reads. */
  beginRequest(opaque: number, code: number, oneway: boolean): void {
    this.#begin(SERIALIZE_JSON, opaque, code, oneway ? FLAG_ONEWAY : FLAG_REQUEST, '');
  }

  text(field: ReplyField, value: string): void {
    const at = this.#field(field);
    const writer = this.writer;
    if (this.#json) {
      const source = Buffer.from(value);
      const to = writer.claim(source.length * 6 + 1);
      const end = escapeInto(source, 0, source.length, writer.buffer, to);
      writer.buffer[end] = 0x22;
      writer.truncate(end + 1 - writer.start);
    } else {
      writer.patchInt32(at, writer.utf8(value));
    }
  }

  constant(field: ReplyConstant): void {
    if (this.#json && this.#fields++ > 0) this.writer.uint8(0x2c);
    put(this.writer, this.#json ? field.json : field.binary);
  }

  /** A safe integer as decimal text. */
  number(field: ReplyField, value: number): void {
    const at = this.#field(field);
    const writer = this.writer;
    const before = writer.length;
    decimal(writer, value);
    this.#endValue(at, before);
  }

  boolean(field: ReplyField, value: boolean): void {
    this.text(field, value ? 'true' : 'false');
  }

  /** Bytes as upper-case hexadecimal. */
  hex(field: ReplyField, bytes: Buffer, start: number, end: number): void {
    const at = this.#field(field);
    const before = this.writer.length;
    hexadecimal(this.writer, bytes, start, end);
    this.#endValue(at, before);
  }

  /** `count` values in one, separated by commas. */
  list(field: ReplyField, count: number, put: (writer: Writer, index: number) => void): void {
    const at = this.#field(field);
    const before = this.writer.length;
    for (let i = 0; i < count; i++) {
      if (i > 0) this.writer.uint8(0x2c);
      put(this.writer, i);
    }
    this.#endValue(at, before);
  }

  endHeader(): void {
    const writer = this.writer;
    if (this.#json) {
      put(writer, this.#tail);
      decimal(writer, this.#opaque);
      if (this.#remark !== '') this.#putRemark();
      put(writer, END);
      writer.patchInt32(4, writer.length - 8);
    } else {
      writer.patchInt32(this.#extLength, writer.length - this.#extLength - 4);
      writer.patchInt32(4, 0x0100_0000 | (writer.length - 8));
    }
  }

  /** Everything of the frame is written. */
  finish(): void {
    this.writer.patchLength32(0);
  }

  #begin(serialize: number, opaque: number, code: number, flag: number, remark: string): void {
    const writer = this.writer;
    this.#json = serialize === SERIALIZE_JSON;
    this.#opaque = opaque;
    this.#remark = remark.length > REMARK_BYTES_MAX ? remark.slice(0, REMARK_BYTES_MAX) : remark;
    this.#fields = 0;
    // Room for a usual reply at once, so that the pieces below find it without moving.
    writer.truncate(writer.claim(512) - writer.start);
    writer.claim(8);
    if (this.#json) {
      this.#tail = flag === FLAG_RESPONSE ? RESPONSE_TAIL : flag === FLAG_ONEWAY ? ONEWAY_TAIL : REQUEST_TAIL;
      put(writer, CODE);
      decimal(writer, code);
      put(writer, EXT);
      return;
    }
    writer.int16(code);
    writer.int8(LANGUAGE_OTHER);
    writer.int16(VERSION_V5_3_0);
    writer.int32(opaque);
    writer.int32(flag);
    const remarkLength = writer.reserveInt32();
    writer.patchInt32(remarkLength, this.#remark === '' ? 0 : writer.utf8(this.#remark));
    this.#extLength = writer.reserveInt32();
  }

  /** Begins a value; returns where its length goes (binary only). */
  #field(field: ReplyField): number {
    const writer = this.writer;
    if (!this.#json) {
      put(writer, field.binary);
      return writer.reserveInt32();
    }
    if (this.#fields++ > 0) writer.uint8(0x2c);
    put(writer, field.json);
    return 0;
  }

  #endValue(at: number, before: number): void {
    const writer = this.writer;
    if (this.#json) writer.uint8(0x22);
    else writer.patchInt32(at, writer.length - before);
  }

  #putRemark(): void {
    const writer = this.writer;
    const source = Buffer.from(this.#remark);
    put(writer, REMARK);
    const to = writer.claim(source.length * 6);
    const end = escapeInto(source, 0, source.length, writer.buffer, to);
    writer.truncate(end - writer.start);
    put(writer, END_REMARK);
  }
}

/** Writes a safe integer in decimal. */
function decimal(writer: Writer, value: number): void {
  let rest = value;
  if (rest < 0) {
    writer.uint8(0x2d);
    rest = -rest;
  }
  let digits = 1;
  for (let limit = 10; digits < 16 && rest >= limit; limit *= 10) digits++;
  let at = writer.claim(digits) + digits;
  const buffer = writer.buffer;
  // Numbers of more than 31 bits are halved into two ranges that integer arithmetic can do.
  while (rest > 0x7fff_ffff) {
    const high = Math.floor(rest / 10);
    buffer[--at] = 0x30 + (rest - high * 10);
    rest = high;
  }
  let small = rest | 0;
  do {
    const high = (small / 10) | 0;
    buffer[--at] = 0x30 + (small - high * 10);
    small = high;
  } while (small > 0);
}

export function hexadecimal(writer: Writer, bytes: Buffer, start: number, end: number): void {
  let at = writer.claim((end - start) * 2);
  const buffer = writer.buffer;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    buffer[at++] = HEX[byte >> 4]!;
    buffer[at++] = HEX[byte & 15]!;
  }
}

/** Copies a short constant: below some 64 bytes a loop is cheaper than a call into the runtime. */
function put(writer: Writer, constant: Buffer): void {
  const at = writer.claim(constant.length);
  const buffer = writer.buffer;
  for (let i = 0; i < constant.length; i++) buffer[at + i] = constant[i]!;
}
