/**
 * `npm run mutants [-- name…]`: puts each fault of mutants.ts into a copy of the core and runs the test that must fail.
 * First the same tests on the copy as it is, which must pass. Exits with 1 when a mutant lives.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { apply, MUTANTS, type Mutant } from './mutants.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const TIMEOUT_MS = 180_000;

const wanted = process.argv.slice(2);
const chosen = MUTANTS.filter(({ name }) => wanted.length === 0 || wanted.some((word) => name.includes(word)));
if (chosen.length === 0) {
  console.error(
    `no mutant is called ${wanted.join(' ')}; there are:\n  ${MUTANTS.map(({ name }) => name).join('\n  ')}`,
  );
  process.exit(2);
}

const copy = mkdtempSync(join(tmpdir(), 'mutants-'));
process.on('exit', () => rmSync(copy, { recursive: true, force: true }));
cpSync(join(ROOT, 'core'), join(copy, 'core'), { recursive: true });
for (const file of ['package.json', 'tsconfig.json', 'vitest.config.ts']) cpSync(join(ROOT, file), join(copy, file));
symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));

interface Run {
  passed: boolean;
  ran: boolean;
  output: string;
  seconds: string;
}

/** Whether the named tests pass in the copy. A run that was ended for taking too long has failed. */
function test({ test, called }: Pick<Mutant, 'test' | 'called'>): Run {
  const began = performance.now();
  const vitest = join(copy, 'node_modules', 'vitest', 'vitest.mjs');
  const run = spawnSync(
    process.execPath,
    [vitest, 'run', '--root', copy, '--bail', '1', '--reporter', 'default', join('core', test), '-t', called],
    { cwd: copy, encoding: 'utf8', timeout: TIMEOUT_MS, env: { ...process.env, NO_COLOR: '1' } },
  );
  const output = run.stdout + run.stderr;
  return {
    passed: run.status === 0,
    // A test that was not found would pass for a mutant that lives, and a file that does not load for one that died.
    ran: /Tests .*(passed|failed)/.test(output) || run.signal !== null,
    output,
    seconds: ((performance.now() - began) / 1000).toFixed(1),
  };
}

let failures = 0;
const known = new Set<string>();
for (const mutant of chosen) {
  const key = `${mutant.test} > ${mutant.called}`;
  if (known.has(key)) continue;
  known.add(key);
  const run = test(mutant);
  if (run.passed && run.ran) continue;
  console.error(`without a mutant '${key}' does not pass:\n${run.output}`);
  process.exit(1);
}
for (const mutant of chosen) {
  const undo = apply(join(copy, 'core'), mutant);
  const run = test(mutant);
  undo();
  const died = !run.passed && run.ran;
  if (!died) failures++;
  console.log(`${died ? 'caught' : 'LIVES '} ${mutant.name} (${mutant.test} > ${mutant.called}, ${run.seconds} s)`);
  if (!died && !run.ran) console.log(run.output);
}
console.log(`${chosen.length - failures} of ${chosen.length} mutants caught`);
process.exitCode = failures > 0 ? 1 : 0;
