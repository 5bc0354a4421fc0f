// 304 GET_SYSTEM_TOPIC_LIST_FROM_NS and 305 GET_SYSTEM_TOPIC_LIST_FROM_BROKER: names that are not topics of users. Tools
// ask the name server first and then the broker whose address it gives.

import type { RequestHandler } from '../dispatch.ts';
import { rawJson } from '../json-body.ts';
import { SYSTEM_TOPICS } from '../node.ts';

export const getSystemTopicListFromNs: RequestHandler = (connection, header) => {
  const { node, info } = connection;
  const { host, port } = node.brokerAddress(info);
  connection.answerBody(
    header,
    rawJson({ brokerAddr: `${host}:${port}`, topicList: [node.clusterName, node.brokerName] }),
  );
};

export const getSystemTopicListFromBroker: RequestHandler = (connection, header) =>
  connection.answerBody(header, rawJson({ topicList: SYSTEM_TOPICS }));
