// `npm run oracle -- rocketmq [suite…]`: the suites of this folder against Apache's broker (the version in
// peers/rocketmq/pom.xml) and against ours, and what differs. A test that Apache's broker fails is a mistake in the test;
// one that ours fails is a bug. Differences that are meant are rows in differences.ts, and the table in
// specs/rocketmq/MAPPING.md is made from them: `--table` writes it there. The comparison is stored under .work/oracle, and
// with `--store` in compat-tests/rocketmq/oracle.md.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from 'node:test';
import { parseArgs } from 'node:util';
import { javaDriverClasspath, peerClasspath } from '../harness/toolchain.ts';
import { COMPAT, ROOT, work } from '../harness/work.ts';
import { SUITES } from '../suites.ts';
import { DIFFERENCES, type Difference } from './differences.ts';

const MAPPING = join(ROOT, 'specs/rocketmq/MAPPING.md');
const BEGIN = '<!-- differences: made by compat-tests/rocketmq/oracle.ts --table -->';
const END = '<!-- end of differences -->';
const TEST_TIMEOUT_MS = 10 * 60_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { table: { type: 'boolean' }, store: { type: 'boolean' }, long: { type: 'boolean' } },
});

interface Result {
  readonly outcome: 'pass' | 'fail' | 'skip';
  readonly seconds: number;
  readonly why: string;
}

const told = (value: unknown, text: string | undefined): string => text ?? `\`${JSON.stringify(value)}\``;

function table(): string {
  const rows = Object.values<Difference>(DIFFERENCES).map(
    (row) => `| ${row.what} | ${told(row.apache, row.apacheText)} | ${told(row.ours, row.oursText)} | ${row.why} |`,
  );
  return ['| what | Apache | here | why |', '|---|---|---|---|', ...rows].join('\n');
}

/** The page with the table between its marks, at its end when it has none yet. */
function withTable(page: string): string {
  const section = `${BEGIN}\n${table()}\n${END}`;
  const at = page.indexOf(BEGIN);
  if (at >= 0) return page.slice(0, at) + section + page.slice(page.indexOf(END) + END.length);
  return `${page.trimEnd()}\n\n## Differences from Apache's broker\n\nThe same tests run against both (\`npm run oracle -- rocketmq\`); these answers differ, on purpose.\n\n${section}\n`;
}

/** Every test of a suite against one target, by its full name. */
async function results(file: string, target: 'peers' | 'product'): Promise<Map<string, Result>> {
  process.env['COMPAT_TARGET'] = target;
  process.env['COMPAT_LONG'] = options.long ? '1' : '';
  const found = new Map<string, Result>();
  const path: string[] = [];
  const stream = run({
    files: [join(COMPAT, file)],
    concurrency: 1,
    timeout: TEST_TIMEOUT_MS * (options.long ? 60 : 1),
  });
  const add = (
    test: { name: string; nesting: number; skip?: string | boolean },
    duration: number,
    failure: string | null,
  ): void => {
    const outcome = failure !== null ? 'fail' : test.skip !== undefined && test.skip !== false ? 'skip' : 'pass';
    const why = failure ?? (typeof test.skip === 'string' ? test.skip : '');
    found.set([...path.slice(0, test.nesting), test.name].join(' '), { outcome, seconds: duration / 1_000, why });
  };
  stream.on('test:start', (test) => {
    path.length = test.nesting;
    path.push(test.name);
  });
  stream.on('test:pass', (test) => {
    if (test.details.type !== 'suite') add(test, test.details.duration_ms, null);
  });
  stream.on('test:fail', (test) => {
    const error = test.details.error as Error & { failureType?: string };
    if (error.failureType === 'subtestsFailed') return;
    const cause = error.cause instanceof Error ? error.cause : error;
    add(test, test.details.duration_ms, cause.message.replace(/\s+/g, ' ').slice(0, 160));
  });
  for await (const _ of stream);
  return found;
}

const shown = (one: Result | undefined): string =>
  one === undefined
    ? 'not run'
    : one.outcome === 'pass'
      ? `✓ ${one.seconds.toFixed(1)} s`
      : `${one.outcome === 'fail' ? '✗' : '–'} ${one.why}`;

async function compare(): Promise<void> {
  const words = positionals.slice(1);
  const rows = SUITES.filter((row) => row.hasOracle && row.name.startsWith('rocketmq/')).filter(
    (row) => words.length === 0 || words.some((word) => row.name.includes(word)),
  );
  await peerClasspath('rocketmq');
  await javaDriverClasspath();
  const version = /rocketmq-broker<\/artifactId>\s*<version>([^<]+)/.exec(
    readFileSync(join(COMPAT, 'peers/rocketmq/pom.xml'), 'utf8'),
  )?.[1];
  const lines = [
    '# RosettaMQ beside Apache RocketMQ: the same tests',
    '',
    `Apache RocketMQ ${version}, ${new Date().toISOString().slice(0, 10)}, Node ${process.version}. ✓ met, ✗ not met, – skipped.`,
    '',
    '| test | Apache | RosettaMQ |',
    '|---|---|---|',
  ];
  const counts = { both: 0, apacheOnly: 0, oursOnly: 0, neither: 0, skipped: 0 };
  for (const row of rows) {
    console.log(`\n${row.name}: ${row.what}`);
    const apache = await results(row.file, 'peers');
    const ours = await results(row.file, 'product');
    for (const name of new Set([...apache.keys(), ...ours.keys()])) {
      const [there, here] = [apache.get(name), ours.get(name)];
      const [isThere, isHere] = [there?.outcome === 'pass', here?.outcome === 'pass'];
      if (there?.outcome === 'skip' || here?.outcome === 'skip') counts.skipped++;
      else counts[isThere ? (isHere ? 'both' : 'apacheOnly') : isHere ? 'oursOnly' : 'neither']++;
      const cells = [`${row.name} ${name}`, shown(there), shown(here)].map((cell) => cell.replaceAll('|', '\\|'));
      lines.push(`| ${cells.join(' | ')} |`);
      console.log(`  ${isThere && isHere ? '=' : '≠'} ${name}: Apache ${shown(there)}, RosettaMQ ${shown(here)}`);
    }
  }
  const hasTable = withTable(readFileSync(MAPPING, 'utf8')) === readFileSync(MAPPING, 'utf8');
  const sum = `${counts.both} met by both, ${counts.apacheOnly} by Apache alone, ${counts.oursOnly} by RosettaMQ alone, ${counts.neither} by neither, ${counts.skipped} skipped; ${Object.keys(DIFFERENCES).length} intended differences`;
  lines.push('', sum, '', '## Intended differences', '', table(), '');
  const file = work('oracle', 'rocketmq.md');
  writeFileSync(file, lines.join('\n'));
  if (options.store) writeFileSync(join(COMPAT, 'rocketmq/oracle.md'), lines.join('\n'));
  console.log(`\n${sum}\nstored in ${file}`);
  if (!hasTable) console.log('specs/rocketmq/MAPPING.md does not have the table of differences.ts: run with --table');
  process.exitCode = counts.apacheOnly + counts.oursOnly + counts.neither === 0 && hasTable ? 0 : 1;
}

if (positionals[0] !== 'rocketmq') {
  console.error('usage: npm run oracle -- rocketmq [suite…] [--table | --store] [--long]');
  process.exit(2);
}
mkdirSync(work('oracle'), { recursive: true });
if (options.table) writeFileSync(MAPPING, withTable(readFileSync(MAPPING, 'utf8')));
else await compare();
