// Canonical messages from a record batch and back.
//
// Record (all varints zigzag): length varint, attributes int8, timestampDelta varlong, offsetDelta varint, key length
// varint (-1 null) and key, value length and value, header count, then name length, name, value length, value each.
//
// Invariants:
// - Kafka batch -> Message[] -> Kafka batch gives the same records byte for byte where they were uncompressed;
// - what a Message has and a record has not travels in headers of reserved names (CARRIED), which are *copied* into
//   the fields and stay among the headers, so that order and duplicates survive (specs/kafka/MAPPING.md).

import { isUtf8 } from 'node:buffer';
import { BrokerError } from '../../../core/errors.ts';
import type { Header, Message, Offset, TimeMs } from '../../../core/types.ts';
import { Reader } from '../../wire/reader.ts';
import { WireError } from '../../wire/wire-error.ts';
import type { Writer } from '../../wire/writer.ts';
import { AT, ATTRIBUTE, BATCH_HEAD_BYTES, LENGTH_HEAD_BYTES, readInt64 } from './batch.ts';
import { carriedFields, withCarriedHeaders } from './carried.ts';
import { decompress } from './compression.ts';
import { crc32c } from './crc32c.ts';

/** What a decoded record and header cost in objects beside their bytes: they count towards the limit on decoded size. */
const RECORD_OVERHEAD_BYTES = 256;
const HEADER_OVERHEAD_BYTES = 160;

/** All records of one stored batch, in order. Throws BrokerError corrupt-message or message-too-large. */
export function decodeBatch(payload: Buffer, bytesMax: number): Message[] {
  if (payload.length < BATCH_HEAD_BYTES || payload[AT.magic] !== 2) {
    throw new BrokerError('corrupt-message', 'not a record batch of format 2');
  }
  const attributes = payload.readInt16BE(AT.attributes);
  const count = payload.readInt32BE(AT.recordCount);
  const logAppendTime = (attributes & ATTRIBUTE.logAppendTime) !== 0;
  const baseTime = readInt64(payload, logAppendTime ? AT.maxTimestamp : AT.baseTimestamp);
  const packed = payload.subarray(BATCH_HEAD_BYTES);
  const records = decompress(attributes & ATTRIBUTE.codecMask, packed, bytesMax);
  // A record takes at least 7 bytes, so a count beyond that lies.
  if (count < 0 || count * 7 > records.length) throw new BrokerError('corrupt-message', `${count} records claimed`);
  const reader = new Reader(records);
  const messages: Message[] = [];
  let budget = bytesMax - records.length;
  try {
    for (let i = 0; i < count; i++) {
      const message = decodeRecord(reader, baseTime, logAppendTime, i);
      budget -= RECORD_OVERHEAD_BYTES + message.headers.length * HEADER_OVERHEAD_BYTES;
      if (budget < 0) throw new BrokerError('message-too-large', `a batch decodes to more than ${bytesMax} bytes`);
      messages.push(message);
    }
    if (reader.remaining > 0) throw new WireError(`${reader.remaining} bytes behind the last record`);
  } catch (cause) {
    if (cause instanceof WireError) throw new BrokerError('corrupt-message', cause.message, { cause });
    throw cause;
  }
  return messages;
}

function decodeRecord(reader: Reader, baseTime: TimeMs, logAppendTime: boolean, index: number): Message {
  const bytes = reader.varint();
  const end = reader.offset + bytes;
  if (bytes < 0 || end > reader.end) throw new WireError(`record ${index} of ${bytes} bytes`);
  reader.skip(1);
  const delta = reader.varlong();
  if (reader.varint() !== index) throw new WireError(`record ${index} claims another place in its batch`);
  const key = nullable(reader);
  const body = nullable(reader);
  const headers: Header[] = [];
  const count = reader.varint();
  if (count < 0 || count > end - reader.offset) throw new WireError(`record ${index} with ${count} headers`);
  for (let i = 0; i < count; i++) headers.push(decodeHeader(reader));
  if (reader.offset !== end) throw new WireError(`record ${index} does not end where it says`);
  const timestampMs = logAppendTime ? baseTime : baseTime + delta;
  const message: Message = { body, key, tag: null, headers, timestampMs };
  if (count > 0) carriedFields(headers, message);
  return message;
}

function nullable(reader: Reader): Buffer | null {
  const bytes = reader.varint();
  return bytes < 0 ? null : reader.slice(bytes);
}

function decodeHeader(reader: Reader): Header {
  const nameBytes = reader.varint();
  if (nameBytes < 0) throw new WireError('a header without a name');
  const name = reader.utf8(nameBytes);
  const value = nullable(reader);
  // Absent means text to the other protocols; bytes that are none must not be taken for it.
  return value === null || isUtf8(value) ? { name, value } : { name, value, type: 'bytes' };
}

/**
 * Writes messages[from, to) as one uncompressed batch into the writer's frame. Returns its size in bytes. With no
 * messages it is an empty batch that covers `covers` offsets: how a client is led past offsets without anything in them.
 */
export function encodeBatch(
  writer: Writer,
  messages: readonly Message[],
  from: number,
  to: number,
  baseOffset: Offset,
  epoch: number,
  covers: number = to - from,
): number {
  const startLength = writer.length;
  const baseTime = from < to ? messages[from]!.timestampMs : -1;
  let maxTime = -1;
  for (let i = from; i < to; i++) maxTime = Math.max(maxTime, messages[i]!.timestampMs);
  writer.int64(baseOffset);
  writer.int32(0);
  writer.int32(epoch);
  writer.int8(2);
  writer.int32(0);
  writer.int16(0);
  writer.int32(covers - 1);
  writer.int64(baseTime);
  writer.int64(maxTime);
  writer.int64(-1);
  writer.int16(-1);
  writer.int32(-1);
  writer.int32(to - from);
  for (let i = from; i < to; i++) encodeRecord(writer, messages[i]!, messages[i]!.timestampMs - baseTime, i - from);
  const bytes = writer.length - startLength;
  const start = writer.start + startLength;
  writer.patchInt32(startLength + AT.batchLength, bytes - LENGTH_HEAD_BYTES);
  writer.patchInt32(startLength + AT.crc, crc32c(writer.buffer, start + AT.attributes, start + bytes));
  return bytes;
}

function encodeRecord(writer: Writer, message: Message, timeDelta: number, offsetDelta: number): void {
  const headers = withCarriedHeaders(message);
  writer.varint(recordBytes(message, headers, timeDelta, offsetDelta));
  writer.int8(0);
  writer.varlong(timeDelta);
  writer.varint(offsetDelta);
  writeNullable(writer, message.key);
  writeNullable(writer, message.body);
  writer.varint(headers.length);
  for (const header of headers) {
    writer.varint(Buffer.byteLength(header.name));
    writer.utf8(header.name);
    writeNullable(writer, header.value);
  }
}

function writeNullable(writer: Writer, bytes: Buffer | null): void {
  if (bytes === null) {
    writer.varint(-1);
    return;
  }
  writer.varint(bytes.length);
  writer.bytes(bytes);
}

function recordBytes(message: Message, headers: readonly Header[], timeDelta: number, offsetDelta: number): number {
  let bytes = 1 + varintBytes(timeDelta) + varintBytes(offsetDelta) + nullableBytes(message.key);
  bytes += nullableBytes(message.body) + varintBytes(headers.length);
  for (const header of headers) {
    const nameBytes = Buffer.byteLength(header.name);
    bytes += varintBytes(nameBytes) + nameBytes + nullableBytes(header.value);
  }
  return bytes;
}

function nullableBytes(bytes: Buffer | null): number {
  return bytes === null ? 1 : varintBytes(bytes.length) + bytes.length;
}

/** Bytes of a safe integer as a zigzag varint. */
export function varintBytes(value: number): number {
  let magnitude = value < 0 ? -value - 1 : value;
  let bytes = 1;
  // The first byte holds six bits of the magnitude (and the sign), each further one seven.
  magnitude = Math.floor(magnitude / 64);
  while (magnitude > 0) {
    bytes++;
    magnitude = Math.floor(magnitude / 128);
  }
  return bytes;
}
