// A broker whose disk takes 200 to 500 ms for each sync, with Java clients. Nothing is acknowledged before a sync, nothing
// acknowledged is lost by a kill, what is too much is refused with the code that clients slow down for, and whoever only
// reads does not wait for the disk. Nothing is judged by a clock: the disk counts its syncs.
// Short: 3,000 messages. Long (`--long`): 60,000.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { it } from 'node:test';
import { megabytes, watchMemory } from '../harness/process-stat.ts';
import { Product } from '../harness/product.ts';
import { SlowDisk } from '../harness/slow-disk.ts';
import { fresh } from '../harness/suite.ts';
import { after } from '../harness/test.ts';
import { scratch } from '../harness/work.ts';
import { Client, type Reply } from './client.ts';

const ROUNDS = process.env['COMPAT_LONG'] === '1' ? 60 : 3;
const ROUND = 1_000;
const QUEUES = 4;
const BODY_BYTES = 8 * 1_024;
/** Sends of one connection that may wait: a round is more. */
const SENDS_MAX = 600;
const PULLS = 100;

const stops: (() => Promise<unknown>)[] = [];
after(async () => {
  for (const stop of stops.reverse()) await stop();
});

void it('a disk with slow syncs loses nothing, refuses what is too much, and keeps no reader waiting', async (t) => {
  const disk = new SlowDisk(join(scratch('slow-disk'), 'syncs'));
  const settings = { 'rocketmq.sendsMax': SENDS_MAX };
  const product = await Product.start('rocketmq-slow-disk', { settings, environment: disk.environment });
  stops.push(() => product.stop());
  const client = async (): Promise<Client> => {
    const one = await Client.start('java-5', product.endpoints.rocketmq);
    stops.push(() => one.stop());
    return one;
  };
  const [sender, reader] = [await client(), await client()];
  const topic = fresh('slow');
  await product.createTopic(topic, QUEUES);
  const producer = { retries: 0, timeoutMs: 60_000 };
  const send = (how: string, keys: readonly string[], one: Client = sender): Promise<Reply> =>
    one.call('send', { topic, how, producer, messages: keys.map((key) => ({ body: key, key, size: BODY_BYTES })) });
  const old = Array.from({ length: 20 }, (_, i) => `old-${i}`);
  const acknowledged = new Set<string>();
  for (const [i, one] of (await send('sync', old)).results.entries()) {
    assert.equal(one.status, 'SEND_OK');
    acknowledged.add(old[i]!);
  }

  disk.delay(200, 500);
  const memory = watchMemory(product.server.pid);
  const began = disk.syncs;
  // One after the other: a sync for each before its answer.
  for (let i = 0; i < 5; i++) {
    const before = disk.syncs;
    assert.equal((await send('sync', [`alone-${i}`])).results[0]!.status, 'SEND_OK');
    acknowledged.add(`alone-${i}`);
    assert.ok(disk.syncs > before, 'an answer came before its sync');
  }

  // Many at once, and meanwhile somebody who only reads.
  const refused: string[] = [];
  let isLoading = true;
  const load = (async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const keys = Array.from({ length: ROUND }, (_, i) => `r${round}-${i}`);
      for (const [i, one] of (await send('async', keys)).results.entries()) {
        if (!one.error) {
          acknowledged.add(keys[i]!);
          continue;
        }
        assert.equal(one.error.code, 2, one.error.message);
        assert.match(one.error.message, /\[REJECTREQUEST\]system busy/);
        refused.push(keys[i]!);
      }
    }
    isLoading = false;
  })();
  const alone = (async () => {
    for (let i = 0; isLoading; i++) {
      if (!(await send('sync', [`beside-${i}`], reader)).results[0]!.error) acknowledged.add(`beside-${i}`);
    }
  })();
  const before = disk.syncs;
  let slowest = 0;
  for (let i = 0; i < PULLS; i++) {
    const { messages, tookMs } = await reader.call('pull', { topic, queue: i % QUEUES, offset: 0, max: 1 });
    assert.equal(messages.length, 1);
    slowest = Math.max(slowest, tookMs);
    assert.ok((await reader.call('offsets', { topic, queue: i % QUEUES })).max > 0);
  }
  const during = disk.syncs - before;
  await Promise.all([load, alone]);
  const most = memory.stop();
  t.diagnostic(
    `${acknowledged.size} acknowledged, ${refused.length} refused, ${disk.syncs - began} syncs, ${during} of them during ` +
      `${PULLS} pulls, the slowest of ${slowest} ms; at most ${megabytes(most)}`,
  );
  // A reader that waited for the disk would have seen a sync for each of its pulls.
  assert.ok(during < PULLS / 2, `${during} syncs during ${PULLS} pulls`);
  assert.ok(refused.length > 0, 'nothing was too much');
  assert.ok(most < 700 * 2 ** 20, megabytes(most));

  await product.kill9();
  disk.delay(0, 0);
  await product.start();
  const stored: string[] = [];
  const again = await client();
  for (let queue = 0; queue < QUEUES; queue++) {
    const { min, max } = await again.call('offsets', { topic, queue });
    for (let offset = min; offset < max; ) {
      const { messages, next } = await again.call('pull', { topic, queue, offset, max: 32 });
      for (const one of messages) {
        assert.equal(one.bytes, BODY_BYTES);
        stored.push(one.key!);
      }
      assert.ok(next > offset, `queue ${queue} goes on behind ${offset}`);
      offset = next;
    }
  }
  const found = new Set(stored);
  assert.equal(found.size, stored.length, 'a message is there twice');
  assert.deepEqual([...acknowledged].filter((key) => !found.has(key)).slice(0, 5), [], 'acknowledged and lost');
  assert.deepEqual(refused.filter((key) => found.has(key)).slice(0, 5), [], 'refused and stored');
});
