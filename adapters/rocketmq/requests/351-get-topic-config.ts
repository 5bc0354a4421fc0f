// 351 GET_TOPIC_CONFIG: a topic's configuration as the protocol's tools show it.

import { PERM } from '../../../specs/rocketmq/constants.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { rawJson } from '../json-body.ts';
import { existingTopic } from '../look-up.ts';

const TOPIC = fieldNumber('topic');

export const getTopicConfig: RequestHandler = (connection, header) => {
  const wireTopic = header.string(TOPIC);
  const topic = existingTopic(connection, wireTopic);
  const queues = topic.queues.length;
  connection.answerBody(
    header,
    rawJson({
      attributes: {},
      order: false,
      perm: PERM.READ | PERM.WRITE,
      readQueueNums: queues,
      topicFilterType: 'SINGLE_TAG',
      topicName: wireTopic,
      topicSysFlag: 0,
      writeQueueNums: queues,
    }),
  );
};
