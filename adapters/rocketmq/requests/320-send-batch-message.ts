// 320 SEND_BATCH_MESSAGE: many messages for one queue in one body. They become one entry with as many offsets, so a
// batch is stored whole or not at all; consumers see single messages.

import type { RequestHandler } from '../dispatch.ts';
import { FIELDS_V2, send } from '../send.ts';

export const sendBatchMessage: RequestHandler = (connection, header, frame) =>
  send(connection, header, frame, FIELDS_V2, true);
