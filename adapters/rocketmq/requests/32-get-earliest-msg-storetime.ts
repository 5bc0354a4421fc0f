// 32 GET_EARLIEST_MSG_STORETIME: when the first message still kept in a queue was stored, -1 when there is none.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { existingTopic, queueState } from '../look-up.ts';
import { ReplyField } from '../reply.ts';

const TOPIC = fieldNumber('topic');
const QUEUE_ID = fieldNumber('queueId');
const TIMESTAMP = new ReplyField('timestamp');

export const getEarliestMsgStoretime: RequestHandler = (connection, header) => {
  const state = queueState(connection, existingTopic(connection, header.string(TOPIC)), header.int(QUEUE_ID));
  connection.later(header, async (ticket) => {
    const first = await connection.broker.offsetByStoreTime(state.number, 0);
    const reply = connection.begin(ticket, RESPONSE.SUCCESS);
    reply.number(TIMESTAMP, first?.timeMs ?? -1);
    reply.endHeader();
    connection.finish(ticket);
  });
};
