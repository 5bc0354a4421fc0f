/**
 * basic.publish, step by step as its frames come in: the method, the content header, the body, the append.
 *
 * Promises: with confirms, basic.ack comes when every queue that takes the message has it as safely as its topic says;
 * basic.return comes before it. A publish that is refused because storage is full is answered with basic.nack; without
 * confirms its channel is closed, as its publisher would not learn it otherwise.
 */

import { BrokerError } from '../../../core/errors.ts';
import { TAG_NONE, UNIT } from '../../../core/types.ts';
import type { Append } from '../../../core/verbs.ts';
import { replyCodes } from '../../../specs/amqp/reply-codes.ts';
import { FORMAT } from '../../adapter.ts';
import { AmqpError } from '../amqp-error.ts';
import { timestampMsOf } from '../canonical.ts';
import type { Channel } from '../channel.ts';
import type { Connection } from '../connection.ts';
import type { Place } from '../content-properties.ts';
import { fieldOf } from '../field-table.ts';
import { textOf } from '../queue-arguments.ts';
import { argumentsOf, exchangePlace, noSuchExchange } from '../topology.ts';

const basicClass = 60;
const mandatoryBit = 1;
const immediateBit = 2;
const alternatesMax = 16;

/** The method's arguments: a reserved short, exchange and routing key as short strings, one octet of bits. */
export function beginPublish(channel: Channel, buffer: Buffer, start: number, end: number): void {
  const exchangeAt = start + 2;
  const exchangeBytes = exchangeAt < end ? buffer[exchangeAt]! : 0;
  const keyAt = exchangeAt + 1 + exchangeBytes;
  const keyBytes = keyAt < end ? buffer[keyAt]! : 0;
  const bitsAt = keyAt + 1 + keyBytes;
  if (bitsAt !== end - 1) throw new AmqpError('FRAME_ERROR', 'cannot decode: basic.publish is cut short or too long');
  const bits = buffer[bitsAt]!;
  if ((bits & immediateBit) !== 0) throw new AmqpError('NOT_IMPLEMENTED', 'immediate=true');
  const mandatory = (bits & mandatoryBit) !== 0;
  channel.content.begin(channel.connection.turnMs, buffer, exchangeAt, exchangeBytes, keyBytes, mandatory);
}

/** Class, weight, body size, properties. */
export function publishHeader(channel: Channel, buffer: Buffer, start: number, end: number): void {
  const { connection, content } = channel;
  if (end - start < 14) throw new AmqpError('FRAME_ERROR', 'cannot decode: content header is cut short');
  const classId = buffer.readUInt16BE(start);
  if (classId !== basicClass) {
    throw new AmqpError(
      'UNEXPECTED_FRAME',
      `expected content header for class 60, got one for class ${classId} instead`,
    );
  }
  if (buffer.readUInt16BE(start + 2) !== 0) throw new AmqpError('FRAME_ERROR', 'content header with a weight');
  const bodyBytes = buffer.readUInt32BE(start + 4) * 0x1_0000_0000 + buffer.readUInt32BE(start + 8);
  const bytesMax = connection.limits.messageBytesMax;
  if (bodyBytes > bytesMax) {
    throw new AmqpError(
      'PRECONDITION_FAILED',
      `message size ${bodyBytes} is larger than configured max size ${bytesMax}`,
    );
  }
  content.header(buffer, start + 12, end, bodyBytes);
  if (bodyBytes === 0) publish(channel);
}

export function publishBody(channel: Channel, buffer: Buffer, start: number, end: number): void {
  channel.content.body(buffer, start, end);
}

/** A body frame is complete; perhaps the message is. */
export function endPublish(channel: Channel): void {
  if (channel.content.missing === 0) publish(channel);
}

const append: Append = {
  topic: null,
  queue: -1,
  exchange: '',
  namespace: '',
  routingKey: '',
  format: FORMAT.amqp,
  payload: Buffer.alloc(0),
  records: 1,
  key: null,
  tagHash: TAG_NONE,
  keys: null,
  recordTimeMaxMs: 0,
  flags: 0,
  producerId: -1,
  producerEpoch: -1,
  baseSequence: -1,
  expiryMs: 0,
  priority: 0,
  notBeforeMs: 0,
};

/** The whole message is there. */
function publish(channel: Channel): void {
  const { connection, content, confirms } = channel;
  const { buffer } = content;
  connection.scan.scan(buffer, content.propertiesAt, content.propertiesAt + content.propertiesBytes);
  const sequence = confirms.selected ? confirms.next() : 0;
  try {
    fill(channel);
    const queues = appendThrough(channel, sequence);
    connection.shared.counts.published++;
    if (queues > 0) {
      channel.awaitAppend(sequence);
    } else {
      connection.shared.counts.unroutable++;
      if (content.mandatory) returnContent(channel);
      if (sequence > 0 && confirms.unroutable()) connection.confirmLater(channel);
    }
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    refused(channel, error, sequence);
  } finally {
    append.payload = emptyPayload;
    content.end();
  }
}

const emptyPayload = Buffer.alloc(0);

/** Says what is to be appended, from what was gathered and what its properties ask for. */
function fill(channel: Channel): void {
  const { connection, content } = channel;
  const { scan, names } = connection;
  const { buffer } = content;
  append.namespace = connection.namespace;
  append.exchange = names.get(buffer, content.exchangeAt, content.exchangeBytes);
  append.routingKey = names.get(buffer, content.routingKeyAt, content.routingKeyBytes);
  append.payload = buffer.subarray(0, content.filled);
  append.key = keyOf(channel);
  append.tagHash = scan.tag.bytes < 0 ? TAG_NONE : javaHash(textAt(buffer, scan.tag));
  append.keys = scan.messageId.bytes > 0 || scan.key.bytes > 0 ? wordsOf(connection, buffer) : null;
  append.recordTimeMaxMs = timestampMsOf(scan.timestamp, connection.turnMs);
  append.flags = scan.deliveryMode === 2 ? 0 : UNIT.transient;
  append.priority = scan.priority;
  append.expiryMs = scan.expiration.bytes < 0 ? 0 : connection.turnMs + expirationOf(textAt(buffer, scan.expiration));
  if (scan.userId.bytes >= 0) checkUserId(connection, textAt(buffer, scan.userId));
  if (scan.copies) {
    throw new AmqpError('NOT_IMPLEMENTED', 'CC and BCC headers are not served', { scope: 'channel' });
  }
}

/** Appends through the exchange, and where that routes nowhere through its alternates. Returns how many queues take it. */
function appendThrough(channel: Channel, sequence: number): number {
  const { connection } = channel;
  const { broker, principal, namespace } = connection;
  for (let hop = 0; hop < alternatesMax; hop++) {
    const name = append.exchange!;
    const exchange = name === '' ? null : broker.exchange(namespace, name);
    if (exchange?.internal && hop === 0) {
      const place = exchangePlace(name, connection.virtualHost);
      throw new AmqpError('ACCESS_REFUSED', `cannot publish to internal ${place}`);
    }
    if (exchange === null && name !== '' && connection.topology.logTopic(connection, name) === null) {
      // A predeclared exchange to which nothing was ever bound, or an alternate that is not there, routes nowhere.
      if (hop > 0 || connection.topology.isPredeclared(name)) return 0;
      throw noSuchExchange(name, connection.virtualHost);
    }
    const queues = broker.append(principal, append, channel, sequence);
    if (queues > 0 || exchange === null) return queues;
    const alternate = textOf(fieldOf(argumentsOf(exchange.extra), 'alternate-exchange'));
    if (alternate === null) return 0;
    append.exchange = alternate;
  }
  return 0;
}

/** basic.return with the whole content; its confirm follows. */
function returnContent(channel: Channel): void {
  const { connection, content } = channel;
  const { frames, names } = connection;
  frames.method(channel.number, 'basic.return', {
    replyCode: replyCodes.NO_ROUTE.code,
    replyText: 'NO_ROUTE',
    exchange: names.get(content.buffer, content.exchangeAt, content.exchangeBytes),
    routingKey: names.get(content.buffer, content.routingKeyAt, content.routingKeyBytes),
  });
  const { view } = connection.content;
  frames.content(channel.number, append.payload, view.read(append.payload));
}

function refused(channel: Channel, error: BrokerError, sequence: number): void {
  const { connection } = channel;
  connection.shared.counts.refused++;
  if (error.code === 'storage-full') connection.storage.refused();
  if (sequence === 0 || !error.retriable || error.code === 'stopping') throw error;
  connection.frames.method(channel.number, 'basic.nack', { deliveryTag: sequence, multiple: false, requeue: false });
  channel.confirms.refused();
}

// ---------------------------------------------------------------- parts

function textAt(buffer: Buffer, place: Place): string {
  return buffer.toString('utf8', place.at, place.at + place.bytes);
}

/** The record's key: the header that says so, else the routing key, unless that only names a queue. */
function keyOf({ connection, content }: Channel): Buffer | null {
  const { key } = connection.scan;
  if (key.bytes >= 0) return content.buffer.subarray(key.at, key.at + key.bytes);
  if (content.exchangeBytes === 0 || content.routingKeyBytes === 0) return null;
  return content.buffer.subarray(content.routingKeyAt, content.routingKeyAt + content.routingKeyBytes);
}

/** Words by which RocketMQ's tools find it again. */
function wordsOf({ scan }: Connection, buffer: Buffer): string[] {
  const words: string[] = [];
  if (scan.messageId.bytes > 0) words.push(textAt(buffer, scan.messageId));
  if (scan.key.bytes > 0) words.push(textAt(buffer, scan.key));
  return words;
}

/** Milliseconds as a decimal string. */
function expirationOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const detail = /^-\d+$/.test(text) ? `{value_negative,${text}}` : 'no_integer';
  throw new AmqpError('PRECONDITION_FAILED', `invalid expiration '${text}': ${detail}`);
}

function checkUserId({ userName }: Connection, userId: string): void {
  if (userId === userName) return;
  throw new AmqpError(
    'PRECONDITION_FAILED',
    `user_id property set to '${userId}' but authenticated user was '${userName}'`,
  );
}

/** Java's String.hashCode, which RocketMQ's readers filter tags by. */
function javaHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
  return hash;
}
