// Much of everything, in bounded memory: many queues, one message in many queues, a long queue behind one old message
// that nobody acknowledges, publishers that are faster than the disk, readers that do not read.
import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { megabytes, residentBytes, watchMemory } from '../harness/process-stat.ts';
import { Product } from '../harness/product.ts';
import { fresh } from '../harness/suite.ts';
import { after, before, test } from '../harness/test.ts';
import { sleep } from '../harness/wait.ts';
import { Flow, publishFrames } from './flow.ts';

const IS_LONG = Boolean(process.env.COMPAT_LONG);
const READY = IS_LONG ? 10_000_000 : 1_000_000;
const QUEUES = 10_000;
const FAN_OUT = 100;
const IN_ONE_WRITE = 500;
const MIB = 2 ** 20;

let product: Product;
let port: number;
before(async () => {
  product = await Product.start('amqp-scale', { flush: 'async', settings: { 'store.segmentBytes': 64 * MIB } });
  port = Number(new URL(product.endpoints.amqp).port);
});
after(async () => {
  if (product && !product.server.exit) await product.stop();
});

const resident = (): number => residentBytes(product.server.pid);

/** Publishes the same body so many times; resolves when all is written to the socket. */
async function fill(flow: Flow, exchange: string, key: string, count: number, body: Uint8Array): Promise<void> {
  const many = Buffer.concat(
    Array.from({ length: IN_ONE_WRITE }, () => publishFrames(exchange, key, body, { deliveryMode: 2 })),
  );
  const one = many.length / IN_ONE_WRITE;
  for (let left = count; left > 0; left -= IN_ONE_WRITE)
    await flow.pour(left >= IN_ONE_WRITE ? many : many.subarray(0, left * one));
}

function bytesOnDisk(): number {
  const sizes = readdirSync(product.dataDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(join(entry.parentPath, entry.name)).size);
  return sizes.reduce((all, size) => all + size, 0);
}

test(`${READY} messages ready behind one that is not acknowledged`, async (t) => {
  const queue = fresh('long');
  const publisher = await Flow.open(port);
  await publisher.call('queue.declare', { queue, durable: true });
  await publisher.call('confirm.select');
  const holder = await Flow.open(port);
  await holder.call('basic.qos', { prefetchCount: 1 });
  await holder.call('basic.consume', { queue, consumerTag: 'holder' });
  await fill(publisher, '', queue, 1, Buffer.alloc(100));
  await holder.until('the old message', () => holder.deliveries === 1);
  const empty = resident();
  await fill(publisher, '', queue, READY - 1, Buffer.alloc(100));
  await publisher.until('every confirm', () => publisher.confirmed === READY);
  const full = resident();
  const reader = await Flow.open(port);
  await reader.call('basic.qos', { prefetchCount: 1_000 });
  const watch = watchMemory(product.server.pid);
  await reader.call('basic.consume', { queue, consumerTag: 'reader' });
  let acked = 0;
  while (reader.deliveries < READY - 1) {
    await reader.until('deliveries', () => reader.lastTag > acked);
    acked = reader.lastTag;
    reader.send('basic.ack', { deliveryTag: acked, multiple: true });
  }
  await reader.call('basic.qos', { prefetchCount: 1_000 });
  const most = watch.stop();
  t.diagnostic(
    `memory: ${megabytes(empty)} with one message, ${megabytes(full)} with all, at most ${megabytes(most)} while they were read`,
  );
  assert.equal(reader.deliveries, READY - 1);
  // The old one comes again when its holder is gone, and nothing else.
  holder.end();
  await reader.until('the old message again', () => reader.deliveries === READY);
  await sleep(300);
  assert.equal(reader.deliveries, READY);
  // Caches fill up; a heap that grew with the backlog would take some hundred bytes for each message.
  assert.ok(full - empty < 400 * MIB, `${megabytes(full - empty)} for ${READY} ready messages`);
  assert.ok(most < 700 * MIB, `at most ${megabytes(most)}`);
  for (const flow of [publisher, reader]) flow.end();
});

test(`a publisher faster than the disk is slowed and the broker keeps its size`, async (t) => {
  const queue = fresh('fast');
  const flow = await Flow.open(port);
  await flow.call('queue.declare', { queue, durable: true });
  await flow.call('confirm.select');
  const before = resident();
  const watch = watchMemory(product.server.pid);
  const count = 6_000;
  const body = Buffer.alloc(64 * 1_024, 'x');
  await fill(flow, '', queue, count, body);
  await flow.until('every confirm', () => flow.confirmed === count);
  const most = watch.stop();
  t.diagnostic(`${megabytes(count * body.length)} in one go: memory ${megabytes(before)}, at most ${megabytes(most)}`);
  assert.ok(most - before < 400 * MIB, `${megabytes(most - before)} more`);
  flow.end();
});

test('a reader that does not read holds up nobody and fills no memory', async (t) => {
  const [slow, fast] = [fresh('slow'), fresh('fast')];
  const publisher = await Flow.open(port);
  for (const queue of [slow, fast]) await publisher.call('queue.declare', { queue, durable: true });
  await publisher.call('confirm.select');
  const body = Buffer.alloc(16 * 1_024, 'x');
  await fill(publisher, '', slow, 8_000, body);
  await publisher.until('every confirm', () => publisher.confirmed === 8_000);
  const watch = watchMemory(product.server.pid);
  const before = resident();
  // Without acknowledgements and without a prefetch all 125 MiB could be sent at once.
  const deaf = await Flow.open(port);
  deaf.socket.pause();
  deaf.send('basic.consume', { queue: slow, consumerTag: 'deaf', noAck: true });
  const hearing = await Flow.open(port);
  await hearing.call('basic.consume', { queue: fast, consumerTag: 'hearing', noAck: true });
  const began = performance.now();
  await fill(publisher, '', fast, 20_000, Buffer.alloc(100));
  await hearing.until('20,000 messages', () => hearing.deliveries === 20_000, 30_000);
  const seconds = (performance.now() - began) / 1_000;
  const most = watch.stop();
  t.diagnostic(
    `20,000 messages beside it in ${seconds.toFixed(1)} s; memory ${megabytes(before)}, at most ${megabytes(most)}`,
  );
  assert.ok(most - before < 150 * MIB, `${megabytes(most - before)} more`);
  deaf.socket.resume();
  await deaf.until('all that it was owed', () => deaf.deliveries === 8_000, 60_000);
  for (const flow of [publisher, deaf, hearing]) flow.end();
});

test(`a message to ${FAN_OUT} queues is stored once`, async (t) => {
  const exchange = fresh('x');
  const flow = await Flow.open(port);
  await flow.call('exchange.declare', { exchange, type: 'fanout', durable: true });
  const queues = Array.from({ length: FAN_OUT }, () => fresh('fan'));
  for (const queue of queues) {
    await flow.call('queue.declare', { queue, durable: true });
    await flow.call('queue.bind', { queue, exchange });
  }
  await flow.call('confirm.select');
  const before = bytesOnDisk();
  const body = Buffer.alloc(20 * 1_024, 'x');
  const count = 500;
  await fill(flow, exchange, '', count, body);
  await flow.until('every confirm', () => flow.confirmed === count);
  const grown = bytesOnDisk() - before;
  t.diagnostic(`${megabytes(count * body.length)} to ${FAN_OUT} queues took ${megabytes(grown)} on disk`);
  // A segment of zeros is written ahead.
  assert.ok(grown < 2 * count * body.length + 64 * MIB, megabytes(grown));
  const reader = await Flow.open(port);
  for (const queue of queues) reader.send('basic.consume', { queue, consumerTag: queue, noAck: true });
  await reader.until('all deliveries', () => reader.deliveries === count * FAN_OUT, 120_000);
  for (const one of [flow, reader]) one.end();
});

test(`${QUEUES} queues`, async (t) => {
  const flow = await Flow.open(port);
  const names = Array.from({ length: QUEUES }, (_, i) => `${fresh('many')}-${i}`);
  const before = resident();
  const began = performance.now();
  for (const queue of names) flow.send('queue.declare', { queue, durable: true, nowait: true });
  await flow.call('confirm.select');
  const declared = performance.now();
  for (const queue of names) await flow.pour(publishFrames('', queue, Buffer.from('m'), { deliveryMode: 2 }));
  await flow.until('every confirm', () => flow.confirmed === QUEUES);
  const published = performance.now();
  const grown = resident() - before;
  const reader = await Flow.open(port);
  for (const queue of names) reader.send('basic.consume', { queue, consumerTag: queue, noAck: true });
  await reader.until('every message', () => reader.deliveries === QUEUES);
  t.diagnostic(
    `declared in ${((declared - began) / 1_000).toFixed(1)} s, a message to each in ${((published - declared) / 1_000).toFixed(1)} s, ${(grown / QUEUES / 1_024).toFixed(1)} KiB each`,
  );
  assert.ok(grown / QUEUES < 64 * 1_024, `${Math.round(grown / QUEUES)} bytes a queue`);
  reader.end();
  for (const queue of names) flow.send('queue.delete', { queue, nowait: true });
  await flow.call('basic.qos');
  flow.end();
});
