// 41 LOCK_BATCH_MQ: an ordered consumer locks queues of its group for itself. A lock lasts 60 s and is renewed every
// 20 s; the reply lists the queues that this client holds now.

import type { RequestHandler } from '../dispatch.ts';
import { isObject, type JsonObject, list, parseObject, rawJson, text } from '../json-body.ts';
import { consumerGroup } from '../look-up.ts';

const LOCK_MS = 60_000;
/** Queues in one request. */
export const LOCKS_MAX = 16_384;

export const lockBatchMq: RequestHandler = (connection, header, frame) => {
  const body = parseObject(frame, header.bodyStart, header.bodyEnd);
  const group = consumerGroup(connection, text(body['consumerGroup']));
  const clientId = text(body['clientId']);
  const held: JsonObject[] = [];
  for (const queue of list(body['mqSet']).slice(0, LOCKS_MAX)) {
    if (!isObject(queue)) continue;
    const topic = text(queue['topic']);
    const queueId = Number(queue['queueId']);
    const number = connection.node.topic(topic)?.queues[queueId];
    if (number === undefined || !connection.broker.lockQueue(group, number, clientId, LOCK_MS)) continue;
    held.push({ brokerName: connection.node.brokerName, queueId, topic });
  }
  connection.answerBody(header, rawJson({ lockOKMQSet: held }));
};
