/**
 * How messages end without having been read to their end: rejected, delivered too often, too old, or too many. What a
 * queue does by itself happens at its head, whether somebody reads it or not: the head is the message that would be
 * delivered next, and a message behind it waits for its turn to die, as it would wait to be delivered.
 *
 * Invariants: a dead letter and the end of its original are one entry; an end without dead letter is a settlement; at
 * most so many deaths per turn, whatever has come due. Where bytes are limited, `readyBytes` is of the messages that are
 * ready, below `countedTo` and not in `uncounted`: they are counted a slice at a time, and what is cold is read off the
 * loop. Until then it is too little, never too much, so that nothing dies or is refused that should not.
 */
import type { Codecs } from '../destinations.ts';
import { BrokerError, InvariantError } from '../errors.ts';
import { SETTLE } from '../log/parts.ts';
import { type Queue, UnitCursor } from '../log/queue.ts';
import { unitBase, unitCount, unitExpiry, unitFlags, unitStoreTime } from '../log/units.ts';
import type { Shard } from '../shard.ts';
import {
  type Death,
  type Leased,
  type Offset,
  type QueueRules,
  type ReadUnit,
  type TimeMs,
  type Topic,
  UNIT,
} from '../types.ts';
import type { LeaseLine } from './lease-line.ts';
import { emptyUnit, type OffsetReader } from './offset-reader.ts';

/** Dead letters of one queue before others get their turn, and ends without one. */
const BURIALS_PER_TURN = 256;
const ENDS_PER_TURN = 4096;
/** Messages whose bytes are counted before others get their turn. */
const COUNTED_PER_TURN = 1024;
/** A dead letter that cannot be published now (the disk is full) is tried again so much later. */
const RETRY_MS = 1000;
/** A timer's longest wait; what is further away is looked at again. */
const TIMER_MAX_MS = 24 * 3600 * 1000;

export interface DeathHooks {
  /**
   * Publishes the dead letter and settles the original in the log, atomically. False when no rule says where to: then
   * the message is simply settled. Throws a retriable BrokerError when it cannot be done now; whatever else it throws
   * says that it cannot be done at all.
   */
  deadLetter(line: LeaseLine, leased: Leased, death: Death['reason'], attempts: number): boolean;
  /** A message ends without its dead letter, which can never be made or published. */
  warn(text: string, error: unknown): void;
  /** The line that reads this queue for its own group, null where there is none and none is needed. */
  lineOf(queue: Queue): LeaseLine | null;
  /** The line is looked at again in a later turn. */
  schedule(line: LeaseLine): void;
  /** Its timer for what comes back later is set anew. */
  arm(line: LeaseLine): void;
}

export class Deaths {
  private readonly shard: Shard;
  private readonly reader: OffsetReader;
  private readonly codecs: Codecs;
  private readonly hooks: DeathHooks;
  private readonly cursor = new UnitCursor();
  private readonly countCursor = new UnitCursor();
  private readonly countUnit = emptyUnit();
  private readonly leased: Leased = {
    queue: 0,
    offset: 0,
    deliveries: 0,
    redelivered: true,
    unit: emptyUnit(),
    record: 0,
  };

  constructor(shard: Shard, reader: OffsetReader, codecs: Codecs, hooks: DeathHooks) {
    this.shard = shard;
    this.reader = reader;
    this.codecs = codecs;
    this.hooks = hooks;
  }

  /** Why a message that has just been leased must not be delivered, null when it may. */
  of(line: LeaseLine, leased: Leased, nowMs: TimeMs): Death['reason'] | null {
    const { unit } = leased;
    // One that may not wait at all goes to whoever is there when it comes.
    if (leased.offset < line.freshFrom) {
      if (unit.expiryMs > 0 && unit.expiryMs <= nowMs) return 'expired';
      const { messageTtlMs } = line.topic.attributes;
      if (messageTtlMs >= 0 && unit.storeTimeMs + messageTtlMs <= nowMs) return 'expired';
    }
    const max = deliveriesMax(line);
    return max >= 0 && leased.deliveries >= max ? 'delivery-limit' : null;
  }

  /**
   * False when it has to be tried again later. It is called from timers and from the log's commit, and again after each
   * start: what cannot be a dead letter (it is damaged, or too large with its headers) ends without one.
   */
  bury(line: LeaseLine, leased: Leased, reason: Death['reason']): boolean {
    const { ledger } = line;
    try {
      const moved = this.hooks.deadLetter(line, leased, reason, leased.deliveries);
      ledger.skip(leased.offset, 1);
      if (!moved) this.settled(line, leased.offset, 1);
      else this.shard.signals.counts.deadLettered++;
      return true;
    } catch (error) {
      // The journal failed in the middle of it, and everybody has been told: the next start finds the message here.
      if (this.shard.log.lost !== null) return false;
      if (error instanceof InvariantError) throw error;
      if (!(error instanceof BrokerError) || !error.retriable) {
        this.hooks.warn(`message ${leased.offset} of '${line.topic.name}' ended without a dead letter`, error);
        ledger.skip(leased.offset, 1);
        this.settled(line, leased.offset, 1);
        return true;
      }
      const notBeforeMs = this.shard.log.storeTimeMs() + RETRY_MS;
      // Else a restart would find the lease that ended here, and count it as a delivery.
      if (ledger.requeue(leased.offset, false, notBeforeMs)) {
        this.note(line, leased.offset, leased.deliveries, notBeforeMs);
        this.back(line, leased.offset);
      }
      this.hooks.arm(line);
      return false;
    }
  }

  /** Its consumer does not want it. */
  reject(line: LeaseLine, offset: Offset): void {
    const settle = (): void => {
      line.ledger.skip(offset, 1);
      this.settled(line, offset, 1);
    };
    if (line.topic.attributes.deadLetter === null || !line.isOwn) return settle();
    // Whoever held it may be gone by the time its bytes are there: then it is another's.
    const again = (): void => {
      const isThere = this.hooks.lineOf(line.queue) === line;
      if (isThere && line.ledger.isLeased(offset)) this.reject(line, offset);
    };
    const where = this.fetch(line, offset, again);
    if (where === 'later') return;
    if (where === 'nothing') return settle();
    this.bury(line, this.leased, 'rejected');
  }

  // ---------------------------------------------------------------- what came back

  /** A message came back. One that did so too often is doomed, whether somebody reads the queue or not. */
  returned(line: LeaseLine, offset: Offset): void {
    this.back(line, offset);
    const max = deliveriesMax(line);
    // On a topic a group's limit is looked at when the message is leased again: there is no dead letter to wait for.
    if (!line.isOwn || max < 0 || line.ledger.deliveries(offset) < max) return;
    line.doomed.push(offset);
    this.hooks.schedule(line);
  }

  private buryDoomed(line: LeaseLine): void {
    for (const offset of line.doomed.splice(0)) {
      const { ledger } = line;
      if (ledger.isLeased(offset) || ledger.unsettledIn(offset, offset + 1) === 0) continue;
      const again = (): void => {
        line.doomed.push(offset);
        this.hooks.schedule(line);
      };
      if (line.topic.attributes.deadLetter === null) this.end(line, offset, 'delivery-limit');
      else if (this.fetch(line, offset, again) === 'here') this.endLoaded(line, 'delivery-limit');
    }
  }

  // ---------------------------------------------------------------- the head

  /** True when something may happen to the line that nobody asks for. */
  minds(line: LeaseLine): boolean {
    if (!line.isOwn || line.isGone) return false;
    return line.queue.expires || line.doomed.length > 0 || mindsBy(line.topic);
  }

  /** The head may be another one, or one more: ends what is at its end, and sets the timer for the next. */
  tend(line: LeaseLine): void {
    if (!this.minds(line)) return;
    if (line.doomed.length > 0) this.buryDoomed(line);
    const { queues } = line.topic;
    // Of a queue with priorities the highest one with a message is the head.
    for (let level = queues.length - 1; level >= 0; level--) {
      const number = queues[level]!;
      const queue = number === line.queue.number ? line.queue : this.shard.tables.queues.get(number);
      const one = queue === line.queue ? line : queue === undefined ? null : this.hooks.lineOf(queue);
      if (one !== null) this.tendLine(one);
    }
  }

  private tendLine(line: LeaseLine): void {
    const { ledger, queue, topic } = line;
    if (line.headLoading || this.shard.log.lost !== null) return;
    this.count(line);
    const nowMs = this.shard.log.storeTimeMs();
    let budget = topic.attributes.deadLetter === null ? ENDS_PER_TURN : BURIALS_PER_TURN;
    for (;;) {
      const offset = ledger.peek(queue.visible, nowMs);
      if (offset < 0) {
        if (ledger.floor >= queue.next) queue.expires = false;
        return this.wakeAt(line, Number.POSITIVE_INFINITY);
      }
      const hole = this.find(line, offset);
      if (hole < 0) return;
      if (hole > 0) {
        ledger.skip(offset, hole);
        this.settled(line, offset, hole);
        continue;
      }
      const endMs = this.endOf(topic);
      const reason = endMs <= nowMs ? 'expired' : this.isTooMuch(topic) ? 'max-length' : null;
      if (reason === null) return this.wakeAt(line, endMs);
      if (budget-- === 0) return this.hooks.schedule(line);
      if (this.end(line, offset, reason)) continue;
      if (!line.headLoading) this.wakeAt(line, nowMs + RETRY_MS);
      return;
    }
  }

  /** When the message under the cursor dies of age. */
  private endOf(topic: Topic): TimeMs {
    const { bytes, at } = this.cursor;
    const { messageTtlMs } = topic.attributes;
    const storeTimeMs = unitStoreTime(bytes, at);
    const byRule = messageTtlMs < 0 ? Number.POSITIVE_INFINITY : storeTimeMs + messageTtlMs;
    const own = unitExpiry(bytes, at);
    if (own === 0) return byRule;
    // One that may not wait at all is kept as one that may wait for a millisecond (units.ts).
    return own - storeTimeMs <= 1 ? storeTimeMs : Math.min(own, byRule);
  }

  private wakeAt(line: LeaseLine, atMs: TimeMs): void {
    if (line.headAtMs === atMs) return;
    const { clock, log } = this.shard;
    if (line.headTimer !== 0) clock.clearTimer(line.headTimer);
    line.headTimer = 0;
    line.headAtMs = atMs;
    if (atMs === Number.POSITIVE_INFINITY) return;
    line.headTimer = clock.setTimer(Math.min(TIMER_MAX_MS, Math.max(1, atMs - log.storeTimeMs())), this.due, line);
  }

  private readonly due = (argument: unknown): void => {
    const line = argument as LeaseLine;
    line.headTimer = 0;
    line.headAtMs = Number.POSITIVE_INFINITY;
    if (this.shard.log.lost === null) this.tend(line);
  };

  /** The line is gone. */
  forget(line: LeaseLine): void {
    if (line.headTimer !== 0) this.shard.clock.clearTimer(line.headTimer);
    line.headTimer = 0;
  }

  /** Ends one message that nobody holds. False when it has to wait: for its bytes, or for space. */
  private end(line: LeaseLine, offset: Offset, reason: Death['reason']): boolean {
    if (line.topic.attributes.deadLetter === null && !countsBytes(line)) {
      line.ledger.skip(offset, 1);
      this.settled(line, offset, 1);
      return true;
    }
    line.headLoading = true;
    const where = this.fetch(line, offset, () => {
      line.headLoading = false;
      this.hooks.schedule(line);
    });
    if (where === 'later') return false;
    line.headLoading = false;
    if (where === 'here') return this.endLoaded(line, reason);
    line.ledger.skip(offset, 1);
    this.settled(line, offset, 1);
    return true;
  }

  private endLoaded(line: LeaseLine, reason: Death['reason']): boolean {
    const { leased } = this;
    const bytes = this.sizeOf(leased.unit);
    if (!this.bury(line, leased, reason)) return false;
    this.leaves(line, leased.offset, bytes);
    return true;
  }

  // ---------------------------------------------------------------- too many

  private isTooMuch(topic: Topic): boolean {
    const { rules } = topic.attributes;
    if (rules === undefined || (rules.overflow ?? 'drop-head') !== 'drop-head') return false;
    if (rules.readyMax !== undefined && this.ready(topic, false) > rules.readyMax) return true;
    return rules.readyBytesMax !== undefined && this.readyBytes(topic, false) > rules.readyBytesMax;
  }

  /** Whether one body more is too much. What is appended counts before it is visible. */
  isFull(queue: Queue, topic: Topic, bodyBytes: number): boolean {
    const rules = topic.attributes.rules!;
    if (rules.readyMax !== undefined && this.ready(topic, true) + 1 > rules.readyMax) return true;
    if (rules.readyBytesMax === undefined) return false;
    if (this.readyBytes(topic, true) + bodyBytes > rules.readyBytesMax) return true;
    const line = this.hooks.lineOf(queue);
    if (line === null) return false;
    if (line.pendingBytes === 0) line.pendingFrom = queue.next;
    line.pendingBytes += bodyBytes;
    return false;
  }

  private ready(topic: Topic, appended: boolean): number {
    let ready = 0;
    for (const number of topic.queues) {
      const queue = this.shard.tables.queues.get(number);
      if (queue === undefined) continue;
      const end = appended ? queue.next : queue.visible;
      ready += this.shard.tables.ledger(topic.ownGroup, number)?.readyCount(end) ?? end - queue.start;
    }
    return ready;
  }

  private readyBytes(topic: Topic, appended: boolean): number {
    let bytes = 0;
    for (const number of topic.queues) {
      const queue = this.shard.tables.queues.get(number);
      const line = queue === undefined ? null : this.hooks.lineOf(queue);
      if (line === null) continue;
      this.count(line);
      bytes += line.readyBytes + (appended ? line.pendingBytes : 0);
    }
    return bytes;
  }

  /** Brings the bytes up to date with what has become visible, or goes on with it. */
  count(line: LeaseLine): void {
    if (!countsBytes(line) || line.counting) return;
    const { queue, ledger } = line;
    if (line.countedTo < 0) {
      line.readyBytes = 0;
      line.uncounted.clear();
      line.countedTo = ledger.floor;
    }
    for (let budget = COUNTED_PER_TURN; ; budget--) {
      let offset = line.countedTo;
      for (const one of line.uncounted) {
        offset = one;
        break;
      }
      if (offset >= queue.visible) break;
      if (budget === 0) return this.countLater(line);
      const isReady = ledger.unsettledIn(offset, offset + 1) > 0 && !ledger.isLeased(offset);
      const bytes = isReady ? this.bytesOf(line, offset) : 0;
      if (bytes < 0) return;
      line.readyBytes += bytes;
      if (line.uncounted.delete(offset)) continue;
      line.countedTo++;
      if (offset >= line.pendingFrom) line.pendingBytes = Math.max(0, line.pendingBytes - bytes);
    }
    // What was accepted and then not appended after all.
    if (line.countedTo >= queue.next) line.pendingBytes = 0;
  }

  private countLater(line: LeaseLine): void {
    line.counting = true;
    this.shard.clock.afterTurn(() => this.countOn(line));
  }

  private countOn(line: LeaseLine): void {
    line.counting = false;
    if (line.isGone || this.shard.log.lost !== null) return;
    this.count(line);
    this.tend(line);
  }

  /** It was leased: ready no longer. */
  taken(line: LeaseLine, leased: Leased): void {
    if (countsBytes(line)) this.leaves(line, leased.offset, this.sizeOf(leased.unit));
  }

  /** What is ready changed in some other way. */
  recount(line: LeaseLine): void {
    line.countedTo = -1;
  }

  private leaves(line: LeaseLine, offset: Offset, bytes: number): void {
    if (offset < line.countedTo && !line.uncounted.delete(offset)) line.readyBytes -= bytes;
  }

  /** It is ready again. */
  private back(line: LeaseLine, offset: Offset): void {
    if (!countsBytes(line) || offset >= line.countedTo) return;
    line.uncounted.add(offset);
    this.count(line);
  }

  /** -1 when they are not in memory: then the count goes on when they are. */
  private bytesOf(line: LeaseLine, offset: Offset): number {
    const { countCursor, countUnit } = this;
    const again = (): void => this.countOn(line);
    try {
      if (holeAt(countCursor, line.queue, offset) > 0) return 0;
    } catch (error) {
      line.counting = true;
      this.reader.afterRepair(error, again);
      return -1;
    }
    const where = this.reader.fill(countCursor, countUnit);
    if (where === 'damaged') return 0;
    if (where === 'here') return this.sizeOf(countUnit);
    line.counting = true;
    this.reader.loadCold(countCursor, again);
    return -1;
  }

  private sizeOf(unit: ReadUnit): number {
    const bytes = this.codecs.get(unit.format)?.bodyBytes?.(unit.payload) ?? unit.payload.length;
    return unit.count === 1 ? bytes : Math.ceil(bytes / unit.count);
  }

  // ---------------------------------------------------------------- looking

  /** Describes the message in `leased`. `nothing`: a hole or damage. `later`: `again` comes when it can be looked at. */
  private fetch(line: LeaseLine, offset: Offset, again: () => void): 'here' | 'nothing' | 'later' {
    const hole = this.find(line, offset, again);
    if (hole < 0) return 'later';
    if (hole > 0) return 'nothing';
    const { leased } = this;
    const where = this.reader.fill(this.cursor, leased.unit);
    if (where === 'damaged') return 'nothing';
    if (where === 'cold') {
      this.reader.loadCold(this.cursor, again);
      return 'later';
    }
    leased.queue = line.queue.number;
    leased.offset = offset;
    leased.deliveries = line.ledger.deliveries(offset);
    leased.record = leased.unit.firstRecord + offset - leased.unit.baseOffset;
    return 'here';
  }

  /** Puts the cursor on the offset. Returns the size of the hole that is there instead, -1 when the index is damaged. */
  private find(line: LeaseLine, offset: Offset, again: () => void = () => this.hooks.schedule(line)): number {
    const { cursor } = this;
    try {
      return holeAt(cursor, line.queue, offset);
    } catch (error) {
      this.reader.afterRepair(error, again);
      return -1;
    }
  }

  private settled(line: LeaseLine, offset: Offset, count: number): void {
    line.section.settled(offset, count);
    this.shard.touch(line.section);
  }

  private note(line: LeaseLine, offset: Offset, deliveries: number, notBeforeMs: TimeMs): void {
    line.section.note(SETTLE.returned, offset, deliveries, notBeforeMs);
    this.shard.touch(line.section);
  }
}

/** Puts the cursor on the unit that holds the offset; returns the size of the hole there is instead, 0 when there is none. */
export function holeAt(cursor: UnitCursor, queue: Queue, offset: Offset): number {
  if (cursor.bytes.length === 0 || !cursor.holds(queue, offset)) {
    if (!cursor.seek(queue, offset)) return queue.visible - offset;
  }
  const base = unitBase(cursor.bytes, cursor.at);
  if (base > offset) return Math.min(base, queue.visible) - offset;
  if (unitFlags(cursor.bytes, cursor.at) & UNIT.control) return base + unitCount(cursor.bytes, cursor.at) - offset;
  return 0;
}

/** True when messages of the queue end by themselves, or are limited. */
export function mindsBy({ attributes }: Topic): boolean {
  return attributes.messageTtlMs >= 0 || limits(attributes.rules);
}

const limits = (rules: QueueRules | undefined): boolean =>
  rules !== undefined && (rules.readyMax !== undefined || rules.readyBytesMax !== undefined);

function countsBytes(line: LeaseLine): boolean {
  return line.isOwn && line.topic.attributes.rules?.readyBytesMax !== undefined;
}

function deliveriesMax(line: LeaseLine): number {
  return line.isOwn ? line.topic.attributes.deliveriesMax : line.group.attributes.deliveriesMax;
}
