// Finding messages and asking clients: by id, unique key and key in a time range; topics; running info; consume directly;
// the message trace as clients write and read it.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Actor, bodies, fresh, sleep, texts, until } from '../stage.ts';

export function queries(actor: Actor): void {
  void it('by offset id and by unique key: the stored message', async () => {
    const topic = await actor.topic(2);
    const sent = await actor.send(topic, [{ body: 'find me', key: 'k', tag: 'T' }, ...texts(3)]);
    const byOffset = await actor.call('view', { topic, message: sent[0]!.offsetId });
    assert.deepEqual([byOffset.messages[0]!.body, byOffset.messages[0]!.tag], ['find me', 'T']);
    await until('the index', async () => {
      const byKey = await actor.call('view', { topic, message: sent[0]!.id });
      return byKey.messages[0]?.body === 'find me';
    });
    await assert.rejects(actor.call('view', { topic, message: '7F0000010000000000000000000000FF' }));
  });

  void it('by key: every word of it, between two times, none elsewhere', async () => {
    const topic = await actor.topic(2);
    await actor.send(topic, [
      { body: 'one', key: 'red blue' },
      { body: 'two', key: 'blue' },
    ]);
    await sleep(1_500);
    const between = Date.now();
    await sleep(1_500);
    await actor.send(topic, [{ body: 'three', key: 'blue' }]);
    const find = async (key: string, fields = {}): Promise<string[]> =>
      bodies((await actor.call('byKey', { topic, key, end: Date.now() + 60_000, ...fields })).messages).sort();
    await until('the index', async () => (await find('blue')).length === 3);
    assert.deepEqual(await find('red'), ['one']);
    assert.deepEqual(await find('blue'), ['one', 'three', 'two']);
    assert.deepEqual(await find('blue', { end: between }), ['one', 'two']);
    assert.deepEqual(await find('blue', { begin: between }), ['three']);
    assert.deepEqual((await find('blue', { max: 1 })).length, 1);
    await assert.rejects(find('green'), /no message|query message by key|208|22/i);
  });

  void it('by key: each message of a batch, by each of its words, and once', async () => {
    const topic = await actor.topic(1);
    const messages = Array.from({ length: 40 }, (_, n) => ({ body: `body ${n}`, key: `order-${n} all` }));
    const sent = await actor.send(topic, messages, { how: 'batch' });
    assert.equal(sent.length, 1);
    const find = async (key: string): Promise<string[]> =>
      bodies((await actor.call('byKey', { topic, key, end: Date.now() + 60_000 })).messages);
    await until('the index', async () => (await find('all').catch(() => [])).length === 40);
    assert.deepEqual((await find('all')).sort(), messages.map(({ body }) => body).sort());
    for (const n of [0, 21, 22, 39]) assert.deepEqual(await find(`order-${n}`), [`body ${n}`]);
  });

  void it('topics: made, listed, told, deleted', async () => {
    const topic = await actor.topic(3);
    await actor.send(topic, texts(6));
    assert.ok(((await actor.call('topics'))['topics'] as string[]).includes(topic));
    assert.deepEqual(await actor.call('topicConfig', { topic }), { read: 3, write: 3, perm: 6 });
    const stats = (await actor.call('topicStats', { topic }))['queues'];
    assert.deepEqual(stats, { '0': { min: 0, max: 2 }, '1': { min: 0, max: 2 }, '2': { min: 0, max: 2 } });
    await actor.call('deleteTopic', { topic });
    await until('the route is gone', async () =>
      actor.call('route', { topic }).then(
        () => false,
        (error: { code?: number }) => error.code === 17,
      ),
    );
  });

  void it('running info: a member is asked for its queues, subscriptions and threads', async () => {
    const topic = await actor.topic(2);
    const group = fresh('g');
    const { consumer, client } = await actor.call('subscribe', { group, topics: { [topic]: 'A' } });
    await until(
      'it has its queues',
      async () => ((await actor.call('assigned', { consumer }))['queues'] as unknown as string[]).length === 2,
    );
    const info = await actor.call('runningInfo', { group, client, stack: true });
    assert.equal((info['subscriptions'] as Record<string, string>)[topic], 'A');
    assert.deepEqual(
      Object.keys(info['queues'] as object)
        .filter((name) => name.startsWith(topic))
        .sort(),
      [`${topic}/0`, `${topic}/1`],
    );
    assert.equal(info['hasStack'], true);
    const status = await actor.call('clientStatus', { topic, group, client });
    assert.ok(client in (status['clients'] as object));
    await actor.call('close', { consumer });
    const gone = await actor.call('runningInfo', { group, client }).catch((error: { code?: number }) => error.code);
    assert.equal(gone, 1);
  });

  void it('consume directly: a member consumes a stored message once more, out of turn', async () => {
    const topic = await actor.topic(1);
    const group = fresh('g');
    const rules = [{ body: 'bad', result: 'later' }];
    const { consumer, client } = await actor.call('subscribe', { group, topics: { [topic]: '*' }, rules });
    const [sent] = await actor.send(topic, [{ body: 'good' }]);
    await actor.received(consumer, 1);
    const told = await actor.call('consumeDirectly', { group, client, topic, message: sent!.offsetId });
    assert.deepEqual([told['result'], told['order']], ['CR_SUCCESS', false]);
    assert.deepEqual(bodies(await actor.received(consumer, 2)), ['good', 'good']);
    await actor.call('close', { consumer });
  });

  void it('trace: sends and deliveries are written by the clients and found by the message’s id', async () => {
    const topic = await actor.topic(1);
    const group = fresh('g');
    const tracer = { group: fresh('sender'), trace: true };
    const { consumer } = await actor.call('subscribe', { group, topics: { [topic]: '*' }, trace: true });
    const [sent] = await actor.send(topic, [{ body: 'traced', key: 'order-7', tag: 'T' }], { producer: tracer });
    await actor.received(consumer, 1);
    await until('both are found', async () => {
      const { views } = (await actor.call('traces', {
        topic: 'RMQ_SYS_TRACE_TOPIC',
        message: sent!.id,
      })) as unknown as {
        views: { type: string; group: string; topic: string | null; keys: string; status: string }[];
      };
      const groups = new Set(views.map((one) => one.group));
      return groups.has(tracer.group) && groups.has(group) && views.every((one) => one.status === 'success');
    });
    await actor.call('close', { consumer });
  });

  void it('trace in a topic of the application’s choice', async () => {
    const topic = await actor.topic(1);
    const traceTopic = await actor.topic(1);
    const tracer = { group: fresh('sender'), trace: true, traceTopic };
    const [sent] = await actor.send(topic, [{ body: 'traced' }], { producer: tracer });
    await until('the send is found', async () => {
      const found = await actor.call('traces', { topic: traceTopic, message: sent!.id });
      return (found['views'] as { topic: string }[]).some((one) => one.topic === topic);
    });
  });
}
