// 14 QUERY_CONSUMER_OFFSET: where a group is on a queue.
//
// A group without a place there is told 22, and its client decides by its own rule (first, last, a time). But where
// nothing has been removed from the queue yet, the protocol's broker answers 0, so that a new group misses nothing of a
// young topic; setZeroIfNotFound=false asks for the plain truth.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { consumerGroup, existingTopic, queueState } from '../look-up.ts';
import { ReplyField } from '../reply.ts';

const GROUP = fieldNumber('consumerGroup');
const TOPIC = fieldNumber('topic');
const QUEUE_ID = fieldNumber('queueId');
const SET_ZERO = fieldNumber('setZeroIfNotFound');
const OFFSET = new ReplyField('offset');

export const queryConsumerOffset: RequestHandler = (connection, header) => {
  const topic = existingTopic(connection, header.string(TOPIC));
  const queue = queueState(connection, topic, header.int(QUEUE_ID));
  const group = consumerGroup(connection, header.string(GROUP));
  let offset = connection.broker.committed(group, queue.number)?.offset ?? -1;
  if (offset < 0 && queue.startOffset === 0 && queue.endOffset > 0 && header.boolean(SET_ZERO, true)) offset = 0;
  if (offset < 0) {
    connection.answer(header, RESPONSE.QUERY_NOT_FOUND, 'Not found, maybe this group consumer boot first');
    return;
  }
  const reply = connection.begin(header, RESPONSE.SUCCESS);
  reply.number(OFFSET, offset);
  reply.endHeader();
  connection.finish(header);
};
