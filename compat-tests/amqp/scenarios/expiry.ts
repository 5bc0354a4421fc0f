// What ends the life of a message in its queue: time to live, maximum length in all overflow modes, dead letters and
// their x-death, delivery limits; and priorities, which decide whose life ends first.
import { type Scene, scenario } from '../scene.ts';
import type { Table } from '../wire.ts';

/** A queue with these arguments whose dead letters go to another queue. */
async function withDead(scene: Scene, args: Table, key?: string) {
  const channel = await scene.channel();
  const [queue, dead, exchange] = [scene.name('q'), scene.name('dead'), scene.name('dlx')];
  await channel.exchange(exchange, 'topic');
  await channel.queue(dead);
  await channel.bind(dead, exchange, '#');
  await channel.queue(
    queue,
    {},
    {
      'x-dead-letter-exchange': exchange,
      ...(key === undefined ? {} : { 'x-dead-letter-routing-key': key }),
      ...args,
    },
  );
  return { channel, queue, dead, exchange };
}

const overflow = (name: string, args: Table, bodies: readonly string[]) =>
  scenario(`length: ${name}`, async (scene) => {
    const { channel, queue, dead } = await withDead(scene, args);
    await channel.confirm();
    for (const body of bodies) {
      channel.fill(queue, body);
      await channel.confirms();
    }
    await channel.quiet();
    await channel.drain(queue);
    await channel.drain(dead);
  });

const quorum = { 'x-queue-type': 'quorum' };

export const expiry = [
  scenario('ttl: of the queue', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue, {}, { 'x-message-ttl': 300 });
    channel.fill(queue, 'a', 'b');
    await scene.count(queue, 2);
    await scene.count(queue, 0);
    await channel.get(queue);
  }),
  scenario('ttl: dead letters come by themselves', async (scene) => {
    const { channel, queue, dead } = await withDead(scene, { 'x-message-ttl': 200 });
    channel.fill(queue, 'a', 'b', 'c');
    await scene.count(dead, 3);
    await scene.count(queue, 0);
    await channel.drain(dead);
  }),
  scenario('ttl: of messages, the shorter counts', async (scene) => {
    const { channel, queue, dead } = await withDead(scene, { 'x-message-ttl': 1_500 });
    channel.publish('', queue, 'shorter', { expiration: '100' });
    channel.publish('', queue, 'longer', { expiration: '60000' });
    await scene.count(dead, 1);
    await scene.count(queue, 1);
    await scene.count(dead, 2);
    await channel.drain(dead);
  }),
  scenario('ttl: only the head expires', async (scene) => {
    const { channel, queue, dead } = await withDead(scene, {});
    channel.publish('', queue, 'stays', { expiration: '60000' });
    channel.publish('', queue, 'is behind', { expiration: '100' });
    channel.fill(queue, 'without');
    await scene.sleep(500);
    await channel.passive(queue);
    await channel.passive(dead);
    await channel.get(queue);
    await scene.count(dead, 1);
    await channel.drain(queue);
    await channel.drain(dead);
  }),
  scenario('ttl: 0 is for those who wait', async (scene) => {
    const link = await scene.link();
    const queue = scene.name('q');
    const channel = await link.channel();
    await channel.queue(queue, {}, { 'x-message-ttl': 0 });
    channel.fill(queue, 'nobody waits');
    await channel.get(queue);
    const reader = await link.channel();
    await reader.consume(queue, 'c');
    channel.fill(queue, 'somebody waits');
    await reader.take(1);
    channel.publish('', queue, 'also by itself', { expiration: '0' });
    await reader.take(1);
  }),
  scenario('ttl: goes on while a message is out and counts when it is back', async (scene) => {
    const { channel, queue, dead } = await withDead(scene, { 'x-message-ttl': 300 });
    channel.fill(queue, 'a');
    await channel.get(queue, false);
    await scene.sleep(600);
    await channel.passive(dead);
    channel.nack(1, true);
    await scene.count(dead, 1);
    await channel.drain(dead);
  }),
  scenario('ttl: what is out can be acknowledged late', async (scene) => {
    const { channel, queue, dead } = await withDead(scene, { 'x-message-ttl': 200 });
    channel.fill(queue, 'a');
    await channel.get(queue, false);
    await scene.sleep(400);
    channel.ack(1);
    await channel.passive(dead);
    await channel.passive(queue);
  }),
  scenario('ttl: of a quorum queue', async (scene) => {
    const { channel, queue, dead } = await withDead(scene, { ...quorum, 'x-message-ttl': 300 });
    channel.fill(queue, 'a');
    channel.publish('', queue, 'b', { expiration: '50', deliveryMode: 2 });
    await scene.count(dead, 2);
    await channel.drain(dead);
  }),

  overflow('the head is dropped', { 'x-max-length': 2 }, ['a', 'b', 'c', 'd']),
  overflow('nothing fits', { 'x-max-length': 0 }, ['a', 'b']),
  overflow('by bytes', { 'x-max-length-bytes': 10 }, ['aaaa', 'bbbb', 'cccc', 'dddddddddddddd', 'e']),
  overflow('by both', { 'x-max-length': 3, 'x-max-length-bytes': 8 }, ['aaaa', 'bbbb', 'c', 'd', 'e', 'f']),
  overflow('publishers are refused', { 'x-max-length': 2, 'x-overflow': 'reject-publish' }, ['a', 'b', 'c', 'd']),
  overflow('publishers are refused by bytes', { 'x-max-length-bytes': 8, 'x-overflow': 'reject-publish' }, [
    'aaaa',
    'bbbb',
    'cccc',
  ]),
  overflow('publishers are refused, dead letters', { 'x-max-length': 2, 'x-overflow': 'reject-publish-dlx' }, [
    'a',
    'b',
    'c',
    'd',
  ]),
  overflow('quorum: the head is dropped', { ...quorum, 'x-max-length': 2 }, ['a', 'b', 'c', 'd']),
  scenario('length: what is out does not count', async (scene) => {
    const { channel, queue, dead } = await withDead(scene, { 'x-max-length': 2 });
    channel.fill(queue, 'a', 'b');
    await channel.get(queue, false);
    await channel.get(queue, false);
    channel.fill(queue, 'c', 'd');
    await channel.passive(dead);
    channel.nack(0, true, true);
    await scene.count(queue, 2);
    await channel.drain(queue);
    await channel.drain(dead);
  }),
  scenario('length: a refused publish without confirms', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue, {}, { 'x-max-length': 1, 'x-overflow': 'reject-publish' });
    channel.fill(queue, 'a', 'b');
    channel.publish('', queue, 'c', {}, { mandatory: true });
    await channel.quiet();
    await channel.drain(queue);
  }),
  scenario('length: refused by one of two queues', async (scene) => {
    const channel = await scene.channel();
    const [full, free, exchange] = [scene.name('full'), scene.name('free'), scene.name('x')];
    await channel.queue(full, {}, { 'x-max-length': 1, 'x-overflow': 'reject-publish' });
    await channel.queue(free);
    await channel.exchange(exchange, 'fanout');
    for (const queue of [full, free]) await channel.bind(queue, exchange);
    await channel.confirm();
    for (const body of ['a', 'b', 'c']) {
      channel.publish(exchange, '', body);
      await channel.confirms();
    }
    await channel.drain(full);
    await channel.drain(free);
  }),
  scenario('length: a full queue takes again when there is room', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue, {}, { 'x-max-length': 1, 'x-overflow': 'reject-publish' });
    await channel.confirm();
    channel.fill(queue, 'a');
    await channel.confirms();
    channel.fill(queue, 'b');
    await channel.confirms();
    await channel.get(queue);
    channel.fill(queue, 'c');
    await channel.confirms();
    await channel.drain(queue);
  }),
  scenario('length: a waiting consumer takes more than fits', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue, {}, { 'x-max-length': 1 });
    await channel.consume(queue, 'c', { noAck: true });
    channel.fill(queue, 'a', 'b', 'c');
    await channel.take(3);
  }),

  scenario('dead letter: rejected, with all headers and properties', async (scene) => {
    const { channel, queue, dead } = await withDead(scene, {});
    channel.publish('', queue, 'm', {
      headers: { mine: 'kept', n: 5 },
      deliveryMode: 2,
      messageId: 'id',
      expiration: '60000',
      priority: 3,
      contentType: 'text/plain',
    });
    await channel.get(queue, false);
    channel.reject(1, false);
    await scene.count(dead, 1);
    await channel.get(dead);
  }),
  scenario('dead letter: nacked, many at once', async (scene) => {
    const { channel, queue, dead } = await withDead(scene, {});
    channel.fill(queue, 'a', 'b', 'c');
    for (let i = 0; i < 3; i++) await channel.get(queue, false);
    channel.nack(2, false, true);
    channel.nack(3, false);
    await scene.count(dead, 3);
    await channel.drain(dead);
  }),
  scenario('dead letter: by another key', async (scene) => {
    const { channel, queue, dead } = await withDead(scene, {}, 'dead.key');
    channel.publish('amq.direct', 'unused', 'lost');
    await channel.bind(queue, 'amq.direct', queue);
    channel.publish('amq.direct', queue, 'm', { headers: { CC: ['one'], BCC: ['two'] } });
    await channel.get(queue, false);
    channel.reject(1, false);
    await scene.count(dead, 1);
    await channel.get(dead);
  }),
  scenario('dead letter: CC stays where the key stays', async (scene) => {
    const { channel, queue, dead } = await withDead(scene, {});
    const cc = scene.name('cc');
    await channel.queue(cc);
    channel.publish('', queue, 'm', { headers: { CC: [cc], BCC: [scene.name('bcc')] } });
    await channel.get(queue, false);
    channel.reject(1, false);
    await scene.count(dead, 1);
    await channel.get(dead);
    await channel.drain(cc);
  }),
  scenario('dead letter: without an exchange they are gone', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    channel.fill(queue, 'a');
    await channel.get(queue, false);
    channel.reject(1, false);
    await channel.passive(queue);
  }),
  scenario('dead letter: to an exchange that is not there', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue, {}, { 'x-dead-letter-exchange': scene.name('nope') });
    channel.fill(queue, 'a');
    await channel.get(queue, false);
    channel.reject(1, false);
    await channel.passive(queue);
  }),
  scenario('dead letter: through the default exchange', async (scene) => {
    const channel = await scene.channel();
    const [queue, dead] = [scene.name('q'), scene.name('dead')];
    await channel.queue(dead);
    await channel.queue(queue, {}, { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead });
    channel.fill(queue, 'a');
    await channel.get(queue, false);
    channel.reject(1, false);
    await scene.count(dead, 1);
    await channel.get(dead);
  }),
  scenario('dead letter: over three queues', async (scene) => {
    const channel = await scene.channel();
    const names = ['one', 'two', 'three'].map((one) => scene.name(one)) as [string, string, string];
    const [one, two, three] = names;
    await channel.queue(three);
    await channel.queue(
      two,
      {},
      { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': three, 'x-message-ttl': 150 },
    );
    await channel.queue(one, {}, { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': two });
    channel.publish('', one, 'm', { expiration: '10000', headers: { h: 1 } });
    await channel.get(one, false);
    channel.reject(1, false);
    await scene.count(three, 1);
    await channel.get(three);
  }),
  scenario('dead letter: retried through a waiting queue, counts grow', async (scene) => {
    const channel = await scene.channel();
    const [work, wait] = [scene.name('work'), scene.name('wait')];
    await channel.queue(work, {}, { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': wait });
    await channel.queue(
      wait,
      {},
      { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': work, 'x-message-ttl': 100 },
    );
    channel.fill(work, 'm');
    for (let i = 1; i <= 3; i++) {
      await scene.count(work, 1);
      await channel.get(work, false);
      channel.reject(i, false);
    }
    await scene.count(work, 1);
    await channel.get(work);
  }),
  scenario('dead letter: a cycle without a rejection ends', async (scene) => {
    const channel = await scene.channel();
    const [a, b] = [scene.name('a'), scene.name('b')];
    await channel.queue(a, {}, { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': b, 'x-message-ttl': 100 });
    await channel.queue(b, {}, { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': a, 'x-message-ttl': 100 });
    channel.fill(a, 'm');
    await scene.sleep(800);
    await channel.passive(a);
    await channel.passive(b);
  }),
  scenario('dead letter: into the queue it came from', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue, {}, { 'x-dead-letter-exchange': '', 'x-message-ttl': 150 });
    channel.fill(queue, 'expires into itself');
    await scene.sleep(600);
    await channel.passive(queue);
    const other = scene.name('r');
    await channel.queue(other, {}, { 'x-dead-letter-exchange': '' });
    channel.fill(other, 'rejected into itself');
    for (let i = 1; i <= 2; i++) {
      await scene.count(other, 1);
      await channel.get(other, false);
      channel.reject(i, false);
    }
    await scene.count(other, 1);
    await channel.get(other);
  }),
  scenario('dead letter: a forged x-death', async (scene) => {
    const { channel, queue, dead } = await withDead(scene, {});
    channel.publish('', queue, 'm', { headers: { 'x-death': 'not an array' } });
    channel.publish('', queue, 'n', { headers: { 'x-death': [{ count: 7, queue: 'elsewhere', reason: 'rejected' }] } });
    for (let i = 1; i <= 2; i++) {
      await channel.get(queue, false);
      channel.reject(i, false);
      await scene.count(dead, i);
    }
    await channel.drain(dead);
  }),
  scenario('dead letter: nobody takes it from the exchange', async (scene) => {
    const channel = await scene.channel();
    const [queue, exchange] = [scene.name('q'), scene.name('x')];
    await channel.exchange(exchange, 'fanout');
    await channel.queue(queue, {}, { 'x-dead-letter-exchange': exchange });
    channel.fill(queue, 'm');
    await channel.get(queue, false);
    channel.reject(1, false);
    await channel.passive(queue);
  }),
  scenario('dead letter: a purged or deleted queue has none', async (scene) => {
    const { channel, queue, dead } = await withDead(scene, {});
    channel.fill(queue, 'a', 'b');
    await channel.call('queue.purge', { queue });
    channel.fill(queue, 'c');
    await channel.call('queue.delete', { queue });
    await channel.quiet();
    await channel.passive(dead);
  }),
  scenario('dead letter: priority and length together', async (scene) => {
    const { channel, queue, dead } = await withDead(scene, { 'x-max-length': 1, 'x-max-priority': 5 });
    await channel.confirm();
    for (const [body, priority] of [
      ['low', 1],
      ['high', 5],
      ['middle', 3],
    ] as const) {
      channel.publish('', queue, body, { priority });
      await channel.confirms();
    }
    await channel.quiet();
    await channel.drain(queue);
    await channel.drain(dead);
  }),

  scenario('priority: the higher first, in order within one', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue, {}, { 'x-max-priority': 5 });
    const sent = [
      ['none', undefined],
      ['two', 2],
      ['five', 5],
      ['nine', 9],
      ['zero', 0],
      ['two again', 2],
      ['one', 1],
    ] as const;
    for (const [body, priority] of sent) channel.publish('', queue, body, { priority });
    await scene.count(queue, 7);
    await channel.drain(queue);
  }),
  scenario('priority: back to its place', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue, {}, { 'x-max-priority': 3 });
    for (const [body, priority] of [
      ['a1', 1],
      ['b3', 3],
      ['c1', 1],
      ['d3', 3],
    ] as const)
      channel.publish('', queue, body, { priority });
    await scene.count(queue, 4);
    for (let i = 0; i < 3; i++) await channel.get(queue, false);
    channel.nack(0, true, true);
    await channel.drain(queue);
  }),
  scenario('priority: without priorities there is one order', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue);
    for (const [body, priority] of [
      ['a', 1],
      ['b', 9],
      ['c', 0],
    ] as const)
      channel.publish('', queue, body, { priority });
    await channel.drain(queue);
  }),
  scenario('priority: purge and counts', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue, {}, { 'x-max-priority': 3 });
    for (const priority of [0, 1, 2, 3]) channel.publish('', queue, 'm', { priority });
    await scene.count(queue, 4);
    await channel.get(queue, false);
    await channel.call('queue.purge', { queue });
    channel.nack(1, true);
    await channel.drain(queue);
  }),
  scenario('priority: the time to live of each level', async (scene) => {
    const { channel, queue, dead } = await withDead(scene, { 'x-max-priority': 3 });
    channel.publish('', queue, 'high stays', { priority: 3 });
    channel.publish('', queue, 'low expires', { priority: 1, expiration: '100' });
    await scene.count(dead, 1);
    await channel.drain(queue);
    await channel.drain(dead);
  }),

  scenario('quorum: a delivery limit', async (scene) => {
    const { channel, queue, dead } = await withDead(scene, { ...quorum, 'x-delivery-limit': 2 });
    channel.fill(queue, 'm');
    for (let i = 1; i <= 3; i++) {
      await scene.count(queue, 1);
      await channel.get(queue, false);
      channel.nack(i, true);
    }
    await scene.count(dead, 1);
    await channel.drain(dead);
    await channel.passive(queue);
  }),
  scenario('quorum: a delivery limit, given back by closing the channel', async (scene) => {
    const { channel, queue, dead } = await withDead(scene, { ...quorum, 'x-delivery-limit': 1 });
    channel.fill(queue, 'm');
    for (let i = 1; i <= 2; i++) {
      await scene.count(queue, 1);
      const other = await channel.link.channel();
      await other.get(queue, false);
      await other.close();
    }
    await scene.count(dead, 1);
    await channel.drain(dead);
  }),
  scenario('quorum: the count of deliveries', async (scene) => {
    const channel = await scene.channel();
    const queue = scene.name('q');
    await channel.queue(queue, {}, quorum);
    channel.publish('', queue, 'm', { deliveryMode: 2, headers: { h: 1 } });
    for (let i = 1; i <= 3; i++) {
      await scene.count(queue, 1);
      await channel.get(queue, false);
      channel.reject(i, true);
    }
    channel.publish('', queue, 'no headers', { deliveryMode: 2 });
    await channel.quiet();
    await channel.drain(queue);
  }),
  scenario('quorum: rejected into dead letters', async (scene) => {
    const { channel, queue, dead } = await withDead(scene, { ...quorum });
    channel.fill(queue, 'm');
    await scene.count(queue, 1);
    await channel.get(queue, false);
    channel.reject(1, false);
    await scene.count(dead, 1);
    await channel.drain(dead);
  }),
  scenario('quorum: dead letters at least once', async (scene) => {
    const { channel, queue, dead } = await withDead(scene, {
      ...quorum,
      'x-dead-letter-strategy': 'at-least-once',
      'x-overflow': 'reject-publish',
      'x-message-ttl': 150,
    });
    channel.fill(queue, 'm');
    await scene.count(dead, 1);
    await channel.drain(dead);
    await scene.count(queue, 0);
  }),
  scenario('quorum: publish, confirm, consume, acknowledge', async (scene) => {
    const link = await scene.link();
    const queue = scene.name('q');
    const channel = await link.channel();
    await channel.queue(queue, {}, quorum);
    await channel.confirm();
    channel.fill(queue, 'a', 'b', 'c');
    await channel.confirms();
    const reader = await link.channel();
    await reader.qos(10);
    await reader.consume(queue, 'c');
    await reader.take(3);
    reader.ack(3, true);
    await reader.cancel('c');
    await scene.count(queue, 0);
    await channel.call('queue.purge', { queue });
    await channel.call('queue.delete', { queue });
  }),
];
