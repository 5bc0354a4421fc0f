// The coordinator where the core refuses it: nobody may be left waiting, and the group must work again afterwards.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BrokerError } from '../../../core/errors.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { heartbeat, joinGroup, listGroups, syncGroup } from '../../../specs/kafka/groups.ts';
import { type Harness, RawClient, start } from '../testing/harness.ts';

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
