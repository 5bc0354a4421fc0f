// 15 UPDATE_CONSUMER_OFFSET: moves a group's place on a queue; usually oneway, every 5 s.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { RequestError } from '../errors.ts';
import { fieldNumber } from '../fields.ts';
import { consumerGroup, existingTopic, queueOf } from '../look-up.ts';
import { pendingReset } from '../offset-reset.ts';

const GROUP = fieldNumber('consumerGroup');
const TOPIC = fieldNumber('topic');
const QUEUE_ID = fieldNumber('queueId');
const COMMIT_OFFSET = fieldNumber('commitOffset');

export const updateConsumerOffset: RequestHandler = (connection, header) => {
  const topic = existingTopic(connection, header.string(TOPIC));
  const queue = queueOf(topic, header.int(QUEUE_ID));
  const group = consumerGroup(connection, header.string(GROUP));
  const offset = header.long(COMMIT_OFFSET);
  if (offset < 0) throw new RequestError(RESPONSE.INVALID_PARAMETER, `commitOffset[${offset}] is illegal`);
  const moved = pendingReset(connection.broker, group, queue);
  if (moved !== null && moved !== offset) {
    // The client does not know yet that its place was moved; its next pull tells it.
    connection.answer(header, RESPONSE.SUCCESS, 'Offset has been previously reset');
    return;
  }
  const commitment = connection.offsets[0]!;
  commitment.queue = queue;
  commitment.offset = offset;
  if (header.oneway) {
    connection.broker.commitOffsets(connection.principal, group, connection.offsets, null, 0);
    return;
  }
  const slot = connection.sends.openPlain(header);
  try {
    connection.broker.commitOffsets(connection.principal, group, connection.offsets, connection, slot);
  } catch (error) {
    connection.sends.forget(slot);
    throw error;
  }
};
