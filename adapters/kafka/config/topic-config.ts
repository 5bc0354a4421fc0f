// Topic configuration: Kafka's entries, and what they are in a topic's attributes.
//
// Retention, the size limit and the flush level are attributes, so that they mean the same to every protocol; everything
// else is kept word for word in `extra` and read from there. What a client has set itself is in `extra` as well, because
// only that tells a value that was set from one that happens to be the default.
//
// Invariants:
// - what DescribeConfigs reports is what holds: an attribute that another protocol has changed since is reported as it is;
// - a compacted topic loses no record by age or size unless its policy also names delete.

import type { Topic, TopicAttributes } from '../../../core/types.ts';
import {
  type ConfigAnswer,
  type ConfigPair,
  type Entry,
  LONG_MAX,
  listOf,
  problemOf,
  SOURCE,
  type Synonym,
} from './entry.ts';
import { RETENTION_MS, TOPIC_ENTRIES } from './topic-entries.ts';

const EXTRA_PREFIX = 'kafka.';

/** The broker's own defaults, where they are not Kafka's. */
export type Defaults = Pick<TopicAttributes, 'flush' | 'messageBytesMax'>;

/** Whether an extra attribute is another protocol's. */
export function isForeign(name: string): boolean {
  return !name.startsWith(EXTRA_PREFIX);
}

/** What a topic born through Kafka begins with: kept for seven days. */
export function newTopicAttributes(): Partial<TopicAttributes> {
  return { retention: { mode: 'log', timeMs: RETENTION_MS, bytes: -1 } };
}

function extraOf({ extra }: Pick<TopicAttributes, 'extra'>, name: string): string | undefined {
  return extra[EXTRA_PREFIX + name];
}

/** What Produce has to know of a topic, made once per topic and configuration. */
export interface AppendRules {
  readonly logAppendTime: boolean;
  /** Codec name that batches are stored in, null to leave them as they come. */
  readonly compression: string | null;
  readonly compressionLevel: number;
  /** Bounds of CreateTime, Infinity without. */
  readonly beforeMaxMs: number;
  readonly afterMaxMs: number;
  readonly compacted: boolean;
}

const rulesByExtra = new WeakMap<object, AppendRules>();

export function appendRules(topic: Topic): AppendRules {
  const { attributes } = topic;
  const known = rulesByExtra.get(attributes.extra);
  if (known !== undefined) return known;
  const rules = makeRules(attributes);
  rulesByExtra.set(attributes.extra, rules);
  return rules;
}

function makeRules(attributes: TopicAttributes): AppendRules {
  const compression = extraOf(attributes, 'compression.type') ?? 'producer';
  const level =
    extraOf(attributes, `compression.${compression}.level`) ?? TOPIC_ENTRIES[`compression.${compression}.level`]?.value;
  const both = extraOf(attributes, 'message.timestamp.difference.max.ms');
  const bound = (name: string): number => {
    const value = extraOf(attributes, name) ?? both ?? LONG_MAX;
    return value === LONG_MAX ? Number.POSITIVE_INFINITY : Number(value);
  };
  return {
    logAppendTime: extraOf(attributes, 'message.timestamp.type') === 'LogAppendTime',
    compression: compression === 'producer' ? null : compression,
    compressionLevel: Number(level ?? 0),
    beforeMaxMs: bound('message.timestamp.before.max.ms'),
    afterMaxMs: bound('message.timestamp.after.max.ms'),
    compacted: isCompacted(extraOf(attributes, 'cleanup.policy')),
  };
}

function isCompacted(policy: string | undefined): boolean {
  return policy !== undefined && listOf(policy).includes('compact');
}

function isDeleting(policy: string | undefined): boolean {
  return policy === undefined || listOf(policy).includes('delete');
}

/** Whether records may go by age, size or request: not those of a topic that is only compacted. */
export function losesRecords({ attributes }: Topic): boolean {
  return isDeleting(extraOf(attributes, 'cleanup.policy'));
}

/** The attributes that these entries ask for, all others at their defaults; or a sentence that says which one cannot be. */
export function attributesOf(configs: readonly ConfigPair[], defaults: Defaults): Partial<TopicAttributes> | string {
  const extra: Record<string, string> = {};
  const set = new Map<string, string>();
  for (const { name, value } of configs) {
    if (value === null) continue;
    const entry = entryOf(name);
    if (entry === undefined) return `unknown topic config ${name}`;
    const problem = problemOf(name, entry, value);
    if (problem !== null) return problem;
    set.set(name, value);
    extra[EXTRA_PREFIX + name] = value;
  }
  const deletes = isDeleting(set.get('cleanup.policy'));
  const number = (name: string, fallback: number): number => {
    const value = set.get(name);
    return value === undefined ? fallback : value === LONG_MAX ? -1 : Number(value);
  };
  return {
    retention: {
      mode: 'log',
      timeMs: deletes ? number('retention.ms', RETENTION_MS) : -1,
      bytes: deletes ? number('retention.bytes', -1) : -1,
    },
    messageBytesMax: number('max.message.bytes', defaults.messageBytesMax),
    flush: flushLevel(set, defaults),
    extra,
  };
}

function flushLevel(set: ReadonlyMap<string, string>, defaults: Defaults): TopicAttributes['flush'] {
  const messages = set.get('flush.messages');
  const ms = set.get('flush.ms');
  if (messages === undefined && ms === undefined) return defaults.flush;
  return messages === '1' || (ms !== undefined && Number(ms) === 0) ? 'sync' : 'async';
}

/** The entries that a topic has of its own, as its creation would name them. */
export function ownConfigs(topic: Topic, defaults: Defaults): Map<string, string> {
  const own = new Map<string, string>();
  for (const { name, value, source } of configsOf(topic.attributes, defaults))
    if (source === SOURCE.topic) own.set(name, value);
  return own;
}

/** The entry of that name, undefined when Kafka knows none. */
export function entryOf(name: string): Entry | undefined {
  return Object.hasOwn(TOPIC_ENTRIES, name) ? TOPIC_ENTRIES[name] : undefined;
}

/** Every entry of a topic with the value that holds. */
export function configsOf(attributes: TopicAttributes, defaults: Defaults): ConfigAnswer[] {
  const held = heldValues(attributes);
  const answers: ConfigAnswer[] = [];
  for (const [name, entry] of Object.entries(TOPIC_ENTRIES)) {
    const set = extraOf(attributes, name);
    if (entry.legacy === true && set === undefined) continue;
    const fallback = brokerDefault(name, entry, defaults);
    const value = held[name] ?? set ?? fallback.value;
    const own = value !== fallback.value || set === value;
    answers.push(answerOf(name, entry, own ? value : null, fallback));
  }
  return answers;
}

/** Every entry with the value that a topic has that sets none. */
export function defaultConfigs(defaults: Defaults): ConfigAnswer[] {
  return Object.entries(TOPIC_ENTRIES)
    .filter(([, entry]) => entry.legacy !== true)
    .map(([name, entry]) => answerOf(name, entry, null, brokerDefault(name, entry, defaults)));
}

function answerOf(name: string, entry: Entry, own: string | null, fallback: Synonym): ConfigAnswer {
  const synonyms: Synonym[] = own === null ? [] : [{ name, value: own, source: SOURCE.topic }];
  if (entry.synonym !== undefined) synonyms.push(fallback);
  if (fallback.source !== SOURCE.default) synonyms.push({ ...fallback, value: entry.value, source: SOURCE.default });
  const { type, doc } = entry;
  return own === null
    ? { name, value: fallback.value, source: fallback.source, type, doc, synonyms }
    : { name, value: own, source: SOURCE.topic, type, doc, synonyms };
}

/** The value without the topic's own: Kafka's, or this broker's where it is another one. */
function brokerDefault(name: string, entry: Entry, defaults: Defaults): Synonym {
  let { value } = entry;
  if (name === 'max.message.bytes') value = String(defaults.messageBytesMax);
  if (name === 'flush.messages' && defaults.flush === 'sync') value = '1';
  return { name: entry.synonym ?? name, value, source: value === entry.value ? SOURCE.default : SOURCE.staticBroker };
}

/** The values that attributes hold, whoever has set them. */
function heldValues(attributes: TopicAttributes): Record<string, string> {
  const { retention, messageBytesMax, flush } = attributes;
  const held: Record<string, string> = { 'max.message.bytes': String(messageBytesMax) };
  const policy = extraOf(attributes, 'cleanup.policy');
  if (isDeleting(policy) || !isCompacted(policy)) {
    held['retention.ms'] = retention.mode === 'log' ? String(retention.timeMs) : '-1';
    held['retention.bytes'] = retention.mode === 'log' ? String(retention.bytes) : '-1';
  }
  const messages = extraOf(attributes, 'flush.messages');
  const ms = extraOf(attributes, 'flush.ms');
  const said = messages === '1' || (ms !== undefined && Number(ms) === 0) ? 'sync' : 'async';
  // Without a word of its own, or against it: as the level is.
  if (messages === undefined || said !== flush) held['flush.messages'] = flush === 'sync' ? '1' : LONG_MAX;
  return held;
}
