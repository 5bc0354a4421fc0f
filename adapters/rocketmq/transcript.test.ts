// Conversations in raw frames over a duplex pair: what each request answers, and what hostile bytes do.

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { Codec, Message } from '../../core/types.ts';
import { REQUESTS } from '../../specs/rocketmq/requests.ts';
import { FORMAT } from '../adapter.ts';
import { handledCodes } from './dispatch.ts';
import { parseBody } from './json-body.ts';
import {
  duplexPair,
  type Harness,
  type HarnessOptions,
  harness,
  infoOf,
  jsonFrame,
  RawClient,
  type Response,
  readResponse,
} from './testing/harness.ts';
import { batchBody, heartbeat, pullFields, sendFields, units } from './testing/requests.ts';

const vectors = JSON.parse(
  readFileSync(new URL('../../specs/rocketmq/vectors/rocketmq-5.3.3.json', import.meta.url), 'utf8'),
) as Record<string, string>;

const clients: RawClient[] = [];
let current: Harness | undefined;
afterEach(async () => {
  for (const client of clients.splice(0)) client.stream.destroy();
  expect(current?.defects ?? []).toEqual([]);
  await current?.close();
  current = undefined;
});

async function start(options: HarnessOptions = {}): Promise<Harness> {
  const started = await harness(options);
  current = started;
  return started;
}

function client(on: Harness): RawClient {
  const made = new RawClient(on.adapter);
  clients.push(made);
  return made;
}

describe('the dispatch table', () => {
  it('has a handler for exactly what the rows call served or refused', () => {
    const wanted = REQUESTS.filter((row) => row.state === 'served' || row.state === 'refused').map((row) => row.code);
    expect(handledCodes().sort((a, b) => a - b)).toEqual(wanted.sort((a, b) => a - b));
    expect(new Set(REQUESTS.map((row) => row.code)).size).toBe(REQUESTS.length);
  });

  it('refuses what the rows call refused with 16, however it is asked', async () => {
    const raw = client(await start());
    for (const row of REQUESTS.filter((each) => each.state === 'refused')) {
      const required = row.fields.filter((field) => field.required).map((field) => [field.name, '1']);
      expect(await raw.request(row.code, Object.fromEntries(required))).toMatchObject({ code: 16 });
    }
  });

  it('answers every other code, known or not, with 3, and a request without its required fields with 1', async () => {
    const raw = client(await start());
    const handled = new Set(handledCodes());
    const unknown = [...REQUESTS.map((row) => row.code).filter((code) => !handled.has(code)), 99_999, -1, 0];
    for (const code of unknown) expect(await raw.request(code)).toMatchObject({ code: 3 });
    for (const row of REQUESTS.filter(
      (each) => handled.has(each.code) && each.fields.some((field) => field.required),
    )) {
      const first = row.fields.find((field) => field.required)!.name;
      expect(await raw.request(row.code)).toMatchObject({ code: 1, remark: `the custom field <${first}> is null` });
    }
  });
});

describe('routes', () => {
  it('17 for an unknown topic, the template for TBW102, then the topic that a send created', async () => {
    const raw = client(await start());
    expect(await raw.request(105, { topic: 'Orders' })).toMatchObject({ code: 17 });
    const template = JSON.parse((await raw.request(105, { topic: 'TBW102' })).body.toString());
    expect(template.queueDatas).toEqual([
      { brokerName: 'rosettamq', perm: 7, readQueueNums: 8, topicSysFlag: 0, writeQueueNums: 8 },
    ]);
    expect(await raw.request(310, sendFields('Orders', '', { d: '16' }), 'x')).toMatchObject({ code: 0 });
    const route = await raw.request(105, { topic: 'Orders' });
    expect(route.body.toString()).toBe(
      '{"brokerDatas":[{"brokerAddrs":{"0":"127.0.0.1:10911"},"brokerName":"rosettamq","cluster":"DefaultCluster",' +
        '"enableActingMaster":false}],"filterServerTable":{},"queueDatas":[{"brokerName":"rosettamq","perm":6,' +
        '"readQueueNums":8,"topicSysFlag":0,"writeQueueNums":8}]}',
    );
    const old = (await raw.request(105, { topic: 'Orders' }, '', 399)).body.toString();
    expect(old).toContain('{"brokerAddrs":{0:"127.0.0.1:10911"}');
    const asked = await raw.request(105, { topic: 'Orders', acceptStandardJsonOnly: 'true' }, '', 317);
    expect(asked.body.toString()).toContain('{"0":');
  });

  it('thousands of sends that meet an unknown topic together all find it, in their order', async () => {
    const raw = client(await start());
    const sent = await Promise.all(
      Array.from({ length: 3000 }, (_, i) => raw.request(310, sendFields('Burst'), `m${i}`)),
    );
    expect(sent.map((answer) => answer.ext['queueOffset'])).toEqual(sent.map((_, i) => String(i)));
  });

  it('on a disk that is too slow, further sends are told to come back later (2) and why; the others are stored', async () => {
    const raw = client(await start({ syncMs: 500, limits: { sendsMax: 1000 } }));
    await raw.request(310, sendFields('Orders'), 'x');
    const sends = 1000;
    const held = Array.from({ length: sends }, () => raw.request(310, sendFields('Orders'), 'x'));
    const refused = await raw.request(310, sendFields('Orders'), 'x');
    expect(refused).toMatchObject({
      code: 2,
      remark: '[REJECTREQUEST]system busy: 1000 sends of this connection wait for the disk, slow down',
    });
    const answers = await Promise.all(held);
    expect(answers.filter((answer) => answer.code === 0)).toHaveLength(sends);
    expect(await raw.request(310, sendFields('Orders'), 'x')).toMatchObject({
      code: 0,
      ext: { queueOffset: String(sends + 1) },
    });
  });

  it('no topic is created by a send where that is switched off', async () => {
    const raw = client(await start({ settings: { autoCreateTopics: false } }));
    expect(await raw.request(105, { topic: 'TBW102' })).toMatchObject({ code: 17 });
    expect(await raw.request(310, sendFields('Orders'), 'x')).toMatchObject({ code: 17 });
  });

  it('the raw dialect is what the Java library prints', async () => {
    const raw = client(await start({ settings: { brokerName: 'b' } }));
    await raw.request(310, sendFields('Orders'), 'x');
    expect((await raw.request(105, { topic: 'Orders' }, '', 121)).body.toString()).toBe(vectors['routeRaw']);
    expect((await raw.request(106)).body.toString()).toBe(
      '{"brokerAddrTable":{"b":{"brokerAddrs":{0:"127.0.0.1:10911"},"brokerName":"b","cluster":"DefaultCluster",' +
        '"enableActingMaster":false}},"clusterAddrTable":{"DefaultCluster":["b"]}}',
    );
  });
});

describe('sending', () => {
  it('gives consecutive offsets and ids that lead back to the message', async () => {
    const raw = client(await start());
    const first = await raw.request(310, sendFields('Orders', 'KEYS\u0001a b\u0002TAGS\u0001T\u0002'), 'one');
    expect(first).toMatchObject({ code: 0, ext: { queueId: '0', queueOffset: '0' } });
    const second = await raw.request(310, sendFields('Orders'), 'two');
    expect(second.ext['queueOffset']).toBe('1');
    const physical = BigInt(`0x${second.ext['msgId']!.slice(16)}`);
    const viewed = await raw.request(33, { offset: String(physical) });
    expect(units(viewed.body)).toMatchObject([{ body: 'two', offset: 1, physical, topic: 'Orders' }]);
    expect(await raw.request(33, { offset: '-1' })).toMatchObject({ code: 1 });
    const found = await raw.request(12, {
      topic: 'Orders',
      key: 'b',
      maxNum: 9,
      beginTimestamp: 0,
      endTimestamp: '9223372036854775807',
    });
    expect(units(found.body)).toMatchObject([{ body: 'one', properties: 'KEYS\u0001a b\u0002TAGS\u0001T\u0002' }]);
    const none = await raw.request(12, { topic: 'Orders', key: 'c', maxNum: 9, beginTimestamp: 0, endTimestamp: 1 });
    expect(none.code).toBe(22);
  });

  it('finds each message of a large batch by each of its words, and once', async () => {
    const raw = client(await start());
    const properties = Array.from(
      { length: 60 },
      (_, n) => `UNIQ_KEY\u0001U${n}\u0002KEYS\u0001order-${n} U${n} all\u0002`,
    );
    expect(await raw.request(320, sendFields('Orders'), batchBody(properties))).toMatchObject({ code: 0 });
    const find = async (key: string, more: object = {}): Promise<string[]> => {
      const asked = {
        topic: 'Orders',
        key,
        maxNum: 64,
        beginTimestamp: 0,
        endTimestamp: '9223372036854775807',
        ...more,
      };
      return units((await raw.request(12, asked)).body).map(({ body }) => body);
    };
    for (const n of [0, 31, 59]) {
      expect(await find(`order-${n}`)).toEqual([String(n)]);
      expect(await find(`U${n}`, { _UNIQUE_KEY_QUERY: 'true' })).toEqual([String(n)]);
    }
    expect(await find('all')).toEqual(properties.map((_, n) => String(n)));
  });

  it('10 with spelled-out names; numbers and booleans that are no strings, as Node.js clients send them', async () => {
    const raw = client(await start());
    const fields = {
      producerGroup: 'PG',
      topic: 'Orders',
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: 4,
      queueId: 1,
      sysFlag: 0,
      bornTimestamp: 1700000000000,
      flag: 0,
      properties: '',
      batch: false,
    };
    expect(await raw.request(10, fields, 'x')).toMatchObject({ code: 0, ext: { queueId: '1' } });
  });

  it('a batch takes consecutive offsets and is pulled as single messages', async () => {
    const raw = client(await start());
    const sent = await raw.request(
      320,
      sendFields('Orders', '', { m: 'true' }),
      Buffer.from(vectors['batchBody']!, 'hex'),
    );
    expect(sent).toMatchObject({ code: 0, ext: { queueOffset: '0' } });
    expect(sent.ext['msgId']!.split(',')).toHaveLength(3);
    const pulled = await raw.request(11, pullFields('Orders', 1, { maxMsgNums: '1' }));
    expect(pulled.ext).toMatchObject({ nextBeginOffset: '2', minOffset: '0', maxOffset: '3' });
    expect(units(pulled.body)).toMatchObject([{ offset: 1, body: '' }]);
    const tagged = await raw.request(11, pullFields('Orders', 0, { subscription: 'T2' }));
    expect(units(tagged.body)).toMatchObject([{ offset: 2, body: 'body2' }]);
  });

  it.each([
    ['a queue that is not there', { e: '4' }, 'x', 29],
    ['a topic that may not be called so', { b: 'no.dots' }, 'x', 13],
    ['a topic of 128 characters', { b: 'T'.repeat(128) }, 'x', 13],
    ['a system topic', { b: 'SCHEDULE_TOPIC_XXXX' }, 'x', 16],
    ['another template', { b: 'New', c: 'OTHER' }, 'x', 17],
    ['a transaction', { i: 'TRAN_MSG\u0001true\u0002' }, 'x', 16],
    ['a delay that is no number', { i: 'DELAY\u0001soon\u0002' }, 'x', 13],
    ['properties of 32,768 bytes', { i: `P\u0001${'v'.repeat(32_765)}\u0002` }, 'x', 13],
    ['a body over 4 MiB', {}, Buffer.alloc(4 * 1024 * 1024 + 1), 13],
    ['a field that is no number', { e: 'one' }, 'x', 1],
    ['a batch that does not add up', { m: 'true' }, 'xxxx', 13],
    ['an empty batch', { m: 'true' }, '', 13],
  ])('refuses %s', async (_what, fields, body, code) => {
    const raw = client(await start());
    await raw.request(310, sendFields('Orders'), 'x');
    expect(await raw.request(310, sendFields('Orders', '', fields), body)).toMatchObject({ code });
    // The connection goes on.
    expect(await raw.request(310, sendFields('Orders'), 'y')).toMatchObject({ code: 0, ext: { queueOffset: '1' } });
  });

  it('a oneway send is stored and not answered, even when it is refused', async () => {
    const raw = client(await start());
    await raw.request(310, sendFields('Orders'), 'first');
    raw.oneway(310, sendFields('Orders'), 'second');
    raw.oneway(310, sendFields('Orders', '', { e: '9' }), 'refused');
    raw.oneway(9999, {});
    const pulled = await raw.request(11, pullFields('Orders', 1, { sysFlag: '6' }));
    expect(units(pulled.body)).toMatchObject([{ body: 'second' }]);
    expect(raw.unasked).toEqual([]);
  });

  it('a delayed message is not there before its time; DELAY itself is not delivered', async () => {
    const raw = client(await start());
    await raw.request(310, sendFields('Orders'), 'now');
    const sent = await raw.request(310, sendFields('Orders', 'A\u0001b\u0002DELAY\u00011\u0002'), 'later');
    expect(sent).toMatchObject({ code: 0, ext: { queueOffset: '-1' } });
    expect((await raw.request(30, { topic: 'Orders', queueId: 0 })).ext['offset']).toBe('1');
    const pulled = await raw.request(11, pullFields('Orders', 1, { sysFlag: '6', suspendTimeoutMillis: '3000' }));
    expect(units(pulled.body)).toMatchObject([{ body: 'later', properties: 'A\u0001b\u0002' }]);
  });

  it('many requests in one chunk, and the same bytes one by one, are answered alike and in order', async () => {
    const on = await start();
    const raw = client(on);
    await raw.request(310, sendFields('Orders'), 'x');
    const frames = Buffer.concat(
      [1, 2, 3, 4].map((opaque) =>
        jsonFrame({ code: 30, opaque: 1000 + opaque, extFields: { topic: 'Orders', queueId: '0' } }, Buffer.alloc(0)),
      ),
    );
    for (const pieceBytes of [frames.length, 1]) {
      const [ours, theirs] = duplexPair();
      on.adapter.accept(theirs, infoOf({ host: '127.0.0.1', port: 10911 }));
      const answers: number[] = [];
      let pending = Buffer.alloc(0);
      ours.on('data', (chunk: Buffer) => {
        pending = Buffer.concat([pending, chunk]);
        while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
          answers.push(readResponse(pending.subarray(0, 4 + pending.readInt32BE(0))).opaque);
          pending = pending.subarray(4 + pending.readInt32BE(0));
        }
      });
      for (let at = 0; at < frames.length; at += pieceBytes) ours.write(frames.subarray(at, at + pieceBytes));
      await expect.poll(() => answers).toEqual([1001, 1002, 1003, 1004]);
      ours.destroy();
    }
  });
});

describe('pulling', () => {
  it('every status code', async () => {
    const raw = client(await start());
    await raw.request(310, sendFields('Orders', 'TAGS\u0001A\u0002'), 'a');
    expect(await raw.request(11, pullFields('Nowhere', 0))).toMatchObject({ code: 17 });
    expect(await raw.request(11, pullFields('Orders', 0, { queueId: '9' }))).toMatchObject({ code: 29 });
    expect(await raw.request(11, pullFields('Orders', 0))).toMatchObject({ code: 0, remark: 'FOUND' });
    expect(await raw.request(11, pullFields('Orders', 1))).toMatchObject({ code: 19, ext: { nextBeginOffset: '1' } });
    expect(await raw.request(11, pullFields('Orders', 7))).toMatchObject({ code: 21, ext: { nextBeginOffset: '1' } });
    expect(await raw.request(11, pullFields('Orders', -1))).toMatchObject({ code: 21, ext: { nextBeginOffset: '0' } });
    const filtered = await raw.request(11, pullFields('Orders', 0, { subscription: 'B', sysFlag: '6' }));
    expect(filtered).toMatchObject({ code: 20, ext: { nextBeginOffset: '1' } });
    expect(await raw.request(11, pullFields('Orders', 0, { expressionType: 'SQL92' }))).toMatchObject({ code: 1 });
    expect(await raw.request(11, pullFields('Orders', 0, { sysFlag: '0' }))).toMatchObject({ code: 24 });
    await raw.request(34, {}, heartbeat('c1', 'CG', 'Orders', 'A', 5));
    raw.answers = () => ({ code: 1, body: Buffer.alloc(0) });
    expect(await raw.request(11, pullFields('Orders', 0, { sysFlag: '0', subVersion: '6' }))).toMatchObject({
      code: 25,
    });
    expect(await raw.request(11, pullFields('Orders', 0, { sysFlag: '0', subVersion: '5' }))).toMatchObject({
      code: 0,
    });
    expect(await raw.request(361, pullFields('Orders', 0))).toMatchObject({ code: 0 });
  });

  it('waits for a message, through those that its filter holds back, and gives up in time', async () => {
    const raw = client(await start());
    await raw.request(310, sendFields('Orders'), 'x');
    const began = Date.now();
    const none = raw.request(11, pullFields('Orders', 1, { sysFlag: '6', suspendTimeoutMillis: '200' }));
    expect(await none).toMatchObject({ code: 19 });
    expect(Date.now() - began).toBeGreaterThanOrEqual(195);
    const waiting = raw.request(
      11,
      pullFields('Orders', 1, { sysFlag: '6', subscription: 'T', suspendTimeoutMillis: '4000' }),
    );
    await raw.request(310, sendFields('Orders', 'TAGS\u0001other\u0002'), 'not this');
    await raw.request(310, sendFields('Orders', 'TAGS\u0001T\u0002'), 'this');
    const pulled = await waiting;
    expect(pulled).toMatchObject({ code: 0, ext: { nextBeginOffset: '3' } });
    expect(units(pulled.body)).toMatchObject([{ body: 'this', offset: 2 }]);
  });

  it('respects the limits of the request and always makes progress', async () => {
    const raw = client(await start());
    for (let i = 0; i < 5; i++) await raw.request(310, sendFields('Orders'), 'x'.repeat(1000));
    const byCount = await raw.request(11, pullFields('Orders', 1, { maxMsgNums: '2' }));
    expect(units(byCount.body).map((unit) => unit.offset)).toEqual([1, 2]);
    expect(byCount.ext['nextBeginOffset']).toBe('3');
    const bySize = await raw.request(11, pullFields('Orders', 0, { maxMsgBytes: '2500' }));
    expect(units(bySize.body)).toHaveLength(2);
    const tooSmall = await raw.request(11, pullFields('Orders', 4, { maxMsgBytes: '10' }));
    expect(units(tooSmall.body)).toHaveLength(1);
  });

  it('delivers what other protocols stored, record by record, from the middle of a batch on, filtered by tag', async () => {
    const messages: Message[] = ['a', 'b', 'a', 'c'].map((tag, i) => ({
      body: i === 3 ? null : Buffer.from(`m${i}`),
      key: Buffer.from([i === 0 ? 0xff : 0x6b]),
      tag,
      headers: [{ name: 'traceparent', value: Buffer.from('00-1-2-01') }],
      timestampMs: 1700000000000 + i,
    }));
    const other: Codec = { format: FORMAT.kafka, name: 'other', decode: () => messages };
    const on = await start({ codecs: [other] });
    const raw = client(on);
    await raw.request(310, sendFields('Orders'), 'own');
    const { broker } = on.context;
    const nobody = on.context.anonymous('');
    const topic = broker.topic('default', 'Orders')!;
    broker.append(
      nobody,
      {
        topic,
        queue: 0,
        exchange: null,
        namespace: '',
        routingKey: null,
        format: FORMAT.kafka,
        payload: Buffer.from('whatever'),
        records: 4,
        key: null,
        tagHash: -0x80000000,
        keys: null,
        recordTimeMaxMs: 0,
        flags: 0,
        producerId: -1,
        producerEpoch: -1,
        baseSequence: -1,
        expiryMs: 0,
        priority: 0,
        notBeforeMs: 0,
      },
      { appended: () => undefined },
      0,
    );
    const all = await raw.request(11, pullFields('Orders', 0, { sysFlag: '6' })).then(async (first) => {
      const next = await raw.request(11, pullFields('Orders', Number(first.ext['nextBeginOffset']), { sysFlag: '6' }));
      return [...units(first.body), ...(next.code === 0 ? units(next.body) : [])];
    });
    expect(all.map((unit) => [unit.offset, unit.body])).toEqual([
      [0, 'own'],
      [1, 'm0'],
      [2, 'm1'],
      [3, 'm2'],
      [4, ''],
    ]);
    expect(all[2]!.properties).toBe('KEYS\u0001k\u0002TAGS\u0001b\u0002traceparent\u000100-1-2-01\u0002');
    expect(all[1]!.properties).toContain('__ROSETTA_EXTRA\u0001{"key":"/w=="}');
    expect(all[4]!.properties).toContain('{"nullBody":true}');
    const middle = await raw.request(11, pullFields('Orders', 2, { maxMsgNums: '1' }));
    expect(units(middle.body)).toMatchObject([{ offset: 2, body: 'm1' }]);
    expect(middle.ext['nextBeginOffset']).toBe('3');
    const tagged = await raw.request(11, pullFields('Orders', 1, { subscription: 'a' }));
    expect(units(tagged.body).map((unit) => unit.offset)).toEqual([1, 3]);
  });

  it('reads what has left the memory, for pulls, views and send-backs alike', async () => {
    const on = await start({ hotBytes: 1, codecs: [] });
    const raw = client(on);
    const body = 'x'.repeat(2 * 1024 * 1024);
    const ids: string[] = [];
    for (let i = 0; i < 8; i++) ids.push((await raw.request(310, sendFields('Orders'), body)).ext['msgId']!);
    const pulled = await raw.request(11, pullFields('Orders', 0));
    expect(units(pulled.body)).toMatchObject([{ offset: 0 }]);
    expect(on.broker.signals.counts.coldReads).toBeGreaterThan(0);
    const physical = String(BigInt(`0x${ids[1]!.slice(16)}`));
    expect(units((await raw.request(33, { offset: physical })).body)).toMatchObject([{ offset: 1 }]);
    const back = await raw.request(36, { group: 'CG', delayLevel: '-1', offset: physical });
    expect(back).toMatchObject({ code: 0 });
    expect(units((await raw.request(11, pullFields('%DLQ%CG', 0))).body)).toMatchObject([{ reconsumeTimes: 1 }]);
  });

  it('gives up pulls that wait when the adapter drains, and refuses new requests', async () => {
    const on = await start();
    const raw = client(on);
    await raw.request(310, sendFields('Orders'), 'x');
    const waiting = raw.request(11, pullFields('Orders', 1, { sysFlag: '6', suspendTimeoutMillis: '15000' }));
    await raw.request(30, { topic: 'Orders', queueId: 0 });
    const drained = on.adapter.drain(Date.now() + 3000);
    expect(await waiting).toMatchObject({ code: 19 });
    await drained;
    expect(on.adapter.connections).toBe(0);
  });
});

describe('groups', () => {
  it('members are listed at once, told of each other, and gone with their connection', async () => {
    const on = await start();
    const one = client(on);
    const two = client(on);
    expect(await one.request(38, { consumerGroup: 'CG' })).toMatchObject({ code: 1 });
    await one.request(34, {}, heartbeat('c1', 'CG', 'Orders'));
    expect(JSON.parse((await one.request(38, { consumerGroup: 'CG' })).body.toString())).toEqual({
      consumerIdList: ['c1'],
    });
    expect((await one.request(105, { topic: '%RETRY%CG' })).code).toBe(0);
    one.unasked.length = 0;
    await two.request(34, {}, heartbeat('c2', 'CG', 'Orders'));
    await expect
      .poll(() => one.unasked.map((asked) => [asked.code, asked.flag, asked.ext['consumerGroup']]))
      .toContainEqual([40, 2, 'CG']);
    expect(JSON.parse((await one.request(38, { consumerGroup: 'CG' })).body.toString()).consumerIdList).toEqual([
      'c1',
      'c2',
    ]);
    // The same client on a new connection: the old one's end does not take the member along.
    const again = client(on);
    await again.request(34, {}, heartbeat('c2', 'CG', 'Orders'));
    one.unasked.length = 0;
    two.stream.destroy();
    await two.closed;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(JSON.parse((await one.request(38, { consumerGroup: 'CG' })).body.toString()).consumerIdList).toEqual([
      'c1',
      'c2',
    ]);
    again.stream.destroy();
    await expect.poll(() => one.unasked.length).toBeGreaterThan(0);
    expect(JSON.parse((await one.request(38, { consumerGroup: 'CG' })).body.toString()).consumerIdList).toEqual(['c1']);
    await one.request(35, { clientID: 'c1', consumerGroup: 'CG' });
    expect(await one.request(38, { consumerGroup: 'CG' })).toMatchObject({ code: 1 });
  });

  it('a client is told of its own joining when its heartbeat has been answered, of others at once', async () => {
    const on = await start({ syncMs: 20 });
    const [one, two] = [client(on), client(on)];
    await one.request(34, {}, heartbeat('c1', 'CG', 'Orders'));
    await expect.poll(() => one.seen.length).toBe(2);
    // Making the group's retry topic takes a sync; what it would be told of meanwhile waits for the answer.
    expect(one.seen.map((frame) => ((frame.flag & 1) === 1 ? 'answer' : frame.code))).toEqual(['answer', 40]);
    one.seen.length = 0;
    await two.request(34, {}, heartbeat('c2', 'CG', 'Orders'));
    await expect.poll(() => one.seen.map((frame) => frame.code)).toEqual([40]);
  });

  it('tells administrators who is in a group and who reads a topic', async () => {
    const raw = client(await start());
    expect(await raw.request(203, { consumerGroup: 'CG' })).toMatchObject({ code: 206 });
    await raw.request(310, sendFields('Orders'), 'x');
    await raw.request(34, {}, heartbeat('c1', 'CG', 'Orders', 'A', 7));
    const told = JSON.parse((await raw.request(203, { consumerGroup: 'CG' })).body.toString());
    expect(told).toMatchObject({
      connectionSet: [{ clientAddr: '10.1.2.3:54321', clientId: 'c1', language: 'JAVA', version: 473 }],
      consumeType: 'CONSUME_PASSIVELY',
      messageModel: 'CLUSTERING',
      subscriptionTable: { Orders: { subString: 'A', subVersion: 7 } },
    });
    raw.oneway(15, { consumerGroup: 'Other', topic: 'Orders', queueId: 0, commitOffset: 1 });
    await raw.request(14, { consumerGroup: 'Neither', topic: 'Orders', queueId: 0 });
    expect(JSON.parse((await raw.request(300, { topic: 'Orders' })).body.toString())).toEqual({
      groupList: ['CG', 'Other'],
    });
  });

  it('a repeated heartbeat tells nobody, a changed subscription does', async () => {
    const on = await start();
    const raw = client(on);
    await raw.request(34, {}, heartbeat('c1', 'CG', 'Orders'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    raw.unasked.length = 0;
    await raw.request(34, {}, heartbeat('c1', 'CG', 'Orders'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(raw.unasked).toEqual([]);
    await raw.request(34, {}, heartbeat('c1', 'CG', 'Orders', 'A', 2));
    await expect.poll(() => raw.unasked.length).toBe(1);
  });

  it('a group at work in another protocol is refused', async () => {
    const on = await start();
    const raw = client(on);
    const nobody = on.context.anonymous('');
    const group = on.context.broker.ensureGroup(nobody, 'default', 'CG');
    on.context.broker.putMember(nobody, 'another', group, {
      id: 'm',
      clientId: 'm',
      host: '',
      topics: [],
      data: null,
      timeoutMs: 1000,
    });
    expect(await raw.request(34, {}, heartbeat('c1', 'CG', 'Orders'))).toMatchObject({ code: 1 });
    expect(await raw.request(38, { consumerGroup: 'CG' })).toMatchObject({ code: 1 });
    await raw.request(310, sendFields('Orders'), 'x');
    expect(await raw.request(11, pullFields('Orders', 0))).toMatchObject({ code: 16 });
  });

  it('offsets: young topics begin at 0, commits are kept, times are found', async () => {
    const raw = client(await start());
    await raw.request(310, sendFields('Orders'), 'x');
    const where = { consumerGroup: 'CG', topic: 'Orders', queueId: 0 };
    expect(await raw.request(14, { ...where, queueId: 1 })).toMatchObject({ code: 22 });
    expect((await raw.request(14, where)).ext['offset']).toBe('0');
    expect(await raw.request(14, { ...where, setZeroIfNotFound: false })).toMatchObject({ code: 22 });
    raw.oneway(15, { ...where, commitOffset: 1 });
    expect((await raw.request(14, where)).ext['offset']).toBe('1');
    expect(await raw.request(15, { ...where, commitOffset: 0 })).toMatchObject({ code: 0 });
    expect(await raw.request(15, { ...where, commitOffset: -5 })).toMatchObject({ code: 29 });
    await raw.request(11, pullFields('Orders', 1, { sysFlag: '5', commitOffset: '1' }));
    expect((await raw.request(14, where)).ext['offset']).toBe('1');
    expect((await raw.request(30, where)).ext['offset']).toBe('1');
    expect((await raw.request(31, where)).ext['offset']).toBe('0');
    expect((await raw.request(29, { ...where, timestamp: 0 })).ext['offset']).toBe('0');
    expect((await raw.request(29, { ...where, timestamp: '9223372036854775807' })).ext['offset']).toBe('1');
    expect(
      (await raw.request(29, { ...where, timestamp: '9223372036854775807', boundaryType: 'UPPER' })).ext['offset'],
    ).toBe('0');
    expect(Number((await raw.request(32, where)).ext['timestamp'])).toBeGreaterThan(1.7e12);
  });

  it('locks of ordered consumers exclude each other', async () => {
    const raw = client(await start());
    await raw.request(310, sendFields('Orders'), 'x');
    const ask = (clientId: string): Promise<Response> =>
      raw.request(
        41,
        {},
        `{"consumerGroup":"CG","clientId":"${clientId}","mqSet":[{"topic":"Orders","brokerName":"b","queueId":0},{"topic":"Orders","brokerName":"b","queueId":77}]}`,
      );
    const held = '{"lockOKMQSet":[{"brokerName":"rosettamq","queueId":0,"topic":"Orders"}]}';
    expect((await ask('c1')).body.toString()).toBe(held);
    expect((await ask('c2')).body.toString()).toBe('{"lockOKMQSet":[]}');
    expect((await ask('c1')).body.toString()).toBe(held);
    await raw.request(42, {}, '{"consumerGroup":"CG","clientId":"c1","mqSet":[{"topic":"Orders","queueId":0}]}');
    expect((await ask('c2')).body.toString()).toBe(held);
  });

  it('what waits is asked again when the subscription changes, so that nothing is measured by the old one', async () => {
    const raw = client(await start());
    await raw.request(310, sendFields('Orders', 'TAGS\u0001A\u0002'), 'a');
    await raw.request(34, {}, heartbeat('c1', 'CG', 'Orders', 'A', 1));
    const waiting = raw.request(11, pullFields('Orders', 1, { sysFlag: '2', suspendTimeoutMillis: '20000' }));
    await raw.request(34, {}, heartbeat('c1', 'CG', 'Orders', 'A || C', 2));
    expect(await waiting).toMatchObject({ code: 20, ext: { nextBeginOffset: '1' } });
    const again = raw.request(11, pullFields('Orders', 1, { sysFlag: '2', suspendTimeoutMillis: '20000' }));
    await raw.request(310, sendFields('Orders', 'TAGS\u0001C\u0002'), 'c');
    expect(units((await again).body)).toMatchObject([{ body: 'c' }]);
  });

  it('what an ordered consumer sends to its retry topic is a dead letter at once', async () => {
    const on = await start();
    const raw = client(on);
    await raw.request(310, sendFields('Orders'), 'x');
    await raw.request(34, {}, heartbeat('c1', 'OG', 'Orders'));
    const back = sendFields('%RETRY%OG', 'RETRY_TOPIC\u0001Orders\u0002DELAY\u00015\u0002', { j: '2', l: '2' });
    await raw.request(310, back, 'not ordered');
    const mqSet = [{ topic: 'Orders', brokerName: 'b', queueId: 0 }];
    await raw.request(41, {}, JSON.stringify({ consumerGroup: 'OG', clientId: 'c1', mqSet }));
    await raw.request(310, back, 'stuck');
    const pull = await raw.request(11, pullFields('%DLQ%OG', 0));
    expect(units(pull.body)).toMatchObject([{ body: 'stuck', reconsumeTimes: 2 }]);
    const retry = on.broker.topicOfKind('default', 'retry', 'OG')!;
    expect(on.broker.queue(retry.queues[0]!)!.endOffset).toBe(0);
    // The client chose among the retry topic's queues; there is one of dead letters.
    expect(await raw.request(310, { ...back, e: '3' }, 'in another')).toMatchObject({ code: 0 });
  });

  it('to a full queue that refuses is told so, each time', async () => {
    const on = await start();
    const rules = { readyMax: 1, overflow: 'refuse' } as const;
    const admin = { name: 'anonymous', host: '' };
    const spec = { namespace: 'default', kind: 'queue', name: 'Small', queues: 1, attributes: { rules } } as const;
    await on.broker.createTopic(admin, spec);
    const raw = client(on);
    expect(await raw.request(310, sendFields('Small'), 'one')).toMatchObject({ code: 0 });
    for (let n = 0; n < 3; n++) {
      const { code, remark } = await raw.request(310, sendFields('Small'), 'more');
      expect([code, remark]).toEqual([2, expect.stringContaining("'Small' is full")]);
    }
  });

  it('refuses a time that the log cannot say', async () => {
    const raw = client(await start());
    const far = sendFields('Orders', `TIMER_DELAY_SEC\u0001${'9'.repeat(15)}\u0002`);
    expect(await raw.request(310, far, 'x')).toMatchObject({ code: 13 });
  });

  it('what a broker added to a message is not stored when it is sent again', async () => {
    const raw = client(await start());
    const added = 'MSG_REGION\u0001DefaultRegion\u0002TRACE_ON\u0001true\u0002CLUSTER\u0001Else\u0002';
    await raw.request(310, sendFields('Orders', `a\u0001b\u0002${added}c\u0001d`), 'x');
    const pull = await raw.request(11, pullFields('Orders', 0));
    expect(units(pull.body)).toMatchObject([{ properties: 'a\u0001b\u0002c\u0001d\u0002' }]);
  });

  it('what is sent back comes again with its count and origin, then is a dead letter', async () => {
    const raw = client(await start());
    await raw.request(310, sendFields('Orders', 'KEYS\u0001k\u0002'), 'hard');
    const [first] = units((await raw.request(11, pullFields('Orders', 0))).body);
    const back = {
      group: 'CG',
      delayLevel: '1',
      originMsgId: '',
      originTopic: 'Orders',
      unitMode: 'false',
      maxReconsumeTimes: '1',
    };
    expect(await raw.request(36, { ...back, offset: String(first!.physical) })).toMatchObject({ code: 0 });
    const again = await raw.request(11, pullFields('%RETRY%CG', 0, { sysFlag: '6', suspendTimeoutMillis: '3000' }));
    const [second] = units(again.body);
    expect(second).toMatchObject({ body: 'hard', reconsumeTimes: 1, topic: '%RETRY%CG', offset: 0 });
    expect(second!.properties).toContain('RETRY_TOPIC\u0001Orders\u0002');
    expect(second!.properties).toContain('ORIGIN_MESSAGE_ID\u00017F000001');
    expect(await raw.request(36, { ...back, offset: String(second!.physical) })).toMatchObject({ code: 0 });
    const [dead] = units((await raw.request(11, pullFields('%DLQ%CG', 0))).body);
    expect(dead).toMatchObject({ body: 'hard', topic: '%DLQ%CG' });
    expect(dead!.properties).toContain('DLQ_ORIGIN_TOPIC\u0001Orders\u0002');
    expect(await raw.request(36, { ...back, offset: '12345678901234' })).toMatchObject({ code: 1 });
    // Sent by the client itself when 36 did not reach us: too often is dead as well.
    await raw.request(310, sendFields('%RETRY%CG', '', { j: '3', l: '2' }), 'sent');
    expect(units((await raw.request(11, pullFields('%DLQ%CG', 1))).body)).toMatchObject([{ body: 'sent' }]);
  });
});

describe('administration', () => {
  it('topics and groups are made, told of, and deleted', async () => {
    const raw = client(await start());
    const create = {
      topic: 'Made',
      defaultTopic: 'TBW102',
      readQueueNums: 2,
      writeQueueNums: 2,
      perm: 6,
      topicFilterType: 'SINGLE_TAG',
      order: false,
    };
    expect(await raw.request(17, create)).toMatchObject({ code: 0 });
    expect(await raw.request(17, { ...create, topic: 'TBW102' })).toMatchObject({ code: 29 });
    expect(JSON.parse((await raw.request(351, { topic: 'Made' })).body.toString())).toMatchObject({
      topicName: 'Made',
      writeQueueNums: 2,
    });
    expect(JSON.parse((await raw.request(206)).body.toString())).toEqual({ topicList: ['Made'] });
    const ofCluster = async (cluster: string): Promise<string> => (await raw.request(224, { cluster })).body.toString();
    expect(await ofCluster('DefaultCluster')).toBe('{"topicList":["Made"]}');
    expect(await ofCluster('Other')).toBe('{"topicList":[]}');
    await raw.request(310, sendFields('Made'), 'x');
    const stats = (await raw.request(202, { topic: 'Made' })).body;
    expect(stats.toString()).toMatch(/^\{"offsetTable":\{\{"brokerName":"rosettamq","queueId":0,"topic":"Made"\}:\{/);
    expect(Object.values(parseBody(stats, 0, stats.length) as object)).toHaveLength(1);
    await raw.request(200, {}, '{"groupName":"G","retryMaxTimes":3}');
    raw.oneway(15, { consumerGroup: 'G', topic: 'Made', queueId: 0, commitOffset: 1 });
    const consumed = (await raw.request(208, { consumerGroup: 'G' })).body.toString();
    expect(consumed).toContain('"brokerOffset":1,"consumerOffset":1');
    expect(await raw.request(207, { groupName: 'G' })).toMatchObject({ code: 0 });
    expect(await raw.request(208, { consumerGroup: 'G' })).toMatchObject({ code: 26 });
    expect(await raw.request(215, { topic: 'Made' })).toMatchObject({ code: 0 });
    expect(await raw.request(216, { topic: 'Made' })).toMatchObject({ code: 0 });
    expect(await raw.request(105, { topic: 'Made' })).toMatchObject({ code: 17 });
    expect(await raw.request(46, {}, '{"subscriptionData":{"expressionType":"SQL92"}}')).toMatchObject({ code: 1 });
    expect(
      await raw.request(37, {
        producerGroup: 'p',
        tranStateTableOffset: 0,
        commitLogOffset: 0,
        commitOrRollback: 8,
        msgId: 'x',
      }),
    ).toMatchObject({ code: 16 });
  });

  it('names with a dot are reached by their escaped spelling', async () => {
    const on = await start();
    const raw = client(on);
    const nobody = on.context.anonymous('');
    await on.context.broker.createTopic(nobody, { namespace: 'default', kind: 'topic', name: 'orders.v1', queues: 1 });
    expect(await raw.request(310, sendFields('orders%2Ev1'), 'x')).toMatchObject({ code: 0 });
    expect(JSON.parse((await raw.request(206)).body.toString())).toEqual({ topicList: ['orders%2Ev1'] });
    expect(units((await raw.request(11, pullFields('orders%2Ev1', 0))).body)).toMatchObject([{ topic: 'orders%2Ev1' }]);
  });
});

describe('bodies in the raw dialect', () => {
  it('are read whole, with object keys as text, or refused', () => {
    const read = (text: string): unknown => parseBody(Buffer.from(text), 0, Buffer.byteLength(text));
    expect(read('{0:"a",1:{"x":[1,2]}}')).toEqual({ 0: 'a', 1: { x: [1, 2] } });
    expect(read('{"t":{{"a":1}:{"b":2}},"u":-1.5e3}')).toEqual({ t: { '{"a":1}': { b: 2 } }, u: -1500 });
    for (const bad of ['', '{', '{1:}', '{"a":1}x', '['.repeat(100), '{__proto__:1}', '{0:"a'])
      expect(() => read(bad)).toThrow('JSON');
  });

  it('survive any text', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[{}[\]:,"\\0a-]{0,40}$/), (text) => {
        try {
          parseBody(Buffer.from(text), 0, text.length);
        } catch (error) {
          expect(error).toMatchObject({ name: 'BodyError' });
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('hostile bytes', () => {
  it('what is no frame ends that connection and no other', async () => {
    const on = await start({ limits: { frameBytesMax: 8 * 1024 * 1024 } });
    const good = client(on);
    await good.request(310, sendFields('Orders'), 'x');
    for (const bytes of [
      'GET / HTTP/1.1\r\n\r\n',
      '\u0000\u0000\u0000\u0004\u0007\u0000\u0000\u0000',
      '\u0000\u0000\u0000\u0001x',
      '\u007f\u00ff\u00ff\u00ff',
    ]) {
      const bad = client(on);
      bad.stream.write(Buffer.from(bytes, 'latin1'));
      await bad.closed;
    }
    expect(await good.request(30, { topic: 'Orders', queueId: 0 })).toMatchObject({ code: 0 });
  });

  it('a connection that says nothing is closed', async () => {
    const raw = client(await start({ limits: { handshakeTimeoutMs: 50 } }));
    await raw.closed;
  });

  it('frames with random changes are answered or end the connection, and never hurt the adapter', async () => {
    const on = await start();
    const seeds = [
      'request310_json',
      'request10_json',
      'request11_json',
      'request15_json',
      'request34_json',
      'request310_binary',
      'request11_binary',
      'request34_binary',
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        async (seed, changes) => {
          const frame = Buffer.from(vectors[seed]!, 'hex');
          // The length stays: what a framer does with it is tested elsewhere, and a longer one would only wait.
          for (const [at, byte] of changes) frame[4 + (at % (frame.length - 4))] = byte;
          const raw = new RawClient(on.adapter);
          raw.stream.write(frame);
          raw.stream.end();
          await raw.closed;
        },
      ),
      { numRuns: 400 },
    );
    const raw = client(on);
    expect(await raw.request(9999)).toMatchObject({ code: 3 });
  });
});
