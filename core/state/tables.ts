/**
 * The shard's whole state in memory, and the fold that makes it from the log. Live verbs and recovery change rows
 * through the same methods here, so that what a restart finds is what was there.
 */
import { assert } from '../errors.ts';
import { ByteReader, ByteWriter } from '../log/bytes.ts';
import { type EntryHead, eachPart, type PartView, readEntryHead } from '../log/entry.ts';
import { type KeyIndex, OpenKeys } from '../log/key-index.ts';
import {
  emptyMessageFields,
  MESSAGE,
  PART,
  type Row,
  readMessagePart,
  readOffsets,
  readQueueSet,
  readRow,
  readSettlements,
  readStarts,
  SETTLE,
  writeQueueSet,
} from '../log/parts.ts';
import { Queue, type QueueTable } from '../log/queue.ts';
import { MemoryIndex, Run } from '../log/segment-index.ts';
import type { UnitFields } from '../log/units.ts';
import {
  type GroupId,
  type Offset,
  type Position,
  QUEUE_NUMBER_MAX,
  type QueueNumber,
  type TopicId,
} from '../types.ts';
import type { Access } from './access.ts';
import { Catalog } from './catalog.ts';
import { Epochs } from './epochs.ts';
import { decodeEvent, encodeEvent, type StateEvent } from './events.ts';
import { Ledger } from './ledger.ts';
import { Offsets } from './offsets.ts';
import { Producers } from './producers.ts';
import type { Routing } from './routing.ts';
import { Settings } from './settings.ts';

/** Names of the tables of a snapshot; each has its own position in the manifest. */
export const TABLES = ['state', 'queues', 'offsets', 'ledgers', 'producers'] as const;
export type TableName = (typeof TABLES)[number];

const QUEUE_LIMIT = QUEUE_NUMBER_MAX + 1;

/** Collects the units and keys of one sealed segment, apart from everything else that its entries say. */
export class SegmentFold {
  readonly index: MemoryIndex;
  readonly keys = new OpenKeys();
  private readonly runs = new Map<string, Run>();

  constructor(base: Position) {
    this.index = new MemoryIndex(base);
  }

  add(queue: QueueNumber, movedFrom: Position, unit: UnitFields): void {
    const key = `${queue} ${movedFrom}`;
    let run = this.runs.get(key);
    if (run === undefined) {
      run = new Run(this.index, queue, unit.base);
      this.runs.set(key, run);
      this.index.runs.push(run);
    }
    this.index.append(run, unit);
  }
}

export class Tables {
  readonly catalog = new Catalog();
  readonly queues: QueueTable;
  readonly offsets = new Offsets();
  readonly producers = new Producers();
  readonly settings = new Settings();
  readonly epochs = new Epochs();
  readonly routing: Routing;
  readonly access: Access;
  readonly keys: KeyIndex;
  private readonly ledgers = new Map<number, Ledger>();
  readonly sets = new Map<number, Uint32Array>();
  private readonly fields = emptyMessageFields();
  private readonly row: Row = { queue: 0, base: 0, first: 0, count: 0 };
  readonly unit: UnitFields = {
    base: 0,
    count: 0,
    first: 0,
    flags: 0,
    position: 0,
    entryLength: 0,
    partOffset: 0,
    format: 0,
    priority: 0,
    tagHash: 0,
    recordTimeMs: 0,
    storeTimeMs: 0,
    expiryMs: 0,
  };

  constructor(routing: Routing, access: Access, queues: QueueTable, keys: KeyIndex) {
    this.routing = routing;
    this.access = access;
    this.queues = queues;
    this.keys = keys;
  }

  // ---------------------------------------------------------------- ledgers

  ledger(group: GroupId, queue: QueueNumber): Ledger | undefined {
    return this.ledgers.get(group * QUEUE_LIMIT + queue);
  }

  openLedger(group: GroupId, queue: QueueNumber, floor: Offset): Ledger {
    const key = group * QUEUE_LIMIT + queue;
    let ledger = this.ledgers.get(key);
    if (ledger === undefined) {
      ledger = new Ledger(floor);
      this.ledgers.set(key, ledger);
    }
    return ledger;
  }

  closeLedger(group: GroupId, queue: QueueNumber): void {
    this.ledgers.delete(group * QUEUE_LIMIT + queue);
  }

  *allLedgers(): Generator<{ group: GroupId; queue: QueueNumber; ledger: Ledger }> {
    for (const [key, ledger] of this.ledgers) {
      const group = Math.floor(key / QUEUE_LIMIT);
      yield { group, queue: key - group * QUEUE_LIMIT, ledger };
    }
  }

  // ---------------------------------------------------------------- snapshots

  /** The `state` table: events that make everything again. */
  *writeState(): Generator<Buffer> {
    for (const event of this.catalog.events()) yield encodeEvent(event);
    for (const event of this.routing.events()) yield encodeEvent(event);
    for (const event of this.access.events()) yield encodeEvent(event);
    for (const event of this.settings.events()) yield encodeEvent(event);
    for (const event of this.epochs.events((queue) => this.queues.get(queue)?.start ?? 0)) yield encodeEvent(event);
    yield encodeEvent({ k: 'producers', next: this.producers.next });
    // A set is read again as the part it was; it is told from an event by its first byte.
    const writer = new ByteWriter(1024);
    for (const [id, queues] of this.sets) {
      writer.reset();
      writer.u8(0);
      writeQueueSet(writer, id, queues);
      yield writer.done();
    }
  }

  readState(block: Buffer): void {
    if (block[0] === 0) {
      const set = readQueueSet(new ByteReader(block, 1));
      this.sets.set(set.id, set.queues);
      return;
    }
    this.apply(decodeEvent(block));
  }

  *writeQueues(): Generator<Buffer> {
    const writer = new ByteWriter(16 * 1024);
    for (const queue of this.queues.all()) {
      writer.varint(queue.number);
      writer.varint(queue.start);
      writer.varint(queue.next);
      if (writer.length > 8192) {
        yield writer.done();
        writer.reset();
      }
    }
    if (writer.length > 0) yield writer.done();
  }

  readQueues(block: Buffer): void {
    const reader = new ByteReader(block);
    while (reader.more) {
      const queue = this.queues.get(reader.varint());
      const start = reader.varint();
      const next = reader.varint();
      if (queue === undefined) continue;
      queue.moveStart(start);
      if (next > queue.next) queue.next = next;
    }
  }

  *writeLedgers(): Generator<Buffer> {
    const writer = new ByteWriter(16 * 1024);
    for (const { group, queue, ledger } of this.allLedgers()) {
      writer.varint(group);
      writer.varint(queue);
      ledger.write(writer);
      yield writer.done();
      writer.reset();
    }
  }

  readLedger(reader: ByteReader): void {
    const group = reader.varint();
    const queue = reader.varint();
    this.ledgers.set(group * QUEUE_LIMIT + queue, Ledger.read(reader));
  }

  // ---------------------------------------------------------------- state events

  apply(event: StateEvent): void {
    switch (event.k) {
      case 'cluster':
        this.catalog.clusterId = event.id;
        return;
      case 'counters':
        this.catalog.nextTopic = Math.max(this.catalog.nextTopic, event.topic);
        this.catalog.nextGroup = Math.max(this.catalog.nextGroup, event.group);
        this.catalog.nextQueue = Math.max(this.catalog.nextQueue, event.queue);
        this.catalog.nextSet = Math.max(this.catalog.nextSet, event.set);
        return;
      case 'topic':
        this.catalog.putTopic(event.row);
        for (let id = 0; id < event.row.queues.length; id++) this.openQueue(event.row.queues[id]!, event.row.id, id);
        return;
      case 'topic-gone':
        this.catalog.removeTopic(event.id);
        this.offsets.removeQueues(event.queues);
        this.producers.removeQueues(event.queues);
        this.epochs.removeQueues(event.queues);
        for (const queue of event.queues) this.queues.remove(queue);
        for (const key of this.ledgers.keys()) if (event.queues.includes(key % QUEUE_LIMIT)) this.ledgers.delete(key);
        return;
      case 'group':
        this.catalog.putGroup(event.row);
        return;
      case 'group-gone':
        this.catalog.removeGroup(event.id);
        this.offsets.removeGroup(event.id);
        for (const key of this.ledgers.keys()) if (Math.floor(key / QUEUE_LIMIT) === event.id) this.ledgers.delete(key);
        return;
      case 'generation': {
        const group = this.catalog.groupById(event.group);
        if (group === null || event.generation < group.generation) return;
        group.generation = event.generation;
        group.data = event.data;
        return;
      }
      case 'offsets-gone':
        this.offsets.remove(event.group, event.queues);
        for (const queue of event.queues) this.closeLedger(event.group, queue);
        return;
      case 'exchange':
        this.routing.putExchange(event.row);
        return;
      case 'exchange-gone':
        this.routing.deleteExchange(event.namespace, event.name);
        return;
      case 'bind':
        this.routing.bind(event.row);
        return;
      case 'unbind':
        this.routing.unbind(event.row);
        return;
      case 'credential':
        this.access.putCredential(event.row);
        return;
      case 'credential-gone':
        this.access.deleteCredential(event.user, event.kind);
        return;
      case 'user-gone':
        this.access.deleteUser(event.name);
        return;
      case 'rule':
        this.access.putRule(event.row);
        return;
      case 'rule-gone':
        this.access.deleteRule(event.id);
        return;
      case 'setting':
        this.settings.put(event.scope, event.key, event.value);
        return;
      case 'epochs':
        this.epochs.apply(event.rows);
        return;
      case 'producers':
        this.producers.next = Math.max(this.producers.next, event.next);
        return;
    }
  }

  openQueue(number: QueueNumber, topic: TopicId, id: number): Queue {
    let queue = this.queues.get(number);
    if (queue === undefined) {
      queue = new Queue(number, topic, id);
      this.queues.add(queue);
    }
    return queue;
  }

  // ---------------------------------------------------------------- sets

  setSize = (id: number): number => {
    const set = this.sets.get(id);
    assert(set !== undefined, 'a set of queues is logged before its first use');
    return set.length;
  };

  setQueue = (id: number, n: number): QueueNumber => this.sets.get(id)![n]!;

  // ---------------------------------------------------------------- the fold

  /**
   * Applies a verified entry that lies at `start`. `from` is the position of each table's snapshot: older entries are
   * in it already. `indexed` says that the segment's queue index was loaded from its file.
   */
  fold(bytes: Buffer, start: number, from: Readonly<Record<TableName, Position>>, indexed: boolean): void {
    const head = readEntryHead(bytes, start);
    const position = head.position;
    eachPart(bytes, start, (part) => {
      switch (part.kind) {
        case PART.message:
          this.foldMessage(bytes, start, part, head, indexed, from);
          return;
        case PART.settlements:
          if (position >= from.ledgers) this.foldSettlements(bytes, part);
          return;
        case PART.offsets:
          if (position >= from.offsets) {
            readOffsets(new ByteReader(bytes, part.start, part.end), (group, queue, offset, epoch, timeMs, metadata) =>
              this.offsets.set(group, queue, offset, epoch, timeMs, metadata),
            );
          }
          return;
        case PART.state:
          if (position >= from.state) this.apply(decodeEvent(bytes.subarray(part.start, part.end)));
          return;
        case PART.starts:
          readStarts(new ByteReader(bytes, part.start, part.end), (queue, offset) =>
            this.queues.get(queue)?.moveStart(offset),
          );
          return;
        case PART.queueSet: {
          const set = readQueueSet(new ByteReader(bytes, part.start, part.end));
          this.sets.set(set.id, set.queues);
          this.catalog.nextSet = Math.max(this.catalog.nextSet, set.id + 1);
          return;
        }
        case PART.open:
          return;
        default:
          // A kind of a later version: its entries cannot be understood, so the directory must not be served.
          throw new Error(
            `entry at ${position} has a part of unknown kind ${part.kind}: start a newer broker on this directory`,
          );
      }
    });
  }

  private foldMessage(
    bytes: Buffer,
    start: number,
    part: PartView,
    head: EntryHead,
    indexed: boolean,
    from: Readonly<Record<TableName, Position>>,
  ): void {
    const { position, storeTimeMs } = head;
    const fields = this.fields;
    readMessagePart(bytes, start + part.offset, fields, this.setSize);
    const marksEpochs = position >= from.state && (fields.flags & MESSAGE.moved) === 0;
    if (fields.flags & MESSAGE.producer && position >= from.producers && fields.rowCount > 0) {
      readRow(bytes, fields, 0, this.setQueue, this.row);
      this.producers.apply(
        fields.producerId,
        fields.producerEpoch,
        this.row.queue,
        fields.baseSequence,
        fields.records,
        this.row.base,
        storeTimeMs,
      );
    }
    if (indexed && !marksEpochs) return;
    const unit = this.unit;
    this.unitOf(part, position, head.length, storeTimeMs);
    for (let n = 0; n < fields.rowCount; n++) {
      readRow(bytes, fields, n, this.setQueue, this.row);
      if (marksEpochs) this.epochs.note(this.row.queue, head.epoch, this.row.base);
      if (indexed) continue;
      unit.base = this.row.base;
      unit.first = this.row.first;
      unit.count = this.row.count;
      this.queues.append(this.row.queue, unit);
      for (let k = 0; k < fields.keyCount; k++)
        this.keys.add(bytes.readUInt32LE(fields.keysAt + k * 4), this.row.queue, this.row.base, unit.storeTimeMs);
    }
  }

  /**
   * Collects the units of an entry of a segment whose index file is lost; changes nothing else. The survivors of one
   * segment stay one run per queue, so that runs of a queue do not overlap.
   */
  foldUnits(bytes: Buffer, start: number, into: SegmentFold): void {
    const head = readEntryHead(bytes, start);
    eachPart(bytes, start, (part) => {
      if (part.kind !== PART.message) return;
      const fields = this.fields;
      readMessagePart(bytes, start + part.offset, fields, this.setSize);
      this.unitOf(part, head.position, head.length, head.storeTimeMs);
      const movedFrom = fields.flags & MESSAGE.moved ? fields.movedFrom : -1;
      for (let n = 0; n < fields.rowCount; n++) {
        readRow(bytes, fields, n, this.setQueue, this.row);
        this.unit.base = this.row.base;
        this.unit.first = this.row.first;
        this.unit.count = this.row.count;
        into.add(this.row.queue, movedFrom, this.unit);
        for (let k = 0; n === 0 && k < fields.keyCount; k++)
          into.keys.add(
            bytes.readUInt32LE(fields.keysAt + k * 4),
            this.row.queue,
            this.row.base,
            this.unit.storeTimeMs,
          );
      }
    });
  }

  /** Everything of the unit but its place in a queue, from the part that was read into `fields`. */
  private unitOf(part: PartView, position: Position, entryLength: number, storeTimeMs: number): void {
    const { unit, fields } = this;
    unit.flags = fields.flags & 0xff;
    unit.position = position;
    unit.entryLength = entryLength;
    unit.partOffset = part.offset;
    unit.format = fields.format;
    unit.priority = fields.priority;
    unit.tagHash = fields.tagHash;
    unit.recordTimeMs = fields.recordTimeMaxMs;
    unit.storeTimeMs = fields.flags & MESSAGE.moved ? fields.movedStoreTimeMs : storeTimeMs;
    unit.expiryMs = fields.flags & MESSAGE.due ? fields.dueMs : fields.expiryMs;
  }

  private foldSettlements(bytes: Buffer, part: PartView): void {
    readSettlements(new ByteReader(bytes, part.start, part.end), (group, queue, kind, offset, a, b) => {
      if (kind === SETTLE.closed) {
        this.closeLedger(group, queue);
        return;
      }
      // Of a queue that is gone nothing may come back.
      if (this.queues.get(queue) === undefined) return;
      const ledger = this.openLedger(group, queue, 0);
      if (kind === SETTLE.settled) ledger.applySettled(offset, a);
      else if (kind === SETTLE.returned) ledger.applyReturned(offset, a, b);
      else if (kind === SETTLE.leased) ledger.applyLeased(offset, a, b);
      else if (kind === SETTLE.delivered) ledger.applyDelivered(offset);
      else if (kind === SETTLE.floor) ledger.applyFloor(offset);
    });
  }
}
