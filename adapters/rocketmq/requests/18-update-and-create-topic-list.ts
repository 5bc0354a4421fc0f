// 18 UPDATE_AND_CREATE_TOPIC_LIST: 17 for several topics. Nothing is changed when one of them cannot be.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { RequestError } from '../errors.ts';
import { isObject, list, parseObject } from '../json-body.ts';
import { checkTopic, makeTopic, wantedTopic } from '../make-topic.ts';

const TOPICS_MAX = 10_000;

export const updateAndCreateTopicList: RequestHandler = (connection, header, frame) => {
  const given = list(parseObject(frame, header.bodyStart, header.bodyEnd)['topicConfigList']);
  if (given.length > TOPICS_MAX) throw new RequestError(RESPONSE.INVALID_PARAMETER, `more than ${TOPICS_MAX} topics`);
  const topics = given.filter(isObject).map((body) => {
    const wanted = wantedTopic(body);
    return { wanted, name: checkTopic(connection, wanted) };
  });
  connection.later(header, async (ticket) => {
    for (const { name, wanted } of topics) await makeTopic(connection, name, wanted);
    connection.answer(ticket, RESPONSE.SUCCESS);
  });
};
