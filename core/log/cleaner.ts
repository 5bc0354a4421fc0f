/**
 * Finds segments whose bytes are mostly dead and carries what still lives into a segment of its own. Any segment may
 * go, not only the oldest. Moving repoints units and changes nothing else: same queues, same offsets, same store times.
 * The new segment lies in a range of positions of its own, made free for it between two segments, and holds the
 * survivors of one segment. Nothing of it counts before a manifest names it.
 */
import { assert } from '../errors.ts';
import type { Shard } from '../shard.ts';
import type { Crc32c, Position, QueueNumber, Random } from '../types.ts';
import { align8 } from './bytes.ts';
import { type Disk, directorySync } from './disk.ts';
import { ENTRY_HEAD, eachPart, PART_HEAD, readEntryHead, sealEntry } from './entry.ts';
import { type FileJournal, Segment } from './file-journal.ts';
import type { Job } from './jobs.ts';
import { OpenKeys, writeKeyFile } from './key-index.ts';
import {
  emptyMessageFields,
  MESSAGE,
  messageBodyLength,
  PART,
  type Row,
  readMessagePart,
  readRow,
  writeMessagePart,
  writeRow,
} from './parts.ts';
import { walkSegment } from './scan.ts';
import { encodeSegmentHead, LOG_DIRECTORY, SEGMENT_HEAD, type SegmentHead, saltSeed, segmentPath } from './segment.ts';
import { type BlockCache, FileIndex, indexPath, MemoryIndex, Run, writeIndexFile } from './segment-index.ts';
import type { UnitFields } from './units.ts';

export interface CleanerOptions {
  disk: Disk;
  crc: Crc32c;
  random: Random;
  cache: BlockCache;
}

export interface Liveness {
  total: number;
  live: number;
}

/** How much of a segment somebody may still ask for, in bytes counted per (entry, queue). */
export function livenessOf(shard: Shard, runs: readonly Run[]): Liveness {
  const result: Liveness = { total: 0, live: 0 };
  for (const run of runs) {
    result.total += run.bytes;
    if (run.end > run.base)
      result.live += (run.bytes * liveOffsets(shard, run.queue, run.base, run.end)) / (run.end - run.base);
  }
  return result;
}

/** Offsets in [from, to) of a queue that somebody may still ask for. */
function liveOffsets(shard: Shard, number: QueueNumber, from: number, to: number): number {
  const queue = shard.tables.queues.get(number);
  const topic = queue === undefined ? null : shard.tables.catalog.topicById(queue.topic);
  if (queue === undefined || topic === null) return 0;
  const first = Math.max(from, queue.start);
  if (to <= first) return 0;
  if (topic.attributes.retention.mode !== 'consumed') return to - first;
  const ledger = shard.tables.ledger(topic.ownGroup, number);
  return ledger === undefined ? to - first : ledger.unsettledIn(first, to);
}

/** Survivors of `victim` in a segment of their own; `done` gets it with its index when both are durable. */
export function* moveSurvivors(
  options: CleanerOptions,
  shard: Shard,
  journal: FileJournal,
  victim: Segment,
  done: (segment: Segment, index: FileIndex) => void,
): Job {
  const { disk, crc } = options;
  // The active segment ends here, so the next one must be there; on a full disk the victim stays as it is.
  yield* journal.standBy();
  if (!journal.ready()) return;
  // Positions are plentiful: a range that is surely large enough costs nothing, the file is as long as what it holds.
  const capacity = 2 * (victim.end - victim.base) + 4096;
  let base = 0;
  shard.log.rollNow(() => {
    base = journal.reserve(capacity);
  });
  const head: SegmentHead = {
    moved: true,
    base,
    epoch: journal.epoch,
    capacity,
    salt: options.random.bytes(Buffer.alloc(16)),
    sealedEnd: 0,
    createdMs: shard.clock.nowMs(),
  };
  const copier = new Copier(shard, victim.base, base, saltSeed(head.salt, crc), crc, journal.epoch);
  const temporary = `${LOG_DIRECTORY}/moving.tmp`;
  const file = disk.open(temporary, 'create');
  try {
    yield* walkSegment(victim, crc, (bytes, start) => {
      const to = copier.position;
      const copy = copier.copy(bytes, start);
      if (copy > 0) file.write(copier.bytes, 0, copy, SEGMENT_HEAD + (to - base));
    });
    assert(copier.position - base <= capacity, 'survivors fit into the range reserved for them');
    yield file;
    head.sealedEnd = copier.position;
    file.write(encodeSegmentHead(head, crc), 0, SEGMENT_HEAD, 0);
    yield file;
    disk.rename(temporary, segmentPath(base));
    yield directorySync(disk, LOG_DIRECTORY);
  } finally {
    // Opened again below: a file that was renamed is known by its new name from there on.
    file.close();
    if (disk.exists(temporary)) disk.remove(temporary);
  }
  yield* writeIndexFile(disk, copier.index, indexPath(base), copier.position, crc);
  yield* writeKeyFile(disk, copier.keys, base, crc);
  const segment = new Segment(head, saltSeed(head.salt, crc), disk.open(segmentPath(base), 'write'), copier.position);
  done(segment, new FileIndex(disk, indexPath(base), options.cache, crc));
}

/** Copies entries, keeping of each message part the rows that live. */
class Copier {
  readonly index: MemoryIndex;
  readonly keys = new OpenKeys();
  bytes: Buffer = Buffer.allocUnsafe(64 * 1024);
  position: Position;
  private readonly shard: Shard;
  private readonly victimBase: Position;
  private readonly salt: number;
  private readonly crc: Crc32c;
  private readonly epoch: number;
  private readonly runs = new Map<QueueNumber, Run>();
  private readonly fields = emptyMessageFields();
  private readonly rows: Row[] = [];

  constructor(shard: Shard, victimBase: Position, base: Position, salt: number, crc: Crc32c, epoch: number) {
    this.shard = shard;
    this.victimBase = victimBase;
    this.position = base;
    this.index = new MemoryIndex(base);
    this.salt = salt;
    this.crc = crc;
    this.epoch = epoch;
  }

  /** Writes what survives of the entry to `bytes` from 0 on; returns its length, 0 when nothing does. */
  copy(source: Buffer, start: number): number {
    const head = readEntryHead(source, start);
    let length = 0;
    eachPart(source, start, (part) => {
      if (part.kind !== PART.message) return;
      length += this.copyPart(source, start + part.offset, head.storeTimeMs, head.durable, length);
    });
    return length;
  }

  private copyPart(source: Buffer, partAt: number, storeTimeMs: number, durable: Position, at: number): number {
    const { tables } = this.shard;
    const { fields, rows } = this;
    readMessagePart(source, partAt, fields, tables.setSize);
    rows.length = 0;
    for (let n = 0; n < fields.rowCount; n++) {
      const row: Row = { queue: 0, base: 0, first: 0, count: 0 };
      readRow(source, fields, n, tables.setQueue, row);
      if (liveOffsets(this.shard, row.queue, row.base, row.base + row.count) > 0) rows.push(row);
    }
    if (rows.length === 0) return 0;
    const keysAt = fields.keysAt;
    const payloadAt = fields.payloadAt;
    const originalMs = fields.flags & MESSAGE.moved ? fields.movedStoreTimeMs : storeTimeMs;
    fields.flags = (fields.flags & ~(MESSAGE.set | MESSAGE.producer)) | MESSAGE.moved | 8;
    fields.movedStoreTimeMs = originalMs;
    fields.movedFrom = this.victimBase;
    fields.rowCount = rows.length;
    const length =
      ENTRY_HEAD +
      PART_HEAD +
      align8(messageBodyLength(fields.flags, rows.length, fields.keyCount, fields.payloadLength));
    if (at + length > this.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, at + length));
      this.bytes.copy(grown, 0, 0, at);
      this.bytes = grown;
    }
    writeMessagePart(this.bytes, at + ENTRY_HEAD, fields);
    source.copy(this.bytes, fields.keysAt, keysAt, keysAt + fields.keyCount * 4);
    source.copy(this.bytes, fields.payloadAt, payloadAt, payloadAt + fields.payloadLength);
    for (let n = 0; n < rows.length; n++) {
      const row = rows[n]!;
      writeRow(this.bytes, fields, n, row.queue, row.base, row.first, row.count);
    }
    const position = this.position;
    sealEntry(
      this.bytes,
      at,
      { length, epoch: this.epoch, position, durable, storeTimeMs: this.shard.log.storeTimeMs(), parts: 1 },
      this.salt,
      this.crc,
    );
    this.position += length;
    this.note(position, length, originalMs);
    for (let k = 0; k < fields.keyCount; k++)
      this.keys.add(this.bytes.readUInt32LE(fields.keysAt + k * 4), rows[0]!.queue, rows[0]!.base, originalMs);
    return length;
  }

  private note(position: Position, length: number, storeTimeMs: number): void {
    const { fields } = this;
    const unit: UnitFields = {
      base: 0,
      count: 0,
      first: 0,
      flags: fields.flags & 0xff,
      position,
      entryLength: length,
      partOffset: ENTRY_HEAD,
      format: fields.format,
      priority: fields.priority,
      tagHash: fields.tagHash,
      recordTimeMs: fields.recordTimeMaxMs,
      storeTimeMs,
      expiryMs: fields.flags & MESSAGE.due ? fields.dueMs : fields.expiryMs,
    };
    for (const row of this.rows) {
      let run = this.runs.get(row.queue);
      if (run === undefined) {
        run = new Run(this.index, row.queue, row.base);
        this.runs.set(row.queue, run);
        this.index.runs.push(run);
      }
      unit.base = row.base;
      unit.first = row.first;
      unit.count = row.count;
      this.index.append(run, unit);
    }
  }
}
