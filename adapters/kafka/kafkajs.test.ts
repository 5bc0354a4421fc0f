// A real client over TCP: kafkajs 2.2.4 against the adapter.
import { CompressionTypes, type Consumer, Kafka, type KafkaMessage, logLevel } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Harness, start } from './testing/harness.ts';

let harness: Harness;
const consumers: Consumer[] = [];

beforeAll(async () => {
  harness = await start();
});
afterEach(async () => {
  await Promise.all(consumers.splice(0).map((consumer) => consumer.disconnect()));
});
afterAll(() => harness.stop());

function client(): Kafka {
  return new Kafka({ clientId: 'test', brokers: [harness.address], logLevel: logLevel.NOTHING, retry: { retries: 3 } });
}

/** Reads a topic from the beginning until there are so many messages. */
async function collect(
  topic: string,
  count: number,
  groupId: string,
): Promise<(KafkaMessage & { partition: number })[]> {
  const consumer = client().consumer({ groupId, maxWaitTimeInMs: 200 });
  consumers.push(consumer);
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const seen: (KafkaMessage & { partition: number })[] = [];
  await new Promise<void>((resolve) => {
    void consumer.run({
      eachMessage: async ({ message, partition }) => {
        seen.push({ ...message, partition });
        if (seen.length === count) resolve();
      },
    });
  });
  return seen;
}

describe('kafkajs', () => {
  it('produces to a topic that did not exist and consumes it in a group', async () => {
    const producer = client().producer();
    await producer.connect();
    const sent = await producer.send({
      topic: 'orders',
      messages: [
        { key: 'a', value: 'one', headers: { h: 'x' }, timestamp: '1700000000001' },
        { key: null, value: null },
        { key: Buffer.from([0, 255]), value: '' },
      ],
    });
    expect(sent[0]).toMatchObject({ errorCode: 0, baseOffset: '0' });
    const messages = await collect('orders', 3, 'g1');
    expect(messages.map(({ offset }) => offset)).toEqual(['0', '1', '2']);
    expect(messages[0]).toMatchObject({ key: Buffer.from('a'), value: Buffer.from('one'), timestamp: '1700000000001' });
    expect(messages[0]!.headers).toEqual({ h: Buffer.from('x') });
    expect(messages[1]).toMatchObject({ key: null, value: null });
    expect(messages[2]).toMatchObject({ key: Buffer.from([0, 255]), value: Buffer.alloc(0) });
    await producer.disconnect();
  });

  it('produces gzip, in order, idempotently, and acks 0', async () => {
    const producer = client().producer({ idempotent: true, maxInFlightRequests: 5 });
    await producer.connect();
    for (let i = 0; i < 20; i++) {
      await producer.send({
        topic: 'packed',
        compression: CompressionTypes.GZIP,
        messages: Array.from({ length: 50 }, (_, n) => ({ value: `${i * 50 + n}` })),
      });
    }
    await producer.disconnect();
    const careless = client().producer();
    await careless.connect();
    await careless.send({ topic: 'packed', acks: 0, messages: [{ value: '1000' }] });
    const messages = await collect('packed', 1001, 'g2');
    expect(messages.map(({ value }) => Number(value!.toString()))).toEqual(Array.from({ length: 1001 }, (_, n) => n));
    await careless.disconnect();
  });

  it('shares partitions among members and rebalances when one leaves', async () => {
    const admin = client().admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: 'shared', numPartitions: 4, replicationFactor: 1 }] });
    const assigned: string[][] = [[], []];
    const make = async (n: number): Promise<Consumer> => {
      const consumer = client().consumer({
        groupId: 'g3',
        maxWaitTimeInMs: 100,
        heartbeatInterval: 200,
        sessionTimeout: 10000,
      });
      consumers.push(consumer);
      await consumer.connect();
      await consumer.subscribe({ topic: 'shared', fromBeginning: true });
      consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
        assigned[n] = Object.values(payload.memberAssignment).flat().map(String);
      });
      await consumer.run({ eachMessage: async () => {} });
      return consumer;
    };
    await make(0);
    const second = await make(1);
    await expect.poll(() => [assigned[0]!.length, assigned[1]!.length], { timeout: 10000 }).toEqual([2, 2]);
    expect([...assigned[0]!, ...assigned[1]!].sort()).toEqual(['0', '1', '2', '3']);
    const described = await admin.describeGroups(['g3']);
    expect(described.groups[0]).toMatchObject({
      state: 'Stable',
      protocolType: 'consumer',
      protocol: 'RoundRobinAssigner',
    });
    expect(described.groups[0]!.members).toHaveLength(2);
    await second.disconnect();
    await expect.poll(() => assigned[0]!.length, { timeout: 10000 }).toBe(4);
    await admin.disconnect();
  });

  it('commits, comes back at the same place, and seeks inside a batch', async () => {
    const producer = client().producer();
    await producer.connect();
    await producer.send({ topic: 'places', messages: Array.from({ length: 100 }, (_, n) => ({ value: `${n}` })) });
    const admin = client().admin();
    await admin.connect();
    await admin.setOffsets({ groupId: 'g4', topic: 'places', partitions: [{ partition: 0, offset: '57' }] });
    const messages = await collect('places', 43, 'g4');
    expect(messages[0]).toMatchObject({ offset: '57', value: Buffer.from('57') });
    await consumers.pop()!.disconnect();
    const [places] = await admin.fetchOffsets({ groupId: 'g4', topics: ['places'] });
    expect(places!.partitions[0]!.offset).toBe('100');
    await producer.disconnect();
    await admin.disconnect();
  });

  it('administers topics, offsets and groups', async () => {
    const admin = client().admin();
    await admin.connect();
    expect(await admin.createTopics({ topics: [{ topic: 'admin.made', numPartitions: 3 }] })).toBe(true);
    expect(await admin.createTopics({ topics: [{ topic: 'admin.made' }] })).toBe(false);
    await admin.createPartitions({ topicPartitions: [{ topic: 'admin.made', count: 5 }] });
    const { topics } = await admin.fetchTopicMetadata({ topics: ['admin.made'] });
    expect(topics[0]!.partitions).toHaveLength(5);
    const { resources } = await admin.describeConfigs({
      includeSynonyms: true,
      resources: [{ type: 2, name: 'admin.made' }],
    });
    const retention = resources[0]!.configEntries.find(({ configName }) => configName === 'retention.ms');
    expect(retention).toMatchObject({ configValue: '604800000' });
    const producer = client().producer();
    await producer.connect();
    await producer.send({
      topic: 'admin.made',
      messages: [10, 20, 30].map((n) => ({ partition: 2, value: `${n}`, timestamp: String(1_700_000_000_000 + n) })),
    });
    const offsets = await admin.fetchTopicOffsetsByTimestamp('admin.made', 1_700_000_000_020);
    expect(offsets.find(({ partition }) => partition === 2)!.offset).toBe('1');
    await admin.deleteTopicRecords({ topic: 'admin.made', partitions: [{ partition: 2, offset: '2' }] });
    const watermarks = (await admin.fetchTopicOffsets('admin.made')).find(({ partition }) => partition === 2);
    expect(watermarks).toMatchObject({ low: '2', high: '3' });
    expect((await admin.listGroups()).groups.map(({ groupId }) => groupId)).toContain('g3');
    await admin.deleteGroups(['g3']);
    expect((await admin.listGroups()).groups.map(({ groupId }) => groupId)).not.toContain('g3');
    await admin.deleteTopics({ topics: ['admin.made'] });
    expect(await admin.listTopics()).not.toContain('admin.made');
    expect(await admin.describeCluster()).toMatchObject({ controller: 1, clusterId: harness.broker.clusterId });
    await producer.disconnect();
    await admin.disconnect();
  });

  it('logs in with PLAIN, and is turned away with a wrong password', async () => {
    const guarded = await start({ users: { alice: 'secret' } });
    const as = (password: string): Kafka =>
      new Kafka({
        brokers: [guarded.address],
        logLevel: logLevel.NOTHING,
        retry: { retries: 0 },
        sasl: { mechanism: 'plain', username: 'alice', password },
      });
    const admin = as('secret').admin();
    await admin.connect();
    expect(await admin.listTopics()).toEqual([]);
    await admin.disconnect();
    await expect(as('wrong').admin().connect()).rejects.toThrow(/invalid user name or password/);
    const nobody = new Kafka({ brokers: [guarded.address], logLevel: logLevel.NOTHING, retry: { retries: 0 } });
    const stranger = nobody.admin();
    await stranger.connect();
    await expect(stranger.listTopics()).rejects.toThrow();
    await stranger.disconnect();
    await guarded.stop();
  });
});
