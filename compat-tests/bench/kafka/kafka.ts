// The rows of `npm run bench -- kafka`: Apache Kafka and RosettaMQ in turn and in random order, driven by the same programs.
// A figure is the median over the repeats, and the tables come after each; a ratio is ours to Apache's of the same run. Durability is equal within a table:
// async is Kafka's default and a write before the answer here, sync is flush.messages=1 and a sync before it.
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { seeded } from '../../harness/random.ts';
import { fresh } from '../../harness/suite.ts';
import { isInstalled } from '../../harness/toolchain.ts';
import { Figures, megabytes, megabytesPerSecond, micros, millis, ratio, shuffledBy, thousands } from '../figures.ts';
import type { Table } from '../run.ts';
import { consume, kcat, latency, makeTopic, produce } from './programs.ts';
import { type Flush, type Server, type ServerName, withServer } from './servers.ts';

interface Plan {
  readonly repeats: number;
  readonly sizes: readonly number[];
  readonly acks: readonly ('1' | 'all')[];
  readonly codecs: readonly ('none' | 'lz4')[];
  readonly partitions: readonly number[];
  /** Bytes that a row sends, with each flush; and of the backlog that is read. */
  readonly bytes: Record<Flush, number>;
  readonly backlogBytes: number;
  readonly latencySeconds: number;
  readonly kcatLines: number;
}

const LONG: Plan = {
  repeats: 3,
  sizes: [100, 1_024],
  acks: ['1', 'all'],
  codecs: ['none', 'lz4'],
  partitions: [1, 64],
  bytes: { async: 600_000_000, sync: 200_000_000 },
  backlogBytes: 2_000_000_000,
  latencySeconds: 20,
  kcatLines: 2_000_000,
};
const SHORT: Plan = {
  repeats: 1,
  sizes: [1_024],
  acks: ['all'],
  codecs: ['none', 'lz4'],
  partitions: [1, 64],
  bytes: { async: 200_000_000, sync: 50_000_000 },
  backlogBytes: 300_000_000,
  latencySeconds: 5,
  kcatLines: 300_000,
};

const NAMES: readonly ServerName[] = ['apache', 'rosettamq'];
const FLUSHES: readonly Flush[] = ['async', 'sync'];
/** A record of 100 B costs the producer about as much as one of 300 B, so fewer of them. */
const recordsOf = (bytes: number, size: number): number => Math.round(bytes / Math.max(size, 300));
/** Bytes of a record where the row does not say. */
const BYTES = 1_024;

type Kafka = Figures<ServerName>;

export async function* benchKafka(work: string, short: boolean, repeats: number): AsyncGenerator<readonly Table[]> {
  const chosen = short ? SHORT : LONG;
  const plan = { ...chosen, repeats: repeats || chosen.repeats };
  const { random, seed } = seeded();
  const shuffled = shuffledBy(random);
  const figures: Kafka = new Figures();
  for (let repeat = 0; repeat < plan.repeats; repeat++) {
    for (const flush of shuffled(FLUSHES)) {
      // The null server knows no flush: its figures of async are those of both.
      for (const name of shuffled<ServerName>(flush === 'async' ? [...NAMES, 'null'] : NAMES)) {
        console.error(`  repeat ${repeat + 1} of ${plan.repeats}, flush ${flush}: ${name}`);
        await withServer(name, flush, (server) => measureProduce(server, flush, plan, figures, shuffled));
      }
      const half = halfLoad(figures, flush);
      for (const name of shuffled(NAMES))
        await withServer(name, flush, (server) => measureLatency(server, flush, half, plan, figures));
    }
    for (const name of shuffled<ServerName>([...NAMES, 'null']))
      await withServer(name, 'async', (server) => measureReads(server, plan, figures, work));
    yield [
      ...FLUSHES.map((flush) => produceTable(figures, flush, seed, repeat + 1)),
      readTable(figures),
      latencyTable(figures),
      houseTable(figures),
    ];
  }
}

async function measureProduce(
  server: Server,
  flush: Flush,
  plan: Plan,
  figures: Kafka,
  shuffled: <T>(values: readonly T[]) => T[],
): Promise<void> {
  figures.add('start', server.name, server.startedInMs);
  figures.add('resident idle', server.name, server.residentBytes());
  const topics = new Map<number, string>();
  for (const partitions of plan.partitions) {
    const topic = `${fresh('bench')}-${partitions}`;
    if (server.name !== 'null') await makeTopic(server.bootstrap, topic, partitions);
    topics.set(partitions, topic);
  }
  const rows = plan.sizes.flatMap((bytes) =>
    plan.acks.flatMap((acks) =>
      plan.codecs.flatMap((compression) =>
        plan.partitions.map((partitions) => ({ bytes, acks, compression, partitions })),
      ),
    ),
  );
  for (const { bytes, acks, compression, partitions } of shuffled(rows)) {
    const records = recordsOf(plan.bytes[flush], bytes);
    const load = { topic: topics.get(partitions)!, records, warmUp: Math.round(records / 5), bytes, acks, compression };
    const key = `produce ${flush} ${bytes} B, acks ${acks}, ${compression}, ${partitions} partition${partitions > 1 ? 's' : ''}`;
    const before = server.cpuSeconds();
    const told = await produce(server.bootstrap, load);
    figures.add(key, server.name, told.perSecond);
    figures.add(`bytes ${key}`, server.name, told.bytesPerSecond);
    figures.add(`p99 ${key}`, server.name, told.p99);
    figures.add(`cpu ${key}`, server.name, ((server.cpuSeconds() - before) / (records + load.warmUp)) * 1e6);
  }
  figures.add('resident after produce', server.name, server.residentBytes());
}

/** Half of what the slower of the two took, at most what one sender can keep its times with. */
function halfLoad(figures: Kafka, flush: Flush): number {
  const rows = figures.rows(`produce ${flush} ${BYTES} B, acks all, none`);
  const rates = rows.flatMap((row) =>
    NAMES.map((name) => figures.median(`produce ${flush} ${BYTES} B, acks all, none${row}`, name) ?? 0),
  );
  return Math.max(100, Math.min(50_000, Math.round(Math.min(...rates) / 2)));
}

async function measureLatency(
  server: Server,
  flush: Flush,
  perSecond: number,
  plan: Plan,
  figures: Kafka,
): Promise<void> {
  const topic = fresh('latency');
  await makeTopic(server.bootstrap, topic, 4);
  const told = await latency(server.bootstrap, topic, perSecond, plan.latencySeconds, BYTES);
  figures.add(`latency ${flush} rate`, server.name, perSecond);
  for (const part of ['p50', 'p99', 'p999', 'max'] as const)
    figures.add(`latency ${flush} ${part}`, server.name, told[part]);
  figures.add(`latency ${flush} failed`, server.name, told.failed);
}

async function measureReads(server: Server, plan: Plan, figures: Kafka, work: string): Promise<void> {
  for (const partitions of plan.partitions) {
    const topic = `${fresh('backlog')}-${partitions}`;
    if (server.name !== 'null') await makeTopic(server.bootstrap, topic, partitions);
    const records = recordsOf(plan.backlogBytes, BYTES);
    await produce(server.bootstrap, { topic, records, warmUp: 0, bytes: BYTES, acks: '1', compression: 'none' });
    const label = `${partitions} partition${partitions > 1 ? 's' : ''}`;
    const before = server.cpuSeconds();
    figures.add(`read hot, ${label}`, server.name, await consume(server.bootstrap, topic, records));
    figures.add(`cpu hot, ${label}`, server.name, ((server.cpuSeconds() - before) / records) * 1e6);
    if (server.name === 'null' || !forgetPages()) continue;
    figures.add(`read cold, ${label}`, server.name, await consume(server.bootstrap, topic, records));
  }
  figures.add('resident after reads', server.name, server.residentBytes());
  if (server.name === 'null' || !(await isInstalled('kcat'))) return;
  const lines = join(work, `lines-${plan.kcatLines}`);
  if (!existsSync(lines)) writeFileSync(lines, `${'x'.repeat(99)}\n`.repeat(plan.kcatLines));
  const topic = fresh('kcat');
  await makeTopic(server.bootstrap, topic, 1);
  figures.add(
    'read librdkafka (kcat) sends 100 B',
    server.name,
    plan.kcatLines / (await kcat(server.bootstrap, topic, { lines })),
  );
  figures.add(
    'read librdkafka (kcat) reads 100 B',
    server.name,
    plan.kcatLines / (await kcat(server.bootstrap, topic, { count: plan.kcatLines })),
  );
}

/** Has the system forget the pages of files, where it lets us; what a process keeps in its own memory stays. */
function forgetPages(): boolean {
  try {
    execFileSync('sync');
    writeFileSync('/proc/sys/vm/drop_caches', '1');
    return true;
  } catch {
    return false;
  }
}

function produceTable(figures: Kafka, flush: Flush, seed: number, repeats: number): Table {
  const rows = figures
    .rows(`produce ${flush} `)
    .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .map((row) => {
      const key = `produce ${flush} ${row}`;
      const [apache, ours] = NAMES.map((name) => figures.median(key, name)) as [number | null, number | null];
      const bound = figures.median(`produce async ${row}`, 'null');
      const both = (prefix: string, show: (value: number | null) => string): string =>
        NAMES.map((name) => show(figures.median(`${prefix} ${key}`, name))).join(' / ');
      return [
        row,
        thousands(apache),
        thousands(ours),
        ratio(ours, apache),
        thousands(bound),
        ratio(ours, bound),
        both('bytes', megabytesPerSecond),
        both('p99', (value) => millis(value === null ? null : value / 1e3)),
        both('cpu', micros),
      ];
    });
  return {
    title: `Produce, flush ${flush}`,
    text: `Kafka's ProducerPerformance with batch.size 65536 and linger.ms 5, after a warm-up of a fifth. ${flush === 'sync' ? 'Apache with log.flush.interval.messages=1.' : 'Apache as it comes.'} The null server stores nothing: its column is the client’s bound here. Medians of ${repeats} repeats, order from seed ${seed}.`,
    head: [
      'row',
      'Apache',
      'RosettaMQ',
      'ratio',
      'null server',
      'of the bound',
      'bytes (Apache / ours)',
      'p99 to the acknowledgement (Apache / ours)',
      'broker CPU per record (Apache / ours)',
    ],
    rows,
  };
}

function readTable(figures: Kafka): Table {
  const rows = figures.rows('read ').map((row) => {
    const [apache, ours] = NAMES.map((name) => figures.median(`read ${row}`, name)) as [number | null, number | null];
    const size = row.includes('100 B') ? 100 : BYTES;
    const bound = figures.median(`read ${row.replace('cold', 'hot')}`, 'null');
    const cpu = NAMES.map((name) => micros(figures.median(`cpu ${row}`, name)));
    return [
      row,
      thousands(apache),
      thousands(ours),
      ratio(ours, apache),
      thousands(bound),
      ratio(ours, bound),
      megabytesPerSecond(ours === null ? null : ours * size),
      cpu.join(' / '),
    ];
  });
  return {
    title: 'Reads, and librdkafka',
    text: `Kafka's ConsumerPerformance over records of ${BYTES} B, the time of its rebalance left out. Hot: just written. Cold: after the system has forgotten the pages of all files. kcat: the whole run of the program. The null server gives one batch again and again: its column is the client’s bound here.`,
    head: [
      'row',
      'Apache',
      'RosettaMQ',
      'ratio',
      'null server',
      'of the bound',
      'ours in bytes',
      'broker CPU per record (Apache / ours)',
    ],
    rows,
  };
}

function latencyTable(figures: Kafka): Table {
  const rows = FLUSHES.flatMap((flush) =>
    (['p50', 'p99', 'p999', 'max', 'failed'] as const).map((part) => {
      const [apache, ours] = NAMES.map((name) => figures.median(`latency ${flush} ${part}`, name)) as [
        number | null,
        number | null,
      ];
      const show = part === 'failed' ? (value: number | null): string => String(value ?? '–') : micros;
      const rate = thousands(figures.median(`latency ${flush} rate`, 'apache'));
      return [`${flush}, ${rate}, ${part}`, show(apache), show(ours), ratio(ours, apache)];
    }),
  );
  return {
    title: 'End-to-end latency at half load',
    text: `From when a send was due to the consumer, acks all, four partitions, records of ${BYTES} B, linger.ms as it comes (5), at half of what the slower of the two took (at most 50 k/s). Lower is better.`,
    head: ['row', 'Apache', 'RosettaMQ', 'ratio'],
    rows,
  };
}

function houseTable(figures: Kafka): Table {
  const row = (title: string, key: string, show: (value: number | null) => string): string[] => {
    const [apache, ours] = NAMES.map((name) => figures.median(key, name)) as [number | null, number | null];
    return [title, show(apache), show(ours), ratio(ours, apache)];
  };
  return {
    title: 'Start and memory',
    text: 'Resident memory of the one process of each; Apache’s heap may grow to 1 GiB.',
    head: ['row', 'Apache', 'RosettaMQ', 'ratio'],
    rows: [
      row('start to ready', 'start', millis),
      row('resident, idle', 'resident idle', megabytes),
      row('resident, after produce', 'resident after produce', megabytes),
      row('resident, after reads', 'resident after reads', megabytes),
    ],
  };
}
