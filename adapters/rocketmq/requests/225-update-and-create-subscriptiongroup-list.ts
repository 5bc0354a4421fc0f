// 225 UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST: 200 for several groups. Nothing is changed when one of them cannot be.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { RequestError } from '../errors.ts';
import { isObject, list, parseObject } from '../json-body.ts';
import { checkGroup, makeGroup } from '../make-group.ts';

const GROUPS_MAX = 10_000;

export const updateAndCreateSubscriptionGroupList: RequestHandler = (connection, header, frame) => {
  const body = parseObject(frame, header.bodyStart, header.bodyEnd);
  const given = list(body['groupConfigList']).filter(isObject);
  if (given.length > GROUPS_MAX) throw new RequestError(RESPONSE.INVALID_PARAMETER, `more than ${GROUPS_MAX} groups`);
  const groups = given.map((config) => ({ config, name: checkGroup(config) }));
  connection.later(header, async (ticket) => {
    for (const { config, name } of groups) await makeGroup(connection, name, config);
    connection.answer(ticket, RESPONSE.SUCCESS);
  });
};
