// 37 END_TRANSACTION: transaction messages are not taken (a send with TRAN_MSG gets the same answer), so there is none
// to end.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';

export const endTransaction: RequestHandler = (connection, header) =>
  connection.answer(header, RESPONSE.NO_PERMISSION, 'this broker does not take transaction messages');
