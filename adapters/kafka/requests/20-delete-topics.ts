// DeleteTopics (20): by name; v6 by name or by topic id.
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Input } from '../../../specs/kafka/row.ts';
import { deleteTopics } from '../../../specs/kafka/topics.ts';
import type { Call } from '../call.ts';
import { ZERO_UUID } from '../codec/rows.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { spell, topicNamed } from '../names.ts';

type Outcome = Input<(typeof deleteTopics.response)[1]['fields']>;

export const deleteTopicsRoute: Route = { api: deleteTopics, handle: remove };

async function remove(call: Call): Promise<void> {
  const request = call.request(deleteTopics);
  const wanted =
    call.version >= 6
      ? request.topics
      : request.topicNames.map((name) => ({ name: name as string | null, topicId: ZERO_UUID }));
  const responses: Outcome[] = [];
  for (const { name, topicId } of wanted) responses.push(await removeOne(call, name, topicId));
  call.reply(deleteTopics, { responses });
}

async function removeOne(call: Call, name: string | null, topicId: string): Promise<Outcome> {
  const { broker, settings } = call.node;
  try {
    const topic = name === null ? broker.topicByUuid(topicId) : topicNamed(broker, settings.namespace, name);
    if (topic === null || topic.namespace !== settings.namespace) {
      const code = name === null ? ERROR.UNKNOWN_TOPIC_ID : ERROR.UNKNOWN_TOPIC_OR_PARTITION;
      return { name, topicId, errorCode: code, errorMessage: 'no such topic' };
    }
    if (topic.kind !== 'topic') {
      return { name, topicId, errorCode: ERROR.POLICY_VIOLATION, errorMessage: 'a queue of another protocol' };
    }
    await broker.deleteTopic(call.principal, topic);
    return { name: spell(topic.name), topicId: topic.uuid, errorCode: ERROR.NONE };
  } catch (error) {
    call.node.counts.errors++;
    return { name, topicId, errorCode: errorCode(error, 'topic'), errorMessage: (error as Error).message };
  }
}
