// `npm run oracle -- amqp [word…]`: plays the scenarios against RabbitMQ and against ours and tells what differs; with
// words, those whose name has one of them. `--all` tells every transcript, `--shrink` takes out of not-yet.ts what no longer
// differs. The comparison is stored under .work/oracle.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isTableKept } from '../harness/mapping-table.ts';
import { work } from '../harness/work.ts';
import { startBrokers } from './brokers.ts';
import { type Comparison, compare, described, isFinding, type Verdict } from './compare.ts';
import { ADDED, DIFFERENCES } from './differences.ts';
import { NOT_YET } from './not-yet.ts';
import { SCENARIOS } from './scenarios/scenarios.ts';

const cell = (lines: readonly string[]): string =>
  lines.length === 0 ? '–' : lines.map((line) => `\`${line.replaceAll('|', '\\|')}\``).join('<br>');

/** The intended differences as they stand in specs/amqp/MAPPING.md. */
export function amqpTable(): string {
  const rows = Object.entries(DIFFERENCES).map(
    ([name, row]) => `| ${name} | ${cell(row.rabbitmq)} | ${cell(row.ours)} | ${row.why} |`,
  );
  const everywhere = ADDED.map((row) => `| everywhere | – | ${row.what} | ${row.why} |`);
  return ['| scenario | only RabbitMQ | only here | why |', '|---|---|---|---|', ...everywhere, ...rows].join('\n');
}

/** Takes out of not-yet.ts what no longer differs. */
function shrink(all: readonly Comparison[]): void {
  const done = new Set(all.filter((one) => one.verdict === 'no longer differs').map((one) => one.scenario));
  const file = join(import.meta.dirname, 'not-yet.ts');
  const kept = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => ![...done].some((name) => line.trim() === `'${name}',`));
  writeFileSync(file, kept.join('\n'));
}

/** Names that stand twice, or in a list without a scenario of that name. */
function misnamed(): string[] {
  const names = SCENARIOS.map((one) => one.name);
  const listed = [...Object.keys(DIFFERENCES), ...NOT_YET];
  const isTwice = (name: string, at: number, all: readonly string[]): boolean => all.indexOf(name) !== at;
  return [...names.filter(isTwice), ...listed.filter(isTwice), ...listed.filter((name) => !names.includes(name))];
}

/** Compares, prints and stores; false when there are findings. */
export async function compareAmqp(words: readonly string[], isAll: boolean, isShrunk: boolean): Promise<boolean> {
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
  writeFileSync(work('oracle', 'amqp.txt'), `${text}\n`);
  writeFileSync(work('oracle', 'amqp.json'), JSON.stringify(all, null, 1));
  if (isShrunk) shrink(all);
  const hasTable = isTableKept('amqp', amqpTable());
  if (!hasTable) console.log('specs/amqp/MAPPING.md does not have the table of differences.ts: run with --table');
  const wrong = misnamed();
  if (wrong.length > 0) console.log(`these names stand twice or name no scenario: ${wrong.join(', ')}`);
  return hasTable && wrong.length === 0 && !all.some(isFinding);
}
