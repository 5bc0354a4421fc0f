/**
 * Publishing: checks and appends what destinations.ts has found queues for. One append is one entry, whatever number
 * of queues it becomes visible in; a transaction is one entry too, whatever number of messages and settlements it has.
 *
 * The order of the checks is part of the contract: nothing is changed before the last of them has passed.
 */
import { type Codecs, Destinations, Rows } from './destinations.ts';
import { BrokerError } from './errors.ts';
import { align8, ByteWriter, writeU32 } from './log/bytes.ts';
import { ENTRY_HEAD, PART_HEAD } from './log/entry.ts';
import {
  emptyMessageFields,
  MESSAGE,
  messageBodyLength,
  PART,
  SETTLE,
  writeMessagePart,
  writeQueueSet,
  writeRow,
  writeSettlement,
} from './log/parts.ts';
import type { Queue } from './log/queue.ts';
import { type QueueSet, QueueSets } from './queue-sets.ts';
import type { Shard } from './shard.ts';
import type { Tables } from './state/tables.ts';
import {
  type GroupId,
  type Offset,
  type Position,
  type Principal,
  type QueueNumber,
  RECORD_TIME_MAX,
  type TimeMs,
  type Topic,
} from './types.ts';
import { type Append, type AppendTarget, KEYS_MAX } from './verbs.ts';

/** Fan-outs to more queues than this name an interned set instead of each queue. */
const INLINE_ROWS = 64;
const FULL_POLL_MS = 250;
/** Appends that may wait for the disk before more are refused. */
const WAITING_MAX = 1_000_000;
const OFFSET_MAX = 2 ** 47;
/** The parts of an entry are counted with 16 bits. */
const TRANSACTION_MESSAGES_MAX = 65_000;

/** What the broker does on its own behalf. */
export const BROKER: Principal = { name: '$broker', host: '' };

const NOTHING: readonly Settlement[] = [];
const NO_KEYS: readonly number[] = [];
const NOBODY: AppendTarget = { appended: () => undefined };

export interface PublishHooks {
  authorise(principal: Principal, topic: Topic | null, namespace: string, exchange: string | null): void;
  /** A message waits in the hold queue until this time. */
  held(dueMs: TimeMs, offset: Offset): void;
  /** Whether a queue that refuses what is too much has no room for a body of that size. */
  isFull(queue: Queue, topic: Topic, bodyBytes: number): boolean;
  /** A full queue refused it and wants it dead-lettered. */
  refused(queue: Queue, topic: Topic, append: Append): void;
}

/** One message of a transaction; `dueQueue` is -1 unless it is held until its time. */
interface Planned {
  append: Append;
  rows: Rows;
  dueQueue: QueueNumber;
}

/** A settlement that a transaction makes together with its messages. */
export interface Settlement {
  group: GroupId;
  queue: QueueNumber;
  offset: Offset;
  count: number;
}

export class Publisher {
  private readonly shard: Shard;
  private readonly tables: Tables;
  private readonly codecs: Codecs;
  private readonly hooks: PublishHooks;
  private readonly hold: Queue;
  private readonly fields = emptyMessageFields();
  private readonly destinations: Destinations;
  private readonly rows = new Rows();
  private readonly sets: QueueSets;
  private readonly setWriter = new ByteWriter(256);
  private readonly settlement = new ByteWriter(64);
  /** Settled by the entry of the next append: how a dead letter and the end of its original become one. */
  private settles: readonly Settlement[] = NOTHING;
  private avoid: readonly string[] | null = null;
  /** Queues that refused the append at hand and want it dead-lettered, which is another append. */
  private refusals: { queue: Queue; topic: Topic }[] = [];
  /** The hashes of the keys of the message that `fields` describes. */
  private keys: readonly number[] = NO_KEYS;
  full = false;
  stopping = false;

  constructor(shard: Shard, codecs: Codecs, hold: Queue, hooks: PublishHooks) {
    this.shard = shard;
    this.tables = shard.tables;
    this.codecs = codecs;
    this.hold = hold;
    this.hooks = hooks;
    this.sets = new QueueSets(this.tables);
    this.destinations = new Destinations(this.tables, codecs, shard.signals);
  }

  append(principal: Principal, append: Append, target: AppendTarget, token: number): number {
    if (this.stopping) throw new BrokerError('stopping', 'the broker is shutting down; connect again later');
    this.shard.alive();
    if (principal !== BROKER) this.hooks.authorise(principal, append.topic, append.namespace, append.exchange);
    const rows = this.rows;
    const storeTimeMs = this.shard.log.storeTimeMs();
    append.refused = 0;
    // What an append refused that ended in an error is nobody's dead letter.
    this.forgetRefusals();
    if (append.notBeforeMs > storeTimeMs && append.exchange !== null) {
      const holder = this.holderOf(append);
      if (holder !== null) return this.holdBack(append, holder, storeTimeMs, target, token);
    }
    this.destinations.find(append, this.avoid, rows);
    if (rows.queues.length === 0) return 0;
    this.checkSize(append, rows, principal);
    if (rows.queues.length === 0) {
      this.refused(append, 0);
      if (append.exchange !== null || principal === BROKER) return 0;
      throw new BrokerError('overloaded', `'${append.topic!.name}' is full and refuses what is too much`);
    }

    const primary = rows.queues[0]!;
    if (append.producerId >= 0) {
      const first = this.tables.producers.check(
        append.producerId,
        append.producerEpoch,
        primary.number,
        append.baseSequence,
        append.records,
      );
      if (first !== null) {
        // A repetition is answered when its first write is committed at the latest; the ring keeps that order.
        this.shard.answer(this.isSync(rows, -1), target, token, primary.number, first.offset, first.timeMs, 0);
        return 1;
      }
    }
    if (append.notBeforeMs > storeTimeMs) {
      // Whether there is room shows when it is due.
      this.forgetRefusals();
      append.refused = 0;
      return this.holdBack(append, primary.number, storeTimeMs, target, token);
    }
    this.write(append, rows, -1, storeTimeMs, target, token);
    return this.refusals.length === 0 ? rows.queues.length : this.refused(append, rows.queues.length);
  }

  private forgetRefusals(): void {
    if (this.refusals.length > 0) this.refusals = [];
  }

  private refused(append: Append, taken: number): number {
    const { refusals } = this;
    this.refusals = [];
    for (const { queue, topic } of refusals) this.hooks.refused(queue, topic, append);
    return taken;
  }

  /** Stored where nobody reads it; the due list publishes it when the time has come, and routes it then. */
  private holdBack(
    append: Append,
    dueQueue: QueueNumber,
    storeTimeMs: TimeMs,
    target: AppendTarget,
    token: number,
  ): number {
    const { rows } = this;
    const held = this.hold.next;
    rows.clear();
    rows.add(this.hold, 0, append.records);
    this.checkRoom(append.payload.length, 1);
    this.write(append, rows, dueQueue, storeTimeMs, new HeldAnswer(target), token);
    this.hooks.held(append.notBeforeMs, held);
    return 1;
  }

  /** The queue that stands for an exchange which holds; null where the exchange is none. */
  private holderOf({ namespace, exchange }: Append): QueueNumber | null {
    if (this.tables.routing.exchange(namespace, exchange!)?.holds !== true) return null;
    return this.tables.catalog.topic(namespace, 'system', exchange!)?.queues[0] ?? null;
  }

  /**
   * Publishes a copy and settles the original (offsets [offset, offset + count) of that group and queue), in one entry.
   * Returns how many queues took the copy; with 0 nothing was written and the original is as it was. The caller settles
   * it in memory. Queues named by `avoid` do not take it. There is no original of what was never in a queue.
   */
  transfer(append: Append, original: Settlement | null, avoid: readonly string[] | null = null): number {
    if (original !== null) this.settles = [original];
    this.avoid = avoid;
    try {
      return this.append(BROKER, append, NOBODY, 0);
    } finally {
      this.settles = NOTHING;
      this.avoid = null;
    }
  }

  /**
   * All of it or nothing: one entry with every message and every settlement. The target is answered once, for all. The
   * caller settles in memory. Returns how many queues take each message; one that no queue takes is left out.
   */
  transact(
    principal: Principal,
    appends: readonly Append[],
    settles: readonly Settlement[],
    target: AppendTarget,
    token: number,
  ): number[] {
    if (this.stopping) throw new BrokerError('stopping', 'the broker is shutting down; connect again later');
    this.shard.alive();
    if (appends.length > TRANSACTION_MESSAGES_MAX)
      throw new BrokerError(
        'limit-exceeded',
        `a transaction has at most ${TRANSACTION_MESSAGES_MAX} messages, this one has ${appends.length}`,
      );
    const planned: Planned[] = [];
    const refusals: { append: Append; by: { queue: Queue; topic: Topic }[] }[] = [];
    const taken: number[] = [];
    for (const append of appends) {
      if (principal !== BROKER) this.hooks.authorise(principal, append.topic, append.namespace, append.exchange);
      const one = this.plan(principal, append);
      taken.push(one.rows.queues.length);
      if (one.rows.queues.length > 0) planned.push(one);
      if (this.refusals.length > 0) refusals.push({ append, by: this.refusals });
      this.refusals = [];
    }
    this.writeAll(planned, settles, target, token);
    for (const { append, by } of refusals) for (const { queue, topic } of by) this.hooks.refused(queue, topic, append);
    for (const { append, rows, dueQueue } of planned)
      if (dueQueue >= 0) this.hooks.held(append.notBeforeMs, rows.base[0]!);
    return taken;
  }

  private plan(principal: Principal, append: Append): Planned {
    const rows = new Rows();
    append.refused = 0;
    this.forgetRefusals();
    const isLater = append.notBeforeMs > this.shard.log.storeTimeMs() && append.exchange !== null;
    const holder = isLater ? this.holderOf(append) : null;
    if (holder !== null) {
      rows.add(this.hold, 0, append.records);
      return { append, rows, dueQueue: holder };
    }
    this.destinations.find(append, null, rows);
    if (rows.queues.length > 0) this.checkSize(append, rows, principal);
    // A set would have to be logged in front of the first message that names it.
    rows.routes = null;
    return { append, rows, dueQueue: -1 };
  }

  // ---------------------------------------------------------------- may it

  private checkSize(append: Append, rows: Rows, principal: Principal): void {
    const size = append.payload.length;
    for (let row = 0; row < rows.queues.length; row++) {
      const queue = rows.queues[row]!;
      const topic = this.tables.catalog.topicById(queue.topic);
      if (topic?.attributes.rules !== undefined && this.refuses(queue, topic, append)) {
        rows.remove(row--);
        append.refused!++;
        continue;
      }
      // Offsets have 48 bits; what is left above this is for nobody.
      if (queue.next + append.records > OFFSET_MAX)
        throw new BrokerError('limit-exceeded', `a queue of '${topic?.name ?? ''}' has no offsets left`);
      // A queue that was bound to a topic takes what the topic took, and a dead letter is larger than what died.
      if (topic === null || (row > 0 && append.exchange === null) || principal === BROKER) continue;
      if (size > topic.attributes.messageBytesMax) {
        throw new BrokerError(
          'message-too-large',
          `a message of ${size} bytes exceeds the limit of ${topic.attributes.messageBytesMax} of '${topic.name}'`,
        );
      }
    }
    this.checkRoom(size, rows.queues.length);
  }

  /** A full queue that refuses what is too much. */
  private refuses(queue: Queue, topic: Topic, append: Append): boolean {
    const overflow = topic.attributes.rules!.overflow;
    if (overflow !== 'refuse' && overflow !== 'refuse-dead-letter') return false;
    const codec = this.codecs.get(append.format);
    if (!this.hooks.isFull(queue, topic, codec?.bodyBytes?.(append.payload) ?? append.payload.length)) return false;
    if (overflow === 'refuse-dead-letter') this.refusals.push({ queue, topic });
    return true;
  }

  private checkRoom(size: number, rows: number): void {
    // Heads and rows count: a fan-out of a small message can be a large entry.
    const entry = size + 4096 + rows * 20;
    if (!this.shard.room(entry, 'reserve')) this.refuseFull();
    if (this.shard.waiting >= WAITING_MAX) {
      throw new BrokerError('overloaded', `${WAITING_MAX} messages wait for the disk already; send again later`);
    }
  }

  private refuseFull(): never {
    const { signals, clock, journal } = this.shard;
    signals.counts.refusedFull++;
    if (!this.full) {
      this.full = true;
      signals.pressure?.(true);
      const poll = (): void => {
        if (this.shard.log.lost !== null) return;
        journal.prepare(0);
        if (!journal.full) {
          this.full = false;
          signals.pressure?.(false);
        } else clock.setTimer(FULL_POLL_MS, poll);
      };
      clock.setTimer(FULL_POLL_MS, poll);
    }
    throw new BrokerError(
      'storage-full',
      'the disk is full: publishing is refused until there is space again; reading goes on',
    );
  }

  /** At the strictest level of the topics it goes to; behind an append that waits for a sync, everything waits for one. */
  private isSync(rows: Rows, dueQueue: QueueNumber): boolean {
    if (dueQueue >= 0 && this.isSyncWhenDue(dueQueue)) return true;
    for (const queue of rows.queues) {
      if (queue.syncPending > 0) return true;
      if (this.tables.catalog.topicById(queue.topic)?.attributes.flush !== 'async') return true;
    }
    return false;
  }

  /** Of what is held for a topic, its level; where an exchange will send it is not known yet, and may be the strictest. */
  private isSyncWhenDue(dueQueue: QueueNumber): boolean {
    const { queues, catalog } = this.tables;
    const topic = catalog.topicById(queues.get(dueQueue)?.topic ?? -1);
    return topic === null || topic.kind === 'system' || topic.attributes.flush !== 'async';
  }

  // ---------------------------------------------------------------- writing

  private write(
    append: Append,
    rows: Rows,
    dueQueue: QueueNumber,
    storeTimeMs: TimeMs,
    target: AppendTarget,
    token: number,
  ): void {
    const { log } = this.shard;
    const newSet = this.describe(append, rows, dueQueue);
    let size = this.partBytes();
    let parts = 1;
    if (newSet !== null) {
      this.setWriter.reset();
      writeQueueSet(
        this.setWriter,
        newSet.id,
        newSet.queues.map((queue) => queue.number),
      );
      size += PART_HEAD + align8(this.setWriter.length);
      parts++;
    }
    if (this.settles.length > 0) {
      this.writeSettlements(this.settles);
      size += PART_HEAD + align8(this.settlement.length);
      parts++;
    }
    const sync = this.isSync(rows, dueQueue);
    log.begin(size);
    let at = log.at;
    if (newSet !== null) {
      const numbers = Uint32Array.from(newSet.queues, (queue) => queue.number);
      this.tables.sets.set(newSet.id, numbers);
      at = this.shard.part(at, PART.queueSet, this.setWriter.done());
    }
    if (this.settles.length > 0) at = this.shard.part(at, PART.settlements, this.settlement.done());
    const partOffset = at - log.at + ENTRY_HEAD;
    const end = this.writeMessage(at, append, rows);
    const position = log.end(end, parts, storeTimeMs, sync);
    // In the hold queue the unit's expiry is the time it is due.
    const expiryMs = dueQueue >= 0 ? append.notBeforeMs : append.expiryMs;
    this.apply(append, rows, position, partOffset, storeTimeMs, expiryMs, sync);
    this.shard.answer(sync, target, token, rows.queues[0]!.number, rows.base[0]!, storeTimeMs, rows.queues.length);
  }

  /** One entry of many messages, each in its queues, and of settlements. */
  private writeAll(
    planned: readonly Planned[],
    settles: readonly Settlement[],
    target: AppendTarget,
    token: number,
  ): void {
    const { log } = this.shard;
    const storeTimeMs = log.storeTimeMs();
    let size = 0;
    let sync = false;
    let rowCount = 0;
    for (const { append, rows, dueQueue } of planned) {
      this.describe(append, rows, dueQueue);
      size += this.partBytes();
      rowCount += rows.queues.length;
      sync ||= this.isSync(rows, dueQueue);
    }
    this.settlement.reset();
    if (settles.length > 0) {
      this.writeSettlements(settles);
      size += PART_HEAD + align8(this.settlement.length);
    }
    this.checkRoom(size, 0);
    log.begin(size);
    const first = log.at;
    let at = settles.length > 0 ? this.shard.part(first, PART.settlements, this.settlement.done()) : first;
    const offsets: number[] = [];
    for (const { append, rows, dueQueue } of planned) {
      this.describe(append, rows, dueQueue);
      offsets.push(at - first + ENTRY_HEAD);
      at = this.writeMessage(at, append, rows);
    }
    const position = log.end(at, planned.length + (settles.length > 0 ? 1 : 0), storeTimeMs, sync);
    planned.forEach(({ append, rows, dueQueue }, n) => {
      this.describe(append, rows, dueQueue);
      const expiryMs = dueQueue >= 0 ? append.notBeforeMs : append.expiryMs;
      this.apply(append, rows, position, offsets[n]!, storeTimeMs, expiryMs, sync);
    });
    const primary = planned[0]?.rows;
    this.shard.answer(
      sync,
      target,
      token,
      primary?.queues[0]?.number ?? -1,
      primary?.base[0] ?? -1,
      storeTimeMs,
      rowCount,
    );
  }

  /** Says in `fields` what the message part is to hold. Returns the set of queues that has to be logged before it. */
  private describe(append: Append, rows: Rows, dueQueue: QueueNumber): QueueSet | null {
    const fields = this.fields;
    fields.format = append.format;
    fields.flags = append.flags & 0xff;
    fields.records = append.records;
    fields.tagHash = append.tagHash;
    // Other times stand in the payload; to find messages by time these are as good as the nearest that fits.
    fields.recordTimeMaxMs = Math.min(Math.max(0, append.recordTimeMaxMs), RECORD_TIME_MAX);
    fields.payloadLength = append.payload.length;
    fields.priority = append.priority;
    fields.rowCount = rows.queues.length;
    this.keys = append.keys ?? NO_KEYS;
    fields.keyCount = this.keys.length;
    if (fields.keyCount > KEYS_MAX) throw new Error(`${fields.keyCount} keys of one append`);
    if (append.expiryMs > 0) {
      fields.flags |= MESSAGE.expiry;
      fields.expiryMs = append.expiryMs;
    }
    if (dueQueue >= 0) {
      fields.flags |= MESSAGE.due;
      fields.dueMs = append.notBeforeMs;
      fields.dueQueue = dueQueue;
    }
    if (append.producerId >= 0) {
      fields.flags |= MESSAGE.producer;
      fields.producerId = append.producerId;
      fields.producerEpoch = append.producerEpoch;
      fields.baseSequence = append.baseSequence;
    }
    if (rows.sliced) fields.flags |= MESSAGE.sliced;
    else if (rows.queues.length > INLINE_ROWS && rows.routes !== null) {
      const set = this.sets.of(rows.routes, rows.queues, append.priority);
      if (set === null) return null;
      fields.flags |= MESSAGE.set;
      fields.setId = set.id;
      if (!this.tables.sets.has(set.id)) return set;
    }
    return null;
  }

  /** Bytes of the part that `fields` describes. */
  private partBytes(): number {
    const { flags, rowCount, keyCount, payloadLength } = this.fields;
    return PART_HEAD + align8(messageBodyLength(flags, rowCount, keyCount, payloadLength));
  }

  /** Writes the part that `fields` describes, and gives out the offsets. Returns its end. */
  private writeMessage(at: number, append: Append, rows: Rows): number {
    const { log } = this.shard;
    const fields = this.fields;
    const { keys } = this;
    const end = writeMessagePart(log.bytes, at, fields);
    for (let k = 0; k < keys.length; k++) writeU32(log.bytes, fields.keysAt + k * 4, keys[k]!);
    append.payload.copy(log.bytes, fields.payloadAt);
    for (let row = 0; row < rows.queues.length; row++) {
      const queue = rows.queues[row]!;
      const base = queue.next;
      queue.next = base + rows.count[row]!;
      rows.base[row] = base;
      writeRow(log.bytes, fields, row, queue.number, base, rows.first[row]!, rows.count[row]!);
    }
    const codec = this.codecs.get(append.format);
    codec?.stamp?.(
      log.bytes.subarray(fields.payloadAt, fields.payloadAt + fields.payloadLength),
      rows.base[0]!,
      log.journal.epoch,
    );
    return end;
  }

  /** What the fold would make of the message just written. */
  private apply(
    append: Append,
    rows: Rows,
    position: Position,
    partOffset: number,
    storeTimeMs: TimeMs,
    expiryMs: TimeMs,
    sync: boolean,
  ): void {
    const { log, signals } = this.shard;
    const { fields } = this;
    const unit = this.tables.unit;
    unit.flags = fields.flags & 0xff;
    unit.position = position;
    unit.entryLength = log.lastLength;
    unit.partOffset = partOffset;
    unit.format = fields.format;
    unit.priority = fields.priority;
    unit.tagHash = fields.tagHash;
    unit.recordTimeMs = fields.recordTimeMaxMs;
    unit.storeTimeMs = storeTimeMs;
    unit.expiryMs = expiryMs;
    const ring = this.shard.ring(sync);
    for (let row = 0; row < rows.queues.length; row++) {
      const queue = rows.queues[row]!;
      unit.base = rows.base[row]!;
      unit.first = rows.first[row]!;
      unit.count = rows.count[row]!;
      this.tables.queues.append(queue.number, unit);
      this.tables.epochs.note(queue.number, log.journal.epoch, unit.base);
      if (expiryMs > 0) queue.expires = true;
      if (sync) queue.syncPending++;
      ring.row(queue, unit.base + unit.count);
    }
    const primary = rows.queues[0]!;
    const base = rows.base[0]!;
    const { keys } = this;
    for (let k = 0; k < keys.length; k++) this.tables.keys.add(keys[k]!, primary.number, base, storeTimeMs);
    if (append.producerId >= 0) {
      this.tables.producers.apply(
        append.producerId,
        append.producerEpoch,
        primary.number,
        append.baseSequence,
        append.records,
        base,
        storeTimeMs,
      );
    }
    signals.counts.appends++;
    signals.counts.records += append.records;
    signals.counts.bytes += append.payload.length;
    signals.accepted?.(primary.number, base, append.records, append.payload);
  }

  private writeSettlements(settles: readonly Settlement[]): void {
    this.settlement.reset();
    for (const { group, queue, offset, count } of settles) {
      this.settlement.varint(group);
      this.settlement.varint(queue);
      this.settlement.varint(1);
      writeSettlement(this.settlement, SETTLE.settled, 0, offset, count, 0);
    }
  }
}

/** A held message has no offset that anybody may know yet. */
class HeldAnswer implements AppendTarget {
  private readonly target: AppendTarget;

  constructor(target: AppendTarget) {
    this.target = target;
  }

  appended(token: number, _queue: QueueNumber, _base: Offset, storeTimeMs: TimeMs): void {
    this.target.appended(token, -1, -1, storeTimeMs);
  }
}
