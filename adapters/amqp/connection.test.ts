import { describe, expect, test } from 'vitest';
import { definitions } from './testing/amqplib-encoder.ts';
import { harness } from './testing/harness.ts';
import type { RawClient } from './testing/raw-client.ts';

const header = Buffer.from('AMQP\x00\x00\x09\x01', 'latin1');

async function toStart(client: RawClient): Promise<Record<string, unknown>> {
  client.raw(header);
  return client.expect(0, 'connection.start');
}

const login = (response: string | Buffer, mechanism = 'PLAIN', capabilities: object = {}) => ({
  clientProperties: { capabilities },
  mechanism,
  response: Buffer.from(response),
  locale: 'en_US',
});

describe('the protocol header', () => {
  test.each([
    ['AMQP 1.0', 'AMQP\x00\x01\x00\x00'],
    ['AMQP 1.0 with SASL', 'AMQP\x03\x01\x00\x00'],
    ['HTTP', 'GET / HTTP/1.1\r\n\r\n'],
    ['a TLS hello', '\x16\x03\x01\x02\x00'],
    ['the wrong minor version', 'AMQP\x00\x00\x08\x00'],
  ])('%s is answered with ours and the end', async (_what, sent) => {
    const { stranger, adapter } = await harness();
    const client = stranger();
    client.raw(Buffer.from(sent, 'latin1'));
    await client.closed();
    expect(client.rest).toEqual(header);
    expect(adapter.connections).toBe(0);
  });

  test('octet by octet, and the older one too', async () => {
    const { stranger } = await harness();
    const client = stranger();
    for (const octet of header) client.raw(Buffer.from([octet]));
    await client.expect(0, 'connection.start');
    const older = stranger();
    older.raw(Buffer.from('AMQP\x01\x01\x00\x09', 'latin1'));
    await older.expect(0, 'connection.start');
  });
});

describe('the handshake', () => {
  test('start says what clients look at', async () => {
    const { stranger } = await harness();
    const start = await toStart(stranger());
    expect(start).toMatchObject({ versionMajor: 0, versionMinor: 9 });
    expect(String(start['mechanisms'])).toBe('PLAIN AMQPLAIN');
    expect(start['serverProperties']).toMatchObject({
      product: 'RosettaMQ',
      capabilities: { publisher_confirms: true, 'basic.nack': true, consumer_cancel_notify: true },
    });
  });

  test('AMQPLAIN is a table without its length', async () => {
    const { stranger } = await harness();
    const client = stranger();
    await toStart(client);
    const table = '\x05LOGINS\x00\x00\x00\x05guest\x08PASSWORDS\x00\x00\x00\x05guest';
    client.send(0, 'connection.start-ok', login(table, 'AMQPLAIN'));
    expect(await client.expect(0, 'connection.tune')).toEqual({ channelMax: 2047, frameMax: 131072, heartbeat: 60 });
  });

  test.each([
    ['a wrong password', login('\0guest\0wrong')],
    ['PLAIN without its zeros', login('guest')],
    ['AMQPLAIN that is no table', login('\x05LOG', 'AMQPLAIN')],
    ['a mechanism that was not offered', login('', 'EXTERNAL')],
  ])('%s ends it silently, and later', async (_what, startOk) => {
    const { stranger, clock, adapter } = await harness();
    const client = stranger();
    await toStart(client);
    client.send(0, 'connection.start-ok', startOk);
    await client.nothing();
    expect(adapter.connections).toBe(1);
    await clock.pass(1000);
    await client.closed();
  });

  test('EXTERNAL is offered to who has shown a certificate, and lets in whom it names if that is a user', async () => {
    const on = await harness();
    const open = on.stranger('anybody');
    expect(String((await toStart(open))['mechanisms'])).toBe('PLAIN AMQPLAIN EXTERNAL');
    open.send(0, 'connection.start-ok', login('', 'EXTERNAL'));
    await open.expect(0, 'connection.tune');
    const adding = on.broker.putUser(on.internal, 'ci', 'secret');
    await on.clock.pass(100);
    await adding;
    for (const [name, isLetIn] of [
      ['ci', true],
      ['anybody', false],
    ] as const) {
      const client = on.stranger(name);
      await toStart(client);
      client.send(0, 'connection.start-ok', login('', 'EXTERNAL'));
      if (isLetIn) await client.expect(0, 'connection.tune');
      else {
        await on.clock.pass(1000);
        await client.closed();
      }
    }
  });

  test('a client that wants to hear of a refused login does', async () => {
    const { stranger, clock } = await harness();
    const client = stranger();
    await toStart(client);
    client.send(0, 'connection.start-ok', login('\0guest\0wrong', 'PLAIN', { authentication_failure_close: true }));
    await client.nothing();
    await clock.pass(1000);
    expect(await client.expect(0, 'connection.close')).toMatchObject({
      replyCode: 403,
      replyText:
        'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.',
    });
    await clock.pass(3000);
    await client.closed();
  });

  test.each([
    [{ channelMax: 3000, frameMax: 4096, heartbeat: 0 }, /negotiated channel_max = 3000 is higher than the maximum/],
    [{ channelMax: 10, frameMax: 200_000, heartbeat: 0 }, /negotiated frame_max = 200000 is higher/],
    [{ channelMax: 10, frameMax: 0, heartbeat: 0 }, /negotiated frame_max = 0 is higher/],
    [{ channelMax: 10, frameMax: 4095, heartbeat: 0 }, /negotiated frame_max = 4095 is lower than the minimum allowed/],
  ])('tune-ok %o is not allowed', async (tuneOk, text) => {
    const { stranger } = await harness();
    const client = stranger();
    await toStart(client);
    client.send(0, 'connection.start-ok', login('\0guest\0guest'));
    await client.expect(0, 'connection.tune');
    client.send(0, 'connection.tune-ok', tuneOk);
    const close = await client.expect(0, 'connection.close');
    expect(close['replyCode']).toBe(530);
    expect(close['replyText']).toMatch(text);
  });

  test('a virtual host that is not there', async () => {
    const { stranger } = await harness();
    const client = stranger();
    await toStart(client);
    client.send(0, 'connection.start-ok', login('\0guest\0guest'));
    client.send(0, 'connection.tune-ok', { channelMax: 10, frameMax: 4096, heartbeat: 0 });
    client.send(0, 'connection.open', { virtualHost: '/nope' });
    await client.expect(0, 'connection.tune');
    expect(await client.expect(0, 'connection.close')).toEqual({
      replyCode: 530,
      replyText: 'NOT_ALLOWED - vhost /nope not found',
      classId: 10,
      methodId: 40,
    });
  });

  test('who says nothing is dropped', async () => {
    const { stranger, clock } = await harness();
    const client = stranger();
    await clock.pass(10_000);
    await client.closed();
  });
});

describe('heartbeats', () => {
  test('one at each idle half interval, and the end after two silent ones', async () => {
    const { clock, stranger, adapter } = await harness();
    const client = stranger();
    await client.handshake({ heartbeat: 1 });
    await clock.pass(1500);
    expect([(await client.frame()).type, (await client.frame()).type]).toEqual([8, 8]);
    await clock.pass(1400);
    expect(adapter.connections).toBe(1);
    await clock.pass(100);
    await client.closed();
  });

  test('any octet keeps it alive', async () => {
    const { clock, client: connect } = await harness();
    const client = await connect({ heartbeat: 1 });
    for (let i = 0; i < 10; i++) {
      client.raw(Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce]));
      await clock.pass(1000);
    }
    await client.frame();
  });

  test('one on a channel is an unexpected frame', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    client.raw(Buffer.from([8, 0, 1, 0, 0, 0, 0, 0xce]));
    expect((await client.expect(0, 'connection.close'))['replyCode']).toBe(505);
  });
});

describe('closing', () => {
  test('by the client: close-ok, then the end', async () => {
    const { client: connect, adapter, clock } = await harness();
    const timers = clock.timers;
    const client = await connect();
    client.send(0, 'connection.close', { replyCode: 200, replyText: 'bye', classId: 0, methodId: 0 });
    await client.expect(0, 'connection.close-ok');
    await client.closed();
    expect([adapter.connections, clock.timers]).toEqual([0, timers]);
  });

  test('by us: everything but close and close-ok is dropped, and time is limited', async () => {
    const { client: connect, clock } = await harness();
    const client = await connect();
    client.raw(Buffer.from([1, 0, 1, 0, 0, 0, 4, 0, 99, 0, 99, 0xce]));
    expect(await client.expect(0, 'connection.close')).toMatchObject({ replyCode: 503, classId: 99, methodId: 99 });
    client.send(1, 'queue.declare', { queue: 'q', arguments: {} });
    client.send(2, 'channel.open');
    await client.nothing();
    await clock.pass(3000);
    await client.closed();
  });

  test('drain tells clients why and waits for their answers', async () => {
    const { client: connect, adapter, clock } = await harness();
    const client = await connect();
    const drained = adapter.drain(clock.nowMs() + 5000);
    expect(await client.expect(0, 'connection.close')).toMatchObject({
      replyCode: 320,
      replyText: "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'",
    });
    client.send(0, 'connection.close-ok');
    await client.closed();
    await drained;
    expect(adapter.connections).toBe(0);
  });

  test('cut ends everything unanswered', async () => {
    const { client: connect, adapter } = await harness();
    const client = await connect();
    adapter.cut();
    await client.closed();
    await expect(client.frame()).rejects.toThrow('ended');
  });
});

describe('frames out of place', () => {
  const cases: readonly [string, number, string, (client: RawClient) => void][] = [
    [
      'a method on a channel that is not open',
      504,
      "CHANNEL_ERROR - expected 'channel.open'",
      (client) => client.send(2, 'basic.qos', {}),
    ],
    [
      'a second channel.open',
      504,
      "CHANNEL_ERROR - second 'channel.open' seen",
      (client) => client.send(1, 'channel.open'),
    ],
    [
      'a method where a header is due',
      505,
      'UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead',
      (client) => {
        client.send(1, 'basic.publish', { exchange: '', routingKey: 'q' });
        client.send(1, 'basic.qos', {});
      },
    ],
    ['a header without a method', 505, '', (client) => client.raw(definitions.encodeProperties(60, 1, 0, {}))],
    ['a body without a header', 505, '', (client) => client.raw(Buffer.from([3, 0, 1, 0, 0, 0, 1, 65, 0xce]))],
    ['a body on channel 0', 505, '', (client) => client.raw(Buffer.from([3, 0, 0, 0, 0, 0, 1, 65, 0xce]))],
    ['a method cut short', 501, '', (client) => client.raw(Buffer.from([1, 0, 1, 0, 0, 0, 5, 0, 50, 0, 10, 0, 0xce]))],
    ['a method without an id', 503, '', (client) => client.raw(Buffer.from([1, 0, 1, 0, 0, 0, 2, 0, 50, 0xce]))],
    ['a method only servers send', 503, '', (client) => client.send(1, 'basic.get-empty', {})],
    ['a wrong end octet', 501, '', (client) => client.raw(Buffer.from([1, 0, 1, 0, 0, 0, 0, 0xcd]))],
    ['a frame over the negotiated size', 501, '', (client) => client.raw(Buffer.from([3, 0, 1, 0, 0, 0x20, 0]))],
    [
      'a body larger than announced',
      501,
      '',
      (client) => {
        client.send(1, 'basic.publish', { exchange: '', routingKey: 'q' });
        client.raw(definitions.encodeProperties(60, 1, 1, {}));
        client.raw(Buffer.from([3, 0, 1, 0, 0, 0, 2, 65, 66, 0xce]));
      },
    ],
    [
      'a header of another class',
      505,
      '',
      (client) => {
        client.send(1, 'basic.publish', { exchange: '', routingKey: 'q' });
        const bytes = definitions.encodeProperties(60, 1, 0, {});
        bytes.writeUInt16BE(61, 7);
        client.raw(bytes);
      },
    ],
    [
      'properties that are not what the flags say',
      501,
      '',
      (client) => {
        client.send(1, 'basic.publish', { exchange: '', routingKey: 'q' });
        const bytes = definitions.encodeProperties(60, 1, 0, { type: 'x' });
        bytes.writeUInt16BE(0, 19);
        client.raw(bytes);
      },
    ],
    [
      'immediate',
      540,
      'NOT_IMPLEMENTED - immediate=true',
      (client) => client.send(1, 'basic.publish', { exchange: '', routingKey: '', immediate: true }),
    ],
    ['a prefetch size', 540, '', (client) => client.send(1, 'basic.qos', { prefetchSize: 1 })],
    ['flow off', 540, '', (client) => client.send(1, 'channel.flow', { active: false })],
    ['recover without requeue', 540, '', (client) => client.send(1, 'basic.recover', { requeue: false })],
    ['the handshake again', 504, '', (client) => client.send(0, 'connection.open', { virtualHost: '/' })],
  ];

  test.each(cases)('%s closes the connection with %i', async (_what, code, text, act) => {
    const { client: connect, warnings } = await harness();
    const client = await connect();
    act(client);
    const close = await client.expect(0, 'connection.close');
    expect(close['replyCode']).toBe(code);
    if (text !== '') expect(close['replyText']).toBe(text);
    expect(warnings).toEqual([]);
  });

  test('channels are counted, not numbered', async () => {
    const { stranger } = await harness({ limits: { channelsPerConnectionMax: 200 } });
    const client = stranger();
    await client.handshake();
    for (let i = 0; i < 100; i++) await client.open(65_000 - i);
    client.send(1, 'channel.open');
    expect((await client.expect(0, 'connection.close'))['replyCode']).toBe(530);
  });
});

describe('a channel that failed', () => {
  test('drops everything until close-ok, then its number is free; the others go on', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.open(2);
    client.send(1, 'queue.declare', { queue: 'nope', passive: true, arguments: {} });
    expect(await client.expect(1, 'channel.close')).toEqual({
      replyCode: 404,
      replyText: "NOT_FOUND - no queue 'nope' in vhost '/'",
      classId: 50,
      methodId: 10,
    });
    client.publish(1, { exchange: '', routingKey: 'x' }, {}, Buffer.from('dropped'));
    client.send(1, 'queue.declare', { queue: 'q', arguments: {} });
    await client.nothing();
    await client.declare(2, 'q');
    client.send(1, 'channel.close-ok');
    await client.open(1);
    await client.declare(1, 'q');
  });

  test('answers a close that crosses its own', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    client.send(1, 'basic.ack', { deliveryTag: 9 });
    client.send(1, 'channel.close', { replyCode: 200, replyText: '', classId: 0, methodId: 0 });
    expect((await client.expect(1, 'channel.close'))['replyText']).toBe('PRECONDITION_FAILED - unknown delivery tag 9');
    await client.expect(1, 'channel.close-ok');
    client.send(1, 'channel.close-ok');
    await client.open(1);
  });
});
