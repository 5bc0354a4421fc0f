// Making and changing topics as 17, 18 and 217 ask for it.
//
// Raising the numbers adds queues to the topic. Lowering them hides queues from clients (what is not written any more is
// still read until the read number follows), as in the protocol's broker.

import { PERM } from '../../specs/rocketmq/constants.ts';
import { RESPONSE } from '../../specs/rocketmq/response-codes.ts';
import type { Connection } from './connection.ts';
import { RequestError } from './errors.ts';
import { text } from './json-body.ts';
import type { CoreName } from './names.ts';
import { isSystemTopic, isTopicName } from './node.ts';
import { configText, TOPIC_CONFIG_KEY, type TopicConfig, topicConfig } from './topic-config.ts';

/** What a request wants a topic to be; attributes are changes, null takes one away. */
export interface WantedTopic extends Omit<TopicConfig, 'attributes'> {
  readonly wireTopic: string;
  readonly attributes: Readonly<Record<string, string | null>>;
}

/**
 * Attributes of the protocol that can be kept here, with what they may be. Batch queues and compaction are other
 * stores than ours, so a topic that asks for them is refused rather than made into something else.
 */
const ATTRIBUTES: Readonly<Record<string, RegExp>> = {
  'message.type': /^(UNSPECIFIED|NORMAL|FIFO|DELAY|TRANSACTION|MIXED)$/,
  'queue.type': /^SimpleCQ$/,
  'cleanup.policy': /^DELETE$/,
};

/** Checks what is asked, before anything is changed. */
export function checkTopic(connection: Connection, wanted: WantedTopic): CoreName {
  const { wireTopic, readQueueNums, writeQueueNums, perm } = wanted;
  const name = connection.node.coreName(wireTopic);
  if (!isTopicName(wireTopic) || isSystemTopic(wireTopic) || name === null) {
    throw new RequestError(RESPONSE.INVALID_PARAMETER, `no topic may be called ${wireTopic.slice(0, 255)}`);
  }
  if (readQueueNums < 1 || writeQueueNums < 1) {
    throw new RequestError(RESPONSE.INVALID_PARAMETER, 'a topic needs at least one queue to read and one to write');
  }
  if (perm < 0 || perm > (PERM.READ | PERM.WRITE | PERM.INHERIT)) {
    throw new RequestError(RESPONSE.INVALID_PARAMETER, `${perm} is no permission of a topic`);
  }
  for (const [key, value] of Object.entries(wanted.attributes)) {
    if (ATTRIBUTES[key] === undefined || (value !== null && !ATTRIBUTES[key].test(value))) {
      throw new RequestError(RESPONSE.INVALID_PARAMETER, `unsupported attribute ${key}=${value}`);
    }
  }
  return name;
}

export async function makeTopic(connection: Connection, name: CoreName, wanted: WantedTopic): Promise<void> {
  const { broker, node, principal } = connection;
  const queues = Math.max(wanted.readQueueNums, wanted.writeQueueNums);
  const isPlain =
    wanted.readQueueNums === wanted.writeQueueNums &&
    wanted.perm === (PERM.READ | PERM.WRITE) &&
    !wanted.order &&
    wanted.topicSysFlag === 0 &&
    Object.keys(wanted.attributes).length === 0;
  const extra = isPlain ? {} : { [TOPIC_CONFIG_KEY]: configText(merged(wanted, {}), queues) };
  const topic = await node.ensureTopic(principal, name.kind, name.name, queues, extra);
  const before = topicConfig(topic);
  const config = merged(wanted, before.attributes);
  if (JSON.stringify(config) === JSON.stringify(before)) return;
  const total = Math.max(queues, topic.queues.length);
  await broker.alterTopic(principal, topic, {
    ...(total > topic.queues.length ? { queues: total } : {}),
    attributes: { extra: { ...topic.attributes.extra, [TOPIC_CONFIG_KEY]: configText(config, total) } },
  });
}

/** In the order of fields of a configuration that was stored, so that texts can be compared. */
function merged(wanted: WantedTopic, before: Readonly<Record<string, string>>): TopicConfig {
  const attributes: Record<string, string> = { ...before };
  for (const [key, value] of Object.entries(wanted.attributes)) {
    if (value === null) delete attributes[key];
    else attributes[key] = value;
  }
  const { perm, readQueueNums, writeQueueNums, order, topicSysFlag } = wanted;
  return { perm, readQueueNums, writeQueueNums, order, topicSysFlag, attributes };
}

/** `+key=value,-key`, as 17 carries changes of attributes. */
export function parseAttributes(text: string): Record<string, string | null> {
  const changes: Record<string, string | null> = {};
  for (const part of text.split(',')) {
    const change = part.trim();
    if (change === '') continue;
    const at = change.indexOf('=');
    if (change.startsWith('+') && at > 1) changes[change.slice(1, at)] = change.slice(at + 1);
    else if (change.startsWith('-') && change.length > 1) changes[change.slice(1)] = null;
    else
      throw new RequestError(
        RESPONSE.INVALID_PARAMETER,
        `an attribute is changed by +key=value or -key, not ${change}`,
      );
  }
  return changes;
}

/** The topic that one entry of a body describes (18, and the tables of 21). */
export function wantedTopic(body: Readonly<Record<string, unknown>>): WantedTopic {
  const number = (name: string, absent: number): number => {
    const value = body[name];
    return typeof value === 'number' && Number.isInteger(value) ? value : absent;
  };
  const attributes: Record<string, string | null> = {};
  const given = body['attributes'];
  if (typeof given === 'object' && given !== null) {
    for (const [key, value] of Object.entries(given)) attributes[key.replace(/^\+/, '')] = String(value);
  }
  return {
    wireTopic: text(body['topicName']),
    readQueueNums: number('readQueueNums', 16),
    writeQueueNums: number('writeQueueNums', 16),
    perm: number('perm', PERM.READ | PERM.WRITE),
    order: body['order'] === true,
    topicSysFlag: number('topicSysFlag', 0),
    attributes,
  };
}
