// 105 GET_ROUTEINFO_BY_TOPIC: where a topic's queues are. There is one logical broker.
//
// An unknown topic is TOPIC_NOT_EXIST; producers then ask for TBW102, whose route tells how an automatically created
// topic would look, and send to it. Nothing is created by asking.
//
// Clients from 4.9.4 on, and those that say so, are sent standard JSON; older ones the dialect with bare integer keys.

import { PERM, TEMPLATE_QUEUES, TEMPLATE_TOPIC, VERSION_STANDARD_JSON } from '../../../specs/rocketmq/constants.ts';
import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { Connection } from '../connection.ts';
import type { RequestHandler } from '../dispatch.ts';
import { RequestError } from '../errors.ts';
import { fieldNumber } from '../fields.ts';
import { type Json, rawJson, standardJson } from '../json-body.ts';

const TOPIC = fieldNumber('topic');
const STANDARD_ONLY = fieldNumber('acceptStandardJsonOnly');

export const getRouteInfoByTopic: RequestHandler = (connection, header) => {
  const wireTopic = header.string(TOPIC);
  const { node } = connection;
  let queues: number;
  let perm: number = PERM.READ | PERM.WRITE;
  if (wireTopic === TEMPLATE_TOPIC && node.autoCreateTopics) {
    queues = TEMPLATE_QUEUES;
    perm |= PERM.INHERIT;
  } else {
    const topic = node.topic(wireTopic);
    if (topic === null) {
      throw new RequestError(
        RESPONSE.TOPIC_NOT_EXIST,
        `No topic route info in name server for the topic: ${wireTopic.slice(0, 255)}`,
      );
    }
    queues = topic.queues.length;
  }
  const body = route(connection, queues, perm);
  const isStandard = header.version >= VERSION_STANDARD_JSON || header.boolean(STANDARD_ONLY);
  connection.answerBody(header, isStandard ? standardJson(body) : rawJson(body));
};

function route(connection: Connection, queues: number, perm: number): Json {
  const { brokerName, clusterName } = connection.node;
  const address = connection.node.brokerAddress(connection.info);
  return {
    brokerDatas: [
      {
        brokerAddrs: new Map([[0, `${address.host}:${address.port}`]]),
        brokerName,
        cluster: clusterName,
        enableActingMaster: false,
      },
    ],
    filterServerTable: {},
    queueDatas: [{ brokerName, perm, readQueueNums: queues, topicSysFlag: 0, writeQueueNums: queues }],
  };
}
