// Kafka clients doing what Kafka applications do. Each test runs with the Java client and with kafkajs.
import assert from 'node:assert/strict';
import type { ReceivedMessage } from '../drivers/driver.ts';
import { assertSame, bodies, message, numbered, text } from '../harness/messages.ts';
import { fresh, stage } from '../harness/suite.ts';
import { test } from '../harness/test.ts';

const here = stage('clients-kafka', ['kafka']);
const CLIENTS = ['java', 'kafkajs'] as const;

for (const client of CLIENTS) {
  test(`${client}: what is sent to one partition is read back in order with its offsets`, async () => {
    const topic = await here.topic(3);
    const sent = numbered(200, 'm').map((one) => ({ ...one, queue: 1 }));
    const { results } = await here.call(client, 'kafka.publish', { topic, messages: sent });
    assert.deepEqual(
      results.map((one) => one.error),
      results.map(() => undefined),
    );
    assert.deepEqual(
      results.map((one) => one.offset),
      results.map((_, i) => i),
    );
    const { messages } = await here.call(client, 'kafka.read', { topic, queue: 1, from: 0, count: 200 });
    assert.deepEqual(
      bodies(messages),
      sent.map((one) => text(one.body)),
    );
    assert.deepEqual(
      messages.map((one) => one.offset),
      messages.map((_, i) => i),
    );
  });

  test(`${client}: an unknown topic is created by sending to it`, async () => {
    const topic = fresh('auto');
    const { results } = await here.call(client, 'kafka.publish', { topic, messages: [message({ body: 'first' })] });
    assert.equal(results[0]?.error, undefined);
    const { messages } = await here.call(client, 'kafka.read', { topic, count: 1 });
    assert.deepEqual(bodies(messages), ['first']);
  });

  test(`${client}: keys, null keys, null and empty values, text and binary headers survive`, async () => {
    const topic = await here.topic(1);
    const sent = [
      message({ key: 'k1', body: 'v1', headers: { a: 'text', ünï: 'çödé' } }),
      message({ key: null, body: 'no key' }),
      message({ key: 'tombstone', body: null }),
      message({ key: 'empty', body: '' }),
      message({
        key: 'bin',
        body: new Uint8Array([0, 255, 128, 13, 10]),
        binaryHeaders: { raw: new Uint8Array([0, 1, 254, 255]) },
      }),
    ];
    await here.call(client, 'kafka.publish', { topic, messages: sent });
    const { messages } = await here.call(client, 'kafka.read', { topic, queue: 0, count: 5 });
    assert.equal(messages.length, 5);
    for (const [i, one] of messages.entries()) assertSame(one, sent[i]!);
    assert.equal(messages[1]!.key, null);
    assert.equal(messages[2]!.body, null);
    assert.equal(messages[3]!.body, '');
  });

  test(`${client}: a reader can begin in the middle of a batch`, async () => {
    const topic = await here.topic(1);
    await here.call(client, 'kafka.publish', {
      topic,
      messages: numbered(100, 'm'),
      compression: 'gzip',
      lingerMs: 200,
    });
    const { messages } = await here.call(client, 'kafka.read', { topic, queue: 0, from: 57, count: 43 });
    assert.deepEqual(
      bodies(messages),
      Array.from({ length: 43 }, (_, i) => `m-${i + 57}`),
    );
  });

  test(`${client}: a group member leaves and the next one goes on behind what was committed`, async () => {
    const topic = await here.topic(1);
    const group = fresh('g');
    await here.call(client, 'kafka.publish', { topic, messages: numbered(20, 'm') });
    const first = await here.call(client, 'kafka.subscribe', { group, topic });
    const { messages } = await here.call(client, 'kafka.take', { consumer: first.consumer, count: 20, waitMs: 20_000 });
    assert.equal(messages.length, 20);
    await here.call(client, 'kafka.settle', {
      consumer: first.consumer,
      handles: messages.slice(0, 8).map((one) => one.handle),
    });
    await here.call(client, 'kafka.close', { consumer: first.consumer });
    assert.deepEqual((await here.call(client, 'kafka.position', { group, topic })).queues, { 0: 8 });

    const second = await here.call(client, 'kafka.subscribe', { group, topic });
    const again = await here.call(client, 'kafka.take', { consumer: second.consumer, count: 12, waitMs: 20_000 });
    assert.deepEqual(
      bodies(again.messages),
      Array.from({ length: 12 }, (_, i) => `m-${i + 8}`),
    );
    await here.call(client, 'kafka.close', { consumer: second.consumer });
  });

  test(`${client}: two members share four partitions, and one takes over when the other leaves`, async () => {
    const topic = await here.topic(4);
    const group = fresh('g');
    const one = await here.call(client, 'kafka.subscribe', { group, topic });
    const other = await here.call(client, 'kafka.subscribe', { group, topic });
    type Taken = { messages: ReceivedMessage[]; queues: unknown };
    const owned = async (consumer: string): Promise<number[]> =>
      ((await here.call(client, 'kafka.take', { consumer, count: 1, waitMs: 300 })) as unknown as Taken)
        .queues as number[];
    let split: number[][] = [];
    for (let i = 0; i < 60; i++) {
      split = await Promise.all([owned(one.consumer), owned(other.consumer)]);
      if (split[0]!.length === 2 && split[1]!.length === 2) break;
    }
    assert.deepEqual(
      [...split[0]!, ...split[1]!].sort((a, b) => a - b),
      [0, 1, 2, 3],
      `split ${JSON.stringify(split)}`,
    );
    await here.call(client, 'kafka.close', { consumer: other.consumer });
    let alone: number[] = [];
    for (let i = 0; i < 60 && alone.length < 4; i++) alone = await owned(one.consumer);
    assert.equal(alone.length, 4);
    await here.call(client, 'kafka.close', { consumer: one.consumer });
  });

  test(`${client}: a 1 MiB value`, async () => {
    const topic = await here.topic(1);
    const sent = message({ key: 'big', body: new Uint8Array(1024 * 1024 - 1024).map((_, i) => i * 31) });
    const { results } = await here.call(client, 'kafka.publish', { topic, messages: [sent] });
    assert.equal(results[0]?.error, undefined);
    const { messages } = await here.call(client, 'kafka.read', { topic, queue: 0, count: 1 });
    assertSame(messages[0]!, sent);
  });
}

for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
  test(`java: ${compression} batches are read back by Java${compression === 'gzip' ? ' and kafkajs' : ''}`, async () => {
    const topic = await here.topic(1);
    const sent = numbered(500, `body of a message that compresses well, ${compression}`);
    await here.call('java', 'kafka.publish', { topic, messages: sent, compression, lingerMs: 100 });
    for (const client of compression === 'gzip' ? CLIENTS : (['java'] as const)) {
      const { messages } = await here.call(client, 'kafka.read', { topic, queue: 0, count: 500 });
      assert.deepEqual(
        bodies(messages),
        sent.map((one) => text(one.body)),
      );
    }
  });
}

test('java: acks=0 and acks=1 are served', async () => {
  const topic = await here.topic(1);
  await here.call('java', 'kafka.publish', { topic, messages: numbered(10, 'zero'), acks: '0' });
  await here.call('java', 'kafka.publish', { topic, messages: numbered(10, 'one'), acks: '1' });
  const { messages } = await here.call('java', 'kafka.read', { topic, queue: 0, count: 20 });
  assert.deepEqual(
    new Set(bodies(messages)),
    new Set([...numbered(10, 'zero'), ...numbered(10, 'one')].map((one) => text(one.body))),
  );
});

test('kafkajs: the idempotent producer is served', async () => {
  const topic = await here.topic(1);
  for (let i = 0; i < 10; i++)
    await here.call('kafkajs', 'kafka.publish', {
      topic,
      messages: [message({ body: `m-${i}`, queue: 0 })],
      idempotent: true,
    });
  const { messages } = await here.call('java', 'kafka.read', { topic, queue: 0, count: 11, waitMs: 3_000 });
  assert.deepEqual(
    bodies(messages),
    Array.from({ length: 10 }, (_, i) => `m-${i}`),
  );
});

test('both: one group, first a Java member, then a kafkajs member at the same place', async () => {
  const topic = await here.topic(1);
  const group = fresh('g');
  await here.call('java', 'kafka.publish', { topic, messages: numbered(10, 'm') });
  const java = await here.call('java', 'kafka.subscribe', { group, topic });
  const { messages } = await here.call('java', 'kafka.take', { consumer: java.consumer, count: 10, waitMs: 20_000 });
  await here.call('java', 'kafka.settle', { consumer: java.consumer, handles: [messages[3]!.handle] });
  await here.call('java', 'kafka.close', { consumer: java.consumer });
  const js = await here.call('kafkajs', 'kafka.subscribe', { group, topic });
  const rest = await here.call('kafkajs', 'kafka.take', { consumer: js.consumer, count: 6, waitMs: 20_000 });
  assert.deepEqual(
    bodies(rest.messages),
    Array.from({ length: 6 }, (_, i) => `m-${i + 4}`),
  );
  await here.call('kafkajs', 'kafka.close', { consumer: js.consumer });
});
