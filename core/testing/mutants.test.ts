/** Each mutant's text stands exactly once in the source, so that a change of the source does not disarm it unseen. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { MUTANTS } from './mutants.ts';

const CORE = join(import.meta.dirname, '..');

it.each(MUTANTS)('$name', ({ file, find, replace, test, called }) => {
  expect(readFileSync(join(CORE, file), 'utf8').split(find)).toHaveLength(2);
  expect(replace).not.toBe(find);
  expect(readFileSync(join(CORE, test), 'utf8')).toContain(
    called.replace(/\d+ seeds/, `$\{SEEDS} seeds`).replace(/at any [a-z-]+ is/, `at any $\{op} is`),
  );
});
