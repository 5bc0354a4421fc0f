// 207 DELETE_SUBSCRIPTIONGROUP: removes a group that has no members, with its offsets. As in the protocol, one that is
// not there is no error.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { groupName } from '../look-up.ts';

const GROUP_NAME = fieldNumber('groupName');

export const deleteSubscriptionGroup: RequestHandler = (connection, header) => {
  const { broker, node, principal } = connection;
  const group = broker.group(node.namespace, groupName(header.string(GROUP_NAME)));
  if (group === null) {
    connection.answer(header, RESPONSE.SUCCESS);
    return;
  }
  connection.later(header, async (ticket) => {
    await broker.deleteGroup(principal, group);
    connection.answer(ticket, RESPONSE.SUCCESS);
  });
};
