// 224 GET_TOPICS_BY_CLUSTER: the topics of a cluster. There is one, so this is 206 for its name and nothing for another.

import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { rawJson } from '../json-body.ts';
import { getAllTopicList } from './206-get-all-topic-list.ts';

const CLUSTER = fieldNumber('cluster');

export const getTopicsByCluster: RequestHandler = (connection, header, frame) => {
  if (header.string(CLUSTER) === connection.node.clusterName) getAllTopicList(connection, header, frame);
  else connection.answerBody(header, rawJson({ topicList: [] }));
};
