// 219 GET_KVLIST_BY_NAMESPACE: everything that is kept in a namespace of the name server.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { rawJson } from '../json-body.ts';
import { kvScope } from '../kv-config.ts';

const NAMESPACE = fieldNumber('namespace');

export const getKvlistByNamespace: RequestHandler = (connection, header) => {
  const namespace = header.string(NAMESPACE);
  const kept = connection.broker.settings(kvScope(namespace));
  if (kept.size === 0) {
    connection.answer(header, RESPONSE.QUERY_NOT_FOUND, `No config item, Namespace: ${namespace}`);
    return;
  }
  connection.answerBody(header, rawJson({ table: Object.fromEntries(kept) }));
};
