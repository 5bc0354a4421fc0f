/** Waiters against a naive model, their turns and deadlines, and that nothing of them is left. fast-check prints the seed. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimClock } from '../testing/sim-clock.ts';
import type { Offset, QueueNumber, Waiter } from '../types.ts';
import { TICK_MS, Waiters } from './waiters.ts';

/** Records its wakes and may do something at each. */
class Reader implements Waiter {
  readonly woken: string[] = [];
  onWake: ((reason: 'data' | 'timeout') => void) | null = null;

  wake(reason: 'data' | 'timeout'): void {
    this.woken.push(reason);
    this.onWake?.(reason);
  }
}

function setUp(): {
  clock: SimClock;
  waiters: Waiters;
  ends: Map<QueueNumber, Offset>;
  grow: (queue: QueueNumber, end: Offset) => void;
} {
  const clock = new SimClock();
  const ends = new Map<QueueNumber, Offset>();
  const waiters = new Waiters(clock, (queue) => ends.get(queue) ?? 0);
  const grow = (queue: QueueNumber, end: Offset): void => {
    ends.set(queue, end);
    waiters.advanced(queue, end);
  };
  return { clock, waiters, ends, grow };
}

interface Inside {
  registrations: { used: number };
  links: { used: number };
  lists: { size: number; pages: unknown[] };
  registrationOf: Map<Waiter, number>;
  waiters: unknown[];
  over: number[];
  wheel: Int32Array;
}

function expectNothingLeft(waiters: Waiters): void {
  const inside = waiters as unknown as Inside;
  expect({
    registrations: inside.registrations.used,
    links: inside.links.used,
    lists: inside.lists.size + inside.lists.pages.filter((page) => page !== undefined).length,
    waiters: inside.registrationOf.size + inside.waiters.filter((waiter) => waiter !== null).length,
    over: inside.over.length,
    hanging: inside.wheel.filter((id) => id >= 0).length,
  }).toEqual({ registrations: 0, links: 0, lists: 0, waiters: 0, over: 0, hanging: 0 });
}

describe('waiters', () => {
  it('wakes at once those whose end is exceeded, in the order in which they came, and no others', () => {
    const { waiters, grow, clock } = setUp();
    const order: string[] = [];
    const readers = ['a', 'b', 'c'].map((name) => {
      const reader = new Reader();
      reader.onWake = () => order.push(name);
      return reader;
    });
    waiters.wait(readers[0]!, [1], [0], clock.nowMs() + 1000);
    waiters.wait(readers[1]!, [1, 2], [5, 0], clock.nowMs() + 1000);
    waiters.wait(readers[2]!, [2, 1], [9, 0], clock.nowMs() + 1000);
    grow(1, 1);
    expect(order).toEqual(['a', 'c']);
    grow(1, 5);
    expect(order).toEqual(['a', 'c']);
    grow(1, 6);
    expect(order).toEqual(['a', 'c', 'b']);
    grow(2, 100);
    clock.advance(5000);
    expect(order).toEqual(['a', 'c', 'b']);
    expectNothingLeft(waiters);
  });

  it('wakes in the next turn when there is something already, and when the deadline has passed', () => {
    const { waiters, ends, clock } = setUp();
    ends.set(7, 3);
    const reader = new Reader();
    waiters.wait(reader, [6, 7], [0, 2], clock.nowMs() + 1000);
    expect(reader.woken).toEqual([]);
    clock.runTurn();
    expect(reader.woken).toEqual(['data']);
    waiters.wait(reader, [7], [3], clock.nowMs());
    expect(reader.woken).toEqual(['data']);
    clock.runTurn();
    expect(reader.woken).toEqual(['data', 'timeout']);
    expectNothingLeft(waiters);
  });

  it.each([1, 9, 10, 11, 500, 10_239, 10_240, 30_000, 3_600_000])(
    'ends after %i ms, not before and hardly later',
    (ms) => {
      const { waiters, clock } = setUp();
      clock.advance(3);
      const reader = new Reader();
      waiters.wait(reader, [1], [0], clock.nowMs() + ms);
      clock.advance(ms - 1);
      expect(reader.woken).toEqual([]);
      clock.advance(TICK_MS);
      expect(reader.woken).toEqual(['timeout']);
      expectNothingLeft(waiters);
      clock.advance(20_000);
      expect(clock.timers).toBe(0);
    },
  );

  it('a wake may wait again, cancel others and advance queues', () => {
    const { waiters, grow, clock } = setUp();
    const [first, second, third] = [new Reader(), new Reader(), new Reader()];
    const deadline = clock.nowMs() + 1000;
    first.onWake = () => {
      waiters.cancel(second);
      if (first.woken.length < 3) waiters.wait(first, [1], [first.woken.length], deadline);
      grow(2, 1);
    };
    waiters.wait(first, [1], [0], deadline);
    waiters.wait(second, [1], [0], deadline);
    waiters.wait(third, [2], [0], deadline);
    grow(1, 1);
    expect([first.woken.length, second.woken.length, third.woken.length]).toEqual([1, 0, 1]);
    grow(1, 2);
    grow(1, 3);
    grow(1, 4);
    expect(first.woken).toEqual(['data', 'data', 'data']);
    clock.runTurn();
    expectNothingLeft(waiters);
  });

  it('does not wake after cancel, also when it was chosen already', () => {
    const { waiters, ends, clock, grow } = setUp();
    ends.set(1, 1);
    const reader = new Reader();
    waiters.wait(reader, [1], [0], clock.nowMs() + 100);
    waiters.cancel(reader);
    waiters.cancel(reader);
    waiters.wait(reader, [1], [1], clock.nowMs() + 100);
    waiters.cancel(reader);
    grow(1, 2);
    clock.advance(1000);
    expect(reader.woken).toEqual([]);
    expectNothingLeft(waiters);
  });

  it('replaces the registration of one that waits again, and takes the reason of the new one', () => {
    const { waiters, ends, clock, grow } = setUp();
    ends.set(1, 1);
    const reader = new Reader();
    waiters.wait(reader, [1], [0], clock.nowMs() + 100);
    waiters.wait(reader, [2], [0], clock.nowMs());
    clock.runTurn();
    expect(reader.woken).toEqual(['timeout']);
    waiters.wait(reader, [1], [1], clock.nowMs() + 100);
    waiters.wait(reader, [2], [0], Number.POSITIVE_INFINITY);
    grow(1, 9);
    clock.advance(1000);
    expect(reader.woken).toEqual(['timeout']);
    grow(2, 1);
    expect(reader.woken).toEqual(['timeout', 'data']);
    expectNothingLeft(waiters);
  });

  it('wakes the others in the next turn when one of them throws', () => {
    const { waiters, clock, grow } = setUp();
    const [bad, good] = [new Reader(), new Reader()];
    bad.onWake = () => {
      throw new Error('mine');
    };
    waiters.wait(bad, [1], [0], clock.nowMs() + 100);
    waiters.wait(good, [1], [0], clock.nowMs() + 100);
    expect(() => grow(1, 1)).toThrow('mine');
    clock.runTurn();
    expect(good.woken).toEqual(['data']);
    expectNothingLeft(waiters);
  });

  it('agrees with the naive model', () => {
    const step = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          op: fc.constant('wait' as const),
          who: fc.nat(9),
          // Sometimes so many queues that the links are taken out later.
          queues: fc.oneof(
            fc.array(fc.tuple(fc.nat(5), fc.nat(3)), { maxLength: 4 }),
            fc.nat(3).map((ahead) => Array.from({ length: 150 }, (_, n): [number, number] => [n, ahead])),
          ),
          ms: fc.oneof(fc.nat(60), fc.nat(25_000), fc.constant(Number.POSITIVE_INFINITY)),
        }),
      },
      { weight: 1, arbitrary: fc.record({ op: fc.constant('cancel' as const), who: fc.nat(9) }) },
      { weight: 5, arbitrary: fc.record({ op: fc.constant('grow' as const), queue: fc.nat(5), by: fc.nat(3) }) },
      {
        weight: 3,
        arbitrary: fc.record({ op: fc.constant('pass' as const), ms: fc.oneof(fc.nat(40), fc.nat(12_000)) }),
      },
      { weight: 3, arbitrary: fc.record({ op: fc.constant('turn' as const) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const { waiters, clock, ends, grow } = setUp();
        const readers = Array.from({ length: 10 }, () => new Reader());
        /** What must still come: on which queues from where, until when; `now` when it was settled at wait. */
        const parked = new Map<Reader, { queues: [number, number][]; deadlineMs: number; now: string | null }>();
        const expected = new Map(readers.map((reader) => [reader, [] as string[]]));
        const wake = (reader: Reader, reason: string): void => {
          expected.get(reader)!.push(reason);
          parked.delete(reader);
        };
        const turn = (): void => {
          for (const [reader, row] of parked) if (row.now !== null) wake(reader, row.now);
        };
        const passed = (untilMs: number): void => {
          for (const [reader, row] of parked) if (row.deadlineMs <= untilMs) wake(reader, 'timeout');
        };
        for (const step of steps) {
          switch (step.op) {
            case 'wait': {
              const reader = readers[step.who]!;
              const queues = step.queues.map(([queue, ahead]): [number, number] => [
                queue,
                (ends.get(queue) ?? 0) + ahead - 1,
              ]);
              const deadlineMs = clock.nowMs() + step.ms;
              const isThere = queues.some(([queue, end]) => (ends.get(queue) ?? 0) > end);
              parked.set(reader, { queues, deadlineMs, now: isThere ? 'data' : step.ms === 0 ? 'timeout' : null });
              waiters.wait(
                reader,
                queues.map(([queue]) => queue),
                queues.map(([, end]) => end),
                deadlineMs,
              );
              break;
            }
            case 'cancel':
              waiters.cancel(readers[step.who]!);
              parked.delete(readers[step.who]!);
              break;
            case 'grow': {
              const end = (ends.get(step.queue) ?? 0) + step.by;
              grow(step.queue, end);
              for (const [reader, row] of parked)
                if (row.now === null && row.queues.some(([queue, from]) => queue === step.queue && from < end))
                  wake(reader, 'data');
              break;
            }
            case 'pass': {
              // Whole ticks only, so that the coarse deadline is exact for the model.
              clock.advance(step.ms - (step.ms % TICK_MS));
              turn();
              const now = clock.nowMs();
              for (const [reader, row] of parked)
                if (Math.ceil((row.deadlineMs - 1_700_000_000_000) / TICK_MS) * TICK_MS + 1_700_000_000_000 <= now)
                  wake(reader, 'timeout');
              break;
            }
            case 'turn':
              clock.runTurn();
              turn();
              break;
          }
          expect(waiters.size).toBe(parked.size);
          for (const reader of readers) expect(reader.woken).toEqual(expected.get(reader));
        }
        clock.runTurn();
        turn();
        for (const [reader, row] of parked)
          if (row.deadlineMs === Number.POSITIVE_INFINITY) {
            waiters.cancel(reader);
            parked.delete(reader);
          }
        clock.advance(60_000);
        passed(Number.POSITIVE_INFINITY);
        for (const reader of readers) expect(reader.woken).toEqual(expected.get(reader));
        expectNothingLeft(waiters);
        expect(clock.timers).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});

describe('many', () => {
  it('two hundred readers of five thousand queues each: one append wakes them without taking a million links apart', () => {
    const { waiters, clock, grow } = setUp();
    const queues = Array.from({ length: 5000 }, (_, n) => n);
    const ends = queues.map(() => 0);
    const readers = Array.from({ length: 200 }, () => new Reader());
    for (const reader of readers) waiters.wait(reader, queues, ends, clock.nowMs() + 500);
    const inside = waiters as unknown as Inside;
    expect(inside.links.used).toBe(1_000_000);
    grow(17, 1);
    expect(readers.every((reader) => reader.woken.length === 1)).toBe(true);
    expect(inside.links.used).toBeGreaterThan(990_000);
    // Those that wait again find their room by clearing away what is over.
    for (const reader of readers)
      waiters.wait(
        reader,
        queues,
        queues.map((queue) => (queue === 17 ? 1 : 0)),
        clock.nowMs() + 500,
      );
    expect(inside.links.used).toBeLessThan(1_020_000);
    clock.advance(1000);
    expect(readers.every((reader) => reader.woken.join() === 'data,timeout')).toBe(true);
    expectNothingLeft(waiters);
  });

  it('keeps nothing of a hundred thousand long polls', () => {
    const { waiters, clock, grow } = setUp();
    const readers = Array.from({ length: 100 }, () => new Reader());
    for (let n = 1; n <= 1000; n++) {
      for (const reader of readers) waiters.wait(reader, [n % 7, 1000 + n], [n - 1, 0], clock.nowMs() + 30_000);
      if (n % 3 === 0) clock.advance(31_000);
      else grow(n % 7, n);
      for (const reader of readers) if (reader.woken.length < n) waiters.cancel(reader);
    }
    expectNothingLeft(waiters);
    expect((waiters as unknown as { links: { capacity: number } }).links.capacity).toBeLessThan(5000);
    clock.advance(60_000);
    expect(clock.timers + clock.queued).toBe(0);
  });
});
