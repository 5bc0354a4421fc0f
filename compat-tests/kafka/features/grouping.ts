// Groups: eager and cooperative rebalances, static members, members that die or stall, offsets with their metadata.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Client } from '../client.ts';
import { type Actor, fresh, inPartition, sleep, texts, until, values } from '../stage.ts';

export function grouping(actor: Actor, another: () => Promise<Client>): void {
  const rebalances = async (consumer: string): Promise<string[]> =>
    (await actor.call('rebalances', { consumer }))['rebalances'] as string[];
  const state = async (group: string): Promise<string> => (await actor.call('describeGroup', { group })).state;
  const generation = async (consumer: string): Promise<number> =>
    (await actor.call('assigned', { consumer }))['generation'] as number;

  for (const assignor of ['range', 'roundrobin', 'sticky', 'cooperative']) {
    void it(`${assignor}: three members share six partitions; all is read once as members come and go`, async () => {
      const topic = await actor.topic(6);
      const group = fresh('g');
      const members = [await actor.subscribe(group, [topic], { assignor, commitsEach: true })];
      const held = async (): Promise<string[][]> => Promise.all(members.map((one) => actor.assigned(one)));
      const isShared = async (): Promise<boolean> => {
        const all = await held();
        return all.every((one) => one.length === 6 / members.length) && new Set(all.flat()).size === 6;
      };
      await until('one has all', isShared);
      const send = (prefix: string): Promise<unknown> =>
        actor.produce(
          topic,
          [0, 1, 2, 3, 4, 5].flatMap((partition) => inPartition(partition, texts(10, `${prefix}-${partition}`))),
        );
      await send('alone');
      members.push(await actor.subscribe(group, [topic], { assignor, commitsEach: true }));
      await until('two share', isShared);
      await send('two');
      members.push(await actor.subscribe(group, [topic], { assignor, commitsEach: true }));
      await until('three share', isShared);
      await send('three');
      await sleep(500);
      const got: unknown[] = [];
      for (const one of members) got.push(...values(await actor.take(one, 1_000, 300)));
      assert.equal(got.length, 180, 'each record once');
      assert.equal(new Set(got).size, 180);
      await actor.close(members.pop()!);
      await until('two share again', isShared);
      // A cooperative member keeps what it had: nothing is revoked from the first when others leave.
      if (assignor === 'cooperative') {
        const revoked = (await rebalances(members[0]!)).filter(
          (one) => one.startsWith('revoked') && one !== 'revoked ',
        );
        assert.equal(revoked.length, 2, revoked.join('; '));
      }
      await actor.close(...members);
      assert.equal(await state(group), 'Empty');
    });
  }

  void it('a member that dies is missed after its session; its partitions go on where it had committed', async () => {
    const topic = await actor.topic(2);
    const group = fresh('g');
    await actor.produce(topic, [...inPartition(0, texts(10)), ...inPartition(1, texts(10))]);
    const doomed = await another();
    const fields = { group, topics: [topic], sessionMs: 6_000, commitsEach: false };
    const { consumer } = await doomed.call('subscribe', fields);
    await until('it has both', async () => (await doomed.call('assigned', { consumer })).partitions.length === 2);
    await doomed.call('commit', { consumer, offsets: [{ topic, partition: 0, offset: 6 }] });
    const next = await actor.subscribe(group, [topic], { sessionMs: 6_000 });
    await until('they share', async () => (await actor.assigned(next)).length === 1);
    await doomed.kill9();
    const began = Date.now();
    await until('it is missed', async () => (await actor.assigned(next)).length === 2);
    const tookMs = Date.now() - began;
    assert.ok(tookMs > 3_000 && tookMs < 12_000, `${tookMs} ms`);
    // Of the other partition nothing was committed: it may come twice.
    const got: number[] = [];
    await until('the rest of partition 0', async () => {
      const more = await actor.take(next, 1, 1_000);
      got.push(...more.filter((one) => one.partition === 0).map((one) => one.offset));
      return got.length === 4;
    });
    assert.deepEqual(got, [6, 7, 8, 9]);
    await actor.close(next);
  });

  void it('a member that stalls beyond max.poll.interval.ms leaves; its late commit is refused, and it comes back', async () => {
    const topic = await actor.topic(2);
    const group = fresh('g');
    const fields = { pollMs: 2_000 };
    const [slow, quick] = [
      await actor.subscribe(group, [topic], fields),
      await actor.subscribe(group, [topic], fields),
    ];
    await until(
      'they share',
      async () => (await actor.assigned(slow)).length === 1 && (await actor.assigned(quick)).length === 1,
    );
    const [had] = await actor.assigned(slow);
    await actor.call('stall', { consumer: slow, ms: 5_000 });
    await until('the other has both', async () => (await actor.assigned(quick)).length === 2);
    const late = { consumer: slow, offsets: [{ topic, partition: Number(had!.split('/')[1]), offset: 0 }] };
    assert.equal(
      await actor.call('commit', late).then(
        () => 'committed',
        (error: { kind: string }) => error.kind,
      ),
      'CommitFailedException',
    );
    await until('it is back', async () => (await actor.assigned(slow)).length === 1);
    await actor.close(slow, quick);
  });

  void it('static membership: a member that restarts within its session has its partitions back without a rebalance', async () => {
    const topic = await actor.topic(4);
    const group = fresh('g');
    const fields = { sessionMs: 20_000 };
    const stays = await actor.subscribe(group, [topic], { ...fields, instance: 'stays' });
    const first = await actor.subscribe(group, [topic], { ...fields, instance: 'restarts' });
    await until(
      'they share',
      async () => (await actor.assigned(first)).length === 2 && (await actor.assigned(stays)).length === 2,
    );
    const [before, at] = [await actor.assigned(first), await generation(stays)];
    const told = await rebalances(stays);
    await actor.close(first);
    const second = await actor.subscribe(group, [topic], { ...fields, instance: 'restarts' });
    await until('it has them back', async () => (await actor.assigned(second)).length === 2);
    assert.deepEqual(await actor.assigned(second), before);
    await sleep(1_000);
    assert.deepEqual([await generation(stays), await generation(second)], [at, at]);
    assert.deepEqual(await rebalances(stays), told);
    const { members } = await actor.call('describeGroup', { group });
    assert.deepEqual(new Set(members.map((one) => one.instance)), new Set(['restarts', 'stays']));
    // Who takes a member's name while it lives takes its place: the one before is fenced.
    const third = await actor.subscribe(group, [topic], { ...fields, instance: 'restarts' });
    await until(
      'the one before is told',
      async () => (await rebalances(second)).some((one) => one.includes('FencedInstanceId')),
      15_000,
    );
    await until('the new one has its place', async () => (await actor.assigned(third)).length === 2);
    await actor.close(third, stays, second);
    await actor.call('removeMembers', { group, instances: ['stays', 'restarts'] });
    await until('all are gone', async () => (await state(group)) === 'Empty');
  });

  void it('offsets: metadata comes back word for word, at most 4096 bytes of it (12); unknown ones are null', async () => {
    const topic = await actor.topic(2);
    const group = fresh('g');
    const consumer = await actor.subscribe(group, [topic]);
    await until('assigned', async () => (await actor.assigned(consumer)).length === 2);
    const metadata = 'ünï çödé {"a":1}';
    await actor.call('commit', { consumer, offsets: [{ topic, partition: 0, offset: 3, metadata }] });
    const mine = await actor.call('committedBy', { consumer, topic, partition: 0 });
    assert.deepEqual([mine.offset, mine['metadata']], [3, metadata]);
    assert.equal((await actor.call('committedBy', { consumer, topic, partition: 1 })).offset, null);
    const long = { topic, partition: 0, offset: 4, metadata: 'x'.repeat(4_097) };
    assert.equal(await actor.codeOf('commit', { consumer, offsets: [long] }), 12);
    await actor.call('commit', { consumer, offsets: [{ ...long, metadata: 'x'.repeat(4_096) }] });
    const { offsets } = await actor.call('committed', { group, partitions: [`${topic}/0`, `${topic}/1`] });
    assert.deepEqual([offsets[`${topic}/0`]?.offset, offsets[`${topic}/1`]], [4, null]);
    await actor.close(consumer);
  });

  void it('a commit may go back; a commit of a partition that is not there is refused', async () => {
    const topic = await actor.topic(1);
    const group = fresh('g');
    const consumer = await actor.subscribe(group, [topic], { config: { 'default.api.timeout.ms': '3000' } });
    await until('assigned', async () => (await actor.assigned(consumer)).length === 1);
    for (const offset of [9, 2]) await actor.call('commit', { consumer, offsets: [{ topic, partition: 0, offset }] });
    assert.equal((await actor.call('committed', { group })).offsets[`${topic}/0`]?.offset, 2);
    const none = { topic, partition: 99, offset: 1 };
    const failed = await actor.call('commit', { consumer, offsets: [none] }).then(
      () => null,
      (error: Error) => error,
    );
    assert.ok(failed, 'the commit should fail');
    await actor.close(consumer);
  });

  void it('new partitions and topics of a pattern reach the members', async () => {
    const prefix = fresh('pattern');
    await actor.call('createTopic', { topic: `${prefix}.a`, partitions: 1 });
    const group = fresh('g');
    const consumer = await actor.subscribe(group, [], { pattern: `${prefix}\\..*` });
    await until('the first topic', async () => (await actor.assigned(consumer)).length === 1);
    await actor.call('createPartitions', { topic: `${prefix}.a`, count: 3 });
    await until('its new partitions', async () => (await actor.assigned(consumer)).length === 3);
    await actor.call('createTopic', { topic: `${prefix}.b`, partitions: 2 });
    await until('the new topic', async () => (await actor.assigned(consumer)).length === 5);
    await actor.close(consumer);
  });

  void it('earliest, latest and none for a group that never committed', async () => {
    const topic = await actor.topic(1);
    await actor.produce(topic, texts(5, 'old'));
    const early = await actor.subscribe(fresh('g'), [topic], { from: 'earliest' });
    assert.deepEqual(values(await actor.take(early, 5)), values(texts(5, 'old')));
    const late = await actor.subscribe(fresh('g'), [topic], { from: 'latest' });
    await until('it has a position', async () => {
      const { positions } = await actor.call('positions', { consumer: late });
      return Object.values(positions as Record<string, number>)[0] === 5;
    });
    await actor.produce(topic, texts(2, 'new'));
    assert.deepEqual(values(await actor.take(late, 2)), values(texts(2, 'new')));
    const none = await actor.subscribe(fresh('g'), [topic], { from: 'none' });
    await until('it is told', async () => (await rebalances(none)).some((one) => one.includes('NoOffsetForPartition')));
    await actor.close(early, late, none);
  });

  void it('seek, pause and resume of a member', async () => {
    const topic = await actor.topic(2);
    const consumer = await actor.subscribe(fresh('g'), [topic]);
    await until('assigned', async () => (await actor.assigned(consumer)).length === 2);
    await actor.call('pause', { consumer, topic, partition: 1 });
    await actor.produce(topic, [...inPartition(0, texts(5, 'a')), ...inPartition(1, texts(5, 'b'))]);
    assert.deepEqual(values(await actor.take(consumer, 10, 1_500)), values(texts(5, 'a')));
    await actor.call('pause', { consumer, topic, partition: 1, resume: true });
    assert.deepEqual(values(await actor.take(consumer, 5)), values(texts(5, 'b')));
    await actor.call('seek', { consumer, topic, partition: 0, offset: 3 });
    assert.deepEqual(values(await actor.take(consumer, 2)), ['a-3', 'a-4']);
    await actor.close(consumer);
  });

  void it('members whose protocols have nothing in common are refused (23); a session out of bounds too (26)', async () => {
    const topic = await actor.topic(1);
    const group = fresh('g');
    const first = await actor.subscribe(group, [topic], { assignor: 'range' });
    await until('assigned', async () => (await actor.assigned(first)).length === 1);
    const other = await actor.subscribe(group, [topic], { assignor: 'roundrobin' });
    await until('it is told', async () =>
      (await rebalances(other)).some((one) => one.includes('InconsistentGroupProtocol')),
    );
    const short = await actor.subscribe(fresh('g'), [topic], { sessionMs: 1_000 });
    await until('it is told', async () =>
      (await rebalances(short)).some((one) => one.includes('InvalidSessionTimeout')),
    );
    await actor.close(first, other, short);
  });

  void it('a group is told: state, assignor, members with client, host and partitions', async () => {
    const topic = await actor.topic(2);
    const group = fresh('g');
    const consumer = await actor.subscribe(group, [topic], { config: { 'client.id': 'the-client' } });
    await until('assigned', async () => (await actor.assigned(consumer)).length === 2);
    const told = await actor.call('describeGroup', { group });
    assert.deepEqual([told.state, told['assignor'], told['simple']], ['Stable', 'range', false]);
    const [one] = told.members;
    assert.deepEqual([one!.client, one!.partitions], ['the-client', [`${topic}/0`, `${topic}/1`]]);
    assert.match(one!.id, /^the-client-/);
    assert.match(one!.host, /^\/127\.0\.0\.1$/);
    const stable = await actor.call('groups', { states: ['Stable'] });
    assert.ok(stable.groups.some((each) => each.group === group));
    const empty = await actor.call('groups', { states: ['Empty'] });
    assert.ok(!empty.groups.some((each) => each.group === group));
    await actor.close(consumer);
  });

  void it('groups deleted: not while they have members (68), not twice (69), with their offsets', async () => {
    const topic = await actor.topic(1);
    const group = fresh('g');
    const consumer = await actor.subscribe(group, [topic]);
    await until('assigned', async () => (await actor.assigned(consumer)).length === 1);
    await actor.call('commit', { consumer, offsets: [{ topic, partition: 0, offset: 0 }] });
    assert.equal(await actor.codeOf('deleteGroup', { group }), 68);
    await actor.close(consumer);
    await actor.call('deleteGroup', { group });
    assert.equal(await actor.codeOf('deleteGroup', { group }), 69);
    assert.deepEqual((await actor.call('committed', { group })).offsets, {});
  });

  void it('a rebalance asked for by a member, and members removed from outside', async () => {
    const topic = await actor.topic(2);
    const group = fresh('g');
    const consumer = await actor.subscribe(group, [topic]);
    await until('assigned', async () => (await actor.assigned(consumer)).length === 2);
    const at = await generation(consumer);
    await actor.call('enforceRebalance', { consumer });
    await until('the next generation', async () => (await generation(consumer)) > at);
    await actor.call('removeMembers', { group, instances: [] });
    await until(
      'it is back by itself',
      async () => (await generation(consumer)) > at + 1 && (await actor.assigned(consumer)).length === 2,
    );
    await actor.close(consumer);
  });
}
