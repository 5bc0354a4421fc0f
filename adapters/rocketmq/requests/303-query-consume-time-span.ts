// 303 QUERY_CONSUME_TIME_SPAN: for each queue of a topic when its first, its last and the group's last consumed message
// were stored, and how long the next one waits.

import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { type Json, rawJson } from '../json-body.ts';
import { existingGroup, existingTopic, storeTimeAt } from '../look-up.ts';
import { queueKey } from '../places.ts';
import { topicConfig } from '../topic-config.ts';

const TOPIC = fieldNumber('topic');
const GROUP = fieldNumber('group');

export const queryConsumeTimeSpan: RequestHandler = (connection, header) => {
  const topic = existingTopic(connection, header.string(TOPIC));
  const group = existingGroup(connection, header.string(GROUP));
  connection.later(header, async (ticket) => {
    const { broker, principal } = connection;
    const spans: Json[] = [];
    for (const [queueId, queue] of topic.queues.slice(0, topicConfig(topic).writeQueueNums).entries()) {
      const state = broker.queue(queue);
      if (state === null) continue;
      const place = broker.committed(group, queue)?.offset ?? 0;
      const minTimeStamp = (await storeTimeAt(broker, principal, queue, state.startOffset)) ?? -1;
      const next = place < state.endOffset ? await storeTimeAt(broker, principal, queue, place) : null;
      spans.push({
        consumeTimeStamp: (await storeTimeAt(broker, principal, queue, place - 1)) ?? minTimeStamp,
        delayTime: next === null ? 0 : Math.max(0, broker.nowMs() - next),
        maxTimeStamp: (await storeTimeAt(broker, principal, queue, state.endOffset - 1)) ?? -1,
        messageQueue: queueKey(connection, topic, queueId),
        minTimeStamp,
      });
    }
    connection.answerBody(ticket, rawJson({ consumeTimeSpanSet: spans }));
  });
};
