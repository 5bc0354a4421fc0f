/** What meets the store: restarts, log topics and other formats, a full disk, a lost journal. */

import { describe, expect, test } from 'vitest';
import { emptyAppend } from '../../core/delivery/append.ts';
import { BrokerError } from '../../core/errors.ts';
import { encodeRecord } from '../../core/log/record.ts';
import { BROKER } from '../../core/publish.ts';
import type { Message, Topic } from '../../core/types.ts';
import { FORMAT_CANONICAL } from '../../core/types.ts';
import type { Harness } from './testing/harness.ts';
import { harness } from './testing/harness.ts';
import { turns } from './testing/test-clock.ts';

const nobody = { name: 'anonymous', host: '' };

async function logTopic(on: Harness, name: string, queues = 1): Promise<Topic> {
  return on.broker.createTopic(nobody, { namespace: 'default', kind: 'topic', name, queues });
}

/** Publishes a canonical message, as a protocol without a codec of its own would. */
async function publish(on: Harness, topic: Topic, message: Partial<Message>, queue = 0): Promise<void> {
  const whole: Message = { body: null, key: null, tag: null, headers: [], timestampMs: 1_700_000_000_123, ...message };
  const committed = Promise.withResolvers<void>();
  const append = {
    ...emptyAppend(),
    topic,
    namespace: topic.namespace,
    exchange: null,
    queue,
    format: FORMAT_CANONICAL,
    payload: encodeRecord(whole),
    records: 1,
    key: whole.key,
  };
  on.broker.append(nobody, append, { appended: () => committed.resolve() }, 1);
  await committed.promise;
}

describe('a restart', () => {
  test('keeps durable queues, bindings and what nobody acknowledged; the rest is gone', async () => {
    const before = await harness();
    const client = await before.client();
    await client.declare(1, 'kept');
    await client.declare(1, 'transient', { durable: false });
    await client.declare(1, 'mine', { exclusive: true });
    client.send(1, 'exchange.declare', { exchange: 'ex', type: 'direct', durable: true, arguments: {} });
    await client.expect(1, 'exchange.declare-ok');
    client.send(1, 'queue.bind', { queue: 'kept', exchange: 'ex', routingKey: 'k', arguments: {} });
    await client.expect(1, 'queue.bind-ok');
    client.send(1, 'confirm.select');
    await client.expect(1, 'confirm.select-ok');
    for (const body of ['1', '2', '3']) {
      client.publish(1, { exchange: 'ex', routingKey: 'k' }, { deliveryMode: 2 }, Buffer.from(body));
      await client.expect(1, 'basic.ack');
    }
    client.send(1, 'basic.qos', { prefetchCount: 2 });
    await client.expect(1, 'basic.qos-ok');
    await client.consume(1, 'kept');
    await client.delivery(1, '1');
    await client.delivery(1, '2');
    client.send(1, 'basic.ack', { deliveryTag: 1 });
    await client.delivery(1, '3');
    before.adapter.cut();
    await turns(5);
    await before.broker.close();

    const after = await harness({ after: before });
    const again = await after.client();
    expect(await again.declare(1, 'kept')).toMatchObject({ messageCount: 2 });
    await again.consume(1, 'kept');
    await again.delivery(1, '2', true);
    await again.delivery(1, '3', true);
    again.publish(1, { exchange: 'ex', routingKey: 'k' }, {}, Buffer.from('4'));
    await again.delivery(1, '4');
    for (const queue of ['transient', 'mine']) {
      await again.open(2);
      again.send(2, 'queue.declare', { queue, passive: true, arguments: {} });
      expect((await again.expect(2, 'channel.close'))['replyCode']).toBe(404);
      again.send(2, 'channel.close-ok');
    }
  });
});

describe('a log topic', () => {
  test('is read by lease with a group, and keeps its messages', async () => {
    const on = await harness();
    const topic = await logTopic(on, 'orders');
    await publish(on, topic, {
      body: Buffer.from('one'),
      key: Buffer.from('customer-1'),
      tag: 'red',
      headers: [{ name: 'traceparent', value: Buffer.from('00-ab-cd-01') }],
    });
    const client = await on.client();
    expect(await client.declare(1, 'orders')).toMatchObject({ messageCount: 1 });
    for (const group of ['a', 'b']) {
      const tag = await client.consume(1, 'orders', { arguments: { 'x-group': group, 'x-stream-offset': 'first' } });
      const fields = await client.expect(1, 'basic.deliver');
      expect(fields).toMatchObject({ consumerTag: tag, exchange: 'orders', routingKey: 'customer-1' });
      const { body, properties } = await client.content(1);
      expect(body.toString()).toBe('one');
      expect(properties['headers']).toEqual({
        traceparent: '00-ab-cd-01',
        TAGS: 'red',
        timestamp_in_ms: 1_700_000_000_123,
        'x-stream-offset': 0,
      });
      client.send(1, 'basic.ack', { deliveryTag: Number(fields['deliveryTag']) });
    }
    await turns(5);
    for (const name of ['a', 'b']) {
      expect(on.broker.committed(on.broker.group('default', name)!, topic.queues[0]!)?.offset).toBe(1);
    }
  });

  test('without x-stream-offset a new group begins at the end', async () => {
    const on = await harness();
    const topic = await logTopic(on, 'orders');
    await publish(on, topic, { body: Buffer.from('old') });
    const client = await on.client();
    await client.consume(1, 'orders');
    await publish(on, topic, { body: Buffer.from('new') });
    await client.delivery(1, 'new');
  });

  test('is a topic exchange: what is published to it is appended, and queues bound to it receive it', async () => {
    const on = await harness();
    const topic = await logTopic(on, 'orders');
    const client = await on.client();
    client.send(1, 'exchange.declare', { exchange: 'orders', type: 'topic', durable: true, arguments: {} });
    await client.expect(1, 'exchange.declare-ok');
    await client.declare(1, 'eu');
    client.send(1, 'queue.bind', { queue: 'eu', exchange: 'orders', routingKey: 'eu.#', arguments: {} });
    await client.expect(1, 'queue.bind-ok');
    client.send(1, 'confirm.select');
    await client.expect(1, 'confirm.select-ok');
    client.publish(1, { exchange: 'orders', routingKey: 'eu.new' }, {}, Buffer.from('amqp'));
    await client.expect(1, 'basic.ack');
    await publish(on, topic, { body: Buffer.from('other'), key: Buffer.from('eu.x') });
    await publish(on, topic, { body: Buffer.from('not bound'), key: Buffer.from('us.x') });
    expect(on.broker.queue(topic.queues[0]!)?.endOffset).toBe(3);
    await client.consume(1, 'eu');
    await client.delivery(1, 'amqp');
    await client.delivery(1, 'other');
    await client.nothing();
  });

  test.each([
    ['queue.delete', { queue: 'orders' }, /is a log topic/],
    ['queue.purge', { queue: 'orders' }, /is a log topic/],
    ['queue.bind', { queue: 'orders', exchange: 'amq.fanout', routingKey: '', arguments: {} }, /is a log topic/],
    ['exchange.delete', { exchange: 'orders' }, /is a log topic/],
    [
      'exchange.declare',
      { exchange: 'orders', type: 'fanout', durable: true, arguments: {} },
      /inequivalent arg 'type'/,
    ],
    ['queue.declare', { queue: 'orders', durable: false, arguments: {} }, /inequivalent arg 'durable'/],
  ] as const)('%s of it is refused', async (method, fields, text) => {
    const on = await harness();
    await logTopic(on, 'orders');
    const client = await on.client();
    client.send(1, method, fields);
    const close = await client.expect(1, 'channel.close');
    expect(close['replyCode']).toBe(406);
    expect(close['replyText']).toMatch(text);
  });
});

describe('time to live', () => {
  test('of the queue and of the message, the shorter holds; the dead letter says so', async () => {
    const on = await harness();
    const client = await on.client();
    await client.declare(1, 'dead');
    const args = { 'x-message-ttl': 1000, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' };
    await client.declare(1, 'short', { arguments: args });
    client.publish(1, { exchange: '', routingKey: 'short' }, { expiration: '200' }, Buffer.from('first'));
    client.publish(1, { exchange: '', routingKey: 'short' }, {}, Buffer.from('second'));
    await turns(10);
    await on.clock.pass(1500);
    client.send(1, 'basic.get', { queue: 'short' });
    await client.expect(1, 'basic.get-empty');
    await client.consume(1, 'dead');
    for (const body of ['first', 'second']) {
      await client.expect(1, 'basic.deliver');
      const content = await client.content(1);
      expect(content.body.toString()).toBe(body);
      expect(content.properties['expiration']).toBeUndefined();
      expect(content.properties['headers']).toMatchObject({ 'x-death': [{ reason: 'expired', queue: 'short' }] });
    }
  });
});

describe('rights', () => {
  test("are the core's to check; temporary queues end without the right to delete", async () => {
    const on = await harness();
    const admin = { name: 'admin', host: '' };
    const rule = { allow: true, namespace: 'default', pattern: '*' } as const;
    await on.broker.putUser(admin, 'admin', 'secret');
    await on.broker.putRule(BROKER, {
      ...rule,
      id: '1',
      user: 'reader',
      resource: 'topic',
      actions: ['describe', 'create', 'consume'],
    });
    const client = await on.client({ user: 'reader' });
    await client.declare(1, 'mine', { exclusive: true });
    await client.open(2);
    client.publish(2, { exchange: '', routingKey: 'mine' }, {}, Buffer.from('x'));
    expect((await client.expect(2, 'channel.close'))['replyCode']).toBe(403);
    client.send(2, 'channel.close-ok');
    await client.open(2);
    client.send(2, 'queue.delete', { queue: 'mine' });
    expect((await client.expect(2, 'channel.close'))['replyCode']).toBe(403);
    client.send(0, 'connection.close', { replyCode: 200, replyText: '', classId: 0, methodId: 0 });
    await client.expect(0, 'connection.close-ok');
    expect(on.broker.topic('default', 'mine')).toBeNull();
    expect(on.warnings).toEqual([]);
  });
});

test.each([
  ['', 'q', 'amq.default'],
  ['', 'amq.rabbitmq.reply-to.x', 'amq.default'],
  ['amq.direct', 'k', 'amq.direct'],
  ['none', 'k', 'none'],
])(
  'who may not write to exchange %o, key %o, is told at the publish, in a transaction too',
  async (exchange, routingKey, shown) => {
    const on = await harness();
    await on.broker.putUser({ name: 'admin', host: '' }, 'admin', 'secret');
    const rule = {
      id: '1',
      allow: true,
      namespace: 'default',
      user: 'reader',
      resource: 'topic',
      pattern: '*',
    } as const;
    await on.broker.putRule(BROKER, { ...rule, actions: ['consume'] });
    const client = await on.client({ user: 'reader' });
    for (const isTx of [false, true]) {
      if (isTx) {
        client.send(1, 'tx.select');
        await client.expect(1, 'tx.select-ok');
      }
      client.publish(1, { exchange, routingKey }, {}, Buffer.from('m'));
      expect(await client.expect(1, 'channel.close')).toMatchObject({
        replyText: `ACCESS_REFUSED - access to exchange '${shown}' in vhost '/' refused for user 'reader'`,
        classId: 60,
        methodId: 40,
      });
      client.send(1, 'channel.close-ok');
      await client.open(1);
    }
  },
);

test('exchanges are bound by who may write to the one and read the other', async () => {
  const on = await harness();
  await on.broker.putUser({ name: 'admin', host: '' }, 'admin', 'secret');
  const rule = { allow: true, namespace: 'default', user: 'writer', resource: 'topic' } as const;
  await on.broker.putRule(BROKER, { ...rule, id: '1', pattern: '*', actions: ['create', 'publish', 'consume'] });
  await on.broker.putRule(BROKER, { ...rule, id: '2', allow: false, pattern: 'closed', actions: ['publish'] });
  const client = await on.client({ user: 'writer' });
  for (const name of ['from', 'to', 'closed']) await client.exchange(1, name, 'fanout');
  const binding = { source: 'from', destination: 'to', routingKey: '', arguments: {} };
  client.send(1, 'exchange.bind', binding);
  await client.expect(1, 'exchange.bind-ok');
  expect(on.broker.bindings(BROKER, 'default')).toHaveLength(1);
  client.send(1, 'exchange.unbind', binding);
  await client.expect(1, 'exchange.unbind-ok');
  expect(on.broker.bindings(BROKER, 'default')).toEqual([]);
  client.send(1, 'exchange.bind', { ...binding, destination: 'closed' });
  expect((await client.expect(1, 'channel.close'))['replyCode']).toBe(403);
});

test('an auto-delete queue ends by itself: who reads it last needs no right to delete', async () => {
  const on = await harness();
  const creator = await on.client();
  for (const queue of ['cancelled', 'closed', 'left']) await creator.declare(1, queue, { autoDelete: true });
  await on.broker.putUser({ name: 'admin', host: '' }, 'admin', 'secret');
  await on.broker.putRule(BROKER, {
    id: '1',
    allow: true,
    namespace: 'default',
    pattern: '*',
    user: 'reader',
    resource: 'topic',
    actions: ['describe', 'consume'],
  });
  const client = await on.client({ user: 'reader' });
  await client.open(2);
  await client.consume(1, 'left');
  await client.consume(2, 'closed');
  const consumerTag = await client.consume(2, 'cancelled');
  client.send(2, 'basic.cancel', { consumerTag });
  await client.expect(2, 'basic.cancel-ok');
  client.send(2, 'channel.close', { replyCode: 200, replyText: '', classId: 0, methodId: 0 });
  await client.expect(2, 'channel.close-ok');
  client.destroy();
  await turns(10);
  for (const queue of ['cancelled', 'closed', 'left']) expect(on.broker.topic('default', queue)).toBeNull();
  expect(on.warnings).toEqual([]);
});

describe('a full disk', () => {
  test('publishers are refused and told, reading and answering go on, and it lifts by itself', async () => {
    const on = await harness();
    const client = await on.client({ capabilities: { 'connection.blocked': true } });
    await client.declare(1, 'q');
    client.send(1, 'confirm.select');
    await client.expect(1, 'confirm.select-ok');
    client.publish(1, { exchange: '', routingKey: 'q' }, {}, Buffer.from('before'));
    await client.expect(1, 'basic.ack');
    Object.defineProperty(on.broker, 'storageFull', { get: () => full, configurable: true });
    const append = on.broker.append.bind(on.broker);
    let full = true;
    on.broker.append = (...args) => {
      if (full) throw new BrokerError('storage-full', 'storage is full');
      return append(...args);
    };
    client.publish(1, { exchange: '', routingKey: 'q' }, {}, Buffer.from('refused'));
    expect(await client.expect(0, 'connection.blocked')).toEqual({ reason: 'storage is full' });
    expect(await client.expect(1, 'basic.nack')).toMatchObject({ deliveryTag: 2, multiple: false });
    await client.consume(1, 'q');
    client.send(1, 'basic.ack', { deliveryTag: await client.delivery(1, 'before') });
    full = false;
    await on.clock.pass(1100);
    await client.expect(0, 'connection.unblocked');
    client.publish(1, { exchange: '', routingKey: 'q' }, {}, Buffer.from('after'));
    await client.delivery(1, 'after');
    expect(await client.expect(1, 'basic.ack')).toEqual({ deliveryTag: 3, multiple: false });
  });
});

test('closing is answered when what belongs to the client cannot be deleted', async () => {
  const on = await harness();
  const client = await on.client();
  await client.declare(1, 'mine', { exclusive: true });
  await client.declare(1, 'unused', { autoDelete: true });
  await client.consume(1, 'unused');
  on.broker.deleteTopic = async () => {
    throw new BrokerError('storage-full', 'the disk is full');
  };
  await client.declare(1, 'cancelled', { autoDelete: true });
  client.send(1, 'basic.cancel', { consumerTag: await client.consume(1, 'cancelled') });
  await client.expect(1, 'basic.cancel-ok');
  client.send(1, 'channel.close', { replyCode: 200, replyText: '', classId: 0, methodId: 0 });
  await client.expect(1, 'channel.close-ok');
  client.send(0, 'connection.close', { replyCode: 200, replyText: '', classId: 0, methodId: 0 });
  await client.expect(0, 'connection.close-ok');
  await client.closed();
  expect(on.warnings).toContain('a queue of an ended reader stays');
});

describe('a topic that gains queues', () => {
  test('is read in all of them, by who is there and by who comes back', async () => {
    const on = await harness();
    const topic = await logTopic(on, 'orders');
    const client = await on.client();
    const there = await client.consume(1, 'orders', { arguments: { 'x-group': 'there' } });
    const away = await client.consume(1, 'orders', { arguments: { 'x-group': 'away' } });
    client.send(1, 'basic.cancel', { consumerTag: away });
    await client.expect(1, 'basic.cancel-ok');
    const grown = await on.broker.alterTopic(on.internal, topic, { queues: 2 });
    await publish(on, grown, { body: Buffer.from('new queue'), key: null }, 1);
    expect((await client.expect(1, 'basic.deliver'))['consumerTag']).toBe(there);
    expect((await client.content(1)).body.toString()).toBe('new queue');
    await client.consume(1, 'orders', { arguments: { 'x-group': 'away' } });
    await client.delivery(1, 'new queue');
  });
});

describe('what a group could not handle', () => {
  test('is read by its name', async () => {
    const on = await harness();
    const topic = await on.broker.createTopic(on.internal, {
      namespace: 'default',
      kind: 'dead-letter',
      name: 'billing',
      queues: 1,
    });
    await publish(on, topic, { body: Buffer.from('dead'), key: Buffer.from('k') });
    const client = await on.client();
    expect(await client.declare(1, '%DLQ%billing')).toMatchObject({ messageCount: 1 });
    await client.consume(1, '%DLQ%billing', { arguments: { 'x-stream-offset': 'first' } });
    await client.delivery(1, 'dead');
    client.send(1, 'queue.declare', { queue: '%DLQ%nobody', passive: true, arguments: {} });
    expect((await client.expect(1, 'channel.close'))['replyCode']).toBe(404);
  });
});

test('a publish to a hundred queues stores its body once', async () => {
  const on = await harness();
  const client = await on.client();
  for (let n = 0; n < 100; n++) {
    await client.declare(1, `q${n}`);
    await client.bind(1, `q${n}`, 'amq.fanout', '');
  }
  await client.confirms(1);
  const to = { exchange: 'amq.fanout', routingKey: '' };
  client.publish(1, to, {}, Buffer.alloc(10));
  await client.expect(1, 'basic.ack');
  const before = on.broker.log.position;
  client.publish(1, to, {}, Buffer.alloc(50_000, 'x'));
  await client.expect(1, 'basic.ack');
  // Six octets for each queue of a set that was named before.
  expect(on.broker.log.position - before).toBeLessThan(51_500);
  for (const n of [0, 99]) expect((await client.bodies(1, `q${n}`)).map((body) => body.length)).toEqual([10, 50_000]);
});
