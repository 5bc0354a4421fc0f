// `npm run oracle -- <protocol> [suite…]`: the suites of a protocol against its own broker (the version in
// peers/<protocol>/pom.xml) and against ours, at the same time, and what differs. A test that the real broker fails is a
// mistake in the test; one that ours fails is a bug. Differences that are meant are rows in <protocol>/differences.ts, each
// asked for by a test, and the table in specs/<protocol>/MAPPING.md is made from them: `--table` writes it there. The
// comparison is stored under .work/oracle, and with `--store` in compat-tests/<protocol>/oracle.md.
//
// `--quick` is what CI runs: one suite, without the tests that spend minutes on timers. There a test that the real broker
// alone does not meet is told and passed over: it shares a small machine with ours, and some of its own limits are short.
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from 'node:test';
import { parseArgs } from 'node:util';
import { amqpTable, compareAmqp } from './amqp/oracle.ts';
import type { Differences } from './harness/differences.ts';
import { isTableKept, keepTable } from './harness/mapping-table.ts';
import { javaDriverClasspath, peerClasspath } from './harness/toolchain.ts';
import { COMPAT, work } from './harness/work.ts';
import { DIFFERENCES as KAFKA } from './kafka/differences.ts';
import { DIFFERENCES as ROCKETMQ } from './rocketmq/differences.ts';
import { SUITES } from './suites.ts';

interface Protocol {
  readonly key: 'kafka' | 'rocketmq';
  /** What the real broker is called, and the artifact whose version in its pom is the broker's. */
  readonly broker: string;
  readonly artifact: string;
  readonly differences: Differences;
  readonly quick: { readonly suite: string; readonly without: RegExp[] };
}

const PROTOCOLS: readonly Protocol[] = [
  {
    key: 'rocketmq',
    broker: 'Apache RocketMQ',
    artifact: 'rocketmq-broker',
    differences: ROCKETMQ,
    quick: {
      suite: 'rocketmq/features',
      without: [/^back-off/, /^consume timeout/, /^reset by time, members online/],
    },
  },
  {
    key: 'kafka',
    broker: 'Apache Kafka',
    artifact: 'kafka_2.13',
    differences: KAFKA,
    quick: { suite: 'kafka/features', without: [/^a commit may go back/] },
  },
];

const TEST_TIMEOUT_MS = 10 * 60_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    table: { type: 'boolean' },
    store: { type: 'boolean' },
    long: { type: 'boolean' },
    all: { type: 'boolean' },
    shrink: { type: 'boolean' },
    quick: { type: 'boolean' },
  },
});

interface Result {
  readonly outcome: 'pass' | 'fail' | 'skip';
  readonly seconds: number;
  readonly why: string;
}

const told = (value: unknown, text: string | undefined): string => text ?? `\`${JSON.stringify(value)}\``;

function table(protocol: Protocol): string {
  const rows = Object.values(protocol.differences).map(
    (row) => `| ${row.what} | ${told(row.apache, row.apacheText)} | ${told(row.ours, row.oursText)} | ${row.why} |`,
  );
  return ['| what | Apache | here | why |', '|---|---|---|---|', ...rows].join('\n');
}

/** Names of differences that no test asks for. */
function unasked(protocol: Protocol): string[] {
  const folder = join(COMPAT, protocol.key);
  const sources = globSync('**/*.ts', { cwd: folder }).map((file) => readFileSync(join(folder, file), 'utf8'));
  return Object.keys(protocol.differences).filter(
    (name) => !sources.some((text) => text.includes(`differs('${name}')`)),
  );
}

/** Every test of a suite against one target, by its full name. */
async function results(protocol: Protocol, file: string, target: 'peers' | 'product'): Promise<Map<string, Result>> {
  const found = new Map<string, Result>();
  const path: string[] = [];
  const stream = run({
    files: [join(COMPAT, file)],
    concurrency: 1,
    timeout: TEST_TIMEOUT_MS * (options.long ? 60 : 1),
    env: { ...process.env, COMPAT_TARGET: target, COMPAT_LONG: options.long ? '1' : '' },
    ...(options.quick ? { testSkipPatterns: protocol.quick.without } : {}),
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

async function compare(protocol: Protocol): Promise<void> {
  const { key, broker, artifact, quick } = protocol;
  const words = options.quick ? [quick.suite] : positionals.slice(1);
  const rows = SUITES.filter((row) => row.hasOracle && row.name.startsWith(`${key}/`)).filter(
    (row) => words.length === 0 || words.some((word) => row.name.includes(word)),
  );
  await peerClasspath(key);
  await javaDriverClasspath();
  const pom = readFileSync(join(COMPAT, `peers/${key}/pom.xml`), 'utf8');
  const version = new RegExp(`${artifact}</artifactId>\\s*<version>([^<]+)`).exec(pom)?.[1];
  const lines = [
    `# RosettaMQ beside ${broker}: the same tests`,
    '',
    `${broker} ${version}, ${new Date().toISOString().slice(0, 10)}, Node ${process.version}. ✓ met, ✗ not met, – skipped.`,
    '',
    '| test | Apache | RosettaMQ |',
    '|---|---|---|',
  ];
  const counts = { both: 0, apacheOnly: 0, oursOnly: 0, neither: 0, skipped: 0 };
  for (const row of rows) {
    console.log(`\n${row.name}: ${row.what}`);
    const [apache, ours] = await Promise.all([
      results(protocol, row.file, 'peers'),
      results(protocol, row.file, 'product'),
    ]);
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
  const hasTable = isTableKept(key, table(protocol));
  const sum = `${counts.both} met by both, ${counts.apacheOnly} by Apache alone, ${counts.oursOnly} by RosettaMQ alone, ${counts.neither} by neither, ${counts.skipped} skipped; ${Object.keys(protocol.differences).length} intended differences`;
  lines.push('', sum, '', '## Intended differences', '', table(protocol), '');
  const file = work('oracle', `${key}.md`);
  writeFileSync(file, lines.join('\n'));
  if (options.store) writeFileSync(join(COMPAT, key, 'oracle.md'), lines.join('\n'));
  console.log(`\n${sum}\nstored in ${file}`);
  if (!hasTable) console.log(`specs/${key}/MAPPING.md does not have the table of differences.ts: run with --table`);
  const gone = unasked(protocol);
  if (gone.length > 0) console.log(`no test asks for these differences: ${gone.join(', ')}`);
  const isMet = counts.both > 0 && counts.apacheOnly + counts.neither + (options.quick ? 0 : counts.oursOnly) === 0;
  process.exitCode = isMet && hasTable && gone.length === 0 ? 0 : 1;
}

const protocol = PROTOCOLS.find(({ key }) => key === positionals[0]);
mkdirSync(work('oracle'), { recursive: true });
if (protocol) {
  if (options.table) keepTable(protocol.key, table(protocol));
  else await compare(protocol);
} else if (positionals[0] === 'amqp') {
  // RabbitMQ's answers are compared frame by frame, not as tests that pass or fail.
  if (options.table) keepTable('amqp', amqpTable());
  else
    process.exitCode = (await compareAmqp(positionals.slice(1), options.all === true, options.shrink === true)) ? 0 : 1;
} else {
  const keys = [...PROTOCOLS.map(({ key }) => key), 'amqp'].join('|');
  console.error(`usage: npm run oracle -- ${keys} [suite…] [--table | --store] [--quick | --long] [--all] [--shrink]`);
  process.exitCode = 2;
}
