// Queues: declaring, equivalence of what was declared, arguments, exclusive and auto-delete queues, deleting, purging.
import type { Scene } from '../scene.ts';
import { scenario } from '../scene.ts';
import { type Fields, field, type Table } from '../wire.ts';

/** Declares a queue twice on channels of one connection, the second time otherwise. */
const again = (name: string, first: [Fields, Table], second: [Fields, Table] | ((scene: Scene) => [Fields, Table])) =>
  scenario(`declare again: ${name}`, async (scene) => {
    const link = await scene.link();
    const queue = scene.name('q');
    const channel = await link.channel();
    await channel.queue(queue, ...first);
    await channel.queue(queue, ...(typeof second === 'function' ? second(scene) : second));
    await (await link.channel()).passive(queue);
  });

const args = (name: string, table: Table, fields: Fields = {}) =>
  scenario(`queue argument: ${name}`, async (scene) => {
    const channel = await scene.channel();
    await channel.queue(scene.name('q'), fields, table);
  });

const durable = { durable: true };

export const queues = [
  scenario('queue: unbound by empty names, and by another connection', async (scene) => {
    const [channel, other] = [await scene.channel(), await scene.channel()];
    const [exchange, queue] = [scene.name('x'), scene.name('q')];
    await channel.exchange(exchange, 'direct');
    await channel.queue(queue, { exclusive: true });
    await channel.bind('', exchange, '');
    channel.publish(exchange, queue, 'bound');
    await other.call('queue.unbind', { queue, exchange: scene.name('no'), routingKey: queue });
    await other.call('queue.unbind', { queue, exchange, routingKey: queue });
    await channel.call('queue.unbind', { queue: '', exchange, routingKey: '' });
    channel.publish(exchange, queue, 'not bound', {}, { mandatory: true });
    await channel.quiet();
    await channel.drain(queue);
  }),
  again('the same', [durable, {}], [durable, {}]),
  again('not durable', [durable, {}], [{ durable: false }, {}]),
  again('durable', [{ durable: false }, {}], [durable, {}]),
  again('auto-delete', [durable, {}], [{ autoDelete: true }, {}]),
  again('not auto-delete', [{ autoDelete: true }, {}], [durable, {}]),
  again('exclusive', [durable, {}], [{ exclusive: true }, {}]),
  again('not exclusive', [{ exclusive: true }, {}], [durable, {}]),
  again('exclusive and durable', [{ exclusive: true, durable: true }, {}], [{ exclusive: true, durable: false }, {}]),
  again('a ttl more', [durable, {}], [durable, { 'x-message-ttl': 1_000 }]),
  again('a ttl less', [durable, { 'x-message-ttl': 1_000 }], [durable, {}]),
  again('another ttl', [durable, { 'x-message-ttl': 1_000 }], [durable, { 'x-message-ttl': 2_000 }]),
  again(
    'the same ttl of another type',
    [durable, { 'x-message-ttl': field('s', 1_000) }],
    [durable, { 'x-message-ttl': field('l', 1_000) }],
  ),
  again('the same ttl as a string', [durable, { 'x-message-ttl': 1_000 }], [durable, { 'x-message-ttl': '1000' }]),
  again(
    'another dead-letter exchange',
    [durable, { 'x-dead-letter-exchange': 'a' }],
    [durable, { 'x-dead-letter-exchange': 'b' }],
  ),
  again('an unknown argument', [durable, { 'x-made-up': 1 }], [durable, { 'x-made-up': 2 }]),
  again(
    'another overflow',
    [durable, { 'x-max-length': 5 }],
    [durable, { 'x-max-length': 5, 'x-overflow': 'reject-publish' }],
  ),
  again('another maximum of priorities', [durable, { 'x-max-priority': 5 }], [durable, { 'x-max-priority': 6 }]),
  again('a quorum queue for a classic one', [durable, {}], [durable, { 'x-queue-type': 'quorum' }]),
  again(
    'a classic queue for a quorum one',
    [durable, { 'x-queue-type': 'quorum' }],
    [durable, { 'x-queue-type': 'classic' }],
  ),
  again('classic said and unsaid', [durable, {}], [durable, { 'x-queue-type': 'classic' }]),
  again('single active consumer', [durable, {}], [durable, { 'x-single-active-consumer': true }]),
  again('another expiry', [durable, { 'x-expires': 60_000 }], [durable, { 'x-expires': 70_000 }]),
  again('another mode', [durable, {}], [durable, { 'x-queue-mode': 'lazy' }]),
  again(
    'another delivery limit',
    [durable, { 'x-queue-type': 'quorum', 'x-delivery-limit': 3 }],
    [durable, { 'x-queue-type': 'quorum', 'x-delivery-limit': 4 }],
  ),

  args('all that a classic queue has', {
    'x-message-ttl': 60_000,
    'x-expires': 60_000,
    'x-max-length': 10,
    'x-max-length-bytes': 1_000,
    'x-overflow': 'drop-head',
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': 'dead',
    'x-max-priority': 3,
    'x-queue-mode': 'lazy',
    'x-single-active-consumer': true,
    'x-queue-type': 'classic',
  }),
  args('all that a quorum queue has', {
    'x-queue-type': 'quorum',
    'x-message-ttl': 60_000,
    'x-expires': 60_000,
    'x-max-length': 10,
    'x-max-length-bytes': 1_000,
    'x-overflow': 'reject-publish',
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': 'dead',
    'x-delivery-limit': 5,
    'x-single-active-consumer': true,
    'x-dead-letter-strategy': 'at-least-once',
  }),
  args('a negative ttl', { 'x-message-ttl': -1 }),
  args('a ttl of 0', { 'x-message-ttl': 0 }),
  args('a ttl that is a string', { 'x-message-ttl': '1000' }),
  args('a ttl that is a double', { 'x-message-ttl': 1.5 }),
  args('a ttl beyond the timers', { 'x-message-ttl': 4_294_967_296_000 }),
  args('the longest ttl', { 'x-message-ttl': 315_360_000_000, 'x-expires': 315_360_000_000 }),
  args('a ttl longer than the longest', { 'x-message-ttl': 315_360_000_001 }),
  args('expires longer than the longest', { 'x-expires': 315_360_000_001 }),
  args('expires 0', { 'x-expires': 0 }),
  args('expires that is a string', { 'x-expires': 'soon' }),
  args('a negative length', { 'x-max-length': -1 }),
  args('a length of 0', { 'x-max-length': 0 }),
  args('negative bytes', { 'x-max-length-bytes': -5 }),
  args('an unknown overflow', { 'x-overflow': 'spill' }),
  args('reject-publish-dlx', { 'x-overflow': 'reject-publish-dlx', 'x-max-length': 3 }),
  args('a routing key without an exchange', { 'x-dead-letter-routing-key': 'k' }),
  args('a dead-letter exchange that is a number', { 'x-dead-letter-exchange': 5 }),
  args('256 priorities', { 'x-max-priority': 256 }),
  args('negative priorities', { 'x-max-priority': -1 }),
  args('255 priorities', { 'x-max-priority': 255 }),
  args('priorities that are a string', { 'x-max-priority': 'high' }),
  args('an unknown mode', { 'x-queue-mode': 'fast' }),
  args('an unknown type', { 'x-queue-type': 'magic' }),
  args('a type that is a number', { 'x-queue-type': 1 }),
  args('single active consumer that is a string', { 'x-single-active-consumer': 'yes' }),
  args('a delivery limit on a classic queue', { 'x-delivery-limit': 3 }),
  args('a negative delivery limit', { 'x-queue-type': 'quorum', 'x-delivery-limit': -1 }),
  args('a delivery limit that is a string', { 'x-queue-type': 'quorum', 'x-delivery-limit': 'x' }),
  args('an unknown dead-letter strategy', { 'x-queue-type': 'quorum', 'x-dead-letter-strategy': 'never' }),
  args('a dead-letter strategy on a classic queue', { 'x-dead-letter-strategy': 'at-least-once' }),
  args('priorities on a quorum queue', { 'x-queue-type': 'quorum', 'x-max-priority': 3 }),
  args('an unknown overflow on a quorum queue', { 'x-queue-type': 'quorum', 'x-overflow': 'reject-publish-dlx' }),
  args('a version', { 'x-queue-version': 2 }),
  args('an unknown version', { 'x-queue-version': 9 }),
  args('a master locator', { 'x-queue-master-locator': 'client-local' }),
  args('a leader locator', { 'x-queue-type': 'quorum', 'x-queue-leader-locator': 'client-local' }),
  args('a consumer timeout', { 'x-consumer-timeout': 60_000 }),
  args('max age on a classic queue', { 'x-max-age': '1D' }),
  args('a quorum queue that is not durable', { 'x-queue-type': 'quorum' }, { durable: false }),
  args('an exclusive quorum queue', { 'x-queue-type': 'quorum' }, { exclusive: true }),
  args('an auto-delete quorum queue', { 'x-queue-type': 'quorum' }, { autoDelete: true }),
  args('a stream', { 'x-queue-type': 'stream' }),

  scenario('queue: the name is the broker’s', async (scene) => {
    const channel = await scene.channel();
    const queue = await channel.queue('', { exclusive: true, durable: false });
    channel.fill(queue, 'hello');
    await channel.get(queue);
    await channel.get('');
  }),
  scenario('queue: a quorum queue without a name', async (scene) => {
    const channel = await scene.channel();
    await channel.queue('', {}, { 'x-queue-type': 'quorum' });
  }),
  scenario('queue: reserved names', async (scene) => {
    const link = await scene.link();
    for (const name of ['amq.mine', 'amq.', 'amq']) await (await link.channel()).queue(name, { exclusive: true });
  }),
  scenario('queue: a name of 255 octets, and line breaks', async (scene) => {
    const channel = await scene.channel();
    const name = scene.name('q');
    await channel.queue(name + 'x'.repeat(255 - name.length), { exclusive: true, durable: false });
    await channel.queue(`${name}\r\nb`, { exclusive: true, durable: false });
    await channel.passive(`${name}b`);
  }),
  scenario('queue: passive', async (scene) => {
    const link = await scene.link();
    const queue = scene.name('q');
    const channel = await link.channel();
    await channel.queue(queue, {}, { 'x-max-length': 10 });
    channel.fill(queue, 'a', 'b', 'c');
    await scene.count(queue, 3);
    await channel.call('queue.declare', { queue, passive: true, durable: false, exclusive: true });
    await channel.consume(queue, 'c1');
    await channel.take(3);
    await channel.passive(queue);
    await (await link.channel()).passive(scene.name('other'));
  }),
  scenario('queue: the last one of the channel', async (scene) => {
    const link = await scene.link();
    const queue = scene.name('q');
    const channel = await link.channel();
    await channel.queue(queue);
    channel.fill(queue, 'a', 'b');
    await channel.get('');
    await channel.call('queue.bind', { queue: '', exchange: 'amq.direct', routingKey: '' });
    channel.publish('amq.direct', queue, 'by name');
    await channel.drain(queue);
    await channel.call('queue.bind', { queue: '', exchange: 'amq.direct', routingKey: 'k' });
    await channel.call('queue.purge', { queue: '' });
    await channel.call('queue.delete', { queue: '' });
    for (const name of ['basic.get', 'basic.consume', 'queue.purge', 'queue.delete', 'queue.unbind'] as const)
      await (await link.channel()).call(name, { queue: '', exchange: 'amq.direct' });
    await (await link.channel()).bind('', 'amq.direct', 'k');
    await (await link.channel()).bind('', 'amq.direct', '');
  }),
  scenario('queue: nowait', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    channel.send('queue.declare', { queue, durable: true, nowait: true });
    channel.send('queue.bind', { queue, exchange: 'amq.direct', routingKey: queue, nowait: true });
    channel.publish('amq.direct', queue, 'a');
    channel.send('queue.purge', { queue, nowait: true });
    channel.publish('amq.direct', queue, 'b');
    await channel.drain(queue);
    channel.send('queue.delete', { queue, nowait: true });
    await channel.passive(queue);
  }),
  scenario('queue: exclusive to its connection', async (scene) => {
    const queue = scene.name('q');
    const mine = await scene.channel();
    await mine.queue(queue, { exclusive: true, durable: false });
    const other = await scene.link();
    const attempts = [
      ['queue.declare', { queue, durable: true }],
      ['queue.declare', { queue, passive: true }],
      ['queue.bind', { queue, exchange: 'amq.direct', routingKey: 'k' }],
      ['queue.unbind', { queue, exchange: 'amq.direct', routingKey: 'k' }],
      ['queue.purge', { queue }],
      ['queue.delete', { queue }],
      ['basic.consume', { queue }],
      ['basic.get', { queue }],
    ] as const;
    for (const [name, fields] of attempts) await (await other.channel()).call(name, fields);
    const sender = await other.channel();
    await sender.confirm();
    sender.fill(queue, 'from outside');
    await sender.confirms();
    await mine.get(queue);
  }),
  scenario('queue: exclusive ones go with their connection', async (scene) => {
    const queue = scene.name('q');
    const mine = await scene.channel();
    await mine.queue(queue, { exclusive: true });
    await mine.link.main.call('connection.close', { replyCode: 200, replyText: 'bye' });
    await (await scene.channel()).passive(queue);
  }),
  scenario('queue: exclusive ones stay when only their channel closes', async (scene) => {
    const queue = scene.name('q');
    const mine = await scene.channel();
    await mine.queue(queue, { exclusive: true });
    await mine.close();
    await (await mine.link.channel()).passive(queue);
  }),
  scenario('queue: auto-delete goes after its last consumer', async (scene) => {
    const queue = scene.name('q');
    const link = await scene.link();
    const channel = await link.channel();
    await channel.queue(queue, { autoDelete: true });
    await channel.consume(queue, 'one');
    await channel.consume(queue, 'two');
    await channel.cancel('one');
    await channel.passive(queue);
    await channel.cancel('two');
    await channel.passive(queue);
  }),
  scenario('queue: auto-delete stays while it never had a consumer', async (scene) => {
    const queue = scene.name('q');
    const link = await scene.link();
    const channel = await link.channel();
    await channel.queue(queue, { autoDelete: true });
    channel.fill(queue, 'a');
    await channel.get(queue);
    await channel.close();
    await (await link.channel()).passive(queue);
  }),
  scenario('queue: auto-delete goes with the channel of its consumer', async (scene) => {
    const queue = scene.name('q');
    const link = await scene.link();
    const channel = await link.channel();
    await channel.queue(queue, { autoDelete: true });
    await channel.consume(queue, 'one');
    await channel.close();
    await (await link.channel()).passive(queue);
  }),
  scenario('queue: purge counts the ready ones and leaves the others', async (scene) => {
    const queue = scene.name('q');
    const channel = await scene.channel();
    await channel.queue(queue);
    channel.fill(queue, 'a', 'b', 'c');
    await channel.get(queue, false);
    await channel.call('queue.purge', { queue });
    await channel.passive(queue);
    channel.nack(1, true);
    await channel.drain(queue);
    await channel.call('queue.purge', { queue: scene.name('other') });
  }),
  scenario('queue: delete counts the ready ones', async (scene) => {
    const queue = scene.name('q');
    const link = await scene.link();
    const channel = await link.channel();
    await channel.queue(queue);
    channel.fill(queue, 'a', 'b', 'c');
    await channel.get(queue, false);
    await channel.call('queue.delete', { queue });
    await channel.call('queue.delete', { queue });
    channel.ack(1);
    await channel.qos(1);
  }),
  scenario('queue: delete if empty, if unused', async (scene) => {
    const queue = scene.name('q');
    const link = await scene.link();
    const channel = await link.channel();
    await channel.queue(queue);
    channel.fill(queue, 'a');
    await (await link.channel()).call('queue.delete', { queue, ifEmpty: true });
    await channel.consume(queue, 'c');
    await channel.take(1);
    await (await link.channel()).call('queue.delete', { queue, ifUnused: true });
    await (await link.channel()).call('queue.delete', { queue, ifUnused: true, ifEmpty: true });
    await channel.cancel('c');
    await (await link.channel()).call('queue.delete', { queue, ifUnused: true, ifEmpty: true });
  }),
  scenario('queue: on things that are not there', async (scene) => {
    const link = await scene.link();
    const missing = scene.name('missing');
    const queue = scene.name('q');
    await (await link.channel()).queue(queue);
    await (await link.channel()).bind(missing, 'amq.direct', 'k');
    await (await link.channel()).bind(queue, missing, 'k');
    await (await link.channel()).call('queue.unbind', { queue: missing, exchange: 'amq.direct', routingKey: 'k' });
    await (await link.channel()).call('queue.unbind', { queue, exchange: missing, routingKey: 'k' });
    await (await link.channel()).call('queue.unbind', { queue, exchange: 'amq.direct', routingKey: 'k' });
    await (await link.channel()).get(missing);
    await (await link.channel()).consume(missing, 'c');
  }),
  scenario('queue: expires without use', async (scene) => {
    const queue = scene.name('q');
    const link = await scene.link();
    await (await link.channel()).queue(queue, {}, { 'x-expires': 300 });
    await scene.sleep(900);
    await (await link.channel()).passive(queue);
  }),
  scenario('queue: a consumer, a get and a declaration are uses', async (scene) => {
    const link = await scene.link();
    const queue = scene.name('q');
    const channel = await link.channel();
    await channel.queue(queue, {}, { 'x-expires': 600 });
    await channel.consume(queue, 'c');
    await scene.sleep(900);
    await channel.cancel('c');
    for (let i = 0; i < 3; i++) {
      await scene.sleep(300);
      await channel.get(queue);
    }
    for (let i = 0; i < 3; i++) {
      await scene.sleep(300);
      await channel.queue(queue, {}, { 'x-expires': 600 });
    }
    await scene.sleep(1_200);
    await (await link.channel()).passive(queue);
  }),
  scenario('queue: passive declarations are uses', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue, {}, { 'x-expires': 500 });
    for (let i = 0; i < 4; i++) {
      await scene.sleep(300);
      await channel.passive(queue);
    }
  }),
  scenario('queue: publishing is no use', async (scene) => {
    const link = await scene.link();
    const queue = scene.name('q');
    const channel = await link.channel();
    await channel.queue(queue, {}, { 'x-expires': 500 });
    for (let i = 0; i < 4; i++) {
      await scene.sleep(200);
      channel.fill(queue, 'x');
    }
    await scene.sleep(200);
    await channel.passive(queue);
  }),
];
