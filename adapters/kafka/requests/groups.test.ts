// The group requests in raw frames.
import { describe, expect, it } from 'vitest';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { heartbeat, joinGroup, offsetCommit, offsetFetch, syncGroup } from '../../../specs/kafka/groups.ts';
import { client, conversation, everybody, harness, makeTopic } from '../testing/conversation.ts';
import { RawClient, start } from '../testing/harness.ts';

conversation();

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

  it.each([-2, -130, -(2 ** 31)])('takes a leader epoch of %i for none, also after a restart', async (epoch) => {
    await makeTopic('t');
    const partitions = [
      { partitionIndex: 0, committedOffset: 7, committedLeaderEpoch: epoch, committedMetadata: 'note' },
    ];
    const topics = [{ name: 't', partitions }];
    const committed = await client.ask(offsetCommit, 9, { groupId: 'g', topics });
    expect(committed.topics[0]!.partitions[0]!.errorCode).toBe(ERROR.NONE);
    const again = await start({ disk: harness.disk.kill() });
    try {
      const asked = { groupId: 'g', topics: [{ name: 't', partitionIndexes: [0] }], groups: [] };
      const found = await new RawClient(again.adapter).ask(offsetFetch, 7, asked);
      expect(found.topics[0]!.partitions).toEqual([
        { partitionIndex: 0, committedOffset: 7, committedLeaderEpoch: -1, metadata: 'note', errorCode: 0 },
      ]);
    } finally {
      await again.stop();
    }
  });

  it('refuses what would fill the memory', async () => {
    const large = [{ name: 'range', metadata: Buffer.alloc(1 << 20) }];
    const joined = await client.ask(joinGroup, 3, { ...wish, protocols: large, memberId: '' });
    expect(joined.errorCode).toBe(ERROR.INVALID_REQUEST);
    const nothing = { name: '', metadata: Buffer.alloc(0) };
    const many = await client.ask(joinGroup, 3, { ...wish, protocols: Array(101).fill(nothing), memberId: '' });
    expect(many.errorCode).toBe(ERROR.INVALID_REQUEST);
    const named = await client.ask(joinGroup, 6, { ...wish, groupInstanceId: 'i'.repeat(40_000), memberId: '' });
    expect(named.errorCode).toBe(ERROR.INVALID_REQUEST);
    const assignments = [{ memberId: 'm', assignment: Buffer.alloc(17 << 20) }];
    const synced = await client.ask(syncGroup, 3, { groupId: 'g', generationId: 1, memberId: 'm', assignments });
    expect(synced.errorCode).toBe(ERROR.INVALID_REQUEST);
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
