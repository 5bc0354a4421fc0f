/** The rows of `npm run bench -- log`: the log by itself, beside a C program that writes and syncs the same bytes. */
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { median } from '../figures.ts';
import type { Table } from '../run.ts';

const REPEATS = 3;
const SEGMENT = 128 * 1024 * 1024;
const root = join(import.meta.dirname, '..', '..', '..');

interface AppendRow {
  name: string;
  payload: number;
  records: number;
  perTurn: number;
  turns: number;
}

const ROWS: readonly AppendRow[] = [
  { name: '100 B', payload: 100, records: 1, perTurn: 256, turns: 4000 },
  { name: '1 KiB', payload: 1024, records: 1, perTurn: 256, turns: 1500 },
  { name: '64 KiB', payload: 65536, records: 1, perTurn: 16, turns: 800 },
  { name: 'batch of 16 KiB', payload: 16384, records: 16, perTurn: 32, turns: 1500 },
  { name: 'batch of 1 MiB', payload: 1048576, records: 1000, perTurn: 1, turns: 800 },
];

function bench(
  work: string,
  words: readonly (string | number)[],
  nodeOptions: readonly string[] = [],
): Record<string, number> {
  const [command, ...rest] = words;
  const result = spawnSync(
    'node',
    [
      '--expose-gc',
      ...nodeOptions,
      join(root, 'gateway/bench/log-bench.ts'),
      String(command),
      join(work, 'log'),
      ...rest.map(String),
    ],
    {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}` },
    },
  );
  const line = result.stdout.trim().split('\n').at(-1) ?? '';
  if (!line.startsWith('{'))
    throw new Error(`${words.join(' ')} ended with ${result.status ?? result.signal}: ${result.stdout}`);
  return JSON.parse(line) as Record<string, number>;
}

const rate = (perSecond: number): string =>
  perSecond >= 1e6 ? `${(perSecond / 1e6).toFixed(2)} M/s` : `${(perSecond / 1e3).toFixed(1)} k/s`;
const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;

export function* benchLog(work: string, short: boolean): Generator<readonly Table[]> {
  const bound = join(work, 'bound');
  execFileSync('gcc', ['-O2', '-o', bound, join(import.meta.dirname, 'bound.c')]);
  const tables = [
    (): Table => appendTable(work, bound, short),
    (): Table => fanOutTable(work, short),
    settleTable,
    (): Table => memoryTable(work, short),
    (): Table => recoveryTable(work, short),
    (): Table => pauseTable(work, short),
  ];
  const done: Table[] = [];
  for (const table of tables) {
    done.push(table());
    yield done;
  }
}

function appendTable(work: string, bound: string, short: boolean): Table {
  const rows: string[][] = [];
  for (const flush of ['sync', 'async']) {
    for (const row of ROWS) {
      for (const queues of [1, 1000]) {
        if (queues > 1 && row.payload > 16384) continue;
        const turns = Math.ceil(row.turns / (short ? 10 : flush === 'sync' ? 2 : 1));
        const ours: number[] = [];
        const same: number[] = [];
        const bare: number[] = [];
        let bytes = 0;
        for (let n = 0; n < (short ? 1 : REPEATS); n++) {
          const result = bench(work, ['append', row.payload, row.records, row.perTurn, turns, flush, queues]);
          ours.push(result['seconds']!);
          bytes = result['bytes']!;
          const c = (zeros: number): number =>
            Number(
              execFileSync(
                bound,
                [join(work, 'bound.bytes'), bytes, turns, flush === 'sync' ? 1 : 0, SEGMENT, zeros].map(String),
                { encoding: 'utf8' },
              ),
            );
          same.push(c(1));
          bare.push(c(0));
        }
        const messages = row.perTurn * turns;
        const total = bytes * turns;
        const ratio = (other: readonly number[]): string => `${Math.round((median(other) / median(ours)) * 100)} %`;
        rows.push([
          flush,
          row.name,
          String(queues),
          rate(messages / median(ours)),
          `${megabytes(total / median(ours))}/s`,
          `${megabytes(total / median(same))}/s`,
          ratio(same),
          ratio(bare),
        ]);
      }
    }
  }
  return {
    title: 'Append',
    text: `Appends through the core in turns (256 small messages, 16 of 64 KiB, 32 batches of 16 KiB, one of 1 MiB), each turn answered before the next. "C" writes the same bytes in the same pieces, the zeros of the next segment included, with a sync after each piece where we sync; "C, no zeros" writes over a prepared file again and again. Median of ${short ? 1 : REPEATS}.`,
    head: ['flush', 'payload', 'queues', 'messages', 'bytes', 'C', 'of C', 'of C, no zeros'],
    rows,
  };
}

function fanOutTable(work: string, short: boolean): Table {
  const rows = [100, 1000, 10_000].map((queues) => {
    const result = bench(work, ['fan-out', queues, short ? 50 : 500]);
    const perMessage = result['seconds']! / result['messages']!;
    return [
      String(queues),
      `${(perMessage * 1e6).toFixed(0)} µs`,
      `${((perMessage / queues) * 1e9).toFixed(0)} ns`,
      `${result['entryBytes']} B`,
    ];
  });
  return {
    title: 'Fan-out',
    text: 'One message of 1 KiB, published to an exchange with so many queues, one after the other.',
    head: ['queues', 'per message', 'per queue', 'bytes in the log'],
    rows,
  };
}

function settleTable(): Table {
  const out = execFileSync('node', ['--expose-gc', join(root, 'core/testing/ledger-bench.ts')], { encoding: 'utf8' });
  return {
    title: 'Settle',
    text: `Ten million messages acquired and settled in the ledger.\n\n\`\`\`\n${out.trim()}\n\`\`\``,
    head: ['', ''],
    rows: [],
  };
}

function memoryTable(work: string, short: boolean): Table {
  const count = short ? 500_000 : 10_000_000;
  const waiting = bench(work, ['waiting', count, 256]);
  const queues = 10_000;
  const open = (count: number): Record<string, number> => {
    bench(work, ['idle', count]);
    // The young generation stays as large as the work of a start once made it: that is not the queues'.
    return bench(work, ['recover'], ['--max-semi-space-size=1']);
  };
  const none = open(0);
  const idle = open(queues);
  const each = (key: string): number => Math.round((idle[key]! - none[key]!) / queues);
  return {
    title: 'Memory',
    text: 'Resident memory of the process, after a garbage collection; the peak is sampled while filling. Idle queues: the difference to a broker with none, the young generation held at 1 MiB in both.',
    head: ['case', 'figure', 'goal'],
    rows: [
      [
        `${count.toLocaleString('en')} messages of 256 B waiting in one queue`,
        `${megabytes(waiting['rss']!)} (peak ${megabytes(waiting['peakRss']!)}), filled at ${rate(count / waiting['seconds']!)}`,
        'at most 512 MiB',
      ],
      [
        '10,000 idle queues',
        `${each('rss')} B resident, ${each('heap')} B of heap each, after a restart`,
        'under 2 KiB each',
      ],
    ],
  };
}

function recoveryTable(work: string, short: boolean): Table {
  const bytes = short ? 500_000_000 : 10_000_000_000;
  bench(work, ['fill', bytes]);
  const recover = bench(work, ['recover']);
  return {
    title: 'Recovery',
    text: 'A directory filled with messages of 1 KiB in 400 queues and killed; the last manifest is the one written under load. Page cache warm.',
    head: ['log', 'time', 'entries folded', 'goal'],
    rows: [
      [
        megabytes(recover['position']!),
        `${recover['seconds']!.toFixed(2)} s`,
        recover['entries']!.toLocaleString('en'),
        '10 GB under 5 s',
      ],
    ],
  };
}

function pauseTable(work: string, short: boolean): Table {
  const pause = bench(work, ['pause', short ? 5 : 60]);
  return {
    title: 'Pauses',
    text: 'Longest time the event loop was late while messages are published and consumed, segments of 32 MiB are sealed, cleaned and dropped, and snapshots are written. The load itself takes part of it: a turn appends 100 messages and takes 100.',
    head: ['longest', 'p99', 'log written', 'goal'],
    rows: [
      [
        `${pause['longestMs']!.toFixed(1)} ms`,
        `${pause['p99Ms']!.toFixed(1)} ms`,
        megabytes(pause['position']!),
        'under 20 ms',
      ],
    ],
  };
}
