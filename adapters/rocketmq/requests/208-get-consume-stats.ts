// 208 GET_CONSUME_STATS: a group's place and the end of every queue it reads, as a map with object keys. Without a
// topic, of all topics on which it has a place.

import type { Group, Principal, Topic } from '../../../core/types.ts';
import type { Connection } from '../connection.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { type Json, type JsonObject, rawJson } from '../json-body.ts';
import { existingGroup, existingTopic, storeTimeAt, topicsOf } from '../look-up.ts';
import { queueKey } from '../places.ts';
import { topicConfig } from '../topic-config.ts';

const GROUP = fieldNumber('consumerGroup');
const TOPIC = fieldNumber('topic');

export const getConsumeStats: RequestHandler = (connection, header) => {
  const group = existingGroup(connection, header.string(GROUP));
  const asked = header.string(TOPIC);
  const { principal } = connection;
  const topics = asked === '' ? topicsOf(connection, group) : [existingTopic(connection, asked)];
  connection.later(header, async (ticket) => {
    const table = new Map<JsonObject, Json>();
    for (const topic of topics) await addTopic(connection, principal, group, topic, table);
    const consumeTps = topics.reduce((sum, { id }) => sum + connection.node.groups.deliveriesPerSecond(group, id), 0);
    connection.answerBody(ticket, rawJson({ consumeTps, offsetTable: table }));
  });
};

/** Adds a row per queue of the topic; returns how many messages the group has before it. */
export async function addTopic(
  connection: Connection,
  principal: Principal,
  group: Group,
  topic: Topic,
  table: Map<JsonObject, Json>,
): Promise<number> {
  const { broker } = connection;
  let lag = 0;
  for (const [queueId, queue] of topic.queues.slice(0, topicConfig(topic).readQueueNums).entries()) {
    const state = broker.queue(queue);
    if (state === null) continue;
    const place = Math.max(0, broker.committed(group, queue)?.offset ?? 0);
    const consumedMs = place > state.startOffset ? await storeTimeAt(broker, principal, queue, place - 1) : null;
    lag += Math.max(0, state.endOffset - place);
    table.set(queueKey(connection, topic, queueId), {
      brokerOffset: state.endOffset,
      consumerOffset: place,
      lastTimestamp: consumedMs ?? 0,
      pullOffset: place,
    });
  }
  return lag;
}
