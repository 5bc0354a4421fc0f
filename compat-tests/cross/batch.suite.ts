// One compressed Kafka batch of a thousand records, routed by key into three AMQP queues, acknowledged out of order there.
import assert from 'node:assert/strict';
import { bodies, message, text } from '../harness/messages.ts';
import type { Product } from '../harness/product.ts';
import { seeded } from '../harness/random.ts';
import { fresh, stage } from '../harness/suite.ts';
import { test } from '../harness/test.ts';

const here = stage('batch');
const COLORS = ['red', 'green', 'blue'] as const;

for (const compression of ['gzip', 'snappy', 'lz4', 'zstd']) {
  test(`a ${compression} batch of 1,000 records goes by key into three queues and is acknowledged there out of order`, async (t) => {
    const { random, seed } = seeded();
    t.diagnostic(`seed ${seed}`);
    const topic = await here.topic(1, 'colors');
    const queues = COLORS.map((color) => ({ color, name: fresh(color) }));
    await here.call('amqplib', 'amqp.declare', {
      queues,
      bindings: queues.map(({ color, name }) => ({ queue: name, exchange: topic, key: color })),
    });
    const records = Array.from({ length: 1_000 }, (_, i) =>
      message({ key: COLORS[Math.floor(random() * 3)]!, body: `record ${i}`, headers: { number: String(i) } }),
    );
    const { results } = await here.call('java', 'kafka.publish', {
      topic,
      messages: records,
      compression,
      lingerMs: 1_000,
    });
    assert.deepEqual(
      results.map((one) => one.offset),
      records.map((_, i) => i),
    );

    for (const { color, name } of queues) {
      const wanted = records.filter((one) => text(one.key ?? null) === color).map((one) => text(one.body));
      const first = await here.call('amqplib', 'amqp.subscribe', { queue: name, prefetch: 1_000 });
      const { messages } = await here.call('amqplib', 'amqp.take', {
        consumer: first.consumer,
        count: wanted.length,
        waitMs: 15_000,
      });
      assert.deepEqual(bodies(messages), wanted, `${color} in order`);
      assert.deepEqual([...new Set(messages.map((one) => one.routingKey))], [color]);
      const left = messages.filter(() => random() < 0.1);
      const settled = messages.filter((one) => !left.includes(one));
      const shuffled = settled.map((one) => [random(), one.handle] as const).sort(([a], [b]) => a - b);
      await here.call('amqplib', 'amqp.settle', {
        consumer: first.consumer,
        handles: shuffled.map(([, handle]) => handle),
      });
      await here.call('amqplib', 'amqp.close', { consumer: first.consumer });
      // Another client, another connection: exactly what was left, in order, marked as seen before.
      assert.equal((await here.call('java', 'amqp.queueState', { queue: name })).ready, left.length);
      const second = await here.call('java', 'amqp.subscribe', { queue: name, prefetch: 1_000 });
      const again = await here.call('java', 'amqp.take', {
        consumer: second.consumer,
        count: left.length + 1,
        waitMs: 2_000,
      });
      assert.deepEqual(bodies(again.messages), bodies(left));
      assert.ok(again.messages.every((one) => one.redelivered));
      await here.call('java', 'amqp.settle', {
        consumer: second.consumer,
        handles: again.messages.map((one) => one.handle),
      });
      await here.call('java', 'amqp.close', { consumer: second.consumer });
      assert.equal((await here.call('java', 'amqp.queueState', { queue: name })).ready, 0);
    }
    const { messages } = await here.call('java', 'rocketmq.read', { topic, queue: 0, from: 497, count: 5 });
    assert.deepEqual(
      messages.map((one) => [one.offset, text(one.body)]),
      [497, 498, 499, 500, 501].map((i) => [i, `record ${i}`]),
    );
  });
}

test('what was acknowledged out of order stays so over a clean restart', async () => {
  const product = here.target as Product;
  const topic = await here.topic(1, 'restart');
  const queue = fresh('q');
  await here.call('amqplib', 'amqp.declare', {
    queues: [{ name: queue }],
    bindings: [{ queue, exchange: topic, key: '#' }],
  });
  await here.call('java', 'kafka.publish', {
    topic,
    messages: Array.from({ length: 200 }, (_, i) => message({ key: 'k', body: `m-${i}` })),
    compression: 'gzip',
    lingerMs: 500,
  });
  const { consumer } = await here.call('amqplib', 'amqp.subscribe', { queue, prefetch: 200 });
  const { messages } = await here.call('amqplib', 'amqp.take', { consumer, count: 200 });
  const isKept = (i: number): boolean => i % 13 === 0;
  await here.call('amqplib', 'amqp.settle', {
    consumer,
    handles: messages.filter((_, i) => !isKept(i)).map((one) => one.handle),
  });
  await here.call('amqplib', 'amqp.close', { consumer });
  assert.deepEqual(await product.stop(), { code: 0, signal: null });
  await product.start();
  const again = await here.call('amqplib', 'amqp.subscribe', { queue, prefetch: 200 });
  const rest = await here.call('amqplib', 'amqp.take', { consumer: again.consumer, count: 200, waitMs: 2_000 });
  assert.deepEqual(bodies(rest.messages), bodies(messages.filter((_, i) => isKept(i))));
  await here.call('amqplib', 'amqp.close', { consumer: again.consumer });
});
