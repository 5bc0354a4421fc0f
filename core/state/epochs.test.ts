// Which epoch an offset was written under: the table, and through kills, power cuts, snapshots and moved segments.
import { describe, expect, it } from 'vitest';
import { SimBroker, TESTER } from '../testing/sim-broker.ts';
import { SimRandom } from '../testing/sim-random.ts';
import { Epochs } from './epochs.ts';

const copyOf = (table: Epochs, start = 0): Epochs => {
  const copy = new Epochs();
  for (const event of table.events(() => start)) if (event.k === 'epochs') copy.apply(event.rows);
  return copy;
};

describe('the table', () => {
  it('tells where an epoch ended, and which one was there instead of one without appends', () => {
    const table = new Epochs();
    table.note(7, 3, 0);
    table.note(7, 3, 10);
    table.note(7, 5, 20);
    table.note(7, 9, 50);
    for (const copy of [table, copyOf(table)]) {
      expect(copy.end(7, 3, 80)).toEqual({ epoch: 3, offset: 20 });
      expect(copy.end(7, 4, 80)).toEqual({ epoch: 3, offset: 20 });
      expect(copy.end(7, 5, 80)).toEqual({ epoch: 5, offset: 50 });
      expect(copy.end(7, 9, 80)).toEqual({ epoch: 9, offset: 80 });
      expect(copy.end(7, 12, 80)).toEqual({ epoch: 9, offset: 80 });
      expect(copy.end(7, 1, 80)).toEqual({ epoch: 1, offset: 0 });
      expect([0, 19, 20, 49, 50, 99].map((offset) => copy.of(7, offset))).toEqual([3, 3, 5, 5, 9, 9]);
    }
  });

  it('is not changed by what is folded again, and forgets a queue', () => {
    const table = new Epochs();
    table.note(1, 2, 0);
    table.note(1, 4, 10);
    table.note(1, 2, 0);
    expect(table.end(1, 2, 30)).toEqual({ epoch: 2, offset: 10 });
    table.removeQueues([1]);
    expect(table.end(1, 2, 30)).toEqual({ epoch: 2, offset: 30 });
    table.note(1, 4, 12);
    expect(table.end(1, 3, 30)).toEqual({ epoch: 3, offset: 12 });
  });

  it('forgets what lies below the start, but not which epoch the start is of', () => {
    const table = new Epochs();
    for (const [epoch, first] of [
      [1, 0],
      [2, 10],
      [3, 20],
    ] as const)
      table.note(0, epoch, first);
    const copy = copyOf(table, 15);
    expect(copy.end(0, 1, 30)).toEqual({ epoch: 1, offset: 10 });
    expect(copy.end(0, 2, 30)).toEqual({ epoch: 2, offset: 20 });
  });
});

describe('a broker', () => {
  it('knows over restarts and snapshots how far each epoch went', async () => {
    let s = await SimBroker.open();
    const topic = await s.topic('orders');
    const queue = topic.queues[0]!;
    const ends: [epoch: number, end: number][] = [];
    for (const [round, how] of (['kill', 'close', 'kill', 'close'] as const).entries()) {
      s.publish(s.broker.topic('default', 'orders')!, ['k|t|a', 'k|t|b'].slice(0, 1 + (round % 2)));
      ends.push([s.broker.epoch, s.broker.queue(queue)!.endOffset]);
      s = await s.restart(how);
      // An epoch without an append.
      s = await s.restart(how);
      for (const [epoch, end] of ends) expect(s.broker.facts.epochEnd(queue, epoch)).toEqual({ epoch, offset: end });
    }
    expect(s.broker.facts.epochEnd(queue, s.broker.epoch)).toEqual({ epoch: ends.at(-1)![0], offset: ends.at(-1)![1] });
  });

  it('shows that the end of an async topic was lost with the power', async () => {
    let s = await SimBroker.open();
    const topic = await s.topic('fast', { attributes: { flush: 'async' } });
    const queue = topic.queues[0]!;
    s.publish(topic, ['k|t|kept']);
    s.clock.advance(500);
    s.turn();
    s.publish(topic, ['k|t|lost', 'k|t|lost too']);
    const epoch = s.broker.epoch;
    expect(s.broker.facts.epochEnd(queue, epoch)).toEqual({ epoch, offset: 3 });
    const before = s;
    for (let seed = 1; s.broker.queue(queue)!.endOffset === 3; seed++) {
      expect(seed).toBeLessThan(50);
      s = await before.restart(new SimRandom(seed));
    }
    const { endOffset } = s.broker.queue(queue)!;
    expect(s.broker.facts.epochEnd(queue, epoch)).toEqual({ epoch, offset: endOffset });
    s.publish(s.broker.topic('default', 'fast')!, ['k|t|new', 'k|t|new', 'k|t|new', 'k|t|new']);
    expect(s.broker.facts.epochEnd(queue, epoch)).toEqual({ epoch, offset: endOffset });
    expect(s.broker.facts.epochEnd(queue, s.broker.epoch)).toEqual({ epoch: s.broker.epoch, offset: endOffset + 4 });
  });

  it('does not take entries that were moved for new ones', async () => {
    let s = await SimBroker.open({ segmentBytes: 16 * 1024, reserveBytes: 2 * 1024, cleanRatio: 0.9 });
    const kept = await s.topic('kept');
    const passing = await s.topic('passing');
    const queue = kept.queues[0]!;
    const epoch = s.broker.epoch;
    for (let n = 0; n < 60; n++) {
      s.publish(n % 20 === 0 ? kept : passing, [`k|t|${'x'.repeat(1000)}`]);
    }
    const end = s.broker.queue(queue)!.endOffset;
    s = await s.restart('close');
    await s.run(s.broker.moveStart(TESTER, passing.queues[0]!, s.broker.queue(passing.queues[0]!)!.endOffset));
    s.rest(10_000);
    const { journal } = s.broker as unknown as { journal: { ranges(): { moved: boolean }[] } };
    expect(journal.ranges().some(({ moved }) => moved)).toBe(true);
    s = await s.restart('kill');
    expect(s.broker.facts.epochEnd(queue, epoch)).toEqual({ epoch, offset: end });
    expect(s.broker.facts.epochEnd(queue, epoch + 1)).toEqual({ epoch, offset: end });
    expect(s.readFrom(queue, 0)).toHaveLength(3);
  });
});
