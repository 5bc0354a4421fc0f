// Random numbers from a seed: repeatable, in range, and even enough for tests.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimRandom } from './sim-random.ts';

const draw = (seed: number, count = 50): number[] => {
  const random = new SimRandom(seed);
  return Array.from({ length: count }, () => random.u32());
};

describe('seeded random numbers', () => {
  it('repeat for the same seed and differ for every other, also beyond 32 bits', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.maxSafeInteger(), (a, b) => {
        expect(draw(a)).toEqual(draw(a));
        if (a !== b) expect(draw(a)).not.toEqual(draw(b));
      }),
    );
    expect(draw(1)).not.toEqual(draw(1 + 2 ** 32));
  });

  it('lie in their range', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (seed, n) => {
        const random = new SimRandom(seed);
        for (let i = 0; i < 20; i++) {
          const value = random.int(n);
          expect(Number.isSafeInteger(value) && value >= 0 && value < n).toBe(true);
        }
      }),
    );
    const random = new SimRandom(1);
    expect(() => random.int(0)).toThrow(RangeError);
    expect(() => random.pick([])).toThrow(RangeError);
    expect([random.chance(0), random.chance(1)]).toEqual([false, true]);
  });

  it('are even', () => {
    const random = new SimRandom(42);
    const counts = Array.from({ length: 7 }, () => 0);
    for (let i = 0; i < 70_000; i++) counts[random.int(7)]!++;
    // Standard deviation 93: within five of them.
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(465);
    let hits = 0;
    for (let i = 0; i < 10_000; i++) if (random.chance(0.25)) hits++;
    expect(Math.abs(hits - 2_500)).toBeLessThan(220);
  });

  it('shuffle to every order', () => {
    const random = new SimRandom(3);
    const orders = new Map<string, number>();
    for (let i = 0; i < 6_000; i++) {
      const order = random.shuffle(['a', 'b', 'c']).join('');
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    expect(orders.size).toBe(6);
    for (const count of orders.values()) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });

  it('fill buffers of every length, all of their bytes', () => {
    for (let length = 0; length < 20; length++) {
      const seen = Buffer.alloc(length);
      const random = new SimRandom(length);
      for (let i = 0; i < 40; i++) {
        const bytes = random.bytes(Buffer.alloc(length));
        for (let at = 0; at < length; at++) seen[at]! |= bytes[at]!;
      }
      expect(seen).toEqual(Buffer.alloc(length, 0xff));
    }
  });
});
