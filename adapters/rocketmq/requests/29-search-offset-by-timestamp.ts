// 29 SEARCH_OFFSET_BY_TIMESTAMP: the first offset stored at or after a time (LOWER, the default), or the last one
// stored at or before it (UPPER).

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { existingTopic, queueState } from '../look-up.ts';
import { ReplyField } from '../reply.ts';

const TOPIC = fieldNumber('topic');
const QUEUE_ID = fieldNumber('queueId');
const TIMESTAMP = fieldNumber('timestamp');
const BOUNDARY = fieldNumber('boundaryType');
const OFFSET = new ReplyField('offset');

export const searchOffsetByTimestamp: RequestHandler = (connection, header) => {
  const topic = existingTopic(connection, header.string(TOPIC));
  const state = queueState(connection, topic, header.int(QUEUE_ID));
  const timestamp = header.longClamped(TIMESTAMP);
  const isUpper = header.string(BOUNDARY).toUpperCase() === 'UPPER';
  connection.later(header, async (ticket) => {
    const wanted = isUpper && timestamp < Number.MAX_SAFE_INTEGER ? timestamp + 1 : timestamp;
    const found = await connection.broker.offsetByStoreTime(state.number, wanted);
    const now = connection.broker.queue(state.number) ?? state;
    const first = found?.offset ?? now.endOffset;
    const reply = connection.begin(ticket, RESPONSE.SUCCESS);
    reply.number(OFFSET, isUpper ? Math.max(now.startOffset, first - 1) : first);
    reply.endHeader();
    connection.finish(ticket);
  });
};
