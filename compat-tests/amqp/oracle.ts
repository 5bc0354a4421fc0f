// `npm run oracle -- amqp [word…]`: plays the scenarios against RabbitMQ and against ours and tells what differs; with
// words, those whose name has one of them. `--all` tells every transcript, `--table` writes the table of intended
// differences into specs/amqp/MAPPING.md. The comparison is stored under .work/oracle.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT, work } from '../harness/work.ts';
import { type Comparison, compare, described, isFinding, startBrokers, type Verdict } from './compare.ts';
import { DIFFERENCES } from './differences.ts';
import { SCENARIOS } from './scenarios/scenarios.ts';

const MAPPING = join(ROOT, 'specs/amqp/MAPPING.md');
const BEGIN = '<!-- differences: made by npm run oracle -- amqp --table -->';
const END = '<!-- end of differences -->';

const cell = (lines: readonly string[]): string =>
  lines.length === 0 ? '–' : lines.map((line) => `\`${line.replaceAll('|', '\\|')}\``).join('<br>');

function table(): string {
  const rows = Object.entries(DIFFERENCES).map(
    ([name, row]) => `| ${name} | ${cell(row.rabbitmq)} | ${cell(row.ours)} | ${row.why} |`,
  );
  return ['| scenario | only RabbitMQ | only here | why |', '|---|---|---|---|', ...rows].join('\n');
}

function withTable(page: string): string {
  const section = `${BEGIN}\n${table()}\n${END}`;
  const at = page.indexOf(BEGIN);
  if (at >= 0) return page.slice(0, at) + section + page.slice(page.indexOf(END) + END.length);
  return `${page.trimEnd()}\n\n## Differences from RabbitMQ\n\nThe same scenarios are played against both (\`npm run oracle -- amqp\`); these lines of their transcripts differ, on purpose.\n\n${section}\n`;
}

async function run(words: readonly string[], isAll: boolean): Promise<void> {
  const scenarios = SCENARIOS.filter((one) => words.length === 0 || words.some((word) => one.name.includes(word)));
  const brokers = await startBrokers();
  let all: Comparison[];
  try {
    all = await compare(scenarios, brokers);
  } finally {
    await brokers.stop();
  }
  const shown = all.filter((one) => isAll || isFinding(one) || one.verdict === 'not yet');
  const counts = new Map<Verdict, number>();
  for (const one of all) counts.set(one.verdict, (counts.get(one.verdict) ?? 0) + 1);
  const sum = `${all.length} scenarios: ${[...counts].map(([verdict, count]) => `${count} ${verdict}`).join(', ')}`;
  const text = [...shown.map(described), sum].join('\n\n');
  console.log(text);
  mkdirSync(work('oracle'), { recursive: true });
  writeFileSync(work('oracle', 'amqp.txt'), `${text}\n`);
  const page = readFileSync(MAPPING, 'utf8');
  const hasTable = withTable(page) === page;
  if (!hasTable) console.log('specs/amqp/MAPPING.md does not have the table of differences.ts: run with --table');
  process.exitCode = all.some(isFinding) || !hasTable ? 1 : 0;
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { table: { type: 'boolean' }, all: { type: 'boolean' } },
});
if (options.table) writeFileSync(MAPPING, withTable(readFileSync(MAPPING, 'utf8')));
else await run(positionals.slice(1), options.all === true);
