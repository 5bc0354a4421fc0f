/**
 * `npm run bench -- log [--short] [--repeats N]`: measures, and writes the tables with machine and versions to
 * compat-tests/bench/results/<name>.md, anew after each repeat, so that a run that was ended has those of what it did.
 * Figures of shared machines drift; read the ratios.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { benchAmqp } from './amqp/amqp.ts';
import { benchKafka } from './kafka/kafka.ts';
import { benchLog } from './log/log.ts';
import { benchRocketmq } from './rocketmq/rocketmq.ts';

export interface Table {
  title: string;
  text: string;
  head: readonly string[];
  rows: readonly (readonly string[])[];
}

/** Yields its tables after each repeat; `repeats` is 0 where the bench says how many. */
type Bench = (
  work: string,
  short: boolean,
  repeats: number,
) => AsyncIterable<readonly Table[]> | Iterable<readonly Table[]>;

const here = import.meta.dirname;
const benches: Record<string, Bench> = {
  amqp: benchAmqp,
  log: benchLog,
  kafka: benchKafka,
  rocketmq: benchRocketmq,
};

const { values, positionals: names } = parseArgs({
  allowPositionals: true,
  options: { short: { type: 'boolean', default: false }, repeats: { type: 'string', default: '0' } },
});
const { short } = values;
const repeats = Number(values.repeats);
if (
  !Number.isSafeInteger(repeats) ||
  repeats < 0 ||
  names.length === 0 ||
  names.some((name) => benches[name] === undefined)
) {
  console.error(`usage: npm run bench -- ${Object.keys(benches).join('|')} [--short] [--repeats N]`);
  process.exit(2);
}

function markdown(table: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    `## ${table.title}`,
    '',
    table.text,
    '',
    line(table.head),
    line(table.head.map(() => '---')),
    ...table.rows.map(line),
    '',
  ].join('\n');
}

for (const name of names) {
  const work = join(here, '..', '.work', 'bench');
  mkdirSync(work, { recursive: true });
  const version = JSON.parse(readFileSync(join(here, '..', '..', 'package.json'), 'utf8')) as { version: string };
  const head = [
    `# Benchmark: ${name}`,
    '',
    `RosettaMQ ${version.version} at ${execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()}, ${new Date().toISOString().slice(0, 10)}${short ? ', short form' : ''}. ` +
      `Node ${process.version}, Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, shared machine.`,
    '',
  ];
  let text = '';
  for await (const tables of benches[name]!(work, short, repeats)) {
    text = tables.map(markdown).join('\n');
    if (short) continue;
    mkdirSync(join(here, 'results'), { recursive: true });
    writeFileSync(join(here, 'results', `${name}.md`), [...head, text].join('\n'));
  }
  console.log(text);
}
