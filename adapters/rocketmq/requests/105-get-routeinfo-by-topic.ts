// 105 GET_ROUTEINFO_BY_TOPIC: where a topic's queues are. There is one logical broker.
//
// An unknown topic is TOPIC_NOT_EXIST; producers then ask for TBW102, whose route tells how an automatically created
// topic would look, and send to it. Nothing is created by asking, but the trace topic: it is there as soon as a client
// asks for it. A group's retry topic has a route before it is there: a consumer asks before its first heartbeat, which
// makes the topic, and would not ask again for 30 s, in which its retries would wait.
//
// Clients from 4.9.4 on, and those that say so, are sent standard JSON; older ones the dialect with bare integer keys.

import {
  ORDER_TOPIC_NAMESPACE,
  PERM,
  TEMPLATE_QUEUES,
  TEMPLATE_TOPIC,
  TRACE_TOPIC,
  VERSION_STANDARD_JSON,
} from '../../../specs/rocketmq/constants.ts';
import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { Connection, Ticket } from '../connection.ts';
import type { RequestHandler } from '../dispatch.ts';
import { RequestError } from '../errors.ts';
import { fieldNumber } from '../fields.ts';
import { type Json, rawJson, standardJson } from '../json-body.ts';
import { kvScope } from '../kv-config.ts';
import { isTopicName } from '../node.ts';
import { defaultConfig, type TopicConfig, topicConfig } from '../topic-config.ts';

const TOPIC = fieldNumber('topic');
const STANDARD_ONLY = fieldNumber('acceptStandardJsonOnly');

export const getRouteInfoByTopic: RequestHandler = (connection, header) => {
  const wireTopic = header.string(TOPIC);
  const { node, principal } = connection;
  const isStandard = header.version >= VERSION_STANDARD_JSON || header.boolean(STANDARD_ONLY);
  if (wireTopic === TEMPLATE_TOPIC && node.settings.autoCreateTopics) {
    const config = { ...defaultConfig(TEMPLATE_QUEUES), perm: PERM.READ | PERM.WRITE | PERM.INHERIT };
    answer(connection, header, wireTopic, config, isStandard);
    return;
  }
  const topic = node.topic(wireTopic);
  if (topic !== null) {
    answer(connection, header, wireTopic, topicConfig(topic), isStandard);
    return;
  }
  if (node.coreName(wireTopic)?.kind === 'retry' && isTopicName(wireTopic)) {
    answer(connection, header, wireTopic, defaultConfig(1), isStandard);
    return;
  }
  if (wireTopic !== TRACE_TOPIC) {
    throw new RequestError(
      RESPONSE.TOPIC_NOT_EXIST,
      `No topic route info in name server for the topic: ${wireTopic.slice(0, 255)}`,
    );
  }
  connection.later(header, async (ticket) => {
    const made = await node.ensureTopic(principal, 'topic', wireTopic, 1);
    answer(connection, ticket, wireTopic, topicConfig(made), isStandard);
  });
};

function answer(
  connection: Connection,
  ticket: Ticket,
  wireTopic: string,
  config: TopicConfig,
  isStandard: boolean,
): void {
  const body = route(connection, wireTopic, config);
  connection.answerBody(ticket, isStandard ? standardJson(body) : rawJson(body));
}

function route(connection: Connection, wireTopic: string, config: TopicConfig): Json {
  const { brokerName, clusterName, settings } = connection.node;
  const address = connection.node.brokerAddress(connection.info);
  const perm = settings.writeWiped ? config.perm & ~PERM.WRITE : config.perm;
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
    orderTopicConf: connection.broker.setting(kvScope(ORDER_TOPIC_NAMESPACE), wireTopic),
    queueDatas: [
      {
        brokerName,
        perm,
        readQueueNums: config.readQueueNums,
        topicSysFlag: config.topicSysFlag,
        writeQueueNums: config.writeQueueNums,
      },
    ],
  };
}
