// 202 GET_TOPIC_STATS_INFO: first and last offset and last store time of each queue, as a map with object keys.

import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { type Json, type JsonObject, rawJson } from '../json-body.ts';
import { existingTopic, readMessage } from '../look-up.ts';

const TOPIC = fieldNumber('topic');

export const getTopicStatsInfo: RequestHandler = (connection, header) => {
  const wireTopic = header.string(TOPIC);
  const topic = existingTopic(connection, wireTopic);
  connection.later(header, async (ticket) => {
    const { broker, node, principal } = connection;
    const offsetTable = new Map<JsonObject, Json>();
    for (const [queueId, queue] of topic.queues.entries()) {
      const state = broker.queue(queue);
      if (state === null) continue;
      const last =
        state.endOffset > state.startOffset ? await readMessage(broker, principal, queue, state.endOffset - 1) : null;
      offsetTable.set(
        { brokerName: node.brokerName, queueId, topic: wireTopic },
        {
          lastUpdateTimestamp: last?.unit.storeTimeMs ?? 0,
          maxOffset: state.endOffset,
          minOffset: state.startOffset,
        },
      );
    }
    connection.answerBody(ticket, rawJson({ offsetTable }));
  });
};
