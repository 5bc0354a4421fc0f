// DescribeTopicPartitions (75): partitions of topics in order of their names, as many as one answer may hold, and a
// cursor to go on at (KIP-966). No topics named means all. There are no eligible leaders beside us.
import type { Topic } from '../../../core/types.ts';
import { describeTopicPartitions } from '../../../specs/kafka/admin.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Input } from '../../../specs/kafka/row.ts';
import type { Call } from '../call.ts';
import { ZERO_UUID } from '../codec/rows.ts';
import { partitionAnswer } from '../described-topic.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { spell, topicNamed, unspell } from '../names.ts';
import { allowedOperations } from '../operations.ts';

type Answer = Input<(typeof describeTopicPartitions.response)[1]['fields']>;
type Cursor = { topicName: string; partitionIndex: number };

/** max.request.partition.size.limit */
const PARTITIONS_MAX = 2_000;

export const describeTopicPartitionsRoute: Route = { api: describeTopicPartitions, handle: describe };

function describe(call: Call): void {
  const { broker, settings } = call.node;
  const { topics: wanted, responsePartitionLimit, cursor } = call.request(describeTopicPartitions);
  const named = new Set(wanted.map(({ name }) => name));
  const names =
    named.size > 0 ? [...named] : broker.topics(call.principal, settings.namespace).map(({ name }) => spell(name));
  names.sort();
  let left = Math.max(1, Math.min(responsePartitionLimit, PARTITIONS_MAX));
  const topics: Answer[] = [];
  let nextCursor: Cursor | null = null;
  for (const name of names) {
    if (cursor !== null && name < cursor.topicName) continue;
    const from = cursor?.topicName === name ? Math.max(0, cursor.partitionIndex) : 0;
    if (left === 0) {
      nextCursor = { topicName: name, partitionIndex: from };
      break;
    }
    const answer = describeOne(call, name, from, left);
    topics.push(answer.topic);
    left -= answer.topic.partitions.length;
    if (answer.next >= 0) {
      nextCursor = { topicName: name, partitionIndex: answer.next };
      break;
    }
  }
  call.reply(describeTopicPartitions, { topics, nextCursor });
}

function describeOne(call: Call, name: string, from: number, limit: number): { topic: Answer; next: number } {
  const { broker, settings } = call.node;
  const refused = (code: number) => ({
    topic: { errorCode: code, name, topicId: ZERO_UUID, partitions: [] },
    next: -1,
  });
  try {
    const topic: Topic | null = topicNamed(broker, settings.namespace, name);
    const canonical = topic?.name ?? unspell(name);
    if (canonical === null) return refused(ERROR.INVALID_TOPIC_EXCEPTION);
    broker.authorise(call.principal, 'describe', 'topic', settings.namespace, canonical);
    if (topic === null) return refused(ERROR.UNKNOWN_TOPIC_OR_PARTITION);
    const end = Math.min(topic.queues.length, from + limit);
    const partitions = [];
    // Empty and not null, as Kafka sends them: the Java client before 4.0 fails on null.
    const noEligible = { eligibleLeaderReplicas: [], lastKnownElr: [] };
    for (let index = from; index < end; index++)
      partitions.push({ ...partitionAnswer(call.node, index), ...noEligible });
    return {
      topic: {
        errorCode: ERROR.NONE,
        name: spell(topic.name),
        topicId: topic.uuid,
        partitions,
        topicAuthorizedOperations: allowedOperations(call, 'topic', topic.name),
      },
      next: end < topic.queues.length ? end : -1,
    };
  } catch (error) {
    call.node.counts.errors++;
    return refused(errorCode(error, 'topic'));
  }
}
