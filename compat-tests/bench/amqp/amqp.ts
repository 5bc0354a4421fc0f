// The rows of `npm run bench -- amqp`: RabbitMQ and RosettaMQ in turn and in random order, driven by RabbitMQ's own
// PerfTest, and for publishes and consumers a server that stores nothing. A figure is the median over the repeats; a ratio is ours to
// RabbitMQ's of the same run. Durability is equal within a row: a classic queue of version 2 confirms after the write in
// both, a quorum queue after a sync in both. Every message is persistent.
import { seeded } from '../../harness/random.ts';
import { fresh } from '../../harness/suite.ts';
import { Figures, megabytes, micros, ratio, shuffledBy, thousands } from '../figures.ts';
import type { Table } from '../run.ts';
import { perfTest } from './perf-test.ts';
import { type Server, type ServerName, withServer } from './servers.ts';

interface Plan {
  readonly repeats: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
  readonly latencySeconds: number;
  readonly windows: readonly number[];
  readonly sizes: readonly number[];
  readonly fanOuts: readonly number[];
  readonly backlog: number;
  readonly waiting: number;
}

const LONG: Plan = {
  repeats: 3,
  warmUpSeconds: 2,
  seconds: 6,
  latencySeconds: 12,
  windows: [1, 100, 1_000],
  sizes: [100, 1_024],
  fanOuts: [10, 100],
  backlog: 200_000,
  waiting: 1_000_000,
};
const SHORT: Plan = {
  repeats: 1,
  warmUpSeconds: 2,
  seconds: 4,
  latencySeconds: 6,
  windows: [1, 100, 1_000],
  sizes: [100],
  fanOuts: [10, 100],
  backlog: 50_000,
  waiting: 100_000,
};

type Kind = 'classic' | 'quorum';
const KINDS: readonly Kind[] = ['classic', 'quorum'];
const PREFETCH = 500;
const WINDOW = 1_000;
/** Bytes of a message where the row does not say. */
const BODY_BYTES = 1_024;
const FIXED_RATE = 1_000;
const BROKERS: readonly ServerName[] = ['rabbitmq', 'rosettamq'];

/** The null server knows no kinds. */
const kindsOf = (name: ServerName): readonly Kind[] => (name === 'null' ? ['classic'] : KINDS);

/** PerfTest's options for a queue of this kind. */
const queueOf = (kind: Kind, name: string): (string | number)[] => [
  '-u',
  name,
  ...(kind === 'quorum' ? ['-qq'] : ['-qa', 'x-queue-version=2']),
];

class Bench {
  readonly plan: Plan;
  readonly figures = new Figures<ServerName>();
  readonly #shuffled: <T>(values: readonly T[]) => T[];

  constructor(plan: Plan, random: () => number) {
    this.plan = plan;
    this.#shuffled = shuffledBy(random);
  }

  /** Measures; tells after each repeat how many there were. */
  async *run(): AsyncGenerator<number> {
    for (let repeat = 0; repeat < this.plan.repeats; repeat++) {
      const told = (what: string): void => console.error(`  repeat ${repeat + 1} of ${this.plan.repeats}: ${what}`);
      for (const name of this.#shuffled<ServerName>([...BROKERS, 'null'])) {
        told(`publish, ${name}`);
        await withServer(name, (server) => this.#publishes(name, server));
      }
      for (const name of this.#shuffled<ServerName>([...BROKERS, 'null'])) {
        told(`consume, ${name}`);
        await withServer(name, (server) => this.#consumes(name, server));
      }
      for (const name of this.#shuffled(BROKERS)) {
        told(`fan-out, ${name}`);
        await withServer(name, (server) => this.#fansOut(name, server));
      }
      for (const name of this.#shuffled(BROKERS)) {
        told(`latency, ${name}`);
        await withServer(name, (server) => this.#latencies(name, server));
        told(`memory, ${name}`);
        await withServer(name, (server) => this.#waits(name, server));
      }
      yield repeat + 1;
    }
  }

  #seconds(): (string | number)[] {
    return ['-z', this.plan.warmUpSeconds + this.plan.seconds];
  }

  async #publishes(name: ServerName, server: Server): Promise<void> {
    const rows = KINDS.flatMap((kind) =>
      this.plan.sizes.flatMap((bytes) => this.plan.windows.map((window) => ({ kind, bytes, window }))),
    );
    for (const { kind, bytes, window } of this.#shuffled(rows.filter((row) => kindsOf(name).includes(row.kind)))) {
      const options = ['-x', 1, '-y', 0, '-s', bytes, '-c', window, ...queueOf(kind, fresh('p')), ...this.#seconds()];
      const { sent, nacked } = await perfTest(server.url, options, this.plan.warmUpSeconds);
      this.#add(kind, name, (one) => `publish ${one}, ${bytes} B, window ${window}`, sent);
      this.figures.add('nacked', name, nacked);
    }
  }

  /** A figure of the null server counts for every kind. */
  #add(kind: Kind, name: ServerName, row: (kind: Kind) => string, figure: number): void {
    for (const one of name === 'null' ? KINDS : [kind]) this.figures.add(row(one), name, figure);
  }

  async #consumes(name: ServerName, server: Server): Promise<void> {
    for (const kind of this.#shuffled(kindsOf(name))) {
      for (const bytes of this.#shuffled(this.plan.sizes)) {
        const both = ['-x', 1, '-y', 1, '-s', bytes, '-c', WINDOW, '-q', PREFETCH, ...queueOf(kind, fresh('pc'))];
        const { received, p99 } = await perfTest(server.url, [...both, ...this.#seconds()], this.plan.warmUpSeconds);
        this.#add(kind, name, (one) => `read ${one}, ${bytes} B, published and consumed`, received);
        // The null server does not pass on the time of the publish.
        if (name !== 'null') this.figures.add(`full p99 ${kind}, ${bytes} B`, name, p99);
        const queue = queueOf(kind, fresh('backlog'));
        await perfTest(server.url, ['-x', 1, '-y', 0, '-s', bytes, '-c', WINDOW, '-C', this.plan.backlog, ...queue]);
        const { meanReceived } = await perfTest(server.url, [
          '-x',
          0,
          '-y',
          1,
          '-q',
          PREFETCH,
          '-D',
          this.plan.backlog,
          ...queue,
        ]);
        this.#add(kind, name, (one) => `read ${one}, ${bytes} B, consumed from a backlog`, meanReceived);
      }
    }
  }

  async #fansOut(name: ServerName, server: Server): Promise<void> {
    for (const queues of this.#shuffled(this.plan.fanOuts)) {
      for (const bytes of this.#shuffled(this.plan.sizes)) {
        const id = fresh('fan');
        const pattern = ['--queue-pattern', `${id}-%d`, '--queue-pattern-from', 1, '--queue-pattern-to', queues];
        const exchange = ['-e', id, '-t', 'fanout', '-qa', 'x-queue-version=2'];
        const options = ['-x', 1, '-y', queues, '-s', bytes, '-c', 100, '-q', PREFETCH, ...exchange, ...pattern];
        const { received } = await perfTest(server.url, [...options, ...this.#seconds()], this.plan.warmUpSeconds);
        this.figures.add(`fan to ${queues} queues, ${bytes} B`, name, received);
      }
    }
  }

  /** Half of what the slower of the two took and gave, so that both have the same load. */
  #halfLoad(kind: Kind): number {
    const row = `read ${kind}, ${this.plan.sizes.at(-1)} B, published and consumed`;
    return Math.max(100, Math.round(Math.min(...BROKERS.map((name) => this.figures.median(row, name) ?? 0)) / 2));
  }

  async #latencies(name: ServerName, server: Server): Promise<void> {
    for (const kind of this.#shuffled(KINDS)) {
      for (const [load, rate] of [
        ['1,000 /s', FIXED_RATE],
        ['half load', this.#halfLoad(kind)],
      ] as const) {
        const options = ['-x', 1, '-y', 1, '-s', BODY_BYTES, '-c', WINDOW, '-q', PREFETCH, '-r', rate];
        const time = ['-z', this.plan.warmUpSeconds + this.plan.latencySeconds];
        const { p50, p99, received } = await perfTest(
          server.url,
          [...options, ...queueOf(kind, fresh('l')), ...time],
          this.plan.warmUpSeconds,
        );
        this.figures.add(`latency ${kind}, ${load}, p50`, name, p50);
        this.figures.add(`latency ${kind}, ${load}, p99`, name, p99);
        this.figures.add(`rate ${kind}, ${load}`, name, received);
      }
    }
  }

  async #waits(name: ServerName, server: Server): Promise<void> {
    this.figures.add('memory idle', name, server.residentBytes());
    const options = ['-x', 1, '-y', 0, '-s', BODY_BYTES, '-c', WINDOW, '-C', this.plan.waiting];
    await perfTest(server.url, [...options, ...queueOf('classic', fresh('w'))]);
    this.figures.add(`memory ${this.plan.waiting} waiting`, name, server.residentBytes());
  }
}

export async function* benchAmqp(_work: string, short: boolean, repeats: number): AsyncGenerator<readonly Table[]> {
  const { random, seed } = seeded();
  const plan = short ? SHORT : LONG;
  const bench = new Bench({ ...plan, repeats: repeats || plan.repeats }, random);
  for await (const done of bench.run()) yield tables(bench, seed, done);
}

function tables({ figures, plan }: Bench, seed: number, repeats: number): Table[] {
  const compared = (key: string, show: (value: number | null) => string): string[] => {
    const [rabbitmq, ours] = BROKERS.map((name) => figures.median(key, name)) as [number | null, number | null];
    return [show(rabbitmq), show(ours), ratio(ours, rabbitmq)];
  };
  const byName = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true });
  const table = (prefix: string, show: (value: number | null) => string): string[][] =>
    figures
      .rows(prefix)
      .sort(byName)
      .map((row) => [row, ...compared(prefix + row, show)]);
  /** Rows that the null server was measured in as well. */
  const bounded = (prefix: string): string[][] =>
    figures
      .rows(prefix)
      .sort(byName)
      .map((row) => {
        const [ours, bound] = (['rosettamq', 'null'] as const).map((name) => figures.median(prefix + row, name));
        return [
          row,
          ...compared(prefix + row, thousands),
          thousands(bound ?? null),
          ratio(ours ?? null, bound ?? null),
        ];
      });
  const loads = figures.rows('rate ').sort(byName);
  const rates = loads.map((row) => `${row}: ${thousands(figures.median(`rate ${row}`, 'rabbitmq'))}`).join(', ');
  return [
    {
      title: 'Publishing with confirms',
      text: `PerfTest with one publisher; the window is how many may be unconfirmed. Classic: confirmed after the write. Quorum: after a sync. The null server stores nothing: its column is the client's bound here. Medians of ${repeats} repeats, order from seed ${seed}; nacked ${figures.median('nacked', 'rosettamq') ?? 0} of ours.`,
      head: ['row', 'RabbitMQ', 'RosettaMQ', 'ratio', 'null server', 'of the bound'],
      rows: bounded('publish '),
    },
    {
      title: 'Consuming',
      text: `One consumer with manual acknowledgements and a prefetch of ${PREFETCH}; published and consumed beside one publisher with a window of ${WINDOW}, or a backlog of ${plan.backlog}. The null server keeps a number instead of messages and delivers the first one again and again: its column is the client's bound here.`,
      head: ['row', 'RabbitMQ', 'RosettaMQ', 'ratio', 'null server', 'of the bound'],
      rows: bounded('read '),
    },
    {
      title: 'Fan-out',
      text: 'Deliveries of all queues together: one publisher with a window of 100, a fanout exchange, a consumer on each queue with manual acknowledgements; classic queues.',
      head: ['row', 'RabbitMQ', 'RosettaMQ', 'ratio'],
      rows: table('fan ', thousands),
    },
    {
      title: 'End-to-end latency',
      text: `From the publish to the consumer's call, ${BODY_BYTES} B; half load is half of what the slower of the two published and consumed. Lower is better. Rates: ${rates}.`,
      head: ['row', 'RabbitMQ', 'RosettaMQ', 'ratio'],
      rows: [
        ...table('latency ', micros),
        ...figures
          .rows('full p99 ')
          .map((row) => [`${row}, as fast as it goes, p99`, ...compared(`full p99 ${row}`, micros)]),
      ],
    },
    {
      title: 'Memory',
      text: `Resident memory of the broker's process; messages of ${BODY_BYTES} B in a classic queue without a consumer. Lower is better.`,
      head: ['row', 'RabbitMQ', 'RosettaMQ', 'ratio'],
      rows: table('memory ', megabytes),
    },
  ];
}
