// 203 GET_CONSUMER_CONNECTION_LIST: who is in a group, and what it subscribes to.
//
// As in the protocol, the group's consume type, model and starting point are those that a member said; the members of a
// group are meant to agree.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { RequestError } from '../errors.ts';
import { fieldNumber } from '../fields.ts';
import { isObject, type Json, type JsonObject, list, parseObject, rawJson, text } from '../json-body.ts';
import { groupName, mayAskAbout } from '../look-up.ts';

const GROUP = fieldNumber('consumerGroup');

export const getConsumerConnectionList: RequestHandler = (connection, header) => {
  const { broker, node } = connection;
  const wireGroup = header.string(GROUP);
  const group = broker.group(node.namespace, groupName(wireGroup));
  if (group !== null) mayAskAbout(connection, 'group', group.name);
  const members = group === null ? [] : node.groups.members(group);
  if (group === null || members.length === 0) {
    throw new RequestError(RESPONSE.CONSUMER_NOT_ONLINE, `the consumer group[${wireGroup}] not online`);
  }
  const connectionSet: JsonObject[] = [];
  const subscriptionTable: Record<string, Json> = {};
  let said: Record<string, unknown> = {};
  for (const { connection: client, membership, language, version } of members) {
    connectionSet.push({ clientAddr: client.remoteText, clientId: membership.clientId, language, version });
    said = parseObject(membership.data, 0, membership.data.length);
    for (const subscription of list(said['subscriptionDataSet'])) {
      if (isObject(subscription)) subscriptionTable[text(subscription['topic'])] = subscription as Json;
    }
  }
  connection.answerBody(
    header,
    rawJson({
      connectionSet,
      consumeFromWhere: text(said['consumeFromWhere']) || null,
      consumeType: text(said['consumeType']) || null,
      messageModel: text(said['messageModel']) || null,
      subscriptionTable,
    }),
  );
};
