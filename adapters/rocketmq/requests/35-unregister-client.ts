// 35 UNREGISTER_CLIENT: a client leaves a group before it goes. Clients that just close are handled by the connection.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { groupName } from '../look-up.ts';

const CLIENT_ID = fieldNumber('clientID');
const PRODUCER_GROUP = fieldNumber('producerGroup');
const CONSUMER_GROUP = fieldNumber('consumerGroup');

export const unregisterClient: RequestHandler = (connection, header) => {
  const wireGroup = header.string(CONSUMER_GROUP);
  if (wireGroup !== '') {
    const { broker, node } = connection;
    const clientId = header.string(CLIENT_ID);
    const group = broker.group(node.namespace, groupName(wireGroup));
    if (group !== null) {
      node.groups.leave(group, clientId, connection);
      node.heartbeats.forget(`${clientId} ${wireGroup}`);
      connection.memberships.delete(`${group.id} ${clientId}`);
    }
  }
  const producerGroup = header.string(PRODUCER_GROUP);
  if (producerGroup !== '') {
    const clientId = header.string(CLIENT_ID);
    connection.node.producers.leave(producerGroup, clientId, connection);
    connection.producing.delete(`${producerGroup} ${clientId}`);
  }
  connection.answer(header, RESPONSE.SUCCESS);
};
