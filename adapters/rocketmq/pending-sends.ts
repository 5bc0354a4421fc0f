// Sends (and commits) whose replies wait for the core, in typed arrays: no object per message.
//
// Invariants: a token is a slot's number; a slot is taken from `open` until its one outcome; the reply needs nothing
// but what stands in the slot.

import type { Offset, QueueNumber, Topic } from '../../core/types.ts';
import type { Append } from '../../core/verbs.ts';
import { REGION } from '../../specs/rocketmq/constants.ts';
import { RESPONSE } from '../../specs/rocketmq/response-codes.ts';
import { FORMAT } from '../adapter.ts';
import type { Connection, Ticket } from './connection.ts';
import type { Original } from './duplicates.ts';
import { RequestError } from './errors.ts';
import { putOffsetMsgId } from './message-id.ts';
import { hexadecimal, ReplyConstant, ReplyField } from './reply.ts';

const MSG_ID = new ReplyField('msgId');
const QUEUE_ID = new ReplyField('queueId');
const QUEUE_OFFSET = new ReplyField('queueOffset');
const MSG_REGION = new ReplyConstant('MSG_REGION', REGION);
const TRACE_ON = new ReplyConstant('TRACE_ON', 'true');

/** What the reply to a slot says. */
const KIND = { send: 0, sendBack: 1 } as const;

export class PendingSends {
  #opaque = new Int32Array(64);
  /** serialize type, plus 2 for oneway, plus 4 for a send-back or commit. */
  #marks = new Uint8Array(64);
  #records = new Int32Array(64);
  /** Queue id that the client named, -1 when the core placed the message. */
  #queueIds = new Int32Array(64);
  readonly #topics: (Topic | null)[] = [];
  #free: number[] = [];
  #slots = 0;
  readonly #slotsMax: number;
  /** Slots whose append others wait for (duplicates.ts). */
  readonly originals = new Map<number, Original>();
  readonly #id = Buffer.alloc(28);
  readonly #ticket = { opaque: 0, serialize: 0, oneway: false };

  /** Beyond so many sends under way, further ones are told to slow down. */
  constructor(slotsMax: number) {
    this.#slotsMax = slotsMax;
  }

  /** Slots that wait. */
  get size(): number {
    return this.#slots - this.#free.length;
  }

  /** A slot for a send; its reply tells where the messages are. */
  openSend(ticket: Ticket, topic: Topic, queueId: number, records: number): number {
    const slot = this.#open(ticket, KIND.send);
    this.#topics[slot] = topic;
    this.#queueIds[slot] = queueId;
    this.#records[slot] = records;
    return slot;
  }

  /** A slot for what is only confirmed. */
  openPlain(ticket: Ticket): number {
    return this.#open(ticket, KIND.sendBack);
  }

  /** The append of this slot is the first of its unique key. */
  fulfil(slot: number, original: Original): void {
    original.state = 'pending';
    this.originals.set(slot, original);
  }

  /** Gives a slot back without an answer: the request failed, or the connection is gone. */
  forget(slot: number): void {
    if (this.originals.size > 0) this.originals.delete(slot);
    this.#topics[slot] = null;
    this.#free.push(slot);
  }

  committed(connection: Connection, slot: number): void {
    const ticket = this.#restore(slot);
    this.forget(slot);
    connection.answer(ticket, RESPONSE.SUCCESS);
  }

  /** Writes the reply to an append and frees its slot. */
  appended(connection: Connection, slot: number, queue: QueueNumber, baseOffset: Offset): void {
    if (this.#marks[slot]! >> 2 === KIND.sendBack) {
      this.committed(connection, slot);
      return;
    }
    const ticket = this.#restore(slot);
    const topic = this.#topics[slot]!;
    const records = this.#records[slot]!;
    const named = this.#queueIds[slot]!;
    this.forget(slot);
    connection.node.counts.messagesIn += records;
    // A message that is not due yet lies in no queue: the client hears the one it chose, and no offset.
    const queueId = named >= 0 ? named : Math.max(0, topic.queues.indexOf(queue));
    this.answerSend(connection, ticket, queueId, queue, baseOffset, records);
  }

  /** Tells where messages are stored. */
  answerSend(
    connection: Connection,
    ticket: Ticket,
    queueId: number,
    queue: QueueNumber,
    baseOffset: Offset,
    records: number,
  ): void {
    const reply = connection.begin(ticket, RESPONSE.SUCCESS);
    const host = connection.storeHost;
    const id = this.#id;
    const idBytes = host.bytes.length + 8;
    putOffsetMsgId(id, 0, host, queue, baseOffset);
    if (records === 1) reply.hex(MSG_ID, id, 0, idBytes);
    else {
      reply.list(MSG_ID, records, (writer, i) => {
        putOffsetMsgId(id, 0, host, queue, baseOffset + i);
        hexadecimal(writer, id, 0, idBytes);
      });
    }
    reply.number(QUEUE_ID, queueId);
    reply.number(QUEUE_OFFSET, baseOffset);
    reply.constant(MSG_REGION);
    reply.constant(TRACE_ON);
    reply.endHeader();
    connection.finish(ticket);
  }

  #restore(slot: number): Ticket {
    const ticket = this.#ticket;
    ticket.opaque = this.#opaque[slot]!;
    ticket.serialize = this.#marks[slot]! & 1;
    ticket.oneway = (this.#marks[slot]! & 2) !== 0;
    return ticket;
  }

  #open(ticket: Ticket, kind: number): number {
    let slot = this.#free.pop();
    if (slot === undefined) {
      slot = this.#slots;
      if (slot >= this.#slotsMax)
        throw new RequestError(
          RESPONSE.SYSTEM_BUSY,
          `[REJECTREQUEST]system busy: ${this.#slotsMax} sends of this connection wait for the disk, slow down`,
        );
      if (slot === this.#opaque.length) this.#grow();
      this.#slots++;
    }
    this.#opaque[slot] = ticket.opaque;
    this.#marks[slot] = ticket.serialize | (ticket.oneway ? 2 : 0) | (kind << 2);
    return slot;
  }

  #grow(): void {
    this.#opaque = copied(new Int32Array(this.#opaque.length * 2), this.#opaque);
    this.#records = copied(new Int32Array(this.#records.length * 2), this.#records);
    this.#queueIds = copied(new Int32Array(this.#queueIds.length * 2), this.#queueIds);
    const marks = new Uint8Array(this.#marks.length * 2);
    marks.set(this.#marks);
    this.#marks = marks;
  }
}

function copied(target: Int32Array<ArrayBuffer>, source: Int32Array): Int32Array<ArrayBuffer> {
  target.set(source);
  return target;
}

/** The format tag of everything this adapter appends. */
export const FORMAT_TAG = FORMAT.rocketmq;

/** What a connection fills for each of its appends. */
export function newAppend(): Append {
  return {
    topic: null as Topic | null,
    queue: -1,
    exchange: null,
    namespace: '',
    routingKey: null,
    format: 0,
    payload: Buffer.alloc(0),
    records: 1,
    key: null,
    tagHash: 0,
    keys: null,
    recordTimeMaxMs: 0,
    flags: 0,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
    expiryMs: 0,
    priority: 0,
    notBeforeMs: 0,
  };
}
