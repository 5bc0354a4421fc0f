// 217 REGISTER_TOPIC_IN_NAMESRV: a tool tells the name server of a topic's queues. There the route follows the topic, so
// the topic itself is made as the route describes it, if it is not there yet.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { isObject, list, parseObject } from '../json-body.ts';
import { checkTopic, makeTopic, wantedTopic } from '../make-topic.ts';

const TOPIC = fieldNumber('topic');

export const registerTopicInNamesrv: RequestHandler = (connection, header, frame) => {
  const { node } = connection;
  const wireTopic = header.string(TOPIC);
  const queues = list(parseObject(frame, header.bodyStart, header.bodyEnd)['queueDatas'])
    .filter(isObject)
    .find((data) => data['brokerName'] === node.brokerName);
  if (queues === undefined || node.topic(wireTopic) !== null) {
    connection.answer(header, RESPONSE.SUCCESS);
    return;
  }
  const wanted = wantedTopic({ ...queues, topicName: wireTopic });
  const name = checkTopic(connection, wanted);
  connection.later(header, async (ticket) => {
    await makeTopic(connection, name, wanted);
    connection.answer(ticket, RESPONSE.SUCCESS);
  });
};
