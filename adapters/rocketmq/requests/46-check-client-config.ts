// 46 CHECK_CLIENT_CONFIG: a consumer asks whether its filter is understood. Tags are; SQL92 is answered as by a broker
// that has property filters switched off.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { isObject, parseObject, text } from '../json-body.ts';
import { checkExpressionType } from './11-pull-message.ts';

export const checkClientConfig: RequestHandler = (connection, header, frame) => {
  const body = parseObject(frame, header.bodyStart, header.bodyEnd);
  const subscription = body['subscriptionData'];
  if (isObject(subscription)) checkExpressionType(text(subscription['expressionType']));
  connection.answer(header, RESPONSE.SUCCESS);
};
