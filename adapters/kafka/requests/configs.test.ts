// CreateTopics, DescribeConfigs, AlterConfigs and IncrementalAlterConfigs in raw frames: what is reported is what holds.
import { describe, expect, it } from 'vitest';
import { deleteRecords, produce } from '../../../specs/kafka/data.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { alterConfigs, createTopics, describeConfigs, incrementalAlterConfigs } from '../../../specs/kafka/topics.ts';
import { AT, ATTRIBUTE } from '../codec/batch.ts';
import {
  batchOf,
  client,
  contents,
  conversation,
  everybody,
  harness,
  produceOf,
  read,
  send,
} from '../testing/conversation.ts';
import { GOLDEN_BATCHES } from '../testing/golden-batches.ts';
import { RawClient, start } from '../testing/harness.ts';

conversation();

const TOPIC = 2;
const SET = 0;
const DELETE = 1;
const APPEND = 2;
const SUBTRACT = 3;

async function make(name: string, configs: { name: string; value: string }[]) {
  const wish = { name, numPartitions: 1, replicationFactor: -1, assignments: [], configs };
  return (await client.ask(createTopics, 7, { topics: [wish] })).topics[0]!;
}

async function told(name: string, key: string): Promise<[string | null, number] | number> {
  const resources = [{ resourceType: TOPIC, resourceName: name, configurationKeys: [key] }];
  const { results } = await client.ask(describeConfigs, 4, { resources });
  const config = results[0]!.configs[0];
  return config === undefined ? results[0]!.errorCode : [config.value, config.configSource];
}

async function alter(name: string, entry: string, configOperation: number, value: string | null) {
  const resources = [{ resourceType: TOPIC, resourceName: name, configs: [{ name: entry, configOperation, value }] }];
  return (await client.ask(incrementalAlterConfigs, 1, { resources, validateOnly: false })).responses[0]!.errorCode;
}

describe('topic configuration', () => {
  it('is not changed by a request that names a topic or an entry twice', async () => {
    await make('t', []);
    await make('u', []);
    const set = (name: string, value: string) => ({ name, configOperation: 0, value });
    const of = (resourceName: string, ...configs: ReturnType<typeof set>[]) => ({
      resourceType: TOPIC,
      resourceName,
      configs,
    });
    const refused = ERROR.INVALID_REQUEST;
    const one = set('retention.ms', '1000');
    for (const resources of [
      [of('t', one), of('u', one, set('retention.ms', '2000')), of('t', set('segment.ms', '5000'))],
      [of('t', one), of('u', one, one), of('t', one)],
    ]) {
      const request = { resources, validateOnly: false };
      const incremental = await client.ask(incrementalAlterConfigs, 1, request);
      expect(incremental.responses.map(({ errorCode }) => errorCode)).toEqual([refused, refused, refused]);
      const whole = await client.ask(alterConfigs, 2, request);
      expect(whole.responses.map(({ errorCode }) => errorCode)).toEqual([refused, refused, refused]);
    }
    expect(await told('t', 'retention.ms')).toEqual(['604800000', 5]);
    expect(await alter('u', 'retention.ms', 0, '1000')).toBe(ERROR.NONE);
  });

  it('keeps records of a topic that is only compacted from being deleted', async () => {
    const removed = async (name: string) => {
      const topics = [{ name, partitions: [{ partitionIndex: 0, offset: -1 }] }];
      return (await client.ask(deleteRecords, 2, { topics, timeoutMs: 0 })).topics[0]!.partitions[0]!;
    };
    await make('t', [{ name: 'cleanup.policy', value: 'compact' }]);
    expect(await removed('t')).toMatchObject({ errorCode: ERROR.POLICY_VIOLATION, lowWatermark: -1 });
    await alter('t', 'cleanup.policy', APPEND, 'delete');
    expect(await removed('t')).toMatchObject({ errorCode: ERROR.NONE, lowWatermark: 0 });
  });

  it('refuses what it would not keep', async () => {
    for (const [name, value] of [
      ['cleanup.policy', 'tidy'],
      ['compression.type', 'rar'],
      ['remote.storage.enable', 'true'],
      ['preallocate', 'perhaps'],
      ['min.cleanable.dirty.ratio', '2'],
      ['segment.bytes', '99999999999'],
      ['retention.ms', 'soon'],
      ['retention.ms', '-2'],
      ['no.such.entry', '1'],
    ] as const) {
      expect([name, (await make('t', [{ name, value }])).errorCode]).toEqual([name, ERROR.INVALID_CONFIG]);
    }
    expect(harness.broker.topic('default', 't')).toBeNull();
  });

  it('tells what was set, what is the default, and what nobody knows', async () => {
    expect((await make('t', [{ name: 'retention.ms', value: '60000' }])).errorCode).toBe(ERROR.NONE);
    expect(await told('t', 'retention.ms')).toEqual(['60000', 1]);
    expect(await told('t', 'cleanup.policy')).toEqual(['delete', 5]);
    expect(await told('nowhere', 'retention.ms')).toBe(ERROR.UNKNOWN_TOPIC_OR_PARTITION);
    expect(harness.broker.topic('default', 't')!.attributes.retention).toEqual({
      mode: 'log',
      timeMs: 60_000,
      bytes: -1,
    });
  });

  it('answers old versions about entries whose names leave no room for a sentence', async () => {
    const configs = [{ name: 'x'.repeat(32_767), value: '1' }];
    const wish = { name: 't', numPartitions: 1, replicationFactor: 1, assignments: [], configs };
    const { topics } = await client.ask(createTopics, 4, { topics: [wish] });
    expect(topics[0]!.errorCode).toBe(ERROR.INVALID_CONFIG);
    expect(topics[0]!.errorMessage).toMatch(/^unknown topic config xxx/);
  });

  it('changes one entry and leaves the others', async () => {
    await make('t', [
      { name: 'retention.ms', value: '60000' },
      { name: 'segment.ms', value: '5000' },
    ]);
    const topic = harness.broker.topic('default', 't')!;
    const extra = { ...topic.attributes.extra, 'other.protocol': 'x' };
    await harness.broker.alterTopic(everybody, topic, { attributes: { extra } });
    expect(await alter('t', 'retention.bytes', SET, '1000')).toBe(ERROR.NONE);
    expect(await told('t', 'retention.bytes')).toEqual(['1000', 1]);
    expect(await told('t', 'retention.ms')).toEqual(['60000', 1]);
    expect(await told('t', 'segment.ms')).toEqual(['5000', 1]);
    expect(await alter('t', 'retention.ms', DELETE, null)).toBe(ERROR.NONE);
    expect(await told('t', 'retention.ms')).toEqual(['604800000', 5]);
    expect(harness.broker.topic('default', 't')!.attributes.extra['other.protocol']).toBe('x');
    expect(await alter('t', 'retention.ms', APPEND, '1')).toBe(ERROR.INVALID_CONFIG);
    expect(await alter('t', 'retention.ms', SET, null)).toBe(ERROR.INVALID_CONFIG);
    expect(await alter('t', 'no.such.entry', DELETE, null)).toBe(ERROR.INVALID_CONFIG);
    expect(await alter('t', 'max.message.bytes', SET, '7000')).toBe(ERROR.NONE);
    expect(harness.broker.topic('default', 't')!.attributes.messageBytesMax).toBe(7000);
    expect(await alter('t', 'max.message.bytes', DELETE, null)).toBe(ERROR.NONE);
    expect(await told('t', 'max.message.bytes')).toEqual(['4194304', 4]);
    expect(await alter('nowhere', 'retention.ms', SET, '1')).toBe(ERROR.UNKNOWN_TOPIC_OR_PARTITION);
  });
});

describe('every entry', () => {
  const ask = async (resourceType: number, resourceName: string, version = 4) => {
    const resources = [{ resourceType, resourceName, configurationKeys: null }];
    const options = { includeSynonyms: true, includeDocumentation: true };
    return (await client.ask(describeConfigs, version, { resources, ...options })).results[0]!;
  };

  it('that Kafka 4.3 tells of a topic is told, with type, sentence and the default behind it', async () => {
    await make('t', [{ name: 'retention.ms', value: '60000' }]);
    const { configs } = await ask(TOPIC, 't');
    expect(configs.map(({ name }) => name).sort()).toEqual(TOPIC_ENTRIES_OF_4_3);
    for (const { name, configType, documentation, configSource, synonyms } of configs) {
      expect([name, configType > 0, documentation !== null && documentation.length > 20]).toEqual([name, true, true]);
      if (configSource === 5 && !name.includes('throttled') && !name.startsWith('remote.')) {
        expect([name, synonyms.length]).toEqual([name, 1]);
      }
    }
    expect(configs.find(({ name }) => name === 'retention.ms')!.synonyms).toEqual([
      { name: 'retention.ms', value: '60000', source: 1 },
      { name: 'log.retention.ms', value: '604800000', source: 5 },
    ]);
    // The broker acknowledges after the sync, which in Kafka's words is a flush with every message.
    expect(configs.find(({ name }) => name === 'flush.messages')).toMatchObject({ value: '1', configSource: 4 });
    expect((await ask(TOPIC, 't', 0)).configs.find(({ name }) => name === 'segment.ms')!.isDefault).toBe(true);
  });

  it('of old Kafka is kept and told where it was set', async () => {
    await make('t', [{ name: 'message.downconversion.enable', value: 'false' }]);
    expect(await told('t', 'message.downconversion.enable')).toEqual(['false', 1]);
  });

  it('of the broker is told, and of what has none nothing', async () => {
    const { configs, errorCode } = await ask(4, '1');
    expect(errorCode).toBe(ERROR.NONE);
    const value = (name: string) => configs.find((config) => config.name === name)?.value;
    expect(value('auto.create.topics.enable')).toBe('true');
    expect(value('default.replication.factor')).toBe('1');
    expect(value('log.cleanup.policy')).toBe('delete');
    expect(value('message.max.bytes')).toBe('4194304');
    expect(configs.every(({ readOnly }) => readOnly)).toBe(true);
    for (const type of [8, 16, 32]) expect(await ask(type, 'x')).toMatchObject({ errorCode: ERROR.NONE, configs: [] });
    expect((await ask(4, '7')).errorCode).toBe(ERROR.INVALID_REQUEST);
    expect((await ask(TOPIC, 'a b')).errorCode).toBe(ERROR.INVALID_TOPIC_EXCEPTION);
  });

  it('that is not named by AlterConfigs goes back to its default', async () => {
    await make('t', [
      { name: 'retention.ms', value: '60000' },
      { name: 'segment.ms', value: '5000' },
    ]);
    const replace = async (validateOnly: boolean) => {
      const configs = [{ name: 'retention.bytes', value: '99' }];
      const resources = [{ resourceType: TOPIC, resourceName: 't', configs }];
      return (await client.ask(alterConfigs, 2, { resources, validateOnly })).responses[0]!.errorCode;
    };
    expect(await replace(true)).toBe(ERROR.NONE);
    expect(await told('t', 'retention.ms')).toEqual(['60000', 1]);
    expect(await replace(false)).toBe(ERROR.NONE);
    expect(await told('t', 'retention.ms')).toEqual(['604800000', 5]);
    expect(await told('t', 'segment.ms')).toEqual(['604800000', 5]);
    expect(await told('t', 'retention.bytes')).toEqual(['99', 1]);
  });
});

describe('what is honoured', () => {
  it('is a value that happens to be the default as well', async () => {
    await make('t', [{ name: 'retention.ms', value: '604800000' }]);
    expect(await told('t', 'retention.ms')).toEqual(['604800000', 1]);
  });

  it('is the flush level', async () => {
    const flush = (name: string) => harness.broker.topic('default', name)!.attributes.flush;
    await make('always', [{ name: 'flush.messages', value: '1' }]);
    await make('sometimes', [{ name: 'flush.ms', value: '1000' }]);
    await make('default', []);
    expect([flush('always'), flush('sometimes'), flush('default')]).toEqual(['sync', 'async', 'sync']);
    expect(await told('sometimes', 'flush.ms')).toEqual(['1000', 1]);
    expect(await told('sometimes', 'flush.messages')).toEqual(['9223372036854775807', 1]);
  });

  it('is a compacted policy: everything stays, and every record has a key', async () => {
    await make('t', [
      { name: 'cleanup.policy', value: 'compact' },
      { name: 'retention.ms', value: '1' },
    ]);
    expect(harness.broker.topic('default', 't')!.attributes.retention).toEqual({ mode: 'log', timeMs: -1, bytes: -1 });
    expect(await told('t', 'cleanup.policy')).toEqual(['compact', 1]);
    expect(await told('t', 'retention.ms')).toEqual(['1', 1]);
    // librdkafka's batch has keys throughout, the Java client's a record without one.
    expect((await send('t', Buffer.from(GOLDEN_BATCHES['rdkafka-lz4']!, 'hex'))).errorCode).toBe(ERROR.NONE);
    const refused = await send('t', Buffer.from(GOLDEN_BATCHES['java-zstd']!, 'hex'));
    expect(refused.errorCode).toBe(ERROR.INVALID_RECORD);
    expect(refused.recordErrors.map(({ batchIndex }) => batchIndex)).toEqual([1]);
    expect(await alter('t', 'cleanup.policy', APPEND, 'delete')).toBe(ERROR.NONE);
    expect(harness.broker.topic('default', 't')!.attributes.retention).toEqual({ mode: 'log', timeMs: 1, bytes: -1 });
    expect(await alter('t', 'cleanup.policy', SUBTRACT, 'compact')).toBe(ERROR.NONE);
    expect(await told('t', 'cleanup.policy')).toEqual(['delete', 1]);
  });

  it('are the bounds of time, record by record', async () => {
    await make('t', [
      { name: 'message.timestamp.before.max.ms', value: '1000' },
      { name: 'message.timestamp.after.max.ms', value: '1000' },
    ]);
    const old = await send('t', batchOf('a', 'b'));
    expect(old.errorCode).toBe(ERROR.INVALID_TIMESTAMP);
    expect(old.recordErrors.map(({ batchIndex }) => batchIndex)).toEqual([0, 1]);
    // The broker's own time is within any bounds.
    expect(await alter('t', 'message.timestamp.type', SET, 'LogAppendTime')).toBe(ERROR.NONE);
    expect((await send('t', batchOf('a', 'b'))).errorCode).toBe(ERROR.NONE);
  });

  it.each(['gzip', 'snappy', 'lz4', 'zstd', 'uncompressed'])('is compression.type = %s', async (codec) => {
    await make('t', [{ name: 'compression.type', value: codec }]);
    const plain = contents(Buffer.from(GOLDEN_BATCHES['java-none']!, 'hex'));
    let base = 0;
    for (const [name, hex] of Object.entries(GOLDEN_BATCHES)) {
      if (!name.startsWith('java')) continue;
      const batch = Buffer.from(hex, 'hex');
      expect([name, (await send('t', batch)).errorCode]).toEqual([name, ERROR.NONE]);
      const { records } = await read({ name: 't' }, { offset: base, maxBytes: 1 });
      expect(records!.readInt16BE(AT.attributes) & ATTRIBUTE.codecMask).toBe(
        ['uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'].indexOf(codec),
      );
      // The producer stays who it was: its retries are still known.
      expect(records!.subarray(AT.producerId, AT.recordCount)).toEqual(batch.subarray(AT.producerId, AT.recordCount));
      expect(contents(records).map(([offset, body]) => [offset - base, body])).toEqual(plain);
      base += plain.length;
    }
  });

  it('are more replicas than there are, where they are not to be clamped', async () => {
    const strict = await start({ settings: { clampReplicas: false } });
    const asker = new RawClient(strict.adapter);
    const wish = { name: 't', numPartitions: 1, replicationFactor: 3, assignments: [], configs: [] };
    const created = async (change: object) =>
      (await asker.ask(createTopics, 7, { topics: [{ ...wish, ...change }] })).topics[0]!.errorCode;
    expect(await created({})).toBe(ERROR.INVALID_REPLICATION_FACTOR);
    // Of the replicas that a topic has, no more than all can be asked for (as in Kafka 4.3).
    const configs = [{ name: 'min.insync.replicas', value: '2' }];
    expect(await created({ replicationFactor: 1, configs })).toBe(ERROR.NONE);
    const sent = await asker.ask(produce, 9, produceOf('t', batchOf('x'), -1));
    expect(sent.responses[0]!.partitionResponses[0]!.errorCode).toBe(ERROR.NONE);
    await strict.stop();
  });
});

const TOPIC_ENTRIES_OF_4_3 = [
  'cleanup.policy',
  'compression.gzip.level',
  'compression.lz4.level',
  'compression.type',
  'compression.zstd.level',
  'delete.retention.ms',
  'file.delete.delay.ms',
  'flush.messages',
  'flush.ms',
  'follower.replication.throttled.replicas',
  'index.interval.bytes',
  'leader.replication.throttled.replicas',
  'local.retention.bytes',
  'local.retention.ms',
  'max.compaction.lag.ms',
  'max.message.bytes',
  'message.timestamp.after.max.ms',
  'message.timestamp.before.max.ms',
  'message.timestamp.type',
  'min.cleanable.dirty.ratio',
  'min.compaction.lag.ms',
  'min.insync.replicas',
  'preallocate',
  'remote.log.copy.disable',
  'remote.log.delete.on.disable',
  'remote.storage.enable',
  'retention.bytes',
  'retention.ms',
  'segment.bytes',
  'segment.index.bytes',
  'segment.jitter.ms',
  'segment.ms',
  'unclean.leader.election.enable',
];
