// A disk that is full, for real: the data directory is on a small tmpfs. Publishers get their protocol's own error,
// reading and acknowledging go on, and it lifts by itself when there is room again.
import assert from 'node:assert/strict';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Driver, type DriverName, type Reply } from '../drivers/driver.ts';
import { bodies, message, numbered, text } from '../harness/messages.ts';
import { Product } from '../harness/product.ts';
import { fresh } from '../harness/suite.ts';
import { after, before, test } from '../harness/test.ts';
import { Mounted } from './loop-image.ts';

const DISK_MEGABYTES = 128;
const LIFTS_WITHIN_MS = 10_000;
const BIG = new Uint8Array(256 * 1024).fill(0x61);

let disk: Mounted;
let product: Product;
const drivers = new Map<DriverName, Driver>();
const call = (driver: DriverName, op: string, fields: Record<string, unknown> = {}): Promise<Reply> =>
  drivers.get(driver)!.call(op, fields);

const topic = fresh('filling');
const queue = fresh('waiting');
const filler = (): string => `${disk.directory}/filler`;
const stored: string[] = [];

before(async () => {
  disk = await Mounted.tmpfs(DISK_MEGABYTES);
  product = await Product.start('full', {
    dataDir: `${disk.directory}/data`,
    settings: { 'store.segmentBytes': 16 << 20, 'store.reserveBytes': 4 << 20 },
  });
  for (const name of ['java', 'kafkajs', 'amqplib'] as const)
    drivers.set(name, await Driver.start(name, product.endpoints));
  await product.createTopic(topic, 1);
  await call('amqplib', 'amqp.declare', { queues: [{ name: queue }] });
  await call('amqplib', 'amqp.publish', {
    messages: numbered(50, 'waiting').map((one) => ({ ...one, routingKey: queue })),
  });
});
after(async () => {
  for (const driver of drivers.values()) await driver.stop();
  if (product && !product.server.exit) await product.stop();
  await disk?.remove();
});

/** Takes the room that is left, but for what the broker has already written. */
function fill(): void {
  const { bavail, bsize } = statfsSync(disk.directory);
  writeFileSync(filler(), new Uint8Array(Math.max(0, bavail * bsize - 64 * 1024)));
}

async function publishOne(value: string, body: Uint8Array = BIG): Promise<Reply['results'][0]> {
  const { results } = await call('kafkajs', 'kafka.publish', {
    topic,
    retries: 0,
    messages: [message({ key: value, body })],
  });
  return results[0]!;
}

test('publishing goes on until the disk is full, and then Kafka answers KAFKA_STORAGE_ERROR (56)', async () => {
  fill();
  let refusal: { message: string; code?: number } | undefined;
  for (let i = 0; i < 400 && !refusal; i++) {
    const { error, offset } = await publishOne(`v${i}`);
    if (error) refusal = error;
    else {
      assert.equal(offset, stored.length);
      stored.push(`v${i}`);
    }
  }
  assert.ok(refusal, 'a full disk refuses');
  assert.ok(refusal.code === 56 || /STORAGE|disk error/i.test(refusal.message), JSON.stringify(refusal));
});

test('RocketMQ answers SERVICE_NOT_AVAILABLE (14) with the reason', async () => {
  const { results } = await call('java', 'rocketmq.publish', { topic, retries: 0, messages: [message({ body: BIG })] });
  assert.equal(results[0]?.error?.code, 14, JSON.stringify(results[0]));
  assert.match(results[0]!.error!.message, /full|disk|space|reserve/i);
});

test('AMQP says connection.blocked and confirms nothing', async () => {
  const { results } = await call('amqplib', 'amqp.publish', {
    messages: [message({ body: BIG, routingKey: queue })],
    waitMs: 1_500,
  });
  assert.notEqual(results[0]?.confirmed, true);
  const { blocked } = await call('amqplib', 'amqp.blocked');
  assert.ok(blocked, 'the connection was told that it is blocked');
});

test('the broker says that it is not well, and stays alive', async () => {
  assert.equal((await fetch(`${product.http}/health/live`)).status, 200);
  assert.equal(product.server.exit, null);
});

test('reading goes on: everything that was accepted is there', async () => {
  for (const protocol of ['kafka', 'rocketmq']) {
    const { messages } = await call('java', `${protocol}.read`, {
      topic,
      queue: 0,
      count: stored.length,
      waitMs: 20_000,
    });
    assert.deepEqual(
      messages.map((one) => text(one.key)),
      stored,
      protocol,
    );
  }
});

test('acknowledging goes on, and is not forgotten', async () => {
  const group = fresh('g');
  const member = await call('java', 'kafka.subscribe', { group, topic });
  const { messages } = await call('java', 'kafka.take', { consumer: member.consumer, count: 3, waitMs: 15_000 });
  await call('java', 'kafka.settle', { consumer: member.consumer, handles: messages.map((one) => one.handle) });
  await call('java', 'kafka.close', { consumer: member.consumer });
  assert.deepEqual((await call('java', 'kafka.position', { group, topic })).queues, {
    0: messages.at(-1)!.offset! + 1,
  });
  // A consumer of another client, because the publisher's connection is blocked.
  const { consumer } = await call('java', 'amqp.subscribe', { queue, prefetch: 100 });
  const waiting = await call('java', 'amqp.take', { consumer, count: 50 });
  assert.deepEqual(
    bodies(waiting.messages),
    Array.from({ length: 50 }, (_, i) => `waiting-${i}`),
  );
  await call('java', 'amqp.settle', { consumer, handles: [waiting.messages[29]!.handle], multiple: true });
  await call('java', 'amqp.close', { consumer });
  assert.equal((await call('java', 'amqp.queueState', { queue })).ready, 20);
});

test('a kill while the disk is full: the broker starts again on the full disk with everything', async () => {
  await product.kill9();
  await product.start();
  const { messages } = await call('java', 'kafka.read', { topic, queue: 0, count: stored.length, waitMs: 20_000 });
  assert.deepEqual(
    messages.map((one) => text(one.key)),
    stored,
  );
  const { error } = await publishOne('still full');
  assert.ok(error, 'it still refuses');
});

test(`when there is room again it lifts by itself within ${LIFTS_WITHIN_MS / 1000} s`, async () => {
  rmSync(filler());
  const began = Date.now();
  let last: Reply['results'][0] | null = null;
  while (Date.now() - began < LIFTS_WITHIN_MS) {
    last = await publishOne('after');
    if (!last.error) break;
    await sleep(100);
  }
  assert.equal(last?.error, undefined);
  assert.equal(last!.offset, stored.length, 'with no gap behind the last one accepted');
  const confirmed = await call('amqplib', 'amqp.publish', {
    messages: [message({ body: 'after', routingKey: queue })],
    waitMs: 10_000,
  });
  assert.equal(confirmed.results[0]?.confirmed, true);
  const sent = await call('java', 'rocketmq.publish', { topic, messages: [message({ body: 'after' })] });
  assert.equal(sent.results[0]?.error, undefined);
});
