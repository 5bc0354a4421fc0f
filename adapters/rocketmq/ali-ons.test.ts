// A Node.js client of the protocol (ali-ons) as producer and push consumer, in this process, over TCP.

import { createRequire } from 'node:module';
import { afterEach, describe, expect, it } from 'vitest';
import { harness, listen } from './testing/harness.ts';

const require = createRequire(import.meta.url);

interface OnsMessage {
  body: Buffer;
  tags: string;
  keys: string;
  topic: string;
  reconsumeTimes: number;
  properties: Record<string, string>;
  delayTimeLevel: number;
}
interface Sent {
  sendStatus: string;
  msgId: string;
  queueOffset: number;
}
interface Ons {
  Producer: new (
    options: object,
  ) => { ready(): Promise<void>; send(message: object): Promise<Sent>; close(): Promise<void> };
  Consumer: new (
    options: object,
  ) => {
    ready(): Promise<void>;
    subscribe(topic: string, tags: string, handler: (message: OnsMessage) => Promise<unknown>): void;
    close(): Promise<void>;
    on(event: 'error', listener: (error: Error) => void): void;
  };
  Message: new (topic: string, tags: string, body: string | Buffer) => OnsMessage;
}
const ons = require('ali-ons') as Ons;
const nothing = (): void => undefined;
const logger = { info: nothing, warn: nothing, error: nothing, debug: nothing };
/** What the client wants for fetching name servers over HTTP, which it does not do with `nameSrv`. */
const httpclient = { request: nothing };

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start() {
  const started = await harness();
  const { adapter, context, defects } = started;
  closing.push(() => started.close());
  // This client does not know automatic creation: an unknown topic is an error to it.
  const nobody = context.anonymous('');
  await context.broker.createTopic(nobody, { namespace: 'default', kind: 'topic', name: 'Orders', queues: 4 });
  const listener = await listen(adapter);
  closing.push(() => listener.close());
  // A closed client ends what it is doing first: its timed tasks go on until they look up, and must find us then.
  closing.push(() => new Promise((resolve) => setTimeout(resolve, 1500)));
  const nameSrv = `127.0.0.1:${listener.port}`;
  const common = { nameSrv, logger, httpclient };
  return { adapter, defects, common };
}

describe('ali-ons', () => {
  it('sends, receives by tag, in every queue, and is given back what it could not handle', async () => {
    const { defects, common } = await start();
    const producer = new ons.Producer({ ...common, producerGroup: 'PG', instanceName: 'p' });
    await producer.ready();
    closing.push(() => producer.close());
    const first = await producer.send(new ons.Message('Orders', 'A', 'first'));
    expect(first).toMatchObject({ sendStatus: 'SEND_OK', queueOffset: 0 });
    expect(first.msgId).toMatch(/^7F000001[0-9A-F]{24}$/);

    const received: string[] = [];
    const errors: string[] = [];
    let failures = 0;
    const consumer = new ons.Consumer({
      ...common,
      consumerGroup: 'CG',
      instanceName: 'c',
      consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
      rebalanceInterval: 200,
      pollNameServerInteval: 500,
      pullTimeDelayMillsWhenException: 100,
    });
    closing.push(async () => {
      await consumer.close();
      consumer.on('error', nothing);
    });
    consumer.on('error', (error) => errors.push(error.message));
    consumer.subscribe('Orders', 'A || C', async (message) => {
      if (message.body.toString() === 'again' && failures++ === 0) throw new Error('not yet');
      received.push(message.body.toString());
    });
    await consumer.ready();
    for (const [tag, body] of [
      ['A', 'second'],
      ['B', 'not for us'],
      ['C', 'third'],
      ['C', 'again'],
    ] as const) {
      await producer.send(new ons.Message('Orders', tag, body));
    }
    const many = Array.from({ length: 40 }, (_, i) => `m${i}`);
    for (const body of many) await producer.send(new ons.Message('Orders', 'A', body));
    await expect.poll(() => received.length, { timeout: 15_000 }).toBe(43);
    expect(new Set(received)).toEqual(new Set(['first', 'second', 'third', ...many]));
    // What failed was taken back (its retry is 10 s away); for queues where the group is new the client says so.
    expect(failures).toBe(1);
    expect(errors.filter((text) => !/maybe this group consumer boot first|not yet/.test(text))).toEqual([]);
    expect(defects).toEqual([]);
  }, 30_000);
});
