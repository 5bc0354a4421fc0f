/**
 * Reading by offset: visible units of one queue from an offset on, as slices of the stored bytes. Also the lookups by
 * time and by key, and the decoded view of a payload for readers of another format.
 */

import { type Codecs, DECODED_BYTES_MAX } from '../destinations.ts';
import { assert, BrokerError } from '../errors.ts';
import { type ColdReader, WINDOW_RANDOM } from '../log/cold-reader.ts';
import type { IndexRepair } from '../log/index-repair.ts';
import type { Log } from '../log/log.ts';
import { payloadLength, payloadStart } from '../log/parts.ts';
import { type Queue, UnitCursor } from '../log/queue.ts';
import { IndexDamaged, type UnitAt } from '../log/segment-index.ts';
import {
  unitBase,
  unitCount,
  unitEntryLength,
  unitExpiry,
  unitFirst,
  unitFlags,
  unitFormat,
  unitPartOffset,
  unitPosition,
  unitPriority,
  unitRecordTime,
  unitStoreTime,
  unitTagHash,
} from '../log/units.ts';
import type { Signals } from '../signals.ts';
import {
  type Brief,
  type Message,
  type Offset,
  type Position,
  type Prefetched,
  RECORD_TIME_MAX,
  type ReadBatch,
  type ReadLimits,
  type ReadStatus,
  type ReadUnit,
  TAG_MIXED,
  type TimeMs,
  UNIT,
  type Waiter,
} from '../types.ts';
import type { FoundOffset } from '../verbs.ts';

/** Units looked at in one call when a filter passes none, so that a rare tag does not stop the loop. */
const FILTERED_UNITS_MAX = 20_000;
const DECODED_CACHE_BYTES = 32 * 1024 * 1024;
/** Entries of others are read along rather than beginning another read, which would bring as many of them. */
const GAP_BYTES_MAX = WINDOW_RANDOM;
const PIECE_BYTES_MAX = 1024 * 1024;

/** Entries to be fetched together: one at `position`, of `length` bytes, and what follows it up to `end`. */
interface Piece {
  readonly position: Position;
  readonly length: number;
  end: Position;
}

/** Whether an entry so far behind another one is read along with it. */
function isNear(gap: number): boolean {
  return gap >= 0 && gap < GAP_BYTES_MAX;
}

/** Whether more is read for it than it has: entries of others lie in front. */
function isScattered(gap: number, length: number): boolean {
  return gap < 0 || gap > length;
}

/** An entry that is read by itself counts for as much as is read for it at least: small ones far apart are not worth it. */
function weightOf(gap: number, length: number): number {
  return isNear(gap) ? length : Math.max(length, WINDOW_RANDOM);
}

const nothing = (): void => undefined;

function passes({ tagHashes }: ReadLimits, tag: number): boolean {
  return tagHashes === null || tag === TAG_MIXED || tagHashes.has(tag);
}

export function emptyUnit(): ReadUnit {
  return {
    baseOffset: 0,
    count: 0,
    firstRecord: 0,
    format: 0,
    flags: 0,
    tagHash: 0,
    storeTimeMs: 0,
    recordTimeMaxMs: 0,
    expiryMs: 0,
    priority: 0,
    position: 0,
    payload: EMPTY,
    lasting: true,
  };
}

const EMPTY = Buffer.alloc(0);

export class OffsetReader {
  private readonly log: Log;
  private readonly cold: ColdReader;
  private readonly codecs: Codecs;
  private readonly setSize: (id: number) => number;
  private readonly signals: Signals;
  private readonly repair: IndexRepair;
  private readonly cursor = new UnitCursor();
  private readonly scratch: UnitAt = { bytes: EMPTY, at: 0 };
  private readonly decoded = new Map<number, { messages: Message[]; bytes: number }>();
  private decodedBytes = 0;

  constructor(
    log: Log,
    cold: ColdReader,
    codecs: Codecs,
    setSize: (id: number) => number,
    signals: Signals,
    repair: IndexRepair,
  ) {
    this.repair = repair;
    this.log = log;
    this.cold = cold;
    this.codecs = codecs;
    this.setSize = setSize;
    this.signals = signals;
  }

  read(queue: Queue, offset: Offset, limits: ReadLimits, into: ReadBatch, waiter: Waiter): ReadStatus {
    const units = into.units;
    into.bytes = 0;
    into.startOffset = queue.start;
    into.endOffset = queue.visible;
    into.nextOffset = offset;
    let kept = 0;
    if (offset < queue.start || offset >= queue.visible) {
      units.length = 0;
      return offset < queue.start ? 'too-small' : offset === queue.visible ? 'empty' : 'too-large';
    }
    let records = 0;
    let looked = 0;
    const cursor = this.cursor;
    this.signals.counts.reads++;
    try {
      for (let more = cursor.seek(queue, offset); more; more = cursor.next()) {
        const { bytes, at } = cursor;
        const base = unitBase(bytes, at);
        if (base >= queue.visible) break;
        const count = unitCount(bytes, at);
        const tag = unitTagHash(bytes, at);
        if (!passes(limits, tag)) {
          into.nextOffset = base + count;
          if (++looked === FILTERED_UNITS_MAX) break;
          continue;
        }
        const length = unitEntryLength(bytes, at);
        if (kept > 0 && (into.bytes + length > limits.bytesMax || records + count > limits.recordsMax)) break;
        const unit = units[kept] ?? emptyUnit();
        units[kept] = unit;
        const where = this.fill(cursor, unit, into.brief);
        if (where === 'damaged') {
          into.nextOffset = base + count;
          continue;
        }
        if (where === 'cold') {
          if (kept > 0) break;
          this.fetchRun(queue, limits, () => waiter.wake('data'));
          units.length = 0;
          return 'pending';
        }
        kept++;
        into.bytes += unit.payload.length;
        records += count;
        into.nextOffset = base + count;
        if (into.bytes >= limits.bytesMax || records >= limits.recordsMax) break;
      }
    } catch (error) {
      units.length = kept;
      this.afterRepair(error, () => waiter.wake('data'));
      if (kept === 0) return 'pending';
    }
    units.length = kept;
    this.signals.counts.readBytes += into.bytes;
    if (kept > 0) return 'found';
    // Behind the last unit only holes can follow: the reader goes on at the end.
    if (looked < FILTERED_UNITS_MAX) into.nextOffset = queue.visible;
    return 'filtered';
  }

  prefetch(
    queue: Queue | undefined,
    offset: Offset,
    limits: ReadLimits,
    into: Prefetched,
    waiter: Waiter | null,
  ): void {
    into.bytes = 0;
    into.pending = false;
    if (queue === undefined || offset < queue.start || offset >= queue.visible) return;
    const done = waiter === null ? null : (): void => waiter.wake('data');
    try {
      if (this.cursor.seek(queue, offset)) this.fetchRun(queue, limits, done, into);
    } catch (error) {
      this.afterRepair(error, done ?? nothing);
      into.pending = done !== null;
    }
  }

  /**
   * Walks the units from the cursor on that a reader would be given and has those fetched that are cold, neighbours in one
   * piece; none when half of what may be given lies in front of the first of them. `done` is called when all have come,
   * so they are never more than what the memory holds. Without it nobody waits for them, and only as much is fetched as
   * there is room for such.
   */
  private fetchRun(queue: Queue, limits: ReadLimits, done: (() => void) | null, into?: Prefetched): void {
    const { cursor, cold } = this;
    const { bytesMax, scatteredBytesMax = Number.POSITIVE_INFINITY } = limits;
    const readMax = done === null ? cold.aheadRoom : cold.bytesMax / 2;
    const pieces: Piece[] = [];
    /** The piece that a neighbour is added to. */
    let last: Piece | null = null;
    let lastEnd = 0;
    let weight = 0;
    let records = 0;
    let looked = 0;
    /** Bytes that are read. */
    let read = 0;
    for (let more = true; more; more = cursor.next()) {
      if (weight > 0 && (weight >= bytesMax || records >= limits.recordsMax)) break;
      const { bytes: unit, at } = cursor;
      if (unitBase(unit, at) >= queue.visible) break;
      if (!passes(limits, unitTagHash(unit, at))) {
        if (++looked === FILTERED_UNITS_MAX) break;
        continue;
      }
      const position = unitPosition(unit, at);
      const length = unitEntryLength(unit, at);
      if (cold.isDamaged(position)) continue;
      if (lastEnd > 0 && weight + length > bytesMax) break;
      const gap = position - lastEnd;
      const isHot = this.log.isHot(position);
      const isHere = isHot || cold.has(position, length);
      if (!isHere) {
        const mostBytes = isScattered(gap, length) ? Math.min(bytesMax, scatteredBytesMax) : bytesMax;
        if (done !== null && pieces.length === 0 && weight * 2 >= mostBytes) break;
        if (read >= Math.min(readMax, mostBytes) && (read > 0 || done === null)) break;
      }
      const end = position + length;
      lastEnd = end;
      weight += isHot ? length : weightOf(gap, length);
      records += unitCount(unit, at);
      if (isHere || cold.isComing(position, length)) {
        // Who waits is told when the first is there.
        if (!isHere && done !== null && pieces.length === 0) pieces.push({ position, length, end });
        last = null;
      } else if (last !== null && isNear(position - last.end) && end - last.position <= PIECE_BYTES_MAX) {
        read += end - last.end;
        last.end = end;
      } else {
        read += Math.max(length, WINDOW_RANDOM);
        last = { position, length, end };
        pieces.push(last);
      }
    }
    if (into !== undefined) into.bytes = weight;
    if (pieces.length === 0) return;
    if (into !== undefined) into.pending = done !== null;
    let coming = pieces.length;
    const arrived = (): void => {
      coming--;
      if (coming === 0) done?.();
    };
    if (done !== null) this.signals.counts.coldReads += pieces.length;
    // The first is asked for last: it is the one that its reader must find.
    for (const { position, length, end } of pieces.toReversed()) {
      cold.load(position, length, arrived, { wanted: end - position, alone: pieces.length > 1, ahead: done === null });
    }
  }

  /** For a lookup that threw: `done` comes when the index is made again. Any other error is thrown on. */
  afterRepair(error: unknown, done: () => void): void {
    if (!(error instanceof IndexDamaged)) throw error;
    this.repair.wait(error.base, done);
  }

  /** Fills `unit` from the index and, when its bytes are in memory, the payload. */
  fill(at: UnitAt, unit: ReadUnit, brief: Brief = 'no'): 'here' | 'cold' | 'damaged' {
    const bytes = at.bytes;
    const p = at.at;
    const position = unitPosition(bytes, p);
    const part = unitPartOffset(bytes, p);
    let entry: Buffer;
    let start: number;
    const hot = this.log.hot(position, brief === 'all');
    if (hot !== null) {
      entry = hot.bytes;
      start = position - hot.position;
    } else if (this.cold.isDamaged(position)) {
      return 'damaged';
    } else if (this.cold.find(position, unitEntryLength(bytes, p), brief !== 'no')) {
      entry = this.cold.bytes;
      start = this.cold.at;
    } else {
      return 'cold';
    }
    const payloadAt = payloadStart(entry, start + part, this.setSize);
    unit.payload = entry.subarray(payloadAt, payloadAt + payloadLength(entry, start + part));
    unit.lasting = brief === 'no' || (brief === 'cold' && hot !== null);
    unit.baseOffset = unitBase(bytes, p);
    unit.count = unitCount(bytes, p);
    unit.firstRecord = unitFirst(bytes, p);
    unit.format = unitFormat(bytes, p);
    unit.flags = unitFlags(bytes, p);
    unit.tagHash = unitTagHash(bytes, p);
    unit.storeTimeMs = unitStoreTime(bytes, p);
    unit.recordTimeMaxMs = unitRecordTime(bytes, p);
    unit.expiryMs = unitExpiry(bytes, p);
    unit.priority = unitPriority(bytes, p);
    unit.position = position + part;
    return 'here';
  }

  /** The message part of a unit whose entry is in memory (fill said `here`). */
  entryOf(at: UnitAt): { bytes: Buffer; part: number } {
    const position = unitPosition(at.bytes, at.at);
    const part = unitPartOffset(at.bytes, at.at);
    const hot = this.log.hot(position);
    if (hot !== null) return { bytes: hot.bytes, part: position - hot.position + part };
    const found = this.cold.find(position, unitEntryLength(at.bytes, at.at));
    assert(found, 'the entry is in memory');
    return { bytes: this.cold.bytes, part: this.cold.at + part };
  }

  loadCold(at: UnitAt, done: () => void): void {
    this.signals.counts.coldReads++;
    this.cold.load(unitPosition(at.bytes, at.at), unitEntryLength(at.bytes, at.at), done);
  }

  messages(unit: ReadUnit): readonly Message[] {
    const there = this.decoded.get(unit.position);
    if (there !== undefined) return there.messages;
    const codec = this.codecs.get(unit.format);
    if (codec === undefined) throw new BrokerError('unsupported', `no codec for stored format ${unit.format}`);
    this.signals.counts.conversions++;
    const payload = unit.lasting ? unit.payload : Buffer.from(unit.payload);
    const messages = codec.decode(payload, DECODED_BYTES_MAX);
    // Decoded records may point into the payload and pin its memory, so that counts as well.
    const bytes = unit.payload.length * 2 + messages.length * 256;
    this.decoded.set(unit.position, { messages, bytes });
    this.decodedBytes += bytes;
    for (const [key, oldest] of this.decoded) {
      if (this.decodedBytes <= DECODED_CACHE_BYTES || key === unit.position) break;
      this.decoded.delete(key);
      this.decodedBytes -= oldest.bytes;
    }
    return messages;
  }

  // ---------------------------------------------------------------- by time

  offsetByStoreTime(queue: Queue, timeMs: TimeMs): Promise<FoundOffset | null> {
    return this.repaired(async () => {
      for (const run of queue.runs) {
        if (run.units === 0 || run.storeTimeLastMs < timeMs) continue;
        // What lies below the queue's start is gone, though its units may be there as long as their segment is.
        const kept = run.locate(queue.start, this.scratch);
        const n = Math.max(
          kept,
          run.search((bytes, at) => unitStoreTime(bytes, at) >= timeMs, this.scratch),
        );
        if (n === run.units) continue;
        run.unitAt(n, this.scratch);
        const offset = Math.max(unitBase(this.scratch.bytes, this.scratch.at), queue.start);
        if (offset >= queue.visible) return null;
        return { offset, timeMs: unitStoreTime(this.scratch.bytes, this.scratch.at) };
      }
      return null;
    });
  }

  /** The first record at or after the time, with its own time. */
  offsetByRecordTime(queue: Queue, timeMs: TimeMs): Promise<FoundOffset | null> {
    const keptMs = Math.min(timeMs, RECORD_TIME_MAX);
    return this.repaired(async () => {
      // From offset to offset: while a payload comes from the disk, runs may be replaced.
      for (let from = queue.start; from < queue.visible; ) {
        const run = queue.runs[queue.runAt(from)];
        if (run === undefined) return null;
        const n = run.recordTimeMaxMs < keptMs ? run.units : run.locate(from, this.scratch);
        if (n === run.units) {
          from = run.end;
          continue;
        }
        run.unitAt(n, this.scratch);
        const { bytes, at } = this.scratch;
        if (unitBase(bytes, at) >= queue.visible) return null;
        from = unitBase(bytes, at) + unitCount(bytes, at);
        if (unitRecordTime(bytes, at) < keptMs || unitFlags(bytes, at) & UNIT.control) continue;
        const unit = await this.unitOf({ bytes, at });
        if (unit === null) continue;
        const messages = this.decodable(unit);
        if (messages === null) return byHead(unit, queue);
        for (const found of records(unit, messages, queue)) if (found.timeMs >= timeMs) return found;
      }
      return null;
    });
  }

  /** The first record of the largest time. Beyond RECORD_TIME_MAX that of the last unit that has such a one. */
  offsetOfMaxRecordTime(queue: Queue): Promise<FoundOffset | null> {
    return this.repaired(async () => {
      let best: UnitAt | null = null;
      let bestMs = -1;
      const cursor = new UnitCursor();
      const isLess = (timeMs: TimeMs): boolean => timeMs < bestMs || (timeMs === bestMs && timeMs < RECORD_TIME_MAX);
      for (const run of queue.runs) {
        if (isLess(run.recordTimeMaxMs)) continue;
        for (let n = run.locate(queue.start, this.scratch); n < run.units; n++) {
          run.unitAt(n, cursor);
          if (unitBase(cursor.bytes, cursor.at) >= queue.visible) break;
          if (isLess(unitRecordTime(cursor.bytes, cursor.at)) || unitFlags(cursor.bytes, cursor.at) & UNIT.control)
            continue;
          bestMs = unitRecordTime(cursor.bytes, cursor.at);
          best = { bytes: cursor.bytes, at: cursor.at };
        }
      }
      const unit = best === null ? null : await this.unitOf(best);
      if (unit === null) return null;
      let largest: FoundOffset | null = null;
      for (const found of records(unit, this.decodable(unit) ?? [], queue))
        if (largest === null || found.timeMs > largest.timeMs) largest = found;
      return largest ?? byHead(unit, queue);
    });
  }

  /** A lookup that meets a damaged index waits for the new one and begins again. */
  private async repaired<T>(look: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await look();
      } catch (error) {
        await new Promise<void>((resolve) => this.afterRepair(error, resolve));
      }
    }
  }

  /** The unit with its payload, null when it is damaged. */
  private async unitOf(at: UnitAt): Promise<ReadUnit | null> {
    const unit = emptyUnit();
    for (;;) {
      const where = this.fill(at, unit);
      if (where === 'here') return unit;
      if (where === 'damaged') return null;
      await new Promise<void>((resolve) => this.loadCold(at, resolve));
    }
  }

  /** Null for a payload that cannot be decoded: it counts by its unit. */
  private decodable(unit: ReadUnit): readonly Message[] | null {
    try {
      return this.messages(unit);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      return null;
    }
  }
}

function byHead(unit: ReadUnit, queue: Queue): FoundOffset {
  return { offset: Math.max(unit.baseOffset, queue.start), timeMs: unit.recordTimeMaxMs };
}

/** The unit's records that can be read. */
function* records(unit: ReadUnit, messages: readonly Message[], queue: Queue): Generator<FoundOffset> {
  for (let n = 0; n < unit.count; n++) {
    const offset = unit.baseOffset + n;
    const message = messages[unit.firstRecord + n];
    if (message !== undefined && offset >= queue.start && offset < queue.visible)
      yield { offset, timeMs: message.timestampMs };
  }
}
