// Metadata (3): topics, their partitions and who leads them. v0: no topic named means all; v1+: null means all.
// v4: the client says whether asking creates the topic; before, asking did. v10 asks by topic id, v12 by id alone.
//
// A topic that asking creates is there, committed, in the very answer: no LEADER_NOT_AVAILABLE round is needed.
// Queues of other protocols are shown as topics; retry, dead-letter and system topics are not.
import { BrokerError } from '../../../core/errors.ts';
import type { Topic } from '../../../core/types.ts';
import { metadata } from '../../../specs/kafka/cluster.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Input } from '../../../specs/kafka/row.ts';
import type { Call } from '../call.ts';
import { ZERO_UUID } from '../codec/rows.ts';
import { newTopicAttributes } from '../config/topic-config.ts';
import { partitionAnswer } from '../described-topic.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { isReserved, spell, topicNamed, unspell } from '../names.ts';
import { NODE_ID } from '../node.ts';
import { allowedOperations } from '../operations.ts';

type TopicAnswer = Input<(typeof metadata.response)[4]['fields']>;

/** Topics that one request may bring into being; the client asks again for the rest. */
const CREATED_MAX = 1_000;

export const metadataRoute: Route = { api: metadata, handle: describe };

async function describe(call: Call): Promise<void> {
  const request = call.request(metadata);
  const { broker, settings } = call.node;
  const all = request.topics === null || (call.version === 0 && request.topics.length === 0);
  let topics: TopicAnswer[];
  if (all) {
    topics = broker.topics(call.principal, settings.namespace).map((topic) => described(call, topic));
  } else {
    // All at once: the topics that are made share one sync.
    let left = request.allowAutoTopicCreation && settings.autoCreateTopics ? CREATED_MAX : 0;
    // A topic that is named more than once is told once.
    const once = new Map((request.topics ?? []).map((topic) => [topic.name ?? `id ${topic.topicId}`, topic]));
    topics = await Promise.all(
      [...once.values()].map(async ({ name, topicId }) =>
        name === null ? byId(call, topicId) : byName(call, name, () => left-- > 0),
      ),
    );
  }
  if (request.includeTopicAuthorizedOperations) {
    for (const answer of topics) {
      const name = answer.errorCode === ERROR.NONE ? broker.topicByUuid(answer.topicId)?.name : undefined;
      if (name !== undefined) answer.topicAuthorizedOperations = allowedOperations(call, 'topic', name);
    }
  }
  const { host, port } = call.node.address(call.connection.info);
  const operations = request.includeClusterAuthorizedOperations
    ? { clusterAuthorizedOperations: allowedOperations(call, 'cluster', '') }
    : {};
  call.reply(metadata, {
    ...operations,
    brokers: [{ nodeId: NODE_ID, host, port }],
    clusterId: broker.clusterId,
    controllerId: NODE_ID,
    topics,
  });
}

function described(call: Call, topic: Topic): TopicAnswer {
  return {
    errorCode: ERROR.NONE,
    name: spell(topic.name),
    topicId: topic.uuid,
    partitions: topic.queues.map((_queue, partitionIndex) => partitionAnswer(call.node, partitionIndex)),
  };
}

function refused(name: string | null, topicId: string, code: number): TopicAnswer {
  return { errorCode: code, name, topicId, partitions: [] };
}

function byId(call: Call, topicId: string): TopicAnswer {
  const topic = call.node.broker.topicByUuid(topicId);
  if (topic === null || topic.namespace !== call.node.settings.namespace) {
    return refused(null, topicId, ERROR.UNKNOWN_TOPIC_ID);
  }
  try {
    call.node.broker.authorise(call.principal, 'describe', 'topic', topic.namespace, topic.name);
  } catch (error) {
    errorCode(error, 'topic');
    // Not to be told apart from an id that does not exist.
    return refused(null, topicId, ERROR.UNKNOWN_TOPIC_ID);
  }
  return described(call, topic);
}

async function byName(call: Call, spelling: string, mayCreate: () => boolean): Promise<TopicAnswer> {
  const { broker, settings } = call.node;
  try {
    const known = topicNamed(broker, settings.namespace, spelling);
    if (known !== null) {
      broker.authorise(call.principal, 'describe', 'topic', known.namespace, known.name);
      return described(call, known);
    }
    const name = unspell(spelling);
    if (name === null) return refused(spelling, ZERO_UUID, ERROR.INVALID_TOPIC_EXCEPTION);
    if (isReserved(name) || !mayCreate()) {
      broker.authorise(call.principal, 'describe', 'topic', settings.namespace, name);
      return refused(spelling, ZERO_UUID, ERROR.UNKNOWN_TOPIC_OR_PARTITION);
    }
    return described(call, await create(call, name));
  } catch (error) {
    return refused(spelling, ZERO_UUID, errorCode(error, 'topic'));
  }
}

async function create(call: Call, name: string): Promise<Topic> {
  const { broker, settings } = call.node;
  const { namespace, defaultPartitions: queues } = settings;
  try {
    return await broker.createTopic(call.principal, {
      namespace,
      kind: 'topic',
      name,
      queues,
      attributes: newTopicAttributes(),
    });
  } catch (error) {
    // Two clients asked at once: the other one's topic is as good.
    const other = error instanceof BrokerError && error.code === 'topic-exists' ? broker.topic(namespace, name) : null;
    if (other === null) throw error;
    return other;
  }
}
