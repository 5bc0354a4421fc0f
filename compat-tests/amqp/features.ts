// RabbitMQ's extensions as applications use them, each with every client library: queues that expire, overflow, order by
// priority and dead-letter, consumers that take turns or stand by, direct replies, transactions.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DriverName, ReceivedMessage, Reply } from '../drivers/driver.ts';
import { bodies, message, numbered, text } from '../harness/messages.ts';
import { fresh, type Stage } from '../harness/suite.ts';
import { isAgainstPeers } from '../harness/target.ts';
import { sleep, until } from '../harness/wait.ts';

type Args = Record<string, unknown>;

class Actor {
  readonly #stage: Stage;
  readonly client: DriverName;

  constructor(stage: Stage, client: DriverName) {
    this.#stage = stage;
    this.client = client;
  }

  call(op: string, fields: Record<string, unknown>): Promise<Reply> {
    return this.#stage.call(this.client, `amqp.${op}`, fields);
  }

  async queue(args: Args = {}): Promise<string> {
    const name = fresh('q');
    await this.call('declare', { queues: [{ name, args }] });
    return name;
  }

  /** A queue whose dead letters go to another one through the default exchange. */
  async withDead(args: Args = {}): Promise<[string, string]> {
    const dead = await this.queue();
    const name = await this.queue({ 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead, ...args });
    return [name, dead];
  }

  async exchange(type: string, args: Args = {}): Promise<string> {
    const name = fresh('x');
    await this.call('declare', { exchanges: [{ name, type, args }] });
    return name;
  }

  bind(binding: { queue?: string; destination?: string; exchange: string; key?: string; args?: Args }): Promise<Reply> {
    return this.call('declare', { bindings: [{ key: '', ...binding }] });
  }

  async send(queue: string, ...texts: string[]): Promise<Reply['results']> {
    const messages = texts.map((body) => message({ body, routingKey: queue }));
    return (await this.call('publish', { messages })).results;
  }

  async ready(queue: string): Promise<number> {
    return (await this.call('queueState', { queue })).ready;
  }

  hasReady(queue: string, count: number): Promise<void> {
    return until(`${count} messages in ${queue}`, async () => (await this.ready(queue)) === count, 10_000);
  }

  async drain(queue: string): Promise<ReceivedMessage[]> {
    const all: ReceivedMessage[] = [];
    for (;;) {
      const { message: one } = await this.call('get', { queue });
      if (!one) return all;
      all.push(one);
    }
  }
}

const headerOf = (one: ReceivedMessage, name: string): string | null => text(one.headers[name]);

const FEATURES: Readonly<Record<string, (actor: Actor) => Promise<void>>> = {
  async 'messages expire into dead letters, by the queue and by themselves'(actor) {
    const [queue, dead] = await actor.withDead({ 'x-message-ttl': 400 });
    await actor.send(queue, 'by the queue');
    await actor.hasReady(dead, 1);
    await actor.call('publish', {
      messages: [message({ body: 'by itself', routingKey: queue, properties: { expiration: '50' } })],
    });
    await actor.hasReady(dead, 2);
    const got = await actor.drain(dead);
    assert.deepEqual(bodies(got), ['by the queue', 'by itself']);
    for (const one of got) {
      assert.equal(headerOf(one, 'x-first-death-reason'), 'expired');
      assert.equal(headerOf(one, 'x-first-death-queue'), queue);
    }
  },

  async 'a queue that nobody uses goes'(actor) {
    const queue = await actor.queue({ 'x-expires': 400 });
    // Even a passive declaration is a use, so it is asked for once.
    await sleep(1_500);
    await assert.rejects(actor.ready(queue), /404|NOT_FOUND/);
  },

  async 'a full queue drops its head, into dead letters'(actor) {
    const [queue, dead] = await actor.withDead({ 'x-max-length': 2 });
    await actor.send(queue, 'a', 'b', 'c', 'd');
    await actor.hasReady(dead, 2);
    assert.deepEqual(bodies(await actor.drain(queue)), ['c', 'd']);
    assert.deepEqual(
      (await actor.drain(dead)).map((one) => [text(one.body), headerOf(one, 'x-first-death-reason')]),
      [
        ['a', 'maxlen'],
        ['b', 'maxlen'],
      ],
    );
  },

  async 'a full queue refuses publishers'(actor) {
    const queue = await actor.queue({ 'x-max-length': 2, 'x-overflow': 'reject-publish' });
    assert.ok((await actor.send(queue, 'a', 'b')).every((one) => one.confirmed));
    const [refused] = await actor.send(queue, 'c');
    assert.ok(!refused!.confirmed && refused!.error, JSON.stringify(refused));
    assert.deepEqual(bodies(await actor.drain(queue)), ['a', 'b']);
  },

  async 'higher priorities first, in order within one'(actor) {
    const queue = await actor.queue({ 'x-max-priority': 5 });
    const sent = [
      ['one', 1],
      ['five', 5],
      ['three', 3],
      ['five again', 5],
      ['nine', 9],
    ] as const;
    await actor.call('publish', {
      messages: sent.map(([body, priority]) => message({ body, routingKey: queue, properties: { priority } })),
    });
    assert.deepEqual(bodies(await actor.drain(queue)), ['five', 'five again', 'nine', 'three', 'one']);
  },

  async 'a rejected message is retried through a waiting queue, its deaths are counted'(actor) {
    const work = fresh('work');
    const wait = await actor.queue({
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': work,
      'x-message-ttl': 100,
    });
    await actor.call('declare', {
      queues: [{ name: work, args: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': wait } }],
    });
    await actor.send(work, 'retried');
    const { consumer } = await actor.call('subscribe', { queue: work, prefetch: 1 });
    for (let i = 0; i < 3; i++) {
      const [one] = (await actor.call('take', { consumer, count: 1 })).messages;
      assert.equal(text(one!.body), 'retried');
      await actor.call('settle', { consumer, handles: [one!.handle], how: i < 2 ? 'reject' : 'ack' });
      if (i === 2) {
        assert.equal(headerOf(one!, 'x-first-death-queue'), work);
        assert.equal(headerOf(one!, 'x-first-death-reason'), 'rejected');
        assert.match(headerOf(one!, 'x-death')!, /expired[\s\S]*rejected|rejected[\s\S]*expired/);
      }
    }
    await actor.call('close', { consumer });
    assert.equal(await actor.ready(work), 0);
  },

  async 'a headers exchange matches all or any'(actor) {
    const exchange = await actor.exchange('headers');
    const [all, any] = [await actor.queue(), await actor.queue()];
    await actor.bind({ queue: all, exchange, args: { 'x-match': 'all', a: 'x', b: 'y' } });
    await actor.bind({ queue: any, exchange, args: { 'x-match': 'any', a: 'x', b: 'y' } });
    await actor.call('publish', {
      exchange,
      messages: [
        message({ body: 'both', headers: { a: 'x', b: 'y' } }),
        message({ body: 'one', headers: { a: 'x' } }),
        message({ body: 'none', headers: { a: 'z' } }),
      ],
    });
    assert.deepEqual(bodies(await actor.drain(all)), ['both']);
    assert.deepEqual(bodies(await actor.drain(any)), ['both', 'one']);
  },

  async 'exchanges are bound to exchanges, and an alternate one takes the rest'(actor) {
    const rest = await actor.exchange('fanout');
    const front = await actor.exchange('topic', { 'alternate-exchange': rest });
    const behind = await actor.exchange('fanout');
    const [bound, left] = [await actor.queue(), await actor.queue()];
    await actor.bind({ destination: behind, exchange: front, key: 'log.#' });
    await actor.bind({ queue: bound, exchange: behind });
    await actor.bind({ queue: left, exchange: rest });
    const { results } = await actor.call('publish', {
      exchange: front,
      mandatory: true,
      messages: [message({ body: 'a', routingKey: 'log.a' }), message({ body: 'b', routingKey: 'b' })],
    });
    assert.ok(results.every((one) => !one.returned));
    assert.deepEqual(bodies(await actor.drain(bound)), ['a']);
    assert.deepEqual(bodies(await actor.drain(left)), ['b']);
  },

  async 'copies by CC'(actor) {
    const [to, copy] = [await actor.queue(), await actor.queue()];
    await actor.call('publish', { messages: [message({ body: 'm', routingKey: to, properties: { cc: [copy] } })] });
    assert.deepEqual(bodies(await actor.drain(to)), ['m']);
    assert.deepEqual(bodies(await actor.drain(copy)), ['m']);
  },

  async 'one active consumer, the next takes over'(actor) {
    const queue = await actor.queue({ 'x-single-active-consumer': true });
    const first = await actor.call('subscribe', { queue, prefetch: 10 });
    const second = await actor.call('subscribe', { queue, prefetch: 10 });
    await actor.send(queue, 'a', 'b', 'c');
    const { messages } = await actor.call('take', { consumer: first.consumer, count: 3 });
    assert.deepEqual(bodies(messages), ['a', 'b', 'c']);
    assert.deepEqual((await actor.call('take', { consumer: second.consumer, count: 1, waitMs: 300 })).messages, []);
    await actor.call('settle', { consumer: first.consumer, handles: [messages[0]!.handle] });
    await actor.call('close', { consumer: first.consumer });
    const taken = await actor.call('take', { consumer: second.consumer, count: 2 });
    assert.deepEqual(
      taken.messages.map((one) => [text(one.body), one.redelivered]),
      [
        ['b', true],
        ['c', true],
      ],
    );
    await actor.call('close', { consumer: second.consumer });
  },

  async 'consumers of higher priority first'(actor) {
    const queue = await actor.queue();
    const low = await actor.call('subscribe', { queue, prefetch: 10 });
    const high = await actor.call('subscribe', { queue, prefetch: 2, args: { 'x-priority': 10 } });
    await actor.send(queue, 'a', 'b', 'c');
    assert.deepEqual(bodies((await actor.call('take', { consumer: high.consumer, count: 2 })).messages), ['a', 'b']);
    assert.deepEqual(bodies((await actor.call('take', { consumer: low.consumer, count: 1 })).messages), ['c']);
    for (const { consumer } of [low, high]) await actor.call('close', { consumer });
  },

  async 'an exclusive consumer is alone'(actor) {
    const queue = await actor.queue();
    const { consumer } = await actor.call('subscribe', { queue, exclusive: true });
    await assert.rejects(actor.call('subscribe', { queue }), /403|ACCESS_REFUSED/);
    await actor.call('close', { consumer });
    const after = await actor.call('subscribe', { queue });
    await actor.call('close', { consumer: after.consumer });
  },

  async 'a consumer hears that its queue is gone'(actor) {
    const queue = await actor.queue({ 'x-expires': 60_000 });
    const { consumer } = await actor.call('subscribe', { queue });
    await actor.call('delete', { queue });
    await until('the cancellation', async () => (await actor.call('cancelled', { consumer })).cancelled, 10_000);
  },

  async 'a question and its direct reply'(actor) {
    const queue = await actor.queue();
    const { consumer } = await actor.call('subscribe', { queue });
    const asked = actor.call('rpc', { queue, body: Buffer.from('question').toString('base64') });
    // Pika's one thread waits for the reply, so that another client has to give it.
    const [question] = (await actor.call('take', { consumer, count: 1 })).messages;
    const { replyTo, correlationId } = question!.system!;
    await actor.call('publish', {
      messages: [message({ body: 'answer', routingKey: replyTo!, properties: { correlationId: correlationId! } })],
    });
    const { message: answer } = await asked;
    assert.equal(text(answer!.body), 'answer');
    assert.equal(answer!.system!['correlationId'], 'question');
    await actor.call('close', { consumer });
  },

  async 'a transaction is all or nothing'(actor) {
    const queue = await actor.queue();
    await actor.call('tx', { queue, messages: numbered(3, 'rolled-back'), commit: false });
    await actor.call('tx', { queue, messages: numbered(3, 'committed'), commit: true });
    assert.deepEqual(bodies(await actor.drain(queue)), ['committed-0', 'committed-1', 'committed-2']);
  },

  async 'a delayed message comes when it is due'(actor) {
    const exchange = await actor.exchange('x-delayed-message', { 'x-delayed-type': 'direct' });
    const queue = await actor.queue();
    await actor.bind({ queue, exchange, key: 'k' });
    const { consumer } = await actor.call('subscribe', { queue });
    const sentAt = Date.now();
    await actor.call('publish', {
      exchange,
      messages: [
        message({ body: 'late', routingKey: 'k', properties: { delay: 900 } }),
        message({ body: 'soon', routingKey: 'k', properties: { delay: 300 } }),
        message({ body: 'now', routingKey: 'k' }),
      ],
    });
    const { messages } = await actor.call('take', { consumer, count: 3 });
    assert.deepEqual(bodies(messages), ['now', 'soon', 'late']);
    assert.ok(Date.now() - sentAt >= 890, `${Date.now() - sentAt} ms`);
    await actor.call('close', { consumer });
  },

  async 'a quorum queue gives up after its delivery limit'(actor) {
    const [queue, dead] = await actor.withDead({ 'x-queue-type': 'quorum', 'x-delivery-limit': 2 });
    await actor.send(queue, 'poison');
    const { consumer } = await actor.call('subscribe', { queue, prefetch: 1 });
    const counts: (string | null)[] = [];
    for (let i = 0; i < 3; i++) {
      const [one] = (await actor.call('take', { consumer, count: 1 })).messages;
      counts.push(headerOf(one!, 'x-delivery-count') ?? '0');
      await actor.call('settle', { consumer, handles: [one!.handle], how: 'retry' });
    }
    assert.deepEqual(counts, ['0', '1', '2']);
    await actor.hasReady(dead, 1);
    assert.equal(headerOf((await actor.drain(dead))[0]!, 'x-first-death-reason'), 'delivery_limit');
    await actor.call('close', { consumer });
  },
};

/** RabbitMQ has it as a plugin that its package does not bring. */
const OURS_ALONE: readonly string[] = ['a delayed message comes when it is due'];

/** Of a library that cannot do this, or of a driver that cannot. */
const CANNOT: Readonly<Partial<Record<DriverName, readonly string[]>>> = {
  amqplib: ['a transaction is all or nothing'],
  pika: ['a question and its direct reply'],
};

/** The features for one client, in turn. */
export function amqpFeatures(here: Stage, client: DriverName): void {
  void describe(client, () => {
    for (const [name, run] of Object.entries(FEATURES)) {
      if (CANNOT[client]?.includes(name) || (isAgainstPeers && OURS_ALONE.includes(name))) continue;
      void it(name, () => run(new Actor(here, client)));
    }
  });
}
