/**
 * What the shard promises, kept as naively as can be: each queue an array of bodies, each ledger a set of settled
 * offsets, and a list of everything that went into the log and is not yet known to be durable.
 *
 * Invariants of the list: operations stand in the order of the log as far as their turns differ; an operation leaves it
 * when a sync that came after it was acknowledged. After a restart every operation of the list is there or not, none
 * only in part, and none is missing while a later one is there.
 */
import type { Group, Offset, QueueNumber, TimeMs, Topic } from '../types.ts';

export class ModelQueue {
  readonly number: QueueNumber;
  readonly bodies: string[] = [];
  start: Offset = 0;
  /** Whatever happens, nothing below it is lost: it was acknowledged, or shown, at a level that promises that. */
  durableTo: Offset = 0;
  deleted = false;

  constructor(number: QueueNumber) {
    this.number = number;
  }
}

export interface ModelTopic {
  topic: Topic;
  queues: ModelQueue[];
  flush: 'sync' | 'async';
  /** Its start moves by itself. */
  retained: boolean;
}

export interface ModelLease {
  holder: object;
  /** 0: bound to its holder. */
  deadlineMs: TimeMs;
}

/** One group on one queue, read by lease. */
export class ModelLedger {
  readonly group: Group;
  readonly queue: ModelQueue;
  readonly settled = new Set<Offset>();
  readonly counts = new Map<Offset, number>();
  readonly leases = new Map<Offset, ModelLease>();
  /** Not to be delivered again before this time. */
  readonly notBefore = new Map<Offset, TimeMs>();
  /** Rejected; what became of it shows later. */
  readonly dying = new Set<Offset>();
  /** Held for a topic that is gone, and dropped in memory when their time comes; or leased until who knows when. */
  readonly unsure = new Set<Offset>();

  constructor(group: Group, queue: ModelQueue) {
    this.group = group;
    this.queue = queue;
  }
}

export interface Place {
  offset: Offset;
  metadata: string;
}

interface Logged {
  n: number;
  turn: number;
  atMs: TimeMs;
  durable: boolean;
}

interface Row {
  queue: ModelQueue;
  base: Offset;
  count: number;
}

export type Effect =
  | {
      kind: 'append';
      rows: Row[];
      settles: { ledger: ModelLedger; offset: Offset; count: number; lease?: ModelLease | undefined } | null;
      producer: ProducerBatch | null;
      held: HeldMessage | null;
      fires: HeldMessage | null;
    }
  | { kind: 'settled'; ledger: ModelLedger; offsets: Offset[]; leases: [Offset, ModelLease][] }
  | { kind: 'counted'; ledger: ModelLedger; offset: Offset; count: number; lease: ModelLease | undefined }
  | { kind: 'place'; group: Group; queue: ModelQueue; place: Place; before: Place | null }
  | { kind: 'generation'; group: Group; generation: number; before: number }
  | { kind: 'start'; queue: ModelQueue; offset: Offset };

export type Operation = Effect & Logged;

export interface HeldMessage {
  records: readonly { key: string; body: string }[];
  dueMs: TimeMs;
  topic: string;
  queue: ModelQueue;
  /** Its place in the hold queue. */
  ledger: ModelLedger;
  offset: Offset;
  state: 'waiting' | 'fired' | 'gone';
}

export interface ProducerBatch {
  producer: string;
  sequence: number;
  count: number;
  base: Offset;
}

export class Model {
  readonly topics = new Map<string, ModelTopic>();
  readonly queues = new Map<QueueNumber, ModelQueue>();
  readonly ledgers = new Map<string, ModelLedger>();
  readonly places = new Map<string, Place>();
  readonly generations = new Map<number, number>();
  readonly producers = new Map<string, ProducerBatch[]>();
  held: HeldMessage[] = [];
  /** Source topic → [queue, routing key or '#']. */
  readonly bindings: { source: string; destination: string; key: string }[] = [];
  operations: Operation[] = [];
  /** Turns whose writes have been made. */
  writtenTurn = -1;
  turn = 0;
  private next = 0;

  /** Something happened that only the next write brings to the log; what follows comes after it. */
  beginTurn(): void {
    this.turn++;
  }

  /** Everything so far has been written. */
  endTurn(): void {
    this.writtenTurn = this.turn++;
  }

  // ---------------------------------------------------------------- names

  addTopic(topic: Topic, retained: boolean): ModelTopic {
    const queues = topic.queues.map((number) => this.queues.get(number) ?? this.addQueue(number));
    const row: ModelTopic = { topic, queues, flush: topic.attributes.flush, retained };
    this.topics.set(topic.name, row);
    return row;
  }

  private addQueue(number: QueueNumber): ModelQueue {
    const queue = new ModelQueue(number);
    this.queues.set(number, queue);
    return queue;
  }

  removeTopic(name: string): void {
    const row = this.topics.get(name);
    if (row === undefined) return;
    this.topics.delete(name);
    for (const queue of row.queues) {
      queue.deleted = true;
      for (const held of this.held) {
        if (held.queue !== queue || held.state !== 'waiting') continue;
        held.state = 'gone';
        for (let n = 0; n < held.records.length; n++) held.ledger.unsure.add(held.offset + n);
      }
      this.queues.delete(queue.number);
      for (const [key, ledger] of this.ledgers) if (ledger.queue === queue) this.ledgers.delete(key);
      for (const key of this.places.keys()) if (key.endsWith(`@${queue.number}`)) this.places.delete(key);
    }
    for (let n = this.bindings.length - 1; n >= 0; n--)
      if (this.bindings[n]!.source === name || this.bindings[n]!.destination === name) this.bindings.splice(n, 1);
  }

  ledger(group: Group, queue: ModelQueue): ModelLedger {
    const key = `${group.id}@${queue.number}`;
    let ledger = this.ledgers.get(key);
    if (ledger === undefined) {
      ledger = new ModelLedger(group, queue);
      this.ledgers.set(key, ledger);
    }
    return ledger;
  }

  /** Where a batch that is published to the topic becomes visible: [queue, bodies], the place asked for first. */
  route(name: string, queue: ModelQueue, records: readonly { key: string; body: string }[]): [ModelQueue, string[]][] {
    const rows: [ModelQueue, string[]][] = [[queue, records.map(({ body }) => body)]];
    const bound = new Set(this.bindings.filter(({ source }) => source === name).map(({ destination }) => destination));
    for (const destination of bound) {
      const keys = this.bindings.filter((row) => row.source === name && row.destination === destination);
      const taken = records.filter((record) => keys.some(({ key }) => key === '#' || key === record.key));
      const there = this.topics.get(destination)?.queues[0];
      if (taken.length > 0 && there !== undefined) rows.push([there, taken.map(({ body }) => body)]);
    }
    return rows;
  }

  // ---------------------------------------------------------------- what goes into the log

  log(effect: Effect, atMs: TimeMs): Operation {
    const operation: Operation = { ...effect, n: this.next++, turn: this.turn, atMs, durable: false };
    this.operations.push(operation);
    return operation;
  }

  append(
    rows: readonly [ModelQueue, string[]][],
    more: Partial<Extract<Effect, { kind: 'append' }>>,
    atMs: TimeMs,
  ): Operation {
    const placed: Row[] = [];
    for (const [queue, bodies] of rows) {
      placed.push({ queue, base: queue.bodies.length, count: bodies.length });
      queue.bodies.push(...bodies);
    }
    return this.log(
      { kind: 'append', settles: null, producer: null, held: null, fires: null, ...more, rows: placed },
      atMs,
    );
  }

  place(group: Group, queue: ModelQueue, place: Place, atMs: TimeMs): void {
    const key = `${group.id}@${queue.number}`;
    const before = this.places.get(key) ?? null;
    this.places.set(key, place);
    this.log({ kind: 'place', group, queue, place, before }, atMs);
  }

  settle(ledger: ModelLedger, offsets: readonly Offset[], atMs: TimeMs): void {
    const fresh = offsets.filter((offset) => !ledger.settled.has(offset));
    if (fresh.length === 0) return;
    const leases = [...ledger.leases].filter(([offset]) => fresh.includes(offset));
    for (const offset of fresh) this.markSettled(ledger, offset);
    this.log({ kind: 'settled', ledger, offsets: fresh, leases }, atMs);
  }

  markSettled(ledger: ModelLedger, offset: Offset): void {
    ledger.settled.add(offset);
    ledger.leases.delete(offset);
    ledger.notBefore.delete(offset);
    ledger.dying.delete(offset);
    ledger.counts.delete(offset);
  }

  /** It came back: one more delivery, and a lease less. */
  giveBack(ledger: ModelLedger, offset: Offset, notBeforeMs: TimeMs, atMs: TimeMs): void {
    const count = (ledger.counts.get(offset) ?? 0) + 1;
    const lease = ledger.leases.get(offset);
    ledger.counts.set(offset, count);
    ledger.leases.delete(offset);
    ledger.dying.delete(offset);
    if (notBeforeMs > 0) ledger.notBefore.set(offset, notBeforeMs);
    this.log({ kind: 'counted', ledger, offset, count, lease }, atMs);
  }

  /** Leases whose time is over. */
  expire(nowMs: TimeMs): void {
    for (const ledger of this.ledgers.values()) {
      for (const [offset, lease] of ledger.leases)
        if (lease.deadlineMs > 0 && lease.deadlineMs <= nowMs) this.giveBack(ledger, offset, 0, nowMs);
      for (const [offset, atMs] of ledger.notBefore) if (atMs <= nowMs) ledger.notBefore.delete(offset);
    }
  }

  // ---------------------------------------------------------------- what is durable

  /** An operation that waited for a sync was acknowledged. */
  acknowledged(operation: Operation): void {
    operation.durable = true;
    for (const other of this.operations)
      if (other.turn < operation.turn - 1 || (other.kind === 'append' && other.n < operation.n)) other.durable = true;
    this.trim();
  }

  durableBefore(turn: number): void {
    for (const operation of this.operations) if (operation.turn < turn) operation.durable = true;
    this.trim();
  }

  /** Whatever was written before that time has been synced by the interval. */
  durableBeforeMs(timeMs: TimeMs): void {
    for (const operation of this.operations)
      if (operation.atMs < timeMs && operation.turn <= this.writtenTurn) operation.durable = true;
    this.trim();
  }

  private trim(): void {
    this.operations = this.operations.filter((operation) => {
      if (!operation.durable) return true;
      if (operation.kind === 'append')
        for (const { queue, base, count } of operation.rows) queue.durableTo = Math.max(queue.durableTo, base + count);
      return false;
    });
  }
}
