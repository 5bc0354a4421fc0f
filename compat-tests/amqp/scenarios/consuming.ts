// Consuming: tags, acknowledgements, requeueing, prefetch, get, cancelling, exclusive consumers, priorities, one active
// consumer, direct replies.
import type { Channel } from '../link.ts';
import { scenario } from '../scene.ts';
import { field, type Table } from '../wire.ts';

/** What is published and then acknowledged wrongly. */
const settling = (name: string, act: (channel: Channel) => void) =>
  scenario(`acknowledge: ${name}`, async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    channel.fill(queue, 'a', 'b', 'c', 'd');
    await channel.consume(queue, 'c');
    await channel.take(4);
    act(channel);
    await channel.qos(1);
    await channel.close();
    await (await channel.link.channel()).drain(queue);
  });

/** Four messages in a queue with these arguments, given back in this way, and the order in which they come again. */
const requeue = (name: string, act: (channel: Channel) => void, args: Table = {}, prefetch = 4) =>
  scenario(`requeue: ${name}`, async (scene) => {
    const link = await scene.link();
    const queue = scene.name('q');
    const channel = await link.channel();
    await channel.queue(queue, {}, args);
    channel.fill(queue, '1', '2', '3', '4', '5', '6');
    await scene.count(queue, 6);
    for (let i = 0; i < prefetch; i++) await channel.get(queue, false);
    act(channel);
    await channel.qos(1);
    const waiting = 'x-queue-type' in args ? 100 : 0;
    await scene.sleep(waiting);
    await (await link.channel()).drain(queue);
  });

const prefetch = (name: string, steps: (channel: Channel, queue: string) => Promise<void>) =>
  scenario(`prefetch: ${name}`, async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    channel.fill(queue, ...Array.from({ length: 12 }, (_, i) => `${i}`));
    await scene.count(queue, 12);
    await steps(channel, queue);
    await channel.quiet();
  });

export const consuming = [
  scenario('consume: deliveries follow consume-ok', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    channel.fill(queue, 'a', 'b');
    await channel.consume(queue, 'c');
    await channel.take(2);
    channel.fill(queue, 'c');
    await channel.take(1);
    channel.ack(3, true);
    await channel.passive(queue);
  }),
  scenario('consume: the tag is the broker’s', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    const tag = await channel.consume(queue, '');
    channel.fill(queue, 'a');
    await channel.take(1);
    await channel.cancel(tag);
  }),
  scenario('consume: a tag used twice', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    await channel.consume(queue, 'c');
    await channel.consume(queue, 'c');
  }),
  scenario('consume: the same tag on two channels', async (scene) => {
    const link = await scene.link();
    const queue = scene.name('q');
    const [one, two] = [await link.channel(), await link.channel()];
    await one.queue(queue);
    await one.consume(queue, 'c');
    await two.consume(queue, 'c');
    await one.passive(queue);
  }),
  scenario('consume: nowait', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    channel.fill(queue, 'a');
    channel.send('basic.consume', { queue, consumerTag: 'c', nowait: true, noAck: true });
    await channel.take(1);
    channel.send('basic.cancel', { consumerTag: 'c', nowait: true });
    channel.fill(queue, 'b');
    await channel.quiet();
    await channel.passive(queue);
  }),
  scenario('consume: without acknowledgements', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    await channel.qos(1);
    channel.fill(queue, 'a', 'b', 'c');
    await channel.consume(queue, 'c', { noAck: true });
    await channel.take(3);
    channel.ack(1);
    await channel.closes();
    await scene.count(queue, 0);
  }),
  scenario('consume: in turns', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    for (const tag of ['one', 'two', 'three']) await channel.consume(queue, tag, { noAck: true });
    for (let i = 0; i < 7; i++) {
      channel.fill(queue, `${i}`);
      await channel.take(1);
    }
  }),
  scenario('consume: exclusively', async (scene) => {
    const link = await scene.link();
    const queue = scene.name('q');
    const [one, two] = [await link.channel(), await link.channel()];
    await one.queue(queue);
    await one.consume(queue, 'c', { exclusive: true });
    await two.consume(queue, 'd');
    const three = await link.channel();
    await three.consume(queue, 'e', { exclusive: true });
    await one.cancel('c');
    const four = await link.channel();
    await four.consume(queue, 'f');
    const five = await link.channel();
    await five.consume(queue, 'g', { exclusive: true });
  }),
  scenario('consume: get while somebody consumes exclusively', async (scene) => {
    const link = await scene.link();
    const queue = scene.name('q');
    const [one, two] = [await link.channel(), await link.channel()];
    await one.queue(queue);
    await one.qos(1);
    await one.consume(queue, 'c', { exclusive: true });
    one.fill(queue, 'a', 'b');
    await one.take(1);
    await two.get(queue);
  }),
  scenario('consume: no-local is ignored', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    await channel.consume(queue, 'c', { noLocal: true, noAck: true });
    channel.fill(queue, 'mine');
    await channel.take(1);
  }),
  scenario('consume: unknown arguments', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    await channel.consume(queue, 'c', {}, { 'x-made-up': 1 });
  }),
  ...(
    [
      ['a string', 'high'],
      ['a boolean', true],
      ['a double', 1.5],
    ] as const
  ).map(([name, value]) =>
    scenario(`consume: a priority that is ${name}`, async (scene) => {
      const channel = await scene.channel();
      const queue = scene.name('q');
      await channel.queue(queue);
      await channel.consume(queue, 'c', {}, { 'x-priority': value });
    }),
  ),

  scenario('cancel: what was delivered stays to be acknowledged', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    channel.fill(queue, 'a', 'b');
    await channel.qos(1);
    await channel.consume(queue, 'c');
    await channel.take(1);
    await channel.cancel('c');
    await channel.quiet();
    channel.ack(1);
    await channel.drain(queue);
    await channel.cancel('c');
    await channel.cancel('never');
  }),
  scenario('cancel: the broker tells when the queue is deleted', async (scene) => {
    const link = await scene.link();
    const queue = scene.name('q');
    const channel = await link.channel();
    await channel.queue(queue);
    channel.fill(queue, 'a');
    await channel.consume(queue, 'c');
    await channel.take(1);
    await (await link.channel()).call('queue.delete', { queue });
    await channel.arrives('basic.cancel');
    channel.ack(1);
    await channel.qos(1);
    await channel.queue(queue);
  }),
  scenario('cancel: not told to those who did not ask', async (scene) => {
    const link = await scene.link({ capabilities: {} });
    const queue = scene.name('q');
    const channel = await link.channel();
    await channel.queue(queue);
    await channel.consume(queue, 'c');
    await (await link.channel()).call('queue.delete', { queue });
    await channel.quiet();
    await channel.qos(1);
  }),

  settling('one by one', (channel) => {
    channel.ack(2);
    channel.ack(1);
  }),
  settling('all up to one', (channel) => channel.ack(3, true)),
  settling('all there are', (channel) => channel.ack(0, true)),
  settling('all there are, twice', (channel) => {
    channel.ack(0, true);
    channel.ack(0, true);
  }),
  settling('0 alone', (channel) => channel.ack(0)),
  settling('twice', (channel) => {
    channel.ack(1);
    channel.ack(1);
  }),
  settling('one that never was', (channel) => channel.ack(99)),
  settling('up to one that never was', (channel) => channel.ack(99, true)),
  settling('up to one that is settled', (channel) => {
    channel.ack(2, true);
    channel.ack(2, true);
  }),
  settling('reject one that never was', (channel) => channel.reject(99, true)),
  settling('reject 0', (channel) => channel.reject(0, false)),
  settling('nack one that never was', (channel) => channel.nack(99, true)),
  settling('nack all there are', (channel) => channel.nack(0, false, true)),
  settling('reject without requeue', (channel) => channel.reject(2, false)),
  scenario('acknowledge: on another channel', async (scene) => {
    const link = await scene.link();
    const queue = scene.name('q');
    const [one, two] = [await link.channel(), await link.channel()];
    await one.queue(queue);
    one.fill(queue, 'a');
    await one.consume(queue, 'c');
    await one.take(1);
    two.ack(1);
    await two.closes();
  }),

  requeue('nack one', (channel) => channel.nack(2, true)),
  requeue('nack all at once', (channel) => channel.nack(0, true, true)),
  requeue('nack up to three', (channel) => channel.nack(3, true, true)),
  requeue('one by one, backwards', (channel) => {
    for (const tag of [4, 3, 2, 1]) channel.nack(tag, true);
  }),
  requeue('some acknowledged between', (channel) => {
    channel.ack(2);
    channel.reject(3, true);
    channel.reject(1, true);
  }),
  requeue('recover', (channel) => channel.send('basic.recover', { requeue: true })),
  requeue('recover-async', (channel) => channel.send('basic.recover-async', { requeue: true })),
  requeue('quorum: nack one', (channel) => channel.nack(2, true), { 'x-queue-type': 'quorum' }),
  requeue('quorum: nack all at once', (channel) => channel.nack(0, true, true), { 'x-queue-type': 'quorum' }),
  requeue('quorum with a limit: nack one', (channel) => channel.nack(2, true), {
    'x-queue-type': 'quorum',
    'x-delivery-limit': 5,
  }),
  requeue('quorum with a limit: nack all at once', (channel) => channel.nack(0, true, true), {
    'x-queue-type': 'quorum',
    'x-delivery-limit': 5,
  }),
  scenario('requeue: a channel that closes', async (scene) => {
    const link = await scene.link();
    const queue = scene.name('q');
    const channel = await link.channel();
    await channel.queue(queue);
    channel.fill(queue, '1', '2', '3', '4');
    for (let i = 0; i < 3; i++) await channel.get(queue, false);
    channel.ack(2);
    await channel.close();
    await (await link.channel()).drain(queue);
  }),
  scenario('requeue: a connection that is cut', async (scene) => {
    const queue = scene.name('q');
    const channel = await scene.channel();
    await channel.queue(queue);
    channel.fill(queue, '1', '2', '3', '4');
    await scene.count(queue, 4);
    for (let i = 0; i < 3; i++) await channel.get(queue, false);
    channel.link.cut();
    await scene.count(queue, 4);
    await (await scene.channel()).drain(queue);
  }),
  scenario('requeue: recover gives them to the consumer again', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    channel.fill(queue, 'a', 'b');
    await channel.consume(queue, 'c');
    await channel.take(2);
    await channel.call('basic.recover', { requeue: true });
    await channel.take(2);
    channel.ack(3);
    channel.ack(4);
    await channel.qos(1);
  }),
  scenario('requeue: to the other consumer', async (scene) => {
    const link = await scene.link();
    const queue = scene.name('q');
    const [one, two] = [await link.channel(), await link.channel()];
    await one.queue(queue);
    one.fill(queue, 'a');
    await one.consume(queue, 'one');
    await one.take(1);
    await two.consume(queue, 'two');
    await one.close();
    await two.take(1);
  }),
  scenario('requeue: with a prefetch of one, again and again', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    channel.fill(queue, 'a', 'b');
    await scene.count(queue, 2);
    await channel.qos(1);
    await channel.consume(queue, 'c');
    for (let i = 1; i <= 3; i++) {
      await channel.take(1);
      channel.reject(i, true);
    }
    await channel.take(1);
    channel.ack(4);
    await channel.take(1);
  }),

  prefetch('each consumer', async (channel, queue) => {
    await channel.qos(2);
    await channel.consume(queue, 'one');
    await channel.take(2);
    await channel.consume(queue, 'two');
    await channel.take(2);
    await channel.quiet();
    channel.ack(1);
  }),
  prefetch('the whole channel', async (channel, queue) => {
    await channel.qos(3, true);
    await channel.consume(queue, 'one');
    await channel.take(3);
    await channel.consume(queue, 'two');
    await channel.quiet();
    channel.ack(2, true);
    await channel.take(2);
  }),
  prefetch('both', async (channel, queue) => {
    await channel.qos(3);
    await channel.qos(5, true);
    await channel.consume(queue, 'one');
    await channel.take(3);
    await channel.consume(queue, 'two');
    await channel.take(2);
    await channel.quiet();
  }),
  prefetch('changed later counts for later consumers', async (channel, queue) => {
    await channel.qos(1);
    await channel.consume(queue, 'one');
    await channel.take(1);
    await channel.qos(3);
    await channel.quiet();
    await channel.consume(queue, 'two');
    await channel.take(3);
  }),
  prefetch('of the channel raised while messages wait', async (channel, queue) => {
    await channel.qos(1, true);
    await channel.consume(queue, 'one');
    await channel.take(1);
    await channel.quiet();
    await channel.qos(3, true);
    await channel.take(2);
    await channel.quiet();
    await channel.qos(1, true);
    channel.ack(1);
    await channel.quiet();
    channel.ack(3, true);
    await channel.take(1);
  }),
  prefetch('0 is without limit', async (channel, queue) => {
    await channel.qos(0);
    await channel.consume(queue, 'one');
    await channel.take(12);
  }),
  prefetch('does not bind get', async (channel, queue) => {
    await channel.qos(1, true);
    await channel.get(queue, false);
    await channel.get(queue, false);
    await channel.consume(queue, 'one');
    await channel.quiet();
    channel.ack(1);
    channel.ack(2);
    await channel.take(1);
  }),
  prefetch('reject and requeue free it', async (channel, queue) => {
    await channel.qos(2);
    await channel.consume(queue, 'one');
    await channel.take(2);
    channel.reject(1, false);
    await channel.take(1);
    channel.ack(2);
    await channel.take(1);
  }),
  scenario('prefetch: of the channel on a quorum queue', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue, {}, { 'x-queue-type': 'quorum' });
    await channel.qos(3, true);
    await channel.consume(queue, 'c');
  }),

  scenario('get: with and without acknowledgement', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    channel.fill(queue, 'a', 'b', 'c');
    await channel.get(queue, false);
    await channel.get(queue, true);
    await channel.get(queue, false);
    await channel.get(queue, false);
    channel.ack(2);
    await channel.closes();
    await scene.count(queue, 2);
  }),
  scenario('get: tags are shared with consumers', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    channel.fill(queue, 'a', 'b', 'c');
    await channel.get(queue, false);
    await channel.consume(queue, 'c');
    await channel.take(2);
    channel.fill(queue, 'd');
    await channel.take(1);
    channel.ack(4, true);
    await channel.passive(queue);
  }),

  scenario('consumer priority: the higher first, while it has credit', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    await channel.qos(3);
    await channel.consume(queue, 'low');
    await channel.consume(queue, 'high', {}, { 'x-priority': 10 });
    await channel.consume(queue, 'lower', {}, { 'x-priority': field('l', -5) });
    for (let i = 0; i < 9; i++) {
      channel.fill(queue, `${i}`);
      await channel.take(1);
    }
    channel.ack(2);
    channel.fill(queue, 'after an acknowledgement');
    await channel.take(1);
  }),
  scenario('consumer priority: turns within a level', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    for (const tag of ['a', 'b']) await channel.consume(queue, tag, { noAck: true }, { 'x-priority': 1 });
    await channel.consume(queue, 'c', { noAck: true });
    for (let i = 0; i < 4; i++) {
      channel.fill(queue, `${i}`);
      await channel.take(1);
    }
    await channel.cancel('a');
    await channel.cancel('b');
    channel.fill(queue, 'last');
    await channel.take(1);
  }),

  ...([{}, { 'x-queue-type': 'quorum' }] as Table[]).map((type) =>
    scenario(`single active consumer: ${'x-queue-type' in type ? 'quorum' : 'classic'}`, async (scene) => {
      const link = await scene.link();
      const queue = scene.name('q');
      const [one, two, three] = [await link.channel(), await link.channel(), await link.channel()];
      const sender = await link.channel();
      await one.queue(queue, {}, { ...type, 'x-single-active-consumer': true });
      for (const [i, channel] of [one, two, three].entries()) {
        await channel.qos(2);
        await channel.consume(queue, `c${i}`);
      }
      sender.fill(queue, 'a', 'b', 'c');
      await one.take(2);
      await link.quiet();
      one.ack(1);
      await one.take(1);
      await one.cancel('c0');
      await link.quiet();
      one.tell('cancelled');
      await one.close();
      await two.take(2);
      two.ack(2, true);
      sender.fill(queue, 'd');
      await two.take(1);
      await two.close();
      await three.take(1);
      await sender.passive(queue);
    }),
  ),
  scenario('single active consumer: exclusive consumers', async (scene) => {
    const link = await scene.link();
    const queue = scene.name('q');
    const channel = await link.channel();
    await channel.queue(queue, {}, { 'x-single-active-consumer': true });
    await channel.consume(queue, 'c', { exclusive: true });
  }),
  scenario('single active consumer: priorities do not preempt', async (scene) => {
    const link = await scene.link();
    const queue = scene.name('q');
    const channel = await link.channel();
    await channel.queue(queue, {}, { 'x-single-active-consumer': true });
    await channel.consume(queue, 'first', { noAck: true });
    await channel.consume(queue, 'later', { noAck: true }, { 'x-priority': 10 });
    channel.fill(queue, 'a');
    await channel.take(1);
    await channel.consume(queue, 'third', { noAck: true });
    await channel.cancel('first');
    channel.fill(queue, 'b');
    await channel.take(1);
  }),

  scenario('direct reply: a request and its answer', async (scene) => {
    const [client, server] = [await scene.channel(), await scene.channel()];
    const queue = scene.name('q');
    await server.queue(queue);
    await client.consume('amq.rabbitmq.reply-to', 'replies', { noAck: true });
    client.publish('', queue, 'question', { replyTo: 'amq.rabbitmq.reply-to', correlationId: '1' });
    await scene.count(queue, 1);
    const question = await server.get(queue);
    const replyTo = String(question?.properties['replyTo']);
    server.publish('', replyTo, 'answer', { correlationId: '1' }, { mandatory: true });
    await client.take(1);
    await server.quiet();
    await server.passive(replyTo);
    await client.close();
    await server.quiet();
    server.publish('', replyTo, 'too late', {}, { mandatory: true });
    await server.quiet();
  }),
  scenario('direct reply: with acknowledgements', async (scene) => {
    const channel = await scene.channel();
    await channel.consume('amq.rabbitmq.reply-to', 'replies');
  }),
  scenario('direct reply: consumed twice', async (scene) => {
    const channel = await scene.channel();
    await channel.consume('amq.rabbitmq.reply-to', 'one', { noAck: true });
    await channel.consume('amq.rabbitmq.reply-to', 'two', { noAck: true });
  }),
  scenario('direct reply: cancelled and consumed again', async (scene) => {
    const channel = await scene.channel();
    await channel.consume('amq.rabbitmq.reply-to', 'one', { noAck: true });
    await channel.cancel('one');
    await channel.consume('amq.rabbitmq.reply-to', 'two', { noAck: true });
  }),
  scenario('direct reply: a question without a consumer', async (scene) => {
    const channel = await scene.channel();
    channel.publish('', scene.name('no'), 'question', { replyTo: 'amq.rabbitmq.reply-to' });
    await channel.closes();
  }),
  scenario('direct reply: passive and other uses of the name', async (scene) => {
    const link = await scene.link();
    await (await link.channel()).passive('amq.rabbitmq.reply-to');
    await (await link.channel()).queue('amq.rabbitmq.reply-to');
    await (await link.channel()).get('amq.rabbitmq.reply-to');
    await (await link.channel()).call('queue.delete', { queue: 'amq.rabbitmq.reply-to' });
    await (await link.channel()).passive('amq.rabbitmq.reply-to.made-up');
  }),
  scenario('direct reply: to oneself, with confirms', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    await channel.consume('amq.rabbitmq.reply-to', 'replies', { noAck: true });
    channel.publish('', queue, 'q', { replyTo: 'amq.rabbitmq.reply-to' });
    const question = await channel.get(queue);
    const other = await channel.link.channel();
    await other.confirm();
    other.publish('', String(question?.properties['replyTo']), 'yes', {}, { mandatory: true });
    await other.confirms();
    await channel.take(1);
  }),
];
