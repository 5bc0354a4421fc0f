// 206 GET_ALL_TOPIC_LIST_FROM_NAMESERVER: the names of all topics, in their spelling here.

import type { RequestHandler } from '../dispatch.ts';
import { rawJson } from '../json-body.ts';
import { wireTopic } from '../names.ts';

export const getAllTopicList: RequestHandler = (connection, header) => {
  const { broker, node, principal } = connection;
  const topicList = broker.topics(principal, node.namespace, true).map((topic) => wireTopic(topic.kind, topic.name));
  connection.answerBody(header, rawJson({ topicList }));
};
