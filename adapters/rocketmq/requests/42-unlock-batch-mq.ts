// 42 UNLOCK_BATCH_MQ: gives locked queues back; may be oneway.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { isObject, list, parseObject, text } from '../json-body.ts';
import { consumerGroup } from '../look-up.ts';
import { LOCKS_MAX } from './41-lock-batch-mq.ts';

export const unlockBatchMq: RequestHandler = (connection, header, frame) => {
  const body = parseObject(frame, header.bodyStart, header.bodyEnd);
  const group = consumerGroup(connection, text(body['consumerGroup']));
  const clientId = text(body['clientId']);
  for (const queue of list(body['mqSet']).slice(0, LOCKS_MAX)) {
    if (!isObject(queue)) continue;
    const number = connection.node.topic(text(queue['topic']))?.queues[Number(queue['queueId'])];
    if (number !== undefined) connection.broker.unlockQueue(group, number, clientId);
  }
  connection.answer(header, RESPONSE.SUCCESS);
};
