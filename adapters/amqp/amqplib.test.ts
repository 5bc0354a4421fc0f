/** A real client over TCP: what applications written with amqplib rely on, against the real broker. */

import type { AddressInfo, Server } from 'node:net';
import { createServer } from 'node:net';
import type { Channel, ChannelModel, ConfirmChannel, ConsumeMessage } from 'amqplib';
import { connect } from 'amqplib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Adapter } from '../adapter.ts';
import { harness } from './testing/harness.ts';

let server: Server;
let adapter: Adapter;
let connection: ChannelModel;
let channel: ConfirmChannel;

const open = (): Promise<ChannelModel> =>
  connect(`amqp://guest:guest@127.0.0.1:${(server.address() as AddressInfo).port}`);

beforeEach(async () => {
  ({ adapter } = await harness());
  server = createServer((socket) => {
    socket.setNoDelay(true);
    adapter.accept(socket, {
      listener: 'amqp',
      remote: { host: '127.0.0.1', port: socket.remotePort ?? 0 },
      local: { host: '127.0.0.1', port: socket.localPort ?? 0 },
      tls: false,
      advertised: () => null,
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  connection = await open();
  connection.on('error', () => {});
  channel = await connection.createConfirmChannel();
  channel.on('error', () => {});
});

afterEach(async () => {
  await connection.close().catch(() => {});
  adapter.cut();
  await new Promise((resolve) => server.close(resolve));
});

/** The next messages of a queue, each acknowledged. */
async function take(from: Channel, queue: string, count: number): Promise<ConsumeMessage[]> {
  const got: ConsumeMessage[] = [];
  const all = Promise.withResolvers<void>();
  const { consumerTag } = await from.consume(queue, (message) => {
    if (message === null) return;
    got.push(message);
    from.ack(message);
    if (got.length === count) all.resolve();
  });
  await all.promise;
  await from.cancel(consumerTag);
  return got;
}

describe('amqplib', () => {
  test('ten thousand confirmed messages arrive once and in order', async () => {
    await channel.assertQueue('work');
    for (let i = 0; i < 10_000; i++) channel.sendToQueue('work', Buffer.from(String(i)), { persistent: true });
    await channel.waitForConfirms();
    expect(await channel.checkQueue('work')).toMatchObject({ messageCount: 10_000, consumerCount: 0 });
    await channel.prefetch(100);
    const got = await take(channel, 'work', 10_000);
    expect(got.map((message) => Number(message.content.toString()))).toEqual([...Array(10_000).keys()]);
    expect(await channel.checkQueue('work')).toMatchObject({ messageCount: 0 });
  });

  test('a mandatory message without a route is returned before its confirm', async () => {
    const log: string[] = [];
    channel.on('return', (message) => log.push(`return ${message.content.toString()}`));
    await new Promise<void>((resolve) => {
      channel.publish('', 'nowhere', Buffer.from('x'), { mandatory: true }, () => {
        log.push('confirm');
        resolve();
      });
    });
    expect(log).toEqual(['return x', 'confirm']);
  });

  test('topic and fanout exchanges, a body of 1 MiB and headers of every kind', async () => {
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.assertExchange('events', 'topic');
    await channel.assertExchange('all', 'fanout');
    await channel.bindExchange('all', 'events', 'order.#');
    await channel.bindQueue(queue, 'all', '');
    const headers = {
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      n: 1,
      list: [1, 'a'],
      deep: { a: null },
    };
    const body = Buffer.alloc(1024 * 1024, 'z');
    channel.publish('events', 'order.eu.new', body, { headers });
    const [message] = await take(channel, queue, 1);
    expect(message!.content.equals(body)).toBe(true);
    expect(message!.properties.headers).toEqual(headers);
    expect(message!.fields).toMatchObject({ exchange: 'events', routingKey: 'order.eu.new' });
  });

  test('rejected and expired messages are dead-lettered and say why', async () => {
    await channel.assertExchange('dlx', 'direct');
    await channel.assertQueue('dead');
    await channel.bindQueue('dead', 'dlx', 'died');
    await channel.assertQueue('work', { deadLetterExchange: 'dlx', deadLetterRoutingKey: 'died' });
    channel.sendToQueue('work', Buffer.from('bad'), { headers: { a: 1 } });
    await channel.waitForConfirms();
    const message = await channel.get('work');
    if (message === false) throw new Error('nothing there');
    channel.nack(message, false, false);
    const [dead] = await take(channel, 'dead', 1);
    expect(dead!.content.toString()).toBe('bad');
    expect(dead!.fields).toMatchObject({ exchange: 'dlx', routingKey: 'died', redelivered: false });
    expect(dead!.properties.headers).toMatchObject({
      a: 1,
      'x-death': [{ count: 1, reason: 'rejected', queue: 'work', exchange: '', 'routing-keys': ['work'] }],
      'x-first-death-queue': 'work',
      'x-first-death-reason': 'rejected',
    });
  });

  test('errors close the channel with a text, and the connection lives on', async () => {
    const failed = await connection.createChannel();
    const heard = new Promise<Error>((resolve) => failed.on('error', resolve));
    await expect(failed.checkQueue('nope')).rejects.toThrow("NOT_FOUND - no queue 'nope' in vhost '/'");
    expect((await heard).message).toContain('404');
    await channel.assertQueue('fine');
  });

  test('a lost connection returns its messages to others', async () => {
    const other = await open();
    const reader = await other.createChannel();
    await channel.assertQueue('work');
    channel.sendToQueue('work', Buffer.from('x'));
    await channel.waitForConfirms();
    await new Promise<void>((resolve) => void reader.consume('work', () => resolve()));
    other.on('error', () => {});
    (other.connection as unknown as { stream: { destroy(): void } }).stream.destroy();
    const [message] = await take(channel, 'work', 1);
    expect(message!.fields.redelivered).toBe(true);
  });

  test('consumers of a deleted queue are told', async () => {
    const { queue } = await channel.assertQueue('short');
    const told = new Promise<ConsumeMessage | null>((resolve) => void channel.consume(queue, resolve));
    await channel.checkQueue(queue);
    await channel.deleteQueue(queue);
    expect(await told).toBeNull();
  });
});
