// A group's place: committed, asked for, cloned, and set back by time, with members online and without.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Actor, bodies, fresh, sleep, texts, until } from '../stage.ts';

export function offsets(actor: Actor): void {
  const committed = async (group: string, topic: string, queue = 0): Promise<number> =>
    (await actor.call('committed', { group, topic, queue })).offset;

  void it('commit and query; a group that never committed has no place', async () => {
    const topic = await actor.topic(2);
    const group = fresh('g');
    await actor.send(
      topic,
      texts(6).map((one) => ({ ...one, queue: 0 })),
    );
    await actor.call('createGroup', { group });
    assert.equal(await committed(group, topic, 1), -1);
    await actor.call('commit', { group, topic, queue: 0, offset: 4 });
    assert.equal(await committed(group, topic), 4);
    await actor.call('commit', { group, topic, queue: 0, offset: 2 });
    assert.equal(await committed(group, topic), 2);
  });

  // What is not committed when a member closes comes again, so these wait for the commit first.
  void it('a consumer that comes back goes on where the group was; progress tells how far that is', async () => {
    const topic = await actor.topic(1);
    const group = fresh('g');
    await actor.send(topic, texts(5));
    const first = await actor.call('subscribe', { group, topics: { [topic]: '*' } });
    await actor.received(first.consumer, 5);
    await until('the place is committed', async () => (await committed(group, topic)) === 5);
    await actor.call('close', { consumer: first.consumer });
    await actor.send(topic, texts(3, 'next'));
    const progress = await actor.call('progress', { group, topic });
    assert.deepEqual((progress['queues'] as Record<string, unknown>)[`${topic}/0`], { broker: 8, consumer: 5 });
    const next = await actor.call('subscribe', { group, topics: { [topic]: '*' } });
    const got = await actor.received(next.consumer, 3);
    await actor.call('close', { consumer: next.consumer });
    assert.deepEqual(bodies(got).sort(), bodies(texts(3, 'next')));
  });

  void it('clone: another group has the same place', async () => {
    const topic = await actor.topic(2);
    const [from, to] = [fresh('g'), fresh('g')];
    await actor.send(topic, texts(8));
    // The brokers of a group are found by the route of its retry topic, which comes with its first member.
    const { consumer } = await actor.call('subscribe', { group: from, topics: { [topic]: '*' } });
    await actor.received(consumer, 8);
    await until('the place is committed', async () => (await committed(from, topic, 1)) === 4);
    await actor.call('close', { consumer });
    await actor.call('createGroup', { group: to });
    await actor.call('cloneOffset', { from, to, topic });
    await until('the clone', async () => (await committed(to, topic, 0)) === 4);
    assert.equal(await committed(to, topic, 1), 4);
  });

  void it('reset by time, members online: they consume again from there', async () => {
    const topic = await actor.topic(2);
    const group = fresh('g');
    const { consumer } = await actor.call('subscribe', { group, topics: { [topic]: '*' } });
    await actor.send(topic, texts(4, 'old'));
    await actor.received(consumer, 4);
    await sleep(1_500);
    const timestamp = Date.now();
    await sleep(300);
    await actor.send(topic, texts(4, 'new'));
    await actor.received(consumer, 8);
    await sleep(1_500);
    const reset = await actor.call('resetOffset', { group, topic, timestamp });
    assert.deepEqual(reset['offsets'], { [`${topic}/0`]: 2, [`${topic}/1`]: 2 });
    const got = await actor.received(consumer, 12, 40_000);
    await sleep(500);
    await actor.call('close', { consumer });
    assert.deepEqual(bodies(got.slice(8)).sort(), bodies(texts(4, 'new')));
  });

  void it('reset by time, nobody online: the next member begins there', async () => {
    const topic = await actor.topic(1);
    const group = fresh('g');
    await actor.send(topic, texts(3, 'old'));
    await sleep(1_200);
    const timestamp = Date.now();
    await sleep(300);
    await actor.send(topic, texts(3, 'new'));
    const first = await actor.call('subscribe', { group, topics: { [topic]: '*' } });
    await actor.received(first.consumer, 6);
    await until('the place is committed', async () => (await committed(group, topic)) === 6);
    await actor.call('close', { consumer: first.consumer });
    await until('nobody is online', async () =>
      actor.call('connections', { group }).then(
        () => false,
        () => true,
      ),
    );
    const reset = await actor.call('resetOffset', { group, topic, timestamp });
    assert.deepEqual(reset['offsets'], { [`${topic}/0`]: 3 });
    const next = await actor.call('subscribe', { group, topics: { [topic]: '*' } });
    const got = await actor.received(next.consumer, 3);
    await actor.call('close', { consumer: next.consumer });
    assert.deepEqual(bodies(got).sort(), bodies(texts(3, 'new')));
  });
}
