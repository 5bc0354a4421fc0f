// 317 GET_BROKER_CONSUME_STATS: 208 for every group, ordered topics or the others.

import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { type Json, type JsonObject, rawJson } from '../json-body.ts';
import { topicsOf, wireGroupOf } from '../look-up.ts';
import { topicConfig } from '../topic-config.ts';
import { addTopic } from './208-get-consume-stats.ts';

const IS_ORDER = fieldNumber('isOrder');

export const getBrokerConsumeStats: RequestHandler = (connection, header) => {
  const isOrder = header.boolean(IS_ORDER);
  connection.later(header, async (ticket) => {
    const { broker, node, principal, info } = connection;
    const consumeStatsList: Json[] = [];
    let totalDiff = 0;
    for (const group of broker.groups(principal, node.namespace)) {
      const stats: Json[] = [];
      for (const topic of topicsOf(connection, group)) {
        if (topicConfig(topic).order !== isOrder) continue;
        const offsetTable = new Map<JsonObject, Json>();
        totalDiff += await addTopic(connection, principal, group, topic, offsetTable);
        stats.push({ consumeTps: node.groups.deliveriesPerSecond(group, topic.id), offsetTable });
      }
      if (stats.length > 0) consumeStatsList.push({ [wireGroupOf(group)]: stats });
    }
    const { host, port } = node.brokerAddress(info);
    connection.answerBody(
      ticket,
      rawJson({ brokerAddr: `${host}:${port}`, consumeStatsList, totalDiff, totalInflightDiff: 0 }),
    );
  });
};
