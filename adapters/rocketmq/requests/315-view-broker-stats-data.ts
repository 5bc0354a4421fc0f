// 315 VIEW_BROKER_STATS_DATA: what grew in the last minute, hour and day under one of the protocol's statistics.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { RequestError } from '../errors.ts';
import { fieldNumber } from '../fields.ts';
import { rawJson } from '../json-body.ts';

const NAME = fieldNumber('statsName');
const KEY = fieldNumber('statsKey');

export const viewBrokerStatsData: RequestHandler = (connection, header) => {
  const name = header.string(NAME);
  const key = header.string(KEY);
  const rows = connection.node.statistics.view(connection.node, name, key);
  if (rows === null) throw new RequestError(RESPONSE.SYSTEM_ERROR, `The stats <${name}> <${key}> not exist`);
  connection.answerBody(header, rawJson(rows));
};
