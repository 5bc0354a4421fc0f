// The programs that drive the servers: Kafka's own ProducerPerformance and ConsumerPerformance, kcat for librdkafka, and
// Latency.java.
import { join } from 'node:path';
import { compiled, peerClasspath } from '../../harness/toolchain.ts';
import { COMPAT, execute, work } from '../../harness/work.ts';

const JVM = ['-Xms512m', '-Xmx512m', '-XX:+UseParallelGC', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'];

async function java(classpath: string, ...args: (string | number)[]): Promise<string> {
  return execute('java', [...JVM, `-Duser.home=${work('home')}`, '-cp', classpath, ...args.map(String)]);
}

export interface Produced {
  readonly perSecond: number;
  readonly bytesPerSecond: number;
  /** From the send to its acknowledgement, in microseconds. */
  readonly p50: number;
  readonly p99: number;
}

export interface Load {
  readonly topic: string;
  readonly records: number;
  readonly warmUp: number;
  readonly bytes: number;
  readonly acks: '1' | 'all';
  readonly compression: 'none' | 'lz4';
}

/** Kafka's producer program; of two lines with sums the second is without the warm-up. */
export async function produce(bootstrap: string, load: Load): Promise<Produced> {
  const properties = [
    `acks=${load.acks}`,
    `compression.type=${load.compression}`,
    'batch.size=65536',
    'linger.ms=5',
    'buffer.memory=67108864',
  ];
  const to = ['--bootstrap-server', bootstrap, '--topic', load.topic, '--num-records', load.records + load.warmUp];
  const how = ['--warmup-records', load.warmUp, '--record-size', load.bytes, '--throughput', -1];
  const program = 'org.apache.kafka.tools.ProducerPerformance';
  const out = await java(await peerClasspath('kafka'), program, ...to, ...how, '--command-property', ...properties);
  const sums = out.split('\n').filter((line) => line.includes('99.9th'));
  const found = /([\d.]+) records\/sec.*?([\d.]+) ms avg.*?(\d+) ms 50th.*?(\d+) ms 99th/.exec(sums.at(-1) ?? '');
  if (!found) throw new Error(`the producer program told no sum:\n${out.slice(-800)}`);
  const perSecond = Number(found[1]);
  return {
    perSecond,
    bytesPerSecond: perSecond * load.bytes,
    p50: Number(found[3]) * 1e3,
    p99: Number(found[4]) * 1e3,
  };
}

/** Kafka's consumer program: records a second while it fetches, the time of its rebalance left out. */
export async function consume(bootstrap: string, topic: string, records: number): Promise<number> {
  const from = ['--bootstrap-server', bootstrap, '--topic', topic, '--num-records', records];
  const program = 'org.apache.kafka.tools.ConsumerPerformance';
  const out = await java(await peerClasspath('kafka'), program, ...from, '--hide-header', '--timeout', 60_000);
  // start, end, MB, MB/s, records, records/s, rebalance ms, fetch ms, fetch MB/s, fetch records/s
  const fields = out.trim().split('\n').at(-1)!.split(', ');
  const got = Number(fields[4]);
  if (got < records) throw new Error(`the consumer program had ${got} of ${records} records:\n${out.slice(-800)}`);
  return Number(fields[9]);
}

/** Microseconds from when a send was due to the consumer. */
export async function latency(
  bootstrap: string,
  topic: string,
  perSecond: number,
  seconds: number,
  bytes: number,
): Promise<Record<'p50' | 'p99' | 'p999' | 'max' | 'failed', number>> {
  const peer = await peerClasspath('kafka');
  const pom = join(COMPAT, 'peers/kafka/pom.xml');
  const classpath = await compiled('bench-kafka', [join(import.meta.dirname, 'java')], peer.replace(/\/\*$/, ''), [
    pom,
  ]);
  const out = await java(classpath, 'Latency', bootstrap, topic, perSecond, seconds, bytes, 'all');
  return JSON.parse(out.trim().split('\n').at(-1)!) as Record<'p50' | 'p99' | 'p999' | 'max' | 'failed', number>;
}

/** Makes a topic, by Kafka's own program. */
export async function makeTopic(bootstrap: string, topic: string, partitions: number): Promise<void> {
  const args = ['--bootstrap-server', bootstrap, '--create', '--topic', topic, '--partitions', partitions];
  await java(await peerClasspath('kafka'), 'org.apache.kafka.tools.TopicCommand', ...args);
}

/** Seconds that kcat takes to send every line of a file, or to read so many records from the beginning. */
export async function kcat(
  bootstrap: string,
  topic: string,
  what: { lines: string } | { count: number },
): Promise<number> {
  const base = ['-b', bootstrap, '-t', topic, '-X', 'broker.address.family=v4', '-q'];
  const began = performance.now();
  if ('lines' in what)
    await execute('kcat', [
      ...base,
      '-P',
      '-X',
      'linger.ms=5',
      '-X',
      'batch.num.messages=100000',
      '-X',
      'queue.buffering.max.messages=1000000',
      '-l',
      what.lines,
    ]);
  else await execute('sh', ['-c', `kcat ${base.join(' ')} -C -o beginning -c ${what.count} > /dev/null`]);
  return (performance.now() - began) / 1_000;
}
