// What becomes of groups and their offsets: static members that come back, offsets that are too old, deletions.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import {
  deleteGroups,
  describeGroups,
  heartbeat,
  joinGroup,
  leaveGroup,
  listGroups,
  offsetCommit,
  offsetDelete,
  offsetFetch,
  syncGroup,
} from '../../../specs/kafka/groups.ts';
import { Writer } from '../../wire/writer.ts';
import { everybody } from '../testing/conversation.ts';
import { type Harness, RawClient, start } from '../testing/harness.ts';

let harness: Harness;
let client: RawClient;

beforeEach(async () => {
  harness = await start({ settings: { offsetsRetentionMs: 80_000 } });
  client = new RawClient(harness.adapter);
  for (const name of ['t', 'u']) {
    await harness.broker.createTopic(everybody, { namespace: 'default', kind: 'topic', name, queues: 2 });
  }
});
afterEach(() => harness.stop());

/** ConsumerProtocolSubscription v1 (KIP-429): topics, no user data, and the partitions that the member owns. */
function subscription(topics: readonly string[], owned: readonly number[] = []): Buffer {
  const writer = new Writer();
  const text = (value: string): void => {
    writer.int16(value.length);
    writer.utf8(value);
  };
  writer.int16(1);
  writer.int32(topics.length);
  for (const topic of topics) text(topic);
  writer.int32(-1);
  writer.int32(owned.length > 0 ? 1 : 0);
  if (owned.length > 0) {
    text('t');
    writer.int32(owned.length);
    for (const partition of owned) writer.int32(partition);
  }
  return writer.take();
}

const wish = (metadata: Buffer, more: object = {}) => ({
  groupId: 'g',
  sessionTimeoutMs: 1_800_000,
  rebalanceTimeoutMs: 6_000,
  protocolType: 'consumer',
  protocols: [{ name: 'cooperative-sticky', metadata }],
  memberId: '',
  ...more,
});

async function settle(joined: { memberId: string; generationId: number }, assignment: string) {
  const { memberId, generationId } = joined;
  const assignments = [{ memberId, assignment: Buffer.from(assignment) }];
  return client.ask(syncGroup, 5, { groupId: 'g', generationId, memberId, assignments });
}

async function commit(groupId: string, topic = 't', generation: object = {}) {
  const partitions = [{ partitionIndex: 0, committedOffset: 3, committedMetadata: null }];
  const { topics } = await client.ask(offsetCommit, 8, {
    groupId,
    topics: [{ name: topic, partitions }],
    ...generation,
  });
  return topics[0]!.partitions[0]!.errorCode;
}

async function place(groupId: string, topic = 't'): Promise<number> {
  const groups = [{ groupId, topics: [{ name: topic, partitionIndexes: [0] }] }];
  const answer = await client.ask(offsetFetch, 8, { groupId: '', topics: null, groups });
  return answer.groups[0]!.topics[0]!.partitions[0]!.committedOffset;
}

const groupNames = async (): Promise<string[]> =>
  (await client.ask(listGroups, 4, { statesFilter: [], typesFilter: [] })).groups.map(({ groupId }) => groupId).sort();

/** One look of the core at what is too old. */
async function tend(): Promise<void> {
  (harness.broker as unknown as { maintenance: { tend(): void } }).maintenance.tend();
  await new Promise((resolve) => setTimeout(resolve, 20));
}
const pass = (seconds: number): void => {
  harness.clock.aheadMs += seconds * 1_000;
};

describe('a static member', () => {
  it('that owned partitions and comes back with none gets its assignment without a rebalance', async () => {
    const asked = wish(subscription(['t'], [0, 1]), { groupInstanceId: 'i' });
    const first = await client.ask(joinGroup, 9, asked);
    await settle(first, 'mine');
    const back = await client.ask(joinGroup, 9, wish(subscription(['t']), { groupInstanceId: 'i' }));
    expect(back).toMatchObject({ errorCode: ERROR.NONE, generationId: first.generationId, skipAssignment: true });
    expect(back.memberId).not.toBe(first.memberId);
    const { memberId, generationId } = back;
    const synced = await client.ask(syncGroup, 5, {
      groupId: 'g',
      generationId,
      memberId,
      groupInstanceId: 'i',
      assignments: [],
    });
    expect(synced.assignment.toString()).toBe('mine');
    const old = { groupId: 'g', generationId, memberId: first.memberId, groupInstanceId: 'i' };
    expect((await client.ask(heartbeat, 4, old)).errorCode).toBe(ERROR.FENCED_INSTANCE_ID);
    expect(await commit('g', 't', old)).toBe(ERROR.FENCED_INSTANCE_ID);
    expect((await client.ask(syncGroup, 5, { ...old, assignments: [] })).errorCode).toBe(ERROR.FENCED_INSTANCE_ID);
    const fenced = await client.ask(joinGroup, 9, { ...asked, memberId: first.memberId });
    expect(fenced.errorCode).toBe(ERROR.FENCED_INSTANCE_ID);
    const { groups } = await client.ask(describeGroups, 5, { groups: ['g'], includeAuthorizedOperations: false });
    expect(groups[0]!.members.map(({ groupInstanceId }) => groupInstanceId)).toEqual(['i']);
    // Another subscription is another matter.
    const changed = await client.ask(joinGroup, 9, wish(subscription(['u']), { groupInstanceId: 'i' }));
    expect(changed.generationId).toBe(first.generationId + 1);
    const members = [
      { memberId: '', groupInstanceId: 'i' },
      { memberId: '', groupInstanceId: 'unknown' },
    ];
    const left = await client.ask(leaveGroup, 5, { groupId: 'g', memberId: '', members });
    expect(left.members.map(({ errorCode }) => errorCode)).toEqual([ERROR.NONE, ERROR.UNKNOWN_MEMBER_ID]);
  });
});

describe('offsets', () => {
  it('of simple consumers go by their age, and the group with the last of them', async () => {
    expect(await commit('simple')).toBe(ERROR.NONE);
    pass(50);
    expect(await commit('simple', 'u')).toBe(ERROR.NONE);
    pass(50);
    await tend();
    expect([await place('simple'), await place('simple', 'u')]).toEqual([-1, 3]);
    expect(await groupNames()).toEqual(['simple']);
    pass(60);
    await tend();
    expect(await groupNames()).toEqual([]);
    expect(harness.adapter.counts['offsetsExpired']).toBe(2);
  });

  it('of a group count from when the last member has gone; while it works only what nobody subscribes to goes', async () => {
    const joined = await client.ask(joinGroup, 3, wish(subscription(['t'])));
    await settle(joined, 'mine');
    const { memberId, generationId } = joined;
    expect(await commit('g', 't', { memberId, generationId })).toBe(ERROR.NONE);
    expect(await commit('g', 'u', { memberId, generationId })).toBe(ERROR.NONE);
    pass(100);
    await tend();
    expect([await place('g'), await place('g', 'u')]).toEqual([3, -1]);
    await client.ask(leaveGroup, 2, { groupId: 'g', memberId, members: [] });
    await tend();
    expect(await place('g')).toBe(3);
    pass(100);
    await tend();
    expect(await place('g')).toBe(-1);
    expect(await groupNames()).toEqual([]);
  });

  it('groups that nobody has come to work in go, those of other protocols stay', async () => {
    harness.broker.ensureGroup(everybody, 'default', 'other');
    const asked = await client.ask(joinGroup, 9, wish(subscription(['t'])));
    expect(asked.errorCode).toBe(ERROR.MEMBER_ID_REQUIRED);
    const refused = await client.ask(joinGroup, 3, wish(subscription(['t']), { groupId: 'h', sessionTimeoutMs: 1 }));
    expect(refused.errorCode).toBe(ERROR.INVALID_SESSION_TIMEOUT);
    expect(await groupNames()).toEqual(['g', 'h', 'other']);
    await tend();
    expect(await groupNames()).toEqual(['other']);
    // The member that had its id from the group that has gone begins anew.
    const late = await client.ask(joinGroup, 9, wish(subscription(['t']), { memberId: asked.memberId }));
    expect(late.errorCode).toBe(ERROR.UNKNOWN_MEMBER_ID);
    const again = await client.ask(joinGroup, 9, wish(subscription(['t'])));
    const joined = await client.ask(joinGroup, 9, wish(subscription(['t']), { memberId: again.memberId }));
    expect(joined.errorCode).toBe(ERROR.NONE);
    await tend();
    expect(await groupNames()).toEqual(['g', 'other']);
  });

  it('of groups that Kafka did not make stay', async () => {
    const group = harness.broker.ensureGroup(everybody, 'default', 'other');
    const topic = harness.broker.topic('default', 't')!;
    const offset = { queue: topic.queues[0]!, offset: 3, metadata: '', epoch: -1 };
    harness.broker.commitOffsets(everybody, group, [offset], null, 0);
    pass(100);
    await tend();
    expect(await place('other')).toBe(3);
  });

  it('are deleted where nobody subscribes, groups where nobody is', async () => {
    const remove = (topic: string) =>
      client.ask(offsetDelete, 0, { groupId: 'g', topics: [{ name: topic, partitions: [{ partitionIndex: 0 }] }] });
    expect((await remove('t')).errorCode).toBe(ERROR.GROUP_ID_NOT_FOUND);
    const joined = await client.ask(joinGroup, 3, wish(subscription(['t'])));
    await settle(joined, 'mine');
    const { memberId, generationId } = joined;
    await commit('g', 'u', { memberId, generationId });
    const outcome = async (topic: string) => (await remove(topic)).topics[0]!.partitions[0]!.errorCode;
    expect([await outcome('t'), await outcome('u')]).toEqual([ERROR.GROUP_SUBSCRIBED_TO_TOPIC, ERROR.NONE]);
    expect(await place('g', 'u')).toBe(-1);
    const gone = async () => (await client.ask(deleteGroups, 2, { groupsNames: ['g'] })).results[0]!.errorCode;
    expect(await gone()).toBe(ERROR.NON_EMPTY_GROUP);
    await client.ask(leaveGroup, 2, { groupId: 'g', memberId, members: [] });
    expect([await gone(), await gone()]).toEqual([ERROR.NONE, ERROR.GROUP_ID_NOT_FOUND]);
    const worker = { ...wish(Buffer.from('x')), protocolType: 'connect' };
    await settle(await client.ask(joinGroup, 3, worker), 'tasks');
    expect((await remove('t')).errorCode).toBe(ERROR.NON_EMPTY_GROUP);
  });

  it('of a generation that never was are refused', async () => {
    expect(await commit('new', 't', { generationId: 4, memberId: 'm' })).toBe(ERROR.ILLEGAL_GENERATION);
    expect(await groupNames()).toEqual([]);
  });
});
