/**
 * Reading by lease: messages are handed out one by one, held, and settled one by one. Consumers are pushed to while
 * they have capacity; single messages can be taken. What is settled, and what came back how often, is in the ledger
 * and, once per turn, in the log.
 */
import { BrokerError } from '../errors.ts';
import type { ColdReader } from '../log/cold-reader.ts';
import { SETTLE } from '../log/parts.ts';
import type { Queue } from '../log/queue.ts';
import { unitBase, unitCount, unitEntryLength, unitFlags, unitPosition } from '../log/units.ts';
import type { Shard } from '../shard.ts';
import type { GroupState } from '../state/catalog.ts';
import {
  type Death,
  type LeaseConsumer,
  type Leased,
  type Offset,
  type Outcome,
  QUEUE_NUMBER_MAX,
  type QueueNumber,
  UNIT,
} from '../types.ts';
import type { LedgerState } from '../verbs.ts';
import { type Holder, LeaseLine } from './lease-line.ts';
import { emptyUnit, type OffsetReader } from './offset-reader.ts';

/** Messages delivered from one queue before others get their turn. */
const DELIVERIES_PER_TURN = 512;
/** A dead letter that cannot be published now (the disk is full) is tried again so much later. */
const DEAD_LETTER_RETRY_MS = 1000;
const LEASE_PROTOCOL = 'lease';

export interface LeaseHooks {
  /**
   * Publishes the dead letter and settles the original in the log, atomically. False when no rule says where to: then
   * the message is simply settled. Throws BrokerError when it cannot be done now.
   */
  deadLetter(line: LeaseLine, leased: Leased, death: Death['reason'], attempts: number): boolean;
}

export class Leases {
  private readonly shard: Shard;
  private readonly reader: OffsetReader;
  private readonly cold: ColdReader;
  private readonly hooks: LeaseHooks;
  private readonly lines = new Map<number, LeaseLine>();
  private readonly byQueue = new Map<QueueNumber, LeaseLine[]>();
  private readonly holders = new Map<object, Holder>();
  private nextSlot = 1;
  private ready: LeaseLine[] = [];
  private scheduled = false;
  private readonly leased: Leased = {
    queue: 0,
    offset: 0,
    deliveries: 0,
    redelivered: false,
    unit: emptyUnit(),
    record: 0,
  };

  constructor(shard: Shard, reader: OffsetReader, cold: ColdReader, hooks: LeaseHooks) {
    this.shard = shard;
    this.reader = reader;
    this.cold = cold;
    this.hooks = hooks;
    for (const { group, queue, ledger } of shard.tables.allLedgers()) {
      const state = shard.tables.catalog.groupById(group);
      const row = shard.tables.queues.get(queue);
      if (state !== null && row !== undefined && ledger.nextDueMs() < Number.POSITIVE_INFINITY)
        this.arm(this.line(state, row));
    }
  }

  // ---------------------------------------------------------------- lines

  find(group: GroupState, queue: QueueNumber): LeaseLine | undefined {
    return this.lines.get(group.id * (QUEUE_NUMBER_MAX + 1) + queue);
  }

  line(group: GroupState, queue: Queue): LeaseLine {
    const key = group.id * (QUEUE_NUMBER_MAX + 1) + queue.number;
    let line = this.lines.get(key);
    if (line !== undefined) return line;
    const { tables } = this.shard;
    const topic = tables.catalog.topicById(queue.topic);
    if (topic === null) throw new BrokerError('queue-not-found', `queue ${queue.number} is gone`);
    let ledger = tables.ledger(group.id, queue.number);
    const isNew = ledger === undefined;
    if (ledger === undefined) {
      // The queue's own group takes everything from the start; a group new to a log topic begins at its end.
      const floor =
        topic.ownGroup === group.id
          ? queue.start
          : (tables.offsets.get(group.id, queue.number)?.offset ?? queue.visible);
      ledger = tables.openLedger(group.id, queue.number, Math.max(floor, queue.start));
    }
    line = new LeaseLine(group, queue, topic, ledger);
    this.lines.set(key, line);
    const lines = this.byQueue.get(queue.number);
    if (lines === undefined) this.byQueue.set(queue.number, [line]);
    else lines.push(line);
    if (isNew) this.note(line, SETTLE.floor, ledger.floor, 0, 0);
    return line;
  }

  /** The group or queue is gone: consumers hear of it, nothing is delivered any more. */
  forget(matches: (line: LeaseLine) => boolean): void {
    for (const [key, line] of this.lines) {
      if (!matches(line)) continue;
      this.lines.delete(key);
      const lines = this.byQueue.get(line.queue.number)?.filter((other) => other !== line) ?? [];
      if (lines.length === 0) this.byQueue.delete(line.queue.number);
      else this.byQueue.set(line.queue.number, lines);
      if (line.timer !== 0) this.shard.clock.clearTimer(line.timer);
      for (const holder of [...line.consumers]) {
        line.removeConsumer(holder);
        holder.lines.delete(line);
        if (holder.lines.size === 0 && holder.consumer !== null) {
          this.holders.delete(holder.consumer);
          holder.consumer.cancelled();
        }
      }
    }
  }

  /** Ends reading by lease for this group: its places become plain offsets. Throws group-in-use while leases are held. */
  convert(group: GroupState): void {
    const { tables } = this.shard;
    let held = 0;
    const ledgers = [...tables.allLedgers()].filter((row) => row.group === group.id);
    for (const { ledger } of ledgers) held += ledger.inFlight;
    if (held > 0)
      throw new BrokerError(
        'group-in-use',
        `group '${group.name}' has ${held} messages leased: settle or return them first`,
      );
    for (const { queue, ledger } of ledgers) {
      const row = tables.queues.get(queue);
      if (row === undefined) continue;
      const line = this.line(group, row);
      this.shard.commitOffset(group.id, queue, ledger.floor, -1, this.shard.log.storeTimeMs(), '');
      this.note(line, SETTLE.closed, ledger.floor, 0, 0);
      tables.closeLedger(group.id, queue);
    }
    this.forget((line) => line.group === group);
  }

  private note(line: LeaseLine, kind: number, offset: Offset, a: number, b: number): void {
    line.section.note(kind, offset, a, b);
    this.shard.touch(line.section);
  }

  private settled(line: LeaseLine, offset: Offset, count: number): void {
    line.section.settled(offset, count);
    this.shard.touch(line.section);
  }

  // ---------------------------------------------------------------- consumers

  subscribe(consumer: LeaseConsumer, group: GroupState, queues: readonly Queue[]): void {
    const lines = queues.map((queue) => this.line(group, queue));
    for (const line of lines) {
      if (
        line.consumers.length > 0 &&
        (consumer.exclusive || line.consumers.some((other) => other.consumer!.exclusive))
      ) {
        throw new BrokerError('exclusive-consumer', `'${line.topic.name}' is in exclusive use`);
      }
      const own = line.topic.ownGroup === group.id;
      if (!own && group.protocol !== '' && group.protocol !== LEASE_PROTOCOL) {
        throw new BrokerError(
          'group-in-use',
          `group '${group.name}' is read by ${group.protocol} consumers: stop them first`,
        );
      }
    }
    const holder: Holder = { slot: this.nextSlot++, consumer, lines: new Set(lines) };
    this.holders.set(consumer, holder);
    for (const line of lines) {
      if (line.topic.ownGroup !== group.id) group.protocol = LEASE_PROTOCOL;
      line.addConsumer(holder);
      this.schedule(line);
    }
  }

  unsubscribe(consumer: LeaseConsumer, keep: boolean): void {
    const holder = this.holders.get(consumer);
    if (holder === undefined) return;
    for (const line of holder.lines) line.removeConsumer(holder);
    if (!keep) this.letGo(consumer, holder);
    const group = consumer.group as GroupState;
    if (group.protocol !== LEASE_PROTOCOL) return;
    for (const line of this.lines.values()) if (line.group === group && line.consumers.length > 0) return;
    group.protocol = '';
  }

  release(key: object): void {
    const holder = this.holders.get(key);
    if (holder !== undefined) this.letGo(key, holder);
  }

  private letGo(key: object, holder: Holder): void {
    this.holders.delete(key);
    for (const line of holder.lines) {
      line.ledger.release(holder.slot, (offset) =>
        this.note(line, SETTLE.returned, offset, line.ledger.deliveries(offset), 0),
      );
      this.schedule(line);
    }
  }

  resume(consumer: LeaseConsumer): void {
    const holder = this.holders.get(consumer);
    if (holder !== undefined) for (const line of holder.lines) this.schedule(line);
  }

  consumerCount(group: GroupState, queue: QueueNumber): number {
    return this.find(group, queue)?.consumers.length ?? 0;
  }

  // ---------------------------------------------------------------- dispatch

  advanced(queue: Queue): void {
    const lines = this.byQueue.get(queue.number);
    if (lines === undefined) return;
    for (const line of lines) if (line.consumers.length > 0 && !line.scheduled) this.dispatch(line);
  }

  private schedule(line: LeaseLine): void {
    if (line.scheduled || line.consumers.length === 0) return;
    line.scheduled = true;
    this.ready.push(line);
    if (this.scheduled) return;
    this.scheduled = true;
    this.shard.clock.afterTurn(this.turn);
  }

  private readonly turn = (): void => {
    this.scheduled = false;
    if (this.shard.log.lost !== null) return;
    const ready = this.ready;
    this.ready = [];
    for (const line of ready) {
      line.scheduled = false;
      this.dispatch(line);
    }
  };

  private dispatch(line: LeaseLine): void {
    for (let budget = DELIVERIES_PER_TURN; budget > 0; budget--) {
      if (line.loading) return;
      const holder = line.pick();
      if (holder === null) return;
      const offset = this.next(line, holder, 0, false);
      if (offset < 0) return;
      const consumer = holder.consumer!;
      consumer.deliver(this.leased);
      if (consumer.autoSettle) {
        line.ledger.settle(offset);
        this.settled(line, offset, 1);
      }
    }
    this.schedule(line);
  }

  /**
   * Leases the next message that can be delivered and describes it in `leased`; -1 when there is none now. Offsets with
   * nothing to deliver (holes, control records, damage) are settled when met; the expired and the over-delivered die.
   */
  private next(line: LeaseLine, holder: Holder, leaseMs: number, now: boolean): Offset {
    const { queue, ledger } = line;
    const nowMs = this.shard.log.storeTimeMs();
    const deadlineMs = leaseMs === 0 ? 0 : nowMs + leaseMs;
    for (;;) {
      if (ledger.floor < queue.start) {
        this.settled(line, ledger.floor, queue.start - ledger.floor);
        ledger.skip(ledger.floor, queue.start - ledger.floor);
      }
      const offset = ledger.acquire(queue.visible, holder.slot, deadlineMs, nowMs);
      if (offset < 0) {
        this.arm(line);
        return -1;
      }
      const hole = this.seekNow(line, offset);
      if (hole < 0) {
        ledger.requeue(offset, false, 0);
        return -1;
      }
      if (hole > 0) {
        ledger.skip(offset, hole);
        this.settled(line, offset, hole);
        continue;
      }
      const where = this.load(line, now);
      if (where === 'cold') {
        ledger.requeue(offset, false, 0);
        return -1;
      }
      if (where === 'damaged') {
        ledger.skip(offset, 1);
        this.settled(line, offset, 1);
        continue;
      }
      const leased = this.leased;
      leased.queue = queue.number;
      leased.offset = offset;
      leased.deliveries = ledger.deliveries(offset);
      leased.redelivered = ledger.redelivered(offset);
      leased.record = leased.unit.firstRecord + offset - leased.unit.baseOffset;
      const death = this.deathOf(line, leased, nowMs);
      if (death !== null) {
        this.bury(line, leased, death);
        continue;
      }
      if (leaseMs === 0) {
        line.section.deliveredUpTo(offset + 1);
        this.shard.touch(line.section);
      } else {
        this.note(line, SETTLE.leased, offset, leased.deliveries, deadlineMs);
        this.arm(line);
      }
      this.shard.signals.counts.leased++;
      this.shard.signals.delivered?.(line.group.id, queue.number, offset, leased.deliveries);
      return offset;
    }
  }

  /** Puts the cursor on the unit that holds the offset; returns the size of the hole there is instead, 0 when there is none. */
  private seek(line: LeaseLine, offset: Offset): number {
    const { cursor, queue } = line;
    if (cursor.bytes.length === 0 || !cursor.holds(queue, offset)) {
      if (!cursor.seek(queue, offset)) return queue.visible - offset;
    }
    const base = unitBase(cursor.bytes, cursor.at);
    if (base > offset) return Math.min(base, queue.visible) - offset;
    if (unitFlags(cursor.bytes, cursor.at) & UNIT.control) return base + unitCount(cursor.bytes, cursor.at) - offset;
    return 0;
  }

  /** The same; -1 when the index is damaged: then the line waits for the new one. */
  private seekNow(line: LeaseLine, offset: Offset): number {
    try {
      return this.seek(line, offset);
    } catch (error) {
      this.reader.afterRepair(error, () => {
        line.loading = false;
        this.schedule(line);
      });
      line.loading = true;
      return -1;
    }
  }

  private load(line: LeaseLine, now: boolean): 'here' | 'cold' | 'damaged' {
    const where = this.reader.fill(line.cursor, this.leased.unit);
    if (where !== 'cold') return where;
    if (now) {
      this.cold.loadNow(
        unitPosition(line.cursor.bytes, line.cursor.at),
        unitEntryLength(line.cursor.bytes, line.cursor.at),
      );
      return this.reader.fill(line.cursor, this.leased.unit);
    }
    line.loading = true;
    this.reader.loadCold(line.cursor, () => {
      line.loading = false;
      this.schedule(line);
    });
    return 'cold';
  }

  private deathOf(line: LeaseLine, leased: Leased, nowMs: number): Death['reason'] | null {
    const { attributes } = line.topic;
    const unit = leased.unit;
    if (unit.expiryMs > 0 && unit.expiryMs <= nowMs) return 'expired';
    if (attributes.messageTtlMs >= 0 && unit.storeTimeMs + attributes.messageTtlMs <= nowMs) return 'expired';
    const max = line.topic.ownGroup === line.group.id ? attributes.deliveriesMax : line.group.attributes.deliveriesMax;
    return max >= 0 && leased.deliveries >= max ? 'delivery-limit' : null;
  }

  private bury(line: LeaseLine, leased: Leased, reason: Death['reason']): void {
    const { ledger } = line;
    try {
      const moved = this.hooks.deadLetter(line, leased, reason, leased.deliveries);
      ledger.skip(leased.offset, 1);
      if (!moved) this.settled(line, leased.offset, 1);
      else this.shard.signals.counts.deadLettered++;
    } catch (error) {
      if (!(error instanceof BrokerError) || !error.retriable) throw error;
      const notBeforeMs = this.shard.log.storeTimeMs() + DEAD_LETTER_RETRY_MS;
      ledger.requeue(leased.offset, false, notBeforeMs);
      // Else a restart would find the lease that ended here, and count it as a delivery.
      this.note(line, SETTLE.returned, leased.offset, leased.deliveries, notBeforeMs);
      this.arm(line);
    }
  }

  // ---------------------------------------------------------------- one at a time, and settling

  leaseOne(group: GroupState, queue: Queue, key: object, leaseMs: number, take: (leased: Leased) => void): boolean {
    const line = this.line(group, queue);
    if (line.loading) return false;
    let holder = this.holders.get(key);
    if (holder === undefined) {
      holder = { slot: this.nextSlot++, consumer: null, lines: new Set() };
      this.holders.set(key, holder);
    }
    holder.lines.add(line);
    const offset = this.next(line, holder, leaseMs, true);
    if (offset < 0) return false;
    take(this.leased);
    return true;
  }

  settle(group: GroupState, queue: QueueNumber, offset: Offset, outcome: Outcome, delayMs: number): boolean {
    const line = this.find(group, queue);
    if (line === undefined || !line.ledger.isLeased(offset)) return false;
    const { ledger } = line;
    const { signals } = this.shard;
    signals.settled?.(group.id, queue, offset, outcome);
    switch (outcome) {
      case 'done':
        ledger.settle(offset);
        this.settled(line, offset, 1);
        signals.counts.settled++;
        return true;
      case 'requeue':
      case 'retry': {
        const notBeforeMs = outcome === 'retry' && delayMs > 0 ? this.shard.log.storeTimeMs() + delayMs : 0;
        ledger.requeue(offset, true, notBeforeMs);
        this.note(line, SETTLE.returned, offset, ledger.deliveries(offset), notBeforeMs);
        signals.counts.requeued++;
        if (notBeforeMs === 0) this.schedule(line);
        else this.arm(line);
        return true;
      }
      case 'reject':
        this.reject(line, offset);
        return true;
    }
  }

  private reject(line: LeaseLine, offset: Offset): void {
    const settle = (): void => {
      line.ledger.skip(offset, 1);
      this.settled(line, offset, 1);
    };
    if (line.topic.attributes.deadLetter === null) return settle();
    // Whoever held it may be gone by the time its bytes are there: then it is another's.
    const again = (): void => {
      const isThere = this.find(line.group, line.queue.number) === line;
      if (isThere && line.ledger.isLeased(offset)) this.reject(line, offset);
    };
    let hole: number;
    try {
      hole = this.seek(line, offset);
    } catch (error) {
      this.reader.afterRepair(error, again);
      return;
    }
    if (hole > 0) return settle();
    const where = this.reader.fill(line.cursor, this.leased.unit);
    if (where === 'damaged') return settle();
    if (where === 'cold') {
      this.reader.loadCold(line.cursor, again);
      return;
    }
    const leased = this.leased;
    leased.queue = line.queue.number;
    leased.offset = offset;
    leased.deliveries = line.ledger.deliveries(offset);
    leased.redelivered = true;
    leased.record = leased.unit.firstRecord + offset - leased.unit.baseOffset;
    this.bury(line, leased, 'rejected');
  }

  /** Settles everything that is ready; what is leased stays. Returns how many. */
  purge(group: GroupState, queue: Queue): number {
    const line = this.line(group, queue);
    const count = line.ledger.readyCount(queue.visible);
    line.ledger.settleReady(queue.visible, (from, settled) => this.settled(line, from, settled));
    return count;
  }

  moveFloor(group: GroupState, queue: Queue, offset: Offset): void {
    const line = this.line(group, queue);
    line.ledger.applyFloor(Math.min(offset, queue.visible));
    this.note(line, SETTLE.floor, line.ledger.floor, 0, 0);
  }

  state(group: GroupState, queue: Queue): LedgerState {
    const ledger = this.shard.tables.ledger(group.id, queue.number);
    if (ledger === undefined) return { floor: queue.start, ready: queue.visible - queue.start, inFlight: 0 };
    return {
      floor: Math.max(ledger.floor, queue.start),
      ready: ledger.readyCount(queue.visible),
      inFlight: ledger.inFlight,
    };
  }

  // ---------------------------------------------------------------- time

  private arm(line: LeaseLine): void {
    const atMs = line.ledger.nextDueMs();
    if (atMs === line.timerAtMs) return;
    if (line.timer !== 0) this.shard.clock.clearTimer(line.timer);
    line.timer = 0;
    line.timerAtMs = atMs;
    if (atMs === Number.POSITIVE_INFINITY) return;
    line.timer = this.shard.clock.setTimer(Math.max(1, atMs - this.shard.log.storeTimeMs()), this.due, line);
  }

  private readonly due = (argument: unknown): void => {
    const line = argument as LeaseLine;
    line.timer = 0;
    line.timerAtMs = Number.POSITIVE_INFINITY;
    if (this.shard.log.lost !== null) return;
    line.ledger.expire(this.shard.log.storeTimeMs(), (offset) =>
      this.note(line, SETTLE.returned, offset, line.ledger.deliveries(offset), 0),
    );
    this.schedule(line);
    this.arm(line);
  };
}
