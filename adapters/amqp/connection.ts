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
import type { AdapterContext, ConnectionInfo } from '../adapter.ts';
import { Outbox } from '../wire/outbox.ts';
import { AmqpError } from './amqp-error.ts';
import { amqpErrorOf } from './broker-errors.ts';
import { Channel } from './channel.ts';
import { LastView, type Loan } from './content-assembly.ts';
import { PropertyScan } from './content-properties.ts';
import type { Counts } from './counts.ts';
import { DeliveryContent } from './delivery-content.ts';
import type { DirectReplies } from './direct-replies.ts';
import { FrameHandler } from './frame-handler.ts';
import { FrameWriter } from './frame-writer.ts';
import { Heartbeat } from './heartbeat.ts';
import type { IntakeTarget } from './intake.ts';
import { Intake, protocolHeader } from './intake.ts';
import type { Limits } from './limits.ts';
import type { Arguments } from './method-arguments.ts';
import { sendStart } from './methods/connection-start-ok.ts';
import { StorageWatch } from './storage-watch.ts';
import { TextCache } from './text-cache.ts';
import type { Asker, Topology } from './topology.ts';
import { Unwritten } from './unwritten.ts';

export type State = 'header' | 'start' | 'tune' | 'open' | 'running' | 'closing' | 'closed';

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
  readonly replies: DirectReplies;
  /** Resolves when what should not have outlived the last stop is gone. */
  readonly ready: Promise<void>;
  /** The connection is gone. */
  ended(connection: Connection): void;
}

/** Octets that a client has not taken, before what it sends is no longer read. */
const heldBytesMax = 8 * 1024 * 1024;

export class Connection implements Asker {
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
  readonly payloadView = new LastView();
  readonly keyView = new LastView();
  readonly channels = new Map<number, Channel>();
  /** What it has published and the disk does not have yet. */
  readonly unwritten: Unwritten;
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
  readonly #intake: Intake;
  #stalled = false;
  #heartbeat: Heartbeat | null = null;
  #timer = 0;
  /** Tells the client when storage is full and when it no longer is. */
  readonly storage: StorageWatch;
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
    this.loan = { spare: Buffer.alloc(0), gatheringBytes: 0, gatheringBytesMax: shared.limits.contentBytesMax };
    this.#stream = stream;
    this.#outbox = new Outbox(stream, { onDrain: () => this.#drained() });
    this.frames = new FrameWriter(this.#outbox, shared.limits.frameBytesMaxBeforeTune);
    this.#intake = new Intake(
      stream,
      new FrameHandler(this),
      this.#intakeTarget,
      shared.limits.frameBytesMaxBeforeTune,
    );
    stream.on('error', () => stream.destroy());
    stream.on('end', () => stream.destroy());
    stream.on('close', () => this.#end());
    this.storage = new StorageWatch(shared.context.clock, {
      isFull: () => this.broker.storageFull,
      blocked: () => this.#tellBlocked('connection.blocked', { reason: 'storage is full' }),
      unblocked: () => this.#tellBlocked('connection.unblocked', {}),
    });
    this.unwritten = new Unwritten(shared.limits.unwrittenBytesMax, {
      full: () => this.#intake.hold(),
      drained: () => this.#intake.release(),
    });
    this.destroyAfter(shared.limits.handshakeTimeoutMs);
  }

  #tellBlocked<N extends 'connection.blocked' | 'connection.unblocked'>(name: N, args: Arguments<N>): void {
    if (this.state === 'running' && this.client.connectionBlocked) this.frames.method(0, name, args);
  }

  /** True while the client reads slower than it is written to. */
  get congested(): boolean {
    return this.#outbox.congested;
  }

  /** Octets written that its client has not taken yet. */
  get heldBytes(): number {
    return this.#outbox.heldBytes;
  }

  // ------------------------------------------------------------ reading, and not reading

  readonly #intakeTarget: IntakeTarget = {
    turnBegins: (octets) => {
      this.turnMs = this.broker.nowMs();
      this.shared.counts.bytesIn += octets;
    },
    // Requests are small and answers may be large, or not taken. Not at the first congestion, though: what is read are
    // also the acknowledgements of a busy consumer.
    turnEnds: () => {
      if (this.heldBytes > heldBytesMax) this.stall();
    },
    headerAccepted: () => sendStart(this),
    headerRefused: () => {
      // The answer to a header we do not speak is the one that we do (spec 4.2.2), and then the end.
      this.#outbox.push(protocolHeader);
      this.finish();
    },
    framingLost: (error) => this.fail(error, 0, 0),
  };

  /** Nothing more is read until the promise settles; if it fails, that is the answer to the method it belongs to. */
  holdFor(promise: Promise<void>, channel: number, key: number): void {
    this.#intake.hold();
    promise.then(
      () => this.#goOn(),
      (error: unknown) => {
        this.fail(error, channel, key);
        this.#goOn();
      },
    );
  }

  #goOn(): void {
    // What a method made for a connection that has ended meanwhile belongs to nobody.
    if (this.state === 'closed' && !this.#void) this.#removeQueues();
    this.#intake.release();
  }

  /** Nothing more is read until the client has taken what was written to it. */
  stall(): void {
    if (!this.congested || this.#stalled) return;
    this.#stalled = true;
    this.#intake.hold();
  }

  #drained(): void {
    for (const channel of this.channels.values()) if (!channel.closing) channel.resumeConsumers();
    if (!this.#stalled) return;
    this.#stalled = false;
    this.#intake.release();
  }

  // ------------------------------------------------------------ channels

  channel(number: number): Channel | null {
    if (this.#lastChannel !== null && this.#lastChannel.number === number) return this.#lastChannel;
    const channel = this.channels.get(number) ?? null;
    if (channel !== null) this.#lastChannel = channel;
    return channel;
  }

  openChannel(number: number): void {
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
  forget(channel: Channel): void {
    this.channels.delete(channel.number);
    if (this.#lastChannel === channel) this.#lastChannel = null;
  }

  /** The client closes a channel in order. */
  async closeChannel(channel: Channel): Promise<void> {
    const lost = channel.release();
    channel.closing = true;
    await this.removeUnused(lost);
    this.forget(channel);
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
    this.#intake.payloadBytesMax = frameMax;
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
    octetsRead: () => this.#intake.octets,
    notReading: () => this.#intake.isHeld,
    idle: () => {
      this.frames.rest();
      this.frames.heartbeat();
    },
    peerGone: () => this.#stream.destroy(),
  };

  // ------------------------------------------------------------ the end

  fail(error: unknown, number: number, key: number): void {
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
      void this.removeUnused(channel.release());
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

  /** The client closes in order: what belongs to it is gone before it is told so, unless that cannot be (a full disk). */
  async closeInOrder(): Promise<void> {
    this.state = 'closing';
    this.#releaseChannels();
    await this.#asFarAsPossible(this.topology.removeOwnedBy(this));
    this.frames.method(0, 'connection.close-ok', {});
    this.finish();
  }

  /** Writes what is left and ends the stream. */
  finish(): void {
    this.state = 'closed';
    this.#intake.stop();
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
    this.#intake.stop();
    this.#heartbeat?.stop();
    this.#clearTimer();
    this.storage.stop();
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
    void this.removeUnused(lost);
  }

  /** Ends the auto-delete queues among those whose readers ended. */
  async removeUnused(topics: readonly Topic[]): Promise<void> {
    if (topics.length > 0) await this.#asFarAsPossible(this.topology.removeUnused(topics));
  }

  #removeQueues(): void {
    void this.#asFarAsPossible(this.topology.removeOwnedBy(this));
  }

  async #asFarAsPossible(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      this.context.log.warn({ error: String(error) }, 'a queue of an ended reader stays');
    }
  }
}
