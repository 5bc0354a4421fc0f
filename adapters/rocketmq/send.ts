// Sending: what 10, 310 and 320 have in common.
//
// The path of a message: header fields → limits → topic (created when the client may) → payload built in the node's
// scratch → append → reply when it is committed (pending-sends.ts).
//
// Invariants: nothing is appended of a request that is refused; body and properties are stored as sent, apart from
// DELAY, which is obeyed and taken away, and POP_CK.

import type { Topic } from '../../core/types.ts';
import {
  BODY_BYTES_MAX,
  DLQ_PREFIX,
  PERM,
  PROPERTIES_BYTES_MAX,
  PROPERTY,
  RETRY_PREFIX,
  RETRY_TIMES_MAX_DEFAULT,
  TEMPLATE_TOPIC,
  TOPIC_CHARS_MAX,
} from '../../specs/rocketmq/constants.ts';
import { RESPONSE } from '../../specs/rocketmq/response-codes.ts';
import { BatchCursor } from './batch.ts';
import type { Connection } from './connection.ts';
import type { Original } from './duplicates.ts';
import { RequestError } from './errors.ts';
import { type FieldNumber, fieldNumber } from './fields.ts';
import type { Header } from './header.ts';
import { autoCreatedQueues, isClosedTopic, isTopicName } from './node.ts';
import { FORMAT_TAG } from './pending-sends.ts';
import { readProperties, writeProperties } from './properties.ts';
import type { RecordHead } from './record.ts';
import { retryTimesMax } from './retry.ts';
import type { SendProperties } from './send-properties.ts';
import { joinHashes } from './tags.ts';
import { isWritable, type TopicConfig, topicConfig } from './topic-config.ts';

/** Where a send's fields are, by the names that one of the requests gives them. */
export interface SendFields {
  readonly topic: FieldNumber;
  readonly defaultTopic: FieldNumber;
  readonly defaultTopicQueueNums: FieldNumber;
  readonly queueId: FieldNumber;
  readonly sysFlag: FieldNumber;
  readonly bornTimestamp: FieldNumber;
  readonly flag: FieldNumber;
  readonly properties: FieldNumber;
  readonly reconsumeTimes: FieldNumber;
  readonly maxReconsumeTimes: FieldNumber;
  readonly batch: FieldNumber;
}

export const FIELDS: SendFields = fieldsOf([
  'topic',
  'defaultTopic',
  'defaultTopicQueueNums',
  'queueId',
  'sysFlag',
  'bornTimestamp',
  'flag',
  'properties',
  'reconsumeTimes',
  'maxReconsumeTimes',
  'batch',
]);
export const FIELDS_V2: SendFields = fieldsOf(['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'l', 'm']);

const recordHead: RecordHead = { flag: 0, sysFlag: 0, bornTimestamp: 0, reconsumeTimes: 0 };
const cursor = new BatchCursor();

/** Serves one send. It is a batch when the request is one, or when its batch field says so. */
export function send(
  connection: Connection,
  header: Header,
  frame: Buffer,
  fields: SendFields,
  isBatch: boolean,
): void {
  const wireTopic = destination(connection, header, fields);
  if (isClosedTopic(wireTopic)) {
    throw new RequestError(RESPONSE.NO_PERMISSION, `sending to the system topic ${wireTopic} is forbidden`);
  }
  const topic = connection.node.topic(wireTopic);
  if (topic === null) {
    checkName(wireTopic);
    createThenSend(connection, header, frame, fields, wireTopic);
    return;
  }
  const config = topicConfig(topic);
  if (!isWritable(config) || (connection.node.settings.permission & PERM.WRITE) === 0) {
    const whose = isWritable(config) ? `broker[${connection.node.brokerName}]` : `topic[${wireTopic}]`;
    throw new RequestError(RESPONSE.NO_PERMISSION, `the ${whose} sending message is forbidden`);
  }
  // What became a dead letter was meant for a queue of the retry topic.
  const isDead = topic.kind === 'dead-letter' && header.string(fields.topic) !== wireTopic;
  const queueId = isDead ? -1 : header.int(fields.queueId);
  // Queues that are only read still take what clients with an older route send, as in the protocol's broker.
  const queues = Math.max(config.writeQueueNums, config.readQueueNums);
  if (queueId >= queues) {
    throw new RequestError(
      RESPONSE.INVALID_PARAMETER,
      `request queueId[${queueId}] is illegal, ${wireTopic} has ${queues} queues`,
    );
  }
  if (header.bodyEnd - header.bodyStart > BODY_BYTES_MAX) {
    throw new RequestError(RESPONSE.MESSAGE_ILLEGAL, `the body is larger than ${BODY_BYTES_MAX} bytes`);
  }
  recordHead.flag = header.int(fields.flag);
  recordHead.sysFlag = header.int(fields.sysFlag);
  recordHead.bornTimestamp = header.long(fields.bornTimestamp);
  recordHead.reconsumeTimes = header.int(fields.reconsumeTimes);
  const append = connection.append;
  // The core places over all queues; where some are closed to writing, the choice is made here.
  if (queueId >= 0) append.queue = queueId;
  else append.queue = config.writeQueueNums < topic.queues.length ? nextQueue(config) : -1;
  append.key = null;
  append.notBeforeMs = 0;
  connection.node.outgoing.begin();
  connection.node.sendProperties.begin(connection.node.settings.dedupeWindowMs > 0);
  if (isBatch || header.boolean(fields.batch)) addBatch(connection, header, frame);
  else addMessage(connection, header, frame, fields);
  // A dead letter waits for nothing, whatever delay the retry would have had.
  if (topic.kind === 'dead-letter') append.notBeforeMs = 0;
  if (connection.node.settings.dedupeWindowMs > 0 && isDuplicate(connection, header, frame, topic)) return;
  appendBuilt(connection, header, topic, recordHead.bornTimestamp);
}

/** True when nothing is to be appended now. Else the append that follows is the first of its key. */
function isDuplicate(connection: Connection, header: Header, frame: Buffer, topic: Topic): boolean {
  const { node, principal, append } = connection;
  const { uniqueKey } = node.sendProperties;
  original = null;
  if (uniqueKey === '' || (topic.kind !== 'topic' && topic.kind !== 'queue')) return false;
  const first = node.duplicates.first(principal, topic, uniqueKey, node.settings.dedupeWindowMs);
  if (first instanceof Promise) {
    connection.retryAfter(header, frame, first);
    return true;
  }
  if (first.state === 'clear') {
    original = first;
    return false;
  }
  node.counts.duplicatesSuppressed++;
  const ticket = connection.ticket(header);
  const { records } = append;
  const answer = (): void => connection.answerDuplicate(ticket, topic, records, first);
  if (first.state === 'stored') answer();
  else (first.waiting ??= []).push(answer);
  return true;
}

/** The entry that the append at hand fulfils; set and used within one send. */
let original: Original | null = null;

let lastQueue = 0;

/** In turn over the queues that may be written. */
function nextQueue(config: TopicConfig): number {
  lastQueue = (lastQueue + 1) & 0xffff;
  return lastQueue % config.writeQueueNums;
}

/** Appends what the node's builder holds; the reply comes when it is committed. */
function appendBuilt(connection: Connection, header: Header, topic: Topic, bornTimestamp: number): void {
  const append = connection.append;
  append.topic = topic;
  append.format = FORMAT_TAG;
  append.payload = connection.node.outgoing.take();
  append.keys = connection.node.sendProperties.keys;
  append.recordTimeMaxMs = bornTimestamp;
  const first = original;
  original = null;
  const slot = connection.sends.openSend(header, topic, append.queue, append.records);
  if (first !== null) connection.sends.fulfil(slot, first);
  try {
    connection.broker.append(connection.principal, append, connection, slot);
  } catch (error) {
    if (first !== null) connection.node.duplicates.failed(first);
    connection.sends.forget(slot);
    throw error;
  }
}

function addMessage(connection: Connection, header: Header, frame: Buffer, fields: SendFields): void {
  const { outgoing, sendProperties } = connection.node;
  const bodyBytes = header.bodyEnd - header.bodyStart;
  // Reserved is what the escaped text takes; how much it is really shows once it has been copied.
  const reserved = header.rawBytesOf(fields.properties);
  if (reserved > PROPERTIES_BYTES_MAX) checkProperties(header.bytesOf(fields.properties));
  outgoing.open(recordHead, connection.bornHost.bytes, bodyBytes, reserved);
  frame.copy(outgoing.buffer, outgoing.bodyStart, header.bodyStart, header.bodyEnd);
  const start = outgoing.propertiesStart;
  const end = header.copy(fields.properties, outgoing.buffer, start);
  sendProperties.scan(outgoing.buffer, start, end);
  obey(connection, sendProperties);
  if (sendProperties.mustRewrite) {
    const kept = strippedProperties(outgoing.buffer, start, end);
    kept.copy(outgoing.buffer, start);
    outgoing.close(kept.length);
  } else outgoing.close(end - start);
  connection.append.records = 1;
  connection.append.tagHash = sendProperties.tagHash;
}

function addBatch(connection: Connection, header: Header, frame: Buffer): void {
  const { outgoing, sendProperties } = connection.node;
  const append = connection.append;
  cursor.reset(frame, header.bodyStart, header.bodyEnd);
  let records = 0;
  while (cursor.next()) {
    const propertiesBytes = cursor.propertiesEnd - cursor.propertiesStart;
    checkProperties(propertiesBytes);
    sendProperties.scan(frame, cursor.propertiesStart, cursor.propertiesEnd);
    if (sendProperties.delayLevel !== 0 || sendProperties.timer !== '') {
      throw new RequestError(RESPONSE.MESSAGE_ILLEGAL, 'messages in a batch cannot be delayed');
    }
    if (sendProperties.isTransaction) throw refusedTransaction();
    recordHead.flag = cursor.flag;
    outgoing.open(recordHead, connection.bornHost.bytes, cursor.bodyEnd - cursor.bodyStart, propertiesBytes);
    frame.copy(outgoing.buffer, outgoing.bodyStart, cursor.bodyStart, cursor.bodyEnd);
    frame.copy(outgoing.buffer, outgoing.propertiesStart, cursor.propertiesStart, cursor.propertiesEnd);
    outgoing.close();
    append.tagHash = joinHashes(append.tagHash, sendProperties.tagHash, records === 0);
    records++;
  }
  if (records === 0) throw new RequestError(RESPONSE.MESSAGE_ILLEGAL, 'the batch is empty');
  append.records = records;
}

/** Acts on the properties that are for the broker. */
function obey(connection: Connection, properties: SendProperties): void {
  if (properties.isTransaction) throw refusedTransaction();
  const due = properties.dueMs(connection.broker.nowMs());
  if (due === null) throw new RequestError(RESPONSE.MESSAGE_ILLEGAL, 'the delay of the message is not a number');
  const append = connection.append;
  append.notBeforeMs = due;
  if (append.queue < 0 && properties.keyStart >= 0) {
    const key = connection.node.outgoing.buffer.subarray(properties.keyStart, properties.keyEnd);
    // What is about to be rewritten in place is copied first.
    append.key = properties.mustRewrite ? Buffer.from(key) : key;
  }
}

function strippedProperties(buffer: Buffer, start: number, end: number): Buffer {
  const properties = readProperties(buffer, start, end);
  properties.delete(PROPERTY.DELAY);
  for (const name of [PROPERTY.POP_CK, PROPERTY.MSG_REGION, PROPERTY.TRACE_ON, PROPERTY.CLUSTER])
    properties.delete(name);
  return writeProperties(properties);
}

/**
 * The topic to store to: a message that comes back to a retry topic too often belongs into the dead letters. So does
 * every one that an ordered consumer sends back: it has retried by itself, and the group's queue locks show that it is one.
 */
function destination(connection: Connection, header: Header, fields: SendFields): string {
  const topic = header.string(fields.topic);
  if (!topic.startsWith(RETRY_PREFIX)) return topic;
  const wireGroup = topic.slice(RETRY_PREFIX.length);
  const name = connection.node.coreName(topic);
  const group = name === null ? null : connection.broker.group(connection.node.namespace, name.name);
  if (group !== null && connection.broker.locked(group)) return DLQ_PREFIX + wireGroup;
  const groupMax = group === null ? RETRY_TIMES_MAX_DEFAULT : retryTimesMax(group);
  const max = header.int(fields.maxReconsumeTimes, groupMax);
  return header.int(fields.reconsumeTimes) > max ? DLQ_PREFIX + wireGroup : topic;
}

function checkName(topic: string): void {
  if (!isTopicName(topic)) {
    const what =
      topic.length > TOPIC_CHARS_MAX ? `is longer than ${TOPIC_CHARS_MAX}` : 'has characters that none may have';
    throw new RequestError(RESPONSE.MESSAGE_ILLEGAL, `the topic's name ${what}: ${topic.slice(0, 255)}`);
  }
}

function checkProperties(bytes: number): void {
  if (bytes > PROPERTIES_BYTES_MAX) {
    throw new RequestError(RESPONSE.MESSAGE_ILLEGAL, `the properties are larger than ${PROPERTIES_BYTES_MAX} bytes`);
  }
}

/** TBW102 semantics: the client names the template by which an unknown topic is made. */
function createThenSend(
  connection: Connection,
  header: Header,
  frame: Buffer,
  fields: SendFields,
  wireTopic: string,
): void {
  const { node, principal } = connection;
  const name = node.coreName(wireTopic);
  const isGroups = name !== null && name.kind !== 'topic';
  const isAllowed =
    isGroups || (node.settings.autoCreateTopics && header.string(fields.defaultTopic) === TEMPLATE_TOPIC);
  if (name === null || !isAllowed) {
    throw new RequestError(RESPONSE.TOPIC_NOT_EXIST, `topic[${wireTopic}] not exist`);
  }
  const queues = isGroups ? 1 : autoCreatedQueues(header.int(fields.defaultTopicQueueNums));
  connection.retryAfter(header, frame, node.ensureTopic(principal, name.kind, name.name, queues));
}

function refusedTransaction(): RequestError {
  return new RequestError(RESPONSE.NO_PERMISSION, 'this broker does not take transaction messages');
}

function fieldsOf(names: readonly string[]): SendFields {
  const at = (index: number): FieldNumber => fieldNumber(names[index]!);
  return {
    topic: at(0),
    defaultTopic: at(1),
    defaultTopicQueueNums: at(2),
    queueId: at(3),
    sysFlag: at(4),
    bornTimestamp: at(5),
    flag: at(6),
    properties: at(7),
    reconsumeTimes: at(8),
    maxReconsumeTimes: at(9),
    batch: at(10),
  };
}
