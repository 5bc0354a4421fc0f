// What every AMQP client must be able to do, as RabbitMQ applications do it: the same tests for each library.
import assert from 'node:assert/strict';
import type { DriverName, Reply } from '../drivers/driver.ts';
import { assertSame, bodies, message, numbered, sorted, text } from '../harness/messages.ts';
import { fresh, type Stage } from '../harness/suite.ts';
import { test } from '../harness/test.ts';

export function amqpBasics(here: Stage, client: DriverName): void {
  const call = (op: string, fields: Record<string, unknown>): Promise<Reply> => here.call(client, `amqp.${op}`, fields);

  const queue = async (): Promise<string> => {
    const name = fresh('q');
    await call('declare', { queues: [{ name }] });
    return name;
  };

  test(`${client}: what is published to the default exchange is confirmed and consumed in order`, async () => {
    const name = await queue();
    const sent = numbered(300, 'm').map((one) => ({ ...one, routingKey: name }));
    const { results } = await call('publish', { messages: sent });
    assert.ok(
      results.every((one) => one.confirmed && !one.error),
      JSON.stringify(results.find((one) => !one.confirmed)),
    );
    const { consumer } = await call('subscribe', { queue: name, prefetch: 500 });
    const { messages } = await call('take', { consumer, count: 300 });
    assert.deepEqual(
      bodies(messages),
      sent.map((one) => text(one.body)),
    );
    assert.ok(messages.every((one) => !one.redelivered && one.exchange === '' && one.routingKey === name));
    await call('settle', { consumer, handles: [messages.at(-1)!.handle], multiple: true });
    await call('close', { consumer });
    assert.equal((await call('queueState', { queue: name })).ready, 0);
  });

  test(`${client}: direct, fanout and topic exchanges route`, async () => {
    const [direct, fanout, topic] = [fresh('xd'), fresh('xf'), fresh('xt')];
    const [one, two] = [await queue(), await queue()];
    await call('declare', {
      exchanges: [
        { name: direct, type: 'direct' },
        { name: fanout, type: 'fanout' },
        { name: topic, type: 'topic' },
      ],
      bindings: [
        { queue: one, exchange: direct, key: 'a' },
        { queue: two, exchange: direct, key: 'b' },
        { queue: one, exchange: fanout, key: '' },
        { queue: two, exchange: fanout, key: '' },
        { queue: one, exchange: topic, key: 'order.*' },
        { queue: two, exchange: topic, key: 'order.#' },
      ],
    });
    await call('publish', {
      exchange: direct,
      messages: [
        message({ key: 'a', body: 'd-a' }),
        message({ key: 'b', body: 'd-b' }),
        message({ key: 'c', body: 'd-c' }),
      ],
    });
    await call('publish', { exchange: fanout, messages: [message({ key: 'any', body: 'f' })] });
    await call('publish', {
      exchange: topic,
      messages: [
        message({ key: 'order.new', body: 't1' }),
        message({ key: 'order.new.big', body: 't2' }),
        message({ key: 'bill', body: 't3' }),
      ],
    });
    const drained: (string | null)[][] = [];
    for (const name of [one, two]) {
      const { consumer } = await call('subscribe', { queue: name, noAck: true });
      drained.push(bodies((await call('take', { consumer, count: 10, waitMs: 1_000 })).messages));
      await call('close', { consumer });
    }
    assert.deepEqual(drained, [
      ['d-a', 'f', 't1'],
      ['d-b', 'f', 't1', 't2'],
    ]);
  });

  test(`${client}: headers, binary values, empty and 1 MiB bodies survive`, async () => {
    const name = await queue();
    const sent = [
      message({
        body: 'with headers',
        tag: 'T',
        headers: { a: 'text', ünï: 'çödé' },
        binaryHeaders: { raw: new Uint8Array([0, 1, 254, 255]) },
      }),
      message({ body: '' }),
      message({ body: new Uint8Array(1024 * 1024).map((_, i) => i * 31) }),
    ];
    await call('publish', { messages: sent.map((one) => ({ ...one, routingKey: name })) });
    const { consumer } = await call('subscribe', { queue: name, noAck: true });
    const { messages } = await call('take', { consumer, count: 3 });
    await call('close', { consumer });
    assert.equal(messages.length, 3);
    for (const [i, one] of messages.entries()) assertSame({ ...one, key: null }, sent[i]!);
  });

  test(`${client}: an unroutable mandatory message comes back with 312`, async () => {
    const exchange = fresh('x');
    await call('declare', { exchanges: [{ name: exchange, type: 'direct' }] });
    const { results } = await call('publish', {
      exchange,
      mandatory: true,
      messages: [message({ key: 'nowhere', body: 'x' })],
    });
    assert.deepEqual(results[0]?.returned, { code: 312, text: 'NO_ROUTE' });
  });

  test(`${client}: prefetch bounds what is delivered before an acknowledgement`, async () => {
    const name = await queue();
    await call('publish', { messages: numbered(10, 'm').map((one) => ({ ...one, routingKey: name })) });
    const { consumer } = await call('subscribe', { queue: name, prefetch: 3 });
    const first = await call('take', { consumer, count: 10, waitMs: 700 });
    assert.deepEqual(bodies(first.messages), ['m-0', 'm-1', 'm-2']);
    await call('settle', { consumer, handles: [first.messages[1]!.handle] });
    const next = await call('take', { consumer, count: 10, waitMs: 700 });
    assert.deepEqual(bodies(next.messages), ['m-3']);
    await call('close', { consumer });
  });

  test(`${client}: a requeued message returns to its place, marked as redelivered`, async () => {
    const name = await queue();
    await call('publish', { messages: numbered(5, 'm').map((one) => ({ ...one, routingKey: name })) });
    const { consumer } = await call('subscribe', { queue: name, prefetch: 2 });
    const { messages } = await call('take', { consumer, count: 2 });
    await call('settle', { consumer, handles: [messages[1]!.handle, messages[0]!.handle], how: 'retry' });
    const again = await call('take', { consumer, count: 2 });
    // One of the two may be delivered again before the other is back, so their order here is free.
    assert.deepEqual(sorted(bodies(again.messages)), ['m-0', 'm-1']);
    assert.ok(again.messages.every((one) => one.redelivered));
    await call('settle', { consumer, handles: again.messages.map((one) => one.handle) });
    const rest = await call('take', { consumer, count: 2 });
    assert.deepEqual(
      rest.messages.map((one) => [text(one.body), one.redelivered]),
      [
        ['m-2', false],
        ['m-3', false],
      ],
    );
    await call('close', { consumer });
  });

  test(`${client}: a channel that closes gives back what was not acknowledged, in order`, async () => {
    const name = await queue();
    await call('publish', { messages: numbered(4, 'm').map((one) => ({ ...one, routingKey: name })) });
    const first = await call('subscribe', { queue: name, prefetch: 10 });
    const { messages } = await call('take', { consumer: first.consumer, count: 4 });
    await call('settle', { consumer: first.consumer, handles: [messages[1]!.handle] });
    await call('close', { consumer: first.consumer });
    const second = await call('subscribe', { queue: name, prefetch: 10 });
    const again = await call('take', { consumer: second.consumer, count: 4, waitMs: 1_500 });
    assert.deepEqual(
      again.messages.map((one) => [text(one.body), one.redelivered]),
      [
        ['m-0', true],
        ['m-2', true],
        ['m-3', true],
      ],
    );
    await call('close', { consumer: second.consumer });
  });

  test(`${client}: a rejected message goes to the dead-letter exchange`, async () => {
    const [dead, name, exchange] = [await queue(), fresh('q'), fresh('dlx')];
    await call('declare', {
      exchanges: [{ name: exchange, type: 'fanout' }],
      queues: [{ name, args: { 'x-dead-letter-exchange': exchange } }],
      bindings: [{ queue: dead, exchange, key: '' }],
    });
    await call('publish', { messages: [message({ body: 'bad', routingKey: name, headers: { h: 'v' } })] });
    const { consumer } = await call('subscribe', { queue: name });
    const { messages } = await call('take', { consumer, count: 1 });
    await call('settle', { consumer, handles: [messages[0]!.handle], how: 'reject' });
    await call('close', { consumer });
    let got: Reply | null = null;
    for (let i = 0; i < 20 && !got?.message; i++) {
      got = await call('get', { queue: dead });
      if (!got.message) await new Promise((done) => setTimeout(done, 100));
    }
    assertSame({ ...got!.message!, key: null }, message({ body: 'bad', headers: { h: 'v' } }));
  });

  test(`${client}: get tells how many are left, and nothing from an empty queue`, async () => {
    const name = await queue();
    await call('publish', { messages: numbered(2, 'm').map((one) => ({ ...one, routingKey: name })) });
    const seen: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      const { message: got, remaining } = await call('get', { queue: name });
      seen.push(got ? [text(got.body), remaining] : null);
    }
    assert.deepEqual(seen, [['m-0', 1], ['m-1', 0], null]);
  });

  test(`${client}: a missing queue is a 404 that leaves the connection usable`, async () => {
    await assert.rejects(call('queueState', { queue: fresh('missing') }), /404|NOT_FOUND/);
    const name = await queue();
    assert.equal((await call('queueState', { queue: name })).ready, 0);
  });
}
