// kill -9 under mixed load through all three protocols: nothing acknowledged is lost, order per queue holds, the
// idempotent producer leaves no duplicates, and the broker comes back by itself. 20 cycles, 1,000 with --long.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Driver } from '../drivers/driver.ts';
import { b64, text } from '../harness/messages.ts';
import { Product } from '../harness/product.ts';
import { seeded } from '../harness/random.ts';
import { fresh } from '../harness/suite.ts';
import { after, before, test } from '../harness/test.ts';
import { assertFaultless, Clients, Load, QUEUES, readAll } from './load.ts';

const CYCLES = process.env.COMPAT_LONG ? 1_000 : 20;
/** After so many cycles the load moves to a new topic, so that reading it whole stays affordable. */
const CYCLES_PER_TOPIC = 10;
/** Older ones are deleted, so that a long run does not need a large disk. */
const TOPICS_KEPT = 5;
const LOAD_MS = [150, 1_200] as const;
const AFTER_MS = 300;

let product: Product;
let clients: Clients;
const { random, seed } = seeded();

before(async () => {
  product = await Product.start('kill');
  clients = await Clients.start(product.endpoints);
});
after(async () => {
  await clients?.stop();
  if (product && !product.server.exit) await product.stop();
});

test(`${CYCLES} times kill -9 under mixed load`, async (t) => {
  t.diagnostic(`seed ${seed}`);
  const loads: Load[] = [];
  const starts: number[] = [];
  let acknowledged = 0;
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    if (cycle % CYCLES_PER_TOPIC === 0) {
      const load = new Load(clients, fresh('load'), random);
      await product.createTopic(load.topic, QUEUES);
      loads.push(load);
      if (loads.length > TOPICS_KEPT) await product.deleteTopic(loads.shift()!.topic);
    }
    const load = loads.at(-1)!;
    load.start();
    await sleep(LOAD_MS[0] + random() * (LOAD_MS[1] - LOAD_MS[0]));
    await product.kill9();
    await product.start();
    starts.push(product.startedInMs);
    await sleep(AFTER_MS);
    await load.stop();
    const found = await load.check(clients.get('java'));
    assertFaultless(found.findings, `cycle ${cycle} on ${load.topic}, seed ${seed}`);
    if ((cycle + 1) % CYCLES_PER_TOPIC === 0 || cycle === CYCLES - 1) acknowledged += found.acknowledged;
    if ((cycle + 1) % 10 === 0) console.log(`    cycle ${cycle + 1} of ${CYCLES}, ${acknowledged} acknowledged sends`);
  }
  assert.ok(acknowledged > CYCLES * 20, `the load was real: ${acknowledged} acknowledged sends`);
  assert.deepEqual(await product.stop(), { code: 0, signal: null });
  await product.start();
  for (const load of loads.slice(-5))
    assertFaultless((await load.check(clients.get('java'))).findings, `${load.topic} at the end`);
  starts.sort((a, b) => a - b);
  t.diagnostic(
    `${acknowledged} acknowledged sends; ready after a kill: median ${Math.round(starts[starts.length >> 1]!)} ms, longest ${Math.round(starts.at(-1)!)} ms`,
  );
});

test('RocketMQ reads after the kills what Kafka reads', async () => {
  const load = new Load(clients, fresh('both'), random);
  await product.createTopic(load.topic, QUEUES);
  load.start();
  await sleep(700);
  await product.kill9();
  await product.start();
  await sleep(AFTER_MS);
  await load.stop();
  const kafka = await readAll(clients.get('java'), load.topic);
  const { messages } = await clients
    .get('java')
    .call('rocketmq.read', { topic: load.topic, count: kafka.length, waitMs: 30_000 });
  const shown = messages.map((one) => `${one.queue}/${one.offset} ${text(one.body)!.split('|')[0]}`).sort();
  assert.deepEqual(shown, kafka.map((one) => `${one.queue}/${one.offset} ${one.value}`).sort());
});

test('a work queue keeps every confirmed message until it is acknowledged, over ten kills', async (t) => {
  const amqp = clients.get('amqplib');
  const queue = fresh('work');
  await amqp.call('amqp.declare', { queues: [{ name: queue }] });
  const confirmed = new Set<string>();
  const delivered = new Set<string>();
  let redelivered = 0;
  for (let cycle = 0; cycle < 10; cycle++) {
    let isRunning = true;
    const publishing = (async () => {
      for (let n = 0; isRunning; n++) {
        const values = Array.from({ length: 15 }, (_, i) => `${cycle}-${n}-${i}`);
        const reply = await amqp
          .call('amqp.publish', {
            messages: values.map((value) => ({ body: b64(value), routingKey: queue })),
            waitMs: 3_000,
          })
          .catch(() => null);
        if (!reply) await sleep(50);
        for (const [i, value] of values.entries()) if (reply?.results[i]?.confirmed) confirmed.add(value);
      }
    })();
    const consuming = consumeSome(amqp, queue, delivered, () => isRunning);
    await sleep(200 + random() * 500);
    await product.kill9();
    await product.start();
    isRunning = false;
    await Promise.all([publishing, consuming]);
  }
  const { consumer } = await amqp.call('amqp.subscribe', { queue, prefetch: 1_000 });
  for (let idle = 0; idle < 2; ) {
    const { messages } = await amqp.call('amqp.take', { consumer, count: 500, waitMs: 700 });
    idle = messages.length === 0 ? idle + 1 : 0;
    redelivered += messages.filter((one) => one.redelivered).length;
    for (const one of messages) delivered.add(text(one.body)!);
    await amqp.call('amqp.settle', { consumer, handles: messages.map((one) => one.handle) });
  }
  const lost = [...confirmed].filter((value) => !delivered.has(value));
  assert.deepEqual(
    lost.slice(0, 10),
    [],
    `${lost.length} of ${confirmed.size} confirmed messages were never delivered`,
  );
  assert.equal((await amqp.call('amqp.queueState', { queue })).ready, 0);
  t.diagnostic(`${confirmed.size} confirmed, all delivered; ${redelivered} marked as redelivered in the last pass`);
});

/** Takes and acknowledges two of three while the broker lives; what is not acknowledged must come again. */
async function consumeSome(
  amqp: Driver,
  queue: string,
  delivered: Set<string>,
  isRunning: () => boolean,
): Promise<void> {
  while (isRunning()) {
    try {
      const { consumer } = await amqp.call('amqp.subscribe', { queue, prefetch: 30 });
      while (isRunning()) {
        const { messages } = await amqp.call('amqp.take', { consumer, count: 30, waitMs: 100 });
        const acked = messages.filter((_, i) => i % 3 !== 0);
        await amqp.call('amqp.settle', { consumer, handles: acked.map((one) => one.handle) });
        for (const one of acked) delivered.add(text(one.body)!);
        if (messages.length > 0 && acked.length === 0) break;
      }
      await amqp.call('amqp.close', { consumer });
    } catch {
      await sleep(50);
    }
  }
}
