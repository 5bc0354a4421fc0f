// An AMQP broker that stores nothing: it says yes to logins and declarations, confirms every publish, and of a queue it
// knows how many messages it would hold and what the first one looked like. Its consumers are given that one again and
// again, as many as were published, never more unanswered than their prefetch. What a client reaches here is its own
// bound on this machine. `node null-server.ts PORT`.
import { createServer, type Socket } from 'node:net';
import { type MethodName, methodKey, methods } from '../../../specs/amqp/methods.ts';
import { type Fields, FRAME, frame, methodPayload } from '../../amqp/wire.ts';

const keyOf = (name: MethodName): number => methodKey(methods[name].classId, methods[name].methodId);
const answer = (name: MethodName, fields: Fields = {}): Buffer => methodPayload(name, fields);

const CAPABILITIES = { publisher_confirms: true, 'basic.nack': true, exchange_exchange_bindings: true };
const TUNE = { channelMax: 2_047, frameMax: 131_072, heartbeat: 0 };
const ANSWERS = new Map<number, Buffer>([
  [keyOf('connection.start-ok'), answer('connection.tune', TUNE)],
  [keyOf('connection.open'), answer('connection.open-ok')],
  [keyOf('connection.close'), answer('connection.close-ok')],
  [keyOf('channel.open'), answer('channel.open-ok')],
  [keyOf('channel.close'), answer('channel.close-ok')],
  [keyOf('exchange.declare'), answer('exchange.declare-ok')],
  [keyOf('queue.declare'), answer('queue.declare-ok', { queue: 'null' })],
  [keyOf('queue.bind'), answer('queue.bind-ok')],
  [keyOf('basic.qos'), answer('basic.qos-ok')],
  [keyOf('basic.cancel'), answer('basic.cancel-ok', { consumerTag: 'null' })],
  [keyOf('confirm.select'), answer('confirm.select-ok')],
]);
const BIND = keyOf('queue.bind');
const PUBLISH = keyOf('basic.publish');
const ACK = keyOf('basic.ack');
const QOS = keyOf('basic.qos');
const CONSUME = keyOf('basic.consume');
const CANCEL = keyOf('basic.cancel');
const HEADER_BYTES = 8;
/** Deliveries written at a time. */
const BATCH = 1_000;
const DELIVERY_TAG_AT = 11 + 1 + 'null'.length;

class Queue {
  ready = 0;
  /** Header and body frames of the first message, as they came. */
  content: Buffer = Buffer.alloc(0);
  readonly consumers = new Set<Channel>();

  serve(): void {
    for (const channel of this.consumers) channel.deliver(this);
  }
}

const queues = new Map<string, Queue>();
/** By routing key; whatever the exchange. */
const bound = new Map<string, Queue>();

function queueNamed(name: string): Queue {
  let queue = queues.get(name);
  if (queue === undefined) {
    queue = new Queue();
    queues.set(name, queue);
  }
  return queue;
}

class Channel {
  readonly #socket: Socket;
  readonly #number: number;
  readonly #method: Buffer;
  published = 0;
  prefetch = 0;
  #delivered = 0;
  #answered = 0;
  /** Where what is being published goes. */
  into: Queue | null = null;
  /** What it consumes. */
  queue: Queue | null = null;

  constructor(socket: Socket, number: number) {
    this.#socket = socket;
    this.#number = number;
    this.#method = frame(FRAME.method, number, answer('basic.deliver', { consumerTag: 'null', routingKey: 'null' }));
  }

  confirm(): Buffer {
    return frame(FRAME.method, this.#number, answer('basic.ack', { deliveryTag: this.published, multiple: true }));
  }

  answered(tag: number, multiple: boolean): void {
    if (multiple) this.#answered = tag;
    else this.#answered++;
  }

  deliver(queue: Queue): void {
    const room = this.prefetch === 0 ? BATCH : this.prefetch - (this.#delivered - this.#answered);
    const count = Math.min(room, queue.ready, BATCH);
    if (count <= 0) return;
    queue.ready -= count;
    const { content } = queue;
    const method = this.#method;
    const out = Buffer.allocUnsafe(count * (method.length + content.length));
    for (let n = 0, at = 0; n < count; n++) {
      method.copy(out, at);
      out.writeUInt32BE(++this.#delivered, at + DELIVERY_TAG_AT + 4);
      at += method.length;
      content.copy(out, at);
      out.writeUInt16BE(this.#number, at + 1);
      at += content.length;
    }
    this.#socket.write(out);
  }

  end(): void {
    this.queue?.consumers.delete(this);
    this.queue = null;
  }
}

const shortAt = (bytes: Buffer, at: number): string => bytes.toString('latin1', at + 1, at + 1 + bytes[at]!);
const behind = (bytes: Buffer, at: number): number => at + 1 + bytes[at]!;

function serve(socket: Socket): void {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  let rest: Buffer = Buffer.alloc(0);
  const channels = new Map<number, Channel>();
  socket.on('close', () => {
    for (const channel of channels.values()) channel.end();
  });

  function method(channel: Channel, key: number, bytes: Buffer, at: number): void {
    if (key === PUBLISH) {
      channel.into = bound.get(shortAt(bytes, behind(bytes, at + 2))) ?? null;
      channel.published++;
    } else if (key === ACK) channel.answered(bytes.readUInt32BE(at + 4), (bytes[at + 8]! & 1) === 1);
    else if (key === BIND) {
      const exchangeAt = behind(bytes, at + 2);
      bound.set(shortAt(bytes, behind(bytes, exchangeAt)), queueNamed(shortAt(bytes, at + 2)));
    } else if (key === QOS) channel.prefetch = bytes.readUInt16BE(at + 4);
    else if (key === CONSUME) {
      channel.queue = queueNamed(shortAt(bytes, at + 2));
      channel.queue.consumers.add(channel);
    } else if (key === CANCEL) channel.end();
  }

  socket.on('data', (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const replies: Buffer[] = [];
    const confirmed = new Set<Channel>();
    const served = new Set<Queue>();
    let at = 0;
    while (bytes.length - at >= 8) {
      if (bytes[at] === 0x41) {
        const start = {
          versionMinor: 9,
          serverProperties: { capabilities: CAPABILITIES },
          mechanisms: 'PLAIN',
          locales: 'en_US',
        };
        replies.push(frame(FRAME.method, 0, answer('connection.start', start)));
        at += HEADER_BYTES;
        continue;
      }
      const length = bytes.readUInt32BE(at + 3) + 8;
      if (bytes.length - at < length) break;
      const number = bytes.readUInt16BE(at + 1);
      let channel = channels.get(number);
      if (channel === undefined) {
        channel = new Channel(socket, number);
        channels.set(number, channel);
      }
      if (bytes[at] === FRAME.method) {
        const key = bytes.readUInt32BE(at + 7);
        method(channel, key, bytes, at + 11);
        const reply = key === CONSUME ? answer('basic.consume-ok', { consumerTag: 'null' }) : ANSWERS.get(key);
        if (reply) replies.push(frame(FRAME.method, number, reply));
        // A publish whose body is still on its way is confirmed a little early: nothing is stored anyhow.
        if (key === PUBLISH) confirmed.add(channel);
        else if ((key === ACK || key === CONSUME) && channel.queue !== null) served.add(channel.queue);
      } else if (channel.into !== null) taken(channel.into, bytes, at, length, served);
      at += length;
    }
    rest = bytes.subarray(at);
    for (const channel of confirmed) replies.push(channel.confirm());
    if (replies.length > 0) socket.write(Buffer.concat(replies));
    for (const queue of served) queue.serve();
  });
}

/** A content frame: a header begins a message; bodies are taken to be one frame, as in these rows they are. */
function taken(queue: Queue, bytes: Buffer, at: number, length: number, served: Set<Queue>): void {
  if (bytes[at] === FRAME.header) {
    if (queue.content.length === 0) queue.content = Buffer.from(bytes.subarray(at, at + length));
    return;
  }
  const isFirst = queue.content.length > 0 && queue.content.readUInt32BE(3) + 8 === queue.content.length;
  if (isFirst) queue.content = Buffer.concat([queue.content, bytes.subarray(at, at + length)]);
  queue.ready++;
  served.add(queue);
}

createServer(serve).listen(Number(process.argv[2]), '127.0.0.1');
