// Between the canonical message and a RocketMQ record (specs/rocketmq/MAPPING.md, "Message").
//
// What RocketMQ has a place for goes there: body, KEYS, TAGS, UNIQ_KEY, CORRELATION_ID, user properties, the born time.
// The rest (null bodies, binary or repeated headers, an exchange …) goes into one property, EXTRA, as JSON, and is
// taken back from it, so that canonical → record → canonical is the identity.
//
// Invariants: a property that a RocketMQ client sees is text without the separators; a header that cannot be one is in
// EXTRA with its position; nothing decoded is larger than the caller allows.

import { inflateSync, zstdDecompressSync } from 'node:zlib';
import { BrokerError } from '../../core/errors.ts';
import type { Header, Message } from '../../core/types.ts';
import { PROPERTIES_BYTES_MAX, PROPERTY, SYS_FLAG } from '../../specs/rocketmq/constants.ts';
import { decodeLz4Frame } from './lz4-frame.ts';
import { isPropertyText, readProperties, writeProperties } from './properties.ts';
import { bornTimestampOf, flagOf, type RecordPlace, sysFlagOf } from './record.ts';

/** Holds what RocketMQ has no place for. */
const EXTRA = '__ROSETTA_EXTRA';
/** The message's flag (an int of the application), as a header of other protocols. */
export const FLAG_HEADER = '__FLAG';

/** Optional texts and numbers of the canonical message that RocketMQ has no property for. */
const EXTRA_TEXTS = [
  'exchange',
  'routingKey',
  'replyTo',
  'contentType',
  'contentEncoding',
  'type',
  'userId',
  'appId',
] as const;

interface Extra {
  nullBody?: true;
  key?: string;
  tag?: string;
  messageId?: string;
  correlationId?: string;
  /** [position, name, value in base64 or null, type]. */
  headers?: [number, string, string | null, string?][];
  /** [name, type] of headers that are user properties but typed where they come from. */
  types?: [string, string][];
  expirationMs?: number;
  priority?: number;
  persistent?: boolean;
  [text: string]: unknown;
}

const TAKEN: ReadonlySet<string> = new Set([
  PROPERTY.KEYS,
  PROPERTY.TAGS,
  PROPERTY.UNIQ_KEY,
  'CORRELATION_ID',
  EXTRA,
  FLAG_HEADER,
]);

/** What a foreign message is as a RocketMQ record, apart from hosts. */
export interface ForeignRecord {
  body: Buffer;
  properties: Buffer;
  flag: number;
  bornTimestamp: number;
  /** Headers left out because the properties of a message end at 32,767 bytes. */
  dropped: number;
}

const EMPTY = Buffer.alloc(0);

export function toRecord(message: Message): ForeignRecord {
  const properties = new Map<string, string>();
  const extra: Extra = {};
  if (message.body === null) extra.nullBody = true;
  putKey(message.key, properties, extra);
  putText(PROPERTY.TAGS, 'tag', message.tag, properties, extra);
  putText(PROPERTY.UNIQ_KEY, 'messageId', message.messageId ?? null, properties, extra);
  putText('CORRELATION_ID', 'correlationId', message.correlationId ?? null, properties, extra);
  for (const name of EXTRA_TEXTS) if (message[name] !== undefined) extra[name] = message[name];
  if (message.expirationMs !== undefined) extra.expirationMs = message.expirationMs;
  if (message.priority !== undefined) extra.priority = message.priority;
  if (message.persistent !== undefined) extra.persistent = message.persistent;
  let flag = 0;
  for (const [position, header] of message.headers.entries()) {
    const text = plainText(header, properties);
    if (text !== null) {
      properties.set(header.name, text);
      if (header.type !== undefined) (extra.types ??= []).push([header.name, header.type]);
      continue;
    }
    const asFlag = position === message.headers.length - 1 ? flagText(header) : 0;
    if (asFlag !== 0) {
      flag = asFlag;
      continue;
    }
    const value = header.value === null ? null : header.value.toString('base64');
    const entry: [number, string, string | null, string?] = [position, header.name, value];
    if (header.type !== undefined) entry.push(header.type);
    (extra.headers ??= []).push(entry);
  }
  const isExtra = Object.keys(extra).length > 0;
  if (isExtra) properties.set(EXTRA, JSON.stringify(extra));
  const { bytes, dropped } = withinLimit(properties);
  return { body: message.body ?? EMPTY, properties: bytes, flag, bornTimestamp: message.timestampMs, dropped };
}

/** Decodes the record at `place`; its body is decompressed to at most `bytesMax` bytes. */
export function toMessage(payload: Buffer, place: RecordPlace, bytesMax: number): Message {
  const properties = readProperties(payload, place.propertiesStart, place.propertiesEnd);
  const extra = readExtra(properties.get(EXTRA));
  const stored = payload.subarray(place.bodyStart, place.bodyEnd);
  const body = decompress(stored, sysFlagOf(payload, place.start), bytesMax);
  // An empty property says no more than an absent one; clients of the protocol drop it.
  const keys = properties.get(PROPERTY.KEYS) || undefined;
  const headers: Header[] = [];
  const types = new Map(extra.types);
  for (const [name, value] of properties) {
    if (!TAKEN.has(name)) headers.push(newHeader(name, Buffer.from(value), types.get(name)));
  }
  for (const [position, name, value, type] of extra.headers ?? []) {
    headers.splice(position, 0, newHeader(name, value === null ? null : Buffer.from(value, 'base64'), type));
  }
  const flag = flagOf(payload, place.start);
  if (flag !== 0) headers.push({ name: FLAG_HEADER, value: Buffer.from(String(flag)) });
  const message: Message = {
    body: extra.nullBody === true && body.length === 0 ? null : body,
    key: extra.key !== undefined ? Buffer.from(extra.key, 'base64') : keys === undefined ? null : Buffer.from(keys),
    tag: extra.tag ?? (properties.get(PROPERTY.TAGS) || null),
    headers,
    timestampMs: bornTimestampOf(payload, place.start),
  };
  const messageId = extra.messageId ?? (properties.get(PROPERTY.UNIQ_KEY) || undefined);
  if (messageId !== undefined) message.messageId = messageId;
  const correlationId = extra.correlationId ?? (properties.get('CORRELATION_ID') || undefined);
  if (correlationId !== undefined) message.correlationId = correlationId;
  for (const name of EXTRA_TEXTS) if (typeof extra[name] === 'string') message[name] = extra[name] as string;
  if (extra.expirationMs !== undefined) message.expirationMs = extra.expirationMs;
  if (extra.priority !== undefined) message.priority = extra.priority;
  if (extra.persistent !== undefined) message.persistent = extra.persistent;
  return message;
}

/** Undoes the client's compression of a body (sysFlag bits 0 and 8-10). */
function decompress(body: Buffer, sysFlag: number, bytesMax: number): Buffer {
  if ((sysFlag & SYS_FLAG.COMPRESSED) === 0 || body.length === 0) {
    if (body.length > bytesMax) throw new BrokerError('message-too-large', `a body of ${body.length} bytes`);
    return body;
  }
  try {
    switch (sysFlag & SYS_FLAG.COMPRESSION_TYPE_MASK) {
      case SYS_FLAG.COMPRESSION_LZ4:
        return decodeLz4Frame(body, bytesMax);
      case SYS_FLAG.COMPRESSION_ZSTD:
        return zstdDecompressSync(body, { maxOutputLength: bytesMax });
      default:
        return inflateSync(body, { maxOutputLength: bytesMax });
    }
  } catch (cause) {
    if (cause instanceof RangeError && /bytes|larger/.test(cause.message)) {
      throw new BrokerError('message-too-large', `a body of more than ${bytesMax} bytes once decompressed`, { cause });
    }
    throw new BrokerError('corrupt-message', 'the compressed body cannot be decompressed', { cause });
  }
}

function putKey(key: Buffer | null, properties: Map<string, string>, extra: Extra): void {
  if (key === null) return;
  const text = key.toString('utf8', 0, key.length);
  if (key.length > 0 && isPropertyText(text) && Buffer.from(text).equals(key)) properties.set(PROPERTY.KEYS, text);
  else extra.key = key.toString('base64');
}

function putText(
  property: string,
  field: 'tag' | 'messageId' | 'correlationId',
  value: string | null,
  properties: Map<string, string>,
  extra: Extra,
): void {
  if (value === null) return;
  if (value !== '' && isPropertyText(value)) properties.set(property, value);
  else extra[field] = value;
}

/** The header's value where it can be a user property as it is, else null. Clients drop empty values. */
function plainText(header: Header, properties: ReadonlyMap<string, string>): string | null {
  const { name, value } = header;
  if (value === null || value.length === 0) return null;
  if (name === '' || TAKEN.has(name) || properties.has(name) || !isPropertyText(name)) return null;
  const text = value.toString('utf8', 0, value.length);
  return isPropertyText(text) && Buffer.from(text).equals(value) ? text : null;
}

function newHeader(name: string, value: Buffer | null, type: string | undefined): Header {
  return type === undefined ? { name, value } : { name, value, type };
}

function flagText(header: Header): number {
  if (header.name !== FLAG_HEADER || header.type !== undefined || header.value === null) return 0;
  const text = header.value.toString('latin1', 0, header.value.length);
  const flag = /^-?[1-9]\d{0,9}$/.test(text) ? Number(text) : 0;
  return flag === (flag | 0) ? flag : 0;
}

/** The protocol's limit is a signed short. EXTRA goes first, since only its way home needs it, then the last headers. */
function withinLimit(properties: Map<string, string>): { bytes: Buffer; dropped: number } {
  let bytes = writeProperties(properties);
  let dropped = 0;
  if (bytes.length <= PROPERTIES_BYTES_MAX) return { bytes, dropped };
  const names = [...properties.keys()].filter((name) => name !== EXTRA);
  if (properties.delete(EXTRA)) dropped++;
  let length = writeProperties(properties).length;
  while (length > PROPERTIES_BYTES_MAX && names.length > 0) {
    const name = names.pop()!;
    length -= Buffer.byteLength(name) + Buffer.byteLength(properties.get(name)!) + 2;
    properties.delete(name);
    dropped++;
  }
  bytes = writeProperties(properties);
  return { bytes, dropped };
}

/** EXTRA as we wrote it; a property of that name that is not ours says nothing. */
function readExtra(text: string | undefined): Extra {
  if (text === undefined) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return {};
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return {};
  const given = parsed as Record<string, unknown>;
  const extra: Extra = {};
  if (given['nullBody'] === true) extra.nullBody = true;
  for (const name of ['key', 'tag', 'messageId', 'correlationId', ...EXTRA_TEXTS] as const) {
    if (typeof given[name] === 'string') extra[name] = given[name];
  }
  if (typeof given['expirationMs'] === 'number') extra.expirationMs = given['expirationMs'];
  if (typeof given['priority'] === 'number') extra.priority = given['priority'];
  if (typeof given['persistent'] === 'boolean') extra.persistent = given['persistent'];
  if (Array.isArray(given['headers'])) extra.headers = given['headers'].filter(isHeaderEntry);
  if (Array.isArray(given['types'])) extra.types = given['types'].filter(isTypeEntry);
  return extra;
}

function isTypeEntry(entry: unknown): entry is [string, string] {
  return Array.isArray(entry) && entry.length === 2 && typeof entry[0] === 'string' && typeof entry[1] === 'string';
}

function isHeaderEntry(entry: unknown): entry is [number, string, string | null, string?] {
  if (!Array.isArray(entry)) return false;
  const [position, name, value, type] = entry as unknown[];
  return (
    Number.isInteger(position) &&
    (position as number) >= 0 &&
    typeof name === 'string' &&
    (value === null || typeof value === 'string') &&
    (type === undefined || typeof type === 'string')
  );
}
