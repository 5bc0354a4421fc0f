/** Seeded runs against the model. More of them: `npm run sim -- --seed 1 --seeds 10000`. */
import { describe, expect, it } from 'vitest';
import { simulate } from './simulation.ts';

const SEEDS = 200;
const STEPS = 200;

describe('the simulation', () => {
  it(`finds nothing in ${SEEDS} seeds`, { timeout: 600_000 }, async () => {
    const totals = { appends: 0, crashes: 0, restarts: 0 };
    for (let seed = 1; seed <= SEEDS; seed++) {
      const report = await simulate(seed, STEPS);
      totals.appends += report.appends;
      totals.crashes += report.crashes;
      totals.restarts += report.restarts;
    }
    // That it did what it is for.
    expect(totals.appends).toBeGreaterThan(40 * SEEDS);
    expect(totals.restarts).toBeGreaterThan(2 * SEEDS);
    expect(totals.crashes).toBeGreaterThan(SEEDS);
  });

  it('is the same run for the same seed', async () => {
    for (const seed of [3, 17, 88]) expect(await simulate(seed, STEPS)).toEqual(await simulate(seed, STEPS));
  });
});
