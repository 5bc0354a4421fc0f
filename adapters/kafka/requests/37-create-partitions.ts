// CreatePartitions (37): the new number of partitions of a topic, which only grows.
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Input, Values } from '../../../specs/kafka/row.ts';
import { createPartitions } from '../../../specs/kafka/topics.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { topicNamed } from '../names.ts';

type Growth = Values<(typeof createPartitions.request)[0]['fields']>;
type Outcome = Input<(typeof createPartitions.response)[1]['fields']>;

export const createPartitionsRoute: Route = { api: createPartitions, handle: grow };

async function grow(call: Call): Promise<void> {
  const request = call.request(createPartitions);
  const { broker, settings, limits } = call.node;
  let more = 0;
  for (const { name, count } of request.topics) {
    const topic = topicNamed(broker, settings.namespace, name);
    // One that is too large by itself is told so.
    if (topic !== null && count <= limits.partitionsMax) more += Math.max(0, count - topic.queues.length);
  }
  if (more > limits.partitionsMax) {
    call.node.counts.errors++;
    const errorMessage = `a request makes up to ${limits.partitionsMax} partitions`;
    const refused = request.topics.map(({ name }) => ({ name, errorCode: ERROR.POLICY_VIOLATION, errorMessage }));
    return call.reply(createPartitions, { results: refused });
  }
  const results: Outcome[] = [];
  for (const topic of request.topics) results.push(await growOne(call, topic, request.validateOnly));
  call.reply(createPartitions, { results });
}

async function growOne(call: Call, { name, count }: Growth, validateOnly: boolean): Promise<Outcome> {
  const { broker, settings, limits } = call.node;
  const refused = (code: number, errorMessage: string): Outcome => ({ name, errorCode: code, errorMessage });
  const topic = topicNamed(broker, settings.namespace, name);
  if (topic === null) return refused(ERROR.UNKNOWN_TOPIC_OR_PARTITION, 'no such topic');
  if (topic.kind !== 'topic') return refused(ERROR.INVALID_PARTITIONS, 'a queue of another protocol has one partition');
  if (count <= topic.queues.length || count > limits.partitionsMax) {
    return refused(
      ERROR.INVALID_PARTITIONS,
      `the topic has ${topic.queues.length} partitions, ${count} were asked for`,
    );
  }
  try {
    if (validateOnly) broker.authorise(call.principal, 'update', 'topic', topic.namespace, topic.name);
    else await broker.alterTopic(call.principal, topic, { queues: count });
    return { name, errorCode: ERROR.NONE };
  } catch (error) {
    call.node.counts.errors++;
    return refused(errorCode(error, 'topic'), (error as Error).message);
  }
}
