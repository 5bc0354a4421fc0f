import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { definitions } from './testing/amqplib-encoder.ts';
import { harness } from './testing/harness.ts';
import type { RawClient } from './testing/raw-client.ts';
import { publishBytes } from './testing/raw-client.ts';
import { turns } from './testing/test-clock.ts';

const toQueue = (client: RawClient, queue: string, ...bodies: string[]): void => {
  for (const body of bodies) client.publish(1, { exchange: '', routingKey: queue }, {}, Buffer.from(body));
};

const confirmed = async (client: RawClient): Promise<void> => {
  client.send(1, 'confirm.select');
  await client.expect(1, 'confirm.select-ok');
};

describe('publish and deliver', () => {
  test('every property, header and octet of the body arrives as it was sent', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.declare(1, 'q');
    const properties = {
      contentType: 'text/plain',
      headers: {
        traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
        n: { '!': 'int64', value: 5 },
        list: ['a', { b: true }],
      },
      deliveryMode: 2,
      priority: 5,
      correlationId: 'c',
      messageId: 'm',
      timestamp: 1700000000,
    };
    const body = Buffer.alloc(20_000, 'x');
    client.publish(1, { exchange: '', routingKey: 'q' }, properties, body);
    await client.consume(1, 'q', { consumerTag: 'me' });
    expect(await client.expect(1, 'basic.deliver')).toEqual({
      consumerTag: 'me',
      deliveryTag: 1,
      redelivered: false,
      exchange: '',
      routingKey: 'q',
    });
    const content = await client.content(1);
    expect(content.body.equals(body)).toBe(true);
    expect(content.properties).toMatchObject({ ...properties, headers: { ...properties.headers, n: 5 } });
  });

  test('the same message octet by octet', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.declare(1, 'q');
    for (const octet of publishBytes(1, { exchange: '', routingKey: 'q' }, { type: 't' }, Buffer.from('hello'), 2)) {
      client.raw(Buffer.from([octet]));
    }
    await client.consume(1, 'q');
    await client.delivery(1, 'hello');
  });

  test('contents of two channels may interleave', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.open(2);
    await client.declare(1, 'q');
    const one = publishBytes(1, { exchange: '', routingKey: 'q' }, { messageId: '1' }, Buffer.from('one'), 1);
    const two = publishBytes(2, { exchange: '', routingKey: 'q' }, { messageId: '2' }, Buffer.from('two'), 1);
    const frames = (bytes: Buffer): Buffer[] => {
      const out: Buffer[] = [];
      for (let at = 0; at < bytes.length; ) {
        const end = at + 8 + bytes.readUInt32BE(at + 3);
        out.push(bytes.subarray(at, end));
        at = end;
      }
      return out;
    };
    const [a, b] = [frames(one), frames(two)];
    for (let i = 0; i < a.length; i++) client.raw(Buffer.concat([a[i]!, b[i]!]));
    await client.consume(1, 'q');
    await client.delivery(1, 'one');
    await client.delivery(1, 'two');
  });

  test('empty and large bodies', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.declare(1, 'q');
    const large = Buffer.alloc(1024 * 1024, 'y');
    toQueue(client, 'q', '');
    client.publish(1, { exchange: '', routingKey: 'q' }, {}, large);
    await client.consume(1, 'q');
    await client.delivery(1, '');
    await client.expect(1, 'basic.deliver');
    expect((await client.content(1)).body.equals(large)).toBe(true);
  });

  test('a body over the limit closes the channel, and the rest of it is dropped', async () => {
    const { client: connect } = await harness({ limits: { messageBytesMax: 10 } });
    const client = await connect();
    client.publish(1, { exchange: '', routingKey: 'q' }, {}, Buffer.alloc(11));
    expect(await client.expect(1, 'channel.close')).toMatchObject({
      replyCode: 406,
      replyText: 'PRECONDITION_FAILED - message size 11 is larger than configured max size 10',
      classId: 60,
      methodId: 40,
    });
    client.send(1, 'channel.close-ok');
    await client.open(1);
  });

  test.each([
    ['bodies', { body: 300_000, sent: 100_000, headers: 0 }],
    ['announcements', { body: 300_000, sent: 0, headers: 0 }],
    ['headers', { body: 1, sent: 0, headers: 60_000 }],
  ])('contents begun everywhere are bounded together, by their %s too', async (_what, { body, sent, headers }) => {
    const { client: connect } = await harness({ limits: { contentBytesMax: 1024 * 1024 } });
    const client = await connect({ frameMax: 131_072 });
    const begin = (channel: number): void => {
      client.send(channel, 'basic.publish', { exchange: '', routingKey: 'q' });
      client.raw(definitions.encodeProperties(60, channel, body, { headers: { h: 'x'.repeat(headers) } }));
      if (sent > 0) client.raw(publishBytes(channel, {}, {}, Buffer.alloc(sent), sent).subarray(-sent - 8));
    };
    for (let channel = 1; channel <= 25; channel++) {
      if (channel > 1) await client.open(channel);
      // One after the other is no trouble, and neither are a few at once.
      for (let n = 0; n < 3; n++) client.publish(channel, { exchange: '', routingKey: 'q' }, {}, Buffer.alloc(300_000));
    }
    for (const channel of [1, 2, 3]) begin(channel);
    await client.open(26);
    for (let channel = 4; channel <= 25; channel++) begin(channel);
    expect((await client.expect(0, 'connection.close'))['replyCode']).toBe(506);
  });
});

describe('confirms', () => {
  test('of one turn come as one', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.declare(1, 'q');
    await confirmed(client);
    const one = publishBytes(1, { exchange: '', routingKey: 'q' }, {}, Buffer.from('x'), 9);
    client.raw(Buffer.concat([one, one, one]));
    expect(await client.expect(1, 'basic.ack')).toEqual({ deliveryTag: 3, multiple: true });
    client.raw(one);
    expect(await client.expect(1, 'basic.ack')).toEqual({ deliveryTag: 4, multiple: false });
  });

  test('an unroutable mandatory message is returned before it is acknowledged', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await confirmed(client);
    client.publish(1, { exchange: '', routingKey: 'none', mandatory: true }, { messageId: 'm' }, Buffer.from('back'));
    expect(await client.expect(1, 'basic.return')).toEqual({
      replyCode: 312,
      replyText: 'NO_ROUTE',
      exchange: '',
      routingKey: 'none',
    });
    expect(await client.content(1)).toMatchObject({ body: Buffer.from('back'), properties: { messageId: 'm' } });
    expect(await client.expect(1, 'basic.ack')).toEqual({ deliveryTag: 1, multiple: false });
    client.publish(1, { exchange: '', routingKey: 'none' }, {}, Buffer.from('gone'));
    expect(await client.expect(1, 'basic.ack')).toEqual({ deliveryTag: 2, multiple: false });
  });

  test('every sequence number is answered once, whatever is routable', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.declare(1, 'q');
    await confirmed(client);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }), async (routable) => {
        const bytes = routable.map((yes) =>
          publishBytes(1, { exchange: '', routingKey: yes ? 'q' : 'none' }, {}, Buffer.from('x'), 9),
        );
        client.raw(Buffer.concat(bytes));
        const last = answered + routable.length;
        while (answered < last) {
          const { deliveryTag, multiple } = await client.expect(1, 'basic.ack');
          expect(multiple).toBe(Number(deliveryTag) - answered > 1);
          answered = Number(deliveryTag);
        }
        expect(answered).toBe(last);
      }),
      { numRuns: 30 },
    );
  });
  let answered = 0;
});

describe('answers of consumers', () => {
  test('requeued messages come back in their place, marked', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.declare(1, 'q');
    client.send(1, 'basic.qos', { prefetchCount: 4 });
    await client.expect(1, 'basic.qos-ok');
    toQueue(client, 'q', '1', '2', '3', '4', '5', '6');
    await client.consume(1, 'q');
    for (const body of ['1', '2', '3', '4']) await client.delivery(1, body);
    client.send(1, 'basic.nack', { deliveryTag: 2, requeue: true });
    client.send(1, 'basic.reject', { deliveryTag: 1, requeue: true });
    await client.delivery(1, '1', true);
    await client.delivery(1, '2', true);
    client.send(1, 'basic.ack', { deliveryTag: 4, multiple: true });
    await client.delivery(1, '5');
    await client.delivery(1, '6');
  });

  test('multiple with tag 0 answers all, also when there are none; a tag once answered is unknown', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.declare(1, 'q');
    toQueue(client, 'q', 'a', 'b');
    await client.consume(1, 'q');
    await client.delivery(1, 'a');
    await client.delivery(1, 'b');
    client.send(1, 'basic.ack', { deliveryTag: 0, multiple: true });
    client.send(1, 'basic.ack', { deliveryTag: 0, multiple: true });
    expect(await client.declare(1, 'q')).toMatchObject({ messageCount: 0, consumerCount: 1 });
    client.send(1, 'basic.ack', { deliveryTag: 2, multiple: true });
    expect((await client.expect(1, 'channel.close'))['replyText']).toBe('PRECONDITION_FAILED - unknown delivery tag 2');
  });

  test('closing a channel or losing a client returns everything in order', async () => {
    const { client: connect } = await harness();
    const first = await connect();
    const second = await connect();
    await first.declare(1, 'q');
    toQueue(first, 'q', '1', '2', '3');
    await first.consume(1, 'q');
    for (const body of ['1', '2', '3']) await first.delivery(1, body);
    first.send(1, 'basic.ack', { deliveryTag: 2 });
    first.send(1, 'channel.close', { replyCode: 200, replyText: '', classId: 0, methodId: 0 });
    await first.expect(1, 'channel.close-ok');
    await second.consume(1, 'q');
    await second.delivery(1, '1', true);
    await second.delivery(1, '3', true);
    const third = await connect();
    second.destroy();
    await third.consume(1, 'q');
    await third.delivery(1, '1', true);
    await third.delivery(1, '3', true);
  });

  test('a cancelled consumer keeps what it holds until it answers', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.declare(1, 'q');
    toQueue(client, 'q', 'a', 'b');
    const tag = await client.consume(1, 'q');
    await client.delivery(1, 'a');
    await client.delivery(1, 'b');
    client.send(1, 'basic.cancel', { consumerTag: tag });
    await client.expect(1, 'basic.cancel-ok');
    expect(await client.declare(1, 'q')).toMatchObject({ messageCount: 0, consumerCount: 0 });
    toQueue(client, 'q', 'c');
    await client.nothing();
    client.send(1, 'basic.nack', { deliveryTag: 1, requeue: true });
    client.send(1, 'basic.ack', { deliveryTag: 2 });
    await client.consume(1, 'q');
    await client.delivery(1, 'a', true);
    await client.delivery(1, 'c');
  });

  test('recover brings everything back', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.declare(1, 'q');
    toQueue(client, 'q', 'a', 'b');
    await client.consume(1, 'q');
    await client.delivery(1, 'a');
    await client.delivery(1, 'b');
    client.send(1, 'basic.recover', { requeue: true });
    await client.expect(1, 'basic.recover-ok');
    expect([await client.delivery(1, 'a', true), await client.delivery(1, 'b', true)]).toEqual([3, 4]);
  });

  test('both prefetches hold: three each, five together', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.declare(1, 'q');
    await client.declare(1, 'r');
    client.send(1, 'basic.qos', { prefetchCount: 3 });
    await client.expect(1, 'basic.qos-ok');
    client.send(1, 'basic.qos', { prefetchCount: 5, global: true });
    await client.expect(1, 'basic.qos-ok');
    toQueue(client, 'q', '1', '2', '3', '4');
    toQueue(client, 'r', '5', '6', '7', '8');
    await client.consume(1, 'q');
    for (const body of ['1', '2', '3']) await client.delivery(1, body);
    await client.consume(1, 'r');
    for (const body of ['5', '6']) await client.delivery(1, body);
    await client.nothing();
    client.send(1, 'basic.ack', { deliveryTag: 4 });
    await client.delivery(1, '7');
    client.send(1, 'basic.ack', { deliveryTag: 3, multiple: true });
    await client.delivery(1, '4');
    await client.delivery(1, '8');
    await client.nothing();
  });

  test('a consumer whose prefetch was full is given more when an eighth is free, or after a moment', async () => {
    const { client: connect, clock } = await harness();
    const client = await connect();
    await client.declare(1, 'q');
    client.send(1, 'basic.qos', { prefetchCount: 16 });
    await client.expect(1, 'basic.qos-ok');
    const bodies = Array.from({ length: 24 }, (_, n) => String(n));
    toQueue(client, 'q', ...bodies);
    await client.consume(1, 'q');
    for (const body of bodies.slice(0, 16)) await client.delivery(1, body);
    client.send(1, 'basic.ack', { deliveryTag: 1 });
    await client.nothing();
    client.send(1, 'basic.ack', { deliveryTag: 2 });
    for (const body of ['16', '17']) await client.delivery(1, body);
    await client.nothing();
    client.send(1, 'basic.ack', { deliveryTag: 3 });
    await client.nothing();
    await clock.pass(1);
    await client.delivery(1, '18');
    client.send(1, 'basic.ack', { deliveryTag: 19, multiple: true });
    for (const body of bodies.slice(19)) await client.delivery(1, body);
  });

  test('no-ack deliveries use tags and need no answer', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.declare(1, 'q');
    toQueue(client, 'q', 'a', 'b');
    await client.consume(1, 'q', { noAck: true });
    expect([await client.delivery(1, 'a'), await client.delivery(1, 'b')]).toEqual([1, 2]);
    client.send(1, 'basic.ack', { deliveryTag: 1 });
    expect((await client.expect(1, 'channel.close'))['replyCode']).toBe(406);
  });
});

describe('a consumer that does not read', () => {
  test('is not written to without bound, and goes on where it stopped', async () => {
    const { client: connect, broker } = await harness();
    const client = await connect();
    await client.declare(1, 'q');
    client.send(1, 'confirm.select');
    await client.expect(1, 'confirm.select-ok');
    const body = Buffer.alloc(100_000, 'x');
    for (let i = 1; i <= 60; i++) {
      client.publish(1, { exchange: '', routingKey: 'q' }, {}, body);
      await client.expect(1, 'basic.ack');
    }
    const slow = await connect();
    await slow.consume(1, 'q');
    slow.pause();
    await turns(200);
    const topic = broker.topic('default', 'q')!;
    const { inFlight } = broker.ledger(broker.groupById(topic.ownGroup)!, topic.queues[0]!);
    expect(inFlight).toBeGreaterThan(0);
    expect(inFlight).toBeLessThan(30);
    slow.resume();
    for (let i = 1; i <= 60; i++) {
      await slow.expect(1, 'basic.deliver');
      expect((await slow.content(1)).body.length).toBe(body.length);
    }
  });

  test('is not read for ever: answers that nobody takes are bounded, and none is lost', async () => {
    const { client: connect, adapter } = await harness();
    const client = await connect({ frameMax: 131_072 });
    client.pause();
    const nowhere = { exchange: '', routingKey: 'none', mandatory: true };
    for (let n = 0; n < 40; n++) client.publish(1, nowhere, { messageId: `${n}` }, Buffer.alloc(1_000_000), 100_000);
    await turns(200);
    expect(adapter.counts!['unroutable']).toBeGreaterThan(7);
    expect(adapter.counts!['unroutable']).toBeLessThan(12);
    client.resume();
    for (let n = 0; n < 40; n++) {
      await client.expect(1, 'basic.return');
      expect((await client.content(1)).properties['messageId']).toBe(`${n}`);
    }
  });

  test('basic.get for large answers stops being read until they are taken', async () => {
    const { client: connect } = await harness();
    const client = await connect({ frameMax: 131_072 });
    await client.declare(1, 'q');
    for (let i = 0; i < 20; i++) {
      client.publish(1, { exchange: '', routingKey: 'q' }, {}, Buffer.alloc(1_000_000), 100_000);
    }
    await client.declare(1, 'q');
    client.pause();
    for (let i = 0; i < 20; i++) client.send(1, 'basic.get', { queue: 'q', noAck: true });
    await turns(50);
    client.resume();
    for (let i = 0; i < 20; i++) {
      expect(await client.expect(1, 'basic.get-ok')).toMatchObject({ messageCount: 19 - i });
      expect((await client.content(1)).body.length).toBe(1_000_000);
    }
  });
});

describe('basic.get', () => {
  test('takes one at a time and says how many are left', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.declare(1, 'q');
    toQueue(client, 'q', 'a', 'b');
    client.send(1, 'basic.get', { queue: 'q' });
    expect(await client.expect(1, 'basic.get-ok')).toMatchObject({
      deliveryTag: 1,
      redelivered: false,
      messageCount: 1,
    });
    expect((await client.content(1)).body.toString()).toBe('a');
    client.send(1, 'basic.get', { queue: '', noAck: true });
    expect(await client.expect(1, 'basic.get-ok')).toMatchObject({ deliveryTag: 2, messageCount: 0 });
    await client.content(1);
    client.send(1, 'basic.get', { queue: 'q' });
    await client.expect(1, 'basic.get-empty');
    client.send(1, 'basic.nack', { deliveryTag: 1, requeue: true });
    client.send(1, 'basic.get', { queue: 'q' });
    expect(await client.expect(1, 'basic.get-ok')).toMatchObject({ deliveryTag: 3, redelivered: true });
  });
});

describe('hostile octets', () => {
  test('after any of them, in any state, the adapter lives and others are served', async () => {
    const { client: connect, stranger, adapter } = await harness();
    const frame = fc
      .tuple(
        fc.constantFrom(1, 1, 1, 2, 3, 8, 4),
        fc.constantFrom(0, 1, 1, 2, 65535),
        fc.oneof(
          fc.uint8Array({ maxLength: 60 }),
          fc
            .tuple(fc.constantFrom(10, 20, 40, 50, 60, 85, 90), fc.nat(121), fc.uint8Array({ maxLength: 40 }))
            .map(([classId, methodId, rest]) => Buffer.from([0, classId, 0, methodId, ...rest])),
        ),
      )
      .map(([type, channel, payload]) => {
        const head = Buffer.from([type, channel >> 8, channel & 255, 0, 0, 0, payload.length]);
        return Buffer.concat([head, payload, Buffer.from([0xce])]);
      });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('header', 'start', 'tune', 'open', 'running', 'content', 'body', 'transaction', 'closing'),
        fc.array(frame, { maxLength: 8 }),
        async (state, frames) => {
          const isEarly = ['header', 'start', 'tune', 'open'].includes(state);
          const client = isEarly ? stranger() : await connect();
          if (isEarly && state !== 'header') client.raw(Buffer.from('AMQP\x00\x00\x09\x01', 'latin1'));
          if (state === 'tune' || state === 'open') {
            const response = Buffer.from('\0guest\0guest');
            client.send(0, 'connection.start-ok', { clientProperties: {}, mechanism: 'PLAIN', response, locale: '' });
            await turns(3);
          }
          if (state === 'open') client.send(0, 'connection.tune-ok', { channelMax: 10, frameMax: 4096, heartbeat: 0 });
          if (state === 'content' || state === 'body')
            client.send(1, 'basic.publish', { exchange: '', routingKey: 'still-here' });
          if (state === 'body') client.raw(definitions.encodeProperties(60, 1, 100, {}));
          if (state === 'transaction') client.send(1, 'tx.select');
          if (state === 'closing') client.send(1, 'queue.declare', { queue: 'nope', passive: true, arguments: {} });
          for (const bytes of frames) client.raw(bytes);
          await new Promise((resolve) => setImmediate(resolve));
          client.destroy();
        },
      ),
      { numRuns: 600 },
    );
    const client = await connect();
    await client.declare(1, 'still-here');
    client.destroy();
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(adapter.connections).toBe(0);
  });
});
