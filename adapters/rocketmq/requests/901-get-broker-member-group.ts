// 901 GET_BROKER_MEMBER_GROUP: the addresses behind a broker's name.

import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { rawJson } from '../json-body.ts';

const CLUSTER = fieldNumber('clusterName');
const BROKER_NAME = fieldNumber('brokerName');

export const getBrokerMemberGroup: RequestHandler = (connection, header) => {
  const { node, info } = connection;
  const cluster = header.string(CLUSTER);
  const brokerName = header.string(BROKER_NAME);
  const { host, port } = node.brokerAddress(info);
  const isOurs = cluster === node.clusterName && brokerName === node.brokerName;
  const brokerAddrs = new Map(isOurs ? [[0, `${host}:${port}`] as const] : []);
  connection.answerBody(header, rawJson({ brokerMemberGroup: { brokerAddrs, brokerName, cluster } }));
};
