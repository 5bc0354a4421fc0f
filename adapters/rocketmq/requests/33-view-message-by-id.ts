// 33 VIEW_MESSAGE_BY_ID: one message by its physical offset, which here is (queue number, queue offset).

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { foundStoredMessage } from '../found-message.ts';
import { readMessage } from '../look-up.ts';
import { placeOf } from '../message-id.ts';

const OFFSET = fieldNumber('offset');

export const viewMessageById: RequestHandler = (connection, header) => {
  const physicalOffset = header.bigLong(OFFSET);
  const place = placeOf(physicalOffset);
  connection.later(header, async (ticket) => {
    const { broker, principal } = connection;
    const found = place === null ? null : await readMessage(broker, principal, place.queue, place.offset);
    const topic = place === null ? null : (broker.queue(place.queue)?.topic ?? null);
    if (place === null || found === null || topic === null) {
      connection.answer(ticket, RESPONSE.SYSTEM_ERROR, `can not find message by the offset, ${physicalOffset}`);
      return;
    }
    connection.answerBody(ticket, foundStoredMessage(connection, topic, place.queue, place.offset, found));
  });
};
