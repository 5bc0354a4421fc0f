// A big-endian writer over slabs.
//
// Frames are written one behind the other into a slab; `start` is where the frame being written begins. A frame that
// does not fit moves to a new slab, so a finished frame is always contiguous.
//
// With a pool each frame has a buffer for itself, which whoever took the frame gives back when it has been sent.
//
// Invariants:
// - bytes before `start` belong to whoever took them and are not written again; a slab is left to the collector, or used
//   again when `sent` says that all of it has been sent;
// - a frame never grows beyond `frameBytesMax`;
// - positions handed out by `reserve…` are relative to `start`, so they stay right when the frame moves.

import type { BufferPool } from './buffer-pool.ts';
import { WireError } from './wire-error.ts';

const TWO_POW_32 = 0x1_0000_0000;
const SLAB_BYTES = 64 * 1024;
const LARGE_SPARE_BYTES = 4 * 1024;
const EMPTY = Buffer.alloc(0);
/** Slabs that wait until they have been sent; more of them are left to the collector. */
const WAITING_BYTES_MAX = 1024 * 1024;

/** Where all frames of a writer go, counted in bytes; `sentBytes` is -1 when that is not known any more. */
export interface Sent {
  readonly pushedBytes: number;
  readonly sentBytes: number;
}

export interface WriterOptions {
  /** Slabs are used again when the bytes that were pushed while they were filled have been sent. */
  readonly sent?: Sent;
  /** Where the buffers come from; without it slabs are made and left to the collector. */
  readonly pool?: BufferPool;
  readonly slabBytes?: number;
  readonly frameBytesMax?: number;
}

export class Writer {
  buffer: Buffer = EMPTY;
  /** Where the frame being written begins. */
  start = 0;
  /** Where the next byte goes. */
  offset = 0;
  readonly pool: BufferPool | null;
  readonly #slabBytes: number;
  readonly #frameBytesMax: number;
  readonly #sent: Sent | null;
  /** Full slabs, and how many bytes had been pushed when they were; oldest first. */
  readonly #waiting: { readonly slab: Buffer; readonly upTo: number }[] = [];

  constructor(options: WriterOptions = {}) {
    this.pool = options.pool ?? null;
    this.#sent = options.sent ?? null;
    this.#slabBytes = options.slabBytes ?? SLAB_BYTES;
    this.#frameBytesMax = options.frameBytesMax ?? 0x7fff_ffff;
  }

  /** Bytes of the frame written so far. */
  get length(): number {
    return this.offset - this.start;
  }

  /** Makes room for `count` bytes and returns the offset at which they go; the cursor moves behind them. */
  claim(count: number): number {
    if (count > this.buffer.length - this.offset) this.#move(count);
    const at = this.offset;
    this.offset = at + count;
    return at;
  }

  int8(value: number): void {
    const at = this.claim(1);
    this.buffer[at] = value;
  }

  uint8(value: number): void {
    const at = this.claim(1);
    this.buffer[at] = value;
  }

  int16(value: number): void {
    const at = this.claim(2);
    const b = this.buffer;
    b[at] = value >>> 8;
    b[at + 1] = value;
  }

  uint16(value: number): void {
    this.int16(value);
  }

  int32(value: number): void {
    const at = this.claim(4);
    put32(this.buffer, at, value);
  }

  uint32(value: number): void {
    this.int32(value);
  }

  /** A safe integer as 64 bits, signed or unsigned alike. */
  int64(value: number): void {
    const at = this.claim(8);
    const high = Math.floor(value / TWO_POW_32);
    put32(this.buffer, at, high);
    put32(this.buffer, at + 4, value - high * TWO_POW_32);
  }

  bigInt64(value: bigint): void {
    const at = this.claim(8);
    this.buffer.writeBigInt64BE(value, at);
  }

  bigUint64(value: bigint): void {
    const at = this.claim(8);
    this.buffer.writeBigUInt64BE(value, at);
  }

  float32(value: number): void {
    const at = this.claim(4);
    this.buffer.writeFloatBE(value, at);
  }

  float64(value: number): void {
    const at = this.claim(8);
    this.buffer.writeDoubleBE(value, at);
  }

  /** An unsigned 32-bit integer in base 128, low group first. */
  uvarint(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.uint8((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.uint8(rest);
  }

  /** A signed 32-bit integer, zigzag in base 128. */
  varint(value: number): void {
    this.uvarint((value << 1) ^ (value >> 31));
  }

  /** A safe integer, zigzag in base 128, at most 64 bits. */
  varlong(value: number): void {
    if (value >= -0x4000_0000 && value < 0x4000_0000) {
      this.varint(value);
      return;
    }
    // Doubling may leave the safe range, so the lowest bit is peeled off before the zigzag: it is exact in both halves.
    const magnitude = value < 0 ? -value - 1 : value;
    let low = (magnitude % 0x4000_0000) * 2 + (value < 0 ? 1 : 0);
    let high = Math.floor(magnitude / 0x4000_0000);
    // low holds 31 bits and high the rest; emit 28 bits from low, then join what is left.
    for (let group = 0; group < 4; group++) {
      this.uint8((low & 0x7f) | 0x80);
      low = Math.floor(low / 128);
    }
    high = high * 8 + low;
    while (high >= 0x80) {
      this.uint8((high % 128) | 0x80);
      high = Math.floor(high / 128);
    }
    this.uint8(high);
  }

  /** Copies source[from, to). */
  bytes(source: Uint8Array, from = 0, to: number = source.length): void {
    const at = this.claim(to - from);
    this.buffer.set(from === 0 && to === source.length ? source : source.subarray(from, to), at);
  }

  /** Writes a string without a length and returns its length in bytes. */
  utf8(value: string): number {
    const bytes = Buffer.byteLength(value);
    const at = this.claim(bytes);
    this.buffer.write(value, at, bytes, 'utf8');
    return bytes;
  }

  /** Leaves room for a length that is not known yet. Returns its position for `patch…`. */
  reserveInt32(): number {
    return this.claim(4) - this.start;
  }

  reserveInt16(): number {
    return this.claim(2) - this.start;
  }

  patchInt32(position: number, value: number): void {
    put32(this.buffer, this.start + position, value);
  }

  patchInt16(position: number, value: number): void {
    const at = this.start + position;
    this.buffer[at] = value >>> 8;
    this.buffer[at + 1] = value;
  }

  /** Writes the number of bytes behind a reserved int32 into it. */
  patchLength32(position: number): void {
    this.patchInt32(position, this.length - position - 4);
  }

  /** Forgets the bytes of the frame from `length` on. */
  truncate(length: number): void {
    if (length < 0 || length > this.length) throw new RangeError(`truncate to ${length} of ${this.length}`);
    this.offset = this.start + length;
  }

  /** Ends the frame: whatever was in [start, offset) is now somebody else's, and the next frame begins behind it. */
  next(): void {
    this.start = this.offset;
    if (this.pool !== null) this.#let();
  }

  /** Ends the frame and returns a view of it. */
  take(): Buffer {
    const frame = this.buffer.subarray(this.start, this.offset);
    this.next();
    return frame;
  }

  #slab(bytes: number): Buffer {
    const sent = this.#sent;
    if (sent !== null && bytes === this.#slabBytes) {
      const waiting = this.#waiting;
      if (this.buffer.length === bytes) waiting.push({ slab: this.buffer, upTo: sent.pushedBytes });
      if (waiting.length > 0 && waiting[0]!.upTo <= sent.sentBytes) return waiting.shift()!.slab;
      if (waiting.length * bytes > WAITING_BYTES_MAX) waiting.shift();
    }
    return Buffer.allocUnsafeSlow(bytes);
  }

  /** Leaves the buffer to whoever took the frame. */
  #let(): void {
    this.buffer = EMPTY;
    this.start = 0;
    this.offset = 0;
  }

  #move(count: number): void {
    const length = this.offset - this.start;
    const wanted = length + count;
    if (wanted > this.#frameBytesMax) throw new WireError(`a frame of ${wanted} bytes exceeds ${this.#frameBytesMax}`);
    // Small steps double; one that is large by itself says how much is needed, and little comes behind it.
    const room = count > this.#slabBytes ? wanted + LARGE_SPARE_BYTES : wanted * 2;
    const bytes = Math.max(this.#slabBytes, Math.min(room, this.#frameBytesMax));
    const slab = this.pool === null ? this.#slab(bytes) : this.pool.take(wanted);
    this.buffer.copy(slab, 0, this.start, this.offset);
    if (this.pool !== null && this.buffer !== EMPTY) this.pool.give(this.buffer);
    this.buffer = slab;
    this.start = 0;
    this.offset = length;
  }
}

function put32(b: Buffer, at: number, value: number): void {
  b[at] = value >>> 24;
  b[at + 1] = value >>> 16;
  b[at + 2] = value >>> 8;
  b[at + 3] = value;
}
