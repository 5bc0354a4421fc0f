/** What queues do by themselves, and what several queues do at once: ends at the head, limits, priorities, transactions. */
import { afterEach, describe, expect, it } from 'vitest';
import { encodeBatch } from './testing/batch-codec.ts';
import { SimBroker, TESTER } from './testing/sim-broker.ts';
import { SimRandom } from './testing/sim-random.ts';
import type { Exchange, LeaseConsumer, Leased, Topic, TopicAttributes } from './types.ts';

const open: SimBroker[] = [];
async function sim(options: Parameters<typeof SimBroker.open>[0] = {}): Promise<SimBroker> {
  const broker = await SimBroker.open(options);
  open.push(broker);
  return broker;
}
afterEach(() => {
  for (const broker of open.splice(0)) expect(broker.lost).toBeNull();
});

const toDead: Partial<TopicAttributes> = { deadLetter: { exchange: '', routingKey: 'dead' } };
const ready = (s: SimBroker, topic: Topic): number =>
  topic.queues.reduce((sum, queue) => sum + s.broker.ledger(s.ownGroup(topic), queue).ready, 0);

/** Bodies that can be taken, the first to be delivered first. */
function takeAll(s: SimBroker, topic: Topic, holder: object = {}): string[] {
  const bodies: string[] = [];
  for (const queue of [...topic.queues].reverse()) {
    for (
      let one = s.take(s.ownGroup(topic), queue, holder);
      one !== null;
      one = s.take(s.ownGroup(topic), queue, holder)
    )
      bodies.push(one.body);
  }
  s.turn();
  return bodies;
}

function consumer(s: SimBroker, topic: Topic, capacity = 100, more: Partial<LeaseConsumer> = {}) {
  const got: string[] = [];
  let left = capacity;
  const one: LeaseConsumer = {
    group: s.ownGroup(topic),
    queues: topic.queues,
    priority: 0,
    exclusive: false,
    autoSettle: false,
    capacity: () => left,
    deliver(leased: Leased) {
      left--;
      got.push(s.broker.messages(leased.unit)[leased.record]!.body!.toString());
    },
    cancelled: () => undefined,
    ...more,
  };
  s.broker.subscribe(TESTER, one);
  return { one, got };
}

describe('a message that has lived its time', () => {
  it('leaves a queue that nobody reads, as a dead letter, also when its time ends while the broker is away', async () => {
    let s = await sim();
    const dead = await s.queue('dead');
    const work = await s.queue('work', { ...toDead, messageTtlMs: 1000 });
    s.publish(work, ['k|t|one']);
    s.clock.advance(500);
    s.publish(work, ['k|t|two']);
    s.clock.advance(501);
    s.rest(20);
    expect(ready(s, work)).toBe(1);
    expect(s.readFrom(dead.queues[0]!, 0)).toEqual([[0, 'one']]);
    s = await s.restart('kill');
    s.clock.advance(2000);
    s.rest(20);
    expect(ready(s, work)).toBe(0);
    s = await s.restart(new SimRandom(5));
    s.rest(20);
    expect(s.readFrom(dead.queues[0]!, 0).map(([, body]) => body)).toEqual(['one', 'two']);
  });

  it('by its own end dies when it is the head, not before', async () => {
    const s = await sim();
    const work = await s.queue('work');
    s.publish(work, ['k|t|stays']);
    s.publish(work, ['k|t|brief'], { expiryMs: s.broker.nowMs() + 100 });
    s.rest(300);
    expect(ready(s, work)).toBe(2);
    const me = {};
    expect(s.take(s.ownGroup(work), work.queues[0]!, me)?.body).toBe('stays');
    s.rest(20);
    expect(ready(s, work)).toBe(0);
  });

  it('and that may not wait at all goes to who is there, else it is gone', async () => {
    const s = await sim();
    const work = await s.queue('work', { messageTtlMs: 0 });
    s.publish(work, ['k|t|lost']);
    s.rest(20);
    expect(ready(s, work)).toBe(0);
    const { got } = consumer(s, work);
    s.turn();
    s.publish(work, ['k|t|seen']);
    expect(got).toEqual(['seen']);
  });

  it('nor by its own word does, in the very turn in which it comes', async () => {
    const s = await sim();
    const work = await s.queue('work');
    s.publish(work, ['k|t|lost'], { expiryMs: s.broker.nowMs() });
    expect(takeAll(s, work)).toEqual([]);
    const { got } = consumer(s, work);
    s.publish(work, ['k|t|seen'], { expiryMs: s.broker.nowMs() });
    expect(got).toEqual(['seen']);
  });

  it('does not go round for ever where nobody rejects it', async () => {
    const s = await sim();
    const a = await s.queue('a', { messageTtlMs: 10, deadLetter: { exchange: '', routingKey: 'b' } });
    const b = await s.queue('b', { messageTtlMs: 10, deadLetter: { exchange: '', routingKey: 'a' } });
    s.publish(a, ['k|t|round']);
    s.rest(500);
    expect([ready(s, a), ready(s, b)]).toEqual([0, 0]);
    expect([s.broker.queue(a.queues[0]!)!.endOffset, s.broker.queue(b.queues[0]!)!.endOffset]).toEqual([1, 1]);
  });

  it("of a queue that has just been deleted is nobody's any more", async () => {
    const s = await sim();
    const dead = await s.queue('dead');
    const work = await s.queue('work', { ...toDead, messageTtlMs: 100 });
    s.publish(work, ['k|t|x']);
    const holder = {};
    s.take(s.ownGroup(work), work.queues[0]!, holder);
    s.clock.advance(200);
    // What came back is to be looked at in the next turn; by then the queue is gone.
    s.broker.release(holder);
    await s.run(s.broker.deleteTopic(TESTER, work));
    s.rest(300);
    expect(s.readFrom(dead.queues[0]!, 0)).toEqual([]);
  });

  it('is dropped where its dead letter has no place to go', async () => {
    const s = await sim();
    const work = await s.queue('work', { messageTtlMs: 10, deadLetter: { exchange: 'nowhere', routingKey: null } });
    s.publish(work, ['k|t|x']);
    s.rest(100);
    expect(ready(s, work)).toBe(0);
  });
});

describe('a message that cannot become a dead letter', () => {
  it('ends without one, whoever ends it, and nobody falls', async () => {
    const s = await sim();
    const dead = await s.queue('dead');
    const work = await s.queue('work', { ...toDead, messageTtlMs: 1000 });
    const damaged = (body: string): { payload: Buffer } => {
      const payload = encodeBatch([body]);
      payload.writeUInt32BE(1000, 8);
      return { payload };
    };
    s.publish(work, [''], damaged('rejected'));
    const group = s.ownGroup(work);
    const me = {};
    expect(s.broker.leaseOne(TESTER, group, work.queues[0]!, me, 0, () => undefined)).toBe(true);
    s.broker.settle(group, work.queues[0]!, 0, 'reject');
    s.publish(work, [''], damaged('expired'));
    s.publish(work, ['k|t|good']);
    s.rest(1100);
    expect(ready(s, work)).toBe(0);
    expect(s.readFrom(dead.queues[0]!, 0).map(([, body]) => body)).toEqual(['good']);
    expect(s.warnings).toEqual([
      "message 0 of 'work' ended without a dead letter: a record passes the end",
      "message 1 of 'work' ended without a dead letter: a record passes the end",
    ]);
  });
});

describe('a queue with a limit', () => {
  it('drops its head, which becomes a dead letter; what is held does not count', async () => {
    const s = await sim();
    const dead = await s.queue('dead');
    const work = await s.queue('work', { ...toDead, rules: { readyMax: 2 } });
    for (const body of ['a', 'b', 'c', 'd']) s.publish(work, [`k|t|${body}`]);
    s.rest(20);
    expect(s.readFrom(dead.queues[0]!, 0).map(([, body]) => body)).toEqual(['a', 'b']);
    const me = {};
    expect(takeAll(s, work, me)).toEqual(['c', 'd']);
    s.publish(work, ['k|t|e']);
    s.publish(work, ['k|t|f']);
    expect(ready(s, work)).toBe(2);
    s.broker.release(me);
    s.rest(20);
    expect(takeAll(s, work)).toEqual(['e', 'f']);
  });

  it('of bytes counts what is ready, also what came back and what a restart finds', async () => {
    const bytes = (text: string): string => `k|t|${text}`;
    let s = await sim();
    // The batch of the tests has 8 octets, and for a record 4 and its text.
    const work = await s.queue('work', { rules: { readyBytesMax: 60 } });
    s.publish(work, [bytes('aaaa')]);
    s.publish(work, [bytes('bbbb')]);
    s.publish(work, [bytes('cccc')]);
    s.rest(20);
    expect(ready(s, work)).toBe(3);
    const me = {};
    expect(s.take(s.ownGroup(work), work.queues[0]!, me)?.body).toBe('aaaa');
    s.publish(work, [bytes('dddd')]);
    s.rest(20);
    expect(ready(s, work)).toBe(3);
    s.broker.release(me);
    s.rest(20);
    expect(ready(s, work)).toBe(3);
    s = await s.restart('kill');
    s.publish(work, [bytes('eeee')]);
    s.rest(20);
    expect(takeAll(s, work)).toEqual(['cccc', 'dddd', 'eeee']);
  });

  it('of bytes counts a backlog that a start finds without reading it on the loop, and never too much of it', async () => {
    const count = 5_000;
    let s = await sim({ coldBytes: 0 });
    const work = await s.queue('work', { rules: { readyBytesMax: count * 20 } });
    for (let n = 0; n < count; n++) s.send(work, [`k|t|${String(n).padStart(4, '0')}`]);
    s.rest(20);
    s = await s.restart('kill');
    const reads = { read: 0, 'read-async': 0 };
    s.disk.beforeCall = ({ op, path }) => {
      if ((op === 'read' || op === 'read-async') && path.endsWith('.seg')) reads[op]++;
    };
    // Not counted yet: nothing dies for it, and what is taken and comes back meanwhile is counted once.
    s.disk.latencyMs = () => 5;
    s.publish(work, ['k|t|next']);
    expect(ready(s, work)).toBe(count + 1);
    const { one } = consumer(s, work, 3);
    s.rest(2_000);
    expect(ready(s, work)).toBe(count - 2);
    expect(reads.read).toBe(0);
    expect(reads['read-async']).toBeGreaterThan(0);
    // Back again, and cold; two of them are taken before they could be read.
    s.broker.unsubscribe(one);
    const me = {};
    for (const body of ['0000', '0001']) expect(s.take(s.ownGroup(work), work.queues[0]!, me)?.body).toBe(body);
    s.rest(20);
    expect(ready(s, work)).toBe(count - 1);
    for (const body of ['more', 'last']) s.publish(work, [`k|t|${body}`]);
    s.rest(20);
    expect(ready(s, work)).toBe(count);
    s.broker.release(me);
    s.rest(20);
    expect(ready(s, work)).toBe(count);
  });

  it('refuses what is too much, as a dead letter if it is to be one, and says so', async () => {
    const s = await sim();
    const dead = await s.queue('dead');
    const plain = await s.queue('plain', { rules: { readyMax: 1, overflow: 'refuse' } });
    const work = await s.queue('work', { ...toDead, rules: { readyMax: 1, overflow: 'refuse-dead-letter' } });
    for (const topic of [plain, work]) {
      const first = s.append(['k|t|first'], { topic });
      expect([s.broker.append(TESTER, first, { appended: () => undefined }, 0), first.refused]).toEqual([1, 0]);
      // Not yet visible, and counted all the same.
      const through = { topic: null, exchange: '', routingKey: topic.name, queue: -1 };
      const second = s.append(['k|t|second'], through);
      expect([s.broker.append(TESTER, second, { appended: () => undefined }, 0), second.refused]).toEqual([0, 1]);
    }
    // Who names the queue itself is told by an error.
    expect(() => s.send(plain, ['k|t|third'])).toThrow("'plain' is full");
    s.turn();
    expect(takeAll(s, plain)).toEqual(['first']);
    expect(takeAll(s, work)).toEqual(['first']);
    expect(s.readFrom(dead.queues[0]!, 0).map(([, body]) => body)).toEqual(['second']);
  });
});

describe('what a full queue refuses', () => {
  const nobody = { appended: () => undefined };

  it('and nobody can decode is no dead letter, and hurts nobody', async () => {
    const s = await sim();
    await s.queue('dead');
    const work = await s.queue('work', { ...toDead, rules: { readyMax: 1, overflow: 'refuse-dead-letter' } });
    const open = await s.topic('open');
    await s.bind('open', 'work');
    s.publish(work, ['k|t|first']);
    const garbage = Buffer.from('no batch at all');
    const token = s.send(open, ['k|t|x'], { payload: garbage });
    s.turn();
    expect(s.answerOf(token).queue).toBe(open.queues[0]);
    expect(s.warnings).toMatchObject([expect.stringContaining("the full queue 'work' refused")]);
  });

  it('is not dead-lettered once more by a later append, when its own ends in an error', async () => {
    const s = await sim();
    const dead = await s.queue('dead');
    const work = await s.queue('work', { ...toDead, rules: { readyMax: 1, overflow: 'refuse-dead-letter' } });
    await s.queue('small', { messageBytesMax: 100 });
    const exchange: Exchange = {
      namespace: 'default',
      name: 'fan',
      type: 'fanout',
      durable: true,
      autoDelete: false,
      internal: false,
      extra: {},
    };
    await s.run(s.broker.createExchange(TESTER, exchange));
    await s.bind('fan', 'work');
    await s.bind('fan', 'small');
    s.publish(work, ['k|t|first']);
    const large = s.append([`k|t|${'x'.repeat(200)}`], { topic: null, exchange: 'fan', routingKey: '', queue: -1 });
    expect(() => s.broker.append(TESTER, large, nobody, 0)).toThrow('exceeds the limit');
    const elsewhere = await s.topic('elsewhere');
    s.publish(elsewhere, ['k|t|of somebody else']);
    s.turn();
    expect(s.readFrom(dead.queues[0]!, 0)).toEqual([]);
  });

  it('but held until it was due, waits until there is room', async () => {
    const s = await sim();
    const work = await s.queue('work', { rules: { readyMax: 1, overflow: 'refuse' } });
    s.publish(work, ['k|t|later'], { notBeforeMs: s.clock.nowMs() + 1_000 });
    s.publish(work, ['k|t|first']);
    s.rest(3_000);
    expect(takeAll(s, work)).toEqual(['first']);
    s.rest(2_000);
    expect(takeAll(s, work)).toEqual(['later']);
  });
});

describe('what is held until it is due', () => {
  it('comes in the order in which it was sent, when it is due at the same time', async () => {
    const s = await sim();
    const work = await s.queue('work');
    const bodies = Array.from({ length: 50 }, (_, n) => String(n));
    const notBeforeMs = s.clock.nowMs() + 1_000;
    for (const body of bodies) s.send(work, [`k|t|${body}`], { notBeforeMs });
    s.turn();
    s.rest(2_000);
    expect(s.readFrom(work.queues[0]!, 0).map(([, body]) => body)).toEqual(bodies);
  });

  it('for longer than a unit can say, comes at its time also after a restart', async () => {
    let s = await sim();
    let work = await s.queue('work');
    const days = 24 * 3_600_000;
    s.publish(work, ['k|t|far'], { notBeforeMs: s.clock.nowMs() + 60 * days });
    s = await s.restart();
    open.push(s);
    work = s.broker.topic('default', 'work')!;
    s.clock.advance(55 * days);
    s.rest(100);
    expect(s.readFrom(work.queues[0]!, 0)).toEqual([]);
    s.clock.advance(5 * days);
    s.rest(100);
    expect(s.readFrom(work.queues[0]!, 0).map(([, body]) => body)).toEqual(['far']);
  });

  it('lives its time to live from when it is due', async () => {
    const s = await sim();
    const work = await s.queue('work');
    const now = s.clock.nowMs();
    s.publish(work, ['k|t|x'], { notBeforeMs: now + 60_000, expiryMs: now + 30_000 });
    s.clock.advance(60_000);
    s.rest(20_000);
    expect(ready(s, work)).toBe(1);
    s.rest(20_000);
    expect(ready(s, work)).toBe(0);
  });

  it('is answered after a sync when its topic asks for one, whatever is the default', async () => {
    const names = { topicsMax: 100, groupsMax: 100, queuesPerTopicMax: 100, reserved: [] };
    const base = (await sim()).options.names.attributes;
    const s = await sim({ names: { ...names, attributes: { ...base, flush: 'async' } }, inlineSyncMs: 0 });
    const work = await s.queue('work', { flush: 'sync' });
    s.rest(500);
    s.disk.latencyMs = () => 50;
    const token = s.send(work, ['k|t|x'], { notBeforeMs: s.clock.nowMs() + 10_000 });
    s.turn();
    expect(() => s.answerOf(token)).toThrow('was not answered');
    s.rest(500);
    expect(s.answerOf(token).queue).toBe(-1);
  });
});

describe('a queue that refuses what is too many bytes', () => {
  it('counts what is under way once, though there is always some', async () => {
    const s = await sim({ inlineSyncMs: 0 });
    const work = await s.queue('work', { rules: { readyBytesMax: 80, overflow: 'refuse' } });
    consumer(s, work, 100, { autoSettle: true });
    s.disk.latencyMs = () => 10;
    for (let n = 0; n < 20; n++) {
      const one = s.append([`k|t|${String(n).padStart(4, '0')}`], { topic: work });
      expect(s.broker.append(TESTER, one, { appended: () => undefined }, 0), `message ${n}`).toBe(1);
      s.clock.advance(6);
    }
    s.rest(20);
    expect(ready(s, work)).toBe(0);
  });

  it('counts what is under way of each priority until it is ready', async () => {
    const s = await sim();
    const work = await s.topic('work', {
      kind: 'queue',
      queues: 3,
      attributes: { rules: { readyBytesMax: 40, overflow: 'refuse' } },
    });
    const offer = (body: string): number => {
      const at = { topic: null, exchange: '', routingKey: 'work', queue: -1, priority: 2 };
      return s.broker.append(TESTER, s.append([`k|t|${body}`], at), { appended: () => undefined }, 0);
    };
    expect([offer('aaaa'), offer('bbbb'), offer('cccc')]).toEqual([1, 1, 0]);
    s.turn();
    expect([offer('dddd'), ready(s, work)]).toEqual([0, 2]);
  });
});

describe('a message that came back too often', () => {
  it('is dead at once, whether somebody reads the queue or not', async () => {
    const s = await sim();
    const dead = await s.queue('dead');
    const work = await s.queue('work', { ...toDead, deliveriesMax: 2 });
    s.publish(work, ['k|t|poison']);
    for (let n = 0; n < 2; n++) {
      const taken = s.take(s.ownGroup(work), work.queues[0]!, {})!;
      s.broker.settle(s.ownGroup(work), work.queues[0]!, taken.offset, 'requeue');
    }
    s.rest(20);
    expect(ready(s, work)).toBe(0);
    expect(s.readFrom(dead.queues[0]!, 0)).toEqual([[0, 'poison']]);
  });
});

describe('a queue with priorities', () => {
  const publish = (s: SimBroker, topic: Topic, body: string, priority: number) =>
    s.publish(topic, [`k|t|${body}`], { topic: null, exchange: '', routingKey: topic.name, queue: -1, priority });

  it('gives the highest first, in order within one, also to consumers that wait, and after a restart', async () => {
    let s = await sim();
    const work = await s.topic('work', { kind: 'queue', queues: 6 });
    publish(s, work, 'low', 0);
    publish(s, work, 'high', 5);
    publish(s, work, 'above', 9);
    publish(s, work, 'middle', 3);
    s = await s.restart('kill');
    const { one, got } = consumer(s, work, 3);
    s.turn();
    expect(got).toEqual(['high', 'above', 'middle']);
    publish(s, work, 'later', 4);
    s.broker.unsubscribe(one);
    const again = consumer(s, work);
    s.rest(20);
    expect(again.got).toEqual(['high', 'above', 'later', 'middle', 'low']);
  });

  it('counts all of them against its limit', async () => {
    const s = await sim();
    const work = await s.topic('work', { kind: 'queue', queues: 3, attributes: { rules: { readyMax: 2 } } });
    publish(s, work, 'a', 0);
    publish(s, work, 'b', 2);
    publish(s, work, 'c', 1);
    s.rest(20);
    expect(takeAll(s, work)).toEqual(['c', 'a']);
  });
});

describe('a queue that has one consumer at a time', () => {
  it('gives the next one its turn when the first ends', async () => {
    const s = await sim();
    const work = await s.queue('work', { rules: { singleActive: true } });
    const first = consumer(s, work, 1);
    const second = consumer(s, work, 10, { priority: 5 });
    s.publish(work, ['k|t|a']);
    s.publish(work, ['k|t|b']);
    expect([first.got, second.got]).toEqual([['a'], []]);
    s.broker.unsubscribe(first.one);
    s.rest(20);
    expect(second.got).toEqual(['a', 'b']);
  });
});

describe('a queue that goes unused', () => {
  it('is deleted with its bindings and the exchange that lived by them, not while it is used', async () => {
    let s = await sim();
    await s.run(s.broker.createExchange(TESTER, exchange('temporary', 'fanout', { autoDelete: true })));
    const work = await s.queue('work', { rules: { unusedMs: 1000 } });
    await s.bind('temporary', 'work', '');
    s.rest(900);
    s.broker.used(work);
    s.rest(900);
    const { one } = consumer(s, work);
    s.rest(3000);
    expect(s.broker.topic('default', 'work')).not.toBeNull();
    s.broker.unsubscribe(one);
    s.rest(900);
    s = await s.restart('kill');
    s.rest(900);
    expect(s.broker.topic('default', 'work')).not.toBeNull();
    s.rest(300);
    expect(s.broker.topic('default', 'work')).toBeNull();
    expect(s.broker.exchange('default', 'temporary')).toBeNull();
    s = await s.restart('kill');
    expect([s.broker.topic('default', 'work'), s.broker.exchange('default', 'temporary')]).toEqual([null, null]);
  });
});

function exchange(name: string, type: Exchange['type'], more: Partial<Exchange> = {}): Exchange {
  return { namespace: 'default', name, type, durable: true, autoDelete: false, internal: false, extra: {}, ...more };
}

describe('an exchange', () => {
  const through = { topic: null, queue: -1 } as const;

  it('gives what it cannot route to its alternate, and that to its own', async () => {
    const s = await sim();
    const rest = await s.queue('rest');
    const some = await s.queue('some');
    for (const one of [
      exchange('first', 'direct', { alternate: 'second' }),
      exchange('second', 'direct', { alternate: 'third' }),
      exchange('third', 'fanout', { alternate: 'first' }),
    ])
      await s.run(s.broker.createExchange(TESTER, one));
    await s.bind('first', 'some', 'k');
    await s.bind('third', 'rest', '');
    s.publish(some, ['k|t|routed'], { ...through, exchange: 'first', routingKey: 'k' });
    s.publish(some, ['k|t|left over'], { ...through, exchange: 'first', routingKey: 'other' });
    expect(s.readFrom(some.queues[0]!, 0).map(([, body]) => body)).toEqual(['routed']);
    expect(s.readFrom(rest.queues[0]!, 0).map(([, body]) => body)).toEqual(['left over']);
  });

  it('gives it to a log topic too, and to the queues bound to that, each once', async () => {
    const s = await sim();
    const log = await s.topic('log');
    const bound = await s.queue('bound');
    await s.run(s.broker.createExchange(TESTER, exchange('x', 'direct', { alternate: 'log' })));
    await s.bind('log', 'bound');
    s.publish(log, ['k|t|left over'], { ...through, exchange: 'x', routingKey: 'k' });
    for (const topic of [log, bound]) expect(s.readFrom(topic.queues[0]!, 0)).toEqual([[0, 'left over']]);
  });

  it('that routes a dead letter where it must not go again does not give it to its alternate', async () => {
    const s = await sim();
    const rest = await s.queue('rest');
    const work = await s.queue('work', { messageTtlMs: 10, deadLetter: { exchange: 'x', routingKey: 'k' } });
    await s.run(s.broker.createExchange(TESTER, exchange('y', 'fanout')));
    await s.run(s.broker.createExchange(TESTER, exchange('x', 'direct', { alternate: 'y' })));
    await s.bind('x', 'work', 'k');
    await s.bind('y', 'rest', '');
    s.publish(work, ['k|t|x']);
    s.rest(100);
    expect([ready(s, work), ready(s, rest)]).toEqual([0, 0]);
  });

  it('that holds routes when the time has come, by what is bound then', async () => {
    let s = await sim();
    await s.run(s.broker.createExchange(TESTER, exchange('later', 'topic', { holds: true })));
    const work = await s.queue('work');
    const held = { ...through, exchange: 'later', routingKey: 'k', notBeforeMs: s.broker.nowMs() + 1000 };
    expect(s.publish(work, ['k|t|a'], held).queue).toBe(-1);
    s = await s.restart('kill');
    await s.bind('later', 'work', '#');
    s.rest(900);
    expect(ready(s, work)).toBe(0);
    s.rest(200);
    expect(s.readFrom(work.queues[0]!, 0)).toEqual([[0, 'a']]);
    s.publish(work, ['k|t|b'], { ...held, notBeforeMs: s.broker.nowMs() + 1000 });
    await s.run(s.broker.deleteExchange(TESTER, 'default', 'later'));
    s = await s.restart('kill');
    s.rest(2000);
    expect(ready(s, work)).toBe(1);
  });

  it('takes further routing keys, a copy for each queue', async () => {
    const s = await sim();
    const [a, b] = [await s.queue('a'), await s.queue('b')];
    const answer = s.publish(a, ['k|t|x'], { ...through, exchange: '', routingKey: 'a', copies: ['b', 'a', 'nobody'] });
    expect(answer.queue).toBe(a.queues[0]);
    expect([ready(s, a), ready(s, b)]).toEqual([1, 1]);
  });

  it('shares out by a hash, evenly by weight, and moves only what it must', async () => {
    const s = await sim();
    await s.run(s.broker.createExchange(TESTER, exchange('shared', 'hash')));
    const names = ['a', 'b', 'c'];
    for (const name of names) {
      await s.queue(name);
      await s.bind('shared', name, name === 'c' ? '2' : '1');
    }
    const route = (): string[] =>
      Array.from({ length: 4000 }, (_, n) => {
        const append = s.append(['k|t|x'], { ...through, exchange: 'shared', routingKey: `key ${n}` });
        s.broker.append(TESTER, append, { appended: () => undefined }, 0);
        return names.find((name) => ends.get(name) !== endOf(name) && ends.set(name, endOf(name)))!;
      });
    const endOf = (name: string): number => {
      s.turn();
      return s.broker.queue(s.broker.topic('default', name)!.queues[0]!)!.endOffset;
    };
    const ends = new Map(names.map((name) => [name, endOf(name)]));
    const before = route();
    const share = (name: string): number => before.filter((one) => one === name).length / before.length;
    for (const [name, expected] of [
      ['a', 0.25],
      ['b', 0.25],
      ['c', 0.5],
    ] as const)
      expect(Math.abs(share(name) - expected)).toBeLessThan(0.03);
    await s.run(s.broker.deleteTopic(TESTER, s.broker.topic('default', 'b')!));
    names.splice(1, 1);
    const after = route();
    expect(after.every((name, n) => before[n] === 'b' || before[n] === name)).toBe(true);
  });
});

describe('a queue that is bound to a topic', () => {
  it('receives what is published to the topic, whatever namespace the publisher names beside it', async () => {
    const s = await sim();
    const topic = await s.topic('orders');
    const [all, some] = [await s.queue('all'), await s.queue('some')];
    await s.bind('orders', 'all', '#');
    s.publish(topic, ['k|t|a'], { namespace: '' });
    await s.bind('orders', 'some', 'k');
    s.publish(topic, ['k|t|b'], { namespace: '' });
    s.publish(topic, ['k|t|c'], { namespace: '', routingKey: 'k' });
    expect([ready(s, all), ready(s, some)]).toEqual([3, 2]);
  });
});

describe('a transaction', () => {
  it('is there as a whole or not at all, after a kill and a power cut', async () => {
    let s = await sim();
    const [a, b, work] = [await s.queue('a'), await s.queue('b'), await s.queue('work')];
    s.publish(work, ['k|t|job']);
    const holder = {};
    const taken = s.take(s.ownGroup(work), work.queues[0]!, holder)!;
    const appends = [
      s.append(['k|t|1'], { topic: a }),
      s.append(['k|t|2'], { topic: null, exchange: '', routingKey: 'nobody', queue: -1 }),
      s.append(['k|t|3', 'k|t|4'], { topic: b }),
    ];
    const settles = [{ group: s.ownGroup(work), queue: work.queues[0]!, offset: taken.offset }];
    const answers: number[] = [];
    const target = { appended: (token: number) => void answers.push(token) };
    const before = s.broker.log.position;
    expect(s.broker.transact(TESTER, appends, settles, target, 7)).toEqual([1, 0, 1]);
    const entry = s.broker.log.lastLength;
    expect(s.broker.log.position - before).toBe(entry);
    expect(answers).toEqual([]);
    s.turn();
    expect(answers).toEqual([7]);
    for (const how of ['kill', new SimRandom(2)] as const) {
      s = await s.restart(how);
      expect(s.readFrom(a.queues[0]!, 0)).toEqual([[0, '1']]);
      expect(s.readFrom(b.queues[0]!, 0)).toEqual([
        [0, '3'],
        [1, '4'],
      ]);
      expect(ready(s, work)).toBe(0);
    }
  });

  it('holds back what is not due yet', async () => {
    let s = await sim();
    await s.run(s.broker.createExchange(TESTER, exchange('later', 'fanout', { holds: true })));
    const work = await s.queue('work');
    await s.bind('later', 'work', '');
    const held = s.append(['k|t|held'], {
      topic: null,
      queue: -1,
      exchange: 'later',
      routingKey: '',
      notBeforeMs: s.broker.nowMs() + 1000,
    });
    const now = s.append(['k|t|now'], { topic: work });
    expect(s.broker.transact(TESTER, [held, now], [], { appended: () => undefined }, 1)).toEqual([1, 1]);
    s.turn();
    expect(s.readFrom(work.queues[0]!, 0)).toEqual([[0, 'now']]);
    s = await s.restart('kill');
    s.rest(1200);
    expect(s.readFrom(work.queues[0]!, 0).map(([, body]) => body)).toEqual(['now', 'held']);
  });

  it('that is refused changes nothing', async () => {
    const s = await sim();
    const [a, work] = [await s.queue('a'), await s.queue('work')];
    s.publish(work, ['k|t|job']);
    const taken = s.take(s.ownGroup(work), work.queues[0]!, {})!;
    const settles = [{ group: s.ownGroup(work), queue: work.queues[0]!, offset: taken.offset }];
    const large = s.append([`k|t|${'x'.repeat(70_000)}`], { topic: a });
    expect(() =>
      s.broker.transact(TESTER, [s.append(['k|t|1'], { topic: a }), large], settles, { appended: () => undefined }, 1),
    ).toThrow(/exceeds the limit/);
    s.turn();
    expect(s.broker.queue(a.queues[0]!)!.endOffset).toBe(0);
    expect(s.broker.ledger(s.ownGroup(work), work.queues[0]!).inFlight).toBe(1);
  });
});
