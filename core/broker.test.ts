import { afterEach, describe, expect, it } from 'vitest';
import { DiskError } from './log/disk.ts';
import { keyHash } from './log/key-index.ts';
import { SimBroker, TESTER } from './testing/sim-broker.ts';
import { SimRandom } from './testing/sim-random.ts';
import type { Clock, ReadBatch } from './types.ts';

const open: SimBroker[] = [];
async function sim(options: Parameters<typeof SimBroker.open>[0] = {}): Promise<SimBroker> {
  const broker = await SimBroker.open(options);
  open.push(broker);
  return broker;
}
afterEach(() => {
  for (const broker of open.splice(0)) expect(broker.lost).toBeNull();
});

const numbered = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, n) => `k${(from + n) % 7}|t|body ${from + n}`);

describe('a topic', () => {
  it('gives dense offsets to batches and reads them back, also in the middle', async () => {
    const s = await sim();
    const topic = await s.topic('orders');
    expect(s.publish(topic, numbered(0, 3)).base).toBe(0);
    expect(s.publish(topic, numbered(3, 2)).base).toBe(3);
    const queue = topic.queues[0]!;
    expect(s.readFrom(queue, 0).map(([offset, body]) => `${offset} ${body}`)).toEqual([
      '0 body 0',
      '1 body 1',
      '2 body 2',
      '3 body 3',
      '4 body 4',
    ]);
    expect(s.readFrom(queue, 4)).toEqual([[4, 'body 4']]);
    expect(s.broker.queue(queue)).toMatchObject({ startOffset: 0, endOffset: 5 });
  });

  it('is searched by store time: the first offset of a time, of those that are still kept', async () => {
    const s = await sim();
    const topic = await s.topic('orders');
    const queue = topic.queues[0]!;
    const times: number[] = [];
    for (let n = 0; n < 6; n++) {
      s.publish(topic, numbered(n, 1));
      times.push(s.answers.at(-1)!.timeMs);
      // The third and the fourth share a time.
      if (n !== 2) s.clock.advance(1000);
    }
    const at = async (timeMs: number): Promise<unknown> => s.run(s.broker.offsetByStoreTime(queue, timeMs));
    const found = (offset: number): unknown => ({ offset, timeMs: times[offset] });
    expect(times[3]).toBe(times[2]);
    expect(await at(0)).toEqual(found(0));
    expect(await at(times[1]! - 1)).toEqual(found(1));
    expect(await at(times[1]!)).toEqual(found(1));
    expect(await at(times[3]!)).toEqual(found(2));
    expect(await at(times[5]!)).toEqual(found(5));
    expect(await at(times[5]! + 1)).toBeNull();
    await s.run(s.broker.moveStart(TESTER, queue, 4));
    expect(await at(0)).toEqual(found(4));
    expect(await at(times[1]!)).toEqual(found(4));
    expect(await at(times[5]!)).toEqual(found(5));
    const after = await s.restart();
    open.push(after);
    expect(await after.run(after.broker.offsetByStoreTime(queue, 0))).toEqual(found(4));
    await after.run(after.broker.moveStart(TESTER, queue, 6));
    expect(await after.run(after.broker.offsetByStoreTime(queue, 0))).toBeNull();
  });

  it('tells what is kept of all topics: bytes, positions, the oldest message', async () => {
    const s = await sim();
    expect(s.broker.storage().oldestMs).toBeNull();
    const [one, two] = [await s.topic('one'), await s.topic('two')];
    s.publish(one, numbered(0, 1));
    const first = s.answers.at(-1)!.timeMs;
    s.clock.advance(1000);
    s.publish(two, numbered(0, 1));
    const told = s.broker.storage();
    expect(told.oldestMs).toBe(first);
    expect(told.keptBytes).toBe(told.endPosition - told.startPosition);
    expect(told.freeBytes).toBe(s.disk.freeBytes());
    await s.run(s.broker.moveStart(TESTER, one.queues[0]!, 1));
    expect(s.broker.storage().oldestMs).toBe(first + 1000);
  });

  it('shows nothing before it is synced', async () => {
    const s = await sim({ inlineSyncMs: 0 });
    s.disk.latencyMs = () => 50;
    const topic = await s.topic('orders');
    s.send(topic, numbered(0, 1));
    s.clock.step();
    s.clock.step();
    const queue = topic.queues[0]!;
    expect(s.broker.queue(queue)!.endOffset).toBe(0);
    expect(s.answers).toEqual([]);
    s.clock.advance(60);
    expect(s.broker.queue(queue)!.endOffset).toBe(1);
    expect(s.answers).toHaveLength(1);
  });

  it('answers an async topic after the write, and syncs it on the interval', async () => {
    const s = await sim({ inlineSyncMs: 0 });
    const topic = await s.topic('fast', { attributes: { flush: 'async' } });
    let syncs = 0;
    s.disk.beforeCall = (call) => {
      if (call.op === 'sync-async' && call.path.startsWith('log/')) syncs++;
    };
    s.publish(topic, numbered(0, 1));
    expect(syncs).toBe(0);
    s.clock.advance(250);
    expect(syncs).toBe(1);
  });

  it('answers a commit when it is written, not when a sync ends that began before it', async () => {
    const s = await sim({ inlineSyncMs: 0 });
    const topic = await s.topic('orders');
    const group = s.group('g');
    s.turn();
    const order: string[] = [];
    s.disk.beforeCall = ({ op, path }) => {
      if (path.startsWith('log/') && (op === 'write' || op === 'sync-async')) order.push(op);
    };
    s.send(topic, numbered(0, 1));
    while (!order.includes('sync-async')) expect(s.clock.step()).toBe(true);
    const commit = { queue: topic.queues[0]!, offset: 1, epoch: -1, metadata: '' };
    s.broker.commitOffsets(TESTER, group, [commit], { committed: () => order.push('committed') }, 0);
    // The sync ends in this turn, and the commit is written behind it.
    s.turn();
    expect(s.answers).toHaveLength(1);
    expect(order).toEqual(['write', 'sync-async', 'write', 'committed']);
  });

  it('is closed while a sync is under way, and that is no lost journal', async () => {
    const s = await sim({ inlineSyncMs: 0 });
    s.disk.latencyMs = () => 50;
    const topic = await s.topic('orders');
    s.send(topic, numbered(0, 1));
    s.clock.step();
    s.clock.step();
    await s.run(s.broker.close());
    s.clock.advance(100);
    expect(s.lost).toBeNull();
  });

  it('keeps in a power cut what a start has found behind a failed sync, also in a segment before the last', async () => {
    const s = await SimBroker.open({ inlineSyncMs: 0 });
    const topic = await s.topic('orders');
    s.publish(topic, numbered(0, 1));
    s.rest();
    s.disk.latencyMs = () => 50;
    s.disk.beforeCall = ({ op, path }) => {
      if (op !== 'sync-async' || !path.startsWith('log/')) return;
      s.disk.beforeCall = null;
      throw new DiskError('io', 'injected');
    };
    // The next segment begins before the error comes.
    const segment = 256 * 1024;
    for (let n = 1; n < 30; n++) {
      s.send(topic, [`k|t|${n}${'x'.repeat(20_000)}`]);
      s.clock.step();
      s.clock.step();
    }
    expect(s.broker.storage().endPosition).toBeGreaterThan(2 * segment);
    s.clock.advance(100);
    expect(s.lost).not.toBeNull();
    expect(s.answers).toHaveLength(1);
    let again = await s.restart('kill');
    const found = again.readFrom(topic.queues[0]!, 0);
    expect(found).toHaveLength(30);
    again = await again.restart(new SimRandom(3));
    open.push(again);
    expect(again.broker.recovery.damage).toBe(0);
    expect(again.readFrom(topic.queues[0]!, 0)).toEqual(found);
  });

  it('survives a clean end, a kill and a power cut with every offset', async () => {
    let s = await sim();
    const topic = await s.topic('orders', { queues: 2 });
    let sent = 0;
    for (const how of ['close', 'kill', new SimRandom(7), 'kill', 'close', new SimRandom(8)] as const) {
      for (let n = 0; n < 20; n++) s.publish(topic, numbered(sent++, 1), { queue: 0 });
      s = await s.restart(how);
      const found = s.readFrom(topic.queues[0]!, 0);
      expect(found).toHaveLength(sent);
      found.forEach(([offset, body], n) => {
        expect([offset, body]).toEqual([n, `body ${n}`]);
      });
    }
    open.push(s);
  });

  it('gives slices that stay as they are when their chunk or window has left the memory', async () => {
    const s = await sim({ hotBytes: 8 * 1024, coldBytes: 8 * 1024 });
    const topic = await s.topic('orders');
    const queue = topic.queues[0]!;
    const body = (n: number): string => `k|t|${String(n).padStart(4, '0').repeat(500)}`;
    for (let n = 0; n < 40; n++) s.publish(topic, [body(n)]);
    const into: ReadBatch = { units: [], bytes: 0, nextOffset: 0, startOffset: 0, endOffset: 0 };
    const held: { payload: Buffer; copy: Buffer }[] = [];
    const hold = (offset: number): void => {
      const limits = { bytesMax: 1, recordsMax: 1, tagHashes: null };
      for (let n = 0; n < 20; n++) {
        if (s.broker.read(TESTER, queue, offset, limits, into, { wake: () => undefined }) === 'found') break;
        s.turn();
      }
      const { payload } = into.units[0]!;
      held.push({ payload, copy: Buffer.from(payload) });
    };
    for (let offset = 0; offset < 40; offset++) hold(offset);
    // Chunks of the tail are large: so much that all of them are other ones now.
    for (let n = 0; n < 400; n++) s.publish(topic, ['k|t|'.padEnd(60_000, 'y')]);
    for (let offset = 39; offset >= 0; offset--) hold(offset);
    expect(held).toHaveLength(80);
    for (const { payload, copy } of held) expect(payload.equals(copy)).toBe(true);
  });

  it('reads what has left the memory, over many segments', async () => {
    const s = await sim({ hotBytes: 1, segmentBytes: 128 * 1024, reserveBytes: 8 * 1024 });
    const topic = await s.topic('orders');
    for (let n = 0; n < 3000; n++) s.send(topic, [`k|t|body ${n} ${'x'.repeat(200)}`]);
    s.turn();
    s.rest();
    expect(s.disk.paths().filter((path) => path.endsWith('.idx')).length).toBeGreaterThan(3);
    const found = s.readFrom(topic.queues[0]!, 0);
    expect(found).toHaveLength(3000);
    found.forEach(([offset, body], n) => {
      expect([offset, body.split(' ')[1]]).toEqual([n, String(n)]);
    });
    const again = await s.restart('kill');
    expect(again.readFrom(topic.queues[0]!, 0)).toHaveLength(3000);
    expect(again.readFrom(topic.queues[0]!, 2999)).toHaveLength(1);
  });

  it('places keys by murmur2 as producers of the field do', async () => {
    const { placeByKey } = await import('./placement.ts');
    // org.apache.kafka.common.utils.Utils.toPositive(murmur2(key)) % 100, from that library's own tests and a run of it.
    const { murmur2 } = await import('./placement.ts');
    expect(murmur2(Buffer.from('21'))).toBe(-973932308);
    expect(murmur2(Buffer.from('foobar'))).toBe(-790332482);
    expect(murmur2(Buffer.from('a-little-bit-long-string'))).toBe(-985981536);
    expect(murmur2(Buffer.from('a-little-bit-longer-string'))).toBe(-1486304829);
    expect(murmur2(Buffer.from('lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8'))).toBe(-58897971);
    expect(placeByKey(Buffer.from('21'), 100)).toBe((-973932308 & 0x7fffffff) % 100);
  });
});

describe('names', () => {
  it('that mean something to one protocol are created by it alone', async () => {
    const s = await sim();
    await expect(s.topic('other.thing')).rejects.toThrow(/reserved for other/);
    await s.topic('other.thing', { owner: 'other' });
    await expect(s.topic('$x')).rejects.toThrow(/belong to the broker/);
  });
});

describe('bindings', () => {
  it('show a batch whole, in slices, and once in the log', async () => {
    const s = await sim();
    const topic = await s.topic('orders');
    const all = await s.queue('all');
    const one = await s.queue('one');
    await s.bind('orders', 'all', '#');
    await s.bind('orders', 'one', 'k1');
    s.publish(topic, ['k0|t|a', 'k1|t|b', 'k1|t|c', 'k2|t|d', 'k1|t|e']);
    expect(s.readFrom(all.queues[0]!, 0).map(([, body]) => body)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(s.readFrom(one.queues[0]!, 0)).toEqual([
      [0, 'b'],
      [1, 'c'],
      [2, 'e'],
    ]);
    const again = await s.restart('kill');
    expect(again.readFrom(one.queues[0]!, 1)).toEqual([
      [1, 'c'],
      [2, 'e'],
    ]);
  });

  it('fan out to more queues than are named inline', async () => {
    const s = await sim();
    const exchange = {
      namespace: 'default',
      name: 'news',
      type: 'fanout',
      durable: true,
      autoDelete: false,
      internal: false,
      extra: {},
    } as const;
    await s.run(s.broker.createExchange(TESTER, exchange));
    const queues = [];
    for (let n = 0; n < 100; n++) {
      queues.push(await s.queue(`q${n}`));
      await s.bind('news', `q${n}`, '');
    }
    const before = s.broker.storage().endPosition;
    const token = 9;
    const routed = s.broker.append(
      TESTER,
      s.append(['k|t|hello'], { exchange: 'news', routingKey: '' }),
      { appended: () => undefined },
      token,
    );
    expect(routed).toBe(100);
    s.turn();
    s.broker.append(
      TESTER,
      s.append(['k|t|again'], { exchange: 'news', routingKey: '' }),
      { appended: () => undefined },
      token,
    );
    s.turn();
    expect(s.broker.storage().endPosition - before).toBeLessThan(16 * 1024);
    const again = await s.restart('kill');
    for (const queue of queues)
      expect(again.readFrom(queue.queues[0]!, 0).map(([, body]) => body)).toEqual(['hello', 'again']);
  });
});

describe('leases', () => {
  it('settle out of order, come back to their place, and survive a kill', async () => {
    const s = await sim();
    const work = await s.queue('work');
    for (let n = 0; n < 5; n++) s.publish(work, [`k|t|${n}`], { exchange: null });
    const group = s.ownGroup(work);
    const queue = work.queues[0]!;
    const me = {};
    const taken = [0, 1, 2, 3].map(() => s.take(group, queue, me)!);
    expect(taken.map(({ body }) => body)).toEqual(['0', '1', '2', '3']);
    expect(s.broker.settle(group, queue, 2, 'done')).toBe(true);
    expect(s.broker.settle(group, queue, 2, 'done')).toBe(false);
    expect(s.broker.settle(group, queue, 0, 'requeue')).toBe(true);
    expect(s.take(group, queue, me)).toMatchObject({ offset: 0, body: '0', deliveries: 1, redelivered: true });
    expect(s.broker.settle(group, queue, 0, 'done')).toBe(true);
    expect(s.broker.ledger(group, queue)).toEqual({ floor: 1, ready: 1, inFlight: 2 });
    s.turn();
    const again = await s.restart('kill');
    const g = again.ownGroup(work);
    expect(again.take(g, queue, me)).toMatchObject({ offset: 1, redelivered: true });
    expect(again.take(g, queue, me)).toMatchObject({ offset: 3, redelivered: true });
    expect(again.take(g, queue, me)).toMatchObject({ offset: 4, redelivered: false });
    expect(again.take(g, queue, me)).toBeNull();
  });

  it('push to consumers in turn, within their capacity', async () => {
    const s = await sim();
    const work = await s.queue('work');
    const group = s.ownGroup(work);
    const queue = work.queues[0]!;
    const got: string[] = [];
    const consumer = (name: string, max: number) => {
      let held = 0;
      return {
        group,
        queues: [queue],
        priority: 0,
        exclusive: false,
        autoSettle: false,
        capacity: () => max - held,
        deliver: (leased: { offset: number }) => {
          held++;
          got.push(`${name}${leased.offset}`);
        },
        cancelled: () => undefined,
      };
    };
    const a = consumer('a', 2);
    const b = consumer('b', 10);
    s.broker.subscribe(TESTER, a);
    s.broker.subscribe(TESTER, b);
    for (let n = 0; n < 6; n++) s.send(work, [`k|t|${n}`]);
    s.turn();
    expect(got).toEqual(['a0', 'b1', 'a2', 'b3', 'b4', 'b5']);
    s.broker.unsubscribe(a);
    s.turn();
    expect(got.slice(6)).toEqual(['b0', 'b2']);
  });

  it('end by time and come back', async () => {
    const s = await sim();
    const work = await s.queue('work');
    s.publish(work, ['k|t|0']);
    const group = s.ownGroup(work);
    const queue = work.queues[0]!;
    expect(s.take(group, queue, {}, 500)).toMatchObject({ offset: 0, deliveries: 0 });
    expect(s.take(group, queue, {}, 500)).toBeNull();
    s.clock.advance(501);
    s.turn();
    expect(s.take(group, queue, {}, 500)).toMatchObject({ offset: 0, deliveries: 1 });
  });

  it('dead-letter with the copy and the settlement in one entry', async () => {
    const s = await sim();
    const dead = await s.queue('dead');
    const work = await s.queue('work', { deadLetter: { exchange: '', routingKey: 'dead' }, deliveriesMax: 2 });
    s.publish(work, ['k|t|bad']);
    s.publish(work, ['k|t|poison']);
    const group = s.ownGroup(work);
    const queue = work.queues[0]!;
    const me = {};
    expect(s.take(group, queue, me)!.body).toBe('bad');
    s.broker.settle(group, queue, 0, 'reject');
    for (let n = 0; n < 2; n++) {
      expect(s.take(group, queue, me)!.body).toBe('poison');
      s.broker.settle(group, queue, 1, 'requeue');
    }
    expect(s.take(group, queue, me)).toBeNull();
    s.turn();
    const again = await s.restart('kill');
    const g = again.ownGroup(dead);
    const reasons: string[] = [];
    for (let n = 0; n < 2; n++) {
      again.broker.leaseOne(TESTER, g, dead.queues[0]!, me, 0, (leased) => {
        const message = again.broker.messages(leased.unit)[leased.record]!;
        const header = (name: string) =>
          message.headers.find((candidate) => candidate.name === name)?.value?.toString();
        reasons.push(
          `${message.body} ${header('x-death-reason')} ${header('x-death-topic')}@${header('x-death-offset')} x${header('x-death-attempts')}`,
        );
      });
    }
    expect(reasons).toEqual(['bad rejected work@0 x0', 'poison delivery-limit work@1 x2']);
    expect(again.broker.ledger(again.ownGroup(work), queue)).toEqual({ floor: 2, ready: 0, inFlight: 0 });
  });
});

describe('time', () => {
  it('holds a message back until it is due, also over a restart', async () => {
    let s = await sim();
    const topic = await s.topic('orders');
    const queue = topic.queues[0]!;
    const answer = s.publish(topic, ['k|t|later'], { notBeforeMs: s.clock.nowMs() + 5000 });
    expect(answer).toMatchObject({ queue: -1, base: -1 });
    s.publish(topic, ['k|t|now']);
    s.clock.advance(2000);
    s = await s.restart('kill');
    expect(s.readFrom(queue, 0).map(([, body]) => body)).toEqual(['now']);
    s.clock.advance(3100);
    s.turn();
    expect(s.readFrom(queue, 0).map(([, body]) => body)).toEqual(['now', 'later']);
    s = await s.restart('kill');
    s.rest(10_000);
    expect(s.readFrom(queue, 0).map(([, body]) => body)).toEqual(['now', 'later']);
  });

  it('finds offsets by record time, exact to the record', async () => {
    const s = await sim();
    const topic = await s.topic('orders');
    s.publish(topic, numbered(0, 5));
    const queue = topic.queues[0]!;
    expect(await s.run(s.broker.offsetByRecordTime(queue, 1003))).toEqual({ offset: 3, timeMs: 1003 });
    expect(await s.run(s.broker.offsetByRecordTime(queue, 2000))).toBeNull();
    expect(await s.run(s.broker.offsetOfMaxRecordTime(queue))).toEqual({ offset: 4, timeMs: 1004 });
  });
});

describe('groups', () => {
  it('keep their offsets and generation', async () => {
    const s = await sim();
    const topic = await s.topic('orders');
    s.publish(topic, numbered(0, 5));
    const group = s.group('readers');
    s.broker.commitOffsets(TESTER, group, [{ queue: topic.queues[0]!, offset: 3, metadata: 'm', epoch: 1 }], null, 0);
    s.broker.putGeneration(TESTER, group, 4, Buffer.from('state'), null, 0);
    s.turn();
    const again = await s.restart('kill');
    const there = again.broker.group('default', 'readers')!;
    expect(again.broker.committed(there, topic.queues[0]!)).toMatchObject({ offset: 3, metadata: 'm', epoch: 1 });
    expect(there).toMatchObject({ generation: 4, data: Buffer.from('state') });
  });

  it('leave one way of reading and come back by another at the same place', async () => {
    const s = await sim();
    const topic = await s.topic('orders');
    s.publish(topic, numbered(0, 5));
    const group = s.group('readers');
    const queue = topic.queues[0]!;
    s.broker.commitOffsets(TESTER, group, [{ queue, offset: 2, metadata: '', epoch: -1 }], null, 0);
    const me = {};
    expect(s.take(group, queue, me)!.offset).toBe(2);
    const member = { id: 'm', clientId: 'c', host: 'h', topics: [], data: null, timeoutMs: 1000 };
    expect(() => s.broker.putMember(TESTER, 'other', group, member)).toThrow(/1 messages leased/);
    s.broker.settle(group, queue, 2, 'done');
    s.broker.putMember(TESTER, 'other', group, member);
    expect(s.broker.committed(group, queue)!.offset).toBe(3);
    s.turn();
    const again = await s.restart('kill');
    expect(again.broker.committed(again.broker.group('default', 'readers')!, queue)!.offset).toBe(3);
  });
});

describe('an idempotent producer', () => {
  it('is answered with the first outcome when it repeats, also after a restart', async () => {
    let s = await sim();
    const topic = await s.topic('orders');
    const producer = await s.run(s.broker.newProducer(TESTER));
    const batch = (sequence: number, count: number) => ({
      producerId: producer.producerId,
      producerEpoch: 0,
      baseSequence: sequence,
      records: count,
    });
    expect(s.publish(topic, numbered(0, 3), batch(0, 3)).base).toBe(0);
    expect(s.publish(topic, numbered(3, 2), batch(3, 2)).base).toBe(3);
    expect(s.publish(topic, numbered(0, 3), batch(0, 3)).base).toBe(0);
    expect(() => s.publish(topic, numbered(9, 1), batch(9, 1))).toThrow(/expected 5/);
    s = await s.restart('kill');
    expect(s.publish(topic, numbered(3, 2), batch(3, 2)).base).toBe(3);
    expect(s.publish(topic, numbered(5, 1), batch(5, 1)).base).toBe(5);
    expect(s.readFrom(topic.queues[0]!, 0)).toHaveLength(6);
  });

  it('may have its id from elsewhere: others are still given ids, and not that one', async () => {
    let s = await sim();
    const topic = await s.topic('orders');
    const given = async (): Promise<number> => (await s.run(s.broker.newProducer(TESTER))).producerId;
    const batch = (producerId: number, baseSequence: number) => ({ producerId, producerEpoch: 0, baseSequence });
    const first = await given();
    for (const id of [first + 1, first + 2, 2 ** 48 - 1]) {
      s.publish(topic, numbered(0, 1), { ...batch(id, 7), records: 1 });
    }
    expect(await given()).toBe(first + 3);
    s = await s.restart('kill');
    expect(await given()).toBe(first + 4);
    const next = s.publish(topic, numbered(1, 1), { ...batch(2 ** 48 - 1, 8), records: 1 });
    expect(next.base).toBe(3);
  });
});

describe('space', () => {
  it('comes back when queues are consumed, also from behind one old message', async () => {
    const s = await sim({ segmentBytes: 128 * 1024, reserveBytes: 8 * 1024 });
    const work = await s.queue('work');
    const group = s.ownGroup(work);
    const queue = work.queues[0]!;
    const me = {};
    const body = 'x'.repeat(500);
    for (let n = 0; n < 1500; n++) s.send(work, [`k|t|${n} ${body}`]);
    s.turn();
    s.rest(500);
    const before = s.disk.paths().filter((path) => path.endsWith('.seg')).length;
    for (let n = 0; n < 1500; n++) {
      const taken = s.take(group, queue, me)!;
      expect(taken.offset).toBe(n);
      if (n !== 3) s.broker.settle(group, queue, n, 'done');
      if (n % 100 === 0) s.turn();
    }
    s.rest(30_000);
    expect(s.warnings).toEqual([]);
    const after = s.disk.paths().filter((path) => path.endsWith('.seg')).length;
    expect(before).toBeGreaterThan(6);
    expect(after).toBeLessThan(4);
    const again = await s.restart('kill');
    expect(again.take(again.ownGroup(work), queue, me)).toMatchObject({
      offset: 3,
      body: `3 ${body}`,
      redelivered: true,
    });
    expect(again.take(again.ownGroup(work), queue, me)).toBeNull();
    again.rest(5000);
    const third = await again.restart(new SimRandom(3));
    expect(third.take(third.ownGroup(work), queue, me)).toMatchObject({ offset: 3, body: `3 ${body}` });
  });

  it('is kept by time for log topics', async () => {
    const s = await sim();
    const topic = await s.topic('orders', { attributes: { retention: { mode: 'log', timeMs: 10_000, bytes: -1 } } });
    s.publish(topic, numbered(0, 3));
    s.clock.advance(8000);
    s.publish(topic, numbered(3, 3));
    s.rest(4000);
    const queue = topic.queues[0]!;
    expect(s.broker.queue(queue)).toMatchObject({ startOffset: 3, endOffset: 6 });
    const again = await s.restart('kill');
    expect(again.broker.queue(queue)).toMatchObject({ startOffset: 3, endOffset: 6 });
  });

  it('runs out for publishers only, and lifts by itself', async () => {
    const s = await sim({ segmentBytes: 128 * 1024, reserveBytes: 16 * 1024 });
    const work = await s.queue('work');
    const group = s.ownGroup(work);
    const queue = work.queues[0]!;
    s.disk.capacityBytes = s.disk.usedBytes + 200 * 1024;
    const pressure: boolean[] = [];
    s.broker.signals.pressure = (full) => void pressure.push(full);
    let sent = 0;
    expect(() => {
      for (; sent < 5000; sent++) s.publish(work, [`k|t|${'x'.repeat(300)}`]);
    }).toThrow(/disk is full/);
    expect(sent).toBeGreaterThan(100);
    expect(pressure).toEqual([true]);
    const me = {};
    for (let n = 0; n < 50; n++) {
      const taken = s.take(group, queue, me)!;
      expect(s.broker.settle(group, queue, taken.offset, 'done')).toBe(true);
      s.turn();
    }
    s.disk.capacityBytes += 10 * 1024 * 1024;
    s.rest(2000);
    expect(pressure).toEqual([true, false]);
    s.publish(work, ['k|t|again']);
    expect(s.lost).toBeNull();
    const again = await s.restart('kill');
    expect(again.broker.queue(queue)!.endOffset).toBe(sent + 1);
  });
});

describe('the reserve', () => {
  it('when it is used up too, settlements wait for space and nothing is lost', async () => {
    const s = await sim({
      segmentBytes: 128 * 1024,
      reserveBytes: 4 * 1024,
      retentionIntervalMs: 100_000,
      snapshotIntervalMs: 1_000_000,
    });
    const work = await s.queue('work');
    const group = s.ownGroup(work);
    const queue = work.queues[0]!;
    s.rest(100);
    s.disk.capacityBytes = s.disk.usedBytes;
    let sent = 0;
    expect(() => {
      for (; sent < 5000; sent++) s.publish(work, [`k|t|${sent} ${'x'.repeat(300)}`]);
    }).toThrow(/disk is full/);
    const me = {};
    for (let n = 0; n < sent; n++) {
      s.take(group, queue, me);
      s.broker.settle(group, queue, n, 'done');
      s.turn();
    }
    expect(s.lost).toBeNull();
    await expect(s.queue('another')).rejects.toThrow(/disk is full/);
    s.disk.capacityBytes += 1024 * 1024;
    s.rest(2000);
    expect(s.lost).toBeNull();
    const again = await s.restart('kill');
    expect(again.broker.ledger(again.ownGroup(work), queue)).toEqual({ floor: sent, ready: 0, inFlight: 0 });
  });
});

describe('the reserve, used up', () => {
  it('is tried again by one timer, however often something is settled', async () => {
    const s = await sim({ segmentBytes: 128 * 1024, reserveBytes: 4 * 1024, retentionIntervalMs: 100_000 });
    const work = await s.topic('work');
    const group = s.group('g');
    s.rest(100);
    s.disk.capacityBytes = s.disk.usedBytes;
    const commit = (offset: number): void =>
      s.broker.commitOffsets(
        TESTER,
        group,
        [{ queue: work.queues[0]!, offset, epoch: -1, metadata: 'x'.repeat(3_000) }],
        null,
        0,
      );
    for (let n = 0; n < 100; n++) {
      commit(0);
      s.turn();
    }
    const timers = s.clock.timers;
    for (let n = 0; n < 100; n++) {
      commit(0);
      s.turn();
    }
    expect(s.clock.timers).toBe(timers);
    expect(s.lost).toBeNull();
  });
});

describe('a restart', () => {
  it('does not bring back what was committed in the turn in which it was deleted', async () => {
    const s = await sim();
    const topic = await s.topic('orders');
    const [queue] = topic.queues as [number];
    const group = s.group('g');
    s.publish(topic, numbered(0, 3));
    s.broker.commitOffsets(TESTER, group, [{ queue, offset: 2, epoch: -1, metadata: '' }], null, 0);
    await s.run(s.broker.deleteOffsets(TESTER, group, [queue]));
    expect(s.broker.committed(group, queue)).toBeNull();
    const again = await s.restart('kill');
    expect(again.broker.committed(again.group('g'), queue)).toBeNull();
  });

  it('with a wall clock that was set back lets time go on from the last entry', async () => {
    const s = await sim();
    await s.queue('work');
    const begun = s.clock.nowMs();
    let behindMs = 3_600_000;
    const late: Clock = {
      nowMs: () => s.clock.nowMs() - behindMs,
      notBefore: (timeMs) => {
        behindMs -= Math.max(0, timeMs - (s.clock.nowMs() - behindMs));
      },
      setTimer: (...args) => s.clock.setTimer(...args),
      clearTimer: (handle) => s.clock.clearTimer(handle),
      afterTurn: (callback) => s.clock.afterTurn(callback),
    };
    const again = await s.restart('close', { clock: late });
    const work = again.broker.topic('default', 'work')!;
    again.publish(work, ['k|t|later'], { notBeforeMs: again.broker.nowMs() + 5_000 });
    expect(again.broker.nowMs()).toBeGreaterThanOrEqual(begun);
    again.rest(6_000);
    expect(again.readFrom(work.queues[0]!, 0).map(([, body]) => body)).toEqual(['later']);
  });
});

describe('finding by a key', () => {
  it('gives the newest, oldest first, over segments in files and the one that is written', async () => {
    const s = await sim({ segmentBytes: 128 * 1024, reserveBytes: 8 * 1024 });
    const topic = await s.topic('orders');
    const keys = [keyHash('k')];
    for (let n = 0; n < 1_000; n++) s.publish(topic, [`k|t|${n} ${'x'.repeat(500)}`], n % 10 === 0 ? { keys } : {});
    s.rest(1_000);
    const find = async (limit: number, toMs = 1e15): Promise<number[]> =>
      (await s.run(s.broker.findByKey(TESTER, topic, 'k', limit, 0, toMs))).map(({ offset }) => offset);
    expect(await find(3)).toEqual([970, 980, 990]);
    expect(await find(1_000)).toEqual(Array.from({ length: 100 }, (_, n) => n * 10));
  });
});

describe('a lost log', () => {
  it('answers nobody after a failed write or sync', async () => {
    for (const op of ['write', 'sync'] as const) {
      const s = await SimBroker.open();
      const topic = await s.topic('orders');
      s.publish(topic, numbered(0, 1));
      const { DiskError } = await import('./log/disk.ts');
      s.disk.beforeCall = (call) => {
        if (call.op === op && call.path.startsWith('log/')) throw new DiskError('io', 'injected');
      };
      const answered = s.answers.length;
      s.send(topic, numbered(1, 1));
      s.turn();
      expect(s.answers.length).toBe(answered);
      expect(s.lost).not.toBeNull();
      expect(() => s.send(topic, numbered(2, 1))).toThrow(/log failed/);
      s.disk.beforeCall = null;
      const again = await s.restart('kill');
      const found = again.readFrom(topic.queues[0]!, 0);
      expect(found.length).toBeGreaterThanOrEqual(1);
    }
  });
});
