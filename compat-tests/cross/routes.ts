// The ends of the matrix: each way to publish and each way to receive, with the real client that does it.
import type { DriverName, ReceivedMessage, SendResult, SentMessage } from '../drivers/driver.ts';
import { fresh, type Stage } from '../harness/suite.ts';
import type { Protocol } from './cases.ts';

export interface Publisher {
  readonly protocol: Protocol;
  readonly driver: DriverName;
  /** A client that cannot say which queue it sends to takes part where one queue is enough. */
  readonly choosesQueue: boolean;
}

export const PUBLISHERS: readonly Publisher[] = [
  { protocol: 'kafka', driver: 'java', choosesQueue: true },
  { protocol: 'kafka', driver: 'kafkajs', choosesQueue: true },
  { protocol: 'rocketmq', driver: 'java', choosesQueue: true },
  { protocol: 'rocketmq', driver: 'ali-ons', choosesQueue: false },
  { protocol: 'amqp', driver: 'java', choosesQueue: false },
  { protocol: 'amqp', driver: 'amqplib', choosesQueue: false },
];

export async function publish(
  stage: Stage,
  by: Publisher,
  topic: string,
  messages: readonly SentMessage[],
  more: Record<string, unknown> = {},
): Promise<SendResult[]> {
  const { results } = await stage.call(by.driver, `${by.protocol}.publish`, {
    topic,
    exchange: topic,
    messages,
    ...more,
  });
  for (const [i, result] of results.entries())
    if (result.error) throw new Error(`${by.protocol} (${by.driver}) message ${i}: ${result.error.message}`);
  return results;
}

export interface Receiver {
  readonly name: string;
  readonly protocol: Protocol;
  readonly driver: DriverName;
  /** Called before anything is published: what must be there to receive it. Returns what receive needs. */
  prepare(stage: Stage, topic: string): Promise<string>;
  receive(stage: Stage, topic: string, prepared: string, count: number): Promise<ReceivedMessage[]>;
}

const byOffset = (protocol: 'kafka' | 'rocketmq', driver: DriverName, how: string): Receiver => ({
  name: `${protocol} (${driver}, ${how})`,
  protocol,
  driver,
  prepare: async () => '',
  receive: async (stage, topic, _, count) =>
    (await stage.call(driver, `${protocol}.read`, { topic, count, waitMs: 20_000 })).messages,
});

/** Takes, settles and goes on until count are there or nothing came for a while. */
export async function drain(
  stage: Stage,
  driver: DriverName,
  protocol: Protocol,
  consumer: string,
  count: number,
  waitMs = 20_000,
): Promise<ReceivedMessage[]> {
  const all: ReceivedMessage[] = [];
  while (all.length < count) {
    const { messages } = await stage.call(driver, `${protocol}.take`, {
      consumer,
      count: protocol === 'rocketmq' ? 1 : count - all.length,
      waitMs: protocol === 'rocketmq' ? 3_000 : waitMs,
    });
    if (messages.length === 0 && (waitMs -= 3_000) <= 0) break;
    if (messages.length === 0 && protocol !== 'rocketmq') break;
    await stage.call(driver, `${protocol}.settle`, { consumer, handles: messages.map((one) => one.handle) });
    all.push(...messages);
  }
  return all;
}

const byGroup = (protocol: 'kafka' | 'rocketmq', driver: DriverName, how: string): Receiver => ({
  name: `${protocol} (${driver}, ${how})`,
  protocol,
  driver,
  prepare: async () => fresh('g'),
  receive: async (stage, topic, group, count) => {
    const { consumer } = await stage.call(driver, `${protocol}.subscribe`, { group, topic, from: 'earliest' });
    const messages = await drain(stage, driver, protocol, consumer, count);
    await stage.call(driver, `${protocol}.close`, { consumer });
    return messages;
  },
});

const byBoundQueue = (driver: DriverName): Receiver => ({
  name: `amqp (${driver}, queue bound to the topic)`,
  protocol: 'amqp',
  driver,
  prepare: async (stage, topic) => {
    const queue = fresh('bound');
    await stage.call(driver, 'amqp.declare', {
      queues: [{ name: queue }],
      bindings: [{ queue, exchange: topic, key: '#' }],
    });
    return queue;
  },
  receive: async (stage, _, queue, count) => {
    const { consumer } = await stage.call(driver, 'amqp.subscribe', { queue, prefetch: 5_000 });
    const messages = await drain(stage, driver, 'amqp', consumer, count);
    await stage.call(driver, 'amqp.close', { consumer });
    return messages;
  },
});

const byLease = (driver: DriverName): Receiver => ({
  name: `amqp (${driver}, group on the topic)`,
  protocol: 'amqp',
  driver,
  prepare: async (stage, topic) =>
    (await stage.call(driver, 'amqp.subscribe', { queue: topic, prefetch: 5_000, args: { 'x-group': fresh('g') } }))
      .consumer,
  receive: async (stage, _, consumer, count) => {
    const messages = await drain(stage, driver, 'amqp', consumer, count);
    await stage.call(driver, 'amqp.close', { consumer });
    return messages;
  },
});

export const RECEIVERS: readonly Receiver[] = [
  byOffset('kafka', 'java', 'by offset'),
  byOffset('kafka', 'kafkajs', 'by offset'),
  byGroup('kafka', 'java', 'group'),
  byOffset('rocketmq', 'java', 'pull by offset'),
  byGroup('rocketmq', 'java', 'push'),
  byGroup('rocketmq', 'ali-ons', 'push'),
  byBoundQueue('amqplib'),
  byBoundQueue('java'),
  byLease('amqplib'),
  byLease('java'),
];
