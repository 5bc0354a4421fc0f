import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Unacked } from './unacked.ts';

/** A list of what is outstanding, found by looking through all of it. */
type Model = { tag: number; source: number; offset: number }[];

const check = (unacked: Unacked, model: Model): void => {
  expect(unacked.count).toBe(model.length);
  const slots: Model = [];
  for (let slot = unacked.firstSlot; slot <= unacked.lastSlot; slot++) {
    if (unacked.sourceAt(slot) >= 0)
      slots.push({ tag: -1, source: unacked.sourceAt(slot), offset: unacked.offsetAt(slot) });
  }
  expect(slots).toEqual(model.map((entry) => ({ ...entry, tag: -1 })));
};

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('push' as const), skip: fc.nat(3), count: fc.nat(40) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('take' as const), at: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('takeThrough' as const), at: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unknown' as const), tag: fc.nat(5000) }) },
);

test('behaves as a plain list of deliveries, whatever is answered in whatever order', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const unacked = new Unacked();
      let model: Model = [];
      let tag = 0;
      for (const now of steps) {
        if (now.do === 'push') {
          tag += now.skip;
          for (let i = 0; i < now.count; i++) {
            const entry = { tag: ++tag, source: i % 3, offset: tag * 7 };
            unacked.push(entry.tag, entry.source, entry.offset);
            model.push(entry);
          }
        } else if (now.do === 'unknown') {
          expect(unacked.find(now.tag) >= 0).toBe(model.some((entry) => entry.tag === now.tag));
        } else if (model.length > 0) {
          const chosen = model[now.at % model.length]!;
          const slot = unacked.find(chosen.tag);
          expect([unacked.sourceAt(slot), unacked.offsetAt(slot)]).toEqual([chosen.source, chosen.offset]);
          if (now.do === 'take') {
            unacked.remove(slot);
            model = model.filter((entry) => entry !== chosen);
          } else {
            for (let at = unacked.firstSlot; at <= slot; at++) if (unacked.sourceAt(at) >= 0) unacked.remove(at);
            model = model.filter((entry) => entry.tag > chosen.tag);
          }
        }
        check(unacked, model);
      }
    }),
    { numRuns: 300 },
  );
});

test('one unanswered delivery does not make it grow with the tags behind it', () => {
  const unacked = new Unacked();
  unacked.push(1, 0, 1);
  for (let tag = 2; tag < 100_000; tag++) {
    unacked.push(tag, 0, tag);
    unacked.remove(unacked.find(tag));
  }
  expect(unacked.lastSlot).toBeLessThan(64);
  expect(unacked.offsetAt(unacked.find(1))).toBe(1);
});
