// Topics whose first messages are gone: there a new group begins where its members say (first, last, a time), which on a
// young topic no broker of the protocol obeys. The broker removes what is old soon: Apache's by files of a megabyte, ours
// by the topic's retention.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClientStage } from '../harness/client-stage.ts';
import { Product } from '../harness/product.ts';
import { fresh } from '../harness/suite.ts';
import { isAgainstPeers } from '../harness/target.ts';
import { sleep, until } from '../harness/wait.ts';
import { scratch } from '../harness/work.ts';
import { startRocketmq } from '../peers/rocketmq/rocketmq.ts';
import { Client, type Library, type Reply } from './client.ts';
import { bodies, texts } from './stage.ts';

const MEGABYTE = 1 << 20;

interface OldBroker {
  readonly namesrv: string;
  /** Makes a topic with one queue that keeps about a megabyte. */
  makeTopic(name: string): Promise<unknown>;
  stop(): Promise<unknown>;
}

async function apache(): Promise<OldBroker> {
  const settings = {
    mappedFileSizeCommitLog: MEGABYTE,
    fileReservedTime: 0,
    deleteWhen: Array.from({ length: 24 }, (_, hour) => hour).join(';'),
    waitTimeMillsInSendQueue: 10_000,
  };
  const { namesrv, broker, address } = await startRocketmq(scratch('apache-old'), { settings });
  return {
    namesrv: address,
    makeTopic: async (topic) => (await stage.client('java-5')).call('createTopic', { topic, queues: 1 }),
    stop: async () => [await broker.stop(), await namesrv.stop()],
  };
}

async function ours(): Promise<OldBroker> {
  const product = await Product.start('rocketmq-old', {
    settings: {
      'store.retentionCheckIntervalMs': 1_000,
      'store.segmentBytes': 2 * MEGABYTE,
      'store.reserveBytes': MEGABYTE / 4,
    },
  });
  return {
    namesrv: product.endpoints.rocketmq,
    makeTopic: (name) =>
      product.admin('POST', '/topics', {
        name,
        queues: 1,
        attributes: { retention: { mode: 'log', timeMs: -1, bytes: MEGABYTE } },
      }),
    stop: () => product.stop(),
  };
}

const stage = new ClientStage<OldBroker, Library, Client>(
  () => (isAgainstPeers ? apache() : ours()),
  (library, broker) => Client.start(library, broker.namesrv),
);

void describe('old topics', { concurrency: 2 }, () => {
  for (const library of ['java-4.9', 'java-5'] as const) {
    const call = async (op: string, fields: Record<string, unknown>): Promise<Reply> =>
      (await stage.client(library)).call(op, fields);

    void it(`${library}: a new group begins at the first offset that is kept, at the last, or at a time`, async () => {
      const topic = fresh('t');
      await stage.broker.makeTopic(topic);
      await until('its route', async () => (await call('route', { topic }))['write'] === 1);
      const send = async (messages: Record<string, unknown>[]): Promise<void> => {
        const { results } = await call('send', { topic, messages });
        assert.deepEqual(new Set(results.map((one) => one.status)), new Set(['SEND_OK']));
      };
      await send(Array.from({ length: 100 }, (_, i) => ({ body: `old-${i}-`, size: 40_000 })));
      // Apache's broker looks for the first time a minute after its start, then every ten seconds.
      await until(
        'the first are gone',
        async () => (await call('offsets', { topic, queue: 0 })).min > 0,
        isAgainstPeers ? 150_000 : 30_000,
      );
      await send(texts(2, 'before'));
      // The time that consumers begin from has whole seconds.
      await sleep(2_100);
      const now = new Date();
      const two = (value: number): string => String(value).padStart(2, '0');
      const timestamp = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
      await sleep(1_100);
      await send(texts(2, 'after'));
      const begin = async (fields: Record<string, unknown>): Promise<{ consumer: string; group: string }> => {
        const group = fresh('g');
        const { consumer } = await call('subscribe', { group, topics: { [topic]: '*' }, ...fields });
        return { consumer, group };
      };
      const [first, last, since] = [
        await begin({ from: 'FIRST_OFFSET' }),
        await begin({ from: 'LAST_OFFSET' }),
        await begin({ from: 'TIMESTAMP', timestamp }),
      ] as const;
      for (const { consumer } of [first, last, since])
        await until(
          'its queue',
          async () => ((await call('assigned', { consumer }))['queues'] as unknown as string[]).length === 1,
        );
      await sleep(1_000);
      await send([{ body: 'latest' }]);
      const received = async (consumer: string, count: number): Promise<string[]> => {
        await call('received', { consumer, count, waitMs: 75_000 });
        await sleep(500);
        return bodies((await call('received', { consumer, count, waitMs: 1 })).messages).sort();
      };
      assert.deepEqual(await received(last.consumer, 1), ['latest']);
      assert.deepEqual(await received(since.consumer, 3), ['after-0', 'after-1', 'latest']);
      const all = await received(first.consumer, 6);
      assert.deepEqual(
        all.filter((body) => !body.startsWith('old')),
        ['after-0', 'after-1', 'before-0', 'before-1', 'latest'],
      );
      assert.ok(!all.some((body) => body.startsWith('old-0-')), 'the first message is gone');
      for (const { consumer } of [first, last, since]) await call('close', { consumer });
    });
  }
});
