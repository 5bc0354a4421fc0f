// 30 GET_MAX_OFFSET: the first offset of a queue that holds no visible message yet.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { existingTopic, queueState } from '../look-up.ts';
import { ReplyField } from '../reply.ts';

const TOPIC = fieldNumber('topic');
const QUEUE_ID = fieldNumber('queueId');
const OFFSET = new ReplyField('offset');

export const getMaxOffset: RequestHandler = (connection, header) => {
  const state = queueState(connection, existingTopic(connection, header.string(TOPIC)), header.int(QUEUE_ID));
  const reply = connection.begin(header, RESPONSE.SUCCESS);
  reply.number(OFFSET, state.endOffset);
  reply.endHeader();
  connection.finish(header);
};
