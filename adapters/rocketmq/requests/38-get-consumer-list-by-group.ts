// 38 GET_CONSUMER_LIST_BY_GROUP: the client ids of a group's members, by which every member computes its share of the
// queues. It lists a client as soon as its heartbeat has been read.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { PROTOCOL } from '../groups.ts';
import { rawJson } from '../json-body.ts';
import { groupName, mayAskAbout } from '../look-up.ts';

const GROUP = fieldNumber('consumerGroup');

export const getConsumerListByGroup: RequestHandler = (connection, header) => {
  const { broker, node } = connection;
  const wireGroup = header.string(GROUP);
  const group = broker.group(node.namespace, groupName(wireGroup));
  if (group !== null) mayAskAbout(connection, 'group', group.name);
  const members = group === null || group.protocol !== PROTOCOL ? [] : broker.members(group);
  if (members.length === 0) {
    connection.answer(header, RESPONSE.SYSTEM_ERROR, `no consumer for this group, ${wireGroup}`);
    return;
  }
  connection.answerBody(header, rawJson({ consumerIdList: members.map((member) => member.clientId) }));
};
