import { describe, expect, test } from 'vitest';
import { harness } from './testing/harness.ts';
import type { RawClient } from './testing/raw-client.ts';
import { turns } from './testing/test-clock.ts';

const toQueue = (client: RawClient, queue: string, ...bodies: string[]): void => {
  for (const body of bodies) client.publish(1, { exchange: '', routingKey: queue }, {}, Buffer.from(body));
};

describe('the life of queues and exchanges', () => {
  test('an exclusive queue is its connection only, and goes with it', async () => {
    const { client: connect } = await harness();
    const owner = await connect();
    const other = await connect();
    await owner.declare(1, 'mine', { exclusive: true });
    other.send(1, 'queue.declare', { queue: 'mine', passive: true, arguments: {} });
    const close = await other.expect(1, 'channel.close');
    expect([close['replyCode'], String(close['replyText']).slice(0, 70)]).toEqual([
      405,
      "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'mine' in vhost '/'".slice(0, 70),
    ]);
    other.send(1, 'channel.close-ok');
    owner.send(0, 'connection.close', { replyCode: 200, replyText: '', classId: 0, methodId: 0 });
    await owner.expect(0, 'connection.close-ok');
    await other.open(1);
    other.send(1, 'queue.declare', { queue: 'mine', passive: true, arguments: {} });
    expect((await other.expect(1, 'channel.close'))['replyCode']).toBe(404);
  });

  test('an exclusive queue is its connection only from its first moment on', async () => {
    const { client: connect, broker } = await harness();
    const [client, other] = [await connect(), await connect()];
    await other.open(2);
    const committed = Promise.withResolvers<void>();
    const createTopic = broker.createTopic.bind(broker);
    broker.createTopic = async (...args) => {
      const topic = await createTopic(...args);
      await committed.promise;
      return topic;
    };
    client.send(1, 'queue.declare', { queue: 'mine', exclusive: true, arguments: {} });
    await turns(5);
    other.send(1, 'queue.declare', { queue: 'mine', passive: true, arguments: {} });
    expect((await other.expect(1, 'channel.close'))['replyCode']).toBe(405);
    other.send(2, 'queue.declare', { queue: 'mine', exclusive: true, arguments: {} });
    expect((await other.expect(2, 'channel.close'))['replyCode']).toBe(405);
    committed.resolve();
    await client.expect(1, 'queue.declare-ok');
    await other.open(3);
    other.send(3, 'queue.declare', { queue: 'mine', passive: true, arguments: {} });
    expect((await other.expect(3, 'channel.close'))['replyCode']).toBe(405);
  });

  test('an auto-delete queue goes with its last consumer', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.declare(1, 'tmp', { autoDelete: true });
    const tag = await client.consume(1, 'tmp');
    client.send(1, 'basic.cancel', { consumerTag: tag });
    await client.expect(1, 'basic.cancel-ok');
    client.send(1, 'queue.declare', { queue: 'tmp', passive: true, arguments: {} });
    expect((await client.expect(1, 'channel.close'))['replyCode']).toBe(404);
  });

  test('a deleted queue cancels its consumers, who hear of it if they want to', async () => {
    const { client: connect } = await harness();
    const client = await connect({ capabilities: { consumer_cancel_notify: true } });
    await client.declare(1, 'q');
    const tag = await client.consume(1, 'q');
    client.send(1, 'queue.delete', { queue: 'q' });
    expect(await client.expect(1, 'basic.cancel')).toEqual({ consumerTag: tag, nowait: true });
    expect(await client.expect(1, 'queue.delete-ok')).toEqual({ messageCount: 0 });
  });

  test('unbinding is what binding was: the last queue by empty names, and nobody else of an exclusive one', async () => {
    const { client: connect, broker, internal } = await harness();
    const [client, other] = [await connect(), await connect()];
    await client.exchange(1, 'x', 'direct');
    await client.declare(1, 'mine', { exclusive: true });
    await client.bind(1, '', 'x', '');
    const bound = () => broker.bindings(internal, 'default').map(({ routingKey }) => routingKey);
    expect(bound()).toEqual(['mine']);
    // As RabbitMQ, only where there is something to unbind.
    other.send(1, 'queue.unbind', { queue: 'mine', exchange: 'x', routingKey: 'another', arguments: {} });
    await other.expect(1, 'queue.unbind-ok');
    other.send(1, 'queue.unbind', { queue: 'mine', exchange: 'x', routingKey: 'mine', arguments: {} });
    expect((await other.expect(1, 'channel.close'))['replyCode']).toBe(405);
    client.send(1, 'queue.unbind', { queue: '', exchange: 'x', routingKey: '', arguments: {} });
    await client.expect(1, 'queue.unbind-ok');
    expect(bound()).toEqual([]);
  });

  test('a server-named queue gets a name nobody else has', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    const first = String((await client.declare(1, '', { durable: false, exclusive: true }))['queue']);
    const second = String((await client.declare(1, '', { durable: false, exclusive: true }))['queue']);
    expect(first).toMatch(/^amq\.gen-[\w-]{22}$/);
    expect(second).not.toBe(first);
    toQueue(client, second, 'x');
    await client.consume(1, '');
    await client.delivery(1, 'x');
  });

  test('exchanges route by their type, and an alternate takes what they do not', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    for (const queue of ['direct', 'fanout', 'topic', 'headers', 'lost']) await client.declare(1, queue);
    const bind = async (queue: string, exchange: string, routingKey: string, args: object = {}): Promise<void> => {
      client.send(1, 'queue.bind', { queue, exchange, routingKey, arguments: args });
      await client.expect(1, 'queue.bind-ok');
    };
    client.send(1, 'exchange.declare', {
      exchange: 'ex',
      type: 'direct',
      durable: true,
      arguments: { 'alternate-exchange': 'amq.fanout' },
    });
    await client.expect(1, 'exchange.declare-ok');
    await bind('direct', 'ex', 'red');
    await bind('lost', 'amq.fanout', '');
    await bind('topic', 'amq.topic', 'a.*.c.#');
    await bind('headers', 'amq.headers', '', { 'x-match': 'all', n: 1, s: 'x' });
    const publish = (exchange: string, routingKey: string, body: string, properties: object = {}): void =>
      client.publish(1, { exchange, routingKey, mandatory: true }, properties, Buffer.from(body));
    publish('ex', 'red', '1');
    publish('ex', 'blue', '2');
    publish('amq.topic', 'a.b.c.d.e', '3');
    publish('amq.headers', '', '4', { headers: { n: 1, s: 'x', more: true } });
    for (const [queue, body, exchange] of [
      ['direct', '1', 'ex'],
      ['lost', '2', 'ex'],
      ['topic', '3', 'amq.topic'],
      ['headers', '4', 'amq.headers'],
    ]) {
      client.send(1, 'basic.get', { queue, noAck: true });
      expect(await client.expect(1, 'basic.get-ok')).toMatchObject({ exchange, messageCount: 0 });
      expect((await client.content(1)).body.toString()).toBe(body);
    }
    publish('amq.direct', 'x', 'unbound');
    expect(await client.expect(1, 'basic.return')).toMatchObject({ exchange: 'amq.direct' });
    await client.content(1);
  });

  test('an auto-delete exchange goes with its last binding', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.declare(1, 'q');
    client.send(1, 'exchange.declare', { exchange: 'ex', type: 'fanout', autoDelete: true, arguments: {} });
    await client.expect(1, 'exchange.declare-ok');
    client.send(1, 'queue.bind', { queue: 'q', exchange: 'ex', routingKey: '', arguments: {} });
    await client.expect(1, 'queue.bind-ok');
    client.send(1, 'queue.unbind', { queue: 'q', exchange: 'ex', routingKey: '', arguments: {} });
    await client.expect(1, 'queue.unbind-ok');
    client.send(1, 'exchange.declare', { exchange: 'ex', passive: true, arguments: {} });
    expect((await client.expect(1, 'channel.close'))['replyText']).toBe("NOT_FOUND - no exchange 'ex' in vhost '/'");
  });

  // Texts of RabbitMQ 3.10.8; streams are ours.
  test.each([
    [{ 'x-expires': 0 }, "invalid arg 'x-expires' for queue 'q' in vhost '/': {value_zero,0}"],
    [{ 'x-max-length': -1 }, "invalid arg 'x-max-length' for queue 'q' in vhost '/': {value_negative,-1}"],
    [{ 'x-max-priority': 256 }, "invalid arg 'x-max-priority' for queue 'q' in vhost '/': {max_value_exceeded,256}"],
    [{ 'x-overflow': 'spill' }, "invalid arg 'x-overflow' for queue 'q' in vhost '/': invalid_overflow"],
    [
      { 'x-queue-type': 'stream' },
      "invalid arg 'x-queue-type' for queue 'q' in vhost '/': streams are not served: declare and read a log topic instead",
    ],
    [
      { 'x-single-active-consumer': 'yes' },
      "invalid arg 'x-single-active-consumer' for queue 'q' in vhost '/': {unacceptable_type,longstr}",
    ],
  ])('arguments %o are refused', async (args, text) => {
    const { client: connect } = await harness();
    const client = await connect();
    client.send(1, 'queue.declare', { queue: 'q', durable: true, arguments: args });
    const close = await client.expect(1, 'channel.close');
    expect([close['replyCode'], close['replyText']]).toEqual([406, `PRECONDITION_FAILED - ${text}`]);
  });

  test('what is declared twice at the same time is declared once', async () => {
    const { client: connect } = await harness();
    const [a, b] = [await connect(), await connect()];
    for (const client of [a, b]) client.send(1, 'queue.declare', { queue: 'q', durable: true, arguments: {} });
    await a.expect(1, 'queue.declare-ok');
    await b.expect(1, 'queue.declare-ok');
  });

  test('pipelined methods are answered in order', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    client.send(1, 'queue.declare', { queue: 'q', durable: true, arguments: {} });
    client.send(1, 'queue.bind', { queue: 'q', exchange: 'amq.fanout', routingKey: '', arguments: {} });
    client.publish(1, { exchange: 'amq.fanout', routingKey: '' }, {}, Buffer.from('x'));
    client.send(1, 'basic.consume', { queue: 'q', consumerTag: 'c', arguments: {} });
    client.send(1, 'basic.qos', { prefetchCount: 1 });
    for (const name of ['queue.declare-ok', 'queue.bind-ok', 'basic.consume-ok', 'basic.qos-ok'] as const) {
      await client.expect(1, name);
    }
    await client.delivery(1, 'x');
  });
});
