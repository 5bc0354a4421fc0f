// Publishing: confirms, returns, properties, sizes, checks of properties, CC and BCC, transactions.
import { USER } from '../brokers.ts';
import { scenario } from '../scene.ts';
import { field } from '../wire.ts';

export const publishing = [
  scenario('confirms: every publish, also those that nobody gets', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    await channel.confirm();
    channel.fill(queue, 'a', 'b');
    channel.publish('', scene.name('nowhere'), 'c');
    channel.publish('amq.fanout', '', 'd');
    channel.fill(queue, 'e');
    await channel.confirms();
    await scene.count(queue, 3);
  }),
  scenario('confirms: the return comes before the confirm', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    await channel.confirm();
    channel.publish('', queue, 'routed', {}, { mandatory: true });
    await channel.confirms();
    channel.publish('', scene.name('no'), 'not routed', { messageId: 'm1', headers: { h: 1 } }, { mandatory: true });
    channel.publish('amq.topic', 'no', '', {}, { mandatory: true });
    await channel.confirms();
  }),
  scenario('confirms: selected twice, and not with transactions', async (scene) => {
    const link = await scene.link();
    const channel = await link.channel();
    await channel.confirm();
    await channel.confirm();
    await channel.call('tx.select');
    const other = await link.channel();
    await other.call('tx.select');
    await other.confirm();
  }),
  scenario('confirms: nowait', async (scene) => {
    const channel = await scene.channel();
    channel.send('confirm.select', { nowait: true });
    channel.publish('', scene.name('no'), 'x');
    await channel.confirms();
  }),
  scenario('confirms: a deleted queue', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    await channel.confirm();
    channel.fill(queue, 'a');
    await channel.confirms();
    await channel.call('queue.delete', { queue });
    channel.publish('', queue, 'b', {}, { mandatory: true });
    await channel.confirms();
  }),
  scenario('confirms: an error drops what follows', async (scene) => {
    const channel = await scene.channel();
    await channel.confirm();
    channel.publish(scene.name('x'), 'k', 'a');
    channel.publish('amq.fanout', '', 'b');
    await channel.closes();
  }),
  scenario('message: all properties come back', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    channel.publish('', queue, 'all', {
      contentType: 'text/plain',
      contentEncoding: 'utf-8',
      headers: {
        t: true,
        b: field('b', -1),
        B: field('B', 200),
        s: field('s', -300),
        u: field('u', 60_000),
        I: field('I', -70_000),
        i: field('i', 4_000_000_000),
        l: field('l', -5_000_000_000),
        f: field('f', 0.5),
        d: field('d', 0.1),
        D: field('D', [2, 314]),
        S: 'ünï',
        x: field('x', '\x01\x02'),
        T: field('T', 1_000_000),
        A: [1, 'two', [3], { four: 4 }],
        F: { inner: { deep: null } },
        V: null,
      },
      deliveryMode: 2,
      priority: 5,
      correlationId: 'c',
      replyTo: 'r',
      messageId: 'm',
      timestamp: 1_700_000_000,
      type: 't',
      appId: 'a',
      clusterId: 'cl',
    });
    channel.publish('', queue, 'none');
    channel.publish('', queue, 'odd', { deliveryMode: 1, priority: 255, headers: {} });
    channel.publish('', queue, 'without x', { headers: { L: field('L', 5) } });
    await channel.drain(queue);
  }),
  scenario('message: a delivery mode that is not known', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    channel.publish('', queue, 'm', { deliveryMode: 7 });
    await channel.drain(queue);
  }),
  scenario('message: bodies of all sizes', async (scene) => {
    const channel = await scene.channel({ frameMax: 8_192 });
    const queue = scene.name('q');
    await channel.queue(queue);
    for (const size of [0, 1, 8_183, 8_184, 8_185, 16_368, 100_000, 1_000_000])
      channel.publish('', queue, 'x'.repeat(size));
    await channel.drain(queue);
  }),
  scenario('message: the user', async (scene) => {
    const link = await scene.link();
    const channel = await link.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    channel.publish('', queue, 'mine', { userId: USER });
    await channel.drain(queue);
    channel.publish('', queue, 'not mine', { userId: 'root' });
    await channel.closes();
  }),
  ...[
    '0',
    '100',
    '',
    'soon',
    '-1',
    '1.5',
    ' 5',
    '5 ',
    '+5',
    '99999999999999999999',
    '0x10',
    '007',
    '315360000000',
    '315360000001',
  ].map((expiration) =>
    scenario(`message: expiration "${expiration}"`, async (scene) => {
      const channel = await scene.channel();
      const queue = scene.name('q');
      await channel.queue(queue);
      channel.publish('', queue, 'm', { expiration });
      channel.fill(queue, 'behind');
      if (expiration === '100' || expiration === '007') await scene.sleep(300);
      await channel.drain(queue);
    }),
  ),
  scenario('message: CC and BCC', async (scene) => {
    const channel = await scene.channel();
    const [a, b, c] = [scene.name('a'), scene.name('b'), scene.name('c')];
    for (const queue of [a, b, c]) await channel.queue(queue);
    channel.publish('', a, 'copied', { headers: { CC: [b], BCC: [c], other: 1 } });
    channel.publish('', a, 'twice the same', { headers: { CC: [a, b, b], BCC: [a] } });
    channel.publish('', scene.name('none'), 'only by BCC', { headers: { BCC: [c] } }, { mandatory: true });
    channel.publish('', scene.name('none'), 'to nobody', { headers: { BCC: [], CC: [] } }, { mandatory: true });
    await channel.quiet();
    for (const queue of [a, b, c]) await channel.drain(queue);
  }),
  scenario('message: CC through a topic exchange', async (scene) => {
    const channel = await scene.channel();
    const [exchange, queue] = [scene.name('x'), scene.name('q')];
    await channel.exchange(exchange, 'topic');
    await channel.queue(queue);
    await channel.bind(queue, exchange, 'extra.*');
    channel.publish(exchange, 'main', 'm', { headers: { CC: ['extra.one', 'extra.two'] } });
    await channel.drain(queue);
  }),
  ...[
    ['CC that is a string', { CC: 'q' }],
    ['BCC that is a number', { BCC: 5 }],
    ['CC with a number in it', { CC: ['a', 5] }],
  ].map(([name, headers]) =>
    scenario(`message: ${name as string}`, async (scene) => {
      const channel = await scene.channel();
      channel.publish('amq.direct', 'k', 'm', { headers });
      await channel.qos(1);
    }),
  ),
  scenario('message: a routing key of 255 octets', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    const key = 'k'.repeat(255);
    await channel.bind(queue, 'amq.direct', key);
    channel.publish('amq.direct', key, 'm');
    await channel.drain(queue);
  }),
  scenario('message: one copy for each queue, however often it is bound', async (scene) => {
    const channel = await scene.channel();
    const [exchange, a, b] = [scene.name('x'), scene.name('a'), scene.name('b')];
    await channel.exchange(exchange, 'topic');
    for (const queue of [a, b]) await channel.queue(queue);
    for (const key of ['#', 'k.*', 'k.v']) await channel.bind(a, exchange, key);
    await channel.bind(b, exchange, 'k.v');
    channel.publish(exchange, 'k.v', 'm');
    for (const queue of [a, b]) await channel.drain(queue);
  }),

  scenario('tx: commit publishes', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    await channel.call('tx.select');
    channel.fill(queue, 'a', 'b');
    await channel.passive(queue);
    await channel.call('tx.commit');
    await channel.passive(queue);
    await channel.drain(queue);
  }),
  scenario('tx: rollback forgets', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    await channel.call('tx.select');
    channel.fill(queue, 'a', 'b');
    await channel.call('tx.rollback');
    channel.fill(queue, 'c');
    await channel.call('tx.commit');
    await channel.drain(queue);
  }),
  scenario('tx: acknowledgements wait for the commit', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    channel.fill(queue, 'a', 'b', 'c');
    await channel.call('tx.select');
    for (let i = 0; i < 3; i++) await channel.get(queue, false);
    channel.ack(1);
    channel.nack(2, true);
    await channel.call('tx.rollback');
    channel.ack(1);
    channel.reject(3, true);
    await channel.call('tx.commit');
    await channel.passive(queue);
    await channel.close();
    const other = await channel.link.channel();
    await other.drain(queue);
  }),
  scenario('tx: a channel that closes forgets', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    channel.fill(queue, 'a');
    await channel.call('tx.select');
    await channel.get(queue, false);
    channel.ack(1);
    channel.fill(queue, 'b');
    await channel.close();
    const other = await channel.link.channel();
    await other.drain(queue);
  }),
  scenario('tx: returns come with the commit', async (scene) => {
    const channel = await scene.channel();
    await channel.call('tx.select');
    channel.publish('', scene.name('no'), 'm', {}, { mandatory: true });
    await channel.quiet();
    channel.tell('now the commit');
    await channel.call('tx.commit');
    await channel.quiet();
  }),
  scenario('tx: an unknown tag is an error at once', async (scene) => {
    const channel = await scene.channel();
    await channel.call('tx.select');
    channel.ack(5);
    await channel.call('tx.commit');
  }),
  scenario('tx: a missing exchange is an error at once', async (scene) => {
    const channel = await scene.channel();
    await channel.call('tx.select');
    channel.publish(scene.name('no'), 'k', 'm');
    await channel.call('tx.commit');
  }),
  scenario('tx: selected twice, not selected', async (scene) => {
    const link = await scene.link();
    const channel = await link.channel();
    await channel.call('tx.select');
    await channel.call('tx.select');
    await (await link.channel()).call('tx.commit');
    await (await link.channel()).call('tx.rollback');
  }),
  scenario('tx: recover brings back what is not acknowledged, and nothing of the transaction', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    channel.fill(queue, 'a', 'b', 'c', 'd');
    await channel.call('tx.select');
    for (let i = 0; i < 4; i++) await channel.get(queue, false);
    channel.ack(1);
    channel.nack(3, true);
    await channel.call('basic.recover', { requeue: true });
    await channel.passive(queue);
    await channel.call('tx.commit');
    await scene.count(queue, 3);
    await channel.drain(queue);
  }),
  scenario('tx: recover, and then a rollback', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    channel.fill(queue, 'a', 'b');
    await channel.call('tx.select');
    for (let i = 0; i < 2; i++) await channel.get(queue, false);
    channel.ack(1);
    await channel.call('basic.recover', { requeue: true });
    await channel.call('tx.rollback');
    channel.ack(1);
    await channel.call('tx.commit');
    await scene.count(queue, 1);
    await channel.drain(queue);
  }),
  scenario('tx: a direct reply', async (scene) => {
    const [client, server] = [await scene.channel(), await scene.channel()];
    const queue = scene.name('q');
    await server.queue(queue);
    await client.consume('amq.rabbitmq.reply-to', 'replies', { noAck: true });
    client.publish('', queue, 'question', { replyTo: 'amq.rabbitmq.reply-to' });
    await scene.count(queue, 1);
    const replyTo = String((await server.get(queue))?.properties['replyTo']);
    await server.call('tx.select');
    server.publish('', replyTo, 'rolled back', {}, { mandatory: true });
    await server.quiet();
    await server.call('tx.rollback');
    server.publish('', replyTo, 'committed', {}, { mandatory: true });
    await server.quiet();
    await server.call('tx.commit');
    await client.quiet();
  }),
  scenario('tx: a message to many queues, and a full one', async (scene) => {
    const channel = await scene.channel();
    const [a, b] = [scene.name('a'), scene.name('b')];
    await channel.queue(a);
    await channel.queue(b, {}, { 'x-max-length': 1, 'x-overflow': 'reject-publish' });
    for (const queue of [a, b]) await channel.bind(queue, 'amq.direct', a);
    await channel.call('tx.select');
    channel.publish('amq.direct', a, 'one');
    await channel.call('tx.commit');
    channel.publish('amq.direct', a, 'two');
    await channel.call('tx.commit');
    const other = await channel.link.channel();
    for (const queue of [a, b]) await other.drain(queue);
  }),
];
