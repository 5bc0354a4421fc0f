// 352 GET_SUBSCRIPTIONGROUP_CONFIG: a group's configuration.

import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { groupConfigJson } from '../group-config.ts';
import { rawJson } from '../json-body.ts';
import { existingGroup } from '../look-up.ts';

const GROUP = fieldNumber('group');

export const getSubscriptionGroupConfig: RequestHandler = (connection, header) => {
  const wireGroup = header.string(GROUP);
  connection.answerBody(header, rawJson(groupConfigJson(wireGroup, existingGroup(connection, wireGroup))));
};
