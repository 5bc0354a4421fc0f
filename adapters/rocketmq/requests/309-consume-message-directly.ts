// 309 CONSUME_MESSAGE_DIRECTLY: has a running consumer consume one stored message now, and tells what became of it.
// The message is named by its offsetMsgId, as in the protocol.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { RequestError } from '../errors.ts';
import { fieldNumber } from '../fields.ts';
import { foundStoredMessage } from '../found-message.ts';
import { readMessage } from '../look-up.ts';
import { placeOf } from '../message-id.ts';
import { fieldsOf, memberConnection, relay } from '../relay.ts';

const GROUP = fieldNumber('consumerGroup');
const CLIENT_ID = fieldNumber('clientId');
const MSG_ID = fieldNumber('msgId');

export const consumeMessageDirectly: RequestHandler = (connection, header) => {
  const msgId = header.string(MSG_ID);
  const client = memberConnection(connection, header.string(GROUP), header.string(CLIENT_ID));
  const fields = fieldsOf(header);
  fields.set('brokerName', connection.node.brokerName);
  relay(connection, header, client, fields, async () => {
    const { broker, principal } = connection;
    const isId = /^([0-9A-Fa-f]{32}|[0-9A-Fa-f]{56})$/.test(msgId);
    const place = isId ? placeOf(BigInt(`0x${msgId.slice(-16)}`)) : null;
    const found = place === null ? null : await readMessage(broker, principal, place.queue, place.offset);
    const topic = place === null ? null : (broker.queue(place.queue)?.topic ?? null);
    if (place === null || found === null || topic === null) {
      throw new RequestError(RESPONSE.SYSTEM_ERROR, `can not find message by the id, ${msgId}`);
    }
    return foundStoredMessage(connection, topic, place.queue, place.offset, found);
  });
};
