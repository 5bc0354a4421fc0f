// What administrators ask, in raw frames: epochs, sizes, leaders, reassignments, producers, pages of partitions.
import { describe, expect, it } from 'vitest';
import {
  describeLogDirs,
  describeProducers,
  describeTopicPartitions,
  electLeaders,
  listPartitionReassignments,
} from '../../../specs/kafka/admin.ts';
import { apiVersions, describeCluster, metadata } from '../../../specs/kafka/cluster.ts';
import { deleteRecords, fetch, listOffsets, offsetForLeaderEpoch } from '../../../specs/kafka/data.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { apiTable } from '../../../specs/kafka/mapping-table.ts';
import type { Api, Field, Input, Values } from '../../../specs/kafka/row.ts';
import { createPartitions, createTopics } from '../../../specs/kafka/topics.ts';
import { readPage } from '../../../specs/mapping-page.ts';
import { batchOf, client, conversation, fetchOf, harness, makeTopic, numbered, send } from '../testing/conversation.ts';

conversation();

it('ApiVersions answers what the compatibility page says', async () => {
  const lines = readPage(apiTable)
    .split('\n')
    .map((line) => /^\| (\d+) \| \w+ \| (\d+)(?:-(\d+))? \| served \|/.exec(line));
  const told = lines.flatMap((match) =>
    match === null ? [] : [[match[1], match[2], match[3] ?? match[2]].map(Number)],
  );
  const { apiKeys } = await client.ask(apiVersions, 3, { clientSoftwareName: 'a', clientSoftwareVersion: '1' });
  expect(told).toEqual(apiKeys.map(({ apiKey, minVersion, maxVersion }) => [apiKey, minVersion, maxVersion]));
  expect(told.length).toBeGreaterThan(30);
});

describe('OffsetForLeaderEpoch', () => {
  const ask = async (leaderEpoch: number, currentLeaderEpoch = -1, topic = 't', version = 4) => {
    const topics = [{ topic, partitions: [{ partition: 0, currentLeaderEpoch, leaderEpoch }] }];
    return (await client.ask(offsetForLeaderEpoch, version, { topics })).topics[0]!.partitions[0]!;
  };

  it('tells how far an epoch went, in every version', async () => {
    await makeTopic('t');
    await send('t', batchOf('a', 'b', 'c'));
    const { epoch } = harness.broker;
    for (const version of [2, 3, 4]) {
      expect(await ask(epoch, epoch, 't', version)).toEqual({
        errorCode: ERROR.NONE,
        partition: 0,
        leaderEpoch: epoch,
        endOffset: 3,
      });
    }
    // Below all that is known: ends where the first known one begins.
    expect(await ask(epoch - 1)).toMatchObject({ errorCode: ERROR.NONE, endOffset: 0 });
    expect(await ask(epoch + 1)).toMatchObject({ errorCode: ERROR.NONE, leaderEpoch: -1, endOffset: -1 });
    expect(await ask(epoch, epoch - 1)).toMatchObject({ errorCode: ERROR.FENCED_LEADER_EPOCH, endOffset: -1 });
    expect(await ask(epoch, epoch + 1)).toMatchObject({ errorCode: ERROR.UNKNOWN_LEADER_EPOCH });
    expect(await ask(epoch, -1, 'nowhere')).toMatchObject({ errorCode: ERROR.UNKNOWN_TOPIC_OR_PARTITION });
  });
});

describe('ListOffsets', () => {
  it('knows -3 from v7, -4 from v8 and -5 from v9, and names the epoch of the record', async () => {
    await makeTopic('t');
    await send('t', batchOf('a', 'b', 'c'));
    const ask = async (timestamp: number, version: number) => {
      const topics = [{ name: 't', partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp }] }];
      const {
        errorCode,
        offset,
        timestamp: time,
        leaderEpoch,
      } = (await client.ask(listOffsets, version, { replicaId: -1, isolationLevel: 0, topics })).topics[0]!
        .partitions[0]!;
      return [errorCode, offset, time, leaderEpoch];
    };
    const { epoch } = harness.broker;
    expect(await ask(-3, 7)).toEqual([ERROR.NONE, 2, 1_700_000_000_002, epoch]);
    expect(await ask(-4, 8)).toEqual([ERROR.NONE, 0, -1, epoch]);
    expect(await ask(-5, 9)).toEqual([ERROR.NONE, -1, -1, -1]);
    expect(await ask(1_700_000_000_001, 9)).toEqual([ERROR.NONE, 1, 1_700_000_000_001, epoch]);
    for (const [timestamp, version] of [
      [-3, 6],
      [-4, 7],
      [-5, 8],
      [-6, 9],
    ] as const) {
      expect(await ask(timestamp, version)).toEqual([ERROR.UNSUPPORTED_VERSION, -1, -1, -1]);
    }
  });
});

describe('DescribeLogDirs', () => {
  it('tells the size of each partition, of all topics or of some', async () => {
    await makeTopic('t', 2);
    await makeTopic('u');
    await send('t', batchOf('x'.repeat(5_000)));
    const all = await client.ask(describeLogDirs, 4, { topics: null });
    expect(all).toMatchObject({ errorCode: ERROR.NONE, results: [{ errorCode: ERROR.NONE, totalBytes: -1 }] });
    const sizes = (answer: typeof all) =>
      answer.results[0]!.topics.map(({ name, partitions }) => [
        name,
        partitions.map(({ partitionSize }) => partitionSize),
      ]);
    const [[, [first, second]], rest] = sizes(all) as [[string, number[]], [string, number[]]];
    expect(first).toBeGreaterThan(5_000);
    expect(first).toBeLessThan(6_000);
    expect([second, rest]).toEqual([0, ['u', [0]]]);
    const some = await client.ask(describeLogDirs, 1, {
      topics: [
        { topic: 't', partitions: [1, 7] },
        { topic: 'nowhere', partitions: [0] },
      ],
    });
    expect(sizes(some)).toEqual([['t', [0]]]);
  });
});

describe('the only node', () => {
  it('needs no election and moves nothing', async () => {
    await makeTopic('t');
    const { replicaElectionResults, errorCode } = await client.ask(electLeaders, 2, {
      topicPartitions: [{ topic: 't', partitions: [0, 5] }],
    });
    expect(errorCode).toBe(ERROR.NONE);
    expect(replicaElectionResults[0]!.partitionResult).toEqual([
      { partitionId: 0, errorCode: ERROR.ELECTION_NOT_NEEDED, errorMessage: null },
      { partitionId: 5, errorCode: ERROR.UNKNOWN_TOPIC_OR_PARTITION, errorMessage: null },
    ]);
    expect((await client.ask(electLeaders, 1, { topicPartitions: null })).replicaElectionResults).toEqual([]);
    expect(await client.ask(listPartitionReassignments, 0, { topics: null })).toMatchObject({
      errorCode: ERROR.NONE,
      topics: [],
    });
  });

  it('tells what one may do to who asks for it', async () => {
    await makeTopic('t');
    const asked = { topics: [{ topicId: undefined as never, name: 't' }], includeTopicAuthorizedOperations: true };
    expect((await client.ask(metadata, 9, asked)).topics[0]!.topicAuthorizedOperations).toBe(0b1101_1111_1000);
    const silent = await client.ask(metadata, 9, { ...asked, includeTopicAuthorizedOperations: false });
    expect(silent.topics[0]!.topicAuthorizedOperations).toBe(-2147483648);
    const cluster = await client.ask(describeCluster, 1, { includeClusterAuthorizedOperations: true });
    expect(cluster.clusterAuthorizedOperations).toBe(0b1_1111_1010_0000);
  });
});

describe('DescribeProducers', () => {
  it('tells what each producer wrote last', async () => {
    await makeTopic('t');
    await send('t', numbered(batchOf('a', 'b'), 77, 3, 0));
    await send('t', numbered(batchOf('c'), 77, 3, 2));
    const { topics } = await client.ask(describeProducers, 0, { topics: [{ name: 't', partitionIndexes: [0, 9] }] });
    const [known, unknown] = topics[0]!.partitions;
    expect(known!.activeProducers).toEqual([
      {
        producerId: 77,
        producerEpoch: 3,
        lastSequence: 2,
        lastTimestamp: expect.any(Number) as number,
        coordinatorEpoch: -1,
        currentTxnStartOffset: -1,
      },
    ]);
    expect(unknown).toMatchObject({ errorCode: ERROR.UNKNOWN_TOPIC_OR_PARTITION, activeProducers: [] });
  });
});

describe('DescribeTopicPartitions', () => {
  it('gives pages that make the whole', async () => {
    for (const [name, queues] of [
      ['b', 3],
      ['a', 4],
      ['c', 1],
    ] as const)
      await makeTopic(name, queues);
    const seen: string[] = [];
    type Page = Values<(typeof describeTopicPartitions)['response']>;
    let cursor: Page['nextCursor'] = null;
    for (let page = 0; page < 10; page++) {
      const answer: Page = await client.ask(describeTopicPartitions, 0, {
        topics: [],
        responsePartitionLimit: 3,
        cursor,
      });
      const entries = answer.topics.flatMap(({ name, partitions }) =>
        partitions.map(({ partitionIndex }) => `${name}${partitionIndex}`),
      );
      expect(entries.length).toBeLessThanOrEqual(3);
      seen.push(...entries);
      cursor = answer.nextCursor;
      if (cursor === null) break;
    }
    expect(seen).toEqual(['a0', 'a1', 'a2', 'a3', 'b0', 'b1', 'b2', 'c0']);
    const { topics } = await client.ask(describeTopicPartitions, 0, {
      topics: [{ name: 'nowhere' }, { name: 'c' }, { name: '..' }],
      cursor: null,
    });
    expect(topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([
      ['..', ERROR.INVALID_TOPIC_EXCEPTION],
      ['c', ERROR.NONE],
      ['nowhere', ERROR.UNKNOWN_TOPIC_OR_PARTITION],
    ]);
  });
});

describe('partitions', () => {
  it('are made up to a number in one request, all of its topics together', async () => {
    const create = async (...counts: number[]) => {
      const topics = counts.map((numPartitions, i) => ({
        name: `t${i}`,
        numPartitions,
        replicationFactor: -1,
        assignments: [],
        configs: [],
      }));
      const answer = await client.ask(createTopics, 7, { topics, validateOnly: false });
      return answer.topics.map(({ errorCode }) => errorCode);
    };
    const grow = async (...counts: number[]) => {
      const topics = counts.map((count, i) => ({ name: `t${i}`, count, assignments: null }));
      const answer = await client.ask(createPartitions, 3, { topics, timeoutMs: 0, validateOnly: true });
      return answer.results.map(({ errorCode }) => errorCode);
    };
    const refused = ERROR.POLICY_VIOLATION;
    expect(await create(9_999, 2)).toEqual([refused, refused]);
    expect(await create(10_001, 2)).toEqual([ERROR.INVALID_PARTITIONS, ERROR.NONE]);
    expect(await create(1)).toEqual([ERROR.NONE]);
    expect(await grow(6_001, 4_002)).toEqual([ERROR.NONE, ERROR.NONE]);
    expect(await grow(6_001, 4_003)).toEqual([refused, refused]);
    expect(await grow(10_001, 3)).toEqual([ERROR.INVALID_PARTITIONS, ERROR.NONE]);
  });
});

describe('numbers beyond 2^53', () => {
  const MARK = 0x1234_5678_9abc;

  /** Asks with the number in place of MARK. */
  async function ask<const Q extends readonly Field[], const R extends readonly Field[]>(
    api: Api & { readonly request: Q; readonly response: R },
    version: number,
    value: Input<Q>,
    number: bigint,
  ) {
    const frame = client.encode(api, version, value);
    const mark = Buffer.alloc(8);
    mark.writeBigInt64BE(BigInt(MARK));
    frame.writeBigInt64BE(number, frame.indexOf(mark));
    client.write(frame);
    return client.answer(api, version);
  }

  it.each([2n ** 63n - 1n, 2n ** 53n, -(2n ** 63n)])('are times and offsets that nothing has: %i', async (number) => {
    const topic = await makeTopic('t');
    await send('t', batchOf('a'));
    const times = [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: MARK }] }];
    const listed = await ask(listOffsets, 7, { replicaId: -1, isolationLevel: 0, topics: times }, number);
    const code = number < 0n ? ERROR.UNSUPPORTED_VERSION : ERROR.NONE;
    expect(listed.topics[0]!.partitions[0]).toMatchObject({ errorCode: code, offset: -1, timestamp: -1 });
    const fetched = await ask(fetch, 12, fetchOf(topic, { offset: MARK }), number);
    expect(fetched.responses[0]!.partitions[0]!.errorCode).toBe(ERROR.OFFSET_OUT_OF_RANGE);
    const starts = [{ name: 't', partitions: [{ partitionIndex: 0, offset: MARK }] }];
    const removed = await ask(deleteRecords, 2, { topics: starts, timeoutMs: 0 }, number);
    expect(removed.topics[0]!.partitions[0]!.errorCode).toBe(ERROR.OFFSET_OUT_OF_RANGE);
  });
});
