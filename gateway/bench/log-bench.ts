/**
 * The log measured by itself, on a real disk: one command per row, each prints one line of JSON. Run by
 * `npm run bench -- log`, which puts the bound beside it and writes the table.
 *
 *   append DIRECTORY PAYLOAD RECORDS PER_TURN TURNS sync|async QUEUES
 *   fan-out DIRECTORY QUEUES MESSAGES
 *   waiting DIRECTORY MESSAGES PAYLOAD
 *   idle DIRECTORY QUEUES   then   recover DIRECTORY
 *   fill DIRECTORY BYTES   then   recover DIRECTORY
 *   pause DIRECTORY SECONDS
 */
import { rmSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Broker } from '../../core/broker.ts';
import { emptyAppend } from '../../core/delivery/append.ts';
import { type FlushLevel, FORMAT_CANONICAL, type Principal, type Topic } from '../../core/types.ts';
import type { AppendTarget } from '../../core/verbs.ts';
import { BrokerClock } from '../system/broker-clock.ts';
import { crc32c } from '../system/crc32c.ts';
import { FileDisk } from '../system/file-disk.ts';
import { systemRandom } from '../system/random.ts';

const BENCH: Principal = { name: 'bench', host: '' };
const [command, directory, ...words] = process.argv.slice(2);
const numbers = words.map(Number);

async function open(flush: FlushLevel = 'async', segmentBytes = 128 * 1024 * 1024): Promise<Broker> {
  const disk = new FileDisk(directory!);
  disk.lock();
  return Broker.open({
    disk,
    clock: new BrokerClock(),
    random: systemRandom,
    crc: crc32c,
    codecs: [],
    names: {
      topicsMax: 1_000_000,
      groupsMax: 1_000_000,
      queuesPerTopicMax: 100_000,
      reserved: [],
      attributes: {
        flush,
        retention: { mode: 'log', timeMs: -1, bytes: -1 },
        messageBytesMax: 32 * 1024 * 1024,
        deadLetter: null,
        messageTtlMs: -1,
        deliveriesMax: -1,
        extra: {},
      },
    },
    stateFlush: 'async',
    segmentBytes,
    reserveBytes: 8 * 1024 * 1024,
    ballastBytes: 0,
    hotBytes: 64 * 1024 * 1024,
    coldBytes: 32 * 1024 * 1024,
    indexCacheBytes: 32 * 1024 * 1024,
    flushIntervalMs: 200,
    inlineSyncMs: 0.3,
    retentionIntervalMs: 1000,
    snapshotIntervalMs: 10_000,
    cleanRatio: 0.5,
    jobSteps: 0,
    warn: (text, error) => console.error(text, error),
  });
}

/** Appends in turns: so many at once, then waits until all are answered. */
class Load implements AppendTarget {
  private left = 0;
  private done: (() => void) | null = null;
  private readonly broker: Broker;
  readonly append = emptyAppend();

  constructor(broker: Broker, payload: number, records: number) {
    this.broker = broker;
    this.append.format = FORMAT_CANONICAL;
    this.append.payload = Buffer.alloc(payload, 'x');
    this.append.records = records;
  }

  appended(): void {
    if (--this.left === 0) this.done!();
  }

  turn(topics: readonly Topic[], count: number, from: number): Promise<void> {
    return new Promise((resolve) => {
      this.done = resolve;
      this.left = count;
      for (let n = 0; n < count; n++) {
        const topic = topics[(from + n) % topics.length]!;
        this.append.topic = topic;
        this.append.queue = (from + n) % topic.queues.length;
        this.broker.append(BENCH, this.append, this, 0);
      }
    });
  }
}

const report = (fields: Record<string, number>): void => console.log(JSON.stringify(fields));
const topic = (broker: Broker, name: string, queues = 1): Promise<Topic> =>
  broker.createTopic(BENCH, { namespace: 'default', kind: 'topic', name, queues });
const rss = (): number => {
  // Buffers are given back by the collection after the one that finds them dead.
  for (let n = 0; n < 2; n++) (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage.rss();
};

async function append(): Promise<void> {
  const [payload, records, perTurn, turns, , queues] = numbers as [number, number, number, number, number, number];
  const broker = await open(words[4] as FlushLevel);
  const topics = [await topic(broker, 'bench', queues)];
  const load = new Load(broker, payload, records);
  // Warm code and a prepared next segment, then the measured turns.
  for (let n = 0; n < Math.ceil(turns / 5); n++) await load.turn(topics, perTurn, n * perTurn);
  const writes = broker.log.writes;
  const cpu = process.cpuUsage();
  const started = performance.now();
  for (let n = 0; n < turns; n++) await load.turn(topics, perTurn, n * perTurn);
  const seconds = (performance.now() - started) / 1000;
  const used = process.cpuUsage(cpu);
  report({
    seconds,
    messages: turns * perTurn,
    bytes: broker.log.lastLength * perTurn,
    writes: broker.log.writes - writes,
    cpuSeconds: (used.user + used.system) / 1e6,
  });
  await broker.close();
}

async function fanOut(): Promise<void> {
  const [queues, messages] = numbers as [number, number];
  const broker = await open();
  const exchange = {
    namespace: 'default',
    name: 'fan',
    type: 'fanout',
    durable: true,
    autoDelete: false,
    internal: false,
    extra: {},
  } as const;
  await broker.createExchange(BENCH, exchange);
  const made: Promise<unknown>[] = [];
  for (let n = 0; n < queues; n++)
    made.push(broker.createTopic(BENCH, { namespace: 'default', kind: 'queue', name: `q${n}`, queues: 1 }));
  await Promise.all(made);
  await Promise.all(
    Array.from({ length: queues }, (_, n) =>
      broker.bind(BENCH, {
        namespace: 'default',
        source: 'fan',
        destinationKind: 'queue',
        destination: `q${n}`,
        routingKey: '',
        arguments: '',
        match: null,
      }),
    ),
  );
  const load = new Load(broker, 1024, 1);
  load.append.exchange = 'fan';
  load.append.routingKey = '';
  const one = (): Promise<void> =>
    new Promise((resolve) => {
      broker.append(BENCH, load.append, { appended: () => resolve() }, 0);
    });
  await one();
  const started = performance.now();
  for (let n = 0; n < messages; n++) await one();
  const seconds = (performance.now() - started) / 1000;
  report({ seconds, messages, queues, entryBytes: broker.log.lastLength });
  await broker.close();
}

async function waiting(): Promise<void> {
  const [messages, payload] = numbers as [number, number];
  const broker = await open();
  const queue = await broker.createTopic(BENCH, { namespace: 'default', kind: 'queue', name: 'backlog', queues: 1 });
  const load = new Load(broker, payload, 1);
  let peak = 0;
  const started = performance.now();
  for (let n = 0; n < messages; n += 1000) {
    await load.turn([queue], Math.min(1000, messages - n), n);
    if (n % 100_000 === 0) peak = Math.max(peak, process.memoryUsage.rss());
  }
  const seconds = (performance.now() - started) / 1000;
  await new Promise((resolve) => setTimeout(resolve, 3000));
  report({ seconds, messages, peakRss: peak, rss: rss() });
  await broker.close();
}

/** Declares so many queues and ends; `recover` then tells what a broker with them takes. */
async function idle(): Promise<void> {
  const [queues] = numbers as [number];
  const broker = await open();
  for (let n = 0; n < queues; n += 100) {
    await Promise.all(
      Array.from({ length: 100 }, (_, m) =>
        broker.createTopic(BENCH, { namespace: 'default', kind: 'queue', name: `idle-${n + m}`, queues: 1 }),
      ),
    );
  }
  report({ queues });
  await broker.close();
}

async function fill(): Promise<void> {
  const [bytes] = numbers as [number];
  const broker = await open();
  const topics = await Promise.all(Array.from({ length: 100 }, (_, n) => topic(broker, `t${n}`, 4)));
  const load = new Load(broker, 1024, 1);
  let n = 0;
  while (broker.log.position < bytes) await load.turn(topics, 1000, (n += 1000));
  await new Promise((resolve) => setTimeout(resolve, 2000));
  report({ messages: n });
  // No clean end: the manifest there is is the last that was written under load.
  process.kill(process.pid, 'SIGKILL');
}

async function recover(): Promise<void> {
  const started = performance.now();
  const broker = await open();
  report({
    seconds: (performance.now() - started) / 1000,
    entries: broker.recovery.entries,
    position: broker.log.position,
    rss: rss(),
    heap: process.memoryUsage().heapUsed,
  });
  await broker.close();
}

async function pause(): Promise<void> {
  const [seconds] = numbers as [number];
  const broker = await open('async', 32 * 1024 * 1024);
  const queues = await Promise.all(
    Array.from({ length: 50 }, (_, n) =>
      broker.createTopic(BENCH, { namespace: 'default', kind: 'queue', name: `w${n}`, queues: 1 }),
    ),
  );
  const load = new Load(broker, 1024, 1);
  const holder = {};
  let taken = 0;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const end = performance.now() + seconds * 1000;
  // Everything is consumed but every hundredth message, so that segments are cleaned, not only dropped.
  for (let n = 0; performance.now() < end; n++) {
    if (n === 200) delay.enable();
    await load.turn(queues, 100, n);
    for (const queue of queues) {
      const group = broker.groupById(queue.ownGroup)!;
      for (let m = 0; m < 2; m++) {
        broker.leaseOne(BENCH, group, queue.queues[0]!, holder, 0, (leased) => {
          if (taken++ % 100 !== 0) broker.settle(group, leased.queue, leased.offset, 'done');
        });
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  delay.disable();
  report({
    longestMs: delay.max / 1e6,
    p99Ms: delay.percentile(99) / 1e6,
    messages: taken,
    position: broker.log.position,
  });
  await broker.close();
}

const commands: Record<string, () => Promise<void>> = {
  append,
  'fan-out': fanOut,
  waiting,
  idle,
  fill,
  recover,
  pause,
};
const run = commands[command ?? ''];
if (run === undefined || directory === undefined)
  throw new Error(`usage: log-bench ${Object.keys(commands).join('|')} DIRECTORY …`);
if (command !== 'recover') rmSync(directory, { recursive: true, force: true });
await run();
process.exit(0);
