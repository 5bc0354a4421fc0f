// Faults put into a copy of the core's source, each of which a named test must catch (core/testing/mutants.ts). CI takes
// those that its issue names and that die quickly; `--long`, like `npm run mutants`, takes all.
import assert from 'node:assert/strict';
import { test } from './harness/test.ts';
import { execute, ROOT } from './harness/work.ts';

const SHORT = [
  'skip the sync',
  'acknowledge before',
  'show before durable',
  'drop the check',
  'forget the reserve',
  'cut the tail',
  'skip the directory sync of a new segment',
  'reuse an offset',
  'settle in memory alone',
];

test('each mutant is caught by its test', async () => {
  const said = await execute(
    process.execPath,
    ['core/testing/mutants-cli.ts', ...(process.env.COMPAT_LONG ? [] : SHORT)],
    { cwd: ROOT },
  );
  assert.match(said, /(\d+) of \1 mutants caught/);
});
