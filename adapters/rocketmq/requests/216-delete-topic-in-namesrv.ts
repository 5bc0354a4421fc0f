// 216 DELETE_TOPIC_IN_NAMESRV: sent after 215 by administration tools. The route is read from the topics themselves, so
// there is nothing left to delete.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';

export const deleteTopicInNamesrv: RequestHandler = (connection, header) => connection.answer(header, RESPONSE.SUCCESS);
