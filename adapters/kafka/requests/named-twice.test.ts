// Requests that name a thing more than once get it once, or are told: an answer is no multiple of what it tells.
import { expect, it } from 'vitest';
import { describeProducers } from '../../../specs/kafka/admin.ts';
import { metadata } from '../../../specs/kafka/cluster.ts';
import { listOffsets } from '../../../specs/kafka/data.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { describeGroups, offsetFetch } from '../../../specs/kafka/groups.ts';
import { describeConfigs } from '../../../specs/kafka/topics.ts';
import { ZERO_UUID } from '../codec/rows.ts';
import { batchOf, client, conversation, harness, makeTopic, send } from '../testing/conversation.ts';
import { RawClient } from '../testing/harness.ts';

conversation();

const TOPIC = 2;

it('Metadata tells a topic once', async () => {
  const { uuid } = await makeTopic('t');
  const named = { topicId: ZERO_UUID, name: 't' };
  const numbered = { topicId: uuid, name: null };
  const { topics } = await client.ask(metadata, 12, { topics: [named, named, numbered, numbered] });
  expect(topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([
    ['t', 0],
    ['t', 0],
  ]);
});

it('ListOffsets refuses a partition in every place where it is named', async () => {
  await makeTopic('t', 2);
  await makeTopic('u');
  const at = (partitionIndex: number) => ({ partitionIndex, timestamp: -1 });
  const { topics } = await client.ask(listOffsets, 7, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [
      { name: 't', partitions: [at(0), at(1)] },
      { name: 'u', partitions: [at(0)] },
      { name: 't', partitions: [at(0)] },
    ],
  });
  expect(topics.map(({ partitions }) => partitions.map(({ errorCode }) => errorCode))).toEqual([
    [ERROR.INVALID_REQUEST, 0],
    [0],
    [ERROR.INVALID_REQUEST],
  ]);
});

it('ListOffsets by time lets others have their turn', async () => {
  const count = 200;
  await makeTopic('t', count);
  await send('t', batchOf('a'));
  const partitions = Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp: 0 }));
  const other = new RawClient(harness.adapter);
  client.write(
    client.encode(listOffsets, 7, { replicaId: -1, isolationLevel: 0, topics: [{ name: 't', partitions }] }),
  );
  await other.ask(metadata, 1, { topics: [] });
  expect(client.frames).toHaveLength(0);
  expect((await client.answer(listOffsets, 7)).topics[0]!.partitions).toHaveLength(count);
});

it('DescribeGroups and DescribeProducers tell each once', async () => {
  await makeTopic('t');
  const described = await client.ask(describeGroups, 5, {
    groups: ['g', 'g', 'h'],
    includeAuthorizedOperations: false,
  });
  expect(described.groups).toHaveLength(2);
  const topic = { name: 't', partitionIndexes: [0, 0] };
  const { topics } = await client.ask(describeProducers, 0, { topics: [topic, topic] });
  expect(topics.flatMap(({ partitions }) => partitions)).toHaveLength(1);
});

it('DescribeConfigs refuses a resource the second time', async () => {
  await makeTopic('t');
  const resource = { resourceType: TOPIC, resourceName: 't', configurationKeys: null };
  const { results } = await client.ask(describeConfigs, 4, { resources: [resource, resource] });
  expect(results.map(({ errorCode }) => errorCode)).toEqual([0, ERROR.INVALID_REQUEST]);
  expect(results[1]!.configs).toEqual([]);
});

it('OffsetFetch tells a partition once and refuses a group the second time', async () => {
  await makeTopic('t');
  const topic = { name: 't', partitionIndexes: [0, 0] };
  const old = await client.ask(offsetFetch, 7, { groupId: 'g', topics: [topic, topic], groups: [] });
  expect(old.topics.flatMap(({ partitions }) => partitions)).toHaveLength(1);
  const group = { groupId: 'g', topics: [topic] };
  const { groups } = await client.ask(offsetFetch, 8, { groupId: '', topics: null, groups: [group, group] });
  expect(groups.map(({ errorCode, topics }) => [errorCode, topics.length])).toEqual([
    [0, 1],
    [ERROR.INVALID_REQUEST, 0],
  ]);
});
