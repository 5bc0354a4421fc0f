// 102 DELETE_KV_CONFIG: removes what is kept under (namespace, key). Nothing there is no error.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { kvScope } from '../kv-config.ts';

const NAMESPACE = fieldNumber('namespace');
const KEY = fieldNumber('key');

export const deleteKvConfig: RequestHandler = (connection, header) => {
  const scope = kvScope(header.string(NAMESPACE));
  const key = header.string(KEY);
  connection.later(header, async (ticket) => {
    await connection.broker.putSetting(connection.principal, scope, key, null);
    connection.answer(ticket, RESPONSE.SUCCESS);
  });
};
