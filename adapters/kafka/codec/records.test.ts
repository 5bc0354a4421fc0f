// Record batches against kafkajs's encoder and decoder, all compressions, hostile bytes, and the round trip
// Kafka batch -> Message[] -> Kafka batch.
import { createRequire } from 'node:module';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import lz4 from 'lz4-napi';
import snappy from 'snappy';
import { describe, expect, it } from 'vitest';
import { BrokerError } from '../../../core/errors.ts';
import type { Message } from '../../../core/types.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { Writer } from '../../wire/writer.ts';
import { GOLDEN_BATCHES } from '../testing/golden-batches.ts';
import { AT, BATCH_HEAD_BYTES, BatchHead, CODEC, setLogAppendTime, stamp } from './batch.ts';
import { crc32c } from './crc32c.ts';
import { decodeBatch, encodeBatch, varintBytes } from './records.ts';

const require = createRequire(import.meta.url);
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch: (batch: object) => Promise<{ buffer: Buffer }>;
};
const record = require('kafkajs/src/protocol/recordBatch/record/v0') as (fields: object) => object;
const decodeBatchWithKafkajs = require('kafkajs/src/protocol/recordBatch/v0/decoder') as (
  decoder: object,
) => Promise<{ records: { key: Buffer; value: Buffer; headers: object; timestamp: string; offset: string }[] }>;
const KafkajsDecoder = require('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => object;

interface Plain {
  key: Buffer | null;
  value: Buffer | null;
  headers: Record<string, Buffer>;
  delta: number;
}

/** A batch as kafkajs writes it: the golden bytes of this file. */
async function golden(records: readonly Plain[], options: object = {}): Promise<Buffer> {
  const encoded = await RecordBatch({
    firstTimestamp: 1_700_000_000_000,
    maxTimestamp: 1_700_000_000_000 + Math.max(...records.map((one) => one.delta)),
    lastOffsetDelta: records.length - 1,
    records: records.map((one, i) =>
      record({ offsetDelta: i, timestampDelta: one.delta, key: one.key, value: one.value, headers: one.headers }),
    ),
    ...options,
  });
  return Buffer.from(encoded.buffer);
}

const bytes = (max = 20): fc.Arbitrary<Buffer> => fc.uint8Array({ maxLength: max }).map((b) => Buffer.from(b));
const plainRecord: fc.Arbitrary<Plain> = fc.record({
  key: fc.option(bytes()),
  value: fc.option(bytes(200)),
  headers: fc.dictionary(
    fc.oneof(fc.string({ minLength: 1, maxLength: 5 }), fc.constantFrom('TAGS', 'x-correlation-id', 'x-priority')),
    bytes(),
    { maxKeys: 3, noNullPrototype: true },
  ),
  delta: fc.integer({ min: 0, max: 2 ** 40 }),
});
const plainRecords = fc.array(plainRecord, { minLength: 1, maxLength: 8 });

/** Replaces the records of a batch by their compressed form, as a producer would. */
function compressed(batch: Buffer, codec: number, pack: (records: Buffer) => Buffer): Buffer {
  const packed = pack(batch.subarray(BATCH_HEAD_BYTES));
  const out = Buffer.concat([batch.subarray(0, BATCH_HEAD_BYTES), packed]);
  out.writeInt32BE(out.length - 12, AT.batchLength);
  out.writeInt16BE(codec, AT.attributes);
  out.writeUInt32BE(crc32c(out, AT.attributes, out.length), AT.crc);
  return out;
}

/** snappy-java's stream framing, written from its documentation. */
function xerial(records: Buffer, blockBytes: number): Buffer {
  const parts: Buffer[] = [Buffer.from('82534e4150505900', 'hex'), Buffer.from('0000000100000001', 'hex')];
  for (let at = 0; at < records.length; at += blockBytes) {
    const block = snappy.compressSync(records.subarray(at, at + blockBytes));
    const length = Buffer.alloc(4);
    length.writeInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

const packers: [string, number, (records: Buffer) => Buffer][] = [
  ['gzip', CODEC.gzip, (b) => gzipSync(b)],
  ['snappy, raw', CODEC.snappy, (b) => snappy.compressSync(b)],
  ['snappy, xerial', CODEC.snappy, (b) => xerial(b, 50)],
  ['lz4', CODEC.lz4, (b) => lz4.compressFrameSync(b)],
  ['zstd', CODEC.zstd, (b) => zstdCompressSync(b)],
];

function reencode(messages: readonly Message[]): Buffer {
  const writer = new Writer({ slabBytes: 64 });
  encodeBatch(writer, messages, 0, messages.length, 0, 0);
  return writer.take();
}

describe('CRC-32C', () => {
  it('gives the check value of RFC 3720 B.4', () => {
    expect(crc32c(Buffer.alloc(32), 0, 32)).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(32, 0xff), 0, 32)).toBe(0x62a8ab43);
    expect(crc32c(Buffer.from('xx123456789x'), 2, 11)).toBe(0xe3069283);
  });
});

describe('record batches', () => {
  it('round trip: Kafka batch -> Message[] -> Kafka batch gives kafkajs the same bytes of records', async () => {
    await fc.assert(
      fc.asyncProperty(plainRecords, async (records) => {
        const batch = await golden(records);
        const again = reencode(decodeBatch(batch, 1 << 20));
        // The base timestamp of ours is the first record's, so kafkajs writes its batch once more from there.
        const first = records[0]!.delta;
        const expected = await golden(
          records.map((one) => ({ ...one, delta: one.delta - first })),
          {
            firstTimestamp: 1_700_000_000_000 + first,
            maxTimestamp: 1_700_000_000_000 + Math.max(...records.map((one) => one.delta)),
            producerEpoch: -1,
            firstSequence: -1,
          },
        );
        expect(again.subarray(BATCH_HEAD_BYTES)).toEqual(expected.subarray(BATCH_HEAD_BYTES));
        expect(again.subarray(AT.attributes, AT.producerId)).toEqual(expected.subarray(AT.attributes, AT.producerId));
      }),
      { numRuns: 200 },
    );
  });

  it('is read by kafkajs after we wrote it', async () => {
    const batch = await golden([
      { key: Buffer.from('k'), value: Buffer.from('v'), headers: { a: Buffer.from('1') }, delta: 5 },
      { key: null, value: null, headers: {}, delta: 0 },
    ]);
    const again = reencode(decodeBatch(batch, 1 << 20));
    stamp(again, 41, 3);
    // kafkajs's decoder begins behind baseOffset, length, epoch and magic are read by itself.
    const read = await decodeBatchWithKafkajs(new KafkajsDecoder(again));
    expect(read.records.map(({ offset }) => offset)).toEqual(['41', '42']);
    expect(read.records[0]).toMatchObject({
      key: Buffer.from('k'),
      value: Buffer.from('v'),
      timestamp: '1700000000005',
    });
    expect(read.records[1]).toMatchObject({ key: null, value: null });
  });

  it.each(packers)('reads %s', async (_name, codec, pack) => {
    await fc.assert(
      fc.asyncProperty(plainRecords, async (records) => {
        const batch = await golden(records);
        expect(decodeBatch(compressed(batch, codec, pack), 1 << 20)).toEqual(decodeBatch(batch, 1 << 20));
      }),
      { numRuns: 50 },
    );
  });

  it.each(packers)('stops %s that unpacks to more than allowed', async (_name, codec, pack) => {
    const batch = await golden([{ key: null, value: Buffer.alloc(8 << 20), headers: {}, delta: 0 }]);
    const bomb = compressed(
      batch,
      codec,
      codec === CODEC.snappy && _name.includes('xerial') ? (b) => xerial(b, 1 << 20) : pack,
    );
    expect(() => decodeBatch(bomb, 1 << 20)).toThrow(expect.objectContaining({ code: 'message-too-large' }));
  });

  it.each(packers)('refuses damaged %s', async (_name, codec, pack) => {
    const batch = await golden([{ key: null, value: Buffer.alloc(500, 'abc'), headers: {}, delta: 0 }]);
    const whole = compressed(batch, codec, pack);
    fc.assert(
      fc.property(
        fc.integer({ min: BATCH_HEAD_BYTES, max: whole.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (at, flip) => {
          const damaged = Buffer.from(whole);
          damaged[at]! ^= flip;
          try {
            decodeBatch(damaged, 1 << 20);
          } catch (error) {
            expect(error).toBeInstanceOf(BrokerError);
          }
          for (const cut of [BATCH_HEAD_BYTES, at]) {
            expect(() => decodeBatch(whole.subarray(0, cut), 1 << 20)).toThrow(BrokerError);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('refuses records that lie about their place, length and count', async () => {
    const batch = await golden([{ key: null, value: Buffer.from('v'), headers: {}, delta: 0 }]);
    for (const at of [BATCH_HEAD_BYTES, BATCH_HEAD_BYTES + 3]) {
      const bad = Buffer.from(batch);
      bad[at]! += 2;
      expect(() => decodeBatch(bad, 1 << 20)).toThrow(expect.objectContaining({ code: 'corrupt-message' }));
    }
    const many = Buffer.from(batch);
    many.writeInt32BE(0x7fffffff, AT.recordCount);
    expect(() => decodeBatch(many, 1 << 20)).toThrow(expect.objectContaining({ code: 'corrupt-message' }));
  });

  it('counts what records cost beside their bytes', async () => {
    const many = Array.from({ length: 5000 }, () => ({ key: null, value: null, headers: {}, delta: 0 }));
    const packed = compressed(await golden(many), CODEC.zstd, (b) => zstdCompressSync(b));
    expect(packed.length).toBeLessThan(20_000);
    expect(decodeBatch(packed, 2 << 20)).toHaveLength(5000);
    expect(() => decodeBatch(packed, 1 << 20)).toThrow(expect.objectContaining({ code: 'message-too-large' }));
  });

  it('knows the fields that travel in headers', async () => {
    const [message] = decodeBatch(
      await golden([
        {
          key: null,
          value: null,
          delta: 0,
          headers: {
            TAGS: Buffer.from('red'),
            'x-correlation-id': Buffer.from('c-1'),
            'x-priority': Buffer.from('7'),
            'x-expiration-ms': Buffer.from('soon'),
            plain: Buffer.from([0xff, 0xfe]),
          },
        },
      ]),
      1 << 20,
    );
    expect(message).toMatchObject({ tag: 'red', correlationId: 'c-1', priority: 7 });
    expect(message!.expirationMs).toBeUndefined();
    expect(message!.headers).toHaveLength(5);
    expect(message!.headers[4]).toEqual({ name: 'plain', value: Buffer.from([0xff, 0xfe]), type: 'bytes' });
  });

  it('carries the fields of a message from elsewhere and finds them again', () => {
    const text = fc.string({ minLength: 1, maxLength: 10 });
    const message = fc.record(
      {
        body: fc.option(bytes()),
        key: fc.option(bytes()),
        tag: fc.option(text),
        headers: fc.constant([]),
        timestampMs: fc.integer({ min: 0, max: 2 ** 42 }),
        messageId: text,
        correlationId: text,
        replyTo: text,
        contentType: text,
        contentEncoding: text,
        expirationMs: fc.nat(),
        priority: fc.nat(255),
        persistent: fc.boolean(),
        type: text,
        userId: text,
        appId: text,
        exchange: text,
        routingKey: text.map((one) => `routing.${one}`),
      },
      { requiredKeys: ['body', 'key', 'tag', 'headers', 'timestampMs'] },
    ) as fc.Arbitrary<Message>;
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 5 }), (messages) => {
        const back = decodeBatch(reencode(messages), 1 << 20);
        expect(back.map((one) => ({ ...one, headers: [] }))).toEqual(messages);
      }),
    );
  });

  it('does not repeat a routing key that is the key', () => {
    const message: Message = {
      body: null,
      key: Buffer.from('k'),
      tag: null,
      headers: [],
      timestampMs: 1,
      exchange: 'orders',
      routingKey: 'k',
    };
    const [back] = decodeBatch(reencode([message]), 1 << 20);
    expect(back!.headers.map(({ name }) => name)).toEqual(['x-exchange']);
  });

  it('counts the bytes of varints as the writer writes them', () => {
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeInteger(), fc.integer()), (value) => {
        const writer = new Writer();
        writer.varlong(value);
        expect(varintBytes(value)).toBe(writer.length);
      }),
    );
  });
});

describe('batches of real producers', () => {
  const text = (bytes: Buffer | null): string | null => bytes?.toString() ?? null;

  it.each(Object.entries(GOLDEN_BATCHES))('reads %s', (name, hex) => {
    const batch = Buffer.from(hex, 'hex');
    stamp(batch, 0, 0);
    expect(new BatchHead().check(batch, 0, batch.length, 9)).toBeNull();
    const messages = decodeBatch(batch, 1 << 20);
    const rows = messages.map(({ key, body, headers }) => [
      text(key),
      text(body),
      ...headers.map((header) => `${header.name}=${text(header.value)}`),
    ]);
    const value = (i: number): string => `value value value value ${i}`;
    if (name.startsWith('java')) {
      expect(rows).toEqual([
        ['key-0', value(0), 'h=x0', 'n=null'],
        [null, value(1), 'h=x1', 'n=null'],
        ['key-2', null, 'h=x2', 'n=null'],
      ]);
      expect(messages.map(({ timestampMs }) => timestampMs - 1_700_000_000_000)).toEqual([0, 1, 2]);
    } else {
      expect(rows).toEqual([0, 1, 2].map((i) => [`k${i}`, value(i), 'h=x']));
    }
    // A stored batch that was not compressed is what we would write of its messages, but for who produced it.
    if (name === 'java-none')
      expect(reencode(messages).subarray(BATCH_HEAD_BYTES)).toEqual(batch.subarray(BATCH_HEAD_BYTES));
  });
});

describe('what a producer may send', () => {
  const one = [{ key: null, value: Buffer.from('v'), headers: {}, delta: 0 }];
  /** A valid batch with one change, its CRC set right again unless the change is to the CRC. */
  async function changed(change: (b: Buffer) => void, fixCrc = true): Promise<Buffer> {
    const batch = await golden(one);
    change(batch);
    if (fixCrc) batch.writeUInt32BE(crc32c(batch, AT.attributes, batch.length), AT.crc);
    return batch;
  }
  const check = (b: Buffer, version = 9): number => new BatchHead().check(b, 0, b.length, version)?.code ?? ERROR.NONE;

  it('accepts a good batch', async () => {
    const head = new BatchHead();
    const batch = await golden(one, { producerId: 77, producerEpoch: 1, firstSequence: 9 });
    expect(head.check(batch, 0, batch.length, 9)).toBeNull();
    expect(head).toMatchObject({ recordCount: 1, producerId: 77, producerEpoch: 1, baseSequence: 9 });
    expect(head.maxTimestamp).toBe(1_700_000_000_000);
  });

  it.each([
    ['a flipped bit', ERROR.CORRUPT_MESSAGE, (b: Buffer) => b.writeUInt8(b[70]! ^ 1, b.length - 1), false],
    ['magic 1', ERROR.INVALID_RECORD, (b: Buffer) => b.writeInt8(1, AT.magic), true],
    ['a length beyond its bytes', ERROR.CORRUPT_MESSAGE, (b: Buffer) => b.writeInt32BE(b.length, AT.batchLength), true],
    ['a negative length', ERROR.CORRUPT_MESSAGE, (b: Buffer) => b.writeInt32BE(-12, AT.batchLength), true],
    ['a control batch', ERROR.INVALID_RECORD, (b: Buffer) => b.writeInt16BE(0x20, AT.attributes), true],
    ['a transactional batch', ERROR.INVALID_TXN_STATE, (b: Buffer) => b.writeInt16BE(0x10, AT.attributes), true],
    ['LogAppendTime', ERROR.INVALID_TIMESTAMP, (b: Buffer) => b.writeInt16BE(8, AT.attributes), true],
    ['codec 5', ERROR.UNSUPPORTED_COMPRESSION_TYPE, (b: Buffer) => b.writeInt16BE(5, AT.attributes), true],
    ['no records', ERROR.INVALID_RECORD, (b: Buffer) => b.writeInt32BE(0, AT.recordCount), true],
    ['a count that differs', ERROR.INVALID_RECORD, (b: Buffer) => b.writeInt32BE(2, AT.recordCount), true],
    ['a base offset', ERROR.INVALID_RECORD, (b: Buffer) => b.writeInt32BE(1, AT.baseOffset + 4), true],
    [
      'a producer without sequence',
      ERROR.INVALID_RECORD,
      (b: Buffer) => b.fill(0, AT.producerId, AT.producerEpoch).writeInt32BE(-1, AT.baseSequence),
      true,
    ],
    ['a time out of range', ERROR.INVALID_TIMESTAMP, (b: Buffer) => b.writeInt8(0x7f, AT.maxTimestamp), true],
  ] as const)('refuses %s', async (_name, code, change, fixCrc) => {
    expect(check(await changed(change as (b: Buffer) => void, fixCrc))).toBe(code);
  });

  it('refuses two batches, none, and zstd before version 7', async () => {
    const batch = await golden(one);
    expect(check(Buffer.concat([batch, batch]))).toBe(ERROR.INVALID_RECORD);
    expect(check(Buffer.alloc(0))).toBe(ERROR.INVALID_RECORD);
    expect(check(batch.subarray(0, 60))).toBe(ERROR.CORRUPT_MESSAGE);
    const zstd = compressed(batch, CODEC.zstd, (b) => zstdCompressSync(b));
    expect(check(zstd, 6)).toBe(ERROR.UNSUPPORTED_COMPRESSION_TYPE);
    expect(check(zstd, 7)).toBe(ERROR.NONE);
  });

  it('sets LogAppendTime so that the CRC still holds', async () => {
    const batch = await golden(one);
    setLogAppendTime(batch, 0, batch.length, 1_800_000_000_000);
    expect(batch.readUInt32BE(AT.crc)).toBe(crc32c(batch, AT.attributes, batch.length));
    expect(decodeBatch(batch, 1 << 20)[0]!.timestampMs).toBe(1_800_000_000_000);
  });

  it('never passes noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        expect(check(Buffer.from(noise))).not.toBe(ERROR.NONE);
      }),
    );
  });
});

// deflateSync is a stream without gzip's head: it must be refused, not taken for one.
it('refuses zlib where gzip is announced', async () => {
  const batch = await golden([{ key: null, value: Buffer.from('v'), headers: {}, delta: 0 }]);
  expect(() =>
    decodeBatch(
      compressed(batch, CODEC.gzip, (b) => deflateSync(b)),
      1 << 20,
    ),
  ).toThrow(BrokerError);
});
