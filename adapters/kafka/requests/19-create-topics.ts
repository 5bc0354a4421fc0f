// CreateTopics (19): -1 partitions or replicas mean the broker's default (KIP-464). v5+ returns the configuration.
//
// We are one node: any replication factor is accepted and 1 is reported, because tools ask for 3 by habit and what they
// want of it, durability, is the journal's business here; with `clampReplicas` off more than 1 is refused. Assignments may name our node only.
import { BrokerError } from '../../../core/errors.ts';
import type { TopicSpec } from '../../../core/types.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Input, Values } from '../../../specs/kafka/row.ts';
import { createTopics } from '../../../specs/kafka/topics.ts';
import type { Call } from '../call.ts';
import { ZERO_UUID } from '../codec/rows.ts';
import { attributesOf, configsOf } from '../config/topic-config.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { isReserved, spell, unspell } from '../names.ts';
import { NODE_ID } from '../node.ts';

type Creation = Values<(typeof createTopics.request)[0]['fields']>;
type Outcome = Input<(typeof createTopics.response)[1]['fields']>;

export const createTopicsRoute: Route = { api: createTopics, handle: create };

async function create(call: Call): Promise<void> {
  const request = call.request(createTopics);
  const seen = new Map<string, number>();
  for (const { name } of request.topics) seen.set(name, (seen.get(name) ?? 0) + 1);
  if (partitionsOfAll(call, request.topics) > call.node.limits.partitionsMax) {
    call.node.counts.errors++;
    const text = `a request makes up to ${call.node.limits.partitionsMax} partitions`;
    const topics = request.topics.map(({ name }) => refused(name, ERROR.POLICY_VIOLATION, text));
    return call.reply(createTopics, { topics });
  }
  // All at once: they share one sync.
  const topics = await Promise.all(
    request.topics.map(async (topic) =>
      seen.get(topic.name) === 1
        ? createOne(call, topic, request.validateOnly)
        : refused(topic.name, ERROR.INVALID_REQUEST, 'the topic is named twice in one request'),
    ),
  );
  call.reply(createTopics, { topics });
}

function refused(name: string, code: number, text: string): Outcome {
  return { name, topicId: ZERO_UUID, errorCode: code, errorMessage: text, configs: null };
}

async function createOne(call: Call, wanted: Creation, validateOnly: boolean): Promise<Outcome> {
  const { settings, limits } = call.node;
  const name = unspell(wanted.name);
  if (name === null) {
    return refused(wanted.name, ERROR.INVALID_TOPIC_EXCEPTION, 'a topic name is 1 to 249 of [a-zA-Z0-9._-]');
  }
  if (isReserved(name)) return refused(wanted.name, ERROR.INVALID_TOPIC_EXCEPTION, 'the name belongs to Kafka itself');
  const queues = partitionsOf(wanted, settings.defaultPartitions);
  if (typeof queues === 'string') return refused(wanted.name, ERROR.INVALID_REPLICA_ASSIGNMENT, queues);
  if (queues < 1 || queues > limits.partitionsMax) {
    return refused(wanted.name, ERROR.INVALID_PARTITIONS, `a topic has 1 to ${limits.partitionsMax} partitions`);
  }
  if (wanted.replicationFactor === 0 || wanted.replicationFactor < -1) {
    return refused(wanted.name, ERROR.INVALID_REPLICATION_FACTOR, 'the replication factor is at least 1');
  }
  if (wanted.replicationFactor > 1 && !settings.clampReplicas) {
    return refused(wanted.name, ERROR.INVALID_REPLICATION_FACTOR, 'there is one node, so one replica');
  }
  const attributes = attributesOf(wanted.configs, call.node.broker.topicDefaults);
  if (typeof attributes === 'string') return refused(wanted.name, ERROR.INVALID_CONFIG, attributes);
  try {
    return await createValid(
      call,
      wanted.name,
      { namespace: settings.namespace, kind: 'topic', name, queues, attributes },
      validateOnly,
    );
  } catch (error) {
    call.node.counts.errors++;
    return refused(wanted.name, errorCode(error, 'topic'), (error as Error).message);
  }
}

async function createValid(call: Call, spelling: string, spec: TopicSpec, validateOnly: boolean): Promise<Outcome> {
  const { broker } = call.node;
  const known = { errorCode: ERROR.NONE, errorMessage: null, numPartitions: spec.queues, replicationFactor: 1 };
  if (validateOnly) {
    broker.authorise(call.principal, 'create', 'topic', spec.namespace, spec.name);
    if (broker.topic(spec.namespace, spec.name) !== null) {
      throw new BrokerError('topic-exists', `topic ${spelling} exists`);
    }
    return {
      ...known,
      name: spelling,
      topicId: ZERO_UUID,
      configs: answers(configsOf({ ...broker.topicDefaults, ...spec.attributes }, broker.topicDefaults)),
    };
  }
  const topic = await broker.createTopic(call.principal, spec);
  return {
    ...known,
    name: spell(topic.name),
    topicId: topic.uuid,
    configs: answers(configsOf(topic.attributes, broker.topicDefaults)),
  };
}

function answers(configs: ReturnType<typeof configsOf>): NonNullable<Outcome['configs']> {
  return configs.map(({ name, value, source }) => ({
    name,
    value,
    readOnly: false,
    configSource: source,
    isSensitive: false,
  }));
}

/** Of the topics that may be made; one that is too large by itself is told so. */
function partitionsOfAll({ node }: Call, topics: readonly Creation[]): number {
  let sum = 0;
  for (const topic of topics) {
    const queues = partitionsOf(topic, node.settings.defaultPartitions);
    if (typeof queues === 'number' && queues > 0 && queues <= node.limits.partitionsMax) sum += queues;
  }
  return sum;
}

/** The number of partitions asked for, or what is wrong with the assignments that say it. */
function partitionsOf(wanted: Creation, fallback: number): number | string {
  const { assignments, numPartitions, replicationFactor } = wanted;
  if (assignments.length === 0) return numPartitions === -1 ? fallback : numPartitions;
  if (numPartitions !== -1 || replicationFactor !== -1) return 'assignments exclude counts of partitions and replicas';
  const indexes = new Set(assignments.map(({ partitionIndex }) => partitionIndex));
  const dense = indexes.size === assignments.length && [...indexes].every((i) => i >= 0 && i < assignments.length);
  if (!dense) return 'partitions are assigned once each, from 0 on';
  const ours = assignments.every(({ brokerIds }) => brokerIds.length === 1 && brokerIds[0] === NODE_ID);
  return ours ? assignments.length : `the only broker is ${NODE_ID}`;
}
