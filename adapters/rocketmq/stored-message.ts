// The unit in which a client receives a message (pull, view, query): the layout of Apache's store.
//
//   totalSize 4 | magic 4 | bodyCRC 4 | queueId 4 | flag 4 | queueOffset 8 | physicalOffset 8 | sysFlag 4
//   | bornTimestamp 8 | bornHost 8/20 | storeTimestamp 8 | storeHost 8/20 | reconsumeTimes 4
//   | preparedTransactionOffset 8 | bodyLength 4, body | topicLength 1 (magic V1) or 2 (V2), topic
//   | propertiesLength 2, properties
//
// Invariant: everything that depends on where and to whom a message is delivered is written here, at read, into the
// reply; the stored bytes are only copied.

import {
  MESSAGE_MAGIC_V1,
  MESSAGE_MAGIC_V2,
  PROPERTIES_BYTES_MAX,
  PROPERTY,
  REGION,
  SYS_FLAG,
} from '../../specs/rocketmq/constants.ts';
import { type HostBytes, physicalHigh, physicalLow } from './message-id.ts';
import { RECORD_HEAD_BYTES, type RecordPlace } from './record.ts';

/** Topic names longer than this need the V2 layout. */
const TOPIC_BYTES_V1 = 127;

/** Where a message is read from. */
export interface Delivery {
  queueId: number;
  /** Shard-wide number of the queue. */
  queue: number;
  storeHost: HostBytes;
  topic: Buffer;
  /** What the broker adds to the properties, see `addedProperties`. */
  added: Buffer;
}

export function storedMessageBytes(place: RecordPlace, delivery: Delivery): number {
  const topicBytes = delivery.topic.length;
  return (
    place.end -
    place.start -
    RECORD_HEAD_BYTES +
    // The unit has 74 bytes of fixed fields beside hosts, body, topic and properties, and one or two of topic length.
    74 +
    delivery.storeHost.bytes.length +
    topicBytes +
    (topicBytes > TOPIC_BYTES_V1 ? 2 : 1) +
    addedBytes(place, delivery.added)
  );
}

/**
 * Properties that the protocol's brokers put on every message: clients trace a delivery only when it has a region, and
 * find the topic of a reply by the cluster. They are written at delivery; the stored message stays the producer's own.
 */
export function addedProperties(clusterName: string): Buffer {
  const { MSG_REGION, TRACE_ON, CLUSTER } = PROPERTY;
  return Buffer.from(`\x02${MSG_REGION}\x01${REGION}\x02${TRACE_ON}\x01true\x02${CLUSTER}\x01${clusterName}\x02`);
}

/** The separator in front is needed behind an open end only. Properties that would be too long get nothing. */
function addedBytes(place: RecordPlace, added: Buffer): number {
  if (added.length === 0) return 0;
  const bytes = place.isOpen ? added.length : added.length - 1;
  return place.propertiesEnd - place.propertiesStart + bytes > PROPERTIES_BYTES_MAX ? 0 : bytes;
}

/** Writes the record at `place` of `payload` as a unit to target[at …); returns where it ends. */
export function putStoredMessage(
  target: Buffer,
  at: number,
  payload: Buffer,
  place: RecordPlace,
  delivery: Delivery,
  offset: number,
  storeTimeMs: number,
): number {
  const record = place.start;
  const topic = delivery.topic;
  const long = topic.length > TOPIC_BYTES_V1;
  let to = put32(target, at, storedMessageBytes(place, delivery));
  to = put32(target, to, long ? MESSAGE_MAGIC_V2 : MESSAGE_MAGIC_V1);
  to = copy(target, to, payload, record + 4, record + 8); // bodyCRC
  to = put32(target, to, delivery.queueId);
  to = copy(target, to, payload, record + 8, record + 12); // flag
  to = put64(target, to, offset);
  to = put32(target, to, physicalHigh(delivery.queue, offset));
  to = put32(target, to, physicalLow(offset));
  to = copy(target, to, payload, record + 12, record + 16); // sysFlag
  if (delivery.storeHost.isV6) target[to - 1] = target[to - 1]! | SYS_FLAG.STOREHOST_V6;
  to = copy(target, to, payload, record + 16, record + 24); // bornTimestamp
  to = copy(target, to, payload, place.bornHostStart, place.bodyStart);
  to = put64(target, to, storeTimeMs);
  to = copy(target, to, delivery.storeHost.bytes, 0, delivery.storeHost.bytes.length);
  to = copy(target, to, payload, record + 24, record + 40); // reconsumeTimes, prepared offset, bodyLength
  to = copyLarge(target, to, payload, place.bodyStart, place.bodyEnd);
  if (long) target[to++] = topic.length >>> 8;
  target[to++] = topic.length;
  to = copy(target, to, topic, 0, topic.length);
  const added = addedBytes(place, delivery.added);
  const propertiesBytes = place.propertiesEnd - place.propertiesStart + added;
  target[to++] = propertiesBytes >>> 8;
  target[to++] = propertiesBytes;
  to = copyLarge(target, to, payload, place.propertiesStart, place.propertiesEnd);
  return copyLarge(target, to, delivery.added, delivery.added.length - added, delivery.added.length);
}

function put32(target: Buffer, at: number, value: number): number {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
  return at + 4;
}

function put64(target: Buffer, at: number, value: number): number {
  const high = Math.floor(value / 0x1_0000_0000);
  put32(target, at, high);
  return put32(target, at + 4, value - high * 0x1_0000_0000);
}

/** For a few bytes a loop is cheaper than a call into the runtime. */
function copy(target: Buffer, at: number, source: Buffer, start: number, end: number): number {
  let to = at;
  for (let i = start; i < end; i++) target[to++] = source[i]!;
  return to;
}

function copyLarge(target: Buffer, at: number, source: Buffer, start: number, end: number): number {
  if (end - start < 64) return copy(target, at, source, start, end);
  source.copy(target, at, start, end);
  return at + end - start;
}
