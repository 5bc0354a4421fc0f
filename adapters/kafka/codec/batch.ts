// The head of a record batch v2: where its fields lie, and what a client may send in it.
//
// Layout (KIP-98; off, bytes, field): 0 8 baseOffset, 8 4 batchLength (bytes behind it), 12 4 partitionLeaderEpoch,
// 16 1 magic, 17 4 crc, 21 2 attributes, 23 4 lastOffsetDelta, 27 8 baseTimestamp, 35 8 maxTimestamp, 43 8 producerId,
// 51 2 producerEpoch, 53 4 baseSequence, 57 4 recordCount, 61 records. The CRC-32C covers 21 to the end, so baseOffset
// and partitionLeaderEpoch may be written by the broker without touching it.
//
// Invariant: a batch that `check` passed is stored as it is; nobody verifies its CRC again.

import type { Offset, TimeMs } from '../../../core/types.ts';
import { ERROR, type ErrorCode } from '../../../specs/kafka/error-codes.ts';
import { crc32c } from './crc32c.ts';

export const BATCH_HEAD_BYTES = 61;
export const AT = {
  baseOffset: 0,
  batchLength: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
} as const;
/** Bytes in front of the part that batchLength counts. */
export const LENGTH_HEAD_BYTES = 12;

export const ATTRIBUTE = { codecMask: 0x07, logAppendTime: 0x08, transactional: 0x10, control: 0x20 } as const;
export const CODEC = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;

/** What the log has room for; brokers give ids out from 0 on. */
const PRODUCER_ID_LIMIT = 2 ** 48;
/** Length, attributes, two deltas, no key, no value, no headers: a byte each. */
const RECORD_BYTES_MIN = 7;
/** More than 100 MB of the smallest ones. */
const COMPRESSED_RECORDS_MAX = 16_000_000;
const TWO_POW_32 = 0x1_0000_0000;

export function readInt64(b: Buffer, at: number): number {
  return b.readInt32BE(at) * TWO_POW_32 + b.readUInt32BE(at + 4);
}

function writeInt64(b: Buffer, value: number, at: number): void {
  const high = Math.floor(value / TWO_POW_32);
  b.writeInt32BE(high, at);
  b.writeUInt32BE(value - high * TWO_POW_32, at + 4);
}

/** What Produce needs to know of a batch; one object is reused. */
export class BatchHead {
  attributes = 0;
  recordCount = 0;
  baseTimestamp: TimeMs = 0;
  maxTimestamp: TimeMs = 0;
  producerId = -1;
  producerEpoch = -1;
  baseSequence = -1;

  get compressed(): boolean {
    return (this.attributes & ATTRIBUTE.codecMask) !== CODEC.none;
  }

  /** Reads the fields of the batch at buffer[start]. The caller has made sure that the head is there. */
  read(b: Buffer, start: number): void {
    this.attributes = b.readInt16BE(start + AT.attributes);
    this.recordCount = b.readInt32BE(start + AT.recordCount);
    this.baseTimestamp = readInt64(b, start + AT.baseTimestamp);
    this.maxTimestamp = readInt64(b, start + AT.maxTimestamp);
    this.producerId = readInt64(b, start + AT.producerId);
    this.producerEpoch = b.readInt16BE(start + AT.producerEpoch);
    this.baseSequence = b.readInt32BE(start + AT.baseSequence);
  }

  /**
   * Reads the batch that a client wants to append, buffer[start, end), and says what is wrong with it. The order of
   * checks follows Kafka's LogValidator; records are not looked at, but there may not be more than there is room for: each
   * takes an offset.
   */
  check(b: Buffer, start: number, end: number, produceVersion: number): Refusal | null {
    const bytes = end - start;
    if (bytes < BATCH_HEAD_BYTES) return bytes === 0 ? REFUSAL.empty : REFUSAL.short;
    if (b[start + AT.magic] !== 2) return REFUSAL.magic;
    const length = b.readInt32BE(start + AT.batchLength) + LENGTH_HEAD_BYTES;
    if (length < BATCH_HEAD_BYTES || length > bytes) return REFUSAL.short;
    if (length < bytes) return REFUSAL.many;
    if (crc32c(b, start + AT.attributes, end) !== b.readUInt32BE(start + AT.crc)) return REFUSAL.crc;
    this.read(b, start);
    const codec = this.attributes & ATTRIBUTE.codecMask;
    if (codec > CODEC.zstd || (codec === CODEC.zstd && produceVersion < 7)) return REFUSAL.codec;
    if ((this.attributes & ATTRIBUTE.control) !== 0) return REFUSAL.control;
    if ((this.attributes & ATTRIBUTE.transactional) !== 0) return REFUSAL.transactional;
    if ((this.attributes & ATTRIBUTE.logAppendTime) !== 0) return REFUSAL.timestampType;
    if (readInt64(b, start + AT.baseOffset) !== 0) return REFUSAL.baseOffset;
    if (this.recordCount <= 0 || this.recordCount !== b.readInt32BE(start + AT.lastOffsetDelta) + 1) {
      return REFUSAL.count;
    }
    const recordsMax = codec === CODEC.none ? (bytes - BATCH_HEAD_BYTES) / RECORD_BYTES_MIN : COMPRESSED_RECORDS_MAX;
    if (this.recordCount > recordsMax) return REFUSAL.records;
    if (!Number.isSafeInteger(this.baseTimestamp) || !Number.isSafeInteger(this.maxTimestamp)) return REFUSAL.timestamp;
    if (this.producerId >= PRODUCER_ID_LIMIT) return REFUSAL.producer;
    if (this.producerId >= 0 && (this.baseSequence < 0 || this.producerEpoch < 0)) return REFUSAL.sequence;
    return null;
  }
}

export interface Refusal {
  readonly code: ErrorCode;
  readonly text: string;
}

const REFUSAL = {
  empty: { code: ERROR.INVALID_RECORD, text: 'a partition carries exactly one record batch, this one none' },
  many: { code: ERROR.INVALID_RECORD, text: 'a partition carries exactly one record batch, this one more' },
  short: { code: ERROR.CORRUPT_MESSAGE, text: 'the record batch is longer than its bytes' },
  magic: { code: ERROR.INVALID_RECORD, text: 'record batches of format 2 only' },
  crc: { code: ERROR.CORRUPT_MESSAGE, text: 'the CRC of the record batch does not match' },
  codec: { code: ERROR.UNSUPPORTED_COMPRESSION_TYPE, text: 'unknown compression, or zstd before Produce version 7' },
  control: { code: ERROR.INVALID_RECORD, text: 'clients may not write control batches' },
  transactional: { code: ERROR.INVALID_TXN_STATE, text: 'transactions are not served' },
  timestampType: { code: ERROR.INVALID_TIMESTAMP, text: 'clients may not set the LogAppendTime type' },
  timestamp: { code: ERROR.INVALID_TIMESTAMP, text: 'a timestamp beyond 2^53 milliseconds' },
  baseOffset: { code: ERROR.INVALID_RECORD, text: 'the base offset of a new batch is 0' },
  count: { code: ERROR.INVALID_RECORD, text: 'the number of records and the last offset delta do not agree' },
  producer: { code: ERROR.INVALID_RECORD, text: 'a producer id beyond 2^48, which no broker gives out' },
  records: { code: ERROR.INVALID_RECORD, text: 'the batch has no room for so many records' },
  sequence: { code: ERROR.INVALID_RECORD, text: 'a batch with a producer id has an epoch and a sequence' },
} as const satisfies Record<string, Refusal>;

/** Writes what only the broker knows into a batch; both fields lie outside of the CRC. */
export function stamp(payload: Buffer, baseOffset: Offset, epoch: number): void {
  writeInt64(payload, baseOffset, AT.baseOffset);
  payload.writeInt32BE(epoch, AT.leaderEpoch);
}

/** Turns a batch into one of LogAppendTime: all its records get this time (message.timestamp.type, KIP-32). */
export function setLogAppendTime(b: Buffer, start: number, end: number, timeMs: TimeMs): void {
  b.writeInt16BE(b.readInt16BE(start + AT.attributes) | ATTRIBUTE.logAppendTime, start + AT.attributes);
  writeInt64(b, timeMs, start + AT.maxTimestamp);
  b.writeUInt32BE(crc32c(b, start + AT.attributes, end), start + AT.crc);
}
