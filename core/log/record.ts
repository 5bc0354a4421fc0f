/**
 * The canonical record: the one message format that the core itself writes (dead letters, messages that no protocol's
 * own format holds). Every field of Message survives, and absent differs from empty.
 *
 *   record   := version flags timestamp [key] text* [expiration] [priority] count header* [body]
 *   version  := u8, 1
 *   flags    := varint; bit 0 body, 1 key, 2 tag, 3 exchange, 4 routingKey, 5 messageId, 6 correlationId, 7 replyTo,
 *               8 contentType, 9 contentEncoding, 10 type, 11 userId, 12 appId, 13 expirationMs, 14 priority:
 *               the field is there. Bit 15: `persistent` was said, 16: it was said to be true. No other bit is set.
 *   text     := bytes in UTF-8, one for each of the bits 2 … 12 that is set, in that order
 *   timestamp, expiration, priority := int
 *   count    := varint, of headers
 *   header   := u8 (bit 0: value is there, bit 1: type is there) name:text [value:bytes] [type:text]
 *   key, body, value := bytes
 *   bytes    := length:varint u8*
 *   varint   := seven bits a byte, lowest first, bit 7 says that another byte follows; at most 2^53 - 1
 *   int      := as varint, but bit 6 of the first byte is the sign, so it holds six bits; a safe integer
 *
 * Nothing follows the record. Body "hi", key "k", messageId "m", persistent, born at 1000, the headers a = "1" and n
 * without value, of type "I":
 *
 *   01  a38006  a80f  016b  016d  02  01 0161 0131  02 016e 0149  026869
 *
 * To add a field: take the next bit, put it behind `priority`, and leave the version; a reader that does not know a bit
 * refuses the record. To change or drop one: a new version, and this one is read for ever.
 *
 * Invariants: decode(encode(m)) is m. Nothing is read beyond the payload, and nothing is allocated for a length or
 * count before as many bytes are known to be there. Decoded bytes are slices of the payload.
 */
import { isUtf8 } from 'node:buffer';
import { BrokerError } from '../errors.ts';
import { type Codec, FORMAT_CANONICAL, type Header, type Message } from '../types.ts';
import { ByteWriter } from './bytes.ts';

const VERSION = 1;

const BODY = 1 << 0;
const KEY = 1 << 1;
const TAG = 1 << 2;
/** From bit 3 on. */
const TEXTS = [
  'exchange',
  'routingKey',
  'messageId',
  'correlationId',
  'replyTo',
  'contentType',
  'contentEncoding',
  'type',
  'userId',
  'appId',
] as const;
const FIRST_TEXT = 3;
const EXPIRATION = 1 << 13;
const PRIORITY = 1 << 14;
const PERSISTENT_SAID = 1 << 15;
const PERSISTENT = 1 << 16;
const FLAGS_LIMIT = 1 << 17;

const HEADER_VALUE = 1;
const HEADER_TYPE = 2;
const HEADER_BYTES_MIN = 2;

/** A head larger than this is not kept to write the next one into. */
const KEPT_BYTES_MAX = 64 * 1024;

let head = new ByteWriter(1024);

// ---------------------------------------------------------------- encode

/** Throws argument-invalid when a number of the message is not a safe integer. */
export function encodeRecord(message: Message): Buffer {
  head.reset();
  head.u8(VERSION);
  head.varint(flagsOf(message));
  int(message.timestampMs, 'timestampMs');
  if (message.key !== null) bytes(message.key);
  if (message.tag !== null) head.text(message.tag);
  for (const name of TEXTS) {
    const text = message[name];
    if (text !== undefined) head.text(text);
  }
  if (message.expirationMs !== undefined) int(message.expirationMs, 'expirationMs');
  if (message.priority !== undefined) int(message.priority, 'priority');
  head.varint(message.headers.length);
  for (const header of message.headers) putHeader(header);
  const { body } = message;
  if (body !== null) head.varint(body.length);
  const headBytes = head.done();
  const record = Buffer.allocUnsafe(headBytes.length + (body?.length ?? 0));
  headBytes.copy(record);
  body?.copy(record, headBytes.length);
  if (head.bytes.length > KEPT_BYTES_MAX) head = new ByteWriter(1024);
  return record;
}

function flagsOf(message: Message): number {
  let flags = 0;
  if (message.body !== null) flags |= BODY;
  if (message.key !== null) flags |= KEY;
  if (message.tag !== null) flags |= TAG;
  for (let n = 0; n < TEXTS.length; n++) if (message[TEXTS[n]!] !== undefined) flags |= 1 << (FIRST_TEXT + n);
  if (message.expirationMs !== undefined) flags |= EXPIRATION;
  if (message.priority !== undefined) flags |= PRIORITY;
  if (message.persistent !== undefined) flags |= PERSISTENT_SAID;
  if (message.persistent === true) flags |= PERSISTENT;
  return flags;
}

function putHeader(header: Header): void {
  head.u8((header.value === null ? 0 : HEADER_VALUE) | (header.type === undefined ? 0 : HEADER_TYPE));
  head.text(header.name);
  if (header.value !== null) bytes(header.value);
  if (header.type !== undefined) head.text(header.type);
}

function bytes(value: Buffer): void {
  head.varint(value.length);
  head.raw(value);
}

function int(value: number, field: string): void {
  if (!Number.isSafeInteger(value))
    throw new BrokerError('argument-invalid', `${field} is ${value}: it has to be a whole number below 2^53`);
  const sign = value < 0 ? 0x40 : 0;
  const size = Math.abs(value);
  const rest = Math.floor(size / 0x40);
  head.u8((size % 0x40) | sign | (rest > 0 ? 0x80 : 0));
  if (rest > 0) head.varint(rest);
}

// ---------------------------------------------------------------- decode

export const canonicalCodec: Codec = {
  format: FORMAT_CANONICAL,
  name: 'canonical',
  decode(payload, bytesMax) {
    if (payload.length > bytesMax)
      throw new BrokerError('message-too-large', `a record of ${payload.length} bytes, ${bytesMax} are allowed`);
    return [decodeRecord(payload)];
  },
};

function decodeRecord(payload: Buffer): Message {
  const from = new Cursor(payload);
  const version = from.u8();
  if (version !== VERSION) throw corrupt(`version ${version} is unknown`);
  const flags = from.varint();
  if (flags >= FLAGS_LIMIT || (flags & (PERSISTENT | PERSISTENT_SAID)) === PERSISTENT)
    throw corrupt(`flags ${flags} are unknown`);
  const timestampMs = from.int();
  const key = flags & KEY ? from.bytes() : null;
  const tag = flags & TAG ? from.text() : null;
  const message: Message = { body: null, key, tag, headers: [], timestampMs };
  for (let n = 0; n < TEXTS.length; n++) if (flags & (1 << (FIRST_TEXT + n))) message[TEXTS[n]!] = from.text();
  if (flags & EXPIRATION) message.expirationMs = from.int();
  if (flags & PRIORITY) message.priority = from.int();
  if (flags & PERSISTENT_SAID) message.persistent = (flags & PERSISTENT) !== 0;
  const count = from.varint();
  if (count * HEADER_BYTES_MIN > from.left) throw corrupt(`${count} headers in ${from.left} bytes`);
  for (let n = 0; n < count; n++) message.headers.push(takeHeader(from));
  if (flags & BODY) message.body = from.bytes();
  if (from.left > 0) throw corrupt(`${from.left} bytes behind its end`);
  return message;
}

function takeHeader(from: Cursor): Header {
  const flags = from.u8();
  if (flags > (HEADER_VALUE | HEADER_TYPE)) throw corrupt(`flags ${flags} of a header are unknown`);
  const name = from.text();
  const value = flags & HEADER_VALUE ? from.bytes() : null;
  return flags & HEADER_TYPE ? { name, value, type: from.text() } : { name, value };
}

/** Reads what may be anything. */
class Cursor {
  private readonly payload: Buffer;
  private at = 0;

  constructor(payload: Buffer) {
    this.payload = payload;
  }

  get left(): number {
    return this.payload.length - this.at;
  }

  u8(): number {
    if (this.at >= this.payload.length) throw corrupt('it ends too early');
    return this.payload[this.at++]!;
  }

  varint(): number {
    return this.groups(0, 1);
  }

  int(): number {
    const first = this.u8();
    const low = first & 0x3f;
    const size = first & 0x80 ? this.groups(low, 0x40) : low;
    return first & 0x40 && size > 0 ? -size : size;
  }

  bytes(): Buffer {
    const start = this.take();
    return this.payload.subarray(start, this.at);
  }

  text(): string {
    const start = this.take();
    const text = this.payload.toString('utf8', start, this.at);
    // Where a byte could not be read there is a replacement character; one may also have been written.
    if (text.includes('\ufffd') && !isUtf8(this.payload.subarray(start, this.at))) throw corrupt('a text is not UTF-8');
    return text;
  }

  /** Adds groups of seven bits, the first of them worth `scale`, to `value`. */
  private groups(value: number, scale: number): number {
    let sum = value;
    for (let worth = scale; worth <= Number.MAX_SAFE_INTEGER; worth *= 0x80) {
      const byte = this.u8();
      sum += (byte & 0x7f) * worth;
      if (byte >= 0x80) continue;
      if (sum > Number.MAX_SAFE_INTEGER) break;
      return sum;
    }
    throw corrupt('a number is too large');
  }

  /** Moves behind the bytes whose length comes first, and returns where they begin. */
  private take(): number {
    const length = this.varint();
    if (length > this.left) throw corrupt(`${length} bytes announced, ${this.left} are there`);
    const start = this.at;
    this.at = start + length;
    return start;
  }
}

function corrupt(what: string): BrokerError {
  return new BrokerError('corrupt-message', `a canonical record cannot be read: ${what}`);
}
