/**
 * `npm run sim -- --seed N [--seeds COUNT] [--steps S]`: seeded runs of the broker against the model, one after the other.
 * Prints what was done; a failure with its history and the command that repeats it, and then exits with 1.
 */
import { parseArgs } from 'node:util';
import { simulate } from './simulation.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    steps: { type: 'string', default: '300' },
  },
});
const first = Number(values.seed);
const count = Number(values.seeds);
const steps = Number(values.steps);
if (![first, count, steps].every((value) => Number.isSafeInteger(value) && value > 0)) {
  console.error('usage: npm run sim -- --seed N [--seeds COUNT] [--steps S]   (whole numbers above 0)');
  process.exit(2);
}
const totals = { restarts: 0, crashes: 0, appends: 0, failures: 0 };
const began = performance.now();
for (let seed = first; seed < first + count; seed++) {
  try {
    const report = await simulate(seed, steps);
    totals.restarts += report.restarts;
    totals.crashes += report.crashes;
    totals.appends += report.appends;
  } catch (error) {
    totals.failures++;
    console.error(error instanceof Error ? error.message : error);
    if (totals.failures === 10) break;
  }
  if (count > 1 && (seed - first + 1) % 50 === 0) console.log(`${seed - first + 1} of ${count} seeds`);
}
const seconds = ((performance.now() - began) / 1000).toFixed(1);
console.log(
  `${count} seeds from ${first}, ${steps} steps each: ${totals.appends} appends, ${totals.restarts} restarts, ${totals.crashes} crashes, ${totals.failures} failures, ${seconds} s`,
);
process.exitCode = totals.failures > 0 ? 1 : 0;
