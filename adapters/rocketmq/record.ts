// The stored form of RocketMQ messages, format tag 1 (specs/rocketmq/MAPPING.md, "Stored payload"):
//
//   payload := version u8 (1) | record+                       one record per offset
//   record  := recordBytes u32 | bodyCrc u32 | flag i32 | sysFlag i32 | bornTimestamp i64 | reconsumeTimes i32
//            | preparedTransactionOffset i64 | bodyBytes u32 | propertiesBytes u16
//            | bornHost 8 or 20 bytes (sysFlag bit 16) | body | properties
//
// What differs per delivery (queue id, offsets, store time and host, topic) is not in it, so a pull reply is a head
// plus slices of this, copied.
//
// Invariants: recordBytes counts the whole record; body and properties are the producer's own bytes; every read is
// checked against the payload's end and a record that does not add up is `corrupt-message`.

import { crc32 } from 'node:zlib';
import { BrokerError } from '../../core/errors.ts';
import { PROPERTY_VALUE_END, SYS_FLAG } from '../../specs/rocketmq/constants.ts';

const PAYLOAD_VERSION = 1;
/** Where the first record begins. */
export const RECORDS_AT = 1;
export const RECORD_HEAD_BYTES = 42;

const AT = {
  bodyCrc: 4,
  flag: 8,
  sysFlag: 12,
  bornTimestamp: 16,
  reconsumeTimes: 24,
  prepared: 28,
  bodyBytes: 36,
  propertiesBytes: 40,
} as const;

/** A place in a payload, filled by `locate`; reused by its owner. */
export interface RecordPlace {
  start: number;
  end: number;
  bornHostStart: number;
  bodyStart: number;
  bodyEnd: number;
  propertiesStart: number;
  propertiesEnd: number;
  /** The last property has no separator behind it. */
  isOpen: boolean;
}

export function newRecordPlace(): RecordPlace {
  return {
    start: 0,
    end: 0,
    bornHostStart: 0,
    bodyStart: 0,
    bodyEnd: 0,
    propertiesStart: 0,
    propertiesEnd: 0,
    isOpen: false,
  };
}

/** Finds the parts of the record that begins at `at`. Its end is where the next one begins. */
export function locate(payload: Buffer, at: number, place: RecordPlace): void {
  if (at + RECORD_HEAD_BYTES > payload.length) throw corrupt();
  const end = at + payload.readUInt32BE(at);
  const hostBytes = (payload.readInt32BE(at + AT.sysFlag) & SYS_FLAG.BORNHOST_V6) === 0 ? 8 : 20;
  place.start = at;
  place.end = end;
  place.bornHostStart = at + RECORD_HEAD_BYTES;
  place.bodyStart = place.bornHostStart + hostBytes;
  place.bodyEnd = place.bodyStart + payload.readUInt32BE(at + AT.bodyBytes);
  place.propertiesStart = place.bodyEnd;
  place.propertiesEnd = place.bodyEnd + payload.readUInt16BE(at + AT.propertiesBytes);
  if (place.propertiesEnd !== end || end > payload.length) throw corrupt();
  place.isOpen = end > place.propertiesStart && payload[end - 1] !== PROPERTY_VALUE_END;
}

/** Refuses a payload of another version. */
export function checkVersion(payload: Buffer): void {
  if (payload.length === 0 || payload[0] !== PAYLOAD_VERSION) throw corrupt();
}

/** Where record number `index` begins. */
export function recordAt(payload: Buffer, index: number): number {
  checkVersion(payload);
  let at = RECORDS_AT;
  for (let i = 0; i < index; i++) at = nextRecord(payload, at);
  return at;
}

export function nextRecord(payload: Buffer, at: number): number {
  if (at + RECORD_HEAD_BYTES > payload.length) throw corrupt();
  const bytes = payload.readUInt32BE(at);
  if (bytes < RECORD_HEAD_BYTES || bytes > payload.length - at) throw corrupt();
  return at + bytes;
}

export const flagOf = (payload: Buffer, at: number): number => payload.readInt32BE(at + AT.flag);
export const sysFlagOf = (payload: Buffer, at: number): number => payload.readInt32BE(at + AT.sysFlag);
export const reconsumeTimesOf = (payload: Buffer, at: number): number => payload.readInt32BE(at + AT.reconsumeTimes);

export function bornTimestampOf(payload: Buffer, at: number): number {
  return payload.readInt32BE(at + AT.bornTimestamp) * 0x1_0000_0000 + payload.readUInt32BE(at + AT.bornTimestamp + 4);
}

/** What a record says beside its bytes. */
export interface RecordHead {
  flag: number;
  sysFlag: number;
  bornTimestamp: number;
  reconsumeTimes: number;
}

/**
 * Builds payloads in one growing scratch buffer: `begin`, then per record `open` (which makes room for body and
 * properties and says where they go) and `close`. The result is valid until the next `begin`: appends copy it.
 */
export class PayloadBuilder {
  buffer: Buffer = Buffer.allocUnsafeSlow(8192);
  length = 0;
  bodyStart = 0;
  propertiesStart = 0;
  #recordStart = 0;
  #bodyBytes = 0;

  begin(): void {
    this.buffer[0] = PAYLOAD_VERSION;
    this.length = RECORDS_AT;
    // One enormous message must not hold its memory for ever.
    if (this.buffer.length > 1024 * 1024) this.buffer = Buffer.allocUnsafeSlow(64 * 1024);
    this.buffer[0] = PAYLOAD_VERSION;
  }

  /** Writes the head and reserves the rest; the caller fills body and properties at bodyStart and propertiesStart. */
  open(head: RecordHead, bornHost: Buffer, bodyBytes: number, propertiesBytes: number): void {
    const at = this.length;
    const bytes = RECORD_HEAD_BYTES + bornHost.length + bodyBytes + propertiesBytes;
    this.#room(at + bytes);
    const buffer = this.buffer;
    this.#recordStart = at;
    this.#bodyBytes = bodyBytes;
    const v6 = bornHost.length === 20;
    put32(buffer, at, bytes);
    put32(buffer, at + AT.flag, head.flag);
    put32(
      buffer,
      at + AT.sysFlag,
      v6 ? head.sysFlag | SYS_FLAG.BORNHOST_V6 : head.sysFlag & ~(SYS_FLAG.BORNHOST_V6 | SYS_FLAG.STOREHOST_V6),
    );
    const bornHigh = Math.floor(head.bornTimestamp / 0x1_0000_0000);
    put32(buffer, at + AT.bornTimestamp, bornHigh);
    put32(buffer, at + AT.bornTimestamp + 4, head.bornTimestamp - bornHigh * 0x1_0000_0000);
    put32(buffer, at + AT.reconsumeTimes, head.reconsumeTimes);
    put32(buffer, at + AT.prepared, 0);
    put32(buffer, at + AT.prepared + 4, 0);
    put32(buffer, at + AT.bodyBytes, bodyBytes);
    buffer[at + AT.propertiesBytes] = propertiesBytes >>> 8;
    buffer[at + AT.propertiesBytes + 1] = propertiesBytes;
    let to = at + RECORD_HEAD_BYTES;
    for (let i = 0; i < bornHost.length; i++) buffer[to++] = bornHost[i]!;
    this.bodyStart = to;
    this.propertiesStart = to + bodyBytes;
    this.length = at + bytes;
  }

  /** Body and properties are in place. `propertiesBytes` says when they turned out shorter than what was reserved. */
  close(propertiesBytes = this.length - this.propertiesStart): void {
    const unused = this.length - this.propertiesStart - propertiesBytes;
    if (unused > 0) {
      this.length -= unused;
      put32(this.buffer, this.#recordStart, this.length - this.#recordStart);
      this.buffer[this.#recordStart + AT.propertiesBytes] = propertiesBytes >>> 8;
      this.buffer[this.#recordStart + AT.propertiesBytes + 1] = propertiesBytes;
    }
    const body = this.buffer.subarray(this.bodyStart, this.bodyStart + this.#bodyBytes);
    // As the protocol stores it: the sign bit is dropped.
    put32(this.buffer, this.#recordStart + AT.bodyCrc, crc32(body) & 0x7fff_ffff);
  }

  take(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  #room(bytes: number): void {
    if (bytes <= this.buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(bytes, this.buffer.length * 2));
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
  }
}

function put32(buffer: Buffer, at: number, value: number): void {
  buffer[at] = value >>> 24;
  buffer[at + 1] = value >>> 16;
  buffer[at + 2] = value >>> 8;
  buffer[at + 3] = value;
}

function corrupt(): BrokerError {
  return new BrokerError('corrupt-message', 'the stored RocketMQ record does not add up');
}
