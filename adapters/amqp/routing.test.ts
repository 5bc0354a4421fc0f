/** RabbitMQ's ways of routing: its plugins' exchanges, further routing keys, alternates, direct replies. */
import { describe, expect, test } from 'vitest';
import { harness } from './testing/harness.ts';
import { turns } from './testing/test-clock.ts';

describe('an exchange', () => {
  test('of headers compares numbers with numbers and octets with octets, and x- names only if it is told to', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.exchange(1, 'x', 'headers');
    const patterns: Record<string, object> = {
      number: { a: { '!': 'int64', value: 1 } },
      text: { a: '1' },
      bool: { a: true },
      all: { 'x-match': 'all', 'x-a': 1, b: 1 },
      allX: { 'x-match': 'all-with-x', 'x-a': 1, b: 1 },
      anyX: { 'x-match': 'any-with-x', 'x-a': 1, b: 1 },
    };
    for (const [queue, pattern] of Object.entries(patterns)) {
      await client.declare(1, queue);
      await client.bind(1, queue, 'x', '', pattern);
    }
    const messages = [
      { a: { '!': 'byte', value: 1 } },
      { a: { '!': 'double', value: 1 } },
      { a: '1' },
      { a: true },
      { b: 1 },
      { 'x-a': 1 },
      { 'x-a': 1, b: 1 },
    ];
    for (const [n, headers] of messages.entries())
      client.publish(1, { exchange: 'x', routingKey: '' }, { headers }, Buffer.from(`${n}`));
    const found: Record<string, string[]> = {};
    for (const queue of Object.keys(patterns)) found[queue] = await client.bodies(1, queue);
    expect(found).toEqual({
      number: ['0', '1'],
      text: ['2'],
      bool: ['3'],
      all: ['4', '6'],
      allX: ['6'],
      anyX: ['4', '5', '6'],
    });
  });

  test.each([
    ['x-key', 'a'],
    ['TAGS', 'a'],
    ['timestamp_in_ms', { '!': 'int64', value: 1001 }],
    ['amqp.messageId', 'a'],
    ['x-tombstone', true],
  ])('of headers sees the header %s, whatever else it says here', async (name, value) => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.declare(1, 'q');
    await client.exchange(1, 'x', 'headers');
    await client.bind(1, 'q', 'x', '', { 'x-match': 'all-with-x', [name]: value });
    await client.exchange(1, 'h', 'x-consistent-hash', { arguments: { 'hash-header': name } });
    for (const queue of ['h0', 'h1', 'h2', 'h3']) {
      await client.declare(1, queue);
      await client.bind(1, queue, 'h', '1');
    }
    client.publish(1, { exchange: 'x', routingKey: '' }, { headers: { [name]: value }, timestamp: 1 }, Buffer.alloc(0));
    expect(await client.bodies(1, 'q')).toEqual(['']);
    if (typeof value !== 'string') return;
    for (let n = 0; n < 60; n++)
      client.publish(1, { exchange: 'h', routingKey: 'k' }, { headers: { [name]: `${n}` } }, Buffer.from('m'));
    for (const queue of ['h0', 'h1', 'h2', 'h3']) expect(await client.bodies(1, queue)).not.toEqual([]);
  });

  test('holds messages back as long as their header says, also over a restart, and shows that it did', async () => {
    let on = await harness();
    const client = await on.client();
    await client.exchange(1, 'later', 'x-delayed-message', { arguments: { 'x-delayed-type': 'direct' } });
    await client.exchange(1, 'later', 'x-delayed-message', { arguments: { 'x-delayed-type': 'direct' } });
    await client.declare(1, 'q');
    await client.bind(1, 'q', 'later', 'k');
    await client.confirms(1);
    const to = { exchange: 'later', routingKey: 'k' };
    client.publish(1, to, { headers: { 'x-delay': 2000 }, deliveryMode: 2 }, Buffer.from('second'));
    client.publish(1, to, { headers: { 'x-delay': 500 }, deliveryMode: 2 }, Buffer.from('first'));
    client.publish(1, to, {}, Buffer.from('at once'));
    while (Number((await client.expect(1, 'basic.ack'))['deliveryTag']) < 3);
    expect(await client.bodies(1, 'q')).toEqual(['at once']);
    await on.clock.pass(700);
    expect(await client.drain(1, 'q')).toEqual([{ body: 'first', routingKey: 'k', headers: { 'x-delay': -500 } }]);
    client.destroy();
    await turns(5);
    await on.broker.close();
    on = await harness({ after: on });
    await on.clock.pass(1500);
    expect(await (await on.client()).bodies(1, 'q')).toEqual(['second']);
  });

  test('shares out by a hash of the routing key or of what it is told to hash', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.exchange(1, 'x', 'x-consistent-hash');
    await client.exchange(1, 'h', 'x-consistent-hash', { arguments: { 'hash-header': 'who' } });
    for (const queue of ['a', 'b']) {
      await client.declare(1, queue);
      await client.bind(1, queue, 'x', '1');
      await client.bind(1, queue, 'h', '1');
    }
    for (let n = 0; n < 200; n++) {
      client.publish(1, { exchange: 'x', routingKey: `k${n % 100}` }, {}, Buffer.from(`k${n % 100}`));
      const headers = { who: `w${n % 100}` };
      client.publish(1, { exchange: 'h', routingKey: `${n}` }, { headers }, Buffer.from(`w${n % 100}`));
    }
    const [a, b] = [await client.bodies(1, 'a'), await client.bodies(1, 'b')];
    expect(a.length + b.length).toBe(400);
    expect(new Set(a).size + new Set(b).size).toBe(200);
    for (const letter of ['k', 'w']) {
      const share = new Set(a.filter((body) => body.startsWith(letter))).size;
      expect(share).toBeGreaterThan(20);
      expect(share).toBeLessThan(80);
    }
    client.send(1, 'queue.bind', { queue: 'a', exchange: 'x', routingKey: 'heavy', arguments: {} });
    expect((await client.expect(1, 'channel.close'))['replyText']).toBe(
      'PRECONDITION_FAILED - The binding key must be an integer: <<"heavy">>',
    );
  });

  test('gives what it does not route to its alternate, also behind a binding between exchanges', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.exchange(1, 'rest', 'fanout');
    await client.exchange(1, 'inner', 'direct', { arguments: { 'alternate-exchange': 'rest' } });
    await client.exchange(1, 'outer', 'fanout');
    client.send(1, 'exchange.bind', { source: 'outer', destination: 'inner', routingKey: '', arguments: {} });
    await client.expect(1, 'exchange.bind-ok');
    await client.declare(1, 'q');
    await client.bind(1, 'q', 'rest', '');
    client.publish(1, { exchange: 'outer', routingKey: 'k', mandatory: true }, {}, Buffer.from('m'));
    expect(await client.bodies(1, 'q')).toEqual(['m']);
  });
});

test('CC and BCC are further routing keys, and of BCC nobody hears', async () => {
  const { client: connect } = await harness();
  const client = await connect();
  for (const queue of ['a', 'b', 'c']) await client.declare(1, queue);
  const headers = { CC: ['b', 'a'], BCC: ['c'], other: 1 };
  client.publish(1, { exchange: '', routingKey: 'a', mandatory: true }, { headers }, Buffer.from('m'));
  for (const queue of ['a', 'b', 'c'])
    expect(await client.drain(1, queue)).toEqual([
      { body: 'm', routingKey: 'a', headers: { CC: ['b', 'a'], other: 1 } },
    ]);
  client.publish(1, { exchange: '', routingKey: 'a' }, { headers: { BCC: 'c' } }, Buffer.from('m'));
  expect((await client.expect(1, 'channel.close'))['replyText']).toBe(
    'PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"BCC",longstr}',
  );
});

test('CC counts before the alternate, which gets a message only when no key of it is routed', async () => {
  const { client: connect } = await harness();
  const client = await connect();
  await client.exchange(1, 'rest', 'fanout');
  await client.exchange(1, 'x', 'direct', { arguments: { 'alternate-exchange': 'rest' } });
  for (const queue of ['a', 'r']) await client.declare(1, queue);
  await client.bind(1, 'a', 'x', 'a');
  await client.bind(1, 'r', 'rest', '');
  const publish = (body: string, ...CC: string[]): void =>
    client.publish(1, { exchange: 'x', routingKey: 'miss' }, { headers: { CC } }, Buffer.from(body));
  publish('one of them', 'a');
  publish('none', 'no');
  expect(await client.bodies(1, 'a')).toEqual(['one of them']);
  expect(await client.bodies(1, 'r')).toEqual(['none']);
});

describe('direct replies', () => {
  const consume = { queue: 'amq.rabbitmq.reply-to', consumerTag: 'replies', noAck: true, arguments: {} };

  test('go to who asked, through no queue, while he is there', async () => {
    const { client: connect } = await harness();
    const [asker, server] = [await connect(), await connect()];
    await server.declare(1, 'rpc');
    await asker.consume(1, consume.queue, consume);
    const replyTo = { replyTo: 'amq.rabbitmq.reply-to', correlationId: '1' };
    asker.publish(1, { exchange: '', routingKey: 'rpc' }, replyTo, Buffer.from('question'));
    await server.consume(1, 'rpc', { noAck: true });
    await server.expect(1, 'basic.deliver');
    const { properties } = await server.content(1);
    const name = String(properties['replyTo']);
    expect(name).toMatch(/^amq\.rabbitmq\.reply-to\..{22}$/);
    server.publish(1, { exchange: '', routingKey: name }, { correlationId: '1' }, Buffer.from('answer'));
    expect(await asker.expect(1, 'basic.deliver')).toMatchObject({
      consumerTag: 'replies',
      deliveryTag: 1,
      routingKey: name,
    });
    expect((await asker.content(1)).body.toString()).toBe('answer');
    expect(await server.declare(1, name, { passive: true })).toMatchObject({ messageCount: 0, consumerCount: 1 });
    asker.destroy();
    await turns(10);
    server.send(1, 'queue.declare', { queue: name, passive: true, arguments: {} });
    expect((await server.expect(1, 'channel.close'))['replyCode']).toBe(404);
  });

  test('wait for a client that is slow to read, and are dropped when it is too much', async () => {
    const { client: connect } = await harness();
    const [asker, server] = [await connect(), await connect({ frameMax: 131_072 })];
    await server.declare(1, 'rpc');
    await asker.consume(1, consume.queue, consume);
    asker.publish(1, { exchange: '', routingKey: 'rpc' }, { replyTo: 'amq.rabbitmq.reply-to' }, Buffer.from('?'));
    await server.consume(1, 'rpc', { noAck: true });
    await server.expect(1, 'basic.deliver');
    const to = { exchange: '', routingKey: String((await server.content(1)).properties['replyTo']) };
    asker.pause();
    for (let n = 0; n < 40; n++) server.publish(1, to, { messageId: `${n}` }, Buffer.alloc(1_000_000), 100_000);
    await server.confirms(1);
    asker.resume();
    let count = 0;
    for (; count < 40; count++) {
      await turns(5);
      if (asker.waiting === 0) break;
      await asker.expect(1, 'basic.deliver');
      expect((await asker.content(1)).properties['messageId']).toBe(`${count}`);
    }
    expect(count).toBeGreaterThan(30);
    expect(count).toBeLessThan(40);
    server.publish(1, to, {}, Buffer.from('again'));
    await asker.expect(1, 'basic.deliver');
    expect((await asker.content(1)).body.toString()).toBe('again');
  });

  test.each([
    ['with acknowledgements', [{ ...consume, noAck: false }], 'reply consumer cannot acknowledge'],
    ['twice', [consume, { ...consume, consumerTag: 'two' }], 'reply consumer already set'],
  ])('are not consumed %s', async (_how, steps, text) => {
    const { client: connect } = await harness();
    const client = await connect();
    for (const [n, step] of steps.entries()) {
      client.send(1, 'basic.consume', step);
      if (n < steps.length - 1) await client.expect(1, 'basic.consume-ok');
    }
    expect((await client.expect(1, 'channel.close'))['replyText']).toBe(`PRECONDITION_FAILED - ${text}`);
  });

  test('have to be consumed before somebody asks', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    client.publish(1, { exchange: '', routingKey: 'x' }, { replyTo: 'amq.rabbitmq.reply-to' }, Buffer.from('?'));
    expect((await client.expect(1, 'channel.close'))['replyText']).toBe(
      'PRECONDITION_FAILED - fast reply consumer does not exist',
    );
  });
});

test.each([
  [{ expiration: '1.5' }, 'invalid expiration \'1.5\': {leftover_string,".5"}'],
  [{ expiration: 'x' }, "invalid expiration 'x': no_integer"],
  [{ expiration: '-1' }, "invalid expiration '-1': {value_negative,-1}"],
])('properties %o are refused', async (properties, text) => {
  const { client: connect } = await harness();
  const client = await connect();
  const bytes = { ...properties };
  client.publish(1, { exchange: '', routingKey: 'x' }, bytes, Buffer.from('?'));
  expect((await client.expect(1, 'channel.close'))['replyText']).toBe(`PRECONDITION_FAILED - ${text}`);
});
