// 200 UPDATE_AND_CREATE_SUBSCRIPTIONGROUP: makes a group, or changes its configuration.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { parseObject } from '../json-body.ts';
import { checkGroup, makeGroup } from '../make-group.ts';

export const updateAndCreateSubscriptionGroup: RequestHandler = (connection, header, frame) => {
  const body = parseObject(frame, header.bodyStart, header.bodyEnd);
  const name = checkGroup(body);
  connection.later(header, async (ticket) => {
    await makeGroup(connection, name, body);
    connection.answer(ticket, RESPONSE.SUCCESS);
  });
};
