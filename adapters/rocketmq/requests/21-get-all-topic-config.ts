// 21 GET_ALL_TOPIC_CONFIG: the configuration of every topic, for tools. Newer ones ask page by page (`topicSeq`,
// `maxTopicNum`) and are told how many there are.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { type Json, rawJson } from '../json-body.ts';
import { wireTopic } from '../names.ts';
import { ReplyField } from '../reply.ts';
import { configJson, topicConfig } from '../topic-config.ts';

const TOPIC_SEQ = fieldNumber('topicSeq');
const MAX_TOPIC_NUM = fieldNumber('maxTopicNum');
const TOTAL = new ReplyField('totalTopicNum');

export const getAllTopicConfig: RequestHandler = (connection, header) => {
  const { broker, node, principal } = connection;
  const all = broker.topics(principal, node.namespace, true);
  const from = Math.max(0, header.int(TOPIC_SEQ));
  const topics = header.has(MAX_TOPIC_NUM) ? all.slice(from, from + Math.max(1, header.int(MAX_TOPIC_NUM))) : all;
  const topicConfigTable: Record<string, Json> = {};
  for (const topic of topics) {
    const name = wireTopic(topic.kind, topic.name);
    topicConfigTable[name] = configJson(name, topicConfig(topic));
  }
  const reply = connection.begin(header, RESPONSE.SUCCESS);
  reply.number(TOTAL, all.length);
  reply.endHeader();
  reply.writer.bytes(
    rawJson({
      dataVersion: node.dataVersion(),
      mappingDataVersion: node.dataVersion(),
      topicConfigTable,
      topicQueueMappingDetailMap: {},
      topicQueueMappingInfoMap: {},
    }),
  );
  connection.finish(header);
};
