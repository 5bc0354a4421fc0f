// The coordinator where the core refuses it: nobody may be left waiting, and the group must work again afterwards.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BrokerError } from '../../../core/errors.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { heartbeat, joinGroup, listGroups, syncGroup } from '../../../specs/kafka/groups.ts';
import { type Harness, RawClient, start } from '../testing/harness.ts';
import { groupData, readGroupData, readSavedMembers } from './group-data.ts';
import { type MemberState, stableGroupState } from './state.ts';

let harness: Harness;
let one: RawClient;
let two: RawClient;

beforeEach(async () => {
  harness = await start();
  one = new RawClient(harness.adapter);
  two = new RawClient(harness.adapter);
});
afterEach(() => harness.stop());

const protocols = [{ name: 'range', metadata: Buffer.alloc(0) }];
const wish = { groupId: 'g', sessionTimeoutMs: 6000, rebalanceTimeoutMs: 6000, protocolType: 'consumer', protocols };
const state = async (client: RawClient): Promise<string> =>
  (await client.ask(listGroups, 4, { statesFilter: [], typesFilter: [] })).groups[0]!.groupState;

describe('the coordinator', () => {
  it('answers everybody when a generation cannot be logged, and begins anew when it can', async () => {
    const first = await one.ask(joinGroup, 3, { ...wish, memberId: '' });
    const synced = { groupId: 'g', generationId: 1, memberId: first.memberId, assignments: [] };
    await one.ask(syncGroup, 3, synced);
    two.write(two.encode(joinGroup, 3, { ...wish, memberId: '' }));
    await expect.poll(() => state(one)).toBe('PreparingRebalance');
    const { broker } = harness;
    const original = broker.putGeneration.bind(broker);
    broker.putGeneration = () => {
      throw new BrokerError('storage-full', 'no room');
    };
    const again = await one.ask(joinGroup, 3, { ...wish, memberId: first.memberId });
    expect(again.errorCode).toBe(ERROR.COORDINATOR_NOT_AVAILABLE);
    expect((await two.answer(joinGroup, 3)).errorCode).toBe(ERROR.COORDINATOR_NOT_AVAILABLE);
    broker.putGeneration = original;
    const beat = { groupId: 'g', generationId: 1, memberId: first.memberId };
    expect((await one.ask(heartbeat, 3, beat)).errorCode).toBe(ERROR.UNKNOWN_MEMBER_ID);
    const later = await one.ask(joinGroup, 3, { ...wish, memberId: '' });
    expect(later).toMatchObject({ errorCode: 0, generationId: 2 });
  });

  it('has the members of a stable group again after a kill, with their assignments, and drops those that stay away', async () => {
    const limits = { sessionTimeoutMsMin: 100 };
    const before = await start({ limits });
    const [a, b] = [new RawClient(before.adapter), new RawClient(before.adapter)] as const;
    const first = await a.ask(joinGroup, 3, { ...wish, memberId: '' });
    await a.ask(syncGroup, 3, { groupId: 'g', generationId: 1, memberId: first.memberId, assignments: [] });
    b.write(b.encode(joinGroup, 5, { ...wish, memberId: '', sessionTimeoutMs: 300, groupInstanceId: 'i' }));
    await expect.poll(() => state(a)).toBe('PreparingRebalance');
    await a.ask(joinGroup, 3, { ...wish, memberId: first.memberId });
    const second = await b.answer(joinGroup, 5);
    expect(second).toMatchObject({ errorCode: 0, generationId: 2 });
    // Amid the rebalance nobody has an assignment: nobody is there after a kill.
    const early = await start({ limits, disk: before.disk.kill() });
    expect(await state(new RawClient(early.adapter))).toBe('Empty');
    await early.stop();
    const assignments = [first.memberId, second.memberId].map((memberId) => ({
      memberId,
      assignment: Buffer.from(memberId),
    }));
    b.write(b.encode(syncGroup, 3, { groupId: 'g', generationId: 2, memberId: second.memberId, assignments: [] }));
    await a.ask(syncGroup, 3, { groupId: 'g', generationId: 2, memberId: first.memberId, assignments });
    await b.answer(syncGroup, 3);

    const after = await start({ limits, disk: before.disk.kill() });
    await before.stop();
    const again = new RawClient(after.adapter);
    expect(await state(again)).toBe('Stable');
    const beat = { groupId: 'g', generationId: 2, memberId: first.memberId };
    expect((await again.ask(heartbeat, 3, beat)).errorCode).toBe(ERROR.NONE);
    const synced = await again.ask(syncGroup, 3, { ...beat, assignments: [] });
    expect(synced.assignment.toString()).toBe(first.memberId);
    // The static member comes back under a new id, to what it had.
    const back = await again.ask(joinGroup, 5, { ...wish, memberId: '', sessionTimeoutMs: 300, groupInstanceId: 'i' });
    expect(back).toMatchObject({ errorCode: 0, generationId: 2 });
    const its = { groupId: 'g', generationId: 2, memberId: back.memberId, groupInstanceId: 'i', assignments: [] };
    expect((await again.ask(syncGroup, 3, its)).assignment.toString()).toBe(second.memberId);
    await expect
      .poll(async () => (await again.ask(heartbeat, 3, beat)).errorCode, { timeout: 3000 })
      .toBe(ERROR.REBALANCE_IN_PROGRESS);
    await after.stop();
  });

  it('keeps a group of large members without them', () => {
    const member = (id: string, bytes: number): MemberState => ({
      id,
      instanceId: null,
      clientId: 'c',
      host: '/h',
      sessionTimeoutMs: 1,
      rebalanceTimeoutMs: 2,
      protocols: [{ name: 'range', metadata: Buffer.alloc(bytes, 7) }],
      assignment: Buffer.from('x'),
      joining: null,
      syncing: null,
    });
    const small = stableGroupState(3, 'consumer', 'range', 'a', [member('a', 10), member('b', 20)]);
    expect(readSavedMembers(groupData(small, 0))).toEqual({
      protocolType: 'consumer',
      protocolName: 'range',
      emptySinceMs: 0,
      leader: 'a',
      members: [...small.members.values()],
    });
    const large = stableGroupState(3, 'consumer', 'range', 'a', [member('a', 600_000), member('b', 600_000)]);
    expect(readSavedMembers(groupData(large, 5))).toBeNull();
    expect(readGroupData(groupData(large, 5))).toMatchObject({ protocolType: 'consumer', emptySinceMs: 5 });
    // What version 1 wrote, by hand; and what is nobody's.
    const old = Buffer.concat([Buffer.from([1, 8]), Buffer.from('consumer'), Buffer.from([5]), Buffer.from('range')]);
    expect(readGroupData(old)).toEqual({ protocolType: 'consumer', protocolName: 'range', emptySinceMs: 0 });
    for (const bytes of ['', '02', '0205', '01ff61', '7b7d'])
      expect(readGroupData(Buffer.from(bytes, 'hex'))).toBeNull();
  });

  it('drops a member that is silent for its session', async () => {
    const quick = await start({ limits: { sessionTimeoutMsMin: 100 } });
    const client = new RawClient(quick.adapter);
    const { memberId } = await client.ask(joinGroup, 3, { ...wish, sessionTimeoutMs: 200, memberId: '' });
    await client.ask(syncGroup, 3, { groupId: 'g', generationId: 1, memberId, assignments: [] });
    expect(await state(client)).toBe('Stable');
    await expect.poll(() => state(client), { timeout: 3000 }).toBe('Empty');
    const beat = await client.ask(heartbeat, 3, { groupId: 'g', generationId: 1, memberId });
    expect(beat.errorCode).toBe(ERROR.UNKNOWN_MEMBER_ID);
    await quick.stop();
  });
});
