// Permissions: what users may not do, and what they are told.
import { LIMITED, PASSWORD, READER, STRANGER } from '../brokers.ts';
import { scenario } from '../scene.ts';

const as = (user: string) => ({ user, password: PASSWORD });

export const access = [
  scenario('access: a user without rights in the virtual host', async (scene) => {
    const link = await scene.dial();
    await link.login(as(STRANGER), true);
    await link.ended();
  }),
  scenario('access: within what is allowed', async (scene) => {
    const channel = await scene.channel(as(LIMITED));
    const [queue, exchange] = [scene.name('mine.q'), scene.name('mine.x')];
    await channel.queue(queue);
    await channel.exchange(exchange, 'direct');
    await channel.bind(queue, exchange, 'k');
    await channel.confirm();
    channel.publish(exchange, 'k', 'm');
    await channel.confirms();
    await channel.get(queue);
    await channel.consume(queue, 'c');
    await channel.cancel('c');
    await channel.call('queue.purge', { queue });
    await channel.call('queue.unbind', { queue, exchange, routingKey: 'k' });
    await channel.call('queue.delete', { queue });
    await channel.call('exchange.delete', { exchange });
  }),
  scenario('access: outside of what is allowed', async (scene) => {
    const [queue, exchange, mine] = [scene.name('q'), scene.name('x'), scene.name('mine')];
    const owner = await scene.channel();
    await owner.queue(queue);
    await owner.exchange(exchange, 'direct');
    await owner.queue(mine);
    const link = await scene.link(as(LIMITED));
    const attempts = [
      ['queue.declare', { queue: scene.name('new'), durable: true }],
      ['queue.declare', { queue, durable: true }],
      ['queue.declare', { queue: '', exclusive: true }],
      ['queue.declare', { queue, passive: true }],
      ['queue.bind', { queue, exchange, routingKey: 'k' }],
      ['queue.bind', { queue: mine, exchange, routingKey: 'k' }],
      ['queue.unbind', { queue, exchange, routingKey: 'k' }],
      ['queue.purge', { queue }],
      ['queue.delete', { queue }],
      ['exchange.declare', { exchange: scene.name('new'), type: 'direct', durable: true }],
      ['exchange.declare', { exchange, type: 'direct', durable: true }],
      ['exchange.declare', { exchange, passive: true }],
      ['exchange.bind', { destination: exchange, source: exchange, routingKey: 'k' }],
      ['exchange.delete', { exchange }],
      ['basic.consume', { queue }],
      ['basic.get', { queue }],
    ] as const;
    for (const [name, fields] of attempts) await (await link.channel()).call(name, fields);
    for (const name of [exchange, 'amq.direct', '']) {
      const channel = await link.channel();
      channel.publish(name, queue, 'm');
      await channel.qos(1);
    }
  }),
  scenario('access: arguments that need rights', async (scene) => {
    const link = await scene.link(as(LIMITED));
    const mine = scene.name('mine');
    await (await link.channel()).queue(mine, {}, { 'x-dead-letter-exchange': 'amq.direct' });
    await (await link.channel()).exchange(mine, 'direct', { 'alternate-exchange': 'amq.direct' });
    await (await link.channel()).exchange(mine, 'direct', { 'alternate-exchange': scene.name('mine.other') });
  }),
  scenario('access: who may only read', async (scene) => {
    const queue = scene.name('q');
    const owner = await scene.channel();
    await owner.queue(queue);
    owner.fill(queue, 'a', 'b');
    await scene.count(queue, 2);
    const link = await scene.link(as(READER));
    const channel = await link.channel();
    await channel.get(queue, false);
    channel.ack(1);
    await channel.passive(queue);
    await (await link.channel()).call('queue.purge', { queue });
    await (await link.channel()).call('queue.delete', { queue });
    await (await link.channel()).bind(queue, 'amq.direct', 'k');
    const sender = await link.channel();
    await sender.confirm();
    sender.fill(queue, 'c');
    await sender.confirms();
  }),
  scenario('access: an auto-delete queue whose last reader may only read', async (scene) => {
    const [cancelled, closed] = [scene.name('cancelled'), scene.name('closed')];
    const owner = await scene.channel();
    for (const queue of [cancelled, closed]) await owner.queue(queue, { autoDelete: true });
    const reader = await scene.channel(as(READER));
    await reader.consume(cancelled, 'one');
    await reader.cancel('one');
    await reader.consume(closed, 'two');
    await reader.call('channel.close');
    for (const queue of [cancelled, closed]) await scene.count(queue, 0, 300);
  }),
  scenario('access: publishing without the right, in a transaction and to a direct reply', async (scene) => {
    const link = await scene.link(as(READER));
    for (const [exchange, routingKey] of [
      ['', scene.name('no')],
      ['amq.direct', 'k'],
      ['', 'amq.rabbitmq.reply-to.made-up'],
    ] as const) {
      for (const isTx of [true, false]) {
        const channel = await link.channel();
        if (isTx) await channel.call('tx.select');
        channel.publish(exchange, routingKey, 'm');
        await channel.call(isTx ? 'tx.commit' : 'tx.select');
      }
    }
  }),
  scenario('access: dead letters need no right of the reader', async (scene) => {
    const [queue, dead] = [scene.name('q'), scene.name('dead')];
    const owner = await scene.channel();
    await owner.queue(dead);
    await owner.queue(queue, {}, { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead });
    owner.fill(queue, 'm');
    await scene.count(queue, 1);
    const reader = await scene.channel(as(READER));
    await reader.get(queue, false);
    reader.reject(1, false);
    await scene.count(dead, 1);
  }),
];
