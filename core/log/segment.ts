/**
 * A segment file: a head of one page, then entries back to back, then zeros up to its capacity. The zeros were really
 * written and synced before the first entry, so an append changes no file size and a sync touches data only.
 *
 *    0 "RMQSEG\0\1"   8 u32 version   12 u32 flags (1 moved)   16 u48 base   24 u32 epoch   28 u32 capacity
 *   32 16 bytes salt  48 u48 sealed end (of moved entries)     56 u48 created, ms           64 u32 crc32c of bytes 0-63
 *
 * The same 68 bytes stand again at 2048: without its salt nothing in a segment verifies. At 512 stands the seal, written
 * when the segment takes no more entries: 0 "RMQEND\0\1"   8 u48 end   14 u16 0   16 u32 crc32c of bytes 0-15 from the salt.
 * It counts only in a segment that has a successor, whose making implies that the sealed one is durable.
 */
import type { Crc32c, Position, TimeMs } from '../types.ts';
import { readU48, writeU48 } from './bytes.ts';
import type { Disk, DiskError, DiskFile } from './disk.ts';

export const SEGMENT_HEAD = 4096;
const SEGMENT_VERSION = 1;
export const LOG_DIRECTORY = 'log';
const MAGIC = Buffer.from('RMQSEG\0\x01', 'latin1');
const HEAD_BYTES = 68;
const COPY_AT = 2048;
const SEAL_MAGIC = Buffer.from('RMQEND\0\x01', 'latin1');
export const SEAL_AT = 512;
export const SEAL_BYTES = 20;
const ZERO_STEP = 64 * 1024;
const ZEROS = Buffer.alloc(ZERO_STEP);
const SYNC_STEP = 8 * 1024 * 1024;
/** Zeros that are written elsewhere at once, at most; of a small segment an eighth. */
const BEHIND_STEP = 1024 * 1024;

export interface SegmentHead {
  moved: boolean;
  base: Position;
  epoch: number;
  capacity: number;
  salt: Buffer;
  sealedEnd: Position;
  createdMs: TimeMs;
}

export function segmentPath(base: Position): string {
  return `${LOG_DIRECTORY}/${String(base).padStart(16, '0')}.seg`;
}

/** The base in a file's name, or -1 when it is not a segment's name. */
export function segmentBase(name: string): Position {
  return /^\d{16}\.seg$/.test(name) ? Number(name.slice(0, 16)) : -1;
}

export function encodeSegmentHead(head: SegmentHead, crc: Crc32c): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEAD);
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(SEGMENT_VERSION, 8);
  bytes.writeUInt32LE(head.moved ? 1 : 0, 12);
  writeU48(bytes, 16, head.base);
  bytes.writeUInt32LE(head.epoch, 24);
  bytes.writeUInt32LE(head.capacity, 28);
  head.salt.copy(bytes, 32, 0, 16);
  writeU48(bytes, 48, head.sealedEnd);
  writeU48(bytes, 56, head.createdMs);
  bytes.writeUInt32LE(crc(bytes, 0, 64, 0), 64);
  bytes.copy(bytes, COPY_AT, 0, HEAD_BYTES);
  return bytes;
}

/** Says where the entries of a segment end. */
export function encodeSeal(end: Position, salt: number, crc: Crc32c): Buffer {
  const bytes = Buffer.alloc(SEAL_BYTES);
  SEAL_MAGIC.copy(bytes);
  writeU48(bytes, 8, end);
  bytes.writeUInt32LE(crc(bytes, 0, 16, salt), 16);
  return bytes;
}

/** The end that the seal in a segment's first page names, -1 when there is none that verifies. */
export function decodeSeal(page: Buffer, salt: number, crc: Crc32c): Position {
  const seal = page.subarray(SEAL_AT, SEAL_AT + SEAL_BYTES);
  if (seal.length < SEAL_BYTES || seal.compare(SEAL_MAGIC, 0, 8, 0, 8) !== 0) return -1;
  return seal.readUInt32LE(16) === crc(seal, 0, 16, salt) ? readU48(seal, 8) : -1;
}

/** Null when neither head of the page is valid; throws when it was written by a later format. */
export function decodeSegmentHead(page: Buffer, crc: Crc32c): SegmentHead | null {
  return decodeHead(page, crc) ?? decodeHead(page.subarray(COPY_AT), crc);
}

function decodeHead(bytes: Buffer, crc: Crc32c): SegmentHead | null {
  if (bytes.length < HEAD_BYTES || bytes.compare(MAGIC, 0, 8, 0, 8) !== 0) return null;
  if (bytes.readUInt32LE(64) !== crc(bytes, 0, 64, 0)) return null;
  const version = bytes.readUInt32LE(8);
  if (version > SEGMENT_VERSION)
    throw new Error(
      `segment format ${version} is newer than this broker's ${SEGMENT_VERSION}: start a newer broker on this directory`,
    );
  return {
    moved: (bytes.readUInt32LE(12) & 1) !== 0,
    base: readU48(bytes, 16),
    epoch: bytes.readUInt32LE(24),
    capacity: bytes.readUInt32LE(28),
    salt: Buffer.from(bytes.subarray(32, 48)),
    sealedEnd: readU48(bytes, 48),
    createdMs: readU48(bytes, 56),
  };
}

/** The checksum seed that all entries of a segment share. */
export function saltSeed(salt: Buffer, crc: Crc32c): number {
  return crc(salt, 0, salt.length, 0);
}

/**
 * A segment in the making: zeros are written a piece at a time and synced off the loop as they come; only when all are
 * durable, and nothing writes any more, does it get a head and its name. The file keeps its spare name until then and is
 * made anew after a restart.
 */
export class Spare {
  static readonly path = `${LOG_DIRECTORY}/spare`;
  readonly file: DiskFile;
  readonly capacity: number;
  zeroed = 0;
  private synced = 0;
  /** Syncs whose outcome is not known yet. */
  private syncs = 0;
  private zeroing = false;
  /** So many zeros are to be there. */
  private wanted = 0;
  private readonly step: number;
  /** Its owner has it, or nobody wants it. */
  private finished = false;

  constructor(disk: Disk, capacity: number) {
    this.file = disk.open(Spare.path, 'create');
    this.capacity = capacity;
    this.step = Math.min(BEHIND_STEP, Math.ceil(this.total / 8));
  }

  get total(): number {
    return SEGMENT_HEAD + this.capacity;
  }

  get ready(): boolean {
    return this.synced === this.total && !this.zeroing;
  }

  /** Writes at most `bytes` more zeros, in steps of 64 KiB. Throws DiskError. */
  fill(bytes: number): void {
    let left = bytes;
    while (left > 0 && this.zeroed < this.total) {
      const step = Math.min(ZERO_STEP, this.total - this.zeroed);
      this.file.write(ZEROS, 0, step, this.zeroed);
      this.zeroed += step;
      left -= step;
    }
  }

  /**
   * Has zeros written off the loop until there are `upTo`, and made durable as they come; `failed` hears of an error.
   * New pages are what costs: 64 KiB of them took a loop 30 to 350 µs.
   */
  fillBehind(upTo: number, failed: (error: DiskError) => void): void {
    this.wanted = Math.min(this.total, Math.max(this.wanted, upTo));
    this.syncBehind(failed);
    const left = this.wanted - this.zeroed;
    if (this.zeroing || left <= 0 || (left < this.step && this.wanted < this.total)) return;
    const to = Math.min(this.total, this.zeroed + this.step);
    this.zeroing = true;
    this.file.zeroAsync(this.zeroed, to, (error) => {
      this.zeroing = false;
      // Somebody could not wait and has written them as well.
      if (this.zeroed < to) {
        if (error !== null) return failed(error);
        this.zeroed = to;
      }
      if (!this.finished) this.fillBehind(this.wanted, failed);
    });
  }

  /** Makes what was written durable, off the loop, every few MiB; `failed` hears of an error. */
  private syncBehind(failed: (error: DiskError) => void): void {
    const upTo = this.zeroed;
    if (this.syncs > 0 || upTo === this.synced || (upTo < this.total && upTo - this.synced < SYNC_STEP)) return;
    this.syncAsync((error) => {
      if (error !== null) failed(error);
    });
  }

  /** Makes durable off the loop what was written so far. */
  syncAsync(done: (error: DiskError | null) => void): void {
    const upTo = this.zeroed;
    this.syncs++;
    this.file.syncAsync((error) => {
      this.syncs--;
      if (error === null && upTo > this.synced) this.synced = upTo;
      done(error);
    });
  }

  /** The next start makes another in its place, so nothing may write into it any more. */
  close(): void {
    this.finished = true;
    this.file.awaitZeros();
    this.file.close();
  }

  /** Completes it at once. Nothing writes into the file after it but its owner. */
  finish(): void {
    this.file.awaitZeros();
    this.zeroing = false;
    this.finished = true;
    // A sync that failed forgets what it was to write, and only its own caller hears of it: it is all written again.
    if (this.syncs > 0) this.zeroed = this.synced;
    this.fill(this.total);
    if (this.synced < this.total) this.file.sync();
    this.synced = this.total;
  }
}
