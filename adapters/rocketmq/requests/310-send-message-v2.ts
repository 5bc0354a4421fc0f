// 310 SEND_MESSAGE_V2: a send with one-letter field names, what Java and Node.js clients use.

import type { RequestHandler } from '../dispatch.ts';
import { FIELDS_V2, send } from '../send.ts';

export const sendMessageV2: RequestHandler = (connection, header, frame) =>
  send(connection, header, frame, FIELDS_V2, false);
