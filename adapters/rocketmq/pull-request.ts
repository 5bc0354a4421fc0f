// One pull (11, 361) from its arrival to its reply: read, filter, wait, read again.
//
// The object is the core's Waiter for as long as it waits, and is reused for later pulls of its connection.
//
// Invariants:
// - a pull is answered once, and holds its place among the connection's parked pulls until then;
// - a wake that comes late, for a pull that has been answered since (cold bytes of a given-up read), does nothing;
// - a reader of this protocol stops at the last stable offset and is never given control records;
// - whatever was looked at and not delivered is passed by nextBeginOffset, so no pull meets it again.

import { BrokerError } from '../../core/errors.ts';
import {
  type Message,
  type Offset,
  type QueueNumber,
  type ReadBatch,
  type ReadLimits,
  type ReadUnit,
  TAG_MIXED,
  type TimeMs,
  UNIT,
  type Waiter,
} from '../../core/types.ts';
import type { QueueState } from '../../core/verbs.ts';
import { RESPONSE, type ResponseCode } from '../../specs/rocketmq/response-codes.ts';
import { FORMAT } from '../adapter.ts';
import { toRecord } from './canonical.ts';
import type { Connection, Ticket } from './connection.ts';
import { RequestError } from './errors.ts';
import { findProperty } from './properties.ts';
import { locate, newRecordPlace, nextRecord, recordAt } from './record.ts';
import { ReplyField } from './reply.ts';
import { type Delivery, putStoredMessage, storedMessageBytes } from './stored-message.ts';
import { tagHash } from './tags.ts';

const SUGGEST = new ReplyField('suggestWhichBrokerId');
const NEXT_BEGIN = new ReplyField('nextBeginOffset');
const MIN_OFFSET = new ReplyField('minOffset');
const MAX_OFFSET = new ReplyField('maxOffset');
const TAGS = Buffer.from('TAGS');
/** Host of a message that no RocketMQ client sent. */
const NO_HOST = Buffer.alloc(8);
/** Reads of one turn that may find nothing that passes the filter. */
const FILTERED_READS_MAX = 16;

// Scratch of `collect` and `write`, which run in one synchronous stretch. A null payload means the node's builder of
// converted messages, which may move while it grows.
const payloads: (Buffer | null)[] = [];
const starts: number[] = [];
const offsets: Offset[] = [];
const storeTimes: TimeMs[] = [];
const place = newRecordPlace();
const batch: ReadBatch = { units: [], bytes: 0, nextOffset: 0, startOffset: 0, endOffset: 0 };
const EMPTY = Buffer.alloc(0);

export class PullRequest implements Waiter {
  readonly #connection: Connection;
  readonly #ticket = { opaque: 0, serialize: 0, oneway: false };
  readonly #delivery: Delivery;
  readonly #limits: ReadLimits = { bytesMax: 0, recordsMax: 0, tagHashes: null };
  readonly #waitQueues: QueueNumber[] = [0];
  readonly #waitOffsets: Offset[] = [0];
  #offset = 0;
  #deadlineMs = 0;
  #isOpen = false;
  #isWaiting = false;
  #wasWoken = false;
  #bytes = 0;
  #nextOffset = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#delivery = { queueId: 0, queue: 0, storeHost: connection.storeHost, topic: Buffer.alloc(0) };
  }

  /** Starts a pull. `deadlineMs` 0 does not wait for messages. */
  start(
    ticket: Ticket,
    topic: Buffer,
    queueId: number,
    queue: QueueNumber,
    offset: Offset,
    recordsMax: number,
    bytesMax: number,
    tagHashes: ReadonlySet<number> | null,
    deadlineMs: TimeMs,
  ): void {
    this.#ticket.opaque = ticket.opaque;
    this.#ticket.serialize = ticket.serialize;
    this.#ticket.oneway = ticket.oneway;
    this.#delivery.topic = topic;
    this.#delivery.queueId = queueId;
    this.#delivery.queue = queue;
    this.#limits.recordsMax = recordsMax;
    this.#limits.bytesMax = bytesMax;
    this.#limits.tagHashes = tagHashes;
    this.#offset = offset;
    this.#deadlineMs = deadlineMs;
    this.#wasWoken = false;
    this.#isOpen = true;
    this.#run();
  }

  wake(reason: 'data' | 'timeout'): void {
    if (!this.#isOpen) return;
    this.#stopWaiting();
    this.#wasWoken = true;
    if (reason === 'timeout') this.#deadlineMs = 0;
    this.#run();
  }

  /** Answers now with what there is to say. */
  giveUp(): void {
    this.#stopWaiting();
    this.#answerEmpty(RESPONSE.PULL_NOT_FOUND, 'OFFSET_OVERFLOW_ONE', this.#offset);
  }

  /** The connection is gone. */
  abandon(): void {
    this.#stopWaiting();
    this.#release();
  }

  #run(): void {
    try {
      this.#read();
    } catch (error) {
      this.#connection.fail(this.#ticket, error);
      this.#release();
    }
  }

  #read(): void {
    const { broker, principal } = this.#connection;
    const queue = this.#delivery.queue;
    for (let reads = 0; ; reads++) {
      const state = broker.queue(queue);
      if (state === null) throw new RequestError(RESPONSE.TOPIC_NOT_EXIST, 'the topic is gone');
      // Behind the last stable offset there is nothing for this protocol, whatever the queue holds.
      const isUnstable = this.#offset >= state.stableOffset && this.#offset <= state.endOffset;
      const status = isUnstable ? 'empty' : broker.read(principal, queue, this.#offset, this.#limits, batch, this);
      switch (status) {
        case 'pending':
          return;
        case 'empty':
          return this.#empty();
        case 'too-small':
          return this.#answerEmpty(RESPONSE.PULL_OFFSET_MOVED, 'OFFSET_TOO_SMALL', state.startOffset);
        case 'too-large':
          // From an empty or recreated queue the client begins anew rather than at an end it has not seen.
          return this.#answerEmpty(
            RESPONSE.PULL_OFFSET_MOVED,
            'OFFSET_OVERFLOW_BADLY',
            state.startOffset === 0 ? 0 : state.endOffset,
          );
        case 'found':
          if (this.#collect(state)) return this.#write(state);
          break;
        case 'filtered':
          this.#nextOffset = batch.nextOffset;
          break;
      }
      this.#offset = Math.max(this.#offset, this.#nextOffset);
      if (reads >= FILTERED_READS_MAX || (!this.#wasWoken && this.#offset >= state.stableOffset)) {
        return this.#answerEmpty(RESPONSE.PULL_RETRY_IMMEDIATELY, 'NO_MATCHED_MESSAGE', this.#offset);
      }
    }
  }

  #empty(): void {
    const connection = this.#connection;
    if (this.#deadlineMs > connection.broker.nowMs()) {
      this.#waitQueues[0] = this.#delivery.queue;
      this.#waitOffsets[0] = Math.max(this.#offset, connection.broker.queue(this.#delivery.queue)!.endOffset);
      this.#isWaiting = true;
      connection.broker.wait(this, this.#waitQueues, this.#waitOffsets, this.#deadlineMs);
      return;
    }
    this.#answerEmpty(RESPONSE.PULL_NOT_FOUND, 'OFFSET_OVERFLOW_ONE', this.#offset);
  }

  /** Picks the records to send from the batch. False when none passes; #nextOffset is where to go on. */
  #collect(state: QueueState): boolean {
    const { units, nextOffset } = batch;
    payloads.length = 0;
    starts.length = 0;
    offsets.length = 0;
    storeTimes.length = 0;
    this.#bytes = 0;
    this.#connection.node.incoming.begin();
    this.#nextOffset = Math.min(nextOffset, state.stableOffset);
    for (const unit of units) {
      if (unit.baseOffset >= state.stableOffset) break;
      if ((unit.flags & UNIT.control) !== 0) continue;
      const isWhole = unit.format === FORMAT.rocketmq ? this.#collectOwn(unit) : this.#collectForeign(unit);
      if (!isWhole) break;
    }
    return offsets.length > 0;
  }

  #collectOwn(unit: ReadUnit): boolean {
    const { payload, count, baseOffset } = unit;
    let at = recordAt(payload, unit.firstRecord);
    for (let i = 0; i < count; i++) {
      const offset = baseOffset + i;
      if (offset >= this.#offset) {
        locate(payload, at, place);
        if (this.#passes(unit, payload) && !this.#take(payload, at, offset, unit.storeTimeMs)) return false;
        at = place.end;
      } else at = nextRecord(payload, at);
    }
    return true;
  }

  /** A record of another format: through the canonical message into the node's scratch. */
  #collectForeign(unit: ReadUnit): boolean {
    const { broker, node } = this.#connection;
    let messages: readonly Message[];
    try {
      messages = broker.messages(unit);
    } catch (error) {
      // What was read before it is delivered first; then the pull that begins here is told.
      if (!(error instanceof BrokerError) || offsets.length === 0) throw error;
      this.#nextOffset = unit.baseOffset;
      return false;
    }
    const wanted = this.#limits.tagHashes;
    for (let i = Math.max(0, this.#offset - unit.baseOffset); i < unit.count; i++) {
      const message = messages[unit.firstRecord + i]!;
      if (wanted !== null && unit.tagHash === TAG_MIXED && !wanted.has(tagHash(message.tag))) continue;
      const record = toRecord(message);
      node.counts.conversions++;
      node.counts.headersDropped += record.dropped;
      const builder = node.incoming;
      const at = builder.length;
      const head = { flag: record.flag, sysFlag: 0, bornTimestamp: record.bornTimestamp, reconsumeTimes: 0 };
      builder.open(head, NO_HOST, record.body.length, record.properties.length);
      record.body.copy(builder.buffer, builder.bodyStart);
      record.properties.copy(builder.buffer, builder.propertiesStart);
      builder.close();
      locate(builder.buffer, at, place);
      if (!this.#take(null, at, unit.baseOffset + i, unit.storeTimeMs)) return false;
    }
    return true;
  }

  /** A unit of one tag was filtered by the core; one of several is looked into. */
  #passes(unit: ReadUnit, payload: Buffer): boolean {
    const wanted = this.#limits.tagHashes;
    if (wanted === null || unit.tagHash !== TAG_MIXED) return true;
    return wanted.has(tagHash(findProperty(payload, place.propertiesStart, place.propertiesEnd, TAGS)));
  }

  /** Adds the record at `place`; false when the reply is full and goes on from it next time. */
  #take(payload: Buffer | null, start: number, offset: Offset, storeTimeMs: TimeMs): boolean {
    const bytes = storedMessageBytes(place, this.#delivery);
    const isFull = offsets.length >= this.#limits.recordsMax || this.#bytes + bytes > this.#limits.bytesMax;
    if (isFull && offsets.length > 0) {
      this.#nextOffset = offset;
      return false;
    }
    payloads.push(payload);
    starts.push(start);
    offsets.push(offset);
    storeTimes.push(storeTimeMs);
    this.#bytes += bytes;
    return true;
  }

  #write(state: QueueState): void {
    const connection = this.#connection;
    const reply = this.#begin(RESPONSE.SUCCESS, 'FOUND', this.#nextOffset, state.startOffset, state.endOffset);
    const writer = reply.writer;
    let at = writer.claim(this.#bytes);
    const converted = connection.node.incoming.buffer;
    for (let i = 0; i < offsets.length; i++) {
      const payload = payloads[i] ?? converted;
      locate(payload, starts[i]!, place);
      at = putStoredMessage(writer.buffer, at, payload, place, this.#delivery, offsets[i]!, storeTimes[i]!);
    }
    connection.node.counts.messagesOut += offsets.length;
    // Let go of the log's memory: the arrays live on.
    payloads.length = 0;
    connection.finish(this.#ticket);
    this.#release();
  }

  #answerEmpty(code: ResponseCode, remark: string, nextOffset: Offset): void {
    const state = this.#connection.broker.queue(this.#delivery.queue);
    this.#begin(code, remark, nextOffset, state?.startOffset ?? 0, state?.endOffset ?? 0);
    this.#connection.finish(this.#ticket);
    this.#release();
  }

  #begin(code: ResponseCode, remark: string, next: Offset, min: Offset, max: Offset) {
    const reply = this.#connection.begin(this.#ticket, code, remark);
    reply.number(SUGGEST, 0);
    reply.number(NEXT_BEGIN, next);
    reply.number(MIN_OFFSET, min);
    reply.number(MAX_OFFSET, max);
    reply.endHeader();
    return reply;
  }

  #stopWaiting(): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.#connection.broker.cancelWait(this);
  }

  #release(): void {
    this.#isOpen = false;
    // The units stay for the next read; what they point to is the log's memory.
    for (const unit of batch.units) unit.payload = EMPTY;
    this.#connection.releasePull(this);
  }
}
