// What outlives a change of protocol: dead letters, and the place of a group.
import assert from 'node:assert/strict';
import { bodies, message, numbered, text } from '../harness/messages.ts';
import { fresh, stage } from '../harness/suite.ts';
import { describe, test } from '../harness/test.ts';
import { drain } from './routes.ts';

const here = stage('groups');
const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `m-${from + i}`);

/** A push consumer stores its place now and then. */
const PERSISTED_MS = 1_500;
const wait = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** Reads with a protocol's consumer and acknowledges exactly so many messages, then leaves the group. */
async function consume(
  protocol: 'kafka' | 'rocketmq' | 'amqp',
  group: string,
  topic: string,
  count: number,
): Promise<(string | null)[]> {
  const driver = protocol === 'amqp' ? 'amqplib' : 'java';
  const { consumer } = await here.call(driver, `${protocol}.subscribe`, {
    group,
    topic,
    queue: topic,
    args: { 'x-group': group, 'x-stream-offset': 'first' },
    prefetch: count,
    threads: 1,
    from: 'earliest',
  });
  const messages = await drain(here, driver, protocol, consumer, count, 30_000);
  if (protocol === 'rocketmq') await wait(PERSISTED_MS);
  await here.call(driver, `${protocol}.close`, { consumer });
  return bodies(messages);
}

describe('a group changes its protocol and goes on at the same place', () => {
  const orders = [
    ['kafka', 'rocketmq', 'kafka'],
    ['rocketmq', 'kafka', 'amqp'],
    ['kafka', 'amqp', 'kafka'],
    ['amqp', 'rocketmq', 'amqp'],
  ] as const;
  for (const order of orders) {
    test(order.join(' → '), async () => {
      const topic = await here.topic(1, 'moving');
      const group = fresh('moving');
      await here.call('java', 'kafka.publish', { topic, messages: numbered(90, 'm') });
      for (const [i, protocol] of order.entries()) {
        const got = await consume(protocol, group, topic, 30);
        assert.deepEqual(got, range(i * 30, i * 30 + 30), `${protocol} reads its thirty`);
      }
      for (const protocol of ['kafka', 'rocketmq'])
        assert.deepEqual(
          (await here.call('java', `${protocol}.position`, { group, topic })).queues,
          { 0: 90 },
          `position as ${protocol} tells it`,
        );
    });
  }

  test('the committed offset is the same to Kafka and RocketMQ, whoever committed it', async () => {
    const topic = await here.topic(1, 'position');
    const [one, other] = [fresh('g'), fresh('g')];
    await here.call('java', 'rocketmq.publish', { topic, messages: numbered(20, 'm') });
    await consume('kafka', one, topic, 7);
    await consume('rocketmq', other, topic, 20);
    for (const protocol of ['kafka', 'rocketmq']) {
      assert.deepEqual((await here.call('java', `${protocol}.position`, { group: one, topic })).queues, { 0: 7 });
      assert.deepEqual((await here.call('java', `${protocol}.position`, { group: other, topic })).queues, { 0: 20 });
    }
  });

  test('while one protocol has members, another is refused with a reason', async () => {
    const topic = await here.topic(1, 'exclusive');
    const group = fresh('exclusive');
    await here.call('java', 'kafka.publish', { topic, messages: numbered(5, 'm') });
    const { consumer } = await here.call('java', 'kafka.subscribe', { group, topic });
    await here.call('java', 'kafka.take', { consumer, count: 5 });
    await assert.rejects(
      here.call('amqplib', 'amqp.subscribe', { queue: topic, args: { 'x-group': group } }),
      /40[356]|group/i,
    );
    await here.call('java', 'kafka.close', { consumer });
  });
});

describe('a message that is dead-lettered in one protocol is read in another', () => {
  test('rejected in AMQP, read in Kafka and RocketMQ', async () => {
    const dead = await here.topic(1, 'dead');
    const work = fresh('work');
    const source = await here.topic(1, 'source');
    await here.call('amqplib', 'amqp.declare', {
      queues: [{ name: work, args: { 'x-dead-letter-exchange': dead } }],
      bindings: [{ queue: work, exchange: source, key: '#' }],
    });
    await here.call('java', 'rocketmq.publish', {
      topic: source,
      messages: [
        message({ key: 'k', tag: 'T', body: 'poison', headers: { color: 'red' } }),
        message({ key: 'k', body: 'fine' }),
      ],
    });
    const { consumer } = await here.call('amqplib', 'amqp.subscribe', { queue: work });
    const { messages } = await here.call('amqplib', 'amqp.take', { consumer, count: 2 });
    assert.deepEqual(bodies(messages), ['poison', 'fine']);
    await here.call('amqplib', 'amqp.settle', { consumer, handles: [messages[0]!.handle], how: 'reject' });
    await here.call('amqplib', 'amqp.settle', { consumer, handles: [messages[1]!.handle] });
    await here.call('amqplib', 'amqp.close', { consumer });
    for (const protocol of ['kafka', 'rocketmq']) {
      const got = (await here.call('java', `${protocol}.read`, { topic: dead, queue: 0, count: 2, waitMs: 3_000 }))
        .messages;
      assert.deepEqual(
        got.map((one) => [text(one.body), text(one.key), one.tag, text(one.headers['color'])]),
        [['poison', 'k', 'T', 'red']],
        protocol,
      );
    }
  });

  test('published in Kafka, sent back too often in RocketMQ, whole in its dead-letter topic', async () => {
    const topic = await here.topic(1, 'retried');
    const group = fresh('retrying');
    const { consumer } = await here.call('java', 'rocketmq.subscribe', { group, topic, maxAttempts: 1, retryLevel: 1 });
    await here.call('java', 'kafka.publish', {
      topic,
      messages: [message({ key: 'k', body: 'poison', headers: { color: 'red' } })],
    });
    const attempts: (number | undefined)[] = [];
    for (let i = 0; i < 2; i++) {
      const { messages } = await here.call('java', 'rocketmq.take', { consumer, count: 1, waitMs: 30_000 });
      attempts.push(...messages.map((one) => one.attempts));
      await here.call('java', 'rocketmq.settle', {
        consumer,
        handles: messages.map((one) => one.handle),
        how: 'retry',
      });
    }
    assert.deepEqual(attempts, [0, 1]);
    await wait(500);
    await here.call('java', 'rocketmq.close', { consumer });
    const dead = (await here.call('java', 'rocketmq.read', { topic: `%DLQ%${group}`, count: 1 })).messages;
    assert.deepEqual(
      dead.map((one) => [text(one.body), text(one.key), text(one.headers['color'])]),
      [['poison', 'k', 'red']],
    );
  });
});
