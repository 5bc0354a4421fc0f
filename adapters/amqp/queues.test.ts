/** What queues do with their arguments, as RabbitMQ 3.10.8 was seen to do it. */
import { describe, expect, test } from 'vitest';
import { harness } from './testing/harness.ts';
import { turns } from './testing/test-clock.ts';

const death = (queue: string, reason: string, exchange: string, key: string, more: object = {}): object => ({
  count: 1,
  reason,
  queue,
  time: expect.anything(),
  exchange,
  'routing-keys': [key],
  ...more,
});

describe('time to live', () => {
  test('dead letters come by themselves, with where they died, also over a restart', async () => {
    let on = await harness();
    const client = await on.client();
    await client.exchange(1, 'dlx', 'fanout');
    await client.declare(1, 'dead');
    await client.bind(1, 'dead', 'dlx', '');
    await client.declare(1, 'wait', { arguments: { 'x-message-ttl': 1000, 'x-dead-letter-exchange': 'dlx' } });
    client.toQueue(1, 'wait', 'by the queue');
    client.publish(1, { exchange: '', routingKey: 'wait' }, { expiration: '100' }, Buffer.from('by itself'));
    await turns(5);
    await on.clock.pass(900);
    expect(await client.bodies(1, 'dead')).toEqual([]);
    await on.clock.pass(200);
    const [first, second] = await client.drain(1, 'dead');
    expect(first).toEqual({
      body: 'by the queue',
      routingKey: 'wait',
      headers: {
        'x-death': [death('wait', 'expired', '', 'wait')],
        'x-first-death-exchange': '',
        'x-first-death-queue': 'wait',
        'x-first-death-reason': 'expired',
        'x-last-death-exchange': '',
        'x-last-death-queue': 'wait',
        'x-last-death-reason': 'expired',
      },
    });
    expect(second!.headers).toMatchObject({
      'x-death': [death('wait', 'expired', '', 'wait', { 'original-expiration': '100' })],
    });
    client.toQueue(1, 'wait', 'over the restart');
    await turns(5);
    client.destroy();
    await turns(5);
    await on.broker.close();
    on = await harness({ after: on });
    await on.clock.pass(1500);
    expect(await (await on.client()).bodies(1, 'dead')).toEqual(['over the restart']);
  });

  test('a cycle goes on while somebody rejects, and ends where nobody does', async () => {
    const on = await harness();
    const client = await on.client();
    await client.declare(1, 'work', {
      arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'wait' },
    });
    await client.declare(1, 'wait', {
      arguments: { 'x-message-ttl': 100, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'work' },
    });
    client.toQueue(1, 'work', 'again');
    for (let round = 1; round <= 3; round++) {
      client.send(1, 'basic.get', { queue: 'work', noAck: false });
      const { deliveryTag } = await client.expect(1, 'basic.get-ok');
      const { properties } = await client.content(1);
      const deaths = ((properties['headers'] as Record<string, unknown> | undefined)?.['x-death'] ?? []) as object[];
      expect(deaths).toMatchObject(
        round === 1
          ? []
          : [
              { queue: 'wait', reason: 'expired', count: round - 1 },
              { queue: 'work', reason: 'rejected', count: round - 1 },
            ],
      );
      client.send(1, 'basic.reject', { deliveryTag, requeue: false });
      await turns(5);
      await on.clock.pass(200);
    }
    await client.declare(1, 'round', { arguments: { 'x-message-ttl': 50, 'x-dead-letter-exchange': '' } });
    client.toQueue(1, 'round', 'lost');
    await turns(5);
    await on.clock.pass(200);
    expect(await client.bodies(1, 'round')).toEqual([]);
  });

  test('x-expires deletes what nobody uses, and asking is a use', async () => {
    const on = await harness();
    const client = await on.client({ capabilities: { consumer_cancel_notify: true } });
    await client.declare(1, 'brief', { arguments: { 'x-expires': 1000 } });
    await on.clock.pass(800);
    await client.declare(1, 'brief', { passive: true });
    await on.clock.pass(800);
    await client.declare(1, 'brief', { passive: true });
    await on.clock.pass(1200);
    client.send(1, 'queue.declare', { queue: 'brief', passive: true, arguments: {} });
    expect((await client.expect(1, 'channel.close'))['replyCode']).toBe(404);
  });
});

test('an exclusive queue that expired is no trouble when its connection ends', async () => {
  const on = await harness();
  const client = await on.client();
  await client.declare(1, '', { durable: false, exclusive: true, arguments: { 'x-expires': 500 } });
  await on.clock.pass(700);
  client.send(0, 'connection.close', { replyCode: 200, replyText: '', classId: 0, methodId: 0 });
  await client.expect(0, 'connection.close-ok');
  expect(on.warnings).toEqual([]);
});

describe('limits', () => {
  test('the head goes, and is a dead letter', async () => {
    const on = await harness();
    const client = await on.client();
    await client.declare(1, 'dead');
    const target = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' };
    await client.declare(1, 'two', { arguments: { 'x-max-length': 2, ...target } });
    await client.declare(1, 'bytes', { arguments: { 'x-max-length-bytes': 10 } });
    client.toQueue(1, 'two', 'a', 'b', 'c', 'd');
    client.toQueue(1, 'bytes', 'aaaa', 'bbbb', 'cccc');
    expect(await client.bodies(1, 'two')).toEqual(['c', 'd']);
    // A dead letter is an append of its own, and visible when it is safe.
    await turns(5);
    expect((await client.drain(1, 'dead')).map(({ body, headers }) => [body, headers])).toMatchObject([
      ['a', { 'x-death': [death('two', 'maxlen', '', 'two')] }],
      ['b', { 'x-death': [death('two', 'maxlen', '', 'two')] }],
    ]);
    expect(await client.bodies(1, 'bytes')).toEqual(['bbbb', 'cccc']);
  });

  test('publishers are refused, by one full queue of several, and hear of it once', async () => {
    const on = await harness();
    const client = await on.client();
    await client.exchange(1, 'all', 'fanout');
    await client.declare(1, 'free');
    await client.declare(1, 'full', { arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' } });
    for (const queue of ['free', 'full']) await client.bind(1, queue, 'all', '');
    await client.confirms(1);
    for (const body of ['a', 'b']) client.publish(1, { exchange: 'all', routingKey: '' }, {}, Buffer.from(body));
    const answers = [await client.frame(), await client.frame()].map((frame) => frame.payload.readUInt16BE(2));
    expect(answers.sort((x, y) => x - y)).toEqual([80, 120]);
    await client.nothing();
    client.toQueue(1, 'free', 'c');
    expect(await client.expect(1, 'basic.ack')).toEqual({ deliveryTag: 3, multiple: false });
    expect(await client.bodies(1, 'full')).toEqual(['a']);
    expect(await client.bodies(1, 'free')).toEqual(['a', 'b', 'c']);
  });

  test('reject-publish-dlx makes dead letters of what is refused', async () => {
    const on = await harness();
    const client = await on.client();
    await client.declare(1, 'dead');
    await client.declare(1, 'full', {
      arguments: {
        'x-max-length': 1,
        'x-overflow': 'reject-publish-dlx',
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': 'dead',
      },
    });
    client.toQueue(1, 'full', 'a', 'b');
    expect(await client.bodies(1, 'full')).toEqual(['a']);
    expect(await client.drain(1, 'dead')).toMatchObject([
      { body: 'b', headers: { 'x-death': [death('full', 'maxlen', '', 'full')] } },
    ]);
  });
});

test('a quorum queue counts deliveries and gives up after the limit', async () => {
  const on = await harness();
  const client = await on.client();
  await client.declare(1, 'dead');
  await client.declare(1, 'q', {
    arguments: {
      'x-queue-type': 'quorum',
      'x-delivery-limit': 2,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': 'dead',
    },
  });
  client.publish(1, { exchange: '', routingKey: 'q' }, { contentType: 'text/plain', messageId: 'm' }, Buffer.from('x'));
  for (let count = 0; count < 3; count++) {
    client.send(1, 'basic.get', { queue: 'q', noAck: false });
    const { deliveryTag, redelivered } = await client.expect(1, 'basic.get-ok');
    expect(redelivered).toBe(count > 0);
    const { properties } = await client.content(1);
    expect(properties).toMatchObject({
      contentType: 'text/plain',
      messageId: 'm',
      headers: { 'x-delivery-count': count },
    });
    client.send(1, 'basic.nack', { deliveryTag, multiple: false, requeue: true });
  }
  await turns(5);
  expect(await client.drain(1, 'dead')).toMatchObject([
    { body: 'x', headers: { 'x-death': [death('q', 'delivery_limit', '', 'q')] } },
  ]);
});

test('a queue with priorities gives the higher first, whatever is above the highest counts as that', async () => {
  const on = await harness();
  const client = await on.client();
  await client.declare(1, 'q', { arguments: { 'x-max-priority': 5 } });
  for (const [body, priority] of [
    ['low', 0],
    ['five', 5],
    ['nine', 9],
    ['three', 3],
    ['none', undefined],
  ] as const)
    client.publish(1, { exchange: '', routingKey: 'q' }, { priority }, Buffer.from(body));
  expect(await client.declare(1, 'q', { passive: true })).toMatchObject({ messageCount: 5 });
  expect(await client.bodies(1, 'q')).toEqual(['five', 'nine', 'three', 'low', 'none']);
  client.publish(1, { exchange: '', routingKey: 'q' }, { priority: 1 }, Buffer.from('a'));
  await client.consume(1, 'q');
  const tag = await client.delivery(1, 'a');
  client.send(1, 'basic.nack', { deliveryTag: tag, multiple: false, requeue: true });
  await client.delivery(1, 'a', true);
  client.publish(1, { exchange: '', routingKey: 'q' }, { priority: 2 }, Buffer.from('b'));
  await client.delivery(1, 'b');
  client.send(1, 'queue.purge', { queue: 'q' });
  expect(await client.expect(1, 'queue.purge-ok')).toEqual({ messageCount: 0 });
});

test('one consumer at a time, the next one when it ends', async () => {
  const on = await harness();
  const client = await on.client();
  await client.declare(1, 'q', { arguments: { 'x-single-active-consumer': true } });
  await client.consume(1, 'q', { consumerTag: 'first', noAck: true });
  await client.consume(1, 'q', { consumerTag: 'second', noAck: true, arguments: { 'x-priority': 10 } });
  client.toQueue(1, 'q', 'a');
  expect((await client.expect(1, 'basic.deliver'))['consumerTag']).toBe('first');
  await client.content(1);
  client.send(1, 'basic.cancel', { consumerTag: 'first' });
  await client.expect(1, 'basic.cancel-ok');
  client.toQueue(1, 'q', 'b');
  expect((await client.expect(1, 'basic.deliver'))['consumerTag']).toBe('second');
  await client.content(1);
  client.send(1, 'basic.consume', { queue: 'q', consumerTag: 'x', exclusive: true, arguments: {} });
  expect((await client.expect(1, 'channel.close'))['replyText']).toBe(
    "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use",
  );
});

test('a publisher that is faster than the disk is not read until the disk has caught up', async () => {
  const on = await harness({ limits: { unwrittenBytesMax: 10_000 } });
  const client = await on.client();
  await client.declare(1, 'q');
  await client.confirms(1);
  const published = on.broker.log.position;
  for (let n = 0; n < 40; n++) client.publish(1, { exchange: '', routingKey: 'q' }, {}, Buffer.alloc(1000, 'x'));
  let safe = 0;
  while (safe < 40) safe = Number((await client.expect(1, 'basic.ack'))['deliveryTag']);
  expect(on.broker.log.position - published).toBeGreaterThan(40_000);
  // Never more than the limit and one message were on the way, so it took several writes.
  expect(on.broker.log.writes).toBeGreaterThan(4);
});

describe('a delivery that is not answered in time', () => {
  test.each([
    ['by the queue', {}, { 'x-consumer-timeout': 1000 }],
    ['by the configuration', { consumerTimeoutMs: 1000 }, {}],
  ])('closes its channel, %s, and comes back', async (_how, limits, args) => {
    const on = await harness({ limits });
    const client = await on.client();
    await client.declare(1, 'q', { arguments: args });
    await client.consume(1, 'q');
    client.toQueue(1, 'q', 'a', 'b');
    const first = await client.delivery(1, 'a');
    await client.delivery(1, 'b');
    client.send(1, 'basic.ack', { deliveryTag: first, multiple: false });
    await on.clock.pass(900);
    await client.nothing();
    await on.clock.pass(400);
    const close = await client.expect(1, 'channel.close');
    expect([close['replyCode'], close['replyText']]).toEqual([
      406,
      'PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 1000 ms. ' +
        'This timeout value can be configured, see consumers doc guide to learn more',
    ]);
    client.send(1, 'channel.close-ok');
    await client.open(1);
    expect(await client.bodies(1, 'q')).toEqual(['b']);
  });

  test('says nothing while answers come', async () => {
    const on = await harness({ limits: { consumerTimeoutMs: 1000 } });
    const client = await on.client();
    await client.declare(1, 'q');
    await client.consume(1, 'q');
    for (let n = 0; n < 5; n++) {
      client.toQueue(1, 'q', `${n}`);
      const deliveryTag = await client.delivery(1, `${n}`);
      await on.clock.pass(700);
      client.send(1, 'basic.ack', { deliveryTag, multiple: false });
      await turns(3);
    }
    await on.clock.pass(3000);
    await client.nothing();
  });
});
