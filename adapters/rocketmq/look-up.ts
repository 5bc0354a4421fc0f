// What requests look up before they do anything: topics, queues, groups, single messages.

import { BrokerError } from '../../core/errors.ts';
import type { Group, Offset, Principal, QueueNumber, ReadBatch, ReadUnit, Topic, Waiter } from '../../core/types.ts';
import type { QueueState, Verbs } from '../../core/verbs.ts';
import { GROUP_CHARS_MAX } from '../../specs/rocketmq/constants.ts';
import { RESPONSE } from '../../specs/rocketmq/response-codes.ts';
import type { Connection } from './connection.ts';
import { RequestError } from './errors.ts';
import { isWireName, spellWithin, unspell } from './names.ts';

/**
 * Throws access-denied for who may neither use nor describe it: the core checks what is read, committed and changed, but
 * not who asks about a name.
 */
export function mayAskAbout({ broker, node, principal }: Connection, resource: 'topic' | 'group', name: string): void {
  if (!broker.secured) return;
  if (broker.allows(principal, 'consume', resource, node.namespace, name)) return;
  if (resource === 'topic' && broker.allows(principal, 'publish', resource, node.namespace, name)) return;
  broker.authorise(principal, 'describe', resource, node.namespace, name);
}

/** The topic of that name; TOPIC_NOT_EXIST when there is none. */
export function existingTopic(connection: Connection, wireTopic: string): Topic {
  const topic = connection.node.topic(wireTopic);
  if (topic === null) throw new RequestError(RESPONSE.TOPIC_NOT_EXIST, `topic[${wireTopic}] not exist`);
  // Topics of retries and dead letters are their group's.
  const isOfGroup = topic.kind === 'retry' || topic.kind === 'dead-letter';
  mayAskAbout(connection, isOfGroup ? 'group' : 'topic', topic.name);
  return topic;
}

/** The shard-wide number of a topic's queue; INVALID_PARAMETER when it has no such queue. */
export function queueOf(topic: Topic, queueId: number, queues = topic.queues.length): QueueNumber {
  const queue = queueId < queues ? topic.queues[queueId] : undefined;
  if (queue === undefined) {
    throw new RequestError(
      RESPONSE.INVALID_PARAMETER,
      `queueId[${queueId}] is illegal, topic:[${topic.name}] has ${queues} queues`,
    );
  }
  return queue;
}

export function queueState(connection: Connection, topic: Topic, queueId: number): QueueState {
  const state = connection.broker.queue(queueOf(topic, queueId));
  if (state === null) throw new RequestError(RESPONSE.TOPIC_NOT_EXIST, `topic[${topic.name}] not exist`);
  return state;
}

/** The group of that name, for one of its members; created when it is new (autoCreateSubscriptionGroup). */
export function consumerGroup(connection: Connection, wireGroup: string): Group {
  const name = groupName(wireGroup);
  const { broker, node, principal } = connection;
  const group = broker.group(node.namespace, name);
  if (group !== null) {
    broker.authorise(principal, 'consume', 'group', node.namespace, name);
    return group;
  }
  if (!node.settings.autoCreateGroups) throw noGroup(wireGroup);
  return broker.ensureGroup(principal, node.namespace, name);
}

/** The group of that name; SUBSCRIPTION_GROUP_NOT_EXIST when there is none. */
export function existingGroup(connection: Connection, wireGroup: string): Group {
  const group = connection.broker.group(connection.node.namespace, groupName(wireGroup));
  if (group === null) throw noGroup(wireGroup);
  mayAskAbout(connection, 'group', group.name);
  return group;
}

function noGroup(wireGroup: string): RequestError {
  return new RequestError(RESPONSE.SUBSCRIPTION_GROUP_NOT_EXIST, `subscription group [${wireGroup}] does not exist`);
}

/** The wire's name of a group. */
export function wireGroupOf(group: Group): string {
  return spellWithin(group.name, GROUP_CHARS_MAX);
}

/** Topics on which a group has a place, in order of their creation. */
export function topicsOf(connection: Connection, group: Group): Topic[] {
  const topics = new Set<Topic>();
  for (const queue of connection.broker.committedQueues(group)) {
    const topic = connection.broker.queue(queue)?.topic;
    if (topic !== undefined) topics.add(topic);
  }
  return [...topics].sort((a, b) => a.id - b.id);
}

/** When the message at an offset was stored; null when it is not there. */
export async function storeTimeAt(
  broker: Verbs,
  principal: Principal,
  queue: QueueNumber,
  offset: Offset,
): Promise<number | null> {
  const found = offset < 0 ? null : await readMessage(broker, principal, queue, offset);
  return found?.unit.storeTimeMs ?? null;
}

/** The core's name of a group; SYSTEM_ERROR when a group cannot be called that. */
export function groupName(wireGroup: string): string {
  const name = isWireName(wireGroup, GROUP_CHARS_MAX) ? unspell(wireGroup) : null;
  if (name === null) {
    throw new RequestError(RESPONSE.SYSTEM_ERROR, `no group may be called "${wireGroup.slice(0, 255)}"`);
  }
  return name;
}

/** One message read by its place. The unit is valid until the next await. */
export interface FoundMessage {
  readonly unit: ReadUnit;
  /** Index of the record in the unit's payload. */
  readonly record: number;
}

/** Reads the unit that holds an offset, waiting for cold bytes; null when it holds none (any more). */
export function readMessage(
  broker: Verbs,
  principal: Principal,
  queue: QueueNumber,
  offset: Offset,
): Promise<FoundMessage | null> {
  const batch: ReadBatch = { units: [], bytes: 0, nextOffset: 0, startOffset: 0, endOffset: 0 };
  const limits = { bytesMax: 1, recordsMax: 1, tagHashes: null };
  return new Promise((resolve, reject) => {
    const waiter: Waiter = { wake: () => read() };
    const read = (): void => {
      try {
        if (broker.queue(queue) === null) return resolve(null);
        if (broker.read(principal, queue, offset, limits, batch, waiter) === 'pending') return;
        const unit = batch.units[0];
        const isInside = unit !== undefined && unit.baseOffset <= offset && offset < unit.baseOffset + unit.count;
        resolve(isInside ? { unit, record: unit.firstRecord + offset - unit.baseOffset } : null);
      } catch (error) {
        if (error instanceof BrokerError && error.code === 'damaged') resolve(null);
        else reject(error);
      }
    };
    read();
  });
}
