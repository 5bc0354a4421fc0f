/**
 * One connection: from the protocol header to the last octet.
 *
 *   header → start → tune → open → running → closing → closed
 *
 * Invariants:
 * - frames are handled in the order they came; while a method waits for the core, the rest of its chunk is kept and
 *   the socket is not read, so nothing overtakes it and a client that pipelines is answered in order;
 * - what goes wrong is answered here and nowhere else: on the channel or the connection it belongs to, once;
 * - while closing, everything but close and close-ok is dropped;
 * - whatever ends the connection, its channels are released and its exclusive queues deleted, once, in `#end`.
 */

import type { Duplex } from 'node:stream';
import { InvariantError } from '../../core/errors.ts';
import type { Principal, Topic } from '../../core/types.ts';
import type { Verbs } from '../../core/verbs.ts';
import type { MethodName } from '../../specs/amqp/methods.ts';
import { methodKey, methods } from '../../specs/amqp/methods.ts';
import type { AdapterContext, ConnectionInfo } from '../adapter.ts';
import { Outbox } from '../wire/outbox.ts';
import { Reader } from '../wire/reader.ts';
import { AmqpError } from './amqp-error.ts';
import { amqpErrorOf } from './broker-errors.ts';
import { Channel } from './channel.ts';
import type { Loan } from './content-assembly.ts';
import { PropertyScan } from './content-properties.ts';
import type { Counts } from './counts.ts';
import { DeliveryContent } from './delivery-content.ts';
import { dispatchChannel, dispatchConnection } from './dispatch.ts';
import type { FrameSink } from './frame-parser.ts';
import { FrameParser } from './frame-parser.ts';
import { FrameWriter } from './frame-writer.ts';
import { Heartbeat } from './heartbeat.ts';
import type { Limits } from './limits.ts';
import { methodByKey } from './method-arguments.ts';
import { ackFast } from './methods/basic-ack.ts';
import { beginPublish, endPublish, publishBody, publishHeader } from './methods/basic-publish.ts';
import { sendStart } from './methods/connection-start-ok.ts';
import { TextCache } from './text-cache.ts';
import type { Asker, Topology } from './topology.ts';

export type State = 'header' | 'start' | 'tune' | 'open' | 'running' | 'closing' | 'closed';

const protocolHeader = Buffer.from('AMQP\x00\x00\x09\x01', 'latin1');
/** Clients of 0-9 send this one and speak 0-9-1 well enough. */
const olderHeader = Buffer.from('AMQP\x01\x01\x00\x09', 'latin1');

const keyOf = (name: MethodName): number => methodKey(methods[name].classId, methods[name].methodId);
const publishKey = keyOf('basic.publish');
const ackKey = keyOf('basic.ack');
const channelOpenKey = keyOf('channel.open');
const channelCloseKey = keyOf('channel.close');
const channelCloseOkKey = keyOf('channel.close-ok');
const closeKey = keyOf('connection.close');
const closeOkKey = keyOf('connection.close-ok');

/** What the client said it can do. */
export interface ClientCapabilities {
  readonly consumerCancelNotify: boolean;
  readonly connectionBlocked: boolean;
  readonly authenticationFailureClose: boolean;
}

/** What connections share, made by the adapter. */
export interface Shared {
  readonly context: AdapterContext;
  readonly limits: Limits;
  readonly topology: Topology;
  readonly counts: Counts;
  /** Resolves when what should not have outlived the last stop is gone. */
  readonly ready: Promise<void>;
  /** The connection is gone. */
  ended(connection: Connection): void;
}

export class Connection implements FrameSink, Asker {
  readonly shared: Shared;
  readonly context: AdapterContext;
  readonly limits: Limits;
  readonly broker: Verbs;
  readonly topology: Topology;
  readonly info: ConnectionInfo;
  readonly frames: FrameWriter;
  readonly names = new TextCache();
  readonly scan = new PropertyScan();
  readonly content: DeliveryContent;
  readonly loan: Loan;
  readonly channels = new Map<number, Channel>();
  state: State = 'header';
  principal: Principal;
  /** The name given at login, which the user-id property must equal. */
  userName = '';
  virtualHost = '';
  namespace = '';
  client: ClientCapabilities = {
    consumerCancelNotify: false,
    connectionBlocked: false,
    authenticationFailureClose: false,
  };
  channelMax: number;
  /** Broker time when the chunk at hand came in. */
  turnMs = 0;

  readonly #stream: Duplex;
  readonly #outbox: Outbox;
  readonly #parser: FrameParser;
  readonly #reader = new Reader();
  readonly #head: number[] = [];
  #octetsRead = 0;
  /** Something waits for the core, or for the client to read; what has arrived since lies in `#kept`. */
  #held = false;
  #stalled = false;
  readonly #kept: Buffer[] = [];
  #heartbeat: Heartbeat | null = null;
  #timer = 0;
  #blockedTimer = 0;
  readonly #unconfirmed: Channel[] = [];
  #lastChannel: Channel | null = null;
  /** The core's state is void: the end of this connection must not be told to it. */
  #void = false;

  constructor(stream: Duplex, info: ConnectionInfo, shared: Shared) {
    this.shared = shared;
    this.context = shared.context;
    this.limits = shared.limits;
    this.broker = shared.context.broker;
    this.topology = shared.topology;
    this.info = info;
    this.content = new DeliveryContent(shared.counts);
    this.principal = shared.context.anonymous(info.remote.host);
    this.channelMax = shared.limits.channelsPerConnectionMax;
    this.loan = { spare: Buffer.alloc(0), gatheredBytes: 0, gatheredBytesMax: shared.limits.contentBytesMax };
    this.#stream = stream;
    this.#outbox = new Outbox(stream, { onDrain: () => this.#drained() });
    this.frames = new FrameWriter(this.#outbox, shared.limits.frameBytesMaxBeforeTune);
    this.#parser = new FrameParser(this, shared.limits.frameBytesMaxBeforeTune);
    stream.on('data', (chunk: Buffer) => this.#data(chunk));
    stream.on('error', () => stream.destroy());
    stream.on('end', () => stream.destroy());
    stream.on('close', () => this.#end());
    this.destroyAfter(shared.limits.handshakeTimeoutMs);
  }

  /** True while the client reads slower than it is written to. */
  get congested(): boolean {
    return this.#outbox.congested;
  }

  // ------------------------------------------------------------ octets in

  #data(chunk: Buffer): void {
    this.#octetsRead += chunk.length;
    this.shared.counts.bytesIn += chunk.length;
    if (this.#held) this.#kept.push(chunk);
    else this.#take(chunk);
  }

  #take(chunk: Buffer): void {
    this.turnMs = this.broker.nowMs();
    let at = 0;
    if (this.state === 'header') at = this.#takeHeader(chunk);
    if (this.state === 'header' || this.state === 'closed') return;
    try {
      at = this.#parser.push(chunk, at);
    } catch (error) {
      // Only the parser itself throws here: the stream cannot be cut into frames any further.
      this.#parser.stop();
      this.#fail(error, 0, 0);
      return;
    }
    if (at < chunk.length) this.#kept.unshift(chunk.subarray(at));
  }

  #takeHeader(chunk: Buffer): number {
    const head = this.#head;
    let at = 0;
    while (at < chunk.length && head.length < protocolHeader.length) head.push(chunk[at++]!);
    const given = Buffer.from(head);
    if (![protocolHeader, olderHeader].some((header) => header.subarray(0, given.length).equals(given))) {
      // The answer to a header we do not speak is the one that we do (spec 4.2.2), and then the end.
      this.#outbox.push(protocolHeader);
      this.finish();
    } else if (head.length === protocolHeader.length) sendStart(this);
    return at;
  }

  /** Nothing more is read until the promise settles; if it fails, that is the answer to the method it belongs to. */
  #hold(promise: Promise<void>, channel: number, key: number): void {
    this.#pause();
    promise.then(
      () => this.#goOn(),
      (error: unknown) => {
        this.#fail(error, channel, key);
        this.#goOn();
      },
    );
  }

  /** Nothing more is read until the client has taken what was written to it. */
  stall(): void {
    if (!this.congested) return;
    this.#stalled = true;
    this.#pause();
  }

  #pause(): void {
    this.#held = true;
    this.#parser.pause();
    this.#stream.pause();
  }

  #goOn(): void {
    this.#held = false;
    if (this.state === 'closed') {
      // What it made meanwhile belongs to nobody.
      this.#removeQueues();
      this.#stream.resume();
      return;
    }
    while (!this.#held && this.#kept.length > 0) this.#take(this.#kept.shift()!);
    if (!this.#held) this.#stream.resume();
  }

  #drained(): void {
    for (const channel of this.channels.values()) if (!channel.closing) channel.resumeConsumers();
    if (!this.#stalled) return;
    this.#stalled = false;
    this.#goOn();
  }

  // ------------------------------------------------------------ frames in

  method(number: number, buffer: Buffer, start: number, end: number): void {
    const key = end - start < 4 ? 0 : buffer.readUInt32BE(start);
    try {
      if (number > 0 && this.state === 'running') this.#channelMethod(number, key, buffer, start + 4, end);
      else this.#connectionMethod(number, key, buffer, start + 4, end);
    } catch (error) {
      this.#fail(error, number, key);
    }
  }

  #channelMethod(number: number, key: number, buffer: Buffer, start: number, end: number): void {
    const channel = this.#channel(number);
    if (channel === null) {
      if (key !== channelOpenKey) throw new AmqpError('CHANNEL_ERROR', "expected 'channel.open'");
      this.#openChannel(number);
      return;
    }
    if (channel.closing) {
      if (key === channelCloseOkKey) this.#forget(channel);
      else if (key === channelCloseKey) this.frames.method(number, 'channel.close-ok', {});
      return;
    }
    if (channel.content.expects !== 'method') {
      const got = channel.content.expects === 'header' ? 'non content header' : 'non content body';
      this.#fail(unexpected(channel, got), number, publishKey);
      return;
    }
    if (key === publishKey) beginPublish(channel, buffer, start, end);
    else if (key === ackKey) ackFast(channel, buffer, start, end);
    else {
      const name = methodByKey.get(key);
      if (name === undefined) throw unknownMethod(key);
      this.#reader.reset(buffer, start, end);
      const waits = dispatchChannel(channel, name, this.#reader);
      if (waits !== undefined) this.#hold(waits, number, key);
    }
  }

  #connectionMethod(number: number, key: number, buffer: Buffer, start: number, end: number): void {
    const name = methodByKey.get(key);
    if (this.state === 'closing') {
      if (number === 0 && key === closeKey) this.frames.method(0, 'connection.close-ok', {});
      if (number === 0 && (key === closeKey || key === closeOkKey)) this.finish();
      return;
    }
    if (number > 0) throw new AmqpError('CHANNEL_ERROR', `channel ${number} is used before the connection is open`);
    if (name === undefined) throw unknownMethod(key);
    this.#reader.reset(buffer, start, end);
    const waits = dispatchConnection(this, name, this.#reader);
    if (waits !== undefined) this.#hold(waits, number, key);
  }

  header(number: number, buffer: Buffer, start: number, end: number): void {
    let key = 0;
    try {
      const channel = this.#contentChannel(number, 'header');
      if (channel === null) return;
      key = publishKey;
      publishHeader(channel, buffer, start, end);
    } catch (error) {
      this.#fail(error, number, key);
    }
  }

  bodyPart(number: number, buffer: Buffer, start: number, end: number): void {
    let key = 0;
    try {
      const channel = this.#contentChannel(number, 'body');
      if (channel === null) return;
      key = publishKey;
      publishBody(channel, buffer, start, end);
    } catch (error) {
      this.#fail(error, number, key);
    }
  }

  bodyEnd(number: number): void {
    const channel = this.#channel(number);
    if (channel === null || channel.closing || channel.content.expects !== 'body') return;
    try {
      endPublish(channel);
    } catch (error) {
      this.#fail(error, number, publishKey);
    }
  }

  /** The channel that expects this content frame; null where it is to be dropped. */
  #contentChannel(number: number, kind: 'header' | 'body'): Channel | null {
    if (this.state === 'closing' || this.state === 'closed') return null;
    const channel = number > 0 && this.state === 'running' ? this.#channel(number) : null;
    if (channel === null)
      throw new AmqpError('UNEXPECTED_FRAME', 'expected method frame, got non method frame instead');
    if (channel.closing) return null;
    if (channel.content.expects !== kind) throw unexpected(channel, `content ${kind}`);
    return channel;
  }

  heartbeat(number: number, payloadBytes: number): void {
    if (number === 0 && payloadBytes === 0) return;
    this.#fail(new AmqpError('UNEXPECTED_FRAME', `heartbeat of ${payloadBytes} octets on channel ${number}`), 0, 0);
  }

  // ------------------------------------------------------------ channels

  #channel(number: number): Channel | null {
    if (this.#lastChannel !== null && this.#lastChannel.number === number) return this.#lastChannel;
    const channel = this.channels.get(number) ?? null;
    if (channel !== null) this.#lastChannel = channel;
    return channel;
  }

  #openChannel(number: number): void {
    // RabbitMQ counts channels rather than looking at their numbers.
    if (this.channels.size >= this.channelMax) {
      throw new AmqpError(
        'NOT_ALLOWED',
        `number of channels opened (${this.channels.size}) has reached the negotiated channel_max (${this.channelMax})`,
      );
    }
    this.channels.set(number, new Channel(this, number));
    this.frames.method(number, 'channel.open-ok', {});
  }

  /** The channel is gone and its number free. */
  #forget(channel: Channel): void {
    this.channels.delete(channel.number);
    if (this.#lastChannel === channel) this.#lastChannel = null;
  }

  /** The client closes a channel in order. */
  async closeChannel(channel: Channel): Promise<void> {
    const lost = channel.release();
    channel.closing = true;
    await this.topology.removeUnused(this, lost);
    this.#forget(channel);
    this.frames.method(channel.number, 'channel.close-ok', {});
  }

  confirmLater(channel: Channel): void {
    if (this.#unconfirmed.push(channel) === 1) process.nextTick(this.#flushConfirms);
  }

  readonly #flushConfirms = (): void => {
    for (const channel of this.#unconfirmed) channel.flushConfirms();
    this.#unconfirmed.length = 0;
  };

  // ------------------------------------------------------------ steps of the handshake

  /** tune-ok was agreed on. */
  tuned(channelMax: number, frameMax: number, heartbeatS: number): void {
    this.channelMax = channelMax === 0 ? this.limits.channelsPerConnectionMax : channelMax;
    this.frames.frameMax = frameMax;
    // As RabbitMQ does, count the limit without the eight octets around a payload.
    this.#parser.payloadBytesMax = frameMax;
    this.state = 'open';
    if (heartbeatS > 0) this.#heartbeat = new Heartbeat(this.context.clock, this.#heartbeatTarget, heartbeatS);
  }

  opened(virtualHost: string, namespace: string): void {
    this.virtualHost = virtualHost;
    this.namespace = namespace;
    this.state = 'running';
    this.#clearTimer();
  }

  readonly #heartbeatTarget = {
    framesWritten: () => this.frames.frames,
    octetsRead: () => this.#octetsRead,
    notReading: () => this.#held,
    idle: () => {
      this.frames.rest();
      this.frames.heartbeat();
    },
    peerGone: () => this.#stream.destroy(),
  };

  // ------------------------------------------------------------ storage full

  /** A publish was refused for lack of space: tell the client once, and once more when it may go on. */
  storageFull(): void {
    if (this.#blockedTimer !== 0) return;
    if (this.client.connectionBlocked) this.frames.method(0, 'connection.blocked', { reason: 'storage is full' });
    this.#watchStorage();
  }

  #watchStorage(): void {
    this.#blockedTimer = this.context.clock.setTimer(1000, () => {
      this.#blockedTimer = 0;
      if (this.state !== 'running') return;
      if (this.broker.storageFull) this.#watchStorage();
      else if (this.client.connectionBlocked) this.frames.method(0, 'connection.unblocked', {});
    });
  }

  // ------------------------------------------------------------ the end

  #fail(error: unknown, number: number, key: number): void {
    if (error instanceof InvariantError) throw error;
    if (this.state === 'closing' || this.state === 'closed') return;
    const answer = amqpErrorOf(error) ?? this.#bug(error);
    const channel = number > 0 ? this.channels.get(number) : undefined;
    const fields = { remote: this.info.remote.host, channel: number, code: answer.code };
    if (answer.scope === 'channel' && channel !== undefined && !channel.closing && this.state === 'running') {
      // An application that looks whether a queue is there does this all day.
      this.context.log.debug(fields, answer.message);
      this.shared.counts.channelErrors++;
      channel.fail(answer, key >>> 16, key & 0xffff);
      this.#removeUnused(channel.release());
    } else {
      this.context.log.info(fields, answer.message);
      this.close(answer, key);
    }
  }

  #bug(error: unknown): AmqpError {
    this.context.log.error(
      { error: String(error), stack: error instanceof Error ? error.stack : '' },
      'adapter failed',
    );
    return new AmqpError('INTERNAL_ERROR', 'the broker failed to handle this method', { cause: error });
  }

  /** Closes the connection for an error, or to stop; the client is given time to answer. */
  close(error: AmqpError, key = 0): void {
    if (this.state === 'closing' || this.state === 'closed') return;
    if (this.state === 'header') {
      this.finish();
      return;
    }
    this.shared.counts.connectionErrors++;
    this.state = 'closing';
    this.frames.method(0, 'connection.close', {
      replyCode: error.code,
      replyText: error.message,
      classId: key >>> 16,
      methodId: key & 0xffff,
    });
    this.#releaseChannels();
    this.destroyAfter(this.limits.closeTimeoutMs);
  }

  /** The client closes in order: what belongs to it is gone before it is told so. */
  async closeInOrder(): Promise<void> {
    this.state = 'closing';
    this.#releaseChannels();
    await this.topology.removeOwnedBy(this);
    this.frames.method(0, 'connection.close-ok', {});
    this.finish();
  }

  /** Writes what is left and ends the stream. */
  finish(): void {
    this.state = 'closed';
    this.#parser.stop();
    this.#outbox.flush();
    this.#stream.end();
    this.destroyAfter(this.limits.closeTimeoutMs);
  }

  /** Ends the stream at once, unanswered; with `isVoid` the core is told nothing. */
  cut(isVoid: boolean): void {
    this.#void = isVoid;
    this.#stream.destroy();
  }

  destroyAfter(delayMs: number): void {
    this.#clearTimer();
    this.#timer = this.context.clock.setTimer(delayMs, () => this.#stream.destroy());
  }

  #clearTimer(): void {
    if (this.#timer !== 0) this.context.clock.clearTimer(this.#timer);
    this.#timer = 0;
  }

  #end(): void {
    this.state = 'closed';
    this.#parser.stop();
    this.#kept.length = 0;
    this.#heartbeat?.stop();
    this.#clearTimer();
    if (this.#blockedTimer !== 0) this.context.clock.clearTimer(this.#blockedTimer);
    if (!this.#void) {
      this.#releaseChannels();
      this.#removeQueues();
    }
    this.shared.ended(this);
  }

  #releaseChannels(): void {
    const lost: Topic[] = [];
    for (const channel of this.channels.values()) if (!channel.closing) lost.push(...channel.release());
    this.channels.clear();
    this.#lastChannel = null;
    this.#removeUnused(lost);
  }

  #removeUnused(topics: readonly Topic[]): void {
    if (topics.length > 0) this.#inBackground(this.topology.removeUnused(this, topics));
  }

  #removeQueues(): void {
    this.#inBackground(this.topology.removeOwnedBy(this));
  }

  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => this.context.log.warn({ error: String(error) }, 'a queue of an ended reader stays'));
  }
}

function unexpected(channel: Channel, got: string): AmqpError {
  const { expects } = channel.content;
  if (expects === 'method') {
    return new AmqpError('UNEXPECTED_FRAME', 'expected method frame, got non method frame instead');
  }
  const wanted = expects === 'header' ? 'content header for class 60' : 'content body';
  return new AmqpError('UNEXPECTED_FRAME', `expected ${wanted}, got ${got} frame instead`);
}

function unknownMethod(key: number): AmqpError {
  return new AmqpError('COMMAND_INVALID', `unknown method (${key >>> 16},${key & 0xffff})`);
}
