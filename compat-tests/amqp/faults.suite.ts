// Faults: the broker is killed under publishers with confirms and consumers with acknowledgements, connections vanish
// without a word, and frames of nonsense arrive in every state of a connection.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import amqp, { type Channel, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { megabytes, residentBytes } from '../harness/process-stat.ts';
import { Product } from '../harness/product.ts';
import { seeded } from '../harness/random.ts';
import { fresh } from '../harness/suite.ts';
import { after, before, test } from '../harness/test.ts';
import { Flow, publishFrames } from './flow.ts';
import { Link } from './link.ts';
import { Settled } from './settled.ts';
import { FRAME, frame, headerPayload, methodPayload } from './wire.ts';

const IS_LONG = Boolean(process.env.COMPAT_LONG);
const KILLS = IS_LONG ? 200 : 6;
const FUZZED = IS_LONG ? 200_000 : 4_000;
const LOAD_MS = [400, 1_600] as const;

let product: Product;
let port: number;
const { random, seed } = seeded();

before(async () => {
  product = await Product.start('amqp-faults');
  port = Number(new URL(product.endpoints.amqp).port);
});
after(async () => {
  if (product && !product.server.exit) await product.stop();
});

const GUEST = { user: 'guest', password: 'guest' };

/** An open connection, tried until there is one. */
async function connected(): Promise<ChannelModel> {
  for (;;) {
    const connection = await amqp.connect(product.endpoints.amqp, { timeout: 3_000 }).catch(() => null);
    if (connection) {
      connection.on('error', () => undefined);
      return connection;
    }
    await sleep(30);
  }
}

/**
 * What a request comes to, or null when it fails or the connection goes first: amqplib leaves what waits on a dying
 * connection without an answer.
 */
async function unlessLost<T>(connection: ChannelModel, request: Promise<T>): Promise<T | null> {
  let gone!: () => void;
  const lost = new Promise<null>((done) => {
    gone = () => done(null);
    connection.once('close', gone);
  });
  try {
    return await Promise.race([request.catch(() => null), lost, sleep(5_000, null, { ref: false })]);
  } finally {
    connection.removeListener('close', gone);
  }
}

/** Publishes with confirms until told to stop, through whatever happens to the broker. */
async function publish(settled: Settled, queue: string, name: string, isRunning: () => boolean): Promise<void> {
  let n = 0;
  while (isRunning()) {
    const connection = await connected();
    let isOpen = true;
    connection.on('close', () => (isOpen = false));
    const channel: ConfirmChannel | null = await unlessLost(connection, connection.createConfirmChannel());
    channel?.on('error', () => undefined);
    while (channel && isOpen && isRunning()) {
      for (let i = 0; i < 20; i++) {
        const value = `${name}-${n++}`;
        settled.published(value);
        channel.sendToQueue(queue, Buffer.from(value), { persistent: true }, (error: unknown) => {
          if (!error) settled.confirmed(value);
        });
      }
      await sleep(5);
    }
    if (isOpen) await unlessLost(connection, connection.close());
  }
}

/** Consumes, acknowledges four of five, and now and then closes its channel with the rest. */
async function consume(settled: Settled, queue: string, isRunning: () => boolean): Promise<void> {
  while (isRunning()) {
    const connection = await connected();
    let isOpen = true;
    connection.on('close', () => (isOpen = false));
    const channel: Channel | null = await unlessLost(connection, connection.createChannel());
    channel?.on('error', () => undefined);
    if (channel) {
      await unlessLost(connection, channel.prefetch(30));
      let n = 0;
      let unanswered: string[] = [];
      const consuming = channel.consume(queue, (message) => {
        if (!message) return;
        const value = message.content.toString();
        settled.delivered(value, message.fields.redelivered);
        if (n++ % 5 === 0) return;
        channel.ack(message);
        unanswered.push(value);
      });
      await unlessLost(connection, consuming);
      const until = Date.now() + 100 + random() * 400;
      while (isOpen && isRunning() && Date.now() < until) {
        await sleep(20);
        const values = unanswered;
        unanswered = [];
        // Acknowledgements are not answered; a request behind them is.
        if (await unlessLost(connection, channel.prefetch(30))) for (const value of values) settled.acked(value);
      }
    }
    settled.left();
    if (isOpen) await unlessLost(connection, connection.close());
  }
}

test(`${KILLS} times kill -9 under publishers with confirms and consumers with acknowledgements`, async (t) => {
  t.diagnostic(`seed ${seed}`);
  for (const queueType of ['classic', 'quorum']) {
    const queue = fresh(queueType);
    const setup = await connected();
    const channel = await setup.createChannel();
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': queueType } });
    await setup.close();
    const settled = new Settled();
    let isRunning = true;
    const still = (): boolean => isRunning;
    const load = ['a', 'b'].map((name) => publish(settled, queue, name, still));
    load.push(consume(settled, queue, still), consume(settled, queue, still));
    for (let kill = 0; kill < KILLS / 2; kill++) {
      await sleep(LOAD_MS[0] + random() * (LOAD_MS[1] - LOAD_MS[0]));
      settled.killed();
      await product.kill9();
      await product.start();
    }
    await sleep(300);
    isRunning = false;
    await Promise.all(load);
    await drain(settled, queue);
    const findings = settled.findings();
    const count = settled.count();
    assert.deepEqual(findings.slice(0, 10), [], `${findings.length} findings in the ${queueType} queue, seed ${seed}`);
    assert.ok(count.confirmed > KILLS * 20, `${count.confirmed} confirmed`);
    t.diagnostic(
      `${queueType}: ${count.confirmed} confirmed, ${count.redelivered} of them delivered again, ${count.unmarked} unmarked long after their first delivery`,
    );
  }
});

/** Takes and acknowledges all that is left. */
async function drain(settled: Settled, queue: string): Promise<void> {
  const connection = await connected();
  const channel = await connection.createChannel();
  await channel.prefetch(500);
  let lastAt = Date.now();
  await channel.consume(queue, (message) => {
    lastAt = Date.now();
    settled.delivered(message!.content.toString(), message!.fields.redelivered);
    channel.ack(message!);
  });
  while (Date.now() - lastAt < 700) await sleep(50);
  assert.equal((await channel.checkQueue(queue)).messageCount, 0);
  await connection.close();
}

test('a connection that vanishes without a word gives its messages back after its heartbeats', async () => {
  const queue = fresh('vanish');
  const setup = await connected();
  const channel = await setup.createChannel();
  await channel.assertQueue(queue, { durable: true });
  for (const body of ['a', 'b', 'c']) channel.sendToQueue(queue, Buffer.from(body));
  const lines = new Map<string, string[]>();
  const gone = await (await Link.dial(port, 'A', lines)).login({ ...GUEST, heartbeat: 1 });
  const holder = await gone.channel();
  await holder.consume(queue, 'gone');
  assert.deepEqual(
    (await holder.take(3)).map((one) => one.body),
    ['a', 'b', 'c'],
  );
  // From here on it neither sends heartbeats nor ends its socket.
  const got: string[] = [];
  const began = Date.now();
  await channel.consume(
    queue,
    (message) => void got.push(`${message!.content.toString()} ${message!.fields.redelivered}`),
  );
  while (got.length < 3 && Date.now() - began < 10_000) await sleep(20);
  assert.deepEqual(got, ['a true', 'b true', 'c true']);
  assert.ok(Date.now() - began < 6_000, `${Date.now() - began} ms`);
  gone.cut();
  await setup.close();
});

/** The states of a connection in which nonsense may arrive, each reached anew. */
const STATES: Readonly<Record<string, (port: number) => Promise<Link>>> = {
  'nothing said': (at) => Link.dial(at, 'F', new Map()),
  async 'after the header'(at) {
    const link = await Link.dial(at, 'F', new Map());
    link.write(Buffer.from('AMQP\0\0\x09\x01', 'latin1'));
    await link.main.arrives('connection.start');
    return link;
  },
  async 'after start-ok'(at) {
    const link = await STATES['after the header']!(at);
    link.main.send('connection.start-ok', { mechanism: 'PLAIN', response: '\0guest\0guest', locale: 'en_US' });
    await link.main.arrives('connection.tune');
    return link;
  },
  open: async (at) => (await Link.dial(at, 'F', new Map())).login(GUEST),
  async 'with a channel'(at) {
    const link = await STATES['open']!(at);
    await link.channel();
    return link;
  },
  async 'with a consumer'(at) {
    const link = await STATES['open']!(at);
    const channel = await link.channel();
    await channel.queue('fuzzed');
    await channel.confirm();
    channel.fill('fuzzed', 'a', 'b');
    await channel.consume('fuzzed', 'c');
    return link;
  },
  async 'within a publish'(at) {
    const link = await STATES['with a channel']!(at);
    link.write(frame(FRAME.method, 1, methodPayload('basic.publish', { routingKey: 'fuzzed' })));
    return link;
  },
  async 'within a body'(at) {
    const link = await STATES['within a publish']!(at);
    link.write(frame(FRAME.header, 1, headerPayload(100)));
    return link;
  },
  async 'in a transaction'(at) {
    const link = await STATES['open']!(at);
    const channel = await link.channel();
    await channel.call('tx.select');
    channel.fill('fuzzed', 'x');
    return link;
  },
  async 'while closing'(at) {
    const link = await STATES['with a channel']!(at);
    link.write(frame(FRAME.method, 1, methodPayload('queue.declare', { queue: 'never-there', passive: true })));
    return link;
  },
};

const integer = (below: number): number => Math.floor(random() * below);
const octets = (length: number): Buffer => Buffer.from(Array.from({ length }, () => integer(256)));
const pick = <T>(values: readonly T[]): T => values[integer(values.length)]!;

/** Frames that are right, to be made wrong. */
const RIGHT: readonly (() => Buffer)[] = [
  () =>
    frame(
      FRAME.method,
      1,
      methodPayload('queue.declare', {
        queue: 'fuzzed',
        durable: true,
        arguments: { 'x-max-length': 5, a: [1, { b: 'c' }] },
      }),
    ),
  () => frame(FRAME.method, 1, methodPayload('exchange.declare', { exchange: 'fuzzed-x', type: 'topic' })),
  () =>
    frame(
      FRAME.method,
      1,
      methodPayload('queue.bind', { queue: 'fuzzed', exchange: 'amq.headers', arguments: { 'x-match': 'any', a: 1 } }),
    ),
  () => frame(FRAME.method, 1, methodPayload('basic.consume', { queue: 'fuzzed', consumerTag: String(integer(5)) })),
  () => frame(FRAME.method, 1, methodPayload('basic.ack', { deliveryTag: integer(4), multiple: random() < 0.5 })),
  () => frame(FRAME.method, 1, methodPayload('basic.nack', { deliveryTag: integer(4), requeue: true })),
  () => frame(FRAME.method, 1, methodPayload('basic.get', { queue: 'fuzzed' })),
  () => frame(FRAME.method, integer(3), methodPayload('channel.open')),
  () => frame(FRAME.method, integer(3), methodPayload('channel.close')),
  () => frame(FRAME.method, 1, methodPayload('tx.commit')),
  () => frame(FRAME.method, 0, methodPayload('connection.close', { replyCode: 200 })),
  () =>
    publishFrames('', 'fuzzed', octets(integer(300)), {
      headers: { CC: ['fuzzed'], h: { deep: [true, null] } },
      expiration: '5',
    }),
  () => frame(FRAME.heartbeat, 0, Buffer.alloc(0)),
  () => Buffer.from('AMQP\0\0\x09\x01', 'latin1'),
];

function nonsense(): Buffer {
  const kind = integer(5);
  if (kind === 0) return octets(1 + integer(200));
  const bytes = Buffer.from(pick(RIGHT)());
  if (kind === 1) for (let i = 0; i < 1 + integer(4); i++) bytes[integer(bytes.length)] = integer(256);
  if (kind === 2) return bytes.subarray(0, integer(bytes.length));
  // Lengths are the fields that a parser believes.
  if (kind === 3 && bytes.length > 20) bytes.writeUInt32BE(integer(2 ** 32), 7 + integer(bytes.length - 12));
  return bytes;
}

test(`${FUZZED} frames of nonsense in every state leave the broker unmoved`, async (t) => {
  t.diagnostic(`seed ${seed}`);
  const healthy = await Flow.open(port);
  await healthy.call('queue.declare', { queue: 'fuzzed', durable: true });
  const before = residentBytes(product.server.pid);
  const names = Object.keys(STATES);
  for (let sent = 0; sent < FUZZED; ) {
    const links = await Promise.all(names.map((name) => STATES[name]!(port)));
    for (const link of links) {
      for (let i = 0; i < 10 && !link.isEnded; i++, sent++) link.write(nonsense());
    }
    await healthy.call('basic.qos');
    for (const link of links) link.cut();
  }
  assert.equal(product.server.exit, null);
  assert.equal(healthy.closed, null);
  const other = await Flow.open(port);
  await other.call('confirm.select');
  await other.pour(publishFrames('amq.fanout', '', Buffer.from('still here')));
  await other.until('a confirm', () => other.confirmed === 1);
  const grown = residentBytes(product.server.pid) - before;
  t.diagnostic(`memory grew by ${megabytes(grown)}`);
  assert.ok(grown < 200 * 2 ** 20, megabytes(grown));
  assert.doesNotMatch(product.server.logTail(5_000), /uncaught|unhandled|TypeError|RangeError|ERR_/i);
  for (const flow of [healthy, other]) flow.end();
});
