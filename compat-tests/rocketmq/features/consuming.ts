// Push consumers: concurrently and orderly, clustering and broadcasting, filters, where a new group begins, several
// topics, members that come and go, subscriptions that differ.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Actor, bodies, fresh, sleep, texts, until } from '../stage.ts';

const assigned = async (actor: Pick<Actor, 'call'>, consumer: string): Promise<string[]> =>
  (await actor.call('assigned', { consumer }))['queues'] as unknown as string[];

export function consuming(actor: Actor): void {
  void it('concurrently: all messages once, from all queues', async () => {
    const topic = await actor.topic(4);
    const { consumer } = await actor.call('subscribe', { group: fresh('g'), topics: { [topic]: '*' }, threads: 8 });
    await actor.send(topic, texts(200), { how: 'async' });
    await actor.received(consumer, 200);
    await sleep(500);
    const got = await actor.received(consumer, 200);
    await actor.call('close', { consumer });
    assert.deepEqual(bodies(got).sort(), bodies(texts(200)).sort());
    assert.deepEqual(new Set(got.map((one) => one.queue)), new Set([0, 1, 2, 3]));
  });

  void it('orderly: each queue in order; a suspended queue waits while the others go on', async () => {
    const topic = await actor.topic(2);
    const rules = [{ body: 'held', times: 3 }];
    const group = fresh('g');
    const fields = { group, topics: { [topic]: '*' }, orderly: true, suspendMs: 2_000, rules };
    const { consumer } = await actor.call('subscribe', fields);
    const inQueue = (queue: number) => (one: { body: string }) => ({ ...one, queue });
    await actor.send(topic, [
      { body: 'held', queue: 0 },
      ...texts(10).map(inQueue(0)),
      ...texts(10, 'o').map(inQueue(1)),
    ]);
    const got = await actor.received(consumer, 24);
    await actor.call('close', { consumer });
    const of = (queue: number): string[] => bodies(got.filter((one) => one.queue === queue));
    assert.deepEqual(of(0), ['held', 'held', 'held', 'held', ...bodies(texts(10))]);
    assert.deepEqual(of(1), bodies(texts(10, 'o')));
    const heldAt = got.filter((one) => one.body === 'held').map((one) => one.at);
    assert.ok(heldAt[1]! - heldAt[0]! >= 1_900, 'the queue is suspended for a moment');
    assert.ok(got.find((one) => one.body === 'o-9')!.at < heldAt[3]!, 'the other queue does not wait');
  });

  void it('clustering: members share the queues; one that leaves hands over at once, one that dies soon after', async () => {
    const topic = await actor.topic(4);
    const group = fresh('g');
    const doomed = await actor.another();
    const fields = { group, topics: { [topic]: '*' } };
    const one = await actor.call('subscribe', fields);
    const two = await actor.call('subscribe', fields);
    const three = await doomed.call('subscribe', fields);
    const spread = async (): Promise<number[]> => [
      (await assigned(actor, one.consumer)).length,
      (await assigned(actor, two.consumer)).length,
      (await assigned(doomed, three.consumer)).length,
    ];
    await until('every member has queues', async () => {
      const counts = await spread();
      return counts.every((count) => count > 0) && counts.reduce((a, b) => a + b) === 4;
    });
    const diedAt = Date.now();
    await doomed.kill9();
    const both = async (): Promise<number> =>
      new Set([...(await assigned(actor, one.consumer)), ...(await assigned(actor, two.consumer))]).size;
    await until('the dead member’s queues are taken over', async () => (await both()) === 4, 15_000);
    const tookMs = Date.now() - diedAt;
    assert.ok(tookMs < 10_000, `a dead socket was noticed after ${tookMs} ms`);
    const leftAt = Date.now();
    await actor.call('close', { consumer: two.consumer });
    await until(
      'the leaver’s queues are taken over',
      async () => (await assigned(actor, one.consumer)).length === 4,
      15_000,
    );
    assert.ok(Date.now() - leftAt < 5_000, `a member that left was noticed after ${Date.now() - leftAt} ms`);
    await actor.send(topic, texts(8));
    assert.equal((await actor.received(one.consumer, 8)).length, 8);
    await actor.call('close', { consumer: one.consumer });
  });

  void it('broadcasting: every member has every message, and its own place after a restart', async () => {
    const topic = await actor.topic(2);
    const group = fresh('g');
    const fields = { group, topics: { [topic]: '*' }, broadcast: true };
    const one = await actor.call('subscribe', { ...fields, instance: fresh('stays') });
    const name = fresh('same');
    const two = await actor.call('subscribe', { ...fields, instance: name });
    await actor.send(topic, texts(10));
    assert.equal((await actor.received(one.consumer, 10)).length, 10);
    assert.equal((await actor.received(two.consumer, 10)).length, 10);
    await sleep(1_500);
    await actor.call('close', { consumer: two.consumer });
    await actor.send(topic, texts(4, 'away'));
    const again = await actor.call('subscribe', { ...fields, instance: name });
    assert.deepEqual(bodies(await actor.received(again.consumer, 4)).sort(), bodies(texts(4, 'away')));
    assert.equal((await actor.received(one.consumer, 14)).length, 14);
    for (const { consumer } of [one, again]) await actor.call('close', { consumer });
  });

  void it('tags: by hash on the broker and by string in the client', async () => {
    const topic = await actor.topic(1);
    const { consumer } = await actor.call('subscribe', { group: fresh('g'), topics: { [topic]: 'AaAa || C' } });
    // "AaAa" and "BBBB" have one hash code, so the broker lets both through and the client takes one.
    const tags = ['AaAa', 'BBBB', 'C', 'D', null, 'AaBB'];
    await actor.send(
      topic,
      tags.map((tag) => ({ body: `${tag}`, ...(tag === null ? {} : { tag }) })),
    );
    await actor.received(consumer, 2);
    await sleep(700);
    const got = await actor.received(consumer, 2);
    await actor.call('close', { consumer });
    assert.deepEqual(bodies(got).sort(), ['AaAa', 'C']);
    const raw = await actor.call('pull', { topic, queue: 0, offset: 0, tags: 'D' });
    assert.deepEqual(bodies(raw.messages), ['D']);
  });

  void it('a new group begins at the first offset, at the last, or at a time', async () => {
    const topic = await actor.topic(1);
    await actor.send(topic, texts(3, 'old'));
    // The time that consumers begin from has whole seconds.
    await sleep(2_100);
    const now = new Date();
    const two = (value: number): string => String(value).padStart(2, '0');
    const timestamp = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
    await sleep(1_000);
    await actor.send(topic, texts(2, 'new'));
    const begin = async (fields: Record<string, unknown>): Promise<string> =>
      (await actor.call('subscribe', { group: fresh('g'), topics: { [topic]: '*' }, ...fields })).consumer;
    const first = await begin({ from: 'FIRST_OFFSET' });
    const last = await begin({ from: 'LAST_OFFSET' });
    const since = await begin({ from: 'TIMESTAMP', timestamp });
    assert.equal((await actor.received(first, 5)).length, 5);
    await sleep(1_500);
    await actor.send(topic, [{ body: 'latest' }]);
    // A queue whose first message is still there and still young is read from its beginning by every new group: the
    // broker has no better place for it, and tells it as a committed offset of zero.
    for (const consumer of [first, last, since]) {
      const got = await actor.received(consumer, 6);
      await actor.call('close', { consumer });
      assert.deepEqual(bodies(got).sort(), ['latest', 'new-0', 'new-1', 'old-0', 'old-1', 'old-2']);
    }
  });

  void it('several topics in a group, each with its filter', async () => {
    const [one, two] = [await actor.topic(2), await actor.topic(2)];
    const { consumer } = await actor.call('subscribe', { group: fresh('g'), topics: { [one]: '*', [two]: 'keep' } });
    await actor.send(one, texts(5, 'one'));
    await actor.send(
      two,
      texts(6, 'two').map((message, i) => ({ ...message, tag: i % 2 === 0 ? 'keep' : 'drop' })),
    );
    await actor.received(consumer, 8);
    await sleep(500);
    const got = await actor.received(consumer, 8);
    await actor.call('close', { consumer });
    assert.deepEqual(bodies(got).sort(), ['one-0', 'one-1', 'one-2', 'one-3', 'one-4', 'two-0', 'two-2', 'two-4']);
    assert.deepEqual(new Set(got.map((message) => message.topic)), new Set([one, two]));
  });

  void it('a group is told: members, subscriptions, who consumes a topic', async () => {
    const topic = await actor.topic(2);
    const group = fresh('g');
    const opened = await actor.call('subscribe', { group, topics: { [topic]: 'A || B' } });
    await until('the group has a member', async () => {
      const told = await actor.call('connections', { group });
      return opened.client in (told['clients'] as object);
    });
    const told = await actor.call('connections', { group });
    assert.deepEqual(told['clients'], { [opened.client]: { language: 'JAVA' } });
    assert.deepEqual(told['subscriptions'], { [topic]: 'A || B', [`%RETRY%${group}`]: '*' });
    assert.deepEqual(
      [told['type'], told['model'], told['from']],
      ['CONSUME_PASSIVELY', 'CLUSTERING', 'CONSUME_FROM_FIRST_OFFSET'],
    );
    await until('it is among the topic’s groups', async () =>
      ((await actor.call('whoConsumes', { topic }))['groups'] as string[]).includes(group),
    );
    await actor.call('close', { consumer: opened.consumer });
    await until('nobody is online', async () =>
      actor.call('connections', { group }).then(
        () => false,
        (error: { code?: number }) => error.code === 206,
      ),
    );
  });

  void it('namespaces: the same names in two namespaces do not meet, and applications never see the prefix', async () => {
    const [space, other, plain] = [fresh('ns'), fresh('ns'), fresh('t')];
    const group = fresh('g');
    await actor.call('createTopic', { topic: `${space}%${plain}`, queues: 1 });
    await actor.call('createTopic', { topic: `${other}%${plain}`, queues: 1 });
    await until('its route', async () => (await actor.call('route', { topic: `${other}%${plain}` }))['write'] === 1);
    const rules = [{ body: 'again', times: 1 }];
    const fields = { group, topics: { [plain]: '*' }, retryLevel: 1, rules };
    const one = await actor.call('subscribe', { ...fields, namespace: space });
    const two = await actor.call('subscribe', { ...fields, namespace: other });
    const sent = await actor.send(plain, [{ body: 'again' }], { producer: { namespace: space } });
    await actor.send(plain, [{ body: 'elsewhere' }], { producer: { namespace: other } });
    const got = await actor.received(one.consumer, 2);
    const there = await actor.received(two.consumer, 1);
    for (const { consumer } of [one, two]) await actor.call('close', { consumer });
    assert.deepEqual(
      got.map((message) => [message.body, message.topic, message.attempts]),
      [
        ['again', plain, 0],
        ['again', plain, 1],
      ],
    );
    assert.deepEqual(bodies(there), ['elsewhere']);
    assert.match(sent[0]!.topic, new RegExp(`${plain}$`));
  });
}
