/**
 * The queue index of one segment: which units of which queues lie in it. While the segment is open (and until its file
 * is durable) the units are in memory in the order of the log; then they are one immutable file, sorted by queue, read
 * in checksummed blocks through a bounded cache.
 *
 * A run is one queue's units in one segment, in order of offset. Runs of a queue never overlap.
 *
 * File `<base>.idx`: head 64 bytes {"RMQIDX\0\1", u32 version, u32 rows, u32 units, u32 block units, u48 base, u16 0,
 * u48 segment end, u16 0, u32 crc of the row and block tables, 16 bytes 0, u32 crc of bytes 0-59}; rows of 64 bytes; u32 crc
 * per block; then the blocks of units. Row: u32 queue, u32 units, u32 first unit, u32 flags (1 dense), u48+u16 each: base,
 * end, largest record time, first store time, last store time, bytes of the entries.
 */
import { assert } from '../errors.ts';
import type { Crc32c, Offset, Position, QueueNumber, TimeMs } from '../types.ts';
import { readU48, writeU48 } from './bytes.ts';
import { type Disk, type DiskFile, directorySync } from './disk.ts';
import type { Job } from './jobs.ts';
import { LOG_DIRECTORY } from './segment.ts';
import { UNIT_BYTES, type UnitFields, unitBase, unitCount, writeUnit } from './units.ts';

const MAGIC = Buffer.from('RMQIDX\0\x01', 'latin1');
const VERSION = 1;
const HEAD = 64;
const ROW = 64;
const DENSE = 1;
const CHUNK_UNITS = 4096;
const BLOCK_UNITS = 1024;

export function indexPath(base: Position): string {
  return `${LOG_DIRECTORY}/${String(base).padStart(16, '0')}.idx`;
}

/** Where a unit's bytes are; reused by whoever looks units up. */
export interface UnitAt {
  bytes: Buffer;
  at: number;
}

export interface SegmentIndex {
  readonly base: Position;
  /** Sets `into` to the unit with this number. */
  unit(index: number, into: UnitAt): void;
}

/** One queue's units in one segment. */
export class Run {
  index: SegmentIndex;
  readonly queue: QueueNumber;
  base: Offset;
  end: Offset;
  units = 0;
  /** True while every unit holds one offset and none is missing: then a unit is found by arithmetic. */
  dense = true;
  recordTimeMaxMs: TimeMs = 0;
  storeTimeFirstMs: TimeMs = 0;
  storeTimeLastMs: TimeMs = 0;
  bytes = 0;
  /** In a file: number of the first unit. In memory: the numbers of all units. */
  first = 0;
  list: Uint32Array | null = null;

  constructor(index: SegmentIndex, queue: QueueNumber, base: Offset) {
    this.index = index;
    this.queue = queue;
    this.base = base;
    this.end = base;
  }

  unitAt(n: number, into: UnitAt): void {
    this.index.unit(this.list === null ? this.first + n : this.list[n]!, into);
  }

  /** Number (within the run) of the unit that holds `offset`, or of the next one when it lies in a hole; `units` behind the end. */
  locate(offset: Offset, scratch: UnitAt): number {
    if (offset <= this.base) return 0;
    if (offset >= this.end) return this.units;
    if (this.dense) return offset - this.base;
    let low = 0;
    let high = this.units - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      this.unitAt(middle, scratch);
      if (unitBase(scratch.bytes, scratch.at) <= offset) low = middle;
      else high = middle - 1;
    }
    this.unitAt(low, scratch);
    return unitBase(scratch.bytes, scratch.at) + unitCount(scratch.bytes, scratch.at) > offset ? low : low + 1;
  }

  /** First unit for which `reached` holds, `units` when none; `reached` must not fall along the run. */
  search(reached: (bytes: Buffer, at: number) => boolean, scratch: UnitAt): number {
    let low = 0;
    let high = this.units;
    while (low < high) {
      const middle = (low + high) >>> 1;
      this.unitAt(middle, scratch);
      if (reached(scratch.bytes, scratch.at)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  note(unit: UnitFields, number: number): void {
    if (this.units === 0) {
      this.base = unit.base;
      this.storeTimeFirstMs = unit.storeTimeMs;
    } else {
      assert(unit.base >= this.end, 'offsets of a queue grow along its runs');
    }
    if (unit.count !== 1 || unit.base !== this.base + this.units) this.dense = false;
    if (this.list === null) this.list = new Uint32Array(4);
    else if (this.units === this.list.length) {
      const grown = new Uint32Array(this.list.length * 2);
      grown.set(this.list);
      this.list = grown;
    }
    this.list[this.units++] = number;
    this.end = unit.base + unit.count;
    this.storeTimeLastMs = unit.storeTimeMs;
    if (unit.recordTimeMs > this.recordTimeMaxMs) this.recordTimeMaxMs = unit.recordTimeMs;
    this.bytes += unit.entryLength;
  }
}

/** Units of a segment that is being written, in the order of the log. */
export class MemoryIndex implements SegmentIndex {
  readonly base: Position;
  /** In order of first appearance. A queue has several runs only in a segment of moved entries. */
  readonly runs: Run[] = [];
  count = 0;
  private readonly chunks: Buffer[] = [];

  constructor(base: Position) {
    this.base = base;
  }

  append(run: Run, unit: UnitFields): void {
    const number = this.count++;
    const slot = number % CHUNK_UNITS;
    if (slot === 0) this.chunks.push(Buffer.allocUnsafeSlow(CHUNK_UNITS * UNIT_BYTES));
    writeUnit(this.chunks[this.chunks.length - 1]!, slot * UNIT_BYTES, unit);
    run.note(unit, number);
  }

  unit(index: number, into: UnitAt): void {
    into.bytes = this.chunks[Math.floor(index / CHUNK_UNITS)]!;
    into.at = (index % CHUNK_UNITS) * UNIT_BYTES;
  }
}

/** Blocks of index files in memory, the least recently used go first. */
export class BlockCache {
  private readonly blocks = new Map<number, Buffer>();
  private readonly blocksMax: number;

  constructor(bytesMax: number) {
    this.blocksMax = Math.max(4, Math.floor(bytesMax / (BLOCK_UNITS * UNIT_BYTES)));
  }

  get(key: number): Buffer | undefined {
    const block = this.blocks.get(key);
    if (block !== undefined) {
      this.blocks.delete(key);
      this.blocks.set(key, block);
    }
    return block;
  }

  put(key: number, block: Buffer): void {
    if (this.blocks.size >= this.blocksMax) {
      const oldest = this.blocks.keys().next().value;
      if (oldest !== undefined) this.blocks.delete(oldest);
    }
    this.blocks.set(key, block);
  }
}

export class IndexDamaged extends Error {
  override readonly name = 'IndexDamaged';
  /** Of the segment whose index it is; -1 while that could not be read. */
  readonly base: Position;

  constructor(base: Position, message: string) {
    super(message);
    this.base = base;
  }
}

let nextCacheId = 1;

/** Units of a sealed segment. Throws IndexDamaged when a block does not verify: then it is made again from the segment. */
export class FileIndex implements SegmentIndex {
  readonly base: Position;
  readonly end: Position;
  readonly runs: Run[] = [];
  readonly unitsTotal: number;
  private readonly file: DiskFile;
  private readonly blockCrcs: Uint32Array;
  private readonly unitsAt: number;
  private readonly cache: BlockCache;
  private readonly crc: Crc32c;
  private readonly cacheId = nextCacheId++;
  private lastKey = -1;
  private lastBlock: Buffer | null = null;

  constructor(disk: Disk, path: string, cache: BlockCache, crc: Crc32c) {
    this.file = disk.open(path, 'read');
    this.cache = cache;
    this.crc = crc;
    const head = Buffer.alloc(HEAD);
    if (
      this.file.read(head, 0, HEAD, 0) !== HEAD ||
      head.compare(MAGIC, 0, 8, 0, 8) !== 0 ||
      head.readUInt32LE(60) !== crc(head, 0, 60, 0)
    ) {
      throw new IndexDamaged(-1, `${path}: the head does not verify`);
    }
    const rows = head.readUInt32LE(12);
    this.unitsTotal = head.readUInt32LE(16);
    this.base = readU48(head, 24);
    this.end = readU48(head, 32);
    const blocks = Math.ceil(this.unitsTotal / BLOCK_UNITS);
    const tables = Buffer.alloc(rows * ROW + blocks * 4);
    if (
      this.file.read(tables, 0, tables.length, HEAD) !== tables.length ||
      head.readUInt32LE(40) !== crc(tables, 0, tables.length, 0)
    ) {
      throw new IndexDamaged(-1, `${path}: the tables do not verify`);
    }
    for (let n = 0; n < rows; n++) this.runs.push(this.readRow(tables, n * ROW));
    this.blockCrcs = new Uint32Array(blocks);
    for (let n = 0; n < blocks; n++) this.blockCrcs[n] = tables.readUInt32LE(rows * ROW + n * 4);
    this.unitsAt = HEAD + tables.length;
  }

  private readRow(tables: Buffer, at: number): Run {
    const run = new Run(this, tables.readUInt32LE(at), readU48(tables, at + 16));
    run.units = tables.readUInt32LE(at + 4);
    run.first = tables.readUInt32LE(at + 8);
    run.dense = (tables.readUInt32LE(at + 12) & DENSE) !== 0;
    run.end = readU48(tables, at + 24);
    run.recordTimeMaxMs = readU48(tables, at + 32);
    run.storeTimeFirstMs = readU48(tables, at + 40);
    run.storeTimeLastMs = readU48(tables, at + 48);
    run.bytes = readU48(tables, at + 56);
    return run;
  }

  unit(index: number, into: UnitAt): void {
    const block = Math.floor(index / BLOCK_UNITS);
    into.bytes = this.block(block);
    into.at = (index - block * BLOCK_UNITS) * UNIT_BYTES;
  }

  private block(number: number): Buffer {
    const key = this.cacheId * 0x100000 + number;
    if (key === this.lastKey) return this.lastBlock!;
    let bytes = this.cache.get(key);
    if (bytes === undefined) {
      const units = Math.min(BLOCK_UNITS, this.unitsTotal - number * BLOCK_UNITS);
      bytes = Buffer.allocUnsafeSlow(units * UNIT_BYTES);
      const read = this.file.read(bytes, 0, bytes.length, this.unitsAt + number * BLOCK_UNITS * UNIT_BYTES);
      if (read !== bytes.length || this.crc(bytes, 0, bytes.length, 0) !== this.blockCrcs[number]) {
        throw new IndexDamaged(this.base, `${this.file.path}: block ${number} does not verify`);
      }
      this.cache.put(key, bytes);
    }
    this.lastKey = key;
    this.lastBlock = bytes;
    return bytes;
  }

  close(): void {
    this.file.close();
  }
}

/**
 * Writes the file of an index, a block at a time; the caller decides when to go on. Every run is written, the empty
 * ones too, so that the file says of each queue what the memory did.
 */
export function* writeIndexFile(disk: Disk, index: MemoryIndex, path: string, end: Position, crc: Crc32c): Job {
  const runs = [...index.runs].sort((a, b) => a.queue - b.queue || a.base - b.base);
  const blocks = Math.ceil(index.count / BLOCK_UNITS);
  const tables = Buffer.alloc(runs.length * ROW + blocks * 4);
  const unitsAt = HEAD + tables.length;
  const temporary = `${path}.tmp`;
  const file = disk.open(temporary, 'create');
  const block = Buffer.allocUnsafe(BLOCK_UNITS * UNIT_BYTES);
  const scratch: UnitAt = { bytes: block, at: 0 };
  let written = 0;
  let filled = 0;
  const writeBlock = (): void => {
    const length = filled * UNIT_BYTES;
    const number = written / BLOCK_UNITS;
    tables.writeUInt32LE(crc(block, 0, length, 0), runs.length * ROW + number * 4);
    file.write(block, 0, length, unitsAt + written * UNIT_BYTES);
    written += filled;
    filled = 0;
  };
  try {
    for (let r = 0; r < runs.length; r++) {
      const run = runs[r]!;
      const at = r * ROW;
      tables.writeUInt32LE(run.queue, at);
      tables.writeUInt32LE(run.units, at + 4);
      tables.writeUInt32LE(written + filled, at + 8);
      tables.writeUInt32LE(run.dense ? DENSE : 0, at + 12);
      writeU48(tables, at + 16, run.base);
      writeU48(tables, at + 24, run.end);
      writeU48(tables, at + 32, run.recordTimeMaxMs);
      writeU48(tables, at + 40, run.storeTimeFirstMs);
      writeU48(tables, at + 48, run.storeTimeLastMs);
      writeU48(tables, at + 56, run.bytes);
      for (let n = 0; n < run.units; n++) {
        run.unitAt(n, scratch);
        scratch.bytes.copy(block, filled * UNIT_BYTES, scratch.at, scratch.at + UNIT_BYTES);
        if (++filled === BLOCK_UNITS) {
          writeBlock();
          yield;
        }
      }
    }
    if (filled > 0) writeBlock();
    const head = Buffer.alloc(HEAD);
    MAGIC.copy(head);
    head.writeUInt32LE(VERSION, 8);
    head.writeUInt32LE(runs.length, 12);
    head.writeUInt32LE(index.count, 16);
    head.writeUInt32LE(BLOCK_UNITS, 20);
    writeU48(head, 24, index.base);
    writeU48(head, 32, end);
    head.writeUInt32LE(crc(tables, 0, tables.length, 0), 40);
    head.writeUInt32LE(crc(head, 0, 60, 0), 60);
    file.write(head, 0, HEAD, 0);
    if (tables.length > 0) file.write(tables, 0, tables.length, HEAD);
    yield file;
  } finally {
    file.close();
  }
  disk.rename(temporary, path);
  yield directorySync(disk, LOG_DIRECTORY);
}
