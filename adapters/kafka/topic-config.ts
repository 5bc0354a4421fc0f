// Topic configuration: Kafka's entries, and what they are in a topic's attributes.
//
// Three sorts of entries: those with an effect here (retention, size limit, timestamp type), those that are kept word
// for word and reported but mean nothing for our store (segment sizes, index intervals …), and values that would
// promise what we do not do (compaction, recompression): these are refused, because a client that set them relies on
// them.
//
// Invariant: what DescribeConfigs reports is what holds.

import type { Topic, TopicAttributes } from '../../core/types.ts';

/** Config types of DescribeConfigs (ConfigDef.Type). */
export const TYPE = { boolean: 1, string: 2, int: 3, short: 4, long: 5, double: 6, list: 7 } as const;
/** Where a value comes from (DescribeConfigsResponse.ConfigSource). */
export const SOURCE = { topic: 1, staticBroker: 4, default: 5 } as const;

type ConfigType = (typeof TYPE)[keyof typeof TYPE];

interface Entry {
  readonly type: ConfigType;
  readonly value: string;
  /** The only values accepted, where not every one is. */
  readonly accepts?: readonly string[];
  readonly min?: number;
}

const RETENTION_MS = 604_800_000;
const EXTRA_PREFIX = 'kafka.';
const TIMESTAMP_TYPE = 'message.timestamp.type';
const LONG_MAX = '9223372036854775807';

/** Every topic entry of Kafka 4 with its default. */
const ENTRIES: Readonly<Record<string, Entry>> = {
  'cleanup.policy': { type: TYPE.list, value: 'delete', accepts: ['delete'] },
  'compression.gzip.level': { type: TYPE.int, value: '-1' },
  'compression.lz4.level': { type: TYPE.int, value: '9' },
  'compression.type': { type: TYPE.string, value: 'producer', accepts: ['producer'] },
  'compression.zstd.level': { type: TYPE.int, value: '3' },
  'delete.retention.ms': { type: TYPE.long, value: '86400000', min: 0 },
  'file.delete.delay.ms': { type: TYPE.long, value: '60000', min: 0 },
  'flush.messages': { type: TYPE.long, value: LONG_MAX, min: 1 },
  'flush.ms': { type: TYPE.long, value: LONG_MAX, min: 0 },
  'follower.replication.throttled.replicas': { type: TYPE.list, value: '' },
  'index.interval.bytes': { type: TYPE.int, value: '4096', min: 0 },
  'leader.replication.throttled.replicas': { type: TYPE.list, value: '' },
  'local.retention.bytes': { type: TYPE.long, value: '-2', min: -2 },
  'local.retention.ms': { type: TYPE.long, value: '-2', min: -2 },
  'max.compaction.lag.ms': { type: TYPE.long, value: LONG_MAX, min: 1 },
  'max.message.bytes': { type: TYPE.int, value: '1048588', min: 0 },
  'message.timestamp.after.max.ms': { type: TYPE.long, value: LONG_MAX, accepts: [LONG_MAX] },
  'message.timestamp.before.max.ms': { type: TYPE.long, value: LONG_MAX, accepts: [LONG_MAX] },
  [TIMESTAMP_TYPE]: { type: TYPE.string, value: 'CreateTime', accepts: ['CreateTime', 'LogAppendTime'] },
  'min.cleanable.dirty.ratio': { type: TYPE.double, value: '0.5', min: 0 },
  'min.compaction.lag.ms': { type: TYPE.long, value: '0', min: 0 },
  'min.insync.replicas': { type: TYPE.int, value: '1', min: 1 },
  preallocate: { type: TYPE.boolean, value: 'false' },
  'remote.storage.enable': { type: TYPE.boolean, value: 'false', accepts: ['false'] },
  'retention.bytes': { type: TYPE.long, value: '-1', min: -1 },
  'retention.ms': { type: TYPE.long, value: String(RETENTION_MS), min: -1 },
  'segment.bytes': { type: TYPE.int, value: '1073741824', min: 14 },
  'segment.index.bytes': { type: TYPE.int, value: '10485760', min: 4 },
  'segment.jitter.ms': { type: TYPE.long, value: '0', min: 0 },
  'segment.ms': { type: TYPE.long, value: '604800000', min: 1 },
  'unclean.leader.election.enable': { type: TYPE.boolean, value: 'false' },
};

/** Whether an extra attribute is another protocol's. */
export function isForeign(name: string): boolean {
  return !name.startsWith(EXTRA_PREFIX);
}

/** What a topic born through Kafka begins with: kept for seven days. */
export function newTopicAttributes(): Partial<TopicAttributes> {
  return { retention: { mode: 'log', timeMs: RETENTION_MS, bytes: -1 } };
}

/** Whether the broker's time replaces the producer's (message.timestamp.type). */
export function usesLogAppendTime(topic: Topic): boolean {
  return topic.attributes.extra[EXTRA_PREFIX + TIMESTAMP_TYPE] === 'LogAppendTime';
}

export interface ConfigPair {
  readonly name: string;
  readonly value: string | null;
}

/** The attributes that these entries ask for, or a sentence that says which one cannot be. */
export function attributesOf(configs: readonly ConfigPair[]): Partial<TopicAttributes> | string {
  const attributes = newTopicAttributes();
  const extra: Record<string, string> = {};
  let timeMs = RETENTION_MS;
  let bytes = -1;
  for (const { name, value } of configs) {
    if (value === null) continue;
    const problem = problemOf(name, value);
    if (problem !== null) return problem;
    if (name === 'retention.ms') timeMs = Number(value);
    else if (name === 'retention.bytes') bytes = Number(value);
    else if (name === 'max.message.bytes') attributes.messageBytesMax = Number(value);
    else extra[EXTRA_PREFIX + name] = value;
  }
  attributes.retention = { mode: 'log', timeMs, bytes };
  attributes.extra = extra;
  return attributes;
}

/** The entries that a topic has of its own, as its creation would name them. */
export function ownConfigs(topic: Topic): Map<string, string> {
  const own = new Map<string, string>();
  for (const { name, value, source } of configsOf(topic)) if (source === SOURCE.topic) own.set(name, value);
  return own;
}

function problemOf(name: string, value: string): string | null {
  const entry = Object.hasOwn(ENTRIES, name) ? ENTRIES[name] : undefined;
  if (entry === undefined) return `unknown topic config ${name}`;
  if (entry.accepts !== undefined && !entry.accepts.includes(value)) {
    return `${name} = ${value} is not served; this broker accepts ${entry.accepts.join(' and ')}`;
  }
  const numeric = entry.type === TYPE.int || entry.type === TYPE.long || entry.type === TYPE.double;
  if (!numeric || entry.accepts !== undefined || value === LONG_MAX) return null;
  const shape = entry.type === TYPE.double ? /^-?\d{1,15}(\.\d{1,15})?$/ : /^-?\d{1,15}$/;
  if (!shape.test(value)) return `${name} = ${value} is not a number`;
  if (entry.type === TYPE.int && Number(value) > 0x7fffffff) return `${name} = ${value} is too large`;
  return Number(value) < (entry.min ?? Number.NEGATIVE_INFINITY) ? `${name} = ${value} is too small` : null;
}

export interface ConfigAnswer {
  readonly name: string;
  readonly value: string;
  readonly source: number;
  readonly type: number;
}

/** Every entry of a topic with the value that holds. */
export function configsOf(topic: Topic): ConfigAnswer[] {
  const { retention, messageBytesMax, extra } = topic.attributes;
  const held: Record<string, string> = {
    'retention.ms': retention.mode === 'log' ? String(retention.timeMs) : '-1',
    'retention.bytes': retention.mode === 'log' ? String(retention.bytes) : '-1',
    'max.message.bytes': String(messageBytesMax),
  };
  return Object.entries(ENTRIES).map(([name, entry]) => {
    const own = extra[EXTRA_PREFIX + name] ?? held[name];
    const value = own ?? entry.value;
    return { name, value, source: value === entry.value ? SOURCE.default : SOURCE.topic, type: entry.type };
  });
}

export function defaultConfigs(): ConfigAnswer[] {
  return Object.entries(ENTRIES).map(([name, { value, type }]) => ({ name, value, source: SOURCE.default, type }));
}
