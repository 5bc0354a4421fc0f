/** Confirms: whatever the order in which appends are answered, a number is covered only when it and all before are safe. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Confirms } from './confirms.ts';

test('nothing is acknowledged before it is safe, everything is in the end, and each number once', () => {
  const step = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ publish: fc.constantFrom('append', 'unroutable', 'refused', 'partly' as const) }),
    },
    { weight: 2, arbitrary: fc.record({ answer: fc.nat(), inOrder: fc.boolean() }) },
    fc.constant('flush' as const),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const confirms = new Confirms();
      const underWay: number[] = [];
      const refused = new Set<number>();
      let acked = 0;
      let asked = false;
      const flush = (): void => {
        asked = false;
        confirms.flush((sequence, multiple) => {
          expect(sequence).toBeGreaterThan(acked);
          expect(multiple || sequence - acked === 1).toBe(true);
          expect(refused.has(sequence)).toBe(false);
          for (const one of underWay) expect(one).toBeGreaterThan(sequence);
          acked = sequence;
        });
        // A refused number was told by itself: what is acknowledged goes on behind it.
        while (refused.has(acked + 1)) acked++;
      };
      const answer = (at: number): void => {
        const [sequence] = underWay.splice(at, 1);
        if (confirms.appended(sequence!)) asked = true;
      };
      for (const one of steps) {
        if (one === 'flush') flush();
        else if ('answer' in one) {
          if (underWay.length > 0) answer(one.inOrder ? 0 : one.answer % underWay.length);
        } else {
          const sequence = confirms.next();
          if (one.publish === 'append' || one.publish === 'partly') {
            confirms.awaited(sequence);
            underWay.push(sequence);
          }
          if (one.publish === 'refused' || one.publish === 'partly') {
            refused.add(sequence);
            confirms.refused();
          }
          if (one.publish === 'unroutable' && confirms.unroutable()) asked = true;
        }
        // Who is not asked to flush has nothing to flush.
        if (!asked) flush();
      }
      while (underWay.length > 0) answer(underWay.length - 1);
      flush();
      expect(acked).toBe(confirms.published);
    }),
    { numRuns: 500 },
  );
});
