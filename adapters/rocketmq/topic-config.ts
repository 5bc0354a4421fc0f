// What RocketMQ knows of a topic and the core does not: permissions, separate numbers of queues to read and to write,
// the order flag. Kept as text in the topic's extra attributes.
//
// Invariants:
// - a topic without the text has permission 6 and reads and writes all its queues;
// - queues that another protocol added since are added to both numbers, so no message is out of reach;
// - both numbers are never more than the queues there are: shrinking leaves the queues behind with what is in them, as
//   the protocol's broker does, and growing again finds them.

import type { Topic } from '../../core/types.ts';
import { PERM } from '../../specs/rocketmq/constants.ts';
import type { JsonObject } from './json-body.ts';

export const TOPIC_CONFIG_KEY = 'rocketmq.topic';
const CACHED_MAX = 10_000;

export interface TopicConfig {
  readonly perm: number;
  readonly readQueueNums: number;
  readonly writeQueueNums: number;
  readonly order: boolean;
  readonly topicSysFlag: number;
  readonly attributes: Readonly<Record<string, string>>;
}

/** As it is stored; `queues` is how many there were when it was. */
interface Stored extends TopicConfig {
  readonly queues: number;
}

const cached = new Map<string, TopicConfig>();
const plain: TopicConfig[] = [];

export function topicConfig(topic: Topic): TopicConfig {
  const text = topic.attributes.extra[TOPIC_CONFIG_KEY];
  const queues = topic.queues.length;
  if (text === undefined) return (plain[queues] ??= defaultConfig(queues));
  const key = `${queues} ${text}`;
  let config = cached.get(key);
  if (config === undefined) {
    config = restored(text, queues);
    if (cached.size >= CACHED_MAX) cached.clear();
    cached.set(key, config);
  }
  return config;
}

export const isReadable = (config: TopicConfig): boolean => (config.perm & PERM.READ) !== 0;
export const isWritable = (config: TopicConfig): boolean => (config.perm & PERM.WRITE) !== 0;

export function defaultConfig(queues: number): TopicConfig {
  return {
    perm: PERM.READ | PERM.WRITE,
    readQueueNums: queues,
    writeQueueNums: queues,
    order: false,
    topicSysFlag: 0,
    attributes: {},
  };
}

/** The text to store for a topic that has `queues` queues. */
export function configText(config: TopicConfig, queues: number): string {
  const stored: Stored = { ...config, queues };
  return JSON.stringify(stored);
}

/** As the protocol's tools read it. */
export function configJson(wireTopic: string, config: TopicConfig): JsonObject {
  return {
    attributes: config.attributes,
    order: config.order,
    perm: config.perm,
    readQueueNums: config.readQueueNums,
    topicFilterType: 'SINGLE_TAG',
    topicName: wireTopic,
    topicSysFlag: config.topicSysFlag,
    writeQueueNums: config.writeQueueNums,
  };
}

function restored(text: string, queues: number): TopicConfig {
  const stored = JSON.parse(text) as Stored;
  const grown = Math.max(0, queues - stored.queues);
  return {
    perm: stored.perm,
    readQueueNums: Math.min(queues, stored.readQueueNums + grown),
    writeQueueNums: Math.min(queues, stored.writeQueueNums + grown),
    order: stored.order,
    topicSysFlag: stored.topicSysFlag,
    attributes: stored.attributes,
  };
}
