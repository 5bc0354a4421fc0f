/** The due list against a sorted array, its bounds, and its memory. fast-check prints the seed of a failure. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DueList } from './due.ts';

type Row = [atMs: number, kind: number, a: number, b: number];

const row: fc.Arbitrary<Row> = fc.tuple(
  fc.oneof(fc.nat(20), fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 })),
  fc.nat(255),
  fc.maxSafeNat().map((n) => n % 2 ** 45),
  fc.maxSafeInteger(),
);

describe('due list', () => {
  it('gives each entry once, when it is due, earliest first', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ rows: fc.array(row, { maxLength: 20 }) }) },
      { weight: 1, arbitrary: fc.record({ nowMs: row.map(([atMs]) => atMs), budget: fc.nat(12) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const due = new DueList();
        let left: Row[] = [];
        for (const step of steps) {
          if ('rows' in step) {
            for (const [atMs, kind, a, b] of step.rows) due.add(atMs, kind, a, b);
            left.push(...step.rows);
          } else {
            left.sort((x, y) => x[0] - y[0]);
            const times = left.filter(([atMs]) => atMs <= step.nowMs).slice(0, step.budget);
            let n = 0;
            const taken = due.take(step.nowMs, step.budget, (kind, a, b) => {
              // Among equal times any of them may come.
              const atMs = times[n++]![0];
              const found = left.findIndex(
                (other) => other[0] === atMs && other[1] === kind && other[2] === a && other[3] === b,
              );
              expect(found).toBeGreaterThanOrEqual(0);
              left = left.filter((_, index) => index !== found);
            });
            expect(taken).toBe(times.length);
          }
          expect(due.size).toBe(left.length);
          expect(due.nextMs()).toBe(Math.min(Number.POSITIVE_INFINITY, ...left.map(([atMs]) => atMs)));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('may be added to while it is taken from', () => {
    const due = new DueList();
    due.add(5, 1, 0, 0);
    const seen: number[] = [];
    const taken = due.take(9, 100, (_kind, _a, b) => {
      seen.push(b);
      if (b < 6) due.add(5 + b, 1, 0, b + 1);
    });
    expect([taken, seen, due.nextMs()]).toEqual([6, [0, 1, 2, 3, 4, 5], 10]);
  });

  it('refuses what does not fit', () => {
    const due = new DueList();
    for (const [kind, a] of [
      [256, 0],
      [-1, 0],
      [0, 2 ** 45],
      [0, -1],
    ] as const)
      expect(() => due.add(1, kind, a, 0)).toThrow('invariant');
    expect(due.nextMs()).toBe(Number.POSITIVE_INFINITY);
  });

  it('holds a million in 24 bytes each, gives them back in order, and lets the memory go', () => {
    const due = new DueList();
    const total = 1_000_000;
    const before = process.memoryUsage().arrayBuffers;
    for (let n = 0; n < total; n++) due.add((n * 7_368_787) % total, 3, n, 0);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(24.2 * total);
    let last = -1;
    let wrong = 0;
    const taken = due.take(total, total, (_kind, a) => {
      const atMs = (a * 7_368_787) % total;
      if (atMs !== ++last) wrong++;
    });
    expect([taken, wrong, due.size]).toEqual([total, 0, 0]);
    expect((due as unknown as { chunks: unknown[] }).chunks.length).toBeLessThanOrEqual(1);
  });
});
