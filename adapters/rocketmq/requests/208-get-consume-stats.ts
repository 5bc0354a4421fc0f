// 208 GET_CONSUME_STATS: a group's place and the end of every queue it reads, as a map with object keys. Without a
// topic, of all topics on which it has a place.

import type { Group, Topic } from '../../../core/types.ts';
import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { Connection } from '../connection.ts';
import type { RequestHandler } from '../dispatch.ts';
import { RequestError } from '../errors.ts';
import { fieldNumber } from '../fields.ts';
import { type Json, type JsonObject, rawJson } from '../json-body.ts';
import { existingTopic, groupName, readMessage } from '../look-up.ts';
import { wireTopic } from '../names.ts';

const GROUP = fieldNumber('consumerGroup');
const TOPIC = fieldNumber('topic');

export const getConsumeStats: RequestHandler = (connection, header) => {
  const { broker, node, principal } = connection;
  const wireGroup = header.string(GROUP);
  const group = broker.group(node.namespace, groupName(wireGroup));
  if (group === null) {
    throw new RequestError(RESPONSE.SUBSCRIPTION_GROUP_NOT_EXIST, `subscription group [${wireGroup}] does not exist`);
  }
  const asked = header.string(TOPIC);
  const topics = asked === '' ? topicsOf(connection, group) : [existingTopic(connection, asked)];
  connection.later(header, async (ticket) => {
    const offsetTable = new Map<JsonObject, Json>();
    for (const topic of topics) {
      for (const [queueId, queue] of topic.queues.entries()) {
        const state = broker.queue(queue);
        if (state === null) continue;
        const place = broker.committed(group, queue)?.offset ?? -1;
        const consumed = place > state.startOffset ? await readMessage(broker, principal, queue, place - 1) : null;
        offsetTable.set(
          { brokerName: node.brokerName, queueId, topic: wireTopic(topic.kind, topic.name) },
          {
            brokerOffset: state.endOffset,
            consumerOffset: Math.max(0, place),
            lastTimestamp: consumed?.unit.storeTimeMs ?? 0,
            pullOffset: Math.max(0, place),
          },
        );
      }
    }
    connection.answerBody(ticket, rawJson({ consumeTps: 0, offsetTable }));
  });
};

function topicsOf(connection: Connection, group: Group): Topic[] {
  const topics = new Set<Topic>();
  for (const queue of connection.broker.committedQueues(group)) {
    const topic = connection.broker.queue(queue)?.topic;
    if (topic !== undefined) topics.add(topic);
  }
  return [...topics];
}
