// The fields of a canonical message that a Kafka record has no place for, as headers of reserved names.
//
// Invariants:
// - reading copies: the header stays where it is, the field repeats it, so a record from Kafka goes home unchanged;
// - writing adds a header only when none of that name is there, behind the message's own headers;
// - a header whose value is not what its field wants (text, a number) is left a plain header.

import { isUtf8 } from 'node:buffer';
import type { Header, Message } from '../../../core/types.ts';

type TextField =
  | 'exchange'
  | 'routingKey'
  | 'messageId'
  | 'correlationId'
  | 'replyTo'
  | 'contentType'
  | 'contentEncoding'
  | 'type'
  | 'userId'
  | 'appId';

/** Header name -> text field. `TAGS` is the common name of a tag in every protocol. */
const TEXT: Readonly<Record<string, TextField>> = {
  'x-exchange': 'exchange',
  'x-routing-key': 'routingKey',
  'x-message-id': 'messageId',
  'x-correlation-id': 'correlationId',
  'x-reply-to': 'replyTo',
  'content-type': 'contentType',
  'content-encoding': 'contentEncoding',
  'x-type': 'type',
  'x-user-id': 'userId',
  'x-app-id': 'appId',
};
const TEXT_NAMES = Object.keys(TEXT);
const ROUTING_KEY_HEADER = 'x-routing-key';
const TAG_HEADER = 'TAGS';
const EXPIRATION_HEADER = 'x-expiration-ms';
const PRIORITY_HEADER = 'x-priority';
const PERSISTENT_HEADER = 'x-persistent';
/** Longer values are somebody's data, not one of these fields. */
const VALUE_BYTES_MAX = 1024;

/** Sets the fields that the headers carry. The first header of a name counts. */
export function carriedFields(headers: readonly Header[], into: Message): void {
  for (const { name, value } of headers) {
    // Every reserved name but TAGS begins so; most headers are passed over by one comparison.
    const first = name.charCodeAt(0);
    if (first !== 0x78 && first !== 0x63 && first !== 0x54) continue;
    if (value === null || value.length > VALUE_BYTES_MAX || !isUtf8(value)) continue;
    if (name === TAG_HEADER) {
      if (into.tag === null && value.length > 0) into.tag = value.toString();
      continue;
    }
    const field = Object.hasOwn(TEXT, name) ? TEXT[name] : undefined;
    if (field !== undefined) into[field] ??= value.toString();
    else if (name === EXPIRATION_HEADER) number(value, (n) => (into.expirationMs ??= n));
    else if (name === PRIORITY_HEADER) number(value, (n) => (into.priority ??= n));
    else if (name === PERSISTENT_HEADER) number(value, (n) => (into.persistent ??= n === 1));
  }
}

function number(value: Buffer, set: (n: number) => void): void {
  const text = value.toString();
  if (/^(0|[1-9]\d{0,14})$/.test(text)) set(Number(text));
}

/** The headers of the record: the message's own, and those that carry its fields. */
export function withCarriedHeaders(message: Message): readonly Header[] {
  let headers: Header[] | null = null;
  const add = (name: string, text: string): void => {
    if (message.headers.some((header) => header.name === name)) return;
    headers ??= message.headers.slice();
    headers.push({ name, value: Buffer.from(text) });
  };
  if (message.tag !== null) add(TAG_HEADER, message.tag);
  for (const name of TEXT_NAMES) {
    const text = message[TEXT[name]!];
    // A routing key that is the record's key says nothing more.
    if (text === undefined || (name === ROUTING_KEY_HEADER && message.key?.toString() === text)) continue;
    add(name, text);
  }
  if (message.expirationMs !== undefined) add(EXPIRATION_HEADER, String(message.expirationMs));
  if (message.priority !== undefined) add(PRIORITY_HEADER, String(message.priority));
  if (message.persistent !== undefined) add(PERSISTENT_HEADER, message.persistent ? '1' : '0');
  return headers ?? message.headers;
}
