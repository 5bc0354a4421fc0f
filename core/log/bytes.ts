/**
 * Little-endian numbers of the log: u48 as a safe JavaScript number (two reads, no BigInt), and varints for the parts
 * that hold many small numbers. Everything the log writes goes through here, so that byte order is decided once.
 */
import { assert } from '../errors.ts';

const TWO32 = 0x1_0000_0000;

export function readU48(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt16LE(at + 4) * TWO32;
}

/** By bytes: Buffer's own writers check their arguments and make an object of each number above 2^31. */
export function writeU32(bytes: Buffer, at: number, value: number): void {
  const word = value | 0;
  bytes[at] = word;
  bytes[at + 1] = word >>> 8;
  bytes[at + 2] = word >>> 16;
  bytes[at + 3] = word >>> 24;
}

export function writeU16(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

export function writeU48(bytes: Buffer, at: number, value: number): void {
  const high = Math.floor(value / TWO32);
  writeU32(bytes, at, value - high * TWO32);
  writeU16(bytes, at + 4, high);
}

export function align8(length: number): number {
  return (length + 7) & ~7;
}

/** Grows as needed; reset and reused from turn to turn. */
export class ByteWriter {
  bytes: Buffer;
  length = 0;

  constructor(initialBytes = 1024) {
    this.bytes = Buffer.allocUnsafe(initialBytes);
  }

  reset(): void {
    this.length = 0;
  }

  room(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.length + more));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  u8(value: number): void {
    this.room(1);
    this.bytes[this.length++] = value;
  }

  u32(value: number): void {
    this.room(4);
    this.length = this.bytes.writeUInt32LE(value >>> 0, this.length);
  }

  u48(value: number): void {
    this.room(6);
    writeU48(this.bytes, this.length, value);
    this.length += 6;
  }

  /** Unsigned, up to 2^53. */
  /** From 0 on: a negative number would be a byte that says that more follow. */
  varint(value: number): void {
    assert(value >= 0, 'a varint has no sign');
    this.room(8);
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.bytes[this.length++] = rest;
  }

  /** Signed, zigzag. */
  signed(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  raw(source: Buffer, start = 0, end = source.length): void {
    this.room(end - start);
    source.copy(this.bytes, this.length, start, end);
    this.length += end - start;
  }

  text(value: string): void {
    const size = Buffer.byteLength(value);
    this.varint(size);
    this.room(size);
    this.length += this.bytes.write(value, this.length);
  }

  blob(value: Buffer | null): void {
    if (value === null) {
      this.varint(0);
      return;
    }
    this.varint(value.length + 1);
    this.raw(value);
  }

  done(): Buffer {
    return this.bytes.subarray(0, this.length);
  }
}

/** Reads what ByteWriter wrote; throws RangeError beyond the end (the bytes have passed a checksum, so that is our bug). */
export class ByteReader {
  bytes: Buffer;
  at: number;
  end: number;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  get more(): boolean {
    return this.at < this.end;
  }

  private take(count: number): number {
    const at = this.at;
    if (at + count > this.end) throw new RangeError(`read of ${count} bytes at ${at} passes the end ${this.end}`);
    this.at = at + count;
    return at;
  }

  u8(): number {
    return this.bytes.readUInt8(this.take(1));
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.take(4));
  }

  u48(): number {
    return readU48(this.bytes, this.take(6));
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
  }

  signed(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  raw(length: number): Buffer {
    const at = this.take(length);
    return this.bytes.subarray(at, at + length);
  }

  text(): string {
    const length = this.varint();
    const at = this.take(length);
    return this.bytes.toString('utf8', at, at + length);
  }

  blob(): Buffer | null {
    const length = this.varint();
    return length === 0 ? null : Buffer.from(this.raw(length - 1));
  }
}
