/**
 * A message as it is stored: the payload under the format tag `amqp`. The grammar, with an example, is in
 * specs/amqp/MAPPING.md:
 *
 *   stored     = version:u8(1) published-ms:u64 exchange:shortstr routing-key:shortstr properties-bytes:u32 properties body
 *
 * Invariants: the properties are the octets of the publisher's content header, from the flags on; the body is the rest
 * of the payload; a payload is written once and read by offsets.
 */

import { BrokerError } from '../../core/errors.ts';
import { Writer } from '../wire/writer.ts';
import type { Properties } from './content-properties.ts';
import { writeProperties } from './content-properties.ts';
import { writeShortString } from './field-table.ts';

export const storedVersion = 1;
const publishedAt = 1;
const namesAt = 9;
/** Octets around names, properties and body. */
export const storedOverheadBytes = 15;

/** Where the parts of one stored message lie; reused from message to message. */
export class StoredView {
  publishedMs = 0;
  exchangeAt = 0;
  exchangeBytes = 0;
  routingKeyAt = 0;
  routingKeyBytes = 0;
  propertiesAt = 0;
  propertiesBytes = 0;
  bodyAt = 0;
  bodyBytes = 0;
  /** Properties that take the place of the stored ones in this delivery. */
  changedProperties: Buffer | null = null;

  /** Throws BrokerError `corrupt-message` where the payload is not of this grammar. */
  read(payload: Buffer): this {
    const end = payload.length;
    if (end < storedOverheadBytes || payload[0] !== storedVersion) throw corrupt('version');
    this.publishedMs = payload.readUInt32BE(publishedAt) * 0x1_0000_0000 + payload.readUInt32BE(publishedAt + 4);
    this.exchangeBytes = payload[namesAt]!;
    this.exchangeAt = namesAt + 1;
    const keyAt = this.exchangeAt + this.exchangeBytes;
    if (keyAt >= end) throw corrupt('exchange');
    this.routingKeyBytes = payload[keyAt]!;
    this.routingKeyAt = keyAt + 1;
    const sizeAt = this.routingKeyAt + this.routingKeyBytes;
    if (sizeAt + 4 > end) throw corrupt('routing key');
    this.propertiesBytes = payload.readUInt32BE(sizeAt);
    this.propertiesAt = sizeAt + 4;
    this.bodyAt = this.propertiesAt + this.propertiesBytes;
    if (this.bodyAt > end) throw corrupt('properties');
    this.bodyBytes = end - this.bodyAt;
    this.changedProperties = null;
    return this;
  }
}

function corrupt(part: string): BrokerError {
  return new BrokerError('corrupt-message', `the stored AMQP message is damaged at its ${part}`);
}

/** Writes everything in front of the properties into `target` and returns the offset behind it. */
export function writeStoredHead(
  target: Buffer,
  publishedMs: number,
  exchange: Buffer,
  routingKey: Buffer,
  propertiesBytes: number,
): number {
  target[0] = storedVersion;
  const high = Math.floor(publishedMs / 0x1_0000_0000);
  target.writeUInt32BE(high, publishedAt);
  target.writeUInt32BE(publishedMs - high * 0x1_0000_0000, publishedAt + 4);
  target[namesAt] = exchange.length;
  let at = namesAt + 1;
  at += exchange.copy(target, at);
  target[at++] = routingKey.length;
  at += routingKey.copy(target, at);
  return target.writeUInt32BE(propertiesBytes, at);
}

/**
 * A stored message with other properties: what lies in front of `propertiesAt` stays but for their length, and so does
 * the body from `bodyAt` to `end`.
 */
export function withProperties(
  stored: Buffer,
  propertiesAt: number,
  bodyAt: number,
  end: number,
  properties: Properties,
): Buffer {
  const writer = new Writer({ slabBytes: 1024 });
  writer.bytes(stored.subarray(0, propertiesAt - 4));
  const propertiesBytes = writer.reserveInt32();
  writeProperties(writer, properties);
  writer.patchLength32(propertiesBytes);
  writer.bytes(stored.subarray(bodyAt, end));
  return writer.take();
}

/** A whole stored message from its parts; for messages that did not come from an AMQP publisher's octets. */
export function makeStored(
  publishedMs: number,
  exchange: string,
  routingKey: string,
  properties: Properties,
  body: Buffer,
): Buffer {
  const writer = new Writer({ slabBytes: 1024 });
  writer.uint8(storedVersion);
  writer.int64(publishedMs);
  writeShortString(writer, exchange);
  writeShortString(writer, routingKey);
  const propertiesBytes = writer.reserveInt32();
  writeProperties(writer, properties);
  writer.patchLength32(propertiesBytes);
  writer.bytes(body);
  return writer.take();
}
