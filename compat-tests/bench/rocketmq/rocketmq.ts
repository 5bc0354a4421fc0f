// The rows of `npm run bench -- rocketmq`: Apache RocketMQ, RosettaMQ and a server that stores nothing, in turn and in
// random order, driven by the same Java programs. A figure is the median over the repeats; a ratio is ours to Apache's of
// the same run. The tables come after each repeat. Durability is equal within a table: async is a write before the answer and a sync soon, sync a sync before it.
import { seeded } from '../../harness/random.ts';
import { fresh } from '../../harness/suite.ts';
import { Figures, megabytes, micros, millis, ratio, shuffledBy, thousands } from '../figures.ts';
import type { Table } from '../run.ts';
import { begin, load, rate } from './programs.ts';
import { type Flush, type Server, type ServerName, startServer } from './servers.ts';

interface Plan {
  readonly repeats: number;
  readonly warmUpSeconds: number;
  /** How long a program reports, each report over the ten seconds before it; and how long latency is measured. */
  readonly seconds: number;
  readonly latencySeconds: number;
  readonly outstanding: readonly number[];
  readonly sizes: readonly number[];
  readonly batches: readonly number[];
  readonly backlog: number;
  readonly topics: number;
  readonly flushes: readonly Flush[];
}

const LONG: Plan = {
  repeats: 3,
  warmUpSeconds: 3,
  seconds: 1,
  latencySeconds: 20,
  outstanding: [1, 16, 64, 256],
  sizes: [128, 1_024],
  batches: [16, 64],
  backlog: 500_000,
  topics: 10_000,
  flushes: ['async', 'sync'],
};
const SHORT: Plan = {
  repeats: 1,
  warmUpSeconds: 2,
  seconds: 1,
  latencySeconds: 5,
  outstanding: [1, 64],
  sizes: [1_024],
  batches: [16],
  backlog: 50_000,
  topics: 500,
  flushes: ['async', 'sync'],
};

const BROKERS: readonly ServerName[] = ['apache', 'rosettamq'];
const QUEUES = 16;
/** Bytes of a message where the row does not say. */
const BODY_BYTES = 1_024;

export async function* benchRocketmq(_work: string, short: boolean, repeats: number): AsyncGenerator<readonly Table[]> {
  const chosen = short ? SHORT : LONG;
  const plan = { ...chosen, repeats: repeats || chosen.repeats };
  const { random, seed } = seeded();
  const shuffled = shuffledBy(random);
  const figures = new Figures<ServerName>();
  for (let repeat = 0; repeat < plan.repeats; repeat++) {
    for (const flush of shuffled(plan.flushes)) {
      // The null server knows no flush: its figures of the first are those of every one.
      for (const name of shuffled<ServerName>(flush === plan.flushes[0] ? [...BROKERS, 'null'] : BROKERS)) {
        console.error(`  repeat ${repeat + 1} of ${plan.repeats}, flush ${flush}: ${name}`);
        await measureSends(name, flush, plan, figures, shuffled);
      }
    }
    for (const name of shuffled(BROKERS)) await measureReads(name, 'async', plan, figures);
    for (const flush of shuffled<Flush>(short ? ['async'] : plan.flushes)) {
      const half = halfLoad(figures, flush);
      for (const name of shuffled(BROKERS)) await measureLatency(name, flush, half, plan, figures);
    }
    for (const name of shuffled(BROKERS)) await measureTopics(name, plan, figures);
    yield [
      ...plan.flushes.map((flush) => sendTable(figures, flush, plan, seed, repeat + 1)),
      readTable(figures),
      latencyTable(figures),
      houseTable(figures, plan),
    ];
  }
}

async function withServer(name: ServerName, flush: Flush, body: (server: Server) => Promise<void>): Promise<void> {
  const server = await startServer(name, flush);
  try {
    await body(server);
  } finally {
    await server.stop();
  }
}

const label = (outstanding: number, bytes: number): string => `${outstanding} outstanding, ${bytes} B`;

function measureSends(
  name: ServerName,
  flush: Flush,
  plan: Plan,
  figures: Figures<ServerName>,
  shuffled: <T>(values: readonly T[]) => T[],
): Promise<void> {
  return withServer(name, flush, async (server) => {
    figures.add('start', name, server.startedInMs);
    figures.add('resident idle', name, server.residentBytes());
    const topic = fresh('bench');
    if (name !== 'null') await load('topic', server.namesrv, topic, QUEUES);
    const single = plan.sizes.flatMap((bytes) => plan.outstanding.map((threads) => ({ bytes, threads, batch: 0 })));
    const batches = plan.batches.map((batch) => ({ bytes: plan.sizes[0]!, threads: 4, batch }));
    // The same order for the table as in the plan, whatever the order of the measurements.
    const rows = [...single, ...batches].map((row) => ({
      ...row,
      key: `send ${flush} ${row.batch > 0 ? `batches of ${row.batch} × ${row.bytes} B, 4 outstanding` : label(row.threads, row.bytes)}`,
    }));
    for (const { key, bytes, threads, batch } of shuffled(rows)) {
      const args = ['-n', server.namesrv, '-t', topic, '-s', String(bytes), '-w', String(threads)];
      const before = server.cpuSeconds();
      const began = performance.now();
      const { perSecond, failed } = await (batch > 0
        ? rate('batch', [...args, '-b', String(batch)], plan.warmUpSeconds, plan.seconds)
        : rate('producer', args, plan.warmUpSeconds, plan.seconds));
      const cpuShare = (server.cpuSeconds() - before) / ((performance.now() - began) / 1_000);
      figures.add(key, name, perSecond);
      figures.add(`cpu ${key}`, name, perSecond > 0 ? (cpuShare / perSecond) * 1e6 : 0);
      figures.add(`failed ${key}`, name, failed);
    }
    figures.add('resident after sends', name, server.residentBytes());
  });
}

function measureReads(name: ServerName, flush: Flush, plan: Plan, figures: Figures<ServerName>): Promise<void> {
  return withServer(name, flush, async (server) => {
    const hot = fresh('hot');
    await load('topic', server.namesrv, hot, QUEUES);
    const producing = await begin('producer', ['-n', server.namesrv, '-t', hot, '-s', String(BODY_BYTES), '-w', '64']);
    const consumed = await rate(
      'consumer',
      ['-n', server.namesrv, '-t', hot, '-g', fresh('g')],
      plan.warmUpSeconds + 3,
      plan.seconds,
    );
    const produced = await producing.end(plan.seconds);
    figures.add(`read ${flush} hot: consumed`, name, consumed.perSecond);
    figures.add(`read ${flush} hot: sent at the same time`, name, produced.perSecond);
    const backlog = fresh('backlog');
    await load('topic', server.namesrv, backlog, QUEUES);
    const filled = await load('fill', server.namesrv, backlog, plan.backlog, BODY_BYTES);
    figures.add(`read ${flush} filling the backlog, 512 outstanding`, name, plan.backlog / filled['seconds']!);
    const pulled = await load('pull', server.namesrv, backlog, plan.backlog);
    figures.add(`read ${flush} backlog: pull-through`, name, pulled['messages']! / pulled['seconds']!);
    figures.add(`resident after ${plan.backlog} waiting`, name, server.residentBytes());
  });
}

/**
 * Half of what the slower of the two took with 64 outstanding, and of what it gave a consumer while it took it, so that
 * both have the same load and neither falls behind.
 */
function halfLoad(figures: Figures<ServerName>, flush: Flush): number {
  const rows = [`send ${flush} ${label(64, BODY_BYTES)}`, 'read async hot: consumed'];
  const rates = rows.flatMap((row) => BROKERS.map((name) => figures.median(row, name)));
  const slower = Math.min(...rates.filter((rate) => rate !== null));
  return Math.max(100, Math.round(slower / 2));
}

function measureLatency(
  name: ServerName,
  flush: Flush,
  perSecond: number,
  plan: Plan,
  figures: Figures<ServerName>,
): Promise<void> {
  return withServer(name, flush, async (server) => {
    const topic = fresh('latency');
    await load('topic', server.namesrv, topic, 4);
    const told = await load('latency', server.namesrv, topic, perSecond, plan.latencySeconds, BODY_BYTES);
    for (const part of ['p50', 'p99', 'p999', 'max', 'failed', 'rate'])
      figures.add(`latency ${flush} ${part}`, name, told[part]!);
  });
}

function measureTopics(name: ServerName, plan: Plan, figures: Figures<ServerName>): Promise<void> {
  return withServer(name, 'async', async (server) => {
    const told = await load('topics', server.namesrv, plan.topics, 16);
    figures.add('topics made', name, plan.topics / told['madeSeconds']!);
    figures.add('topics sent', name, plan.topics / told['sentSeconds']!);
    figures.add('topics failed', name, told['failed']!);
    figures.add('topics resident', name, server.residentBytes());
  });
}

function sendTable(figures: Figures<ServerName>, flush: Flush, plan: Plan, seed: number, repeats: number): Table {
  const rows = figures
    .rows(`send ${flush} `)
    .sort(
      (a, b) =>
        Number(a.startsWith('batches')) - Number(b.startsWith('batches')) ||
        a.localeCompare(b, 'en', { numeric: true }),
    )
    .map((row) => {
      const key = `send ${flush} ${row}`;
      const [apache, ours] = BROKERS.map((name) => figures.median(key, name));
      const bound = figures.median(`send ${plan.flushes[0]} ${row}`, 'null');
      const failed = (name: ServerName): number => figures.median(`failed ${key}`, name) ?? 0;
      const cpu = (name: ServerName): string => micros(figures.median(`cpu ${key}`, name));
      const failures =
        failed('apache') + failed('rosettamq') > 0 ? `${failed('apache')} / ${failed('rosettamq')}` : '0';
      return [
        row,
        thousands(apache!),
        thousands(ours!),
        ratio(ours!, apache!),
        thousands(bound),
        ratio(ours!, bound),
        `${cpu('apache')} / ${cpu('rosettamq')}`,
        failures,
      ];
    });
  return {
    title: `Sends, flush ${flush}`,
    text: `RocketMQ's benchmark Producer (one thread for each outstanding send) and BatchProducer (TPS counts messages); ${QUEUES} queues. The null server stores nothing: its column is the client's bound here. Medians of ${repeats} repeats, order from seed ${seed}.`,
    head: [
      'row',
      'Apache',
      'RosettaMQ',
      'ratio',
      'null server',
      'of the bound',
      'broker CPU per message (Apache / ours)',
      'failed sends (Apache / ours)',
    ],
    rows,
  };
}

function readTable(figures: Figures<ServerName>): Table {
  const rows = figures.rows('read ').map((row) => {
    const [apache, ours] = BROKERS.map((name) => figures.median(`read ${row}`, name));
    return [row, thousands(apache!), thousands(ours!), ratio(ours!, apache!)];
  });
  return {
    title: 'Reads',
    text: `Messages of ${BODY_BYTES} B. Hot: the benchmark Consumer beside a Producer with 64 outstanding. Backlog: one pull of 32 after another in each of ${QUEUES} queues.`,
    head: ['row', 'Apache', 'RosettaMQ', 'ratio'],
    rows,
  };
}

function latencyTable(figures: Figures<ServerName>): Table {
  const flushes = new Set(figures.rows('latency ').map((row) => row.split(' ')[0]!));
  const rows = [...flushes].flatMap((flush) =>
    (['p50', 'p99', 'p999', 'max'] as const).map((part) => {
      const [apache, ours] = BROKERS.map((name) => figures.median(`latency ${flush} ${part}`, name));
      return [
        `${flush}, ${Math.round(figures.median(`latency ${flush} rate`, 'apache') ?? 0)} /s, ${part}`,
        micros(apache!),
        micros(ours!),
        ratio(ours!, apache!),
      ];
    }),
  );
  return {
    title: 'End-to-end latency at half load',
    text: `From when a send was due to the listener's call, at half of the rate that the slower of the two took with 64 outstanding, with and without a consumer; ${BODY_BYTES} B. Lower is better.`,
    head: ['row', 'Apache', 'RosettaMQ', 'ratio'],
    rows,
  };
}

function houseTable(figures: Figures<ServerName>, plan: Plan): Table {
  const row = (title: string, key: string, show: (value: number | null) => string): string[] => {
    const [apache, ours] = BROKERS.map((name) => figures.median(key, name));
    return [title, show(apache!), show(ours!), ratio(ours!, apache!)];
  };
  const waiting = figures.rows('resident after ').filter((name) => name.endsWith('waiting'));
  return {
    title: 'Start, memory, many topics',
    text: 'Memory is resident memory of the name server (heap up to 256 MiB) and broker (heap up to 1 GiB, direct up to 1 GiB) together, and of RosettaMQ’s one process; mapped log files count where a process maps them.',
    head: ['row', 'Apache', 'RosettaMQ', 'ratio'],
    rows: [
      row('start to ready', 'start', millis),
      row('resident, idle', 'resident idle', megabytes),
      row('resident, after the sends', 'resident after sends', megabytes),
      ...waiting.map((name) => row(`resident, ${name}`, `resident after ${name}`, megabytes)),
      row(`${plan.topics} topics made`, 'topics made', thousands),
      row(`a send to each of ${plan.topics} topics`, 'topics sent', thousands),
      row('failures among these', 'topics failed', (value) => String(value ?? '–')),
      row(`resident with ${plan.topics} topics`, 'topics resident', megabytes),
    ],
  };
}
