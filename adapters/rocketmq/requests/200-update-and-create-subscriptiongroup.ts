// 200 UPDATE_AND_CREATE_SUBSCRIPTIONGROUP: makes a group, or changes how often it retries. The other settings of the
// body are not served (MAPPING.md).

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { parseObject, text } from '../json-body.ts';
import { consumerGroup } from '../look-up.ts';

export const updateAndCreateSubscriptionGroup: RequestHandler = (connection, header, frame) => {
  const body = parseObject(frame, header.bodyStart, header.bodyEnd);
  const group = consumerGroup(connection, text(body['groupName']));
  const retryMaxTimes = body['retryMaxTimes'];
  const isGiven = typeof retryMaxTimes === 'number' && Number.isInteger(retryMaxTimes) && retryMaxTimes >= 0;
  connection.later(header, async (ticket) => {
    // The first delivery is no retry.
    if (isGiven) {
      await connection.broker.alterGroup(connection.principal, group, { deliveriesMax: retryMaxTimes + 1 });
    }
    connection.answer(ticket, RESPONSE.SUCCESS);
  });
};
