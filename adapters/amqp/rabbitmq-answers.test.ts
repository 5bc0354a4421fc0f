/**
 * The answers that RabbitMQ 3.10.8 gave to these situations, in this order, on one broker: codes, texts and what they
 * close are recorded in specs/amqp/vectors. Applications and client test suites match on them.
 */

import type { AddressInfo, Server } from 'node:net';
import { createServer } from 'node:net';
import type { Channel, ConsumeMessage } from 'amqplib';
import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import recorded from '../../specs/amqp/vectors/rabbitmq-answers.json' with { type: 'json' };
import type { Adapter } from '../adapter.ts';
import { harness } from './testing/harness.ts';
import { turns } from './testing/test-clock.ts';

type Answer = { closes: string; code: number; text: string } | { result: unknown };

const ack = (channel: Channel, deliveryTag: number, multiple = false): void =>
  channel.ack({ fields: { deliveryTag } } as ConsumeMessage, multiple);

const nothing = (): void => {};

const cases: Record<string, (channel: Channel) => unknown> = {
  'passive missing queue': (c) => c.checkQueue('nope'),
  'passive missing exchange': (c) => c.checkExchange('nope'),
  'ineq durable': async (c) => {
    await c.assertQueue('p1', { durable: true });
    await c.assertQueue('p1', { durable: false });
  },
  'ineq autodelete': (c) => c.assertQueue('p1', { durable: true, autoDelete: true }),
  'ineq exclusive': (c) => c.assertQueue('p1', { durable: true, exclusive: true }),
  'ineq ttl none': (c) => c.assertQueue('p1', { durable: true, messageTtl: 1000 }),
  'ineq unknown arg': (c) => c.assertQueue('p1', { durable: true, arguments: { foo: 1 } }),
  'ttl num equal': async (c) => {
    await c.assertQueue('p2', { arguments: { 'x-message-ttl': 1000 } });
    return c.assertQueue('p2', { arguments: { 'x-message-ttl': { '!': 'int64', value: 1000 } } });
  },
  'ineq ttl other': (c) => c.assertQueue('p2', { arguments: { 'x-message-ttl': 2000 } }),
  'ineq ttl missing': (c) => c.assertQueue('p2', {}),
  'bad ttl string': (c) => c.assertQueue('p3', { arguments: { 'x-message-ttl': 'a' } }),
  'bad ttl neg': (c) => c.assertQueue('p3', { arguments: { 'x-message-ttl': -1 } }),
  'bad dlx': (c) => c.assertQueue('p3', { arguments: { 'x-dead-letter-exchange': 5 } }),
  'dlrk without dlx': (c) => c.assertQueue('p3', { arguments: { 'x-dead-letter-routing-key': 'a' } }),
  'bad type': (c) => c.assertQueue('p3', { arguments: { 'x-queue-type': 'nope' } }),
  'bad type type': (c) => c.assertQueue('p3', { arguments: { 'x-queue-type': 5 } }),
  'quorum exclusive': (c) => c.assertQueue('p3', { exclusive: true, arguments: { 'x-queue-type': 'quorum' } }),
  'quorum nondurable': (c) => c.assertQueue('p3', { durable: false, arguments: { 'x-queue-type': 'quorum' } }),
  'quorum autodelete': (c) => c.assertQueue('p3', { autoDelete: true, arguments: { 'x-queue-type': 'quorum' } }),
  'quorum servernamed': (c) => c.assertQueue('', { arguments: { 'x-queue-type': 'quorum' } }),
  'classic delivery limit': (c) => c.assertQueue('p4', { arguments: { 'x-delivery-limit': 3 } }),
  'quorum priority': (c) => c.assertQueue('p3', { arguments: { 'x-queue-type': 'quorum', 'x-max-priority': 3 } }),
  'amq. queue': (c) => c.assertQueue('amq.foo'),
  'amq. exchange': (c) => c.assertExchange('amq.foo', 'direct'),
  'amq.topic ok': (c) => c.assertExchange('amq.topic', 'topic'),
  'amq.topic bad type': (c) => c.assertExchange('amq.topic', 'direct'),
  'passive amq.topic': (c) => c.checkExchange('amq.topic'),
  'unknown type': (c) => c.assertExchange('e1', 'nope'),
  'e ineq type': async (c) => {
    await c.assertExchange('e2', 'direct');
    await c.assertExchange('e2', 'fanout');
  },
  'e ineq durable': (c) => c.assertExchange('e2', 'direct', { durable: false }),
  'e ineq autodel': (c) => c.assertExchange('e2', 'direct', { autoDelete: true }),
  'e ineq internal': (c) => c.assertExchange('e2', 'direct', { internal: true }),
  'e ineq ae': (c) => c.assertExchange('e2', 'direct', { alternateExchange: 'x' }),
  'e default declare': (c) => c.assertExchange('', 'direct'),
  'e default passive': (c) => c.checkExchange(''),
  'e default delete': (c) => c.deleteExchange(''),
  'e default bind': (c) => c.bindQueue('p1', '', 'x'),
  'e delete amq': (c) => c.deleteExchange('amq.topic'),
  'e delete missing': (c) => c.deleteExchange('missing'),
  'e delete in use': async (c) => {
    await c.bindQueue('p1', 'e2', 'x');
    await c.deleteExchange('e2', { ifUnused: true });
  },
  'bind missing ex': (c) => c.bindQueue('p1', 'missing', 'x'),
  'bind missing q': (c) => c.bindQueue('missing', 'e2', 'x'),
  'unbind missing ex': (c) => c.unbindQueue('p1', 'missing', 'x'),
  'unbind missing q': (c) => c.unbindQueue('missing', 'e2', 'x'),
  'unbind missing binding': (c) => c.unbindQueue('p1', 'e2', 'never'),
  'delete missing q': (c) => c.deleteQueue('missing'),
  'purge missing q': (c) => c.purgeQueue('missing'),
  'delete not empty': async (c) => {
    c.sendToQueue('p1', Buffer.from('x'));
    await c.checkQueue('p1');
    await c.deleteQueue('p1', { ifEmpty: true });
  },
  'delete in use': async (c) => {
    await c.consume('p1', nothing);
    await c.deleteQueue('p1', { ifUnused: true });
  },
  'consume missing': (c) => c.consume('missing', nothing),
  'get missing': (c) => c.get('missing'),
  'exclusive consume in use': async (c) => {
    await c.consume('p1', nothing);
    await c.consume('p1', nothing, { exclusive: true });
  },
  'consume excl in use2': async (c) => {
    await c.consume('p1', nothing, { exclusive: true });
    await c.consume('p1', nothing);
  },
  'consumer tag reuse': async (c) => {
    await c.consume('p1', nothing, { consumerTag: 't' });
    await c.consume('p1', nothing, { consumerTag: 't' });
  },
  'cancel unknown': (c) => c.cancel('zzz'),
  'ack unknown': async (c) => {
    ack(c, 7);
    await c.checkQueue('p1');
  },
  'ack 0': async (c) => {
    ack(c, 0);
    await c.checkQueue('p1');
  },
  'ack all none': async (c) => {
    ack(c, 0, true);
    return c.checkQueue('p1').then(() => 'ok');
  },
  'publish missing ex': async (c) => {
    c.publish('missing', 'x', Buffer.from('x'));
    await c.checkQueue('p1');
  },
  'publish internal': async (c) => {
    await c.assertExchange('eint', 'direct', { internal: true });
    c.publish('eint', 'x', Buffer.from('x'));
    await c.checkQueue('p1');
  },
  'publish bad expiration': async (c) => {
    c.publish('', 'p2', Buffer.from('x'), { expiration: 'foo' });
    await c.checkQueue('p1');
  },
  'publish neg expiration': async (c) => {
    c.publish('', 'p2', Buffer.from('x'), { expiration: '-1' });
    await c.checkQueue('p1');
  },
  'publish user id': async (c) => {
    c.publish('', 'p2', Buffer.from('x'), { userId: 'bob' });
    await c.checkQueue('p1');
  },
  'bind e2e missing src': (c) => c.bindExchange('e2', 'missing', 'x'),
  'bind e2e missing dst': (c) => c.bindExchange('missing', 'e2', 'x'),
  'headers bad x-match': async (c) => {
    await c.bindQueue('p1', 'amq.headers', '', { 'x-match': 'bogus' });
  },
  'no previously declared': (c) => c.consume('', nothing),
  'long queue name cr': (c) => c.assertQueue('p\r\nx'),
};

let server: Server;
let adapter: Adapter;
let warnings: string[] = [];

beforeAll(async () => {
  const on = await harness();
  adapter = on.adapter;
  warnings = on.warnings;
  server = createServer((socket) =>
    adapter.accept(socket, {
      listener: 'amqp',
      remote: { host: '127.0.0.1', port: 0 },
      local: { host: '127.0.0.1', port: 0 },
      tls: false,
      advertised: () => null,
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  adapter.cut();
  await new Promise((resolve) => server.close(resolve));
});

test.each(Object.keys(cases))('%s', async (name) => {
  const connection = await connect(`amqp://guest:guest@127.0.0.1:${(server.address() as AddressInfo).port}`);
  const closed: Answer[] = [];
  const note = (closes: string) => (error: Error & { code?: number }) => {
    const [, code, text] = /: (\d+) \([A-Z-]+\) with message "(.*)"$/s.exec(error.message) ?? [];
    closed.push({ closes, code: Number(code), text: text ?? error.message });
  };
  connection.on('error', note('connection'));
  const channel = await connection.createChannel();
  channel.on('error', note('channel'));
  let answer: Answer;
  try {
    answer = { result: await cases[name]!(channel) };
  } catch {
    while (closed.length === 0) await turns(1);
    answer = closed[0]!;
  }
  const answers: Record<string, unknown> = recorded.answers;
  expect({ answer, warnings }).toEqual({ answer: answers[name], warnings: [] });
  await connection.close().catch(nothing);
});

test('every recorded answer has its case', () => {
  expect(Object.keys(recorded.answers)).toEqual(Object.keys(cases));
});
