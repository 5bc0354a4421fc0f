// One client: frames in, calls in order, replies out in the same order.
//
// Invariants:
// - replies leave in the order of their requests (clients match by order as much as by correlation id);
// - a call that waits or that makes large replies begins only when all earlier calls are answered and the client
//   reads, so that one connection holds at most one such reply in memory;
// - when more than `callsMax` calls are open, or the client does not read, nothing more is read from it;
// - a frame's bytes are gone when its handler returns: what a call needs later it has copied;
// - bytes that cannot be a request end the connection, and only it; so does an API or version that was not advertised,
//   because no reply to it can be built (ApiVersions excepted, KIP-511).

import type { Duplex } from 'node:stream';
import { BrokerError } from '../../core/errors.ts';
import type { Principal } from '../../core/types.ts';
import { serves } from '../../specs/kafka/row.ts';
import type { ConnectionInfo } from '../adapter.ts';
import { Framer, Int32Frames } from '../wire/framer.ts';
import { Outbox } from '../wire/outbox.ts';
import { Reader } from '../wire/reader.ts';
import { takeReads } from '../wire/reused-reads.ts';
import { WireError } from '../wire/wire-error.ts';
import { Call } from './call.ts';
import { BEFORE_LOGIN, HANDLERS, type Route } from './dispatch.ts';
import type { Node } from './node.ts';
import type { Direction } from './quotas.ts';
import { apiVersionsFallback } from './requests/18-api-versions.ts';
import { rawSaslToken } from './requests/36-sasl-authenticate.ts';
import { SaslState } from './sasl.ts';

const CLIENT_ID_BYTES_MAX = 1024;
/** A client that does not close its side after we have closed ours is cut off. */
const END_MS_MAX = 5_000;

export class Connection {
  readonly node: Node;
  readonly info: ConnectionInfo;
  readonly sasl: SaslState;
  principal: Principal;
  readonly #stream: Duplex;
  readonly #onClosed: (connection: Connection) => void;
  readonly #layout: Int32Frames;
  readonly #framer: Framer;
  readonly #outbox: Outbox;
  readonly #reader = new Reader();
  /** Calls that are not answered yet, oldest first; [0, #done) have left. */
  #calls: Call[] = [];
  #done = 0;
  #advancing = false;
  #paused = false;
  #draining = false;
  #closed = false;
  #ending = false;
  #endTimer: number | null = null;
  #openingTimer: number | null;
  /** Runs while the client is over its quota. */
  #quietTimer: number | null = null;
  /** The last client id: it is the same in every request. */
  #clientId = '';
  #clientIdBytes = Buffer.alloc(0);

  constructor(node: Node, stream: Duplex, info: ConnectionInfo, onClosed: (connection: Connection) => void) {
    this.node = node;
    this.info = info;
    this.#stream = stream;
    this.#onClosed = onClosed;
    this.principal = node.context.anonymous(info.remote.host);
    this.sasl = new SaslState(node.context.open());
    this.#layout = new Int32Frames(this.sasl.mayUse ? node.limits.frameBytesMax : node.limits.loginFrameBytesMax);
    this.#framer = new Framer(this.#layout, (buffer, start, end) => this.#frame(buffer, start, end), node.frames);
    this.#outbox = new Outbox(stream, { heldBytesMax: node.limits.heldBytesMax, onDrain: () => this.#advance() });
    this.#openingTimer = node.clock.setTimer(node.limits.handshakeTimeoutMs, () => this.#refuse('no request in time'));
    takeReads(stream, (bytes) => this.#data(bytes));
    stream.on('error', (error) => node.log.debug({ err: error, remote: info.remote }, 'kafka connection broke'));
    stream.on('end', () => stream.end());
    stream.once('close', () => this.#close());
  }

  get openCalls(): number {
    return this.#calls.length - this.#done;
  }

  /** The client has logged in: it may send large requests from now on. */
  loggedIn(principal: Principal): void {
    this.principal = principal;
    this.#layout.frameBytesMax = this.node.limits.frameBytesMax;
    this.#opened();
  }

  /** Ends the connection at once, unanswered. */
  cut(): void {
    this.#framer.stop();
    this.#stream.destroy();
  }

  /** It goes on taking requests. */
  get takesMore(): boolean {
    return !this.#closed && !this.#draining;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Takes no more requests and ends the connection when those taken are answered. */
  endWhenAnswered(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#framer.stop();
    if (this.openCalls === 0) this.#end();
  }

  /** Takes no more requests, answers what is parked, and ends. */
  drain(): void {
    this.endWhenAnswered();
    for (const call of this.#calls.slice(this.#done)) call.onCancel?.();
  }

  /** A call has ended: sends every reply whose turn has come and lets the next call begin that has waited for it. */
  callEnded(): void {
    // A call that begins may end at once; the loop below goes on with the next one, so nothing recurses.
    if (!this.#advancing) this.#advance();
  }

  #advance(): void {
    if (this.#closed || this.#advancing) return;
    this.#advancing = true;
    for (;;) {
      this.#sendEnded();
      const head = this.#calls[this.#done];
      if (head === undefined || head.onHead === null || this.#outbox.congested) break;
      const begin = head.onHead;
      head.onHead = null;
      begin();
    }
    this.#advancing = false;
    if (this.#draining && this.openCalls === 0) this.#end();
    else this.#readOn();
  }

  #readOn(): void {
    if (!this.#paused || this.#quietTimer !== null) return;
    if (this.openCalls >= this.node.limits.callsMax / 2 || this.#outbox.congested) return;
    this.#paused = false;
    this.#stream.resume();
  }

  /** Counts bytes towards the client's quota; over it, nothing is read from it for the time that is returned (KIP-219). */
  throttle(direction: Direction, clientId: string, bytes: number): number {
    const { quotas, clock, counts } = this.node;
    const ms = quotas.throttleMs(direction, this.principal.name, clientId, bytes, clock.nowMs());
    if (ms === 0 || this.#closed) return ms;
    counts.throttled++;
    if (this.#quietTimer !== null) clock.clearTimer(this.#quietTimer);
    this.#quietTimer = clock.setTimer(ms, () => {
      this.#quietTimer = null;
      this.#readOn();
    });
    if (!this.#paused) this.#pause();
    return ms;
  }

  #pause(): void {
    this.#paused = true;
    this.#stream.pause();
  }

  #sendEnded(): void {
    while (this.#done < this.#calls.length && this.#calls[this.#done]!.ended) {
      this.#calls[this.#done++]!.push(this.#outbox);
    }
    if (this.#done === this.#calls.length || this.#done > 64) {
      this.#calls = this.#done === this.#calls.length ? [] : this.#calls.slice(this.#done);
      this.#done = 0;
    }
  }

  #data(chunk: Buffer): void {
    this.node.counts.bytesIn += chunk.length;
    try {
      this.#framer.push(chunk);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#refuse(error.message);
      return;
    }
    if (!this.#paused && (this.openCalls >= this.node.limits.callsMax || this.#outbox.congested)) {
      this.#pause();
    }
  }

  #frame(buffer: Buffer, start: number, end: number): void {
    if (this.sasl.rawTokens) {
      rawSaslToken(this, Buffer.from(buffer.subarray(start, end)));
      return;
    }
    const reader = this.#reader;
    reader.reset(buffer, start, end);
    const key = reader.int16();
    const version = reader.int16();
    const correlationId = reader.int32();
    const route = HANDLERS.get(key);
    if (this.#openingTimer !== null && this.sasl.mayUse) this.#opened();
    this.node.counts.requests++;
    if (route === undefined || !serves(route.api, version)) {
      if (key === 18) return apiVersionsFallback(this, correlationId);
      throw new WireError(`API ${key} version ${version} is not served`);
    }
    if (!this.sasl.mayUse && !BEFORE_LOGIN.has(key)) throw new WireError(`API ${key} before login`);
    if (this.sasl.endsAtMs > 0 && this.node.clock.nowMs() > this.sasl.endsAtMs && !BEFORE_LOGIN.has(key)) {
      throw new WireError(`API ${key} after the login has ended`);
    }
    const call = new Call(this, route.api, version, correlationId, this.#readClientId(reader), reader);
    if (call.flexible) skipTags(reader);
    this.#begin(call, route);
  }

  /** Sends bytes that belong to no call: bare SASL tokens. */
  sendRaw(bytes: Buffer): void {
    this.#outbox.push(bytes);
  }

  /** Takes a call in that was made elsewhere (the ApiVersions fallback). */
  enqueue(call: Call): void {
    this.#calls.push(call);
  }

  #begin(call: Call, route: Route): void {
    this.#calls.push(call);
    let outcome: void | Promise<void>;
    try {
      outcome = route.handle(call);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      this.#failed(call, error);
      return;
    }
    if (outcome !== undefined) outcome.catch((error: unknown) => this.#failed(call, error));
    if (call.onHead !== null) this.#advance();
  }

  /** A handler that answers later has thrown. A refusal it did not answer itself ends the connection; the rest is our bug. */
  #failed(call: Call, error: unknown): void {
    if (!(error instanceof BrokerError || error instanceof WireError)) {
      queueMicrotask(() => {
        throw error;
      });
      return;
    }
    this.#refuse(`${call.api.name}: ${error.message}`);
  }

  #refuse(reason: string): void {
    this.node.counts.closedByError++;
    this.node.log.info({ remote: this.info.remote, clientId: this.#clientId, reason }, 'kafka connection closed');
    this.cut();
  }

  #readClientId(reader: Reader): string {
    const bytes = reader.int16();
    if (bytes < 0) return '';
    if (bytes > CLIENT_ID_BYTES_MAX) throw new WireError(`a client id of ${bytes} bytes`);
    const at = reader.skip(bytes);
    const known = this.#clientIdBytes;
    if (known.length === bytes && known.compare(reader.buffer, at, at + bytes) === 0) return this.#clientId;
    this.#clientIdBytes = Buffer.from(reader.buffer.subarray(at, at + bytes));
    this.#clientId = this.#clientIdBytes.toString();
    return this.#clientId;
  }

  #end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#outbox.flush();
    // What still comes in is read and forgotten: closing on unread bytes would take the last replies with it.
    this.#stream.resume();
    this.#stream.end();
    this.#endTimer = this.node.clock.setTimer(END_MS_MAX, () => this.#stream.destroy());
  }

  /** The client has shown that it is one: it may be silent from now on. */
  #opened(): void {
    if (this.#openingTimer !== null) this.node.clock.clearTimer(this.#openingTimer);
    this.#openingTimer = null;
  }

  #close(): void {
    this.#closed = true;
    this.#opened();
    this.#framer.stop();
    if (this.#endTimer !== null) this.node.clock.clearTimer(this.#endTimer);
    if (this.#quietTimer !== null) this.node.clock.clearTimer(this.#quietTimer);
    for (const call of this.#calls.slice(this.#done)) call.onCancel?.();
    this.#calls = [];
    this.#done = 0;
    this.#onClosed(this);
  }
}

/** Tags of a request header carry nothing for us (KIP-482). */
function skipTags(reader: Reader): void {
  for (let count = reader.uvarint(); count > 0; count--) {
    reader.uvarint();
    reader.skip(reader.uvarint());
  }
}
