// CreateTopics, DescribeConfigs and IncrementalAlterConfigs in raw frames: what is reported is what holds.
import { describe, expect, it } from 'vitest';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { createTopics, describeConfigs, incrementalAlterConfigs } from '../../../specs/kafka/topics.ts';
import { client, conversation, everybody, harness } from '../testing/conversation.ts';

conversation();

const TOPIC = 2;
const SET = 0;
const DELETE = 1;
const APPEND = 2;

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
  it('refuses what it would not keep', async () => {
    for (const [name, value] of [
      ['cleanup.policy', 'compact'],
      ['compression.type', 'gzip'],
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
    expect(await alter('t', 'cleanup.policy', APPEND, 'compact')).toBe(ERROR.INVALID_CONFIG);
    expect(await alter('t', 'cleanup.policy', SET, 'compact')).toBe(ERROR.INVALID_CONFIG);
    expect(await alter('t', 'max.message.bytes', DELETE, null)).toBe(ERROR.INVALID_CONFIG);
    expect(await alter('nowhere', 'retention.ms', SET, '1')).toBe(ERROR.UNKNOWN_TOPIC_OR_PARTITION);
  });
});
