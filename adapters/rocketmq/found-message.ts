// A single message that was looked up (33, 36, 12), whatever format it is stored in, as a RocketMQ record.

import type { Offset, QueueNumber, Topic } from '../../core/types.ts';
import { FORMAT } from '../adapter.ts';
import { toRecord } from './canonical.ts';
import type { Connection } from './connection.ts';
import type { FoundMessage } from './look-up.ts';
import { wireTopic } from './names.ts';
import { locate, newRecordPlace, PayloadBuilder, RECORDS_AT, type RecordPlace, recordAt } from './record.ts';
import { putStoredMessage, storedMessageBytes } from './stored-message.ts';

export interface FoundRecord {
  readonly payload: Buffer;
  readonly place: RecordPlace;
}

export function foundRecord(connection: Connection, found: FoundMessage): FoundRecord {
  const place = newRecordPlace();
  const { unit } = found;
  if (unit.format === FORMAT.rocketmq) {
    locate(unit.payload, recordAt(unit.payload, found.record), place);
    return { payload: unit.payload, place };
  }
  const record = toRecord(connection.broker.messages(unit)[found.record]!);
  connection.node.counts.conversions++;
  connection.node.counts.headersDropped += record.dropped;
  const builder = new PayloadBuilder();
  builder.begin();
  const head = { flag: record.flag, sysFlag: 0, bornTimestamp: record.bornTimestamp, reconsumeTimes: 0 };
  builder.open(head, Buffer.alloc(8), record.body.length, record.properties.length);
  record.body.copy(builder.buffer, builder.bodyStart);
  record.properties.copy(builder.buffer, builder.propertiesStart);
  builder.close();
  const payload = builder.take();
  locate(payload, RECORDS_AT, place);
  return { payload, place };
}

/** The message as a client receives it. */
export function foundStoredMessage(
  connection: Connection,
  topic: Topic,
  queue: QueueNumber,
  offset: Offset,
  found: FoundMessage,
): Buffer {
  const { payload, place } = foundRecord(connection, found);
  const delivery = {
    queueId: topic.queues.indexOf(queue),
    queue,
    storeHost: connection.storeHost,
    added: connection.node.addedProperties,
    topic: connection.node.topicBytes(wireTopic(topic.kind, topic.name)),
  };
  const message = Buffer.allocUnsafe(storedMessageBytes(place, delivery));
  putStoredMessage(message, 0, payload, place, delivery, offset, found.unit.storeTimeMs);
  return message;
}
