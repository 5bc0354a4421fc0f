// 36 CONSUMER_SEND_MSG_BACK: a consumer could not handle a message. It is published again to the group's %RETRY% topic
// with a delay that grows, or to its %DLQ% topic once it has been retried often enough.
//
// The message is found by its physical offset (queue number, queue offset), whatever format it is stored in; the copy
// is a RocketMQ record.

import type { Group, Principal, Topic } from '../../../core/types.ts';
import { PROPERTY } from '../../../specs/rocketmq/constants.ts';
import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { Connection, Ticket } from '../connection.ts';
import type { RequestHandler } from '../dispatch.ts';
import { RequestError } from '../errors.ts';
import { fieldNumber } from '../fields.ts';
import { type FoundRecord, foundRecord } from '../found-message.ts';
import { groupConfig } from '../group-config.ts';
import { consumerGroup, type FoundMessage, readMessage } from '../look-up.ts';
import { type MessagePlace, placeOf, putOffsetMsgId } from '../message-id.ts';
import { wireTopic } from '../names.ts';
import { FORMAT_TAG } from '../pending-sends.ts';
import { readProperties, writeProperties } from '../properties.ts';
import { bornTimestampOf, flagOf, reconsumeTimesOf, sysFlagOf } from '../record.ts';
import { retryDelayMs, retryTimesMax } from '../retry.ts';

const OFFSET = fieldNumber('offset');
const GROUP = fieldNumber('group');
const DELAY_LEVEL = fieldNumber('delayLevel');
const MAX_RECONSUME_TIMES = fieldNumber('maxReconsumeTimes');

export const consumerSendMsgBack: RequestHandler = (connection, header) => {
  const physicalOffset = header.bigLong(OFFSET);
  const group = consumerGroup(connection, header.string(GROUP));
  const delayLevel = header.int(DELAY_LEVEL);
  const timesMax = header.int(MAX_RECONSUME_TIMES, retryTimesMax(group));
  const place = placeOf(physicalOffset);
  // A group without retry queues retries nothing, and is told that all is well: as the protocol's broker does it.
  if (groupConfig(group).retryQueueNums === 0) {
    connection.answer(header, RESPONSE.SUCCESS);
    return;
  }
  connection.later(header, async (ticket) => {
    const { broker, node, principal } = connection;
    // The topics first: behind the read nothing may be awaited, since what is read is a view of the log's memory.
    const retry = await node.ensureTopic(principal, 'retry', group.name, groupConfig(group).retryQueueNums);
    const dead = await deadLetterTopic(connection, principal, group, delayLevel, timesMax, place);
    const found = place === null ? null : await readMessage(broker, principal, place.queue, place.offset);
    const origin = place === null ? null : (broker.queue(place.queue)?.topic ?? null);
    if (place === null || found === null || origin === null) {
      throw new RequestError(RESPONSE.SYSTEM_ERROR, `look message by offset failed, ${physicalOffset}`);
    }
    sendBack(connection, ticket, { principal, found, place, origin, retry, dead, delayLevel, timesMax });
  });
};

/** Made only when it is needed: most groups never have dead letters. */
async function deadLetterTopic(
  connection: Connection,
  principal: Principal,
  group: Group,
  delayLevel: number,
  timesMax: number,
  place: MessagePlace | null,
): Promise<Topic | null> {
  const { broker, node } = connection;
  if (place === null) return null;
  const found = await readMessage(broker, principal, place.queue, place.offset);
  if (found === null) return null;
  const { payload, place: record } = foundRecord(connection, found);
  if (!isDead(reconsumeTimesOf(payload, record.start), delayLevel, timesMax)) return null;
  return node.ensureTopic(principal, 'dead-letter', group.name, 1);
}

const isDead = (times: number, delayLevel: number, timesMax: number): boolean => delayLevel < 0 || times >= timesMax;

interface SendBack {
  /** Who asked: by now the connection may be serving another's request. */
  readonly principal: Principal;
  readonly found: FoundMessage;
  readonly place: MessagePlace;
  readonly origin: Topic;
  readonly retry: Topic;
  readonly dead: Topic | null;
  readonly delayLevel: number;
  readonly timesMax: number;
}

function sendBack(connection: Connection, ticket: Ticket, what: SendBack): void {
  const record = foundRecord(connection, what.found);
  const { payload, place } = record;
  const times = reconsumeTimesOf(payload, place.start);
  const isDeadLetter = what.dead !== null && isDead(times, what.delayLevel, what.timesMax);
  const properties = copyProperties(connection, record, what, isDeadLetter);
  const { outgoing } = connection.node;
  outgoing.begin();
  outgoing.open(
    {
      flag: flagOf(payload, place.start),
      sysFlag: sysFlagOf(payload, place.start),
      bornTimestamp: bornTimestampOf(payload, place.start),
      reconsumeTimes: times + 1,
    },
    payload.subarray(place.bornHostStart, place.bodyStart),
    place.bodyEnd - place.bodyStart,
    properties.length,
  );
  payload.copy(outgoing.buffer, outgoing.bodyStart, place.bodyStart, place.bodyEnd);
  properties.copy(outgoing.buffer, outgoing.propertiesStart);
  outgoing.close();
  const { sendProperties } = connection.node;
  sendProperties.begin(false);
  sendProperties.scan(outgoing.buffer, outgoing.propertiesStart, outgoing.propertiesStart + properties.length);
  const { append } = connection;
  append.topic = isDeadLetter ? what.dead : what.retry;
  append.queue = isDeadLetter ? 0 : times % what.retry.queues.length;
  append.format = FORMAT_TAG;
  append.payload = outgoing.take();
  append.records = 1;
  append.key = null;
  append.tagHash = sendProperties.tagHash;
  append.keys = sendProperties.keys;
  append.recordTimeMaxMs = bornTimestampOf(payload, place.start);
  append.notBeforeMs = isDeadLetter ? 0 : connection.broker.nowMs() + retryDelayMs(what.delayLevel, times);
  const slot = connection.sends.openPlain(ticket);
  try {
    connection.broker.append(what.principal, append, connection, slot);
  } catch (error) {
    connection.sends.forget(slot);
    throw error;
  }
}

/** The message's properties and what tells where it came from; clients restore the topic from RETRY_TOPIC. */
function copyProperties(connection: Connection, record: FoundRecord, what: SendBack, isDeadLetter: boolean): Buffer {
  const { payload, place } = record;
  const properties = readProperties(payload, place.propertiesStart, place.propertiesEnd);
  const originTopic = wireTopic(what.origin.kind, what.origin.name);
  if (!properties.has(PROPERTY.RETRY_TOPIC)) properties.set(PROPERTY.RETRY_TOPIC, originTopic);
  if (!properties.has(PROPERTY.ORIGIN_MESSAGE_ID)) {
    const host = connection.storeHost;
    const id = Buffer.alloc(host.bytes.length + 8);
    putOffsetMsgId(id, 0, host, what.place.queue, what.place.offset);
    properties.set(PROPERTY.ORIGIN_MESSAGE_ID, id.toString('hex').toUpperCase());
  }
  properties.set(PROPERTY.WAIT, 'false');
  properties.delete(PROPERTY.DELAY);
  if (isDeadLetter) {
    properties.set(PROPERTY.DLQ_ORIGIN_TOPIC, properties.get(PROPERTY.RETRY_TOPIC)!);
    properties.set(PROPERTY.DLQ_ORIGIN_MESSAGE_ID, properties.get(PROPERTY.ORIGIN_MESSAGE_ID)!);
  }
  return writeProperties(properties);
}
