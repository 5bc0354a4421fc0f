// A big-endian cursor over part of a Buffer.
//
// Invariants:
// - it never reads at or behind `end`, and throws WireError instead;
// - it allocates nothing except what a method's name says (`slice`, `utf8`, `bigInt64`);
// - one Reader is meant to be reused: `reset` points it at the next frame.
//
// Bytes are read by index rather than through DataView, because a DataView would have to be made for every chunk.

import { throwShort, WireError } from './wire-error.ts';

const TWO_POW_32 = 0x1_0000_0000;
/** High words outside of this range make an int64 that a JavaScript number cannot hold exactly. */
const SAFE_HIGH = 0x20_0000;
const EMPTY = Buffer.alloc(0);

export class Reader {
  buffer: Buffer = EMPTY;
  offset = 0;
  end = 0;

  constructor(buffer?: Buffer, start = 0, end = buffer?.length ?? 0) {
    if (buffer !== undefined) this.reset(buffer, start, end);
  }

  /** Points the cursor at buffer[start, end). */
  reset(buffer: Buffer, start: number, end: number): void {
    if (start < 0 || end > buffer.length || start > end) throw new RangeError(`reader over [${start}, ${end})`);
    this.buffer = buffer;
    this.offset = start;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  /** Moves over `count` bytes and returns the offset at which they begin. */
  skip(count: number): number {
    const at = this.offset;
    if (count < 0 || count > this.end - at) throwShort(at, count, this.end);
    this.offset = at + count;
    return at;
  }

  int8(): number {
    return (this.uint8() << 24) >> 24;
  }

  uint8(): number {
    const at = this.offset;
    if (at >= this.end) throwShort(at, 1, this.end);
    this.offset = at + 1;
    return this.buffer[at]!;
  }

  int16(): number {
    return (this.uint16() << 16) >> 16;
  }

  uint16(): number {
    const at = this.offset;
    if (this.end - at < 2) throwShort(at, 2, this.end);
    this.offset = at + 2;
    return (this.buffer[at]! << 8) | this.buffer[at + 1]!;
  }

  int32(): number {
    const at = this.offset;
    if (this.end - at < 4) throwShort(at, 4, this.end);
    this.offset = at + 4;
    const b = this.buffer;
    return (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!;
  }

  uint32(): number {
    return this.int32() >>> 0;
  }

  /** A signed 64-bit integer as a number. One that is not a safe integer is a WireError. */
  int64(): number {
    const at = this.offset;
    const high = this.int32();
    const low = this.int32() >>> 0;
    if (high >= SAFE_HIGH || high < -SAFE_HIGH || (high === -SAFE_HIGH && low === 0)) {
      throw new WireError(`the int64 at ${at} is not a safe integer`);
    }
    return high * TWO_POW_32 + low;
  }

  /** A signed 64-bit integer; one that is not a safe integer is the nearest that is. */
  nearestInt64(): number {
    const high = this.int32();
    const value = high * TWO_POW_32 + (this.int32() >>> 0);
    return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value));
  }

  /** An unsigned 64-bit integer as a number. One that is not a safe integer is a WireError. */
  uint64(): number {
    const at = this.offset;
    const high = this.uint32();
    const low = this.uint32();
    if (high >= SAFE_HIGH) throw new WireError(`the uint64 at ${at} is not a safe integer`);
    return high * TWO_POW_32 + low;
  }

  bigInt64(): bigint {
    return this.buffer.readBigInt64BE(this.skip(8));
  }

  bigUint64(): bigint {
    return this.buffer.readBigUInt64BE(this.skip(8));
  }

  float32(): number {
    return this.buffer.readFloatBE(this.skip(4));
  }

  float64(): number {
    return this.buffer.readDoubleBE(this.skip(8));
  }

  /** An unsigned base-128 integer of at most 32 bits (at most 5 bytes, low group first). */
  uvarint(): number {
    const b = this.buffer;
    const end = this.end;
    let at = this.offset;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (at >= end) throwShort(at, 1, end);
      const byte = b[at++]!;
      if (shift === 28 && byte > 0x0f) throw new WireError(`the varint before ${at} is longer than 32 bits`);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.offset = at;
        return value >>> 0;
      }
    }
    throw new WireError(`the varint before ${at} is longer than 32 bits`);
  }

  /** A zigzag base-128 integer of at most 32 bits. */
  varint(): number {
    const raw = this.uvarint();
    return (raw >>> 1) ^ -(raw & 1);
  }

  /** A zigzag base-128 integer of at most 64 bits as a number. One that is not a safe integer is a WireError. */
  varlong(): number {
    const b = this.buffer;
    const end = this.end;
    let at = this.offset;
    // Five groups make the low 35 bits, the rest the high 29 bits: both stay exact in a number.
    let low = 0;
    let high = 0;
    let scale = 1;
    for (let group = 0; group < 10; group++) {
      if (at >= end) throwShort(at, 1, end);
      const byte = b[at++]!;
      if (group === 5) scale = 1;
      if (group < 5) low += (byte & 0x7f) * scale;
      else high += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) {
        if (group === 9 && byte > 1) break;
        this.offset = at;
        return unzigzag(high, low, at);
      }
    }
    throw new WireError(`the varlong before ${at} is longer than 64 bits`);
  }

  /** A view of the next `count` bytes: it shares memory with the frame. */
  slice(count: number): Buffer {
    const at = this.skip(count);
    return this.buffer.subarray(at, at + count);
  }

  /** The next `count` bytes as a string. Malformed UTF-8 becomes U+FFFD. */
  utf8(count: number): string {
    const at = this.skip(count);
    return count === 0 ? '' : this.buffer.toString('utf8', at, at + count);
  }
}

/** Undoes the zigzag of high * 2^35 + low, where low is below 2^35. */
function unzigzag(high: number, low: number, at: number): number {
  const negative = low % 2 === 1;
  const half = (low - (negative ? 1 : 0)) / 2 + high * 0x4_0000_0000;
  const value = negative ? -half - 1 : half;
  if (!Number.isSafeInteger(value)) throw new WireError(`the varlong before ${at} is not a safe integer`);
  return value;
}
