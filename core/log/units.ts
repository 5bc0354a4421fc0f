/**
 * The unit: what a queue knows of one entry, 52 bytes, the same in memory and in the index file of a sealed segment.
 *
 *    0 u48 base offset     6 u16 flags (types.ts UNIT)    8 u48 position of the entry   14 u8 format   15 u8 priority
 *   16 u32 entry length   20 u32 count                   24 u32 first record            28 i32 tag hash
 *   32 u48 record time    38 u48 store time              44 u32 expiry, ms after the store time, 0 never
 *   48 u32 offset of the message part in the entry
 */
import { readU48, writeU16, writeU32, writeU48 } from './bytes.ts';

export const UNIT_BYTES = 52;
const EXPIRY_MAX = 0xffff_ffff;

export interface UnitFields {
  base: number;
  count: number;
  first: number;
  flags: number;
  position: number;
  entryLength: number;
  partOffset: number;
  format: number;
  priority: number;
  tagHash: number;
  recordTimeMs: number;
  storeTimeMs: number;
  expiryMs: number;
}

export function writeUnit(bytes: Buffer, at: number, unit: UnitFields): void {
  writeU48(bytes, at, unit.base);
  writeU16(bytes, at + 6, unit.flags & 0xff);
  writeU48(bytes, at + 8, unit.position);
  bytes[at + 14] = unit.format;
  bytes[at + 15] = unit.priority;
  writeU32(bytes, at + 16, unit.entryLength);
  writeU32(bytes, at + 20, unit.count);
  writeU32(bytes, at + 24, unit.first);
  writeU32(bytes, at + 28, unit.tagHash);
  writeU48(bytes, at + 32, unit.recordTimeMs);
  writeU48(bytes, at + 38, unit.storeTimeMs);
  // A message that lives longer than 49 days after its store time is clamped; no protocol's time to live is longer.
  const expiry = unit.expiryMs === 0 ? 0 : Math.min(EXPIRY_MAX, Math.max(1, unit.expiryMs - unit.storeTimeMs));
  writeU32(bytes, at + 44, expiry);
  writeU32(bytes, at + 48, unit.partOffset);
}

export const unitBase = (bytes: Buffer, at: number): number => readU48(bytes, at);
export const unitFlags = (bytes: Buffer, at: number): number => bytes.readUInt16LE(at + 6);
export const unitPosition = (bytes: Buffer, at: number): number => readU48(bytes, at + 8);
export const unitFormat = (bytes: Buffer, at: number): number => bytes[at + 14]!;
export const unitPriority = (bytes: Buffer, at: number): number => bytes[at + 15]!;
export const unitEntryLength = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at + 16);
export const unitCount = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at + 20);
export const unitFirst = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at + 24);
export const unitTagHash = (bytes: Buffer, at: number): number => bytes.readInt32LE(at + 28);
export const unitRecordTime = (bytes: Buffer, at: number): number => readU48(bytes, at + 32);
export const unitStoreTime = (bytes: Buffer, at: number): number => readU48(bytes, at + 38);
export const unitPartOffset = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at + 48);

export function unitExpiry(bytes: Buffer, at: number): number {
  const delta = bytes.readUInt32LE(at + 44);
  return delta === 0 ? 0 : unitStoreTime(bytes, at) + delta;
}
