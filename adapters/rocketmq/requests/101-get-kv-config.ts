// 101 GET_KV_CONFIG: what is kept under (namespace, key).

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { kvScope } from '../kv-config.ts';
import { ReplyField } from '../reply.ts';

const NAMESPACE = fieldNumber('namespace');
const KEY = fieldNumber('key');
const VALUE = new ReplyField('value');

export const getKvConfig: RequestHandler = (connection, header) => {
  const namespace = header.string(NAMESPACE);
  const key = header.string(KEY);
  const value = connection.broker.setting(kvScope(namespace), key);
  if (value === null) {
    connection.answer(header, RESPONSE.QUERY_NOT_FOUND, `No config item, Namespace: ${namespace} Key: ${key}`);
    return;
  }
  const reply = connection.begin(header, RESPONSE.SUCCESS);
  reply.text(VALUE, value);
  reply.endHeader();
  connection.finish(header);
};
