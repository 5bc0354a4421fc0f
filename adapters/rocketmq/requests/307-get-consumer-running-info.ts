// 307 GET_CONSUMER_RUNNING_INFO: what a running consumer says of itself (settings, queues, threads), asked of it.

import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { fieldsOf, memberConnection, relay } from '../relay.ts';

const GROUP = fieldNumber('consumerGroup');
const CLIENT_ID = fieldNumber('clientId');

export const getConsumerRunningInfo: RequestHandler = (connection, header) => {
  const client = memberConnection(connection, header.string(GROUP), header.string(CLIENT_ID));
  relay(connection, header, client, fieldsOf(header), async () => null);
};
