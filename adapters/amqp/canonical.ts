/**
 * Stored AMQP messages to canonical ones and back. specs/amqp/MAPPING.md lists what each direction narrows.
 *
 * What the canonical message has and AMQP has not travels in headers: `x-key` (a key that is not the routing key),
 * `TAGS`, `x-tombstone` (a body that is null, not empty), `timestamp_in_ms` (the part below a second that the timestamp
 * property drops), `amqp.<property>` (a value too long for a short string, and the cluster-id). They are taken back
 * out of the headers on the way home.
 */

import type { Message } from '../../core/types.ts';
import { fieldOfHeader, headerOfField } from './canonical-header.ts';
import type { Properties } from './content-properties.ts';
import { keyHeader, readProperties, tagHeader } from './content-properties.ts';
import type { FieldTable, FieldValue, TableEntry } from './field-table.ts';
import { StoredView } from './stored-message.ts';

const tombstoneHeader = 'x-tombstone';
const timeHeader = 'timestamp_in_ms';
const shortStringBytesMax = 255;

/** Properties that are plain text in both forms. */
const textProperties = {
  contentType: 'contentType',
  contentEncoding: 'contentEncoding',
  correlationId: 'correlationId',
  replyTo: 'replyTo',
  messageId: 'messageId',
  type: 'type',
  userId: 'userId',
  appId: 'appId',
} as const satisfies Partial<Record<keyof Properties, keyof Message>>;

type TextProperty = keyof typeof textProperties;
const textPropertyNames = Object.keys(textProperties) as readonly TextProperty[];

/**
 * Reads a stored AMQP message; `takesHeaders`: what headers say that are ours is put back to where it came from. Throws BrokerError
 * `corrupt-message` or WireError where it is damaged.
 */
export function messageOfStored(payload: Buffer, takesHeaders = true): Message {
  const view = new StoredView().read(payload);
  const properties = readProperties(payload, view.propertiesAt, view.propertiesAt + view.propertiesBytes);
  const routingKey = payload.toString('utf8', view.routingKeyAt, view.routingKeyAt + view.routingKeyBytes);
  const body = payload.subarray(view.bodyAt, view.bodyAt + view.bodyBytes);
  const message: Message = {
    body,
    key:
      view.routingKeyBytes === 0 ? null : payload.subarray(view.routingKeyAt, view.routingKeyAt + view.routingKeyBytes),
    tag: null,
    headers: [],
    timestampMs: timestampMsOf(properties.timestamp, view.publishedMs),
    exchange: payload.toString('utf8', view.exchangeAt, view.exchangeAt + view.exchangeBytes),
    routingKey,
  };
  for (const name of textPropertyNames) {
    const value = properties[name];
    if (value !== undefined) message[textProperties[name]] = value;
  }
  if (properties.expiration !== undefined && /^\d+$/.test(properties.expiration))
    message.expirationMs = Number(properties.expiration);
  if (properties.priority !== undefined) message.priority = properties.priority;
  if (properties.deliveryMode !== undefined) message.persistent = properties.deliveryMode === 2;
  if (takesHeaders && properties.clusterId !== undefined) {
    message.headers.push({ name: 'amqp.clusterId', value: Buffer.from(properties.clusterId) });
  }
  for (const { key, field } of properties.headers ?? []) {
    if (!takesHeaders || !takeHeader(message, key, field)) message.headers.push(headerOfField(key, field));
  }
  return message;
}

/** Seconds of the timestamp property, or when the message was published. A time that no number holds counts as unsaid. */
export function timestampMsOf(seconds: bigint | number | undefined, publishedMs: number): number {
  if (seconds === undefined || seconds < 0) return publishedMs;
  const ms = Number(seconds) * 1000;
  return Number.isSafeInteger(ms) ? ms : publishedMs;
}

/** True when the header is one of ours and has been put back to where it came from. */
function takeHeader(message: Message, key: string, field: FieldValue): boolean {
  if (field.type === 'S' || field.type === 'x') {
    if (key === keyHeader) {
      message.key = field.value;
      return true;
    }
    if (key === tagHeader) {
      message.tag = field.value.toString();
      return true;
    }
    const name = key.startsWith('amqp.') ? (key.slice(5) as TextProperty) : null;
    if (name !== null && textPropertyNames.includes(name) && message[textProperties[name]] === undefined) {
      message[textProperties[name]] = field.value.toString();
      return true;
    }
  } else if (key === tombstoneHeader && field.type === 't' && field.value && message.body?.length === 0) {
    message.body = null;
    return true;
  } else if (key === timeHeader && field.type === 'l') {
    const ms = Number(field.value);
    if (Math.floor(ms / 1000) * 1000 === message.timestampMs && ms !== message.timestampMs) {
      message.timestampMs = ms;
      return true;
    }
  }
  return false;
}

/** What of a canonical message does not lie in its properties. */
export interface Outgoing {
  exchange: string;
  routingKey: string;
  properties: Properties;
  body: Buffer;
}

const emptyBody = Buffer.alloc(0);

/** `exchange` is where the reader found it, for messages that do not say where they were published to. */
export function outgoingOf(message: Message, exchange: string): Outgoing {
  const routingKey = routingKeyOf(message);
  const properties: Properties = {};
  const headers: TableEntry[] = [];
  for (const name of textPropertyNames) {
    const value = message[textProperties[name]];
    if (value === undefined) continue;
    if (Buffer.byteLength(value) <= shortStringBytesMax) properties[name] = value;
    else headers.push(text(`amqp.${name}`, value));
  }
  if (message.expirationMs !== undefined) properties.expiration = String(message.expirationMs);
  if (message.priority !== undefined) properties.priority = Math.min(Math.max(message.priority, 0), 255);
  if (message.persistent !== undefined) properties.deliveryMode = message.persistent ? 2 : 1;
  properties.timestamp = BigInt(Math.max(Math.floor(message.timestampMs / 1000), 0));
  if (message.timestampMs % 1000 !== 0 && message.timestampMs > 0) {
    headers.push({ key: timeHeader, field: { type: 'l', value: BigInt(message.timestampMs) } });
  }
  for (const header of message.headers) {
    if (header.name === 'amqp.clusterId' && header.value !== null) properties.clusterId = header.value.toString();
    else headers.push({ key: header.name, field: fieldOfHeader(header) });
  }
  if (!sameKey(message.key, routingKey)) {
    headers.push({ key: keyHeader, field: { type: isText(message.key!) ? 'S' : 'x', value: message.key! } });
  }
  if (message.tag !== null) headers.push(text(tagHeader, message.tag));
  if (message.body === null) headers.push({ key: tombstoneHeader, field: { type: 't', value: true } });
  if (headers.length > 0) properties.headers = headers satisfies FieldTable;
  return { exchange: message.exchange ?? exchange, routingKey, properties, body: message.body ?? emptyBody };
}

/** The publisher's routing key; for a record that has none its key, else its tag, where they fit. */
function routingKeyOf(message: Message): string {
  if (message.routingKey !== undefined) return message.routingKey;
  if (message.key !== null && message.key.length <= shortStringBytesMax && isText(message.key))
    return message.key.toString();
  if (message.key === null && message.tag !== null && Buffer.byteLength(message.tag) <= shortStringBytesMax) {
    return message.tag;
  }
  return '';
}

/** True when a reader who knows the routing key knows the key. A null key says nothing that would have to be kept. */
function sameKey(key: Buffer | null, routingKey: string): boolean {
  return key === null || (key.length > 0 && key.equals(Buffer.from(routingKey)));
}

function isText(bytes: Buffer): boolean {
  return Buffer.from(bytes.toString()).equals(bytes);
}

function text(key: string, value: string): TableEntry {
  return { key, field: { type: 'S', value: Buffer.from(value) } };
}
