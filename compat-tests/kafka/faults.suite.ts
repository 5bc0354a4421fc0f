// What a broker must bear: a network that swallows answers and cuts, its own death in the middle of a rebalance, thousands
// of partitions, a reader that does not read, and bytes that are no requests.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { BadNetwork } from '../harness/bad-network.ts';
import { report } from '../harness/findings.ts';
import { residentBytes } from '../harness/process-stat.ts';
import { Product } from '../harness/product.ts';
import { seeded } from '../harness/random.ts';
import { Client, type Library } from './client.ts';
import { Group, Load, PARTITIONS } from './group.ts';
import { whyMissing } from './libraries.ts';
import * as raw from './raw.ts';
import { Actor, ClientsOf, fresh, sleep, texts, until, values } from './stage.ts';
import { checkGroup, type Finding } from './stints.ts';

const isLong = process.env['COMPAT_LONG'] === '1';

const resident = (product: Product): number => residentBytes(product.server.pid);

async function withProduct(
  name: string,
  settings: Record<string, string | number>,
  body: (product: Product, clients: ClientsOf) => Promise<void>,
): Promise<void> {
  const product = await Product.start(`kafka-${name}`, { settings });
  const clients = new ClientsOf(product.endpoints.kafka);
  try {
    await body(product, clients);
  } finally {
    await clients.stop();
    if (!product.server.exit) await product.stop();
  }
}

async function throughBadNetwork(library: Library, say: (line: string) => void): Promise<void> {
  const { random, seed } = seeded();
  const network = await BadNetwork.listen();
  const settings = { 'kafka.advertisedHost': '127.0.0.1', 'kafka.advertisedPort': network.port };
  try {
    await withProduct('network', settings, async (product, clients) => {
      network.forwardTo(Number(product.endpoints.kafka.split(':')[1]));
      const java = new Actor(clients, 'java-4');
      const topic = await java.topic(1);
      const client = await Client.start(library, `127.0.0.1:${network.port}`);
      let isOver = false;
      const trouble = (async () => {
        while (!isOver) {
          await sleep(400 + random() * 800);
          network.delayMs = random() < 0.3 ? 20 : 0;
          if (random() < 0.6) network.swallow();
          await sleep(30 + random() * 80);
          network.cut();
        }
      })();
      const rounds = isLong ? 200 : 20;
      const sent: string[] = [];
      // As many rounds as it takes for some answers to be lost.
      for (let round = 0; round < rounds || (network.counts.swallowed < 3 && round < 400); round++) {
        const messages = texts(40, `m-${round}`).map((one) => ({
          value: Buffer.from(one.value as string).toString('base64'),
          partition: 0,
        }));
        const producer = { idempotent: true, batchBytes: 300 };
        const { results } = await client.call('produce', { topic, messages, producer });
        const failed = results.find((one) => one.error);
        assert.equal(failed, undefined, `round ${round}, seed ${seed}: ${failed?.error?.message}`);
        sent.push(...texts(40, `m-${round}`).map((one) => one.value as string));
        await sleep(100);
      }
      isOver = true;
      await trouble;
      await client.stop();
      const { end } = await java.call('offsets', { topic });
      say(
        `${library}, seed ${seed}: ${network.counts.cut} connections cut, ${network.counts.swallowed} answers swallowed`,
      );
      assert.ok(network.counts.swallowed >= 3, 'some answers did not arrive');
      assert.equal(end, sent.length, 'each record is stored once');
      assert.deepEqual(values(await java.read(topic, sent.length)), sent);
    });
  } finally {
    await network.stop();
  }
}

const IDEMPOTENT = ['java-4', 'librdkafka', 'franz'] as const;
const missing = new Map<Library, string | false>();
for (const library of IDEMPOTENT) missing.set(library, await whyMissing(library));

void describe('faults', { concurrency: 2 }, () => {
  for (const library of IDEMPOTENT)
    void it(
      `idempotent producers through a network that swallows answers and cuts: ${library}`,
      {
        skip: missing.get(library) ?? false,
      },
      (t) => throughBadNetwork(library, (line) => t.diagnostic(line)),
    );

  void it('kill -9 of the broker while members join, commit and leave: nothing lost, no generation twice', async (t) => {
    const { random, seed } = seeded();
    await withProduct('kill', {}, async (product, clients) => {
      const actor = new Actor(clients, 'java-4');
      const topic = await actor.topic(PARTITIONS);
      const bootstrap = product.endpoints.kafka;
      const group = new Group(bootstrap, { group: fresh('kill'), topics: [topic], assignor: 'range', pollRecords: 20 });
      for (const library of ['java-4', 'java-3'] as const) await group.join(library);
      const load = new Load(actor, topic);
      for (let round = 0; round < (isLong ? 50 : 4); round++) {
        await sleep(1_000 + random() * 1_500);
        // In the middle of the rebalance that a change of members makes.
        const change = round % 2 === 0 ? group.join('java-4') : group.leave();
        await sleep(random() * 600);
        await product.kill9();
        await sleep(random() * 300);
        await product.start();
        await change;
      }
      await sleep(1_000);
      await load.stop();
      // What a dead broker had not synced of commits comes again, so every member has a reason.
      const expected = { acknowledged: load.acknowledged, unknown: load.unknown, faulted: group.everybody() };
      const found = (): Finding[] => checkGroup(group.happened(), expected);
      const began = Date.now();
      while (found().some((one) => one.kind === 'lost') && Date.now() - began < 60_000) await sleep(500);
      const happened = group.happened();
      await group.stop();
      t.diagnostic(
        `seed ${seed}: ${load.acknowledged.length} acknowledged, ${load.unknown.length} unknown, ${happened.filter((one) => one.kind === 'A').length} assignments`,
      );
      assert.ok(load.acknowledged.length > 100);
      assert.equal(report(checkGroup(happened, expected)), '');
      const { offsets } = await actor.call('committed', { group: group.name });
      assert.equal(Object.keys(offsets).length, PARTITIONS);
    });
  });

  void it('five thousand partitions: made, written, read by a group, there after a restart', async (t) => {
    const count = 5_000;
    await withProduct('partitions', {}, async (product, clients) => {
      const actor = new Actor(clients, 'java-4');
      const before = resident(product);
      const topic = await actor.topic(count);
      const sent = Array.from({ length: count }, (_, partition) => ({ value: `p-${partition}`, partition }));
      await actor.produce(topic, sent, { lingerMs: 50, idempotent: true });
      const group = fresh('g');
      const consumer = await actor.subscribe(group, [topic], { commitsEach: true });
      const got = await actor.take(consumer, count, 60_000);
      assert.deepEqual(new Set(values(got)), new Set(values(sent)));
      await until(
        'all is committed',
        async () => Object.keys((await actor.call('committed', { group })).offsets).length === count,
      );
      await actor.close(consumer);
      const after = resident(product);
      t.diagnostic(`${Math.round((after - before) / 1_024 / count)} KiB of resident memory for each partition`);
      assert.ok(after - before < 400 * 2 ** 20, `${Math.round((after - before) / 2 ** 20)} MiB more`);
      await product.stop();
      await product.start();
      t.diagnostic(`ready again after ${Math.round(product.startedInMs)} ms`);
      assert.equal(Object.keys((await actor.call('committed', { group })).offsets).length, count);
      assert.deepEqual(values(await actor.read(topic, 1, { partition: count - 1 })), [`p-${count - 1}`]);
    });
  });

  void it('a reader that asks and never reads: memory stays bounded, others are served', async (t) => {
    await withProduct('unread', {}, async (product, clients) => {
      const actor = new Actor(clients, 'java-4');
      const topic = await actor.topic(1);
      const value = Buffer.alloc(200_000, 'x');
      for (let i = 0; i < 8; i++)
        await actor.produce(
          topic,
          Array.from({ length: 20 }, () => ({ value })),
          { lingerMs: 10 },
        );
      const before = resident(product);
      const asking = Buffer.concat(Array.from({ length: 500 }, () => raw.fetch(topic, 0, 0, 4 << 20)));
      const silent: Socket[] = [];
      for (let i = 0; i < 8; i++) {
        const socket = await raw.dial(product.endpoints.kafka);
        socket.pause();
        socket.write(asking);
        silent.push(socket);
      }
      let most = 0;
      for (let i = 0; i < 20; i++) {
        await sleep(150);
        most = Math.max(most, resident(product) - before);
      }
      await actor.produce(topic, texts(1, 'served'));
      assert.deepEqual(values(await actor.read(topic, 1, { from: 160 })), ['served-0']);
      t.diagnostic(`${Math.round(most / 2 ** 20)} MiB more with 8 × 500 answers of 4 MiB unread`);
      // Unbounded they would be 16 GB. A connection may hold heldBytesMax, and what the system's socket takes.
      assert.ok(most < 8 * 160 * 2 ** 20, `${Math.round(most / 2 ** 20)} MiB`);
      for (const socket of silent) socket.destroy();
    });
  });

  void it('bytes that are no requests: each connection is answered or closed, and the broker goes on', async (t) => {
    const { random, seed } = seeded();
    t.diagnostic(`seed ${seed}`);
    await withProduct('fuzz', {}, async (product, clients) => {
      const actor = new Actor(clients, 'java-4');
      const topic = await actor.topic(1);
      await actor.produce(topic, texts(10));
      const group = fresh('g');
      const right = [
        raw.apiVersions(),
        raw.metadata(topic),
        raw.findCoordinator(group),
        raw.joinGroup(group),
        raw.fetch(topic, 0, 0, 1 << 20),
        raw.produce(topic, 0, Buffer.alloc(100, 7)),
      ];
      const pick = (below: number): number => Math.floor(random() * below);
      const wrong = (): Buffer => {
        const bytes = Buffer.from(right[pick(right.length)]!);
        const choice = random();
        if (choice < 0.15) return Buffer.from(Array.from({ length: 1 + pick(300) }, () => pick(256)));
        if (choice < 0.3) {
          bytes.writeInt32BE(pick(2) === 0 ? -1 - pick(1_000) : 0x7fffffff - pick(1_000), 0);
          return bytes;
        }
        if (choice < 0.5) return bytes.subarray(0, 4 + pick(bytes.length - 4));
        if (choice < 0.65) bytes.writeInt16BE(pick(100), 4);
        if (choice < 0.8) bytes.writeInt16BE(pick(20) - 2, 6);
        for (let flips = 1 + pick(6); flips > 0; flips--) bytes[4 + pick(bytes.length - 4)] = pick(256);
        return bytes;
      };
      for (let round = 0; round < (isLong ? 5_000 : 150); round++) {
        const sockets = await Promise.all(Array.from({ length: 8 }, () => raw.dial(product.endpoints.kafka)));
        for (const socket of sockets) {
          for (let i = pick(3); i > 0; i--) socket.write(right[pick(right.length)]!);
          socket.write(wrong());
        }
        await sleep(5);
        for (const socket of sockets) socket.destroy();
      }
      assert.equal(product.server.exit, null, product.server.logTail());
      await actor.produce(topic, texts(1, 'after'));
      const { end } = await actor.call('offsets', { topic });
      assert.deepEqual(values(await actor.read(topic, 1, { from: end - 1 })), ['after-0']);
      assert.deepEqual(values(await actor.read(topic, 10)), values(texts(10)));
      assert.deepEqual(await product.stop(), { code: 0, signal: null });
    });
  });
});
