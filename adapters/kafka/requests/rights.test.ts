// Rights that requests take once a user exists. The client here is "anonymous".
import { beforeEach, describe, expect, it } from 'vitest';
import type { AccessRule, Action, ResourceKind } from '../../../core/types.ts';
import { alterUserScramCredentials } from '../../../specs/kafka/clients.ts';
import { initProducerId } from '../../../specs/kafka/cluster.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import {
  heartbeat,
  joinGroup,
  offsetCommit,
  offsetDelete,
  offsetFetch,
  syncGroup,
} from '../../../specs/kafka/groups.ts';
import { client, conversation, harness, makeTopic } from '../testing/conversation.ts';
import { RawClient, secure, start } from '../testing/harness.ts';

conversation();

let access: ReturnType<typeof secure>;
let rules = 0;

beforeEach(async () => {
  await makeTopic('mine');
  await makeTopic('theirs');
  access = secure(harness.broker);
});

/** Returns the rule's id. */
function grant(resource: ResourceKind, pattern: string, ...actions: Action[]): string {
  const rule: AccessRule = {
    id: `r${rules++}`,
    user: 'anonymous',
    allow: true,
    actions,
    resource,
    namespace: '*',
    pattern,
  };
  access.putRule(rule);
  return rule.id;
}

const protocols = [{ name: 'range', metadata: Buffer.alloc(0) }];
const wish = { groupId: 'g', sessionTimeoutMs: 6000, rebalanceTimeoutMs: 6000, protocolType: 'consumer', protocols };

describe('a group', () => {
  it('is only for who may consume in it, whatever is asked', async () => {
    const member = { groupId: 'g', generationId: 1, memberId: 'm' };
    const refused = ERROR.GROUP_AUTHORIZATION_FAILED;
    expect((await client.ask(joinGroup, 3, { ...wish, memberId: '' })).errorCode).toBe(refused);
    expect((await client.ask(syncGroup, 3, { ...member, assignments: [] })).errorCode).toBe(refused);
    expect((await client.ask(heartbeat, 3, member)).errorCode).toBe(refused);
    const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }];
    const topics = [{ name: 'mine', partitions }];
    grant('group', 'g', 'create');
    const committed = await client.ask(offsetCommit, 8, { groupId: 'g', topics });
    expect(committed.topics[0]!.partitions[0]!.errorCode).toBe(refused);
    expect(harness.broker.group('default', 'g')).toBeNull();
  });

  it('goes on when the member that joined last has lost its right', async () => {
    const quick = await start({ limits: { sessionTimeoutMsMin: 100 } });
    access = secure(quick.broker);
    grant('group', 'g', 'create');
    const right = grant('group', 'g', 'consume');
    const [one, two] = [new RawClient(quick.adapter), new RawClient(quick.adapter)] as const;
    const short = { ...wish, sessionTimeoutMs: 200, rebalanceTimeoutMs: 60_000, memberId: '' };
    const { memberId, generationId } = await one.ask(joinGroup, 3, short);
    const assignments = [{ memberId, assignment: Buffer.from('all') }];
    await one.ask(syncGroup, 3, { groupId: 'g', generationId, memberId, assignments });
    two.write(two.encode(joinGroup, 3, { ...wish, memberId: '' }));
    await expect
      .poll(async () => (await one.ask(heartbeat, 3, { groupId: 'g', generationId, memberId })).errorCode)
      .toBe(ERROR.REBALANCE_IN_PROGRESS);
    access.deleteRule(right);
    // The first one is silent for its session: a timer of the broker begins the next generation.
    expect(await two.answer(joinGroup, 3)).toMatchObject({ errorCode: ERROR.NONE, generationId: 2 });
    await quick.stop();
  });
});

describe('offsets', () => {
  it('are committed, told and deleted on topics that the client may use', async () => {
    grant('group', 'g', 'create', 'consume', 'describe');
    grant('topic', 'mine', 'consume', 'describe');
    const seesTheirs = grant('topic', 'theirs', 'consume');
    const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }];
    const names = ['mine', 'theirs', 'nowhere'];
    const commit = async () => {
      const topics = names.map((name) => ({ name, partitions }));
      const answer = await client.ask(offsetCommit, 8, { groupId: 'g', topics });
      return answer.topics.map((topic) => topic.partitions[0]!.errorCode);
    };
    const refused = ERROR.TOPIC_AUTHORIZATION_FAILED;
    expect(await commit()).toEqual([ERROR.NONE, ERROR.NONE, refused]);
    access.deleteRule(seesTheirs);
    expect(await commit()).toEqual([ERROR.NONE, refused, refused]);

    const fetched = async (topics: { name: string; partitionIndexes: number[] }[] | null) => {
      const groups = [{ groupId: 'g', topics }];
      const answer = await client.ask(offsetFetch, 8, { groupId: '', topics: null, groups });
      return answer.groups[0]!.topics.map(({ name, partitions: [place] }) => [
        name,
        place!.errorCode,
        place!.committedOffset,
      ]);
    };
    expect(await fetched(null)).toEqual([['mine', ERROR.NONE, 1]]);
    expect(await fetched(names.map((name) => ({ name, partitionIndexes: [0] })))).toEqual([
      ['mine', ERROR.NONE, 1],
      ['theirs', refused, -1],
      ['nowhere', refused, -1],
    ]);

    const remove = (groupId: string) =>
      client.ask(offsetDelete, 0, {
        groupId,
        topics: names.map((name) => ({ name, partitions: [{ partitionIndex: 0 }] })),
      });
    expect((await remove('g')).errorCode).toBe(ERROR.GROUP_AUTHORIZATION_FAILED);
    expect((await remove('none')).errorCode).toBe(ERROR.GROUP_AUTHORIZATION_FAILED);
    grant('group', 'g', 'delete');
    const removed = await remove('g');
    expect(removed.topics.map((topic) => topic.partitions[0]!.errorCode)).toEqual([ERROR.NONE, refused, refused]);
    grant('topic', 'theirs', 'describe');
    expect(await fetched(null)).toEqual([['theirs', ERROR.NONE, 1]]);
  });
});

describe('an identity for a producer', () => {
  const asked = { transactionalId: null, transactionTimeoutMs: 0 };
  const code = async (): Promise<number> => (await client.ask(initProducerId, 4, asked)).errorCode;

  it.each(['topic', 'cluster'] as const)('is for who may publish: %s', async (resource) => {
    grant('topic', 'mine', 'consume');
    expect(await code()).toBe(ERROR.CLUSTER_AUTHORIZATION_FAILED);
    const right = grant(resource, resource === 'topic' ? 'mine' : '*', 'publish');
    expect(await code()).toBe(ERROR.NONE);
    access.deleteRule(right);
    expect(await code()).toBe(ERROR.CLUSTER_AUTHORIZATION_FAILED);
  });
});

describe('credentials', () => {
  it('are no way to find out which users there are', async () => {
    const deletions = ['root', 'nobody', ''].map((name) => ({ name, mechanism: 1 }));
    const ask = async () => {
      const { results } = await client.ask(alterUserScramCredentials, 0, { deletions, upsertions: [] });
      return results.map(({ errorCode }) => errorCode);
    };
    expect(await ask()).toEqual(deletions.map(() => ERROR.CLUSTER_AUTHORIZATION_FAILED));
    grant('cluster', '*', 'update');
    const missing = ERROR.RESOURCE_NOT_FOUND;
    expect(await ask()).toEqual([missing, missing, ERROR.UNACCEPTABLE_CREDENTIAL]);
  });
});
