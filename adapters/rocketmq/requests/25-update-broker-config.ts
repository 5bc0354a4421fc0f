// 25 UPDATE_BROKER_CONFIG: changes settings while the broker runs; they hold at once and after a restart. Those that can
// be changed are in broker-settings.ts; any other is NO_PERMISSION, as one that the protocol's broker keeps to itself.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import { parseLines } from '../broker-settings.ts';
import type { RequestHandler } from '../dispatch.ts';

export const updateBrokerConfig: RequestHandler = (connection, header, frame) => {
  const changes = parseLines(frame.toString('utf8', header.bodyStart, header.bodyEnd));
  connection.later(header, async (ticket) => {
    await connection.node.settings.change(connection.principal, changes);
    connection.answer(ticket, RESPONSE.SUCCESS);
  });
};
