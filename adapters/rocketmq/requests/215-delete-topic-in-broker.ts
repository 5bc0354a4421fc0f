// 215 DELETE_TOPIC_IN_BROKER: removes a topic with its messages. One that is not there is no error.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { RequestError } from '../errors.ts';
import { fieldNumber } from '../fields.ts';
import { isSystemTopic } from '../node.ts';

const TOPIC = fieldNumber('topic');

export const deleteTopicInBroker: RequestHandler = (connection, header) => {
  const wireTopic = header.string(TOPIC);
  if (wireTopic === '' || isSystemTopic(wireTopic)) {
    throw new RequestError(RESPONSE.INVALID_PARAMETER, `the topic[${wireTopic}] is conflict with system topic.`);
  }
  const topic = connection.node.topic(wireTopic);
  if (topic === null) {
    connection.answer(header, RESPONSE.SUCCESS);
    return;
  }
  connection.later(header, async (ticket) => {
    await connection.broker.deleteTopic(connection.principal, topic);
    connection.answer(ticket, RESPONSE.SUCCESS);
  });
};
