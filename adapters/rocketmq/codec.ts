// The codec of format tag 1 for the core: stored RocketMQ records to canonical messages, and their dead letters.

import { BrokerError } from '../../core/errors.ts';
import type { Codec, Death, Message, StoredPayload } from '../../core/types.ts';
import { PROPERTY } from '../../specs/rocketmq/constants.ts';
import { FORMAT } from '../adapter.ts';
import { toMessage } from './canonical.ts';
import { readProperties, writeProperties } from './properties.ts';
import {
  bornTimestampOf,
  checkVersion,
  flagOf,
  locate,
  newRecordPlace,
  PayloadBuilder,
  RECORDS_AT,
  reconsumeTimesOf,
  recordAt,
  sysFlagOf,
} from './record.ts';

export const codec: Codec = { format: FORMAT.rocketmq, name: 'rocketmq', decode, deadLetter };

function decode(payload: Buffer, bytesMax: number): Message[] {
  checkVersion(payload);
  const place = newRecordPlace();
  const messages: Message[] = [];
  let left = bytesMax;
  for (let at = RECORDS_AT; at < payload.length; at = place.end) {
    locate(payload, at, place);
    const message = toMessage(payload, place, left);
    left -= (message.body?.length ?? 0) + place.propertiesEnd - place.propertiesStart;
    if (left < 0) throw new BrokerError('message-too-large', `more than ${bytesMax} bytes decoded`);
    messages.push(message);
  }
  return messages;
}

/** The record with the properties that RocketMQ's tools read from a dead letter, and where it came from in full. */
function deadLetter(payload: Buffer, record: number, death: Death): StoredPayload {
  const place = newRecordPlace();
  locate(payload, recordAt(payload, record), place);
  const properties = readProperties(payload, place.propertiesStart, place.propertiesEnd);
  for (const [name, value] of deathProperties(death)) if (!properties.has(name)) properties.set(name, value);
  const bytes = writeProperties(properties);
  const builder = new PayloadBuilder();
  builder.begin();
  builder.open(
    {
      flag: flagOf(payload, place.start),
      sysFlag: sysFlagOf(payload, place.start),
      bornTimestamp: bornTimestampOf(payload, place.start),
      reconsumeTimes: Math.max(death.attempts - 1, reconsumeTimesOf(payload, place.start)),
    },
    payload.subarray(place.bornHostStart, place.bodyStart),
    place.bodyEnd - place.bodyStart,
    bytes.length,
  );
  payload.copy(builder.buffer, builder.bodyStart, place.bodyStart, place.bodyEnd);
  bytes.copy(builder.buffer, builder.propertiesStart);
  builder.close();
  const keys = properties.get(PROPERTY.KEYS);
  return {
    format: FORMAT.rocketmq,
    payload: builder.take(),
    key: keys === undefined ? null : Buffer.from(keys),
    tag: properties.get(PROPERTY.TAGS) ?? null,
  };
}

function deathProperties(death: Death): [string, string][] {
  return [
    [PROPERTY.DLQ_ORIGIN_TOPIC, death.topic],
    ['DLQ_ORIGIN_QUEUE', String(death.queue)],
    ['DLQ_ORIGIN_OFFSET', String(death.offset)],
    ['DLQ_ORIGIN_GROUP', death.group],
    ['DLQ_REASON', death.reason],
    ['DLQ_ATTEMPTS', String(death.attempts)],
    ['DLQ_TIME', String(death.atMs)],
  ];
}
