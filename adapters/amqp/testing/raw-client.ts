/**
 * A client that speaks frames over a duplex pair, for transcripts. Requests are amqplib's octets and answers are read
 * with amqplib's decoder, so nothing here agrees with our own codec by construction.
 *
 *   send     one method frame              expect   the next frame, which must be that method
 *   publish  method, header and bodies     raw      octets as they are
 *   closed   the stream's end              nothing  no frame within a few turns
 */

import type { Duplex } from 'node:stream';
import { duplexPair } from 'node:stream';
import type { MethodName } from '../../../specs/amqp/methods.ts';
import { methodKey, methods } from '../../../specs/amqp/methods.ts';
import type { Adapter } from '../../adapter.ts';
import { definitions, framing } from './amqplib-encoder.ts';

export interface Frame {
  readonly type: number;
  readonly channel: number;
  readonly payload: Buffer;
}

export interface Content {
  readonly properties: Record<string, unknown>;
  readonly body: Buffer;
}

const keyOf = (name: MethodName): number => methodKey(methods[name].classId, methods[name].methodId);

export class RawClient {
  readonly #stream: Duplex;
  #bytes: Buffer = Buffer.alloc(0);
  readonly #frames: Frame[] = [];
  #ended = false;
  #wake: (() => void) | null = null;

  /** `peerName` is the common name of a certificate that the client has shown. */
  constructor(adapter: Adapter, peerName: string | null = null) {
    const [ours, theirs] = duplexPair();
    this.#stream = ours;
    ours.on('data', (chunk: Buffer) => this.#take(chunk));
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    // A pair does not pass on that one side was destroyed, and leaves it to each side to end.
    theirs.on('close', end);
    ours.on('end', () => ours.end());
    ours.on('error', end);
    adapter.accept(theirs, {
      listener: 'amqp',
      remote: { host: '127.0.0.1', port: 1 },
      local: { host: '127.0.0.1', port: 5672 },
      tls: peerName !== null,
      peerName,
      advertised: () => null,
    });
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 8 && this.#bytes[0] !== 0x41) {
      const bytes = this.#bytes.readUInt32BE(3);
      if (this.#bytes.length < bytes + 8) break;
      if (this.#bytes[7 + bytes] !== 0xce) throw new Error(`frame end is ${this.#bytes[7 + bytes]}`);
      const payload = Buffer.from(this.#bytes.subarray(7, 7 + bytes));
      this.#frames.push({ type: this.#bytes[0]!, channel: this.#bytes.readUInt16BE(1), payload });
      this.#bytes = this.#bytes.subarray(8 + bytes);
    }
    this.#wake?.();
  }

  /** Octets that came and are no frame: the answer to a bad protocol header. */
  get rest(): Buffer {
    return this.#bytes;
  }

  /** Frames that came and were not asked for yet. */
  get waiting(): number {
    return this.#frames.length;
  }

  raw(bytes: Buffer): void {
    this.#stream.write(bytes);
  }

  /** The client is gone without a word. */
  destroy(): void {
    this.#stream.destroy();
  }

  /** Reads nothing until `resume`. */
  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  send(channel: number, name: MethodName, fields: object = {}): void {
    this.raw(definitions.encodeMethod(keyOf(name), channel, fields));
  }

  publish(channel: number, fields: object, properties: object, body: Buffer, partBytes = 4088): void {
    this.raw(publishBytes(channel, fields, properties, body, partBytes));
  }

  async frame(): Promise<Frame> {
    await this.#until(() => this.#frames.length > 0 || this.#ended);
    const frame = this.#frames.shift();
    if (frame === undefined) throw new Error('the stream ended where a frame was expected');
    return frame;
  }

  /** The next frame is this method; returns its fields. */
  async expect(channel: number, name: MethodName): Promise<Record<string, unknown>> {
    const frame = await this.frame();
    const got = frame.type === 1 ? frame.payload.readUInt32BE(0) : -frame.type;
    if (frame.channel !== channel || got !== keyOf(name)) {
      throw new Error(`expected ${name} on channel ${channel}, got ${describe(frame)}`);
    }
    return definitions.decode(got, frame.payload.subarray(4));
  }

  /** The next frames are a message's header and body. */
  async content(channel: number): Promise<Content> {
    const header = await this.frame();
    if (header.type !== 2 || header.channel !== channel) throw new Error(`expected a header, got ${describe(header)}`);
    const bytes = Number(header.payload.readBigUInt64BE(4));
    const parts: Buffer[] = [];
    let have = 0;
    while (have < bytes) {
      const frame = await this.frame();
      if (frame.type !== 3 || frame.channel !== channel) throw new Error(`expected a body, got ${describe(frame)}`);
      parts.push(frame.payload);
      have += frame.payload.length;
    }
    return { properties: definitions.decode(60, header.payload.subarray(12)), body: Buffer.concat(parts) };
  }

  async closed(): Promise<void> {
    await this.#until(() => this.#ended);
  }

  /** No frame comes within a few turns. */
  async nothing(): Promise<void> {
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
    if (this.#frames.length > 0) throw new Error(`expected nothing, got ${describe(this.#frames[0]!)}`);
  }

  async #until(done: () => boolean): Promise<void> {
    while (!done()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  // ------------------------------------------------------------ whole steps

  async handshake(
    options: { capabilities?: object; user?: string; frameMax?: number; heartbeat?: number } = {},
  ): Promise<void> {
    this.raw(Buffer.from('AMQP\x00\x00\x09\x01', 'latin1'));
    await this.expect(0, 'connection.start');
    this.send(0, 'connection.start-ok', {
      clientProperties: { capabilities: options.capabilities ?? {} },
      mechanism: 'PLAIN',
      response: Buffer.from(`\0${options.user ?? 'guest'}\0guest`),
      locale: 'en_US',
    });
    await this.expect(0, 'connection.tune');
    this.send(0, 'connection.tune-ok', {
      channelMax: 100,
      frameMax: options.frameMax ?? 4096,
      heartbeat: options.heartbeat ?? 0,
    });
    this.send(0, 'connection.open', { virtualHost: '/' });
    await this.expect(0, 'connection.open-ok');
  }

  async open(channel: number): Promise<void> {
    this.send(channel, 'channel.open');
    await this.expect(channel, 'channel.open-ok');
  }

  async declare(channel: number, queue: string, fields: object = {}): Promise<Record<string, unknown>> {
    this.send(channel, 'queue.declare', { queue, durable: true, arguments: {}, ...fields });
    return this.expect(channel, 'queue.declare-ok');
  }

  async consume(channel: number, queue: string, fields: object = {}): Promise<string> {
    this.send(channel, 'basic.consume', { queue, consumerTag: '', arguments: {}, ...fields });
    return String((await this.expect(channel, 'basic.consume-ok'))['consumerTag']);
  }

  async exchange(channel: number, exchange: string, type: string, fields: object = {}): Promise<void> {
    this.send(channel, 'exchange.declare', { exchange, type, durable: true, arguments: {}, ...fields });
    await this.expect(channel, 'exchange.declare-ok');
  }

  async bind(channel: number, queue: string, exchange: string, routingKey: string, args: object = {}): Promise<void> {
    this.send(channel, 'queue.bind', { queue, exchange, routingKey, arguments: args });
    await this.expect(channel, 'queue.bind-ok');
  }

  /** Everything ready in a queue, taken and acknowledged: bodies, with headers and routing keys beside them. */
  async drain(channel: number, queue: string): Promise<{ body: string; routingKey: string; headers: object }[]> {
    const found: { body: string; routingKey: string; headers: object }[] = [];
    for (;;) {
      this.send(channel, 'basic.get', { queue, noAck: true });
      const frame = await this.frame();
      const key = frame.payload.readUInt32BE(0);
      if (key === keyOf('basic.get-empty')) return found;
      if (key !== keyOf('basic.get-ok')) throw new Error(`expected get-ok, got ${describe(frame)}`);
      const { routingKey } = definitions.decode(key, frame.payload.subarray(4)) as { routingKey: string };
      const { body, properties } = await this.content(channel);
      found.push({ body: body.toString(), routingKey, headers: (properties['headers'] as object | undefined) ?? {} });
    }
  }

  async bodies(channel: number, queue: string): Promise<string[]> {
    return (await this.drain(channel, queue)).map(({ body }) => body);
  }

  async confirms(channel: number): Promise<void> {
    this.send(channel, 'confirm.select');
    await this.expect(channel, 'confirm.select-ok');
  }

  /** Publishes texts to a queue by its name. */
  toQueue(channel: number, queue: string, ...bodies: string[]): void {
    for (const body of bodies) this.publish(channel, { exchange: '', routingKey: queue }, {}, Buffer.from(body));
  }

  /** The next frames are a delivery with this body; returns its tag. */
  async delivery(channel: number, body: string, redelivered = false): Promise<number> {
    const fields = await this.expect(channel, 'basic.deliver');
    const content = await this.content(channel);
    const got = { body: content.body.toString(), redelivered: fields['redelivered'] };
    if (got.body !== body || got.redelivered !== redelivered) {
      throw new Error(`expected ${JSON.stringify({ body, redelivered })}, got ${JSON.stringify(got)}`);
    }
    return Number(fields['deliveryTag']);
  }
}

export function publishBytes(
  channel: number,
  fields: object,
  properties: object,
  body: Buffer,
  partBytes: number,
): Buffer {
  const frames = [
    definitions.encodeMethod(keyOf('basic.publish'), channel, fields),
    definitions.encodeProperties(60, channel, body.length, properties),
  ];
  for (let at = 0; at < body.length; at += partBytes) {
    frames.push(framing.makeBodyFrame(channel, body.subarray(at, at + partBytes)));
  }
  return Buffer.concat(frames);
}

function describe(frame: Frame): string {
  if (frame.type !== 1) return `a frame of type ${frame.type} on channel ${frame.channel}`;
  const key = frame.payload.readUInt32BE(0);
  const name = Object.keys(methods).find((method) => keyOf(method as MethodName) === key) ?? key;
  const fields = JSON.stringify(definitions.decode(key, frame.payload.subarray(4)));
  return `${name} on channel ${frame.channel} ${fields}`;
}
