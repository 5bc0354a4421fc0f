/** The class tx, as RabbitMQ 3.10.8 was seen to do it; that a commit is atomic over queues is ours. */
import { describe, expect, test } from 'vitest';
import { BrokerError } from '../../core/errors.ts';
import { harness } from './testing/harness.ts';
import type { RawClient } from './testing/raw-client.ts';
import { turns } from './testing/test-clock.ts';

const select = async (client: RawClient): Promise<void> => {
  client.send(1, 'tx.select');
  await client.expect(1, 'tx.select-ok');
};
const commit = async (client: RawClient): Promise<void> => {
  client.send(1, 'tx.commit');
  await client.expect(1, 'tx.commit-ok');
};
const get = async (client: RawClient, queue: string): Promise<number> => {
  client.send(1, 'basic.get', { queue, noAck: false });
  const { deliveryTag } = await client.expect(1, 'basic.get-ok');
  await client.content(1);
  return Number(deliveryTag);
};

describe('a transaction', () => {
  test('publishes and acknowledges at its commit, over several queues, and not before', async () => {
    let on = await harness();
    const client = await on.client();
    const other = await on.client();
    for (const queue of ['jobs', 'a', 'b']) await client.declare(1, queue);
    client.toQueue(1, 'jobs', 'job');
    await select(client);
    const tag = await get(client, 'jobs');
    client.toQueue(1, 'a', '1', '2');
    client.publish(1, { exchange: '', routingKey: 'b' }, { headers: { n: 1 } }, Buffer.from('3'));
    client.send(1, 'basic.ack', { deliveryTag: tag, multiple: false });
    await turns(5);
    for (const queue of ['a', 'b'])
      expect(await other.declare(1, queue, { passive: true })).toMatchObject({ messageCount: 0 });
    await commit(client);
    client.destroy();
    other.destroy();
    await turns(5);
    await on.broker.close();
    on = await harness({ after: on });
    const again = await on.client();
    expect(await again.bodies(1, 'jobs')).toEqual([]);
    expect(await again.bodies(1, 'a')).toEqual(['1', '2']);
    expect(await again.drain(1, 'b')).toEqual([{ body: '3', routingKey: 'b', headers: { n: 1 } }]);
  });

  test('that is rolled back or not committed leaves everything as it was', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.declare(1, 'q');
    client.toQueue(1, 'q', 'a', 'b');
    await select(client);
    const [first, second] = [await get(client, 'q'), await get(client, 'q')];
    client.send(1, 'basic.ack', { deliveryTag: second, multiple: true });
    client.toQueue(1, 'q', 'never');
    client.send(1, 'tx.rollback');
    await client.expect(1, 'tx.rollback-ok');
    client.send(1, 'basic.ack', { deliveryTag: first, multiple: false });
    client.send(1, 'basic.nack', { deliveryTag: second, multiple: false, requeue: true });
    await commit(client);
    await get(client, 'q');
    client.toQueue(1, 'q', 'never either');
    client.send(1, 'channel.close', { replyCode: 200, replyText: '', classId: 0, methodId: 0 });
    await client.expect(1, 'channel.close-ok');
    await client.open(1);
    expect(await client.bodies(1, 'q')).toEqual(['b']);
  });

  test('keeps its acknowledgements when everything else is recovered', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.declare(1, 'q');
    client.toQueue(1, 'q', 'a', 'b', 'c');
    await select(client);
    const [first, , third] = [await get(client, 'q'), await get(client, 'q'), await get(client, 'q')];
    client.send(1, 'basic.ack', { deliveryTag: first });
    client.send(1, 'basic.ack', { deliveryTag: third });
    client.send(1, 'basic.recover', { requeue: true });
    await client.expect(1, 'basic.recover-ok');
    expect(await client.declare(1, 'q')).toMatchObject({ messageCount: 1 });
    client.send(1, 'tx.rollback');
    await client.expect(1, 'tx.rollback-ok');
    client.send(1, 'basic.ack', { deliveryTag: first });
    await commit(client);
    client.send(1, 'basic.recover', { requeue: true });
    await client.expect(1, 'basic.recover-ok');
    expect(await client.bodies(1, 'q')).toEqual(['b', 'c']);
  });

  test('gives direct replies with its commit, and none with a rollback', async () => {
    const { client: connect } = await harness();
    const [asker, server] = [await connect(), await connect()];
    await server.declare(1, 'rpc');
    await asker.consume(1, 'amq.rabbitmq.reply-to', { noAck: true });
    asker.publish(1, { exchange: '', routingKey: 'rpc' }, { replyTo: 'amq.rabbitmq.reply-to' }, Buffer.from('?'));
    await server.consume(1, 'rpc', { noAck: true });
    await server.expect(1, 'basic.deliver');
    const to = { exchange: '', routingKey: String((await server.content(1)).properties['replyTo']), mandatory: true };
    await select(server);
    server.publish(1, to, {}, Buffer.from('never'));
    server.send(1, 'tx.rollback');
    await server.expect(1, 'tx.rollback-ok');
    server.publish(1, to, {}, Buffer.from('answer'));
    await asker.nothing();
    server.send(1, 'tx.commit');
    await server.expect(1, 'basic.return');
    await server.content(1);
    await server.expect(1, 'tx.commit-ok');
    await asker.expect(1, 'basic.deliver');
    expect((await asker.content(1)).body.toString()).toBe('answer');
  });

  test('returns what is unroutable with its commit', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await select(client);
    client.publish(1, { exchange: '', routingKey: 'no', mandatory: true }, {}, Buffer.from('m'));
    await client.nothing();
    client.send(1, 'tx.commit');
    expect(await client.expect(1, 'basic.return')).toMatchObject({ replyCode: 312, routingKey: 'no' });
    expect((await client.content(1)).body.toString()).toBe('m');
    await client.expect(1, 'tx.commit-ok');
  });

  test.each([
    ['tx.commit', [], 'channel is not transactional'],
    ['tx.rollback', [], 'channel is not transactional'],
    ['confirm.select', ['tx.select'], 'cannot switch from tx to confirm mode'],
    ['tx.select', ['confirm.select'], 'cannot switch from confirm to tx mode'],
  ] as const)('%s after %o is refused', async (method, before, text) => {
    const { client: connect } = await harness();
    const client = await connect();
    for (const name of before) {
      client.send(1, name);
      await client.expect(1, `${name}-ok`);
    }
    client.send(1, method);
    const close = await client.expect(1, 'channel.close');
    expect([close['replyCode'], close['replyText']]).toEqual([406, `PRECONDITION_FAILED - ${text}`]);
  });

  test('an unknown or twice answered tag is an error at once, and so is a missing exchange', async () => {
    const { client: connect } = await harness();
    const client = await connect();
    await client.declare(1, 'q');
    client.toQueue(1, 'q', 'a');
    await select(client);
    const tag = await get(client, 'q');
    for (let n = 0; n < 2; n++) client.send(1, 'basic.ack', { deliveryTag: tag, multiple: false });
    expect((await client.expect(1, 'channel.close'))['replyText']).toBe(
      `PRECONDITION_FAILED - unknown delivery tag ${tag}`,
    );
    client.send(1, 'channel.close-ok');
    await client.open(1);
    await select(client);
    client.publish(1, { exchange: 'no', routingKey: 'k' }, {}, Buffer.from('m'));
    expect((await client.expect(1, 'channel.close'))['replyCode']).toBe(404);
  });

  test('that cannot be committed leaves its acknowledgements undone too', async () => {
    const { client: connect, broker } = await harness();
    const client = await connect();
    await client.declare(1, 'q');
    client.toQueue(1, 'q', 'job');
    await select(client);
    const tag = await get(client, 'q');
    client.send(1, 'basic.ack', { deliveryTag: tag, multiple: false });
    client.toQueue(1, 'q', 'never');
    broker.transact = () => {
      throw new BrokerError('storage-full', 'the disk is full');
    };
    client.send(1, 'tx.commit');
    expect((await client.expect(1, 'channel.close'))['replyText']).toMatch(/disk is full/);
    client.send(1, 'channel.close-ok');
    await client.open(1);
    expect(await client.bodies(1, 'q')).toEqual(['job']);
  });

  test('that is too large is refused before it fills the memory', async () => {
    const { client: connect } = await harness({ limits: { transactionBytesMax: 1000 } });
    const client = await connect();
    await client.declare(1, 'q');
    await select(client);
    for (let n = 0; n < 3; n++) client.toQueue(1, 'q', 'x'.repeat(300));
    expect((await client.expect(1, 'channel.close'))['replyText']).toMatch(/commit more often/);
    client.send(1, 'channel.close-ok');
    await client.open(1);
    expect(await client.bodies(1, 'q')).toEqual([]);
  });
});
