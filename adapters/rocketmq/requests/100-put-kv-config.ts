// 100 PUT_KV_CONFIG: keeps a text under (namespace, key) in the name server.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { kvScope } from '../kv-config.ts';

const NAMESPACE = fieldNumber('namespace');
const KEY = fieldNumber('key');
const VALUE = fieldNumber('value');

export const putKvConfig: RequestHandler = (connection, header) => {
  const scope = kvScope(header.string(NAMESPACE));
  const key = header.string(KEY);
  const value = header.string(VALUE);
  connection.later(header, async (ticket) => {
    await connection.broker.putSetting(connection.principal, scope, key, value);
    connection.answer(ticket, RESPONSE.SUCCESS);
  });
};
