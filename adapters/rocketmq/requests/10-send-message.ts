// 10 SEND_MESSAGE: a send with spelled-out field names (Go clients; Java before 4). With the batch flag, a batch.

import type { RequestHandler } from '../dispatch.ts';
import { FIELDS, send } from '../send.ts';

export const sendMessage: RequestHandler = (connection, header, frame) =>
  send(connection, header, frame, FIELDS, false);
