// 319 GET_NAMESRV_CONFIG and 318 UPDATE_NAMESRV_CONFIG: the name server is part of the broker and has no settings that
// change while it runs, so a change is refused.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import { printLines } from '../broker-settings.ts';
import type { RequestHandler } from '../dispatch.ts';

export const getNamesrvConfig: RequestHandler = (connection, header) => {
  const address = connection.info.advertised('rocketmq-nameserver') ?? connection.info.local;
  connection.answerBody(
    header,
    printLines({ listenPort: address.port, orderMessageEnable: true, returnOrderTopicConfigToBroker: true }),
  );
};

export const updateNamesrvConfig: RequestHandler = (connection, header) =>
  connection.answer(header, RESPONSE.NO_PERMISSION, 'the name server has no settings that change while it runs');
