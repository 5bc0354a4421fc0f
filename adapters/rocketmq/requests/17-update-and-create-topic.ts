// 17 UPDATE_AND_CREATE_TOPIC: makes a topic, or changes its permission, its numbers of queues, its order flag and its
// attributes.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { checkTopic, makeTopic, parseAttributes } from '../make-topic.ts';

const TOPIC = fieldNumber('topic');
const READ_QUEUES = fieldNumber('readQueueNums');
const WRITE_QUEUES = fieldNumber('writeQueueNums');
const PERM = fieldNumber('perm');
const ORDER = fieldNumber('order');
const SYS_FLAG = fieldNumber('topicSysFlag');
const ATTRIBUTES = fieldNumber('attributes');

export const updateAndCreateTopic: RequestHandler = (connection, header) => {
  const wanted = {
    wireTopic: header.string(TOPIC),
    readQueueNums: header.int(READ_QUEUES),
    writeQueueNums: header.int(WRITE_QUEUES),
    perm: header.int(PERM),
    order: header.boolean(ORDER),
    topicSysFlag: header.int(SYS_FLAG),
    attributes: parseAttributes(header.string(ATTRIBUTES)),
  };
  const name = checkTopic(connection, wanted);
  connection.later(header, async (ticket) => {
    await makeTopic(connection, name, wanted);
    connection.answer(ticket, RESPONSE.SUCCESS);
  });
};
