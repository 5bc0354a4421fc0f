// A connection for many messages: publishes are octets made once and poured as fast as the socket takes them, deliveries
// are counted and not kept. For what Link does frame by frame there is Link.
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type MethodName, methodKey, methods } from '../../specs/amqp/methods.ts';
import { type Fields, FRAME, frame, headerPayload, methodPayload, type Properties } from './wire.ts';

const keyOf = (name: MethodName): number => methodKey(methods[name].classId, methods[name].methodId);
const DELIVER = keyOf('basic.deliver');
const ACK = keyOf('basic.ack');
const NACK = keyOf('basic.nack');
const CLOSES = new Set([keyOf('connection.close'), keyOf('channel.close')]);
const BODY_BYTES_MAX = 131_072 - 8;

/** The octets of a publish to a queue on channel 1. */
export function publishFrames(
  exchange: string,
  routingKey: string,
  body: Uint8Array,
  properties: Properties = {},
): Buffer {
  const parts = [
    frame(FRAME.method, 1, methodPayload('basic.publish', { exchange, routingKey })),
    frame(FRAME.header, 1, headerPayload(body.length, properties)),
  ];
  for (let at = 0; at < body.length; at += BODY_BYTES_MAX)
    parts.push(frame(FRAME.body, 1, body.subarray(at, at + BODY_BYTES_MAX)));
  return Buffer.concat(parts);
}

export class Flow {
  readonly socket: Socket;
  deliveries = 0;
  /** The delivery tag that came last. */
  lastTag = 0;
  /** Publishes are confirmed up to this one. */
  confirmed = 0;
  nacks = 0;
  closed: string | null = null;
  readonly #seen = new Map<number, number>();
  #rest: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
    socket.on('error', (error: Error) => (this.closed ??= error.message));
    socket.on('close', () => (this.closed ??= 'the connection is gone'));
  }

  /** A connection that is logged in as guest, with channel 1 open. */
  static async open(port: number): Promise<Flow> {
    const socket = connect({ port, host: '127.0.0.1' });
    await new Promise<void>((done, fail) => {
      socket.once('connect', done);
      socket.once('error', fail);
    });
    const flow = new Flow(socket);
    socket.write(Buffer.from('AMQP\0\0\x09\x01', 'latin1'));
    await flow.#after('connection.start', 0);
    const login = { mechanism: 'PLAIN', response: '\0guest\0guest', locale: 'en_US' };
    flow.send('connection.start-ok', login, 0);
    await flow.#after('connection.tune', 0);
    flow.send('connection.tune-ok', { channelMax: 2_047, frameMax: 131_072, heartbeat: 0 }, 0);
    flow.send('connection.open', { virtualHost: '/' }, 0);
    await flow.#after('connection.open-ok', 0);
    await flow.call('channel.open');
    return flow;
  }

  send(name: MethodName, fields: Fields = {}, channel = 1): void {
    this.socket.write(frame(FRAME.method, channel, methodPayload(name, fields)));
  }

  /** Sends a method and waits for the one that answers it. */
  async call(name: MethodName, fields: Fields = {}): Promise<void> {
    const answer = `${name}-ok` as MethodName;
    const before = this.#seen.get(keyOf(answer)) ?? 0;
    this.send(name, fields);
    await this.#after(answer, before);
  }

  async #after(name: MethodName, before: number): Promise<void> {
    await this.until(`${name}`, () => (this.#seen.get(keyOf(name)) ?? 0) > before);
  }

  /** Waits for a condition that deliveries or confirms bring about. */
  async until(what: string, isThere: () => boolean, waitMs = 120_000): Promise<void> {
    const deadline = performance.now() + waitMs;
    while (!isThere()) {
      if (this.closed !== null) throw new Error(`${what}: ${this.closed}`);
      if (performance.now() > deadline) throw new Error(`${what}: not within ${waitMs} ms`);
      await sleep(2);
    }
  }

  /** Writes and waits while the socket is full. */
  async pour(bytes: Uint8Array): Promise<void> {
    if (this.closed !== null) throw new Error(this.closed);
    if (!this.socket.write(bytes))
      await new Promise<void>((done) => {
        const go = (): void => {
          this.socket.off('drain', go);
          this.socket.off('close', go);
          done();
        };
        this.socket.once('drain', go);
        this.socket.once('close', go);
      });
  }

  end(): void {
    this.socket.destroy();
  }

  #take(bytes: Buffer): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    while (all.length - at >= 8) {
      const length = all.readUInt32BE(at + 3) + 8;
      if (all.length - at < length) break;
      if (all[at] === FRAME.method) this.#method(all, at + 7);
      at += length;
    }
    this.#rest = all.subarray(at);
  }

  #method(all: Buffer, at: number): void {
    const key = all.readUInt32BE(at);
    if (key === DELIVER) {
      this.deliveries++;
      // The consumer's tag comes first, then the delivery's.
      this.lastTag = Number(all.readBigUInt64BE(at + 5 + all[at + 4]!));
    } else if (key === ACK || key === NACK) {
      if (key === NACK) this.nacks++;
      this.confirmed = Math.max(this.confirmed, Number(all.readBigUInt64BE(at + 4)));
    } else {
      if (CLOSES.has(key)) this.closed = all.toString('utf8', at + 7, at + 7 + all[at + 6]!);
      this.#seen.set(key, (this.#seen.get(key) ?? 0) + 1);
    }
  }
}
