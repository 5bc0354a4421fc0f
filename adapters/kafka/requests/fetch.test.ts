// Fetch and ListOffsets in raw frames: every version, waiting, limits, and what other protocols wrote.
import { describe, expect, it } from 'vitest';
import { encodeRecord } from '../../../core/log/record.ts';
import { FORMAT_CANONICAL, TAG_NONE } from '../../../core/types.ts';
import { fetch, listOffsets } from '../../../specs/kafka/data.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { Writer } from '../../wire/writer.ts';
import { AT, BATCH_HEAD_BYTES } from '../codec/batch.ts';
import { crc32c } from '../codec/crc32c.ts';
import { decodeBatch, encodeBatch } from '../codec/records.ts';
import {
  batchOf,
  client,
  contents,
  conversation,
  everybody,
  fetchOf,
  harness,
  makeTopic,
  read,
  send,
} from '../testing/conversation.ts';
import { GOLDEN_BATCHES } from '../testing/golden-batches.ts';
import { RawClient } from '../testing/harness.ts';

conversation();

describe('Fetch', () => {
  it.each([4, 5, 7, 9, 11, 12])('answers version %i: whole batches, also from inside', async (version) => {
    const topic = await makeTopic('t');
    await send('t', batchOf('a', 'b', 'c'));
    await send('t', batchOf('d'));
    expect(contents((await read(topic, { offset: 1 }, version)).records)).toEqual([
      [0, 'a'],
      [1, 'b'],
      [2, 'c'],
      [3, 'd'],
    ]);
    expect(contents((await read(topic, { offset: 3 }, version)).records)).toEqual([[3, 'd']]);
  });

  it.each([13, 14, 15, 16, 17])('answers version %i by topic id', async (version) => {
    const topic = await makeTopic('t');
    await send('t', batchOf('a'));
    expect(contents((await read(topic, {}, version)).records)).toEqual([[0, 'a']]);
    const unknown = await read({ name: 't', uuid: 'ab'.repeat(16) }, {}, version);
    expect(unknown.errorCode).toBe(ERROR.UNKNOWN_TOPIC_ID);
  });

  it('gives no records as an empty set, not as null', async () => {
    const topic = await makeTopic('t');
    for (const version of [4, 11, 12]) {
      const empty = await read(topic, {}, version);
      expect(empty).toMatchObject({ errorCode: 0, highWatermark: 0, lastStableOffset: 0 });
      expect(empty.records).toEqual(Buffer.alloc(0));
    }
  });

  it('gives one batch to who takes no bytes, and does not wait for it', async () => {
    const topic = await makeTopic('t');
    for (const maxBytes of [0, -1]) expect((await read(topic, { maxBytes, maxWaitMs: 30_000 })).errorCode).toBe(0);
    for (const body of ['a', 'b']) await send('t', batchOf(body));
    for (const maxBytes of [0, -1]) {
      expect(contents((await read(topic, { maxBytes, maxWaitMs: 30_000 })).records)).toEqual([[0, 'a']]);
    }
  });

  it('waits for no more than the answer may hold', async () => {
    const topic = await makeTopic('t');
    const batch = batchOf('a'.repeat(600));
    for (let n = 0; n < 3; n++) await send('t', batch);
    const wish = { minBytes: 2 ** 31 - 1, maxBytes: 3 * batch.length - 1, maxWaitMs: 30_000 };
    expect(contents((await read(topic, wish)).records)).toHaveLength(2);
  });

  it('says what is out of range, unknown, or of another epoch', async () => {
    const topic = await makeTopic('t');
    await send('t', batchOf('a'));
    const { epoch } = harness.broker;
    expect((await read(topic, { offset: 2 })).errorCode).toBe(ERROR.OFFSET_OUT_OF_RANGE);
    expect((await read(topic, { offset: -1 })).errorCode).toBe(ERROR.OFFSET_OUT_OF_RANGE);
    expect((await read({ name: 'nowhere' })).errorCode).toBe(ERROR.UNKNOWN_TOPIC_OR_PARTITION);
    expect((await read(topic, { epoch: epoch + 1 })).errorCode).toBe(ERROR.UNKNOWN_LEADER_EPOCH);
    expect(await read(topic, { epoch: epoch - 1 })).toMatchObject({
      errorCode: ERROR.FENCED_LEADER_EPOCH,
      currentLeader: { leaderId: 1, leaderEpoch: epoch },
    });
    expect((await read(topic, { epoch })).errorCode).toBe(ERROR.NONE);
  });

  it('returns the first batch however large, and no more than fits', async () => {
    const topic = await makeTopic('t');
    for (const value of ['a', 'b', 'c']) await send('t', batchOf(value.repeat(500)));
    expect(contents((await read(topic, { maxBytes: 1 })).records)).toHaveLength(1);
    expect(contents((await read(topic, { maxBytes: 1300 })).records)).toHaveLength(2);
  });

  it('waits for enough bytes, and no longer than it was told', async () => {
    const topic = await makeTopic('t');
    const other = new RawClient(harness.adapter);
    const minBytes = batchOf('12345').length * 3;
    other.write(other.encode(fetch, 12, fetchOf(topic, { maxWaitMs: 10000, minBytes })));
    for (const value of ['12345', '67890']) {
      await send('t', batchOf(value));
      expect(other.frames).toHaveLength(0);
    }
    await send('t', batchOf('abcde'));
    const { responses } = await other.answer(fetch, 12);
    expect(contents(responses[0]!.partitions[0]!.records)).toHaveLength(3);
    const began = Date.now();
    const late = await read(topic, { offset: 3, maxWaitMs: 100 });
    expect(late.records).toHaveLength(0);
    expect(Date.now() - began).toBeGreaterThanOrEqual(95);
  });

  it('declines sessions', async () => {
    const topic = await makeTopic('t');
    const asked = { ...fetchOf(topic), sessionId: 0, sessionEpoch: 0 };
    expect(await client.ask(fetch, 12, asked)).toMatchObject({ errorCode: 0, sessionId: 0 });
    const inSession = await client.ask(fetch, 12, { ...asked, sessionId: 9, sessionEpoch: 1 });
    expect(inSession).toMatchObject({ errorCode: ERROR.FETCH_SESSION_ID_NOT_FOUND, responses: [] });
  });

  it('makes batches of what other protocols wrote, between batches of its own', async () => {
    const topic = await makeTopic('mixed');
    const canonical = (text: string): Buffer =>
      encodeRecord({
        body: Buffer.from(text),
        key: Buffer.from('k'),
        tag: 'red',
        headers: [{ name: 'n', value: Buffer.from('7'), type: 'amqp:I' }],
        timestampMs: 1_700_000_000_000,
        correlationId: 'c',
      });
    const appendCanonical = (payload: Buffer): void => {
      harness.broker.append(
        everybody,
        {
          topic,
          queue: 0,
          exchange: null,
          namespace: 'default',
          routingKey: null,
          format: FORMAT_CANONICAL,
          payload,
          records: 1,
          key: null,
          tagHash: TAG_NONE,
          keys: null,
          recordTimeMaxMs: 1_700_000_000_000,
          flags: 0,
          producerId: -1,
          producerEpoch: -1,
          baseSequence: -1,
          expiryMs: 0,
          priority: 0,
          notBeforeMs: 0,
        },
        { appended() {} },
        0,
      );
    };
    appendCanonical(canonical('one'));
    appendCanonical(canonical('two'));
    await send('mixed', batchOf('three', 'four'));
    appendCanonical(canonical('five'));
    await send('mixed', batchOf('six'));
    const { records } = await read(topic);
    expect(contents(records)).toEqual(['one', 'two', 'three', 'four', 'five', 'six'].map((text, i) => [i, text]));
    // From the middle the offsets are the same.
    expect(contents((await read(topic, { offset: 1 })).records)[0]).toEqual([1, 'two']);
    const first = decodeBatch(records!.subarray(0, 12 + records!.readInt32BE(8)), 1 << 20);
    expect(first[0]).toMatchObject({ key: Buffer.from('k'), tag: 'red', correlationId: 'c' });
    expect(harness.adapter.counts['narrowedHeaderTypes']).toBeGreaterThan(0);
  });
});

describe('ListOffsets', () => {
  const at = async (timestamp: number) => {
    const { topics } = await client.ask(listOffsets, 7, {
      replicaId: -1,
      isolationLevel: 1,
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp }] }],
    });
    const { errorCode, offset, timestamp: time } = topics[0]!.partitions[0]!;
    return [errorCode, offset, time];
  };

  it('finds ends and times exactly, inside compressed batches too', async () => {
    await makeTopic('t');
    const golden = Buffer.from(GOLDEN_BATCHES['java-snappy']!, 'hex');
    golden.writeBigInt64BE(-1n, AT.producerId);
    golden.writeBigInt64BE(0n, 0);
    golden.writeUInt32BE(crc32c(golden, AT.attributes, golden.length), AT.crc);
    await send('t', golden);
    expect(await at(-1)).toEqual([0, 3, -1]);
    expect(await at(-2)).toEqual([0, 0, -1]);
    expect(await at(-3)).toEqual([0, 2, 1_700_000_000_002]);
    expect(await at(1_700_000_000_001)).toEqual([0, 1, 1_700_000_000_001]);
    expect(await at(1_700_000_000_003)).toEqual([0, -1, -1]);
    expect(await at(-9)).toEqual([ERROR.UNSUPPORTED_VERSION, -1, -1]);
  });

  it('finds a batch that cannot be decoded by its head, and what lies behind it', async () => {
    await makeTopic('t');
    const broken = batchOf('a', 'b');
    broken.fill(0xff, BATCH_HEAD_BYTES);
    broken.writeUInt32BE(crc32c(broken, AT.attributes, broken.length), AT.crc);
    await send('t', broken);
    await send('t', batchOf('c'));
    expect(await at(1_700_000_000_000)).toEqual([0, 0, 1_700_000_000_001]);
    expect(await at(1_700_000_000_001)).toEqual([0, 0, 1_700_000_000_001]);
    expect(await at(-3)).toEqual([0, 0, 1_700_000_000_001]);
    await send('t', batchOf('d', 'e', 'f'));
    expect(await at(1_700_000_000_002)).toEqual([0, 5, 1_700_000_000_002]);
  });

  const stamped = (...times: number[]): Buffer => {
    const writer = new Writer();
    const messages = times.map((timestampMs) => ({ body: null, key: null, tag: null, headers: [], timestampMs }));
    encodeBatch(writer, messages, 0, messages.length, 0, 0);
    return writer.take();
  };

  it('finds times that are microseconds, and passes over records without one', async () => {
    await makeTopic('t');
    const micros = 1_700_000_000_000_000;
    await send('t', stamped(micros + 1, micros, micros + 5));
    await send('t', stamped(-1, -1));
    await send('t', stamped(micros + 9, micros + 11, micros + 10));
    await send('t', stamped(1_700_000_000_000));
    expect(await at(micros)).toEqual([0, 0, micros + 1]);
    expect(await at(micros + 3)).toEqual([0, 2, micros + 5]);
    expect(await at(micros + 6)).toEqual([0, 5, micros + 9]);
    expect(await at(micros + 12)).toEqual([0, -1, -1]);
    expect(await at(2 ** 48)).toEqual([0, 0, micros + 1]);
    expect(await at(-3)).toEqual([0, 6, micros + 11]);
  });

  it('takes a record without a time for one of no time, not of a late one', async () => {
    await makeTopic('t');
    await send('t', stamped(-1));
    expect(await at(-3)).toEqual([0, 0, -1]);
    await send('t', stamped(5, 3));
    expect(await at(-3)).toEqual([0, 1, 5]);
    expect(await at(0)).toEqual([0, 1, 5]);
    expect(await at(6)).toEqual([0, -1, -1]);
  });

  it('finds the largest time of a batch whose head names another one', async () => {
    await makeTopic('t');
    for (const [time, base] of [
      [20n, 0],
      [99n, 3],
    ] as const) {
      const batch = stamped(10, 25, 30);
      batch.writeBigInt64BE(time, AT.maxTimestamp);
      batch.writeUInt32BE(crc32c(batch, AT.attributes, batch.length), AT.crc);
      await send('t', batch);
      expect(await at(-3)).toEqual([0, base + 2, 30]);
    }
  });
});
