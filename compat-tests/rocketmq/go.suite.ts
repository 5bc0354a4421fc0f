// The Go client v2 beside Java: it speaks JSON headers alone, sends with the old code, and never says that it leaves.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { after } from '../harness/test.ts';
import { Client } from './client.ts';
import { goDriver } from './libraries.ts';
import { Actor, bodies, fresh, Stage, sleep, texts, until } from './stage.ts';

const missing = await goDriver().then(
  () => false,
  (reason: Error) => reason.message,
);
const stage = new Stage('go');

void describe('go', { concurrency: 8, skip: missing }, () => {
  const go = new Actor(stage, 'go');
  const java = new Actor(stage, 'java-5');

  void it('sync, async, oneway and batch sends come to stand as Java reads them', async () => {
    const topic = await go.topic(1);
    const one = { body: 'sync', key: 'k', tag: 'T', properties: { p: 'q' } };
    await go.send(topic, [one]);
    await go.send(topic, texts(10, 'async'), { how: 'async' });
    await go.send(topic, texts(3, 'oneway'), { how: 'oneway' });
    await until('fourteen messages', async () => (await java.call('offsets', { topic, queue: 0 })).max === 14);
    const [batch] = await go.send(topic, texts(5, 'batch'), { how: 'batch' });
    assert.equal(batch!.offset, 14);
    const { messages } = await java.call('pull', { topic, queue: 0, offset: 0 });
    assert.equal(messages.length, 19);
    const first = messages[0]!;
    assert.deepEqual([first.body, first.key?.trim(), first.tag, first.properties['p']], ['sync', 'k', 'T', 'q']);
    assert.deepEqual(bodies(messages.slice(14)), bodies(texts(5, 'batch')));
  });

  void it('a key stays in its queue; compressed bodies cross in both directions', async () => {
    const topic = await go.topic(4);
    const sent = await go.send(
      topic,
      texts(20).map((one, i) => ({ ...one, shard: `k${i % 5}` })),
    );
    for (let key = 0; key < 5; key++)
      assert.equal(new Set(sent.filter((_, i) => i % 5 === key).map((one) => one.queue)).size, 1);
    const long = await go.topic(1);
    await go.send(long, [{ body: 'x', size: 200_000 }], { producer: { compressOver: 4_096 } });
    await java.send(long, [{ body: 'x', size: 200_000 }], { producer: { compressOver: 4_096 } });
    const { consumer } = await go.call('subscribe', { group: fresh('g'), topics: { [long]: '*' } });
    const got = await go.received(consumer, 2);
    await go.call('close', { consumer });
    const read = await java.call('pull', { topic: long, queue: 0, offset: 0 });
    assert.deepEqual(new Set([...got, ...read.messages].map((one) => `${one.bytes} ${one.crc}`)).size, 1);
    assert.equal(read.messages.length, 2);
  });

  void it('push: with a tag filter, from all queues, once', async () => {
    const topic = await go.topic(4);
    const { consumer } = await go.call('subscribe', { group: fresh('g'), topics: { [topic]: 'A || C' } });
    await java.send(
      topic,
      texts(40).map((one, i) => ({ ...one, tag: 'ABCD'[i % 4] })),
    );
    await go.received(consumer, 20);
    await sleep(500);
    const got = await go.received(consumer, 20);
    await go.call('close', { consumer });
    assert.deepEqual(new Set(got.map((one) => one.tag)), new Set(['A', 'C']));
    assert.equal(new Set(bodies(got)).size, 20);
    assert.equal(got.length, 20);
  });

  void it('orderly: a queue keeps its order while a message is held', async () => {
    const topic = await go.topic(1);
    const rules = [{ body: 'm-1', times: 2 }];
    const { consumer } = await go.call('subscribe', {
      group: fresh('g'),
      topics: { [topic]: '*' },
      orderly: true,
      rules,
    });
    await java.send(topic, texts(4).slice(0, 4));
    const got = await go.received(consumer, 6);
    await go.call('close', { consumer });
    assert.deepEqual(bodies(got), ['m-0', 'm-1', 'm-1', 'm-1', 'm-2', 'm-3']);
  });

  void it('retry: what fails comes back with a higher count', async () => {
    const topic = await go.topic(1);
    const rules = [{ body: 'bad', times: 1 }];
    const { consumer } = await go.call('subscribe', {
      group: fresh('g'),
      topics: { [topic]: '*' },
      rules,
      retryLevel: 1,
    });
    await java.send(topic, [{ body: 'bad', key: 'k' }, { body: 'good' }]);
    const got = await go.received(consumer, 3, 60_000);
    await go.call('close', { consumer });
    assert.deepEqual(got.map((one) => `${one.body} ${one.attempts}`).sort(), ['bad 0', 'bad 1', 'good 0']);
    assert.equal(got.find((one) => one.attempts === 1)!.topic, topic);
  });

  void it('Go and Java in one group share the queues; a dead Go member’s queues are taken over', async () => {
    const topic = await go.topic(4);
    const group = fresh('g');
    const fields = { group, topics: { [topic]: '*' } };
    const doomed = await Client.start('go', stage.namesrv);
    after(() => doomed.stop());
    await doomed.call('subscribe', fields);
    const { consumer } = await java.call('subscribe', fields);
    const held = async (): Promise<number> =>
      ((await java.call('assigned', { consumer }))['queues'] as unknown as string[]).length;
    await until('the queues are shared', async () => (await held()) === 2);
    await doomed.kill9();
    await until('the dead member’s queues are taken over', async () => (await held()) === 4, 10_000);
    await java.send(topic, texts(8));
    await until('all are there', async () => new Set(bodies(await java.received(consumer, 8, 500))).size === 8);
    await java.call('close', { consumer });
  });
});
