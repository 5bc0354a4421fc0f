// Runs the compatibility suites in turn: `npm run compat -- [suite…] [--short | --long] [--peers] [--list]`.
// A suite is named as in suites.ts, or by its folder (`clients`), or by a part of its name. Before it starts, what it
// needs is installed from the project's own lists; a suite whose needs cannot be met is skipped, and its reason is
// printed. The last line counts tests: `N passed, N failed`, with `, N skipped` when there were any.
import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { run } from 'node:test';
import { inspect, parseArgs } from 'node:util';
import {
  ensureCommand,
  isInstalled,
  javaDriverClasspath,
  peerClasspath,
  python,
  Unavailable,
} from './harness/toolchain.ts';
import { COMPAT, execute } from './harness/work.ts';
import { SUITES, type SuiteRow } from './suites.ts';

const TEST_TIMEOUT_MS = 10 * 60_000;
const LONG_TEST_TIMEOUT_MS = 12 * 60 * 60_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    short: { type: 'boolean', default: false },
    long: { type: 'boolean', default: false },
    peers: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const totals = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];

const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;

const USAGE = `npm run compat -- [suite…] [--short | --long] [--peers] [--list]

  --short   the counts that CI runs (default)
  --long    1,000 kill cycles, 200 power cuts
  --peers   run the single-protocol suites against the real brokers instead of the product
  --list    name the suites

Suites:
${SUITES.map((row) => `  ${row.name.padEnd(18)} ${row.what}`).join('\n')}`;

/** Suites by name, folder or part of a name, in the order of the table. */
function chosen(wanted: readonly string[]): readonly SuiteRow[] {
  for (const word of wanted) {
    if (!SUITES.some((row) => row.name.includes(word))) {
      console.error(`no suite is called ${word}; there are: ${SUITES.map((row) => row.name).join(', ')}`);
      process.exit(2);
    }
  }
  const named = wanted.length === 0 ? SUITES : SUITES.filter((row) => wanted.some((word) => row.name.includes(word)));
  return options.peers ? named.filter((row) => row.hasOracle) : named;
}

/** A suite that nobody runs is worse than none. */
function assertTableIsComplete(): void {
  const listed = new Set(SUITES.map((row) => row.file));
  const unlisted = globSync('**/*.suite.ts', { cwd: COMPAT, exclude: ['.work/**'] }).filter(
    (file) => !listed.has(file),
  );
  const missing = [...listed].filter((file) => !existsSync(join(COMPAT, file)));
  if (unlisted.length > 0 || missing.length > 0) {
    console.error(
      `suites.ts does not match the files: not listed ${unlisted.join(', ') || 'none'}; not there ${missing.join(', ') || 'none'}`,
    );
    process.exit(2);
  }
}

const PREPARE: Record<SuiteRow['needs'][number] | 'java-peers' | 'rabbitmq', () => Promise<unknown>> = {
  java: javaDriverClasspath,
  python,
  kcat: () => ensureCommand('kcat'),
  loop: () => canMount('ext4 over a loop device', ['losetup', 'mkfs.ext4']),
  tmpfs: () => canMount('tmpfs', []),
  go: async () => {
    if (!(await isInstalled('go'))) throw new Unavailable('go is missing');
  },
  'java-peers': async () => [await peerClasspath('kafka'), await peerClasspath('rocketmq')],
  rabbitmq: () => ensureCommand('rabbitmq-server'),
};

/** Tries what the fault suites will do, because containers differ in what they allow. */
async function canMount(what: string, commands: string[]): Promise<void> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    throw new Unavailable(`mounting ${what} needs root on Linux`);
  for (const command of commands) await ensureCommand(command);
  const script = commands.includes('losetup')
    ? 'd=$(mktemp -d) && truncate -s 16M $d/i && mkfs.ext4 -q -F $d/i && mkdir $d/m && { mount -o loop $d/i $d/m && umount $d/m; r=$?; rm -rf $d; exit $r; }'
    : 'd=$(mktemp -d) && { mount -t tmpfs -o size=1m none $d && umount $d; r=$?; rmdir $d; exit $r; }';
  await execute('sh', ['-c', script]).catch((cause: unknown) => {
    throw new Unavailable(`mounting ${what} is not allowed here: ${String(cause).split('\n').at(-1)}`);
  });
}

async function runSuite(row: SuiteRow): Promise<void> {
  const began = performance.now();
  console.log(`\n${row.name}: ${row.what}`);
  try {
    for (const need of row.needs) await PREPARE[need]();
    if (options.peers) for (const need of ['java-peers', 'rabbitmq', 'java'] as const) await PREPARE[need]();
  } catch (reason) {
    if (!(reason instanceof Unavailable)) throw reason;
    console.log(`  skipped: ${reason.message}`);
    totals.skipped++;
    return;
  }
  process.env.COMPAT_LONG = options.long ? '1' : '';
  process.env.COMPAT_TARGET = options.peers ? 'peers' : 'product';
  const stream = run({
    files: [join(COMPAT, row.file)],
    concurrency: 1,
    timeout: options.long ? LONG_TEST_TIMEOUT_MS : TEST_TIMEOUT_MS,
  });
  const path: string[] = [];
  const named = (test: { name: string; nesting: number }): string =>
    [...path.slice(0, test.nesting), test.name].join(' ');
  stream.on('test:start', (test) => {
    path.length = test.nesting;
    path.push(test.name);
  });
  stream.on('test:pass', (test) => {
    if (test.details.type === 'suite') return;
    if (test.skip !== undefined && test.skip !== false) {
      totals.skipped++;
      console.log(`  - ${named(test)}: skipped, ${typeof test.skip === 'string' ? test.skip : 'no reason given'}`);
      return;
    }
    totals.passed++;
    console.log(`  ✓ ${named(test)} (${(test.details.duration_ms / 1000).toFixed(1)} s)`);
  });
  stream.on('test:fail', (test) => {
    // A failed group of tests is told by its tests; one that failed by itself (a hook, a crash) has its own cause.
    const cause = test.details.error.cause as { code?: string } | undefined;
    if ((test.details.error as { failureType?: string }).failureType === 'subtestsFailed') return;
    totals.failed++;
    failures.push(`${row.name}: ${named(test)}`);
    console.log(`  ✗ ${named(test)} (${(test.details.duration_ms / 1000).toFixed(1)} s)`);
    console.log(indent(describe(cause ?? test.details.error)));
  });
  stream.on('test:diagnostic', (note) => {
    if (note.nesting > 0 || !/^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /.test(note.message))
      console.log(`    ${note.message}`);
  });
  stream.on('test:stdout', (out) => process.stdout.write(out.message));
  stream.on('test:stderr', (out) => process.stderr.write(out.message));
  for await (const _ of stream);
  console.log(`  ${row.name} took ${seconds(began)}`);
}

const indent = (lines: string): string =>
  lines
    .split('\n')
    .map((line) => `      ${line}`)
    .join('\n');

/** What failed, and where in the suite: frames of Node itself and of the drivers' plumbing tell nothing. */
function describe(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const where = (cause.stack ?? '').split('\n').filter((line) => /^\s+at .*\/compat-tests\//.test(line));
  return [
    cause.message,
    ...where.slice(0, 6),
    ...(cause.cause ? [`caused by ${inspect(cause.cause, { depth: 1 })}`] : []),
  ].join('\n');
}

if (options.help) {
  console.log(USAGE);
} else {
  assertTableIsComplete();
  const suites = chosen(positionals);
  if (options.list) {
    for (const row of suites) console.log(`${row.name.padEnd(18)} ${row.what}`);
  } else {
    const began = performance.now();
    console.log(
      `${suites.length} suites against ${options.peers ? 'the real brokers' : 'the product'}, ${options.long ? 'long' : 'short'}: ${suites.map((row) => row.name).join(', ')}`,
    );
    for (const row of suites) await runSuite(row);
    console.log(`\ncompat took ${seconds(began)}`);
    for (const one of failures) console.log(`failed: ${one}`);
    console.log(
      `${totals.passed} passed, ${totals.failed} failed${totals.skipped > 0 ? `, ${totals.skipped} skipped` : ''}`,
    );
    process.exitCode = totals.failed > 0 ? 1 : 0;
  }
}
