/**
 * Reading by lease: messages are handed out one by one, held, and settled one by one. Consumers are pushed to while
 * they have capacity; single messages can be taken. What is settled, and what came back how often, is in the ledger
 * and, once per turn, in the log.
 */
import type { Codecs } from '../destinations.ts';
import { BrokerError } from '../errors.ts';
import type { ColdReader } from '../log/cold-reader.ts';
import { SETTLE } from '../log/parts.ts';
import type { Queue } from '../log/queue.ts';
import { unitEntryLength, unitPosition } from '../log/units.ts';
import type { Shard } from '../shard.ts';
import type { GroupState } from '../state/catalog.ts';
import {
  type Brief,
  type LeaseConsumer,
  type Leased,
  type Offset,
  type Outcome,
  QUEUE_NUMBER_MAX,
  type QueueNumber,
  type Topic,
} from '../types.ts';
import type { LedgerState } from '../verbs.ts';
import { type DeathHooks, Deaths, holeAt, mindsBy } from './deaths.ts';
import { type Holder, LeaseLine } from './lease-line.ts';
import { emptyUnit, type OffsetReader } from './offset-reader.ts';

/** Messages delivered from one queue before others get their turn. */
const DELIVERIES_PER_TURN = 512;
/** Messages that die while the next one to deliver is looked for, before others get their turn. */
const DEATHS_PER_LOOK = 1000;
/** Queues that are looked at after a start before others get their turn. */
const QUEUES_PER_STEP = 64;
const LEASE_PROTOCOL = 'lease';

export class Leases {
  private readonly shard: Shard;
  private readonly reader: OffsetReader;
  private readonly cold: ColdReader;
  readonly deaths: Deaths;
  /** A queue was used: it has a consumer more or less, or somebody took a message. */
  used: ((queue: Queue) => void) | null = null;
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

  constructor(
    shard: Shard,
    reader: OffsetReader,
    cold: ColdReader,
    codecs: Codecs,
    deadLetter: DeathHooks['deadLetter'],
    warn: DeathHooks['warn'],
  ) {
    this.shard = shard;
    this.reader = reader;
    this.cold = cold;
    this.deaths = new Deaths(shard, reader, codecs, {
      deadLetter,
      warn,
      lineOf: (queue) => this.ownLine(queue),
      schedule: (line) => this.schedule(line),
      arm: (line) => this.arm(line),
    });
    for (const { group, queue, ledger } of shard.tables.allLedgers()) {
      const state = shard.tables.catalog.groupById(group);
      const row = shard.tables.queues.get(queue);
      if (state !== null && row !== undefined && ledger.nextDueMs() < Number.POSITIVE_INFINITY)
        this.arm(this.line(state, row));
    }
    shard.jobs.add(this.lookAtHeads(), (error) => {
      if (error !== null) throw error;
    });
  }

  /** After a start: what died of age meanwhile, and when the next one will. */
  private *lookAtHeads(): Generator<undefined, void, void> {
    const { tables } = this.shard;
    let step = 0;
    for (const queue of [...tables.queues.all()]) {
      if (queue.next === queue.start || tables.catalog.topicById(queue.topic)?.kind !== 'queue') continue;
      queue.expires = true;
      const line = this.ownLine(queue);
      if (line !== null) this.schedule(line);
      if (++step % QUEUES_PER_STEP === 0) yield;
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

  /** The line that reads a queue for its own group; null where nobody reads it and nothing happens to it by itself. */
  private ownLine(queue: Queue): LeaseLine | null {
    const topic = this.shard.tables.catalog.topicById(queue.topic);
    if (topic === null || topic.kind !== 'queue') return null;
    const group = this.shard.tables.catalog.groupById(topic.ownGroup);
    if (group === null) return null;
    return this.find(group, queue.number) ?? (queue.expires || mindsBy(topic) ? this.line(group, queue) : null);
  }

  /** The group or queue is gone: consumers hear of it, nothing is delivered any more. */
  forget(matches: (line: LeaseLine) => boolean): void {
    for (const line of [...this.lines.values()]) if (matches(line)) this.forgetLine(line);
  }

  /** The same for all that read these queues, at the cost of those alone. */
  forgetQueues(queues: readonly QueueNumber[]): void {
    for (const queue of queues) for (const line of this.byQueue.get(queue) ?? []) this.forgetLine(line);
  }

  private forgetLine(line: LeaseLine): void {
    if (line.isGone) return;
    this.lines.delete(line.group.id * (QUEUE_NUMBER_MAX + 1) + line.queue.number);
    const lines = this.byQueue.get(line.queue.number)?.filter((other) => other !== line) ?? [];
    if (lines.length === 0) this.byQueue.delete(line.queue.number);
    else this.byQueue.set(line.queue.number, lines);
    if (line.timer !== 0) this.shard.clock.clearTimer(line.timer);
    line.isGone = true;
    this.deaths.forget(line);
    for (const holder of [...line.consumers]) {
      line.removeConsumer(holder);
      holder.lines.delete(line);
      if (holder.lines.size === 0 && holder.consumer !== null) {
        this.holders.delete(holder.consumer);
        holder.consumer.cancelled();
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
      this.used?.(line.queue);
      this.schedule(line);
    }
  }

  /** A topic has more queues: whoever reads all that it had reads the new ones too. */
  grown(topic: Topic, before: readonly QueueNumber[]): void {
    const added = topic.queues.filter((number) => !before.includes(number));
    for (const [consumer, holder] of this.holders) {
      if (holder.consumer !== consumer || !before.every((number) => holder.consumer!.queues.includes(number))) continue;
      for (const number of added) {
        const line = this.line(holder.consumer.group as GroupState, this.shard.tables.queues.get(number)!);
        holder.lines.add(line);
        line.addConsumer(holder);
      }
    }
  }

  unsubscribe(consumer: LeaseConsumer, keep: boolean): void {
    const holder = this.holders.get(consumer);
    if (holder === undefined) return;
    for (const line of holder.lines) {
      line.removeConsumer(holder);
      this.used?.(line.queue);
      this.schedule(line);
    }
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
      line.ledger.release(holder.slot, (offset) => this.returned(line, offset, 0));
      this.schedule(line);
    }
  }

  private returned(line: LeaseLine, offset: Offset, notBeforeMs: number): void {
    this.note(line, SETTLE.returned, offset, line.ledger.deliveries(offset), notBeforeMs);
    this.deaths.returned(line, offset);
  }

  resume(consumer: LeaseConsumer): void {
    const holder = this.holders.get(consumer);
    if (holder !== undefined) for (const line of holder.lines) this.schedule(line);
  }

  consumerCount(group: GroupState, queue: QueueNumber): number {
    return this.find(group, queue)?.consumers.length ?? 0;
  }

  /** Consumers of a queue, for its own group. */
  consumersOf(topic: Topic): number {
    const group = this.shard.tables.catalog.groupById(topic.ownGroup);
    return group === null ? 0 : this.consumerCount(group, topic.queues[0]!);
  }

  // ---------------------------------------------------------------- dispatch

  advanced(queue: Queue): void {
    const lines = this.byQueue.get(queue.number);
    if (lines === undefined) {
      const line = this.ownLine(queue);
      if (line !== null) this.deaths.tend(line);
      return;
    }
    for (const line of lines) {
      this.deaths.count(line);
      if (line.consumers.length > 0 && !line.scheduled) {
        line.freshFrom = line.seenTo;
        this.dispatch(line);
        line.freshFrom = Number.POSITIVE_INFINITY;
      } else this.deaths.tend(line);
      line.seenTo = queue.visible;
    }
  }

  private schedule(line: LeaseLine): void {
    if (line.scheduled || (line.consumers.length === 0 && !this.deaths.minds(line))) return;
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
    const { queues } = line.topic;
    if (!line.isOwn || queues.length === 1) this.deliver(line);
    else {
      // One line for each priority: nothing is taken from a lower one while a higher one has something to give.
      for (let level = queues.length - 1; level >= 0; level--) {
        const one = this.find(line.group, queues[level]!);
        if (one !== undefined && !this.deliver(one)) break;
      }
    }
    this.deaths.tend(line);
  }

  /** False when there is more: nobody has capacity for it, its bytes are on their way, or others get their turn first. */
  private deliver(line: LeaseLine): boolean {
    for (let budget = DELIVERIES_PER_TURN; budget > 0; budget--) {
      if (line.loading) return false;
      const holder = line.pick();
      if (holder === null) return false;
      const offset = this.next(line, holder, 0, false);
      if (offset < 0) return !line.loading && !line.scheduled;
      const consumer = holder.consumer!;
      line.served();
      consumer.deliver(this.leased);
      if (consumer.autoSettle) {
        line.ledger.settle(offset);
        this.settled(line, offset, 1);
      }
    }
    this.schedule(line);
    return false;
  }

  /**
   * Leases the next message that can be delivered and describes it in `leased`; -1 when there is none now. Offsets with
   * nothing to deliver (holes, control records, damage) are settled when met; the expired and the over-delivered die.
   */
  private next(line: LeaseLine, holder: Holder, leaseMs: number, now: boolean): Offset {
    const { queue, ledger } = line;
    const nowMs = this.shard.log.storeTimeMs();
    const deadlineMs = leaseMs === 0 ? 0 : nowMs + leaseMs;
    for (let deaths = 0; ; ) {
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
      // Who is pushed to is done with the payload when it has it.
      const where = this.load(line, now, now ? 'no' : 'all');
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
      this.deaths.taken(line, leased);
      const death = this.deaths.of(line, leased, nowMs);
      if (death !== null) {
        // Its copy is appended.
        this.load(line, now, 'no');
        this.deaths.bury(line, leased, death);
        if (++deaths < DEATHS_PER_LOOK) continue;
        this.schedule(line);
        return -1;
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

  /** The size of the hole at the offset, 0 when there is none; -1 when the index is damaged: then the line waits for the new one. */
  private seekNow(line: LeaseLine, offset: Offset): number {
    try {
      return holeAt(line.cursor, line.queue, offset);
    } catch (error) {
      this.reader.afterRepair(error, () => {
        line.loading = false;
        this.schedule(line);
      });
      line.loading = true;
      return -1;
    }
  }

  private load(line: LeaseLine, now: boolean, brief: Brief): 'here' | 'cold' | 'damaged' {
    const where = this.reader.fill(line.cursor, this.leased.unit, brief);
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
    this.used?.(queue);
    if (offset >= 0) take(this.leased);
    // What it was in front of may have lived its time already.
    this.deaths.tend(line);
    return offset >= 0;
  }

  isLeased(group: GroupState, queue: QueueNumber, offset: Offset): boolean {
    return this.find(group, queue)?.ledger.isLeased(offset) === true;
  }

  /** An entry of the log says that it is settled. */
  settledAlready(group: GroupState, queue: QueueNumber, offset: Offset): void {
    this.shard.signals.settled?.(group.id, queue, offset, 'done');
    this.shard.signals.counts.settled++;
    this.find(group, queue)!.ledger.settle(offset);
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
        this.returned(line, offset, notBeforeMs);
        signals.counts.requeued++;
        if (notBeforeMs === 0) this.schedule(line);
        else this.arm(line);
        return true;
      }
      case 'reject':
        this.deaths.reject(line, offset);
        return true;
    }
  }

  /** Settles everything that is ready; what is leased stays. Returns how many. */
  purge(group: GroupState, queue: Queue): number {
    const line = this.line(group, queue);
    const count = line.ledger.readyCount(queue.visible);
    line.ledger.settleReady(queue.visible, (from, settled) => this.settled(line, from, settled));
    this.deaths.recount(line);
    return count;
  }

  moveFloor(group: GroupState, queue: Queue, offset: Offset): void {
    const line = this.line(group, queue);
    line.ledger.applyFloor(Math.min(offset, queue.visible));
    this.deaths.recount(line);
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
    line.ledger.expire(this.shard.log.storeTimeMs(), (offset) => this.returned(line, offset, 0));
    this.schedule(line);
    this.arm(line);
  };
}
