// RocketMQ clients doing what RocketMQ applications do: the Java remoting client and ali-ons.
import assert from 'node:assert/strict';
import type { DriverName, ReceivedMessage } from '../drivers/driver.ts';
import { assertSame, bodies, message, numbered, sorted, text } from '../harness/messages.ts';
import { fresh, stage } from '../harness/suite.ts';
import { test } from '../harness/test.ts';

const here = stage('clients-rocketmq', ['rocketmq']);
const CLIENTS = ['java', 'ali-ons'] as const;

/** Takes and acknowledges until count are there. */
async function consume(client: DriverName, consumer: string, count: number): Promise<ReceivedMessage[]> {
  const all: ReceivedMessage[] = [];
  const deadline = Date.now() + 40_000;
  while (all.length < count && Date.now() < deadline) {
    const { messages } = await here.call(client, 'rocketmq.take', { consumer, count: 1, waitMs: 1_000 });
    await here.call(client, 'rocketmq.settle', { consumer, handles: messages.map((one) => one.handle) });
    all.push(...messages);
  }
  return all;
}

for (const client of CLIENTS) {
  test(`${client}: what is sent is pushed, with keys, tags and properties`, async () => {
    const topic = await here.topic(4);
    const sent = [
      message({ key: 'order-1', tag: 'A', body: 'hello', headers: { region: 'north', ünï: 'çödé' } }),
      message({ body: 'bare' }),
    ];
    const { consumer } = await here.call(client, 'rocketmq.subscribe', { group: fresh('g'), topic });
    const { results } = await here.call(client, 'rocketmq.publish', { topic, messages: sent });
    assert.deepEqual(
      results.map((one) => one.error),
      [undefined, undefined],
    );
    const got = await consume(client, consumer, 2);
    await here.call(client, 'rocketmq.close', { consumer });
    assertSame(got.find((one) => text(one.body) === 'hello')!, sent[0]!);
    assertSame(got.find((one) => text(one.body) === 'bare')!, sent[1]!);
  });

  test(`${client}: a tag filter lets through what it names`, async () => {
    const topic = await here.topic(2);
    const { consumer } = await here.call(client, 'rocketmq.subscribe', { group: fresh('g'), topic, tags: 'A || C' });
    // "Aa" and "BB" share a hash code with each other, "A" and "C" with none of them.
    const sent = ['A', 'B', 'C', 'Aa', 'BB', 'A'].map((tag, i) => message({ tag, body: `${tag}-${i}` }));
    await here.call(client, 'rocketmq.publish', { topic, messages: sent });
    const got = await consume(client, consumer, 3);
    assert.deepEqual(sorted(bodies(got)), ['A-0', 'A-5', 'C-2']);
    const more = await here.call(client, 'rocketmq.take', { consumer, count: 1, waitMs: 1_000 });
    await here.call(client, 'rocketmq.close', { consumer });
    assert.deepEqual(bodies(more.messages), []);
  });

  test(`${client}: a message that is sent back returns with a higher count, and the others do not wait for it`, async () => {
    const topic = await here.topic(1);
    const { consumer } = await here.call(client, 'rocketmq.subscribe', { group: fresh('g'), topic, retryLevel: 1 });
    await here.call(client, 'rocketmq.publish', {
      topic,
      messages: [message({ key: 'k', tag: 'T', headers: { p: 'q' }, body: 'again' }), message({ body: 'fine' })],
    });
    const taken: ReceivedMessage[] = [];
    for (let i = 0; i < 40 && taken.length < 3; i++) {
      const { messages } = await here.call(client, 'rocketmq.take', { consumer, count: 1, waitMs: 1_000 });
      for (const one of messages) {
        taken.push(one);
        const isFirst = text(one.body) === 'again' && one.attempts === 0;
        await here.call(client, 'rocketmq.settle', { consumer, handles: [one.handle], how: isFirst ? 'retry' : 'ack' });
      }
    }
    await here.call(client, 'rocketmq.close', { consumer });
    assert.deepEqual(sorted(taken.map((one) => `${text(one.body)} ${one.attempts}`)), ['again 0', 'again 1', 'fine 0']);
    const back = taken.find((one) => one.attempts === 1)!;
    assertSame(back, message({ key: 'k', tag: 'T', headers: { p: 'q' }, body: 'again' }));
    assert.equal(back.topic, topic);
  });

  test(`${client}: the next consumer of a group begins where the last one ended`, async () => {
    const topic = await here.topic(1);
    const group = fresh('g');
    await here.call(client, 'rocketmq.publish', { topic, messages: numbered(5, 'first') });
    const one = await here.call(client, 'rocketmq.subscribe', { group, topic });
    await consume(client, one.consumer, 5);
    await new Promise((done) => setTimeout(done, 1_500));
    await here.call(client, 'rocketmq.close', { consumer: one.consumer });
    await here.call(client, 'rocketmq.publish', { topic, messages: numbered(3, 'second') });
    const next = await here.call(client, 'rocketmq.subscribe', { group, topic });
    const got = await consume(client, next.consumer, 3);
    await here.call(client, 'rocketmq.close', { consumer: next.consumer });
    assert.deepEqual(sorted(bodies(got)), ['second-0', 'second-1', 'second-2']);
  });
}

// ali-ons takes the name server's "no route" for an unknown topic as final, so only Java creates topics by sending.
test('java: an unknown topic is created by sending to it', async () => {
  const topic = fresh('auto');
  const { results } = await here.call('java', 'rocketmq.publish', { topic, messages: [message({ body: 'first' })] });
  assert.equal(results[0]?.error, undefined);
  const { messages } = await here.call('java', 'rocketmq.read', { topic, count: 1 });
  assert.deepEqual(bodies(messages), ['first']);
});

test('java: offsets of a queue are dense and a batch takes consecutive ones', async () => {
  const topic = await here.topic(1);
  const single = await here.call('java', 'rocketmq.publish', { topic, messages: numbered(3, 'one') });
  assert.deepEqual(
    single.results.map((one) => one.offset),
    [0, 1, 2],
  );
  const batch = await here.call('java', 'rocketmq.publish', { topic, messages: numbered(50, 'batch'), batch: true });
  assert.deepEqual(
    batch.results.map((one) => one.offset),
    Array.from({ length: 50 }, (_, i) => i + 3),
  );
  assert.deepEqual(
    batch.results.filter((one) => !/^[0-9A-F]{32}$/.test((one as { offsetId?: string }).offsetId ?? '')),
    [],
  );
  const { messages } = await here.call('java', 'rocketmq.read', { topic, queue: 0, from: 0, count: 53 });
  assert.deepEqual(
    messages.map((one) => one.offset),
    Array.from({ length: 53 }, (_, i) => i),
  );
  assert.deepEqual(
    bodies(messages).slice(3),
    Array.from({ length: 50 }, (_, i) => `batch-${i}`),
  );
});

test('java: one queue consumed in order waits for a message that is not done', async () => {
  const topic = await here.topic(1);
  const { consumer } = await here.call('java', 'rocketmq.subscribe', { group: fresh('g'), topic, orderly: true });
  await here.call('java', 'rocketmq.publish', { topic, messages: numbered(4, 'm') });
  const seen: (string | null)[] = [];
  for (let i = 0; i < 60 && seen.length < 6; i++) {
    const { messages } = await here.call('java', 'rocketmq.take', { consumer, count: 1, waitMs: 1_000 });
    for (const one of messages) {
      seen.push(text(one.body));
      const isHeld = text(one.body) === 'm-1' && seen.filter((body) => body === 'm-1').length < 3;
      await here.call('java', 'rocketmq.settle', { consumer, handles: [one.handle], how: isHeld ? 'retry' : 'ack' });
    }
  }
  await here.call('java', 'rocketmq.close', { consumer });
  assert.deepEqual(seen, ['m-0', 'm-1', 'm-1', 'm-1', 'm-2', 'm-3']);
});

test('java: two consumers of a group share the queues', async () => {
  const topic = await here.topic(4);
  const group = fresh('g');
  const one = await here.call('java', 'rocketmq.subscribe', { group, topic });
  const other = await here.call('java', 'rocketmq.subscribe', { group, topic });
  await new Promise((done) => setTimeout(done, 3_000));
  const sent = numbered(40, 'm').map((m, i) => ({ ...m, queue: i % 4 }));
  await here.call('java', 'rocketmq.publish', { topic, messages: sent });
  const [first, second] = await Promise.all([consume('java', one.consumer, 20), consume('java', other.consumer, 20)]);
  await Promise.all([one, other].map(({ consumer }) => here.call('java', 'rocketmq.close', { consumer })));
  assert.equal(new Set(first.map((m) => m.queue)).size, 2);
  assert.deepEqual(sorted([...bodies(first), ...bodies(second)]), sorted(sent.map((m) => text(m.body))));
});

test('java and ali-ons read each other, compressed bodies included', async () => {
  const topic = await here.topic(1);
  const long = 'a body that is long enough to be compressed '.repeat(400);
  await here.call('ali-ons', 'rocketmq.publish', { topic, messages: [message({ key: 'js', body: long })] });
  await here.call('java', 'rocketmq.publish', { topic, messages: [message({ key: 'java', body: long })] });
  const { messages } = await here.call('java', 'rocketmq.read', { topic, queue: 0, count: 2 });
  assert.deepEqual(bodies(messages), [long, long]);
  const { consumer } = await here.call('ali-ons', 'rocketmq.subscribe', { group: fresh('g'), topic });
  const got = await consume('ali-ons', consumer, 2);
  await here.call('ali-ons', 'rocketmq.close', { consumer });
  assert.deepEqual(bodies(got), [long, long]);
});

test('java: after the last attempt a message is in the dead-letter topic of its group', async () => {
  const topic = await here.topic(1);
  const group = fresh('g');
  const { consumer } = await here.call('java', 'rocketmq.subscribe', { group, topic, maxAttempts: 1, retryLevel: 1 });
  await here.call('java', 'rocketmq.publish', { topic, messages: [message({ key: 'k', body: 'poison' })] });
  for (let i = 0; i < 2; i++) {
    const { messages } = await here.call('java', 'rocketmq.take', { consumer, count: 1, waitMs: 45_000 });
    await here.call('java', 'rocketmq.settle', { consumer, handles: messages.map((one) => one.handle), how: 'retry' });
  }
  // The topic comes into being with its first message, and clients hear of it a little later.
  let dead: ReceivedMessage[] = [];
  for (let i = 0; i < 20 && dead.length === 0; i++) {
    await new Promise((done) => setTimeout(done, 1_000));
    dead = await here.call('java', 'rocketmq.read', { topic: `%DLQ%${group}`, count: 1, waitMs: 1_000 }).then(
      (reply) => reply.messages,
      () => [],
    );
  }
  await here.call('java', 'rocketmq.close', { consumer });
  assert.deepEqual(bodies(dead), ['poison']);
});
