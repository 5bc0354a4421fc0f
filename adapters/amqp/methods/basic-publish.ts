/**
 * basic.publish, step by step as its frames come in: the method, the content header, the body, the append.
 *
 * Promises: with confirms, basic.ack comes when every queue that takes the message has it as safely as its topic says;
 * basic.return comes before it. A publish that is refused because storage is full is answered with basic.nack; without
 * confirms its channel is closed, as its publisher would not learn it otherwise.
 */

import { BrokerError } from '../../../core/errors.ts';
import { TAG_NONE, UNIT } from '../../../core/types.ts';
import { type Append, keyHashOf } from '../../../core/verbs.ts';
import { replyCodes } from '../../../specs/amqp/reply-codes.ts';
import { FORMAT } from '../../adapter.ts';
import { AmqpError } from '../amqp-error.ts';
import { timestampMsOf } from '../canonical.ts';
import type { Channel } from '../channel.ts';
import type { Connection } from '../connection.ts';
import type { Place } from '../content-properties.ts';
import { delayHeader, readProperties } from '../content-properties.ts';
import { copiesIn } from '../dead-letter.ts';
import { isReplyName, repliesName } from '../direct-replies.ts';
import type { FieldTable } from '../field-table.ts';
import { fieldOf } from '../field-table.ts';
import { mayWrite, refusedAccess } from '../permissions.ts';
import { letterNames, numberOf } from '../queue-arguments.ts';
import { withProperties } from '../stored-message.ts';
import { exchangePlace } from '../topology.ts';

const basicClass = 60;
const mandatoryBit = 1;
const immediateBit = 2;
/** Ten years, as RabbitMQ. */
const expirationMsMax = 315_360_000_000;
const delayMsMax = 0xffff_ffff;

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
  copies: null,
};

/** The whole message is there. */
function publish(channel: Channel): void {
  const { connection, content, confirms } = channel;
  const { buffer } = content;
  connection.scan.scan(buffer, content.propertiesAt, content.propertiesAt + content.propertiesBytes);
  const sequence = confirms.selected ? confirms.next() : 0;
  try {
    fill(channel);
    if (channel.transaction !== null) {
      mayWrite(connection, 'exchange', append.exchange!);
      checkExchange(channel);
      channel.transaction.add(append, content.mandatory);
      connection.shared.counts.published++;
    } else if (isReply(append)) reply(channel, sequence);
    else accepted(channel, appendNow(channel, sequence), sequence);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    refused(channel, error, sequence);
  } finally {
    append.payload = emptyPayload;
    append.copies = null;
    content.end();
  }
}

const emptyPayload = Buffer.alloc(0);

/** Tells the publisher what became of it, as far as that is known now. */
function accepted(channel: Channel, queues: number, sequence: number): void {
  const { connection, content } = channel;
  connection.shared.counts.published++;
  const full = append.refused ?? 0;
  if (queues > 0) channel.awaitAppend(sequence, append.payload.length);
  else if (full === 0) {
    connection.shared.counts.unroutable++;
    if (content.mandatory) returnContent(channel, append);
    if (sequence > 0 && channel.confirms.unroutable()) connection.confirmLater(channel);
  }
  // One queue that is full is enough: its publisher may send the message again.
  if (full > 0 && sequence > 0) channel.refuse(sequence);
}

export const isReply = ({ exchange, routingKey }: Append): boolean => exchange === '' && isReplyName(routingKey!);

/** Through no queue, to who is there. Nobody has to be: to RabbitMQ the name leads to no queue either way. */
export function handReply({ shared, content }: Connection, { routingKey, payload }: Append): void {
  shared.replies.deliver(routingKey!, payload, content.view.read(payload));
}

function reply(channel: Channel, sequence: number): void {
  const { connection, content } = channel;
  mayWrite(connection, 'exchange', '');
  handReply(connection, append);
  append.refused = 0;
  if (content.mandatory) returnContent(channel, append);
  if (sequence > 0 && channel.confirms.unroutable()) connection.confirmLater(channel);
}

/** Says what is to be appended, from what was gathered and what its properties ask for. */
function fill(channel: Channel): void {
  const { connection, content } = channel;
  const { scan, names } = connection;
  const { buffer } = content;
  append.namespace = connection.namespace;
  append.exchange = names.get(buffer, content.exchangeAt, content.exchangeBytes);
  append.routingKey = names.get(buffer, content.routingKeyAt, content.routingKeyBytes);
  append.payload = connection.payloadView.of(buffer, 0, content.filled);
  append.key = keyOf(channel);
  append.tagHash = scan.tag.bytes < 0 ? TAG_NONE : javaHash(textAt(buffer, scan.tag));
  append.keys = scan.messageId.bytes > 0 || scan.key.bytes > 0 ? keysOf(connection, buffer) : null;
  append.recordTimeMaxMs = timestampMsOf(scan.timestamp, connection.turnMs);
  append.flags = scan.deliveryMode === 2 ? 0 : UNIT.transient;
  append.priority = scan.priority;
  append.expiryMs = scan.expiration.bytes < 0 ? 0 : connection.turnMs + expirationMsOf(textAt(buffer, scan.expiration));
  append.notBeforeMs = 0;
  if (scan.userId.bytes >= 0) checkUserId(connection, textAt(buffer, scan.userId));
  const asksForReplies = scan.replyTo.bytes === repliesName.length && textAt(buffer, scan.replyTo) === repliesName;
  if (scan.copies || scan.delay || asksForReplies) rewrite(channel, asksForReplies);
}

/** What properties ask for that changes them: copies of which nobody is to know, a delay, a name for replies. */
function rewrite(channel: Channel, asksForReplies: boolean): void {
  const { connection, content } = channel;
  const properties = readProperties(
    content.buffer,
    content.propertiesAt,
    content.propertiesAt + content.propertiesBytes,
  );
  let headers = properties.headers ?? [];
  if (connection.scan.copies) {
    for (const name of ['CC', 'BCC'] as const) checkCopies(headers, name);
    append.copies = [...copiesIn(headers, 'CC'), ...copiesIn(headers, 'BCC')];
    headers = headers.filter((entry) => entry.key !== 'BCC');
  }
  if (connection.scan.delay && connection.broker.exchange(connection.namespace, append.exchange!)?.holds === true) {
    const delayMs = numberOf(fieldOf(headers, delayHeader)) ?? 0;
    if (delayMs > 0) append.notBeforeMs = connection.turnMs + Math.min(delayMs, delayMsMax);
    // A reader sees that the time has passed, as the plugin shows it.
    headers = headers.map((entry) =>
      entry.key === delayHeader && delayMs > 0
        ? { key: delayHeader, field: { type: 'l', value: BigInt(-delayMs) } as const }
        : entry,
    );
  }
  if (asksForReplies) {
    if (channel.replies === null) {
      throw new AmqpError('PRECONDITION_FAILED', 'fast reply consumer does not exist');
    }
    properties.replyTo = channel.replies.name;
  }
  if (properties.headers !== undefined) properties.headers = headers;
  append.payload = withProperties(content.buffer, content.propertiesAt, content.bodyAt, content.filled, properties);
}

function checkCopies(headers: FieldTable, name: 'CC' | 'BCC'): void {
  const field = fieldOf(headers, name);
  if (field === undefined || field.type === 'A') return;
  const detail = `{unacceptable_type_in_header,"${name}",${letterNames[field.type]}}`;
  throw new AmqpError('PRECONDITION_FAILED', `invalid message: ${detail}`);
}

/** The core routes and appends. Returns how many queues take it. */
function appendNow(channel: Channel, sequence: number): number {
  const { broker, principal } = channel.connection;
  if (!checkExchange(channel)) {
    append.refused = 0;
    return 0;
  }
  return broker.append(principal, append, channel, sequence);
}

/**
 * False when the exchange is one that is always there and to which nothing was ever bound. Throws when it is none, or
 * is not to be published to; where it is true, the core checks the right.
 */
function checkExchange({ connection }: Channel): boolean {
  const { broker, namespace, topology, virtualHost } = connection;
  const name = append.exchange!;
  if (name === '') return true;
  const exchange = broker.exchange(namespace, name);
  if (exchange === null ? topology.logTopic(connection, name) !== null : !exchange.internal) return true;
  mayWrite(connection, 'exchange', name);
  const builtIn = exchange ?? topology.requireExchange(connection, name);
  if (!builtIn.internal) return false;
  throw new AmqpError('ACCESS_REFUSED', `cannot publish to internal ${exchangePlace(name, virtualHost)}`);
}

/** basic.return with the whole content; its confirm follows. */
export function returnContent({ connection, number }: Channel, given: Append): void {
  const { frames } = connection;
  frames.method(number, 'basic.return', {
    replyCode: replyCodes.NO_ROUTE.code,
    replyText: 'NO_ROUTE',
    exchange: given.exchange ?? '',
    routingKey: given.routingKey ?? '',
  });
  const { view } = connection.content;
  frames.content(number, given.payload, view.read(given.payload));
}

function refused(channel: Channel, error: BrokerError, sequence: number): void {
  const { connection } = channel;
  connection.shared.counts.refused++;
  if (error.code === 'access-denied') throw refusedAccess(connection, 'exchange', append.exchange!, error);
  if (error.code === 'storage-full') connection.storage.refused();
  if (sequence === 0 || !error.retriable || error.code === 'stopping') throw error;
  channel.refuse(sequence);
}

// ---------------------------------------------------------------- parts

function textAt(buffer: Buffer, place: Place): string {
  return buffer.toString('utf8', place.at, place.at + place.bytes);
}

/** The record's key: the header that says so, else the routing key, unless that only names a queue. */
function keyOf({ connection, content }: Channel): Buffer | null {
  const { scan, keyView } = connection;
  if (scan.key.bytes >= 0) return keyView.of(content.buffer, scan.key.at, scan.key.at + scan.key.bytes);
  if (content.exchangeBytes === 0 || content.routingKeyBytes === 0) return null;
  return keyView.of(content.buffer, content.routingKeyAt, content.routingKeyAt + content.routingKeyBytes);
}

/** Of the words by which RocketMQ's tools find it again. */
function keysOf({ scan }: Connection, buffer: Buffer): number[] {
  return [scan.messageId, scan.key]
    .filter((word) => word.bytes > 0)
    .map((word) => keyHashOf(buffer, word.at, word.at + word.bytes));
}

/** Milliseconds as RabbitMQ reads them: a number with or without sign and nothing behind it, no longer than its timers. */
function expirationMsOf(text: string): number {
  const [, digits, rest] = /^([+-]?\d+)(.*)$/s.exec(text) ?? [];
  const value = Number(digits);
  let detail: string;
  if (digits === undefined) detail = 'no_integer';
  else if (rest !== '') detail = `{leftover_string,"${rest}"}`;
  else if (value < 0) detail = `{value_negative,${BigInt(digits)}}`;
  else if (value > expirationMsMax) detail = `{value_too_large,${BigInt(digits)}}`;
  else return value;
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
