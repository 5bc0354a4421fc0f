// One client connection: frames in, replies out. The same code serves the name server's and the broker's ports, since
// a request's code alone says what is asked.
//
// Order of things: receive → frame → header → dispatch (dispatch.ts) → the request's own file → reply → outbox, which
// writes all replies of a turn at once.
//
// Invariants:
// - a request gets exactly one reply, none if it is oneway, none when the connection or the journal is gone;
// - nothing a peer sends makes us hold more than the named limits;
// - the Header is valid only while its request is being dispatched: what is answered later has taken a Ticket.

import type { Duplex } from 'node:stream';
import { BrokerError } from '../../core/errors.ts';
import type { Group, Offset, Principal, QueueNumber, TimeMs, Topic } from '../../core/types.ts';
import type { Append, AppendTarget, CommitTarget, OffsetCommit, Verbs } from '../../core/verbs.ts';
import { FLAG_RESPONSE, FRAME_BYTES_MAX } from '../../specs/rocketmq/constants.ts';
import { RESPONSE, type ResponseCode } from '../../specs/rocketmq/response-codes.ts';
import type { ConnectionInfo } from '../adapter.ts';
import { Framer, Int32Frames } from '../wire/framer.ts';
import { Outbox } from '../wire/outbox.ts';
import { takeReads } from '../wire/reused-reads.ts';
import { Writer } from '../wire/writer.ts';
import { type ClientAnswer, ClientCalls } from './client-calls.ts';
import { readCommand } from './command.ts';
import { dispatch } from './dispatch.ts';
import type { Original } from './duplicates.ts';
import { RequestError, responseCode } from './errors.ts';
import { Header } from './header.ts';
import { HostBytes } from './message-id.ts';
import type { BrokerNode } from './node.ts';
import { newAppend, PendingSends } from './pending-sends.ts';
import { PullRequest } from './pull-request.ts';
import { Reply, ReplyField } from './reply.ts';
import { senderOf } from './signature.ts';

/** From here on a reply has a buffer for itself, used again when it was sent; smaller ones share a slab. */
const LARGE_REPLY_BYTES = 16 * 1024;

/** What a reply needs to know of its request. */
export interface Ticket {
  readonly opaque: number;
  readonly serialize: number;
  readonly oneway: boolean;
}

/** As the protocol's brokers: a silent channel is cut. */
const IDLE_MS = 120_000;
const HANDSHAKE_MS = 10_000;

const NOTIFY_CONSUMER_IDS_CHANGED = 40;
const CONSUMER_GROUP = new ReplyField('consumerGroup');

export class Connection implements AppendTarget, CommitTarget {
  readonly node: BrokerNode;
  readonly broker: Verbs;
  readonly info: ConnectionInfo;
  /** Of a request that is not signed. */
  readonly anonymous: Principal;
  /** Who sent the request that is being dispatched. What it does later may find another that this client has proved to be. */
  principal: Principal;
  readonly bornHost: HostBytes;
  readonly storeHost: HostBytes;
  /** Reused by every send of this connection. */
  readonly append: Append = newAppend();
  readonly sends: PendingSends;
  /** Groups that this connection is a member of, by client id and group number: for leaving when it closes. */
  readonly memberships = new Map<string, { readonly clientId: string; readonly group: number }>();
  /** Producer groups that this connection named, for the same reason. */
  readonly producing = new Map<string, { readonly group: string; readonly clientId: string }>();
  /** Address and port of the client. */
  readonly remoteText: string;
  readonly offsets: OffsetCommit[] = [{ queue: 0, offset: 0, metadata: '', epoch: -1 }];

  readonly #stream: Duplex;
  readonly #framer: Framer;
  readonly #header = new Header();
  readonly #outbox: Outbox;
  readonly #reply: Reply;
  readonly #largeReply: Reply;
  /** The one of the two that was begun last. */
  #begun: Reply;
  readonly #idlePulls: PullRequest[] = [];
  readonly #parked = new Set<PullRequest>();
  readonly #calls: ClientCalls;
  readonly #onClosed: (connection: Connection) => void;
  #later = 0;
  #deferredBytes = 0;
  #nextOpaque = 1;
  #lastSeenMs: TimeMs;
  #timer = 0;
  #isClosed = false;
  #isSpoken = false;

  constructor(node: BrokerNode, stream: Duplex, info: ConnectionInfo, onClosed: (connection: Connection) => void) {
    this.node = node;
    this.broker = node.broker;
    this.sends = new PendingSends(node.limits.sendsMax);
    this.info = info;
    this.anonymous = node.context.anonymous(info.remote.host);
    this.principal = this.anonymous;
    this.remoteText = `${info.remote.host}:${info.remote.port}`;
    this.bornHost = new HostBytes(info.remote.host, info.remote.port);
    this.storeHost = node.storeHost(info);
    this.#stream = stream;
    this.#onClosed = onClosed;
    this.#calls = new ClientCalls(node.context.clock);
    const frameBytesMax = node.context.limits['frameBytesMax'] ?? FRAME_BYTES_MAX;
    this.#framer = new Framer(new Int32Frames(frameBytesMax), (buffer, start, end) => this.receive(buffer, start, end));
    this.#outbox = new Outbox(stream, { onDrain: () => stream.resume() });
    this.#reply = new Reply(new Writer({ slabBytes: 256 * 1024 }));
    this.#largeReply = new Reply(node.largeWriter);
    this.#begun = this.#reply;
    this.#lastSeenMs = node.context.clock.nowMs();
    takeReads(stream, (bytes) => this.#data(bytes));
    stream.on('error', (error) => node.context.log.debug({ error, remote: info.remote }, 'connection failed'));
    stream.on('close', () => this.#closed());
    stream.on('end', () => this.end());
    this.#arm(node.context.limits['handshakeTimeoutMs'] ?? HANDSHAKE_MS);
  }

  /** Serves the command in buffer[start, end). */
  receive(buffer: Buffer, start: number, end: number): void {
    this.#isSpoken = true;
    this.node.counts.requests++;
    const header = this.#header;
    let isRead = false;
    try {
      readCommand(buffer, start, end, header);
      isRead = true;
      if ((header.flag & FLAG_RESPONSE) !== 0) {
        this.#answered(header, buffer);
        return;
      }
      if (this.node.draining) throw new RequestError(RESPONSE.SERVICE_NOT_AVAILABLE, 'the broker is shutting down');
      this.principal = senderOf(this, header, buffer);
      dispatch(this, header, buffer);
    } catch (error) {
      if (!isRead && header.opaque === 0) {
        // Without an opaque number no client could tell which request the error belongs to.
        this.#hostile(error);
        return;
      }
      this.fail(header, error);
    }
  }

  /** A reply without fields or body. */
  answer(ticket: Ticket, code: ResponseCode, remark = ''): void {
    this.begin(ticket, code, remark).endHeader();
    this.finish(ticket);
  }

  answerBody(ticket: Ticket, body: Buffer): void {
    const reply = this.begin(ticket, RESPONSE.SUCCESS);
    reply.endHeader();
    reply.writer.bytes(body);
    this.finish(ticket);
  }

  /** Begins a reply; the caller adds fields, ends the header, adds a body of about so many bytes and calls finish. */
  begin(ticket: Ticket, code: ResponseCode, remark = '', bodyBytes = 0): Reply {
    this.#begun = bodyBytes < LARGE_REPLY_BYTES ? this.#reply : this.#largeReply;
    this.#begun.begin(ticket.serialize, ticket.opaque, code, remark);
    return this.#begun;
  }

  finish(ticket: Ticket): void {
    const { writer } = this.#begun;
    if (ticket.oneway) {
      writer.truncate(0);
      return;
    }
    this.#begun.finish();
    this.#outbox.pushFrame(writer);
  }

  /** Answers with the error's code, or gives up the connection when the error is a bug of ours. */
  fail(ticket: Ticket, error: unknown): void {
    this.#begun.writer.truncate(0);
    this.node.counts.errors++;
    let code = responseCode(error);
    if (code === null) {
      this.node.context.log.error({ error }, 'a RocketMQ request failed by a defect of the broker');
      code = RESPONSE.SYSTEM_ERROR;
    }
    this.answer(ticket, code, error instanceof Error ? error.message : String(error));
  }

  /** What a later reply needs of the request that is being dispatched. */
  ticket(header: Header): Ticket {
    return { opaque: header.opaque, serialize: header.serialize, oneway: header.oneway };
  }

  /** Serves a cold request whose answer takes time. `serve` answers through the ticket, or throws. */
  later(header: Header, serve: (ticket: Ticket) => Promise<void>): void {
    if (this.#later >= this.node.limits.requestsMax)
      throw new RequestError(RESPONSE.SYSTEM_BUSY, 'too many requests wait on this connection');
    const ticket = this.ticket(header);
    this.#later++;
    serve(ticket)
      .catch((error: unknown) => {
        if (!this.#isClosed) this.fail(ticket, error);
      })
      .finally(() => this.#later--)
      .catch((error: unknown) => this.node.context.log.error({ error }, 'a RocketMQ reply failed'));
  }

  /** Serves the frame at hand again when `ready` has resolved, for example with a topic. */
  retryAfter(header: Header, frame: Buffer, ready: Promise<unknown>): void {
    const bytes = header.bodyEnd - header.frameStart;
    if (this.#deferredBytes + bytes > this.node.limits.deferredBytesMax) {
      throw new RequestError(RESPONSE.SYSTEM_BUSY, 'too many requests wait for a topic to be created');
    }
    // The frame is good until this returns.
    const copy = Buffer.from(frame.subarray(header.frameStart, header.bodyEnd));
    this.#deferredBytes += bytes;
    this.later(header, async () => {
      try {
        await ready;
      } finally {
        this.#deferredBytes -= bytes;
      }
      if (!this.#isClosed) this.receive(copy, 0, bytes);
    });
  }

  /** A pull request object, new or used. */
  takePull(): PullRequest {
    if (this.#parked.size >= this.node.limits.pullsMax)
      throw new RequestError(RESPONSE.FLOW_CONTROL, 'too many pulls wait on this connection');
    const pull = this.#idlePulls.pop() ?? new PullRequest(this);
    this.#parked.add(pull);
    return pull;
  }

  releasePull(pull: PullRequest): void {
    if (this.#parked.delete(pull) && this.#idlePulls.length < 256) this.#idlePulls.push(pull);
  }

  appended(token: number, queue: QueueNumber, baseOffset: Offset, _storeTimeMs: TimeMs): void {
    if (this.sends.originals.size > 0) {
      const original = this.sends.originals.get(token);
      if (original !== undefined) this.node.duplicates.stored(original, queue, baseOffset);
    }
    if (!this.#isClosed) this.sends.appended(this, token, queue, baseOffset);
    else this.sends.forget(token);
  }

  /** The reply to a send that was stored before: where the first one is. */
  answerDuplicate(ticket: Ticket, topic: Topic, records: number, original: Original): void {
    if (this.#isClosed) return;
    const queueId = Math.max(0, topic.queues.indexOf(original.queue));
    this.sends.answerSend(this, ticket, queueId, original.queue, original.offset, records);
  }

  committed(token: number): void {
    if (!this.#isClosed) this.sends.committed(this, token);
    else this.sends.forget(token);
  }

  notifyMembersChanged(group: string): void {
    this.tell(NOTIFY_CONSUMER_IDS_CHANGED, (reply) => reply.text(CONSUMER_GROUP, group));
  }

  /** Sends the client a oneway request. */
  tell(code: number, fields: (reply: Reply) => void, body: Buffer | null = null): void {
    if (!this.#isClosed) this.#request(code, true, fields, body);
  }

  /** Asks the client; rejects with CONSUME_MSG_TIMEOUT or CONSUMER_NOT_ONLINE. */
  ask(
    code: number,
    fields: (reply: Reply) => void,
    body: Buffer | null = null,
    waitMs?: number,
  ): Promise<ClientAnswer> {
    if (this.#isClosed) {
      return Promise.reject(new RequestError(RESPONSE.CONSUMER_NOT_ONLINE, 'the client has gone'));
    }
    const answer = this.#calls.expect(this.#nextOpaque, this.remoteText, waitMs);
    this.#request(code, false, fields, body);
    return answer;
  }

  #request(code: number, oneway: boolean, fields: (reply: Reply) => void, body: Buffer | null): void {
    this.#reply.beginRequest(this.#nextOpaque, code, oneway);
    this.#nextOpaque = (this.#nextOpaque + 1) & 0x7fff_ffff;
    fields(this.#reply);
    this.#reply.endHeader();
    if (body !== null) this.#reply.writer.bytes(body);
    this.#reply.finish();
    this.#outbox.pushFrame(this.#reply.writer);
  }

  #answered(header: Header, buffer: Buffer): void {
    this.#calls.answered(header.opaque, {
      code: header.code,
      remark: header.remark,
      body: Buffer.from(buffer.subarray(header.bodyStart, header.bodyEnd)),
    });
  }

  /** Pulls of a group that wait are asked again under its new subscription. */
  refilterPulls(group: Group): void {
    for (const pull of this.#parked) pull.refilter(group);
  }

  /** Pulls of a group on a queue that wait answer at once that their place has been moved. */
  resetPulls(group: Group, queue: QueueNumber): void {
    for (const pull of this.#parked) pull.reset(group, queue);
  }

  /** Nothing is under way that the client still waits for. */
  get isIdle(): boolean {
    return this.#later === 0 && this.sends.size === 0;
  }

  /** Answers what waits for messages, so that only work that ends by itself is left. */
  drain(): void {
    for (const pull of this.#parked) pull.giveUp();
  }

  end(): void {
    this.#outbox.flush();
    this.#stream.end();
  }

  cut(): void {
    this.#stream.destroy();
  }

  #data(chunk: Buffer): void {
    this.#lastSeenMs = this.node.context.clock.nowMs();
    this.node.counts.bytesIn += chunk.length;
    this.node.rates.seen(this.#lastSeenMs);
    try {
      this.#framer.push(chunk);
    } catch (error) {
      this.#hostile(error);
    }
    if (this.#outbox.congested) this.#stream.pause();
  }

  /** Bytes that are no command: log and end the connection, as the protocol has no way to say more. */
  #hostile(error: unknown): void {
    if (!(error instanceof Error) || error.name === 'InvariantError') throw error;
    this.node.counts.errors++;
    this.node.context.log.info({ remote: this.info.remote, reason: error.message }, 'RocketMQ connection cut');
    this.#framer.stop();
    this.#stream.destroy();
  }

  #arm(delayMs: number): void {
    this.#timer = this.node.context.clock.setTimer(delayMs, () => this.#idleCheck());
  }

  #idleCheck(): void {
    const silentMs = this.node.context.clock.nowMs() - this.#lastSeenMs;
    if (!this.#isSpoken || silentMs >= IDLE_MS) this.#stream.destroy();
    else this.#arm(IDLE_MS - silentMs);
  }

  #closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#framer.stop();
    this.node.context.clock.clearTimer(this.#timer);
    for (const pull of this.#parked) pull.abandon();
    this.#calls.abandon();
    this.#leaveGroups();
    this.#onClosed(this);
  }

  #leaveGroups(): void {
    for (const { group, clientId } of this.producing.values()) this.node.producers.leave(group, clientId, this);
    try {
      for (const { clientId, group } of this.memberships.values()) {
        const found = this.broker.groupById(group);
        if (found !== null) this.node.groups.leave(found, clientId, this);
      }
    } catch (error) {
      // After the journal was lost there is no group to leave; members are in memory only.
      if (!(error instanceof BrokerError)) throw error;
    }
  }
}
