// Apache's own examples, the classes of rocketmq-example as they are published, told the address by NAMESRV_ADDR as their
// page says: what a new user tries first. Nothing of ours is between them and the broker; what they print is read.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ServerProcess } from '../harness/process.ts';
import { after, before } from '../harness/test.ts';
import { scratch } from '../harness/work.ts';
import { exampleCommand } from './libraries.ts';
import { Stage, until } from './stage.ts';

const stage = new Stage('examples');
const folder = scratch('rocketmq-examples');
const running: ServerProcess[] = [];
let runs = 0;
after(async () => {
  for (const one of running) await one.kill9();
});

/** Starts an example; what it prints is in its log. */
async function example(name: string): Promise<ServerProcess> {
  const [command, args] = await exampleCommand(name);
  const started = new ServerProcess(name, command, args, {
    env: { ...process.env, NAMESRV_ADDR: stage.namesrv },
    logFile: join(folder, `${++runs}-${name}.log`),
  });
  running.push(started);
  return started;
}

const printed = (one: ServerProcess): string => readFileSync(one.logFile, 'utf8');

/**
 * Lets an example print until it has shown enough, and ends it: most do not end by themselves. One that fails before it has
 * sent or shown anything is started again: three seconds for its first request are few for a new process on a busy machine.
 */
async function shown(name: string, what: string, isEnough: (text: string) => boolean): Promise<string> {
  let one = await example(name);
  const look = async (): Promise<boolean> => {
    const text = printed(one);
    if (isEnough(text)) return true;
    if (/Remoting\w+Exception/.test(text) && sent(text) + messages(text).length === 0) {
      await one.kill9();
      one = await example(name);
    }
    return false;
  };
  await until(`${name}: ${what}`, look, 90_000).catch((late: unknown) =>
    assert.fail(`${String(late)}\n${one.logTail(5)}`),
  );
  await one.kill9();
  return printed(one);
}

interface Shown {
  readonly queue: number;
  readonly offset: number;
  readonly tag: string;
  readonly text: string;
}

/** The messages in what an example printed, as Java's MessageExt prints itself. */
function messages(text: string): Shown[] {
  const pattern =
    /MessageExt \[[^\n]*?queueId=(\d+),[^\n]*?queueOffset=(\d+),[^\n]*?TAGS=([^,}]*)[^\n]*?body=\[([^\]]*)\]/g;
  return [...text.matchAll(pattern)].map(([, queue, offset, tag, bytes]) => ({
    queue: Number(queue),
    offset: Number(offset),
    tag: tag!,
    text: Buffer.from(bytes!.split(', ').map(Number)).toString(),
  }));
}

const distinct = (shown: readonly Shown[]): number => new Set(shown.map((one) => `${one.queue}/${one.offset}`)).size;
const sent = (text: string): number => text.match(/SendResult \[sendStatus=SEND_OK/g)?.length ?? 0;

/** What a producer printed when so many of its sends had succeeded. */
const produced = (name: string, count: number): Promise<string> =>
  shown(name, `${count} sends`, (text) => sent(text) >= count);

/** What a consumer was given when so many different messages had come. */
const consumed = async (name: string, count: number): Promise<Shown[]> =>
  messages(await shown(name, `${count} messages`, (text) => distinct(messages(text)) >= count));

const HELLOS = Array.from({ length: 1_000 }, (_, i) => `Hello RocketMQ ${i}`).sort();

void describe('examples', { concurrency: 4 }, () => {
  let quickstart = '';
  before(async () => {
    quickstart = await produced('quickstart.Producer', 1_000);
  });

  void it('quickstart.Producer and Consumer: a thousand messages, each sent and received once', async () => {
    assert.equal(sent(quickstart), 1_000);
    const got = await consumed('quickstart.Consumer', 1_000);
    assert.deepEqual(got.map((one) => one.text).sort(), HELLOS);
  });

  void it('ordermessage.Consumer: every queue in order, a suspended message again before the next', async () => {
    const got = await consumed('ordermessage.Consumer', 60);
    for (const shown of Map.groupBy(got, (one) => one.queue).values()) {
      for (const [i, one] of shown.entries()) {
        const before = shown[i - 1]?.offset ?? -1;
        assert.ok(one.offset === before + 1 || one.offset === before, `${one.offset} came after ${before}`);
      }
    }
  });

  void it('ordermessage.Producer: an order’s messages are in one queue', async () => {
    const text = await produced('ordermessage.Producer', 100);
    assert.equal(sent(text), 100);
    // Its orders are numbered in turn, and its selector takes the number modulo the queues.
    const queues = [...text.matchAll(/queueId=(\d+)\]/g)].map(([, queue]) => Number(queue));
    const count = new Set(queues).size;
    assert.deepEqual(
      queues,
      queues.map((_, i) => (i % 10) % count),
    );
  });

  void it('filter.TagFilterProducer and TagFilterConsumer: the tags asked for', async () => {
    assert.equal(sent(await produced('filter.TagFilterProducer', 60)), 60);
    const got = await consumed('filter.TagFilterConsumer', 40);
    const tags = [...Map.groupBy(got, (one) => one.tag)].map(([tag, all]) => [tag, all.length]);
    assert.deepEqual(Object.fromEntries(tags), { TagA: 20, TagC: 20 });
  });

  void it('broadcast.PushConsumer and simple.LitePullConsumerSubscribe: every message', async () => {
    const [broadcast, pulled] = await Promise.all([
      consumed('broadcast.PushConsumer', 1_000),
      consumed('simple.LitePullConsumerSubscribe', 1_000),
    ]);
    assert.deepEqual(new Set(broadcast.map((one) => one.text)), new Set(HELLOS));
    assert.deepEqual(new Set(pulled.map((one) => one.text)), new Set(HELLOS));
  });

  void it('batch.SimpleBatchProducer and simple.AsyncProducer: all sent', async () => {
    const batch = await produced('batch.SimpleBatchProducer', 1);
    assert.match(batch, /^SendResult \[sendStatus=SEND_OK, msgId=(\w{32,}?,){2}\w{32}/m);
    await shown('simple.AsyncProducer', 'a hundred callbacks', (text) => text.match(/^\d+ +OK /gm)?.length === 100);
  });

  void it('schedule.ScheduledMessageProducer and Consumer: ten seconds later, not before', async () => {
    const began = Date.now();
    await produced('schedule.ScheduledMessageProducer', 100);
    const consumer = await example('schedule.ScheduledMessageConsumer');
    const count = (): number => printed(consumer).match(/^Receive message/gm)?.length ?? 0;
    await until('the first', async () => count() > 0, 90_000);
    assert.ok(Date.now() - began >= 10_000, `the first came after ${Date.now() - began} ms`);
    await until('all', async () => count() >= 100, 90_000);
    await consumer.kill9();
    assert.equal(count(), 100);
  });
});
