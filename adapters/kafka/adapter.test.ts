// Conversations in raw frames over a duplex pair: what the protocol promises that a friendly client does not probe.
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeRecord } from '../../core/log/record.ts';
import { FORMAT_CANONICAL, type Message, TAG_NONE, type Topic } from '../../core/types.ts';
import { APIS } from '../../specs/kafka/apis.ts';
import {
  apiVersions,
  findCoordinator,
  initProducerId,
  metadata,
  saslAuthenticate,
  saslHandshake,
} from '../../specs/kafka/cluster.ts';
import { fetch, listOffsets, produce } from '../../specs/kafka/data.ts';
import { ERROR } from '../../specs/kafka/error-codes.ts';
import { heartbeat, joinGroup, offsetCommit, offsetFetch, syncGroup } from '../../specs/kafka/groups.ts';
import { createTopics } from '../../specs/kafka/topics.ts';
import { Writer } from '../wire/writer.ts';
import { AT, readInt64 } from './codec/batch.ts';
import { crc32c } from './codec/crc32c.ts';
import { decodeBatch, encodeBatch } from './codec/records.ts';
import { ZERO_UUID } from './codec/rows.ts';
import { GOLDEN_BATCHES } from './testing/golden-batches.ts';
import { type Harness, RawClient, start } from './testing/harness.ts';

let harness: Harness;
let client: RawClient;

beforeEach(async () => {
  harness = await start();
  client = new RawClient(harness.adapter);
});
afterEach(() => harness.stop());

const everybody = { name: 'test', host: '' };

function batchOf(...values: string[]): Buffer {
  const writer = new Writer();
  const messages: Message[] = values.map((value, i) => ({
    body: Buffer.from(value),
    key: null,
    tag: null,
    headers: [],
    timestampMs: 1_700_000_000_000 + i,
  }));
  encodeBatch(writer, messages, 0, messages.length, 0, 0);
  return writer.take();
}

/** The same batch as an idempotent producer would send it. */
function numbered(batch: Buffer, producerId: number, epoch: number, sequence: number): Buffer {
  const copy = Buffer.from(batch);
  copy.writeBigInt64BE(BigInt(producerId), AT.producerId);
  copy.writeInt16BE(epoch, AT.producerEpoch);
  copy.writeInt32BE(sequence, AT.baseSequence);
  copy.writeUInt32BE(crc32c(copy, AT.attributes, copy.length), AT.crc);
  return copy;
}

function makeTopic(name: string, queues = 1): Promise<Topic> {
  return harness.broker.createTopic(everybody, { namespace: 'default', kind: 'topic', name, queues });
}

const produceOf = (name: string, records: Buffer | null, acks = -1, index = 0) => ({
  acks,
  timeoutMs: 1000,
  topicData: [{ name, partitionData: [{ index, records }] }],
});

async function send(name: string, records: Buffer | null, version = 9, acks = -1) {
  const { responses } = await client.ask(produce, version, produceOf(name, records, acks));
  return responses[0]!.partitionResponses[0]!;
}

interface FetchWish {
  readonly offset?: number;
  readonly minBytes?: number;
  readonly maxWaitMs?: number;
  readonly maxBytes?: number;
  readonly epoch?: number;
}

const fetchOf = (topic: { name: string; uuid?: string }, wish: FetchWish = {}) => ({
  maxWaitMs: wish.maxWaitMs ?? 0,
  minBytes: wish.minBytes ?? 1,
  maxBytes: wish.maxBytes ?? 1 << 20,
  topics: [
    {
      topic: topic.name,
      topicId: topic.uuid ?? ZERO_UUID,
      partitions: [
        {
          partition: 0,
          fetchOffset: wish.offset ?? 0,
          partitionMaxBytes: wish.maxBytes ?? 1 << 20,
          currentLeaderEpoch: wish.epoch ?? -1,
        },
      ],
    },
  ],
  forgottenTopicsData: [],
});

async function read(topic: { name: string; uuid?: string }, wish: FetchWish = {}, version = 12) {
  const { responses } = await client.ask(fetch, version, fetchOf(topic, wish));
  return responses[0]!.partitions[0]!;
}

/** The offsets and bodies of a record set. */
function contents(records: Buffer | null): [number, string | null][] {
  const out: [number, string | null][] = [];
  for (let at = 0; records !== null && at < records.length; ) {
    const end = at + 12 + records.readInt32BE(at + AT.batchLength);
    const batch = records.subarray(at, end);
    expect(crc32c(batch, AT.attributes, batch.length)).toBe(batch.readUInt32BE(AT.crc));
    for (const [i, { body }] of decodeBatch(batch, 1 << 20).entries()) {
      out.push([readInt64(batch, 0) + i, body?.toString() ?? null]);
    }
    at = end;
  }
  return out;
}

describe('negotiation', () => {
  it('advertises exactly the rows, in every version', async () => {
    for (const version of [0, 1, 2, 3, 4]) {
      const request = { clientSoftwareName: 'test', clientSoftwareVersion: '1.0' };
      const { errorCode, apiKeys } = await client.ask(apiVersions, version, request);
      expect(errorCode).toBe(ERROR.NONE);
      expect(apiKeys).toEqual(APIS.map(({ key, min, max }) => ({ apiKey: key, minVersion: min, maxVersion: max })));
    }
  });

  it('answers an unknown version of ApiVersions in the shape of version 0', async () => {
    client.write(client.frame(apiVersions, 77, (writer) => writer.utf8('whatever this is')));
    const { errorCode, apiKeys } = await client.answer(apiVersions, 0);
    expect(errorCode).toBe(ERROR.UNSUPPORTED_VERSION);
    expect(apiKeys.find(({ apiKey }) => apiKey === 18)).toEqual({ apiKey: 18, minVersion: 0, maxVersion: 4 });
    expect(client.closed).toBe(false);
  });

  it('wants a proper name of the client software', async () => {
    const bad = { clientSoftwareName: '-x', clientSoftwareVersion: '1' };
    expect((await client.ask(apiVersions, 3, bad)).errorCode).toBe(ERROR.INVALID_REQUEST);
  });

  it('closes on what it has not advertised', async () => {
    client.write(client.frame({ key: 24, flexible: 3 }, 0, () => {}));
    await client.untilClosed();
    const other = new RawClient(harness.adapter);
    other.write(other.frame(produce, 2, () => {}));
    await other.untilClosed();
  });

  it('answers in order, whatever arrives when, also byte by byte', async () => {
    await makeTopic('t');
    const wait = client.encode(fetch, 12, fetchOf({ name: 't' }, { maxWaitMs: 300 }));
    const ask = client.encode(metadata, 4, { topics: [] });
    const send = client.encode(produce, 9, produceOf('t', batchOf('x')));
    const frames = Buffer.concat([wait, ask, send]);
    for (let i = 0; i < frames.length; i++) client.write(frames.subarray(i, i + 1));
    // The Produce behind it ends the wait of the Fetch in front, whose answer leaves first all the same.
    const fetched = await client.answer(fetch, 12);
    expect(contents(fetched.responses[0]!.partitions[0]!.records)).toEqual([[0, 'x']]);
    expect((await client.answer(metadata, 4)).brokers).toEqual([
      { nodeId: 1, host: '127.0.0.1', port: 9092, rack: null },
    ]);
    expect((await client.answer(produce, 9)).responses[0]!.partitionResponses[0]!.errorCode).toBe(ERROR.NONE);
  });
});

describe('Metadata', () => {
  it('creates what is asked for, unless told not to, with a lasting id', async () => {
    const first = await client.ask(metadata, 12, { topics: [{ topicId: ZERO_UUID, name: 'born' }] });
    expect(first.topics[0]).toMatchObject({ errorCode: ERROR.NONE, name: 'born' });
    const id = first.topics[0]!.topicId;
    expect(id).not.toBe(ZERO_UUID);
    const byId = await client.ask(metadata, 12, { topics: [{ topicId: id, name: null }] });
    expect(byId.topics[0]).toMatchObject({ errorCode: ERROR.NONE, name: 'born', topicId: id });
    const request = { topics: [{ topicId: ZERO_UUID, name: 'not' }], allowAutoTopicCreation: false };
    const refused = await client.ask(metadata, 4, request);
    expect(refused.topics[0]!.errorCode).toBe(ERROR.UNKNOWN_TOPIC_OR_PARTITION);
    const bad = await client.ask(metadata, 4, { topics: [{ topicId: ZERO_UUID, name: 'a b' }] });
    expect(bad.topics[0]!.errorCode).toBe(ERROR.INVALID_TOPIC_EXCEPTION);
    const gone = await client.ask(metadata, 12, { topics: [{ topicId: 'ff'.repeat(16), name: null }] });
    expect(gone.topics[0]!.errorCode).toBe(ERROR.UNKNOWN_TOPIC_ID);
  });

  it('knows the two ways to ask for all, and for none', async () => {
    await makeTopic('one');
    expect((await client.ask(metadata, 0, { topics: [] })).topics).toHaveLength(1);
    expect((await client.ask(metadata, 1, { topics: null })).topics).toHaveLength(1);
    expect((await client.ask(metadata, 1, { topics: [] })).topics).toHaveLength(0);
  });
});

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

describe('a client that does not read', () => {
  it('holds up its own requests, not the memory', async () => {
    const topic = await makeTopic('t');
    const value = 'x'.repeat(500_000);
    for (let i = 0; i < 8; i++) await send('t', batchOf(value));
    const slow = new RawClient(harness.adapter, { highWaterMark: 1000 });
    slow.pause();
    const ask = slow.encode(fetch, 12, fetchOf(topic, { maxBytes: 1 << 22 }));
    // 1000 times 4 MB would be asked for; one answer waits, the others are not begun.
    slow.write(Buffer.concat(Array.from({ length: 1000 }, () => ask)));
    const before = harness.adapter.counts['fetches']!;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(harness.adapter.counts['fetches']! - before).toBeLessThan(5);
    // Others are served meanwhile.
    expect((await read(topic)).errorCode).toBe(ERROR.NONE);
    slow.resume();
    for (let i = 0; i < 20; i++) {
      const { responses } = await slow.answer(fetch, 12);
      expect(responses[0]!.partitions[0]!.records!.length).toBeGreaterThan(3_900_000);
    }
    slow.destroy();
  });
});

describe('reserved names', () => {
  it("are nobody else's", async () => {
    const { topics } = await client.ask(metadata, 4, { topics: [{ topicId: ZERO_UUID, name: '__consumer_offsets' }] });
    expect(topics[0]!.errorCode).toBe(ERROR.UNKNOWN_TOPIC_OR_PARTITION);
    const wish = { name: '__transaction_state', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };
    expect((await client.ask(createTopics, 7, { topics: [wish] })).topics[0]!.errorCode).toBe(
      ERROR.INVALID_TOPIC_EXCEPTION,
    );
  });
});

describe('ListOffsets', () => {
  it('finds ends and times exactly, inside compressed batches too', async () => {
    await makeTopic('t');
    const golden = Buffer.from(GOLDEN_BATCHES['java-snappy']!, 'hex');
    golden.writeBigInt64BE(-1n, AT.producerId);
    golden.writeBigInt64BE(0n, 0);
    golden.writeUInt32BE(crc32c(golden, AT.attributes, golden.length), AT.crc);
    await send('t', golden);
    const at = async (timestamp: number) => {
      const { topics } = await client.ask(listOffsets, 7, {
        replicaId: -1,
        isolationLevel: 1,
        topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp }] }],
      });
      const { errorCode, offset, timestamp: time } = topics[0]!.partitions[0]!;
      return [errorCode, offset, time];
    };
    expect(await at(-1)).toEqual([0, 3, -1]);
    expect(await at(-2)).toEqual([0, 0, -1]);
    expect(await at(-3)).toEqual([0, 2, 1_700_000_000_002]);
    expect(await at(1_700_000_000_001)).toEqual([0, 1, 1_700_000_000_001]);
    expect(await at(1_700_000_000_003)).toEqual([0, -1, -1]);
    expect(await at(-9)).toEqual([ERROR.UNSUPPORTED_VERSION, -1, -1]);
  });
});

describe('groups', () => {
  const protocols = [{ name: 'range', metadata: Buffer.from('00000000000100017400000000', 'hex') }];
  const wish = { groupId: 'g', sessionTimeoutMs: 6000, rebalanceTimeoutMs: 6000, protocolType: 'consumer', protocols };

  it('runs a member through its life in raw frames', async () => {
    await makeTopic('t');
    const asked = await client.ask(joinGroup, 9, { ...wish, memberId: '' });
    expect(asked.errorCode).toBe(ERROR.MEMBER_ID_REQUIRED);
    const { memberId } = asked;
    const joined = await client.ask(joinGroup, 9, { ...wish, memberId });
    expect(joined).toMatchObject({ errorCode: 0, leader: memberId, protocolName: 'range', protocolType: 'consumer' });
    const assignments = [{ memberId, assignment: Buffer.from('mine') }];
    const { generationId } = joined;
    const synced = await client.ask(syncGroup, 5, { groupId: 'g', generationId, memberId, assignments });
    expect(synced).toMatchObject({ errorCode: 0, assignment: Buffer.from('mine') });
    expect((await client.ask(heartbeat, 4, { groupId: 'g', generationId, memberId })).errorCode).toBe(ERROR.NONE);
    const topics = [
      {
        name: 't',
        partitions: [
          { partitionIndex: 0, committedOffset: 7, committedLeaderEpoch: 2, committedMetadata: 'note' },
          { partitionIndex: 9, committedOffset: 7, committedMetadata: null },
        ],
      },
    ];
    const committed = await client.ask(offsetCommit, 9, { groupId: 'g', generationId, memberId, topics });
    expect(committed.topics[0]!.partitions.map(({ errorCode }) => errorCode)).toEqual([0, 3]);
    const stranger = await client.ask(offsetCommit, 9, { groupId: 'g', topics });
    expect(stranger.topics[0]!.partitions[0]!.errorCode).toBe(ERROR.UNKNOWN_MEMBER_ID);
    const groups = [{ groupId: 'g', topics: null }];
    const found = await client.ask(offsetFetch, 9, { groupId: '', topics: null, groups });
    expect(found.groups[0]!.topics).toEqual([
      {
        name: 't',
        partitions: [
          { partitionIndex: 0, committedOffset: 7, committedLeaderEpoch: 2, metadata: 'note', errorCode: 0 },
        ],
      },
    ]);
    const nothing = { groupId: 'nobody', topics: [{ name: 't', partitionIndexes: [0] }], groups: [] };
    const none = await client.ask(offsetFetch, 5, nothing);
    expect(none.topics[0]!.partitions[0]).toMatchObject({ committedOffset: -1, errorCode: 0 });
  });

  it('refuses a group that another protocol holds', async () => {
    const group = harness.broker.ensureGroup(everybody, 'default', 'g');
    const member = { id: 'x', clientId: 'x', host: '', topics: [], data: null, timeoutMs: 5000 };
    harness.broker.putMember(everybody, 'other', group, member);
    const refused = await client.ask(joinGroup, 3, { ...wish, memberId: '' });
    expect(refused.errorCode).toBe(ERROR.INCONSISTENT_GROUP_PROTOCOL);
    const topics = [{ name: 't', partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }] }];
    const commit = await client.ask(offsetCommit, 9, { groupId: 'g', topics });
    expect(commit.topics[0]!.partitions[0]!.errorCode).toBe(ERROR.UNKNOWN_MEMBER_ID);
    harness.broker.removeMember(group, 'x');
  });
});

describe('login', () => {
  it('serves nothing but the login before it, in both forms', async () => {
    const guarded = await start({ users: { alice: 'secret' } });
    const early = new RawClient(guarded.adapter);
    early.write(early.encode(metadata, 1, { topics: null }));
    await early.untilClosed();

    const polite = new RawClient(guarded.adapter);
    expect((await polite.ask(saslHandshake, 1, { mechanism: 'GSSAPI' })).errorCode).toBe(
      ERROR.UNSUPPORTED_SASL_MECHANISM,
    );
    const tooSoon = await polite.ask(saslAuthenticate, 2, { authBytes: Buffer.from('\0alice\0secret') });
    expect(tooSoon.errorCode).toBe(ERROR.ILLEGAL_SASL_STATE);
    expect((await polite.ask(saslHandshake, 1, { mechanism: 'PLAIN' })).errorCode).toBe(ERROR.NONE);
    const done = await polite.ask(saslAuthenticate, 2, { authBytes: Buffer.from('\0alice\0secret') });
    expect(done.errorCode).toBe(ERROR.NONE);
    expect((await polite.ask(metadata, 1, { topics: null })).topics).toEqual([]);

    const wrong = new RawClient(guarded.adapter);
    await wrong.ask(saslHandshake, 1, { mechanism: 'PLAIN' });
    const refused = await wrong.ask(saslAuthenticate, 0, { authBytes: Buffer.from('\0alice\0guess') });
    expect(refused.errorCode).toBe(ERROR.SASL_AUTHENTICATION_FAILED);
    await wrong.untilClosed();

    const old = new RawClient(guarded.adapter);
    await old.ask(saslHandshake, 0, { mechanism: 'PLAIN' });
    const token = Buffer.from('\0alice\0secret');
    const length = Buffer.alloc(4);
    length.writeInt32BE(token.length);
    old.write(Buffer.concat([length, token]));
    expect(await old.next()).toEqual(Buffer.alloc(0));
    expect((await old.ask(metadata, 1, { topics: null })).topics).toEqual([]);

    const large = new RawClient(guarded.adapter);
    large.write(Buffer.from('00100000', 'hex'));
    await large.untilClosed();
    await guarded.stop();
  });
});

describe('hostile bytes', () => {
  it('end the connection and nothing else', async () => {
    await makeTopic('t');
    const valid: Buffer[] = [
      client.encode(produce, 9, produceOf('t', batchOf('a'))),
      client.encode(fetch, 12, fetchOf({ name: 't' }, { maxWaitMs: 1 })),
      client.encode(metadata, 9, { topics: [{ topicId: ZERO_UUID, name: 't' }] }),
      client.encode(listOffsets, 6, { replicaId: -1, isolationLevel: 0, topics: [] }),
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.nat(valid.length - 1),
        fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        fc.nat(200),
        async (pick, flips, cut) => {
          const frame = Buffer.from(valid[pick]!);
          for (const [at, value] of flips) frame[4 + (at % (frame.length - 4))] = value;
          const body = frame.subarray(4, frame.length - (cut % (frame.length - 4)));
          const head = Buffer.alloc(4);
          head.writeInt32BE(body.length);
          const other = new RawClient(harness.adapter);
          other.write(Buffer.concat([head, body]));
          await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
          other.destroy();
        },
      ),
      { numRuns: 300 },
    );
    expect((await client.ask(metadata, 1, { topics: null })).topics.length).toBeGreaterThan(0);
    await expect.poll(() => harness.adapter.connections).toBe(1);
  });

  it('that claim a frame of 2 GiB, or a negative one, are not believed', async () => {
    for (const hex of ['7fffffff', 'ffffffff']) {
      const other = new RawClient(harness.adapter);
      other.write(Buffer.from(hex, 'hex'));
      await other.untilClosed();
    }
  });
});

describe('the end', () => {
  it('answers what waits and closes', async () => {
    const topic = await makeTopic('t');
    client.write(client.encode(fetch, 12, fetchOf(topic, { maxWaitMs: 60000 })));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const drained = harness.adapter.drain(Date.now() + 5000);
    expect((await client.answer(fetch, 12)).responses[0]!.partitions[0]!.records).toHaveLength(0);
    client.destroy();
    await drained;
    expect(harness.adapter.connections).toBe(0);
  });

  it('sends members that wait for others to another coordinator', async () => {
    const delayed = await start({ settings: { initialRebalanceDelayMs: 5000 } });
    const member = new RawClient(delayed.adapter);
    const protocols = [{ name: 'range', metadata: Buffer.alloc(0) }];
    const wish = {
      groupId: 'g',
      sessionTimeoutMs: 6000,
      rebalanceTimeoutMs: 6000,
      protocolType: 'consumer',
      protocols,
    };
    member.write(member.encode(joinGroup, 3, { ...wish, memberId: '' }));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const drained = delayed.adapter.drain(Date.now() + 5000);
    expect((await member.answer(joinGroup, 3)).errorCode).toBe(ERROR.NOT_COORDINATOR);
    member.destroy();
    await drained;
    await delayed.stop();
  });

  it('cuts without an answer', async () => {
    const topic = await makeTopic('t');
    client.write(client.encode(fetch, 12, fetchOf(topic, { maxWaitMs: 60000 })));
    await new Promise((resolve) => setTimeout(resolve, 20));
    harness.adapter.cut();
    await client.untilClosed();
    expect(client.frames).toHaveLength(0);
  });
});
