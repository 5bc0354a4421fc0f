// 351 GET_TOPIC_CONFIG: a topic's configuration as the protocol's tools show it.

import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { rawJson } from '../json-body.ts';
import { existingTopic } from '../look-up.ts';
import { configJson, topicConfig } from '../topic-config.ts';

const TOPIC = fieldNumber('topic');

export const getTopicConfig: RequestHandler = (connection, header) => {
  const wireTopic = header.string(TOPIC);
  const topic = existingTopic(connection, wireTopic);
  connection.answerBody(header, rawJson(configJson(wireTopic, topicConfig(topic))));
};
