// Produce in raw frames: what is stored, what is refused, what an idempotent producer may rely on.
import { describe, expect, it } from 'vitest';
import { findCoordinator, initProducerId, metadata } from '../../../specs/kafka/cluster.ts';
import { produce } from '../../../specs/kafka/data.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { createTopics } from '../../../specs/kafka/topics.ts';
import { AT, BATCH_HEAD_BYTES, CODEC, readInt64 } from '../codec/batch.ts';
import { crc32c } from '../codec/crc32c.ts';
import { decodeBatch } from '../codec/records.ts';
import {
  batchOf,
  client,
  contents,
  conversation,
  everybody,
  harness,
  makeTopic,
  numbered,
  produceOf,
  read,
  send,
} from '../testing/conversation.ts';
import { GOLDEN_BATCHES } from '../testing/golden-batches.ts';

conversation();

describe('Produce', () => {
  it('stores a batch as it came, but for offset and epoch', async () => {
    const topic = await makeTopic('t');
    const golden = Buffer.from(GOLDEN_BATCHES['java-lz4']!, 'hex');
    golden.writeBigInt64BE(-1n, AT.producerId);
    golden.writeBigInt64BE(0n, 0);
    golden.writeUInt32BE(crc32c(golden, AT.attributes, golden.length), AT.crc);
    expect(await send('t', golden)).toMatchObject({
      errorCode: 0,
      baseOffset: 0,
      logAppendTimeMs: -1,
      logStartOffset: 0,
    });
    expect(await send('t', golden)).toMatchObject({ errorCode: 0, baseOffset: 3 });
    const { records, highWatermark } = await read(topic);
    expect(highWatermark).toBe(6);
    const second = records!.subarray(golden.length);
    expect(readInt64(second, 0)).toBe(3);
    expect(second.subarray(AT.magic)).toEqual(golden.subarray(AT.magic));
  });

  it.each([3, 5, 7, 8, 9, 10, 11])('answers version %i', async (version) => {
    await makeTopic('t');
    expect(await send('t', batchOf('a'), version)).toMatchObject({ errorCode: 0, baseOffset: 0 });
    expect(await send('nowhere', batchOf('a'), version)).toMatchObject({ errorCode: 3, baseOffset: -1 });
  });

  it('refuses one partition and serves the other', async () => {
    await makeTopic('t', 2);
    const bad = batchOf('a');
    bad[bad.length - 1]! ^= 1;
    const { responses } = await client.ask(produce, 9, {
      acks: 1,
      timeoutMs: 0,
      topicData: [
        {
          name: 't',
          partitionData: [
            { index: 0, records: bad },
            { index: 1, records: batchOf('b') },
            { index: 2, records: batchOf('c') },
            { index: 0, records: null },
          ],
        },
      ],
    });
    const codes = responses[0]!.partitionResponses.map(({ errorCode }) => errorCode);
    expect(codes).toEqual([ERROR.CORRUPT_MESSAGE, ERROR.NONE, ERROR.UNKNOWN_TOPIC_OR_PARTITION, ERROR.INVALID_RECORD]);
  });

  it('answers nothing to acks 0, and closes when it fails', async () => {
    await makeTopic('t');
    client.write(client.encode(produce, 9, produceOf('t', batchOf('a'), 0)));
    const { topics } = await client.ask(metadata, 1, { topics: null });
    expect(topics).toHaveLength(1);
    expect(client.frames).toHaveLength(0);
    client.write(client.encode(produce, 9, produceOf('nowhere', batchOf('a'), 0)));
    await client.untilClosed();
    expect(client.frames).toHaveLength(0);
  });

  it('refuses more records than a batch has room for', async () => {
    const topic = await makeTopic('t');
    const counted = (batch: Buffer, count: number, attributes = 0): Buffer => {
      batch.writeInt16BE(attributes, AT.attributes);
      batch.writeInt32BE(count, AT.recordCount);
      batch.writeInt32BE(count - 1, AT.lastOffsetDelta);
      batch.writeUInt32BE(crc32c(batch, AT.attributes, batch.length), AT.crc);
      return batch;
    };
    const smallest = batchOf('');
    const most = Math.floor((smallest.length - BATCH_HEAD_BYTES) / 7);
    expect((await send('t', counted(smallest, most + 1))).errorCode).toBe(ERROR.INVALID_RECORD);
    expect((await send('t', counted(batchOf('a'), 2 ** 31 - 1))).errorCode).toBe(ERROR.INVALID_RECORD);
    expect((await send('t', counted(batchOf('a'), 2 ** 31 - 1, CODEC.gzip))).errorCode).toBe(ERROR.INVALID_RECORD);
    expect((await send('t', counted(batchOf('a'), 16_000_000, CODEC.gzip))).errorCode).toBe(ERROR.NONE);
    expect((await read(topic)).highWatermark).toBe(16_000_000);
  });

  it('refuses acks 2 and batches over the limit of the topic', async () => {
    await harness.broker.createTopic(everybody, {
      namespace: 'default',
      kind: 'topic',
      name: 'small',
      queues: 1,
      attributes: { messageBytesMax: 100 },
    });
    expect((await send('small', batchOf('a'), 9, 2)).errorCode).toBe(ERROR.INVALID_REQUIRED_ACKS);
    expect((await send('small', batchOf('a'.repeat(100)))).errorCode).toBe(ERROR.MESSAGE_TOO_LARGE);
    expect((await send('small', batchOf('a'))).errorCode).toBe(ERROR.NONE);
  });

  it('keeps the promises of an idempotent producer', async () => {
    await makeTopic('t');
    const { producerId, producerEpoch } = await client.ask(initProducerId, 4, {
      transactionalId: null,
      transactionTimeoutMs: 0,
    });
    const of = (sequence: number, epoch = producerEpoch) => numbered(batchOf('a', 'b'), producerId, epoch, sequence);
    expect(await send('t', of(0))).toMatchObject({ errorCode: 0, baseOffset: 0 });
    expect(await send('t', of(2))).toMatchObject({ errorCode: 0, baseOffset: 2 });
    expect(await send('t', of(0))).toMatchObject({ errorCode: 0, baseOffset: 0 });
    expect(await send('t', of(6))).toMatchObject({ errorCode: ERROR.OUT_OF_ORDER_SEQUENCE_NUMBER });
    expect(await send('t', of(4))).toMatchObject({ errorCode: 0, baseOffset: 4 });
  });

  it('takes a producer id that it has not given out, if it is one that a broker may give', async () => {
    await makeTopic('t');
    const asked = { transactionalId: null, transactionTimeoutMs: 0 };
    const of = (producerId: number) => numbered(batchOf('a'), producerId, 0, 0);
    const { producerId } = await client.ask(initProducerId, 4, asked);
    expect(await send('t', of(2 ** 48 - 1))).toMatchObject({ errorCode: 0, baseOffset: 0 });
    for (const id of [2 ** 48, Number.MAX_SAFE_INTEGER]) {
      expect((await send('t', of(id))).errorCode).toBe(ERROR.INVALID_RECORD);
    }
    expect((await client.ask(initProducerId, 4, asked)).producerId).toBe(producerId + 1);
  });

  it('refuses transactions where they begin', async () => {
    const asked = { transactionalId: 'tx', transactionTimeoutMs: 1000 };
    expect((await client.ask(initProducerId, 4, asked)).errorCode).toBe(ERROR.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    const found = await client.ask(findCoordinator, 4, { key: '', keyType: 1, coordinatorKeys: ['tx'] });
    expect(found.coordinators[0]!.errorCode).toBe(ERROR.INVALID_REQUEST);
  });

  it('replaces times where the topic says LogAppendTime', async () => {
    const made = await client.ask(createTopics, 7, {
      topics: [
        {
          name: 'stamped',
          numPartitions: 1,
          replicationFactor: 3,
          assignments: [],
          configs: [{ name: 'message.timestamp.type', value: 'LogAppendTime' }],
        },
      ],
    });
    expect(made.topics[0]!.errorCode).toBe(ERROR.NONE);
    const before = harness.broker.nowMs();
    const { logAppendTimeMs } = await send('stamped', batchOf('a', 'b'));
    expect(logAppendTimeMs).toBeGreaterThanOrEqual(before);
    const { records } = await read({ name: 'stamped' });
    expect(contents(records)).toEqual([
      [0, 'a'],
      [1, 'b'],
    ]);
    expect(decodeBatch(records!, 1 << 20).map(({ timestampMs }) => timestampMs)).toEqual([
      logAppendTimeMs,
      logAppendTimeMs,
    ]);
  });
});
