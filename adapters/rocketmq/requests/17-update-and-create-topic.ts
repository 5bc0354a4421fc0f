// 17 UPDATE_AND_CREATE_TOPIC: makes a topic, or gives one more queues. Read and write queue numbers are one here; the
// larger counts. Fewer queues than there are is refused by the core.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { RequestError } from '../errors.ts';
import { fieldNumber } from '../fields.ts';
import { isSystemTopic, isTopicName } from '../node.ts';

const TOPIC = fieldNumber('topic');
const READ_QUEUES = fieldNumber('readQueueNums');
const WRITE_QUEUES = fieldNumber('writeQueueNums');

export const updateAndCreateTopic: RequestHandler = (connection, header) => {
  const wireTopic = header.string(TOPIC);
  const name = connection.node.coreName(wireTopic);
  if (!isTopicName(wireTopic) || isSystemTopic(wireTopic) || name === null) {
    throw new RequestError(RESPONSE.INVALID_PARAMETER, `no topic may be called ${wireTopic.slice(0, 255)}`);
  }
  const queues = Math.max(header.int(READ_QUEUES), header.int(WRITE_QUEUES));
  if (queues < 1) throw new RequestError(RESPONSE.INVALID_PARAMETER, 'a topic needs at least one queue');
  connection.later(header, async (ticket) => {
    const { broker, node, principal } = connection;
    const topic = await node.ensureTopic(principal, name.kind, name.name, queues);
    if (topic.queues.length !== queues) await broker.alterTopic(principal, topic, { queues });
    connection.answer(ticket, RESPONSE.SUCCESS);
  });
};
