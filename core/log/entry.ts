/**
 * An entry: the atom of the log. A head of 40 bytes, then parts; its length is a multiple of 8. The checksum covers the
 * entry's own position, the shard's epoch and the segment's salt, so bytes that were written for another place, by an
 * older owner, or by a client inside its payload never verify here. FORMAT.md is the grammar.
 *
 *    0 u32 magic          12 u32 epoch                    24 u48 durable (all below was durable when this was written)
 *    4 u32 length         16 u48 position                 30 u16 reserved, 0
 *    8 u32 crc32c         22 u16 parts                    32 u48 store time, ms     38 u16 reserved, 0
 */
import { assert } from '../errors.ts';
import type { Crc32c, Position, TimeMs } from '../types.ts';
import { align8, readU48, writeU16, writeU32, writeU48 } from './bytes.ts';

const ENTRY_MAGIC = 0x31514d52;
export const ENTRY_HEAD = 40;
export const PART_HEAD = 8;
/** The magic as bytes, to find the next entry behind damage. */
export const ENTRY_MAGIC_BYTES = Buffer.from([0x52, 0x4d, 0x51, 0x31]);

export interface EntryHead {
  length: number;
  epoch: number;
  position: Position;
  durable: Position;
  storeTimeMs: TimeMs;
  parts: number;
}

/** Completes an entry whose parts already lie behind the head at `start`. `salt` is the segment's salt as a CRC seed. */
export function sealEntry(bytes: Buffer, start: number, head: EntryHead, salt: number, crc: Crc32c): void {
  assert(head.length === align8(head.length), 'an entry is a multiple of eight bytes');
  writeU32(bytes, start, ENTRY_MAGIC);
  writeU32(bytes, start + 4, head.length);
  writeU32(bytes, start + 12, head.epoch);
  writeU48(bytes, start + 16, head.position);
  writeU16(bytes, start + 22, head.parts);
  writeU48(bytes, start + 24, head.durable);
  writeU16(bytes, start + 30, 0);
  writeU48(bytes, start + 32, head.storeTimeMs);
  writeU16(bytes, start + 38, 0);
  writeU32(bytes, start + 8, crc(bytes, start + 12, start + head.length, salt));
}

/**
 * The length of the valid entry at `start`, or 0 when the bytes are not one. `end` is where the available bytes stop:
 * an entry that passes it is not valid (read more first, see entryLengthAt).
 */
export function verifyEntry(
  bytes: Buffer,
  start: number,
  end: number,
  position: Position,
  salt: number,
  crc: Crc32c,
): number {
  if (start + ENTRY_HEAD > end || bytes.readUInt32LE(start) !== ENTRY_MAGIC) return 0;
  const length = bytes.readUInt32LE(start + 4);
  if (length < ENTRY_HEAD || (length & 7) !== 0 || start + length > end) return 0;
  if (readU48(bytes, start + 16) !== position) return 0;
  return bytes.readUInt32LE(start + 8) === crc(bytes, start + 12, start + length, salt) ? length : 0;
}

/** What the head claims as length (unverified), 0 when there is no head. */
export function entryLengthAt(bytes: Buffer, start: number): number {
  return bytes.readUInt32LE(start) === ENTRY_MAGIC ? bytes.readUInt32LE(start + 4) : 0;
}

export function readEntryHead(bytes: Buffer, start: number): EntryHead {
  return {
    length: bytes.readUInt32LE(start + 4),
    epoch: bytes.readUInt32LE(start + 12),
    position: readU48(bytes, start + 16),
    parts: bytes.readUInt16LE(start + 22),
    durable: readU48(bytes, start + 24),
    storeTimeMs: readU48(bytes, start + 32),
  };
}

/** u8 kind, u8 format or variant, u16 flags, u32 length of the body; the body is padded to 8 bytes. */
export function writePartHead(
  bytes: Buffer,
  at: number,
  kind: number,
  variant: number,
  flags: number,
  length: number,
): void {
  bytes[at] = kind;
  bytes[at + 1] = variant;
  writeU16(bytes, at + 2, flags);
  writeU32(bytes, at + 4, length);
}

export interface PartView {
  kind: number;
  variant: number;
  flags: number;
  /** Bounds of the body in the buffer. */
  start: number;
  end: number;
  /** Offset of the part's head from the start of its entry. */
  offset: number;
}

/** Calls `each` for every part of a verified entry; the view is reused. */
export function eachPart(bytes: Buffer, start: number, each: (part: PartView) => void): void {
  const entryEnd = start + bytes.readUInt32LE(start + 4);
  const count = bytes.readUInt16LE(start + 22);
  const view: PartView = { kind: 0, variant: 0, flags: 0, start: 0, end: 0, offset: 0 };
  let at = start + ENTRY_HEAD;
  for (let n = 0; n < count; n++) {
    assert(at + PART_HEAD <= entryEnd, 'parts lie within their entry');
    const length = bytes.readUInt32LE(at + 4);
    view.kind = bytes[at]!;
    view.variant = bytes[at + 1]!;
    view.flags = bytes.readUInt16LE(at + 2);
    view.start = at + PART_HEAD;
    view.end = view.start + length;
    view.offset = at - start;
    assert(view.end <= entryEnd, 'parts lie within their entry');
    each(view);
    at = view.start + align8(length);
  }
}
