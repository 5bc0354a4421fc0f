// The product as a process: it starts, says so, drains and ends with 0, and says plainly why it cannot start.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { Driver } from './drivers/driver.ts';
import { bodies, numbered } from './harness/messages.ts';
import { Product } from './harness/product.ts';
import { fresh } from './harness/suite.ts';
import { after, test } from './harness/test.ts';

const started: Product[] = [];
after(async () => {
  for (const product of started) if (!product.server.exit) await product.stop();
});

async function start(name: string): Promise<Product> {
  const product = await Product.start(name);
  started.push(product);
  return product;
}

test('SIGTERM on an idle broker ends it with 0', async () => {
  const product = await start('idle');
  assert.deepEqual(await product.stop(), { code: 0, signal: null });
});

test('SIGTERM with clients connected drains and ends with 0, and the next start has everything', async () => {
  const product = await start('drain');
  const driver = await Driver.start('kafkajs', product.endpoints);
  const topic = fresh('t');
  await product.createTopic(topic, 1);
  const { results } = await driver.call('kafka.publish', { topic, messages: numbered(100, 'm') });
  assert.equal(results.filter((one) => one.error).length, 0);
  assert.deepEqual(await product.stop(), { code: 0, signal: null });
  await product.start();
  const { messages } = await driver.call('kafka.read', { topic, queue: 0, count: 100, waitMs: 20_000 });
  assert.deepEqual(
    bodies(messages),
    Array.from({ length: 100 }, (_, i) => `m-${i}`),
  );
  await driver.stop();
  assert.deepEqual(await product.stop(), { code: 0, signal: null });
});

test('a taken port is named, with the way to move it', async () => {
  const product = await Product.prepare('taken');
  const port = Number(product.endpoints.kafka.split(':')[1]);
  const holder = createServer();
  await new Promise<void>((done) => holder.listen(port, '127.0.0.1', done));
  const server = product.launch();
  const exit = await server.exited;
  await new Promise((done) => holder.close(done));
  assert.notEqual(exit.code, 0);
  const said = server.logTail();
  assert.match(said, new RegExp(`${port}`));
  assert.match(said, /kafka[.-]port/i, 'says which setting moves it');
  assert.doesNotMatch(said, /^\s+at .*\(node:/m, 'without a stack trace');
});

test('a second process on the same data directory is refused and the first goes on', async () => {
  const first = await start('locked');
  const second = await Product.prepare('locked-second', { dataDir: first.dataDir });
  const exit = await second.launch().exited;
  assert.notEqual(exit.code, 0);
  assert.match(second.server.logTail(), /in use|lock|another process|already/i);
  await first.createTopic(fresh('t'), 1);
  assert.deepEqual(await first.stop(), { code: 0, signal: null });
});

test('the banner has one connection line per protocol and the durability', async () => {
  const product = await start('banner');
  const said = product.server.logTail(60);
  for (const port of [product.endpoints.kafka, product.endpoints.rocketmq])
    assert.ok(said.includes(port), `names ${port}`);
  assert.match(said, /amqp:\/\//);
  assert.match(said, /sync/);
  await product.stop();
});
