/**
 * Finds messages by a key: a 32-bit hash per key, in memory for the open segment, in an immutable file of 256 buckets
 * (by the hash's low byte) per sealed one. A hit is a candidate: who asks looks inside the message.
 *
 * File `<base>.key`: head 32 bytes {"RMQKEY\0\1", u32 version, u32 rows, u48 base, u16 0, u32 crc of the bucket table,
 * u32 crc of bytes 0-27}; 256 × {u32 first row, u32 crc of the bucket}; rows of 20 bytes {u32 hash, u32 queue, u48 offset,
 * u48 store time}.
 */
import type { Crc32c, Offset, Position, QueueNumber, TimeMs } from '../types.ts';
import { readU48, writeU48 } from './bytes.ts';
import { type Disk, directorySync } from './disk.ts';
import type { Job } from './jobs.ts';
import { LOG_DIRECTORY } from './segment.ts';

const MAGIC = Buffer.from('RMQKEY\0\x01', 'latin1');
const VERSION = 1;
const HEAD = 32;
const BUCKETS = 256;
const ROW = 20;
const CHUNK_ROWS = 4096;
const STEP_ROWS = 2048;

export interface KeyHit {
  queue: QueueNumber;
  offset: Offset;
  storeTimeMs: TimeMs;
}

export function keyPath(base: Position): string {
  return `${LOG_DIRECTORY}/${String(base).padStart(16, '0')}.key`;
}

/** FNV-1a over the UTF-16 units: the same word gives the same hash for ever. */
export function keyHash(word: string): number {
  let hash = 0x811c9dc5;
  for (let n = 0; n < word.length; n++) hash = Math.imul(hash ^ word.charCodeAt(n), 0x01000193);
  return hash >>> 0;
}

/** `keyHash` of the UTF-8 word in bytes[start, end); ASCII, which most are, without a string. */
export function keyHashOf(bytes: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let n = start; n < end; n++) {
    const byte = bytes[n]!;
    if (byte >= 0x80) return keyHash(bytes.toString('utf8', start, end));
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash >>> 0;
}

/** The keys of the segment that is being written. */
export class OpenKeys {
  readonly chunks: Buffer[] = [];
  rows = 0;

  add(hash: number, queue: QueueNumber, offset: Offset, storeTimeMs: TimeMs): void {
    const slot = this.rows++ % CHUNK_ROWS;
    if (slot === 0) this.chunks.push(Buffer.allocUnsafeSlow(CHUNK_ROWS * ROW));
    const bytes = this.chunks[this.chunks.length - 1]!;
    const at = slot * ROW;
    bytes.writeUInt32LE(hash, at);
    bytes.writeUInt32LE(queue, at + 4);
    writeU48(bytes, at + 8, offset);
    writeU48(bytes, at + 14, storeTimeMs);
  }

  /** Newest first. */
  *find(hash: number): Generator<KeyHit> {
    for (let row = this.rows - 1; row >= 0; row--) {
      const bytes = this.chunks[Math.floor(row / CHUNK_ROWS)]!;
      const at = (row % CHUNK_ROWS) * ROW;
      if (bytes.readUInt32LE(at) === hash) yield hit(bytes, at);
    }
  }
}

function hit(bytes: Buffer, at: number): KeyHit {
  return { queue: bytes.readUInt32LE(at + 4), offset: readU48(bytes, at + 8), storeTimeMs: readU48(bytes, at + 14) };
}

export class KeyIndex {
  private readonly disk: Disk;
  private readonly crc: Crc32c;
  private open = new OpenKeys();
  /** Sealed segments in order: in memory until their file is durable, then only its name. */
  private readonly sealed = new Map<Position, OpenKeys | null>();

  constructor(disk: Disk, crc: Crc32c) {
    this.disk = disk;
    this.crc = crc;
  }

  add(hash: number, queue: QueueNumber, offset: Offset, storeTimeMs: TimeMs): void {
    this.open.add(hash, queue, offset, storeTimeMs);
  }

  /** The segment at `base` takes no more entries. */
  roll(base: Position): OpenKeys {
    const keys = this.open;
    this.sealed.set(base, keys);
    this.open = new OpenKeys();
    return keys;
  }

  /** Keys of a sealed segment that are only in memory yet. */
  sealedKeys(base: Position): OpenKeys {
    return this.sealed.get(base) ?? new OpenKeys();
  }

  /** The file of the segment at `base` is durable. */
  adopt(base: Position): void {
    this.sealed.set(base, null);
  }

  /** Its file is damaged: these are its keys until there is a new one. */
  restore(base: Position, keys: OpenKeys): void {
    this.sealed.set(base, keys);
  }

  drop(base: Position): void {
    this.sealed.delete(base);
  }

  /** Whose keys `findIn` tells, newest segment first; null is the one that is being written. */
  segments(): (Position | null)[] {
    return [null, ...[...this.sealed.keys()].sort((a, b) => b - a)];
  }

  /** Candidates of one segment, newest first; null when its file is damaged. None once the segment is gone. */
  findIn(base: Position | null, word: string): Iterable<KeyHit> | null {
    const hash = keyHash(word);
    if (base === null) return this.open.find(hash);
    const keys = this.sealed.get(base);
    if (keys === undefined) return [];
    return keys === null ? this.findInFile(base, hash) : keys.find(hash);
  }

  private findInFile(base: Position, hash: number): KeyHit[] | null {
    const path = keyPath(base);
    if (!this.disk.exists(path)) return null;
    const file = this.disk.open(path, 'read');
    try {
      const head = Buffer.alloc(HEAD + BUCKETS * 8);
      const whole = file.read(head, 0, head.length, 0) === head.length;
      if (
        !whole ||
        head.readUInt32LE(28) !== this.crc(head, 0, 28, 0) ||
        head.readUInt32LE(24) !== this.crc(head, HEAD, head.length, 0)
      )
        return null;
      const rows = head.readUInt32LE(12);
      const bucket = hash & 0xff;
      const first = head.readUInt32LE(HEAD + bucket * 8);
      const last = bucket === BUCKETS - 1 ? rows : head.readUInt32LE(HEAD + (bucket + 1) * 8);
      if (last === first) return [];
      const bytes = Buffer.allocUnsafe((last - first) * ROW);
      const read = file.read(bytes, 0, bytes.length, head.length + first * ROW);
      if (read !== bytes.length || this.crc(bytes, 0, bytes.length, 0) !== head.readUInt32LE(HEAD + bucket * 8 + 4))
        return null;
      const hits: KeyHit[] = [];
      for (let at = bytes.length - ROW; at >= 0; at -= ROW)
        if (bytes.readUInt32LE(at) === hash) hits.push(hit(bytes, at));
      return hits;
    } finally {
      file.close();
    }
  }
}

/** Writes the file of a segment's keys in slices: counts per bucket, then places the rows, so nothing is sorted. */
export function* writeKeyFile(disk: Disk, keys: OpenKeys, base: Position, crc: Crc32c): Job {
  const counts = new Uint32Array(BUCKETS);
  for (let row = 0; row < keys.rows; row++) {
    counts[keys.chunks[Math.floor(row / CHUNK_ROWS)]![(row % CHUNK_ROWS) * ROW]!]!++;
    if (row % STEP_ROWS === 0) yield undefined;
  }
  const next = new Uint32Array(BUCKETS);
  for (let bucket = 1; bucket < BUCKETS; bucket++) next[bucket] = next[bucket - 1]! + counts[bucket - 1]!;
  const firsts = next.slice();
  const body = Buffer.allocUnsafe(keys.rows * ROW);
  for (let row = 0; row < keys.rows; row++) {
    const bytes = keys.chunks[Math.floor(row / CHUNK_ROWS)]!;
    const at = (row % CHUNK_ROWS) * ROW;
    bytes.copy(body, next[bytes[at]!]!++ * ROW, at, at + ROW);
    if (row % STEP_ROWS === 0) yield undefined;
  }
  const head = Buffer.alloc(HEAD + BUCKETS * 8);
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const first = firsts[bucket]!;
    head.writeUInt32LE(first, HEAD + bucket * 8);
    head.writeUInt32LE(crc(body, first * ROW, (first + counts[bucket]!) * ROW, 0), HEAD + bucket * 8 + 4);
  }
  yield undefined;
  MAGIC.copy(head);
  head.writeUInt32LE(VERSION, 8);
  head.writeUInt32LE(keys.rows, 12);
  writeU48(head, 16, base);
  head.writeUInt32LE(crc(head, HEAD, head.length, 0), 24);
  head.writeUInt32LE(crc(head, 0, 28, 0), 28);
  const path = keyPath(base);
  const file = disk.open(`${path}.tmp`, 'create');
  try {
    file.write(head, 0, head.length, 0);
    for (let at = 0; at < body.length; at += 64 * 1024) {
      file.write(body, at, Math.min(64 * 1024, body.length - at), head.length + at);
      yield undefined;
    }
    yield file;
  } finally {
    file.close();
  }
  disk.rename(`${path}.tmp`, path);
  yield directorySync(disk, LOG_DIRECTORY);
}
