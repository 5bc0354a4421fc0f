// One pull (11, 361) from its arrival to its reply: read, filter, wait, read again.
//
// The object is the core's Waiter for as long as it waits, and is reused for later pulls of its connection.
//
// Invariants:
// - a pull is answered once, and holds its place among the connection's parked pulls until then;
// - a wake that comes late, for a pull that has been answered since (cold bytes of a given-up read), does nothing;
// - a reader of this protocol stops at the last stable offset;
// - whatever was looked at and not delivered is passed by nextBeginOffset, so no pull meets it again.

import type { Group, Offset, Principal, QueueNumber, ReadBatch, ReadLimits, TimeMs, Waiter } from '../../core/types.ts';
import type { QueueState } from '../../core/verbs.ts';
import { RESPONSE, type ResponseCode } from '../../specs/rocketmq/response-codes.ts';
import type { Connection, Ticket } from './connection.ts';
import { RequestError } from './errors.ts';
import { pendingReset } from './offset-reset.ts';
import { pullBody } from './pull-body.ts';
import { type Reply, ReplyField } from './reply.ts';
import type { Delivery } from './stored-message.ts';

export const SUGGEST = new ReplyField('suggestWhichBrokerId');
export const NEXT_BEGIN = new ReplyField('nextBeginOffset');
export const MIN_OFFSET = new ReplyField('minOffset');
export const MAX_OFFSET = new ReplyField('maxOffset');
/** Reads of one turn that may find nothing that passes the filter. */
const FILTERED_READS_MAX = 16;

// What a read fills: used within one synchronous stretch.
const batch: ReadBatch = { brief: 'all', units: [], bytes: 0, nextOffset: 0, startOffset: 0, endOffset: 0 };
const EMPTY = Buffer.alloc(0);

export class PullRequest implements Waiter {
  readonly #connection: Connection;
  readonly #ticket = { opaque: 0, serialize: 0, oneway: false };
  readonly #delivery: Delivery;
  readonly #limits: ReadLimits = { bytesMax: 0, recordsMax: 0, tagHashes: null };
  readonly #waitQueues: QueueNumber[] = [0];
  readonly #waitOffsets: Offset[] = [0];
  #group: Group | null = null;
  #principal: Principal;
  #offset = 0;
  #deadlineMs = 0;
  #isOpen = false;
  #isWaiting = false;
  #wasWoken = false;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#principal = connection.principal;
    this.#delivery = {
      queueId: 0,
      queue: 0,
      storeHost: connection.storeHost,
      topic: EMPTY,
      added: connection.node.addedProperties,
    };
  }

  /**
   * Starts a pull. `deadlineMs` 0 does not wait for messages; `movedTo` is where an administrator put the group, -1
   * when it is where the client believes.
   */
  start(
    ticket: Ticket,
    group: Group,
    topic: Buffer,
    queueId: number,
    queue: QueueNumber,
    offset: Offset,
    recordsMax: number,
    bytesMax: number,
    tagHashes: ReadonlySet<number> | null,
    deadlineMs: TimeMs,
    movedTo: Offset,
  ): void {
    this.#ticket.opaque = ticket.opaque;
    this.#ticket.serialize = ticket.serialize;
    this.#ticket.oneway = ticket.oneway;
    this.#group = group;
    this.#principal = this.#connection.principal;
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
    if (movedTo >= 0) this.#answerEmpty(RESPONSE.PULL_OFFSET_MOVED, 'OFFSET_RESET', movedTo);
    else this.#run();
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

  /** Its group's place on its queue was moved: it is answered with the new one, whether it waits or not. */
  reset(group: Group, queue: QueueNumber): void {
    if (!this.#isOpen || this.#group !== group || this.#delivery.queue !== queue) return;
    const place = pendingReset(this.#connection.broker, group, queue);
    if (place === null || place === this.#offset) return;
    this.#stopWaiting();
    this.#answerEmpty(RESPONSE.PULL_OFFSET_MOVED, 'OFFSET_RESET', place);
  }

  /** What its group subscribes to has changed: the client asks again, and what arrives from now on meets the new filter. */
  refilter(group: Group): void {
    if (!this.#isWaiting || this.#group !== group) return;
    this.#stopWaiting();
    this.#answerEmpty(RESPONSE.PULL_RETRY_IMMEDIATELY, 'NO_MATCHED_MESSAGE', this.#offset);
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
    const { broker, node } = this.#connection;
    const queue = this.#delivery.queue;
    for (let reads = 0; ; reads++) {
      const state = broker.queue(queue);
      if (state === null) throw new RequestError(RESPONSE.TOPIC_NOT_EXIST, 'the topic is gone');
      // Behind the last stable offset there is nothing for this protocol, whatever the queue holds.
      const isUnstable = this.#offset >= state.stableOffset && this.#offset <= state.endOffset;
      const status = isUnstable
        ? 'empty'
        : broker.read(this.#principal, queue, this.#offset, this.#limits, batch, this);
      switch (status) {
        case 'pending':
          return;
        case 'empty':
          return this.#empty();
        case 'too-small':
          return this.#answerEmpty(RESPONSE.PULL_OFFSET_MOVED, 'OFFSET_TOO_SMALL', state.startOffset);
        case 'too-large':
          // Where nothing is (an empty queue, one made anew), the client begins at its beginning: that is its end too.
          return this.#answerEmpty(RESPONSE.PULL_OFFSET_MOVED, 'OFFSET_OVERFLOW_BADLY', state.endOffset);
        case 'found':
          if (pullBody.collect(node, batch, this.#offset, state.stableOffset, this.#limits, this.#delivery)) {
            return this.#write(state);
          }
          this.#offset = Math.max(this.#offset, pullBody.nextOffset);
          break;
        case 'filtered':
          this.#offset = Math.max(this.#offset, batch.nextOffset);
          break;
      }
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

  #write(state: QueueState): void {
    const { node } = this.#connection;
    const { nextOffset, bytes } = pullBody;
    const reply = this.#begin(RESPONSE.SUCCESS, 'FOUND', nextOffset, state.startOffset, state.endOffset, bytes);
    pullBody.write(node, reply.writer, this.#delivery);
    node.counts.messagesOut += pullBody.count;
    node.groups.delivered(this.#group!, state.topic.id, pullBody.count);
    this.#connection.finish(this.#ticket);
    this.#release();
  }

  #answerEmpty(code: ResponseCode, remark: string, nextOffset: Offset): void {
    this.#connection.node.counts.pullsEmpty++;
    const state = this.#connection.broker.queue(this.#delivery.queue);
    this.#begin(code, remark, nextOffset, state?.startOffset ?? 0, state?.endOffset ?? 0);
    this.#connection.finish(this.#ticket);
    this.#release();
  }

  #begin(code: ResponseCode, remark: string, next: Offset, min: Offset, max: Offset, bodyBytes = 0): Reply {
    const reply = this.#connection.begin(this.#ticket, code, remark, bodyBytes);
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
    this.#group = null;
    // The units stay for the next read; what they point to is the log's memory.
    for (const unit of batch.units) unit.payload = EMPTY;
    this.#connection.releasePull(this);
  }
}
