/**
 * Publishing: routes, checks and appends. One append is one entry, whatever number of queues it becomes visible in.
 *
 * The order of the checks is part of the contract: nothing is changed before the last of them has passed.
 */
import { BrokerError } from './errors.ts';
import { align8, ByteWriter } from './log/bytes.ts';
import { ENTRY_HEAD, PART_HEAD } from './log/entry.ts';
import { keyHash } from './log/key-index.ts';
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
import { placeByKey } from './placement.ts';
import type { Shard } from './shard.ts';
import type { Tables } from './state/tables.ts';
import type { Codec, FormatTag, GroupId, Message, Offset, Principal, QueueNumber, TimeMs, Topic } from './types.ts';
import type { Append, AppendTarget } from './verbs.ts';

/** Fan-outs to more queues than this name an interned set instead of each queue. */
const INLINE_ROWS = 64;
/** Decoding for routing or reading stops at so many bytes. */
export const DECODED_BYTES_MAX = 128 * 1024 * 1024;
const FULL_POLL_MS = 250;
/** Appends that may wait for the disk before more are refused. */
const WAITING_MAX = 1_000_000;

/** What the broker does on its own behalf. */
export const BROKER: Principal = { name: '$broker', host: '' };

const NOBODY: AppendTarget = { appended: () => undefined };

export type Codecs = ReadonlyMap<FormatTag, Codec>;

interface QueueSet {
  id: number;
  queues: Queue[];
}

export interface PublishHooks {
  authorise(principal: Principal, topic: Topic | null, namespace: string, exchange: string | null): void;
  /** A message waits in the hold queue until this time. */
  held(dueMs: TimeMs, offset: Offset): void;
}

export class Publisher {
  private readonly shard: Shard;
  private readonly tables: Tables;
  private readonly codecs: Codecs;
  private readonly hooks: PublishHooks;
  private readonly hold: Queue;
  private readonly fields = emptyMessageFields();
  private readonly rowQueues: Queue[] = [];
  private readonly rowFirst: number[] = [];
  private readonly rowCount: number[] = [];
  private readonly rowBase: number[] = [];
  private sliced = false;
  private readonly sets = new WeakMap<readonly string[], Map<QueueNumber, QueueSet>>();
  private readonly setWriter = new ByteWriter(256);
  private readonly settlement = new ByteWriter(64);
  private readonly turns = new Map<number, number>();
  private current: Append | null = null;
  /** Settled by the entry of the next append: how a dead letter and the end of its original become one. */
  private settles: { group: GroupId; queue: QueueNumber; offset: Offset; count: number } | null = null;
  private transferKeys: readonly number[] | null = null;
  private readonly hashes: number[] = [];
  full = false;
  stopping = false;

  constructor(shard: Shard, codecs: Codecs, hold: Queue, hooks: PublishHooks) {
    this.shard = shard;
    this.tables = shard.tables;
    this.codecs = codecs;
    this.hold = hold;
    this.hooks = hooks;
  }

  append(principal: Principal, append: Append, target: AppendTarget, token: number): number {
    if (this.stopping) throw new BrokerError('stopping', 'the broker is shutting down; connect again later');
    this.shard.alive();
    if (principal !== BROKER) this.hooks.authorise(principal, append.topic, append.namespace, append.exchange);
    this.rowQueues.length = 0;
    this.sliced = false;
    this.current = append;
    const routes = append.exchange === null ? this.toTopic(append) : this.toExchange(append);
    if (this.rowQueues.length === 0) return 0;
    this.checkSize(append);

    const primary = this.rowQueues[0]!;
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
        this.shard.answer(this.isSync(), target, token, primary.number, first.offset, first.timeMs, 0);
        return 1;
      }
    }
    const storeTimeMs = this.shard.log.storeTimeMs();
    if (append.notBeforeMs > storeTimeMs) {
      // Stored where nobody reads it; the due list publishes it when the time has come, and routes it then.
      const held = this.hold.next;
      this.rowQueues.length = 0;
      this.sliced = false;
      this.addRow(this.hold, 0, append.records);
      this.write(append, null, primary.number, storeTimeMs, new HeldAnswer(target), token);
      this.hooks.held(append.notBeforeMs, held);
      return 1;
    }
    this.write(append, routes, -1, storeTimeMs, target, token);
    return this.rowQueues.length;
  }

  /**
   * Publishes a copy and settles the original (offsets [offset, offset + count) of that group and queue), in one entry.
   * Returns how many queues took the copy; with 0 nothing was written and the original is as it was. The caller settles
   * it in memory. `keys` are the hashes by which the original is found, null to take those of the append.
   */
  transfer(
    append: Append,
    keys: readonly number[] | null,
    group: GroupId,
    queue: QueueNumber,
    offset: Offset,
    count: number,
  ): number {
    this.settles = { group, queue, offset, count };
    this.transferKeys = keys;
    try {
      return this.append(BROKER, append, NOBODY, 0);
    } finally {
      this.settles = null;
      this.transferKeys = null;
    }
  }

  // ---------------------------------------------------------------- where to

  private toTopic(append: Append): readonly string[] | null {
    const topic = append.topic;
    if (topic === null) throw new BrokerError('topic-not-found', 'no destination was given');
    this.addRow(this.placed(topic, append), 0, append.records);
    if (topic.kind !== 'topic') return null;
    const routes = this.tables.routing.topicRoutes(topic.namespace, topic.name);
    if (routes === null) return null;
    if (!routes.perRecord) {
      this.addQueues(topic.namespace, routes.whole, append.records);
      return routes.whole;
    }
    if (append.records === 1 && append.routingKey !== null) {
      const names = routes.route(append.routingKey, this.decodeOne);
      this.addQueues(topic.namespace, names, 1);
      return names;
    }
    this.addSlices(topic, append);
    return null;
  }

  private toExchange(append: Append): readonly string[] | null {
    const key = append.routingKey ?? '';
    if (append.exchange === '') {
      const topic = this.tables.catalog.topic(append.namespace, 'topic', key);
      if (topic === null) return null;
      append.topic = topic;
      const routes = this.toTopic(append);
      append.topic = null;
      return routes;
    }
    const exchange = this.tables.routing.exchange(append.namespace, append.exchange!);
    const topic = this.tables.catalog.topic(append.namespace, 'topic', append.exchange!);
    if (topic?.kind === 'topic') {
      append.topic = topic;
      const routes = this.toTopic(append);
      append.topic = null;
      return routes;
    }
    if (exchange === null) {
      throw new BrokerError(
        'exchange-not-found',
        `no exchange '${append.exchange}' in namespace '${append.namespace}'`,
      );
    }
    const names = this.tables.routing.route(append.namespace, exchange, key, this.decodeOne);
    this.addQueues(append.namespace, names, append.records);
    return names;
  }

  private readonly decodeOne = (): Message => {
    const message = this.decode(this.current!)[0];
    if (message === undefined) throw new BrokerError('corrupt-message', 'the payload holds no record');
    return message;
  };

  private decode(append: Append): Message[] {
    const codec = this.codecs.get(append.format);
    if (codec === undefined) throw new BrokerError('unsupported', `no codec for format ${append.format}`);
    this.shard.signals.counts.conversions++;
    return codec.decode(append.payload, DECODED_BYTES_MAX);
  }

  private placed(topic: Topic, append: Append): Queue {
    const count = topic.queues.length;
    let id = append.queue;
    if (id < 0) {
      if (count === 1) id = 0;
      else if (append.key !== null) id = placeByKey(append.key, count);
      else {
        id = (this.turns.get(topic.id) ?? 0) % count;
        this.turns.set(topic.id, id + 1);
      }
    }
    const queue = id < count ? this.tables.queues.get(topic.queues[id]!) : undefined;
    if (queue === undefined)
      throw new BrokerError('queue-not-found', `topic '${topic.name}' has ${count} queues, queue ${id} was asked for`);
    return queue;
  }

  private addQueues(namespace: string, names: readonly string[], records: number): void {
    for (const name of names) {
      const topic = this.tables.catalog.topic(namespace, 'queue', name);
      if (topic === null) continue;
      const queue = this.tables.queues.get(topic.queues[0]!);
      if (queue !== undefined) this.addRow(queue, 0, records);
    }
  }

  /** The only work per record: each record's routing key is its own, its key, or its tag. */
  private addSlices(topic: Topic, append: Append): void {
    const routes = this.tables.routing.topicRoutes(topic.namespace, topic.name)!;
    const messages = this.decode(append);
    if (messages.length !== append.records)
      throw new BrokerError(
        'corrupt-message',
        `the payload holds ${messages.length} records, its head says ${append.records}`,
      );
    const last = new Map<string, number>();
    for (let record = 0; record < messages.length; record++) {
      const message = messages[record]!;
      const key = message.routingKey ?? (message.key !== null ? message.key.toString('utf8') : (message.tag ?? ''));
      for (const name of routes.route(key, () => message)) {
        const row = last.get(name);
        if (row !== undefined && this.rowFirst[row]! + this.rowCount[row]! === record) {
          this.rowCount[row]!++;
          continue;
        }
        const destination = this.tables.catalog.topic(topic.namespace, 'queue', name);
        const queue = destination === null ? undefined : this.tables.queues.get(destination.queues[0]!);
        if (queue === undefined) continue;
        last.set(name, this.rowQueues.length);
        this.addRow(queue, record, 1);
      }
    }
    for (let row = 1; row < this.rowQueues.length; row++) if (this.rowCount[row] !== append.records) this.sliced = true;
  }

  private addRow(queue: Queue, first: number, count: number): void {
    const row = this.rowQueues.length;
    this.rowQueues.push(queue);
    this.rowFirst[row] = first;
    this.rowCount[row] = count;
  }

  // ---------------------------------------------------------------- may it

  private checkSize(append: Append): void {
    const size = append.payload.length;
    for (let row = 0; row < this.rowQueues.length; row++) {
      const topic = this.tables.catalog.topicById(this.rowQueues[row]!.topic);
      // A queue that was bound to a topic takes what the topic took.
      if (topic === null || (row > 0 && append.exchange === null)) continue;
      if (size > topic.attributes.messageBytesMax) {
        throw new BrokerError(
          'message-too-large',
          `a message of ${size} bytes exceeds the limit of ${topic.attributes.messageBytesMax} of '${topic.name}'`,
        );
      }
    }
    // Heads and rows count: a fan-out of a small message can be a large entry.
    const entry = size + 4096 + this.rowQueues.length * 20;
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
  private isSync(): boolean {
    for (const queue of this.rowQueues) {
      if (queue.syncPending > 0) return true;
      if (this.tables.catalog.topicById(queue.topic)?.attributes.flush !== 'async') return true;
    }
    return false;
  }

  // ---------------------------------------------------------------- writing

  private write(
    append: Append,
    routes: readonly string[] | null,
    dueQueue: QueueNumber,
    storeTimeMs: TimeMs,
    target: AppendTarget,
    token: number,
  ): void {
    const { log, signals } = this.shard;
    const rows = this.rowQueues.length;
    const fields = this.fields;
    fields.format = append.format;
    fields.flags = append.flags & 0xff;
    fields.records = append.records;
    fields.tagHash = append.tagHash;
    fields.recordTimeMaxMs = append.recordTimeMaxMs;
    fields.payloadLength = append.payload.length;
    fields.priority = append.priority;
    fields.rowCount = rows;
    const keys = this.keyHashes(append);
    fields.keyCount = keys.length;
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
    let newSet: QueueSet | null = null;
    if (this.sliced) fields.flags |= MESSAGE.sliced;
    else if (rows > INLINE_ROWS && routes !== null) {
      const set = this.intern(routes);
      fields.flags |= MESSAGE.set;
      fields.setId = set.id;
      if (!this.tables.sets.has(set.id)) newSet = set;
    }
    let size = PART_HEAD + align8(messageBodyLength(fields.flags, rows, fields.keyCount, fields.payloadLength));
    if (newSet !== null) {
      const numbers = newSet.queues.map((queue) => queue.number);
      this.tables.sets.set(newSet.id, Uint32Array.from(numbers));
      this.setWriter.reset();
      writeQueueSet(this.setWriter, newSet.id, numbers);
      size += PART_HEAD + align8(this.setWriter.length);
    }
    let parts = newSet === null ? 1 : 2;
    if (this.settles !== null) {
      this.writeSettlement(this.settles.group, this.settles.queue, this.settles.offset, this.settles.count);
      size += PART_HEAD + align8(this.settlement.length);
      parts++;
    }
    const sync = this.isSync();
    log.begin(size);
    let at = log.at;
    if (newSet !== null) at = this.shard.part(at, PART.queueSet, this.setWriter.done());
    if (this.settles !== null) at = this.shard.part(at, PART.settlements, this.settlement.done());
    const partOffset = at - log.at + ENTRY_HEAD;
    const end = writeMessagePart(log.bytes, at, fields);
    for (let k = 0; k < keys.length; k++) log.bytes.writeUInt32LE(keys[k]!, fields.keysAt + k * 4);
    append.payload.copy(log.bytes, fields.payloadAt);
    for (let row = 0; row < rows; row++) {
      const queue = this.rowQueues[row]!;
      const base = queue.next;
      queue.next = base + this.rowCount[row]!;
      this.rowBase[row] = base;
      writeRow(log.bytes, fields, row, queue.number, base, this.rowFirst[row]!, this.rowCount[row]!);
    }
    const codec = this.codecs.get(append.format);
    codec?.stamp?.(
      log.bytes.subarray(fields.payloadAt, fields.payloadAt + fields.payloadLength),
      this.rowBase[0]!,
      log.journal.epoch,
    );
    const position = log.end(end, parts, storeTimeMs, sync);

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
    // In the hold queue the unit's expiry is the time it is due.
    unit.expiryMs = dueQueue >= 0 ? append.notBeforeMs : append.expiryMs;
    const ring = this.shard.ring(sync);
    for (let row = 0; row < rows; row++) {
      const queue = this.rowQueues[row]!;
      unit.base = this.rowBase[row]!;
      unit.first = this.rowFirst[row]!;
      unit.count = this.rowCount[row]!;
      this.tables.queues.append(queue.number, unit);
      this.tables.epochs.note(queue.number, log.journal.epoch, unit.base);
      if (sync) queue.syncPending++;
      ring.row(queue, unit.base + unit.count);
    }
    const primary = this.rowQueues[0]!;
    const base = this.rowBase[0]!;
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
    this.shard.answer(sync, target, token, primary.number, base, storeTimeMs, rows);
    signals.counts.appends++;
    signals.counts.records += append.records;
    signals.counts.bytes += append.payload.length;
    signals.accepted?.(primary.number, base, append.records, append.payload);
  }

  private keyHashes(append: Append): readonly number[] {
    if (this.transferKeys !== null) return this.transferKeys;
    const hashes = this.hashes;
    hashes.length = 0;
    if (append.keys !== null) for (const key of append.keys) hashes.push(keyHash(key));
    return hashes;
  }

  private writeSettlement(group: GroupId, queue: QueueNumber, offset: Offset, count: number): void {
    this.settlement.reset();
    this.settlement.varint(group);
    this.settlement.varint(queue);
    this.settlement.varint(1);
    writeSettlement(this.settlement, SETTLE.settled, 0, offset, count, 0);
  }

  private intern(routes: readonly string[]): QueueSet {
    let byPrimary = this.sets.get(routes);
    if (byPrimary === undefined) {
      byPrimary = new Map();
      this.sets.set(routes, byPrimary);
    }
    const primary = this.rowQueues[0]!.number;
    let set = byPrimary.get(primary);
    // A queue of the set may have been deleted since: then the rows differ and it is another set.
    if (
      set === undefined ||
      set.queues.length !== this.rowQueues.length ||
      set.queues.some((queue, n) => queue !== this.rowQueues[n])
    ) {
      set = { id: this.tables.catalog.nextSet++, queues: [...this.rowQueues] };
      byPrimary.set(primary, set);
    }
    return set;
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
