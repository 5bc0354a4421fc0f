// ali-ons, the Node.js client from npm, beside Java: it reads the name server's older JSON, rebalances by timer alone and
// answers no request of the broker. What it does by itself is in clients/rocketmq.suite.ts; here it lives with others.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Driver } from '../drivers/driver.ts';
import { message, numbered, text } from '../harness/messages.ts';
import { after } from '../harness/test.ts';
import { Actor, bodies, fresh, Stage, texts, until } from './stage.ts';

const stage = new Stage('ons');
const java = new Actor(stage, 'java-4.9');
let driving: Promise<Driver> | null = null;
const ons = (): Promise<Driver> =>
  (driving ??= Driver.start('ali-ons', { kafka: 'none:0', rocketmq: stage.namesrv, amqp: 'amqp://none:0' }));
after(async () => (await driving)?.stop());

/** Takes and acknowledges until count are there or nothing comes for ten seconds. */
async function take(consumer: string, count: number): Promise<(string | null)[]> {
  const all: (string | null)[] = [];
  for (let silent = 0; all.length < count && silent < 10; ) {
    const { messages } = await (await ons()).call('rocketmq.take', { consumer, count: 1, waitMs: 1_000 });
    await (await ons()).call('rocketmq.settle', { consumer, handles: messages.map((one) => one.handle) });
    all.push(...messages.map((one) => text(one.body)));
    silent = messages.length === 0 ? silent + 1 : 0;
  }
  return all;
}

void describe('ali-ons', { concurrency: 4 }, () => {
  void it('a group of ali-ons and Java shares the queues, and each message goes to one of them', async () => {
    const topic = await java.topic(4);
    const group = fresh('g');
    const node = await (await ons()).call('rocketmq.subscribe', { group, topic });
    const { consumer } = await java.call('subscribe', { group, topics: { [topic]: '*' } });
    const held = async (): Promise<number> =>
      ((await java.call('assigned', { consumer }))['queues'] as unknown as string[]).length;
    await until('the queues are shared', async () => (await held()) === 2);
    await java.send(
      topic,
      texts(20).map((one, i) => ({ ...one, queue: i % 4 })),
    );
    const [there, here] = [await take(node.consumer, 10), bodies(await java.received(consumer, 10))];
    await (await ons()).call('rocketmq.close', { consumer: node.consumer });
    await java.call('close', { consumer });
    assert.deepEqual([...there, ...here].map(String).sort(), bodies(texts(20)).sort());
    assert.equal(here.length, 10);
  });

  void it('what ali-ons sends, Java consumes in order; what a Java batch holds, ali-ons consumes', async () => {
    const topic = await java.topic(1);
    await (await ons()).call('rocketmq.publish', { topic, messages: numbered(5, 'ons') });
    const first = await java.call('subscribe', { group: fresh('g'), topics: { [topic]: '*' }, orderly: true });
    const got = bodies(await java.received(first.consumer, 5));
    await java.call('close', { consumer: first.consumer });
    assert.deepEqual(got, ['ons-0', 'ons-1', 'ons-2', 'ons-3', 'ons-4']);
    await java.send(topic, texts(5, 'java'), { how: 'batch' });
    const node = await (await ons()).call('rocketmq.subscribe', { group: fresh('g'), topic });
    const all = await take(node.consumer, 10);
    await (await ons()).call('rocketmq.close', { consumer: node.consumer });
    assert.deepEqual(all.map(String).sort(), [...got, 'java-0', 'java-1', 'java-2', 'java-3', 'java-4'].sort());
  });

  void it('a message in a namespace or with typed properties does not confuse it', async () => {
    const topic = await java.topic(1);
    await java.send(topic, [{ body: 'typed', key: 'k1 k2', tag: 'T', flag: 7, properties: { ünï: 'çödé' } }]);
    await (await ons()).call('rocketmq.publish', { topic, messages: [message({ body: 'plain', key: 'k' })] });
    const node = await (await ons()).call('rocketmq.subscribe', { group: fresh('g'), topic, tags: 'T' });
    assert.deepEqual(await take(node.consumer, 1), ['typed']);
    await (await ons()).call('rocketmq.close', { consumer: node.consumer });
  });
});
