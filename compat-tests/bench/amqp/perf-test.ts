// RabbitMQ's PerfTest as a process: started with its own options, its reports of each second read. What it prints:
// `id: …, time 3.0 s, sent: 36611 msg/s, confirmed: …, received: 26442 msg/s, min/median/75th/95th/99th consumer latency:
// 226/3195/44581/292340/298394 µs, confirm latency: …`, and at its end `receiving rate avg: 28660 msg/s`.
import { join } from 'node:path';
import { jars } from '../../harness/toolchain.ts';
import { execute, work } from '../../harness/work.ts';
import { median } from '../figures.ts';

const JVM = ['-Xms512m', '-Xmx512m', '-XX:+UseParallelGC'];

export interface Report {
  /** Messages per second: the median of the reports after the warm-up. */
  readonly sent: number;
  readonly received: number;
  /** Microseconds from the publish to the consumer's call: medians of the reports. */
  readonly p50: number;
  readonly p99: number;
  /** The means that PerfTest tells at its end, for runs of a number of messages. */
  readonly meanSent: number;
  readonly meanReceived: number;
  readonly nacked: number;
}

const numbers = (lines: readonly string[], pattern: RegExp, group = 1): number[] =>
  lines.flatMap((line) => {
    const found = pattern.exec(line)?.[group];
    return found === undefined ? [] : [Number(found)];
  });

/** Runs PerfTest with these options to its end; reports of the first seconds do not count. */
export async function perfTest(url: string, options: readonly (string | number)[], warmUpSeconds = 0): Promise<Report> {
  const classpath = `${await jars('perf-test', join(import.meta.dirname, 'pom.xml'))}/*`;
  const home = `-Duser.home=${work('home')}`;
  const args = [
    ...JVM,
    home,
    '-cp',
    classpath,
    'com.rabbitmq.perf.PerfTest',
    '-h',
    url,
    '-f',
    'persistent',
    '-ad',
    'false',
  ];
  const lines = (await execute('java', [...args, ...options.map(String)])).split('\n');
  const reports = lines.filter((line) => (numbers([line], /time ([\d.]+) s/)[0] ?? 0) > warmUpSeconds + 0.5);
  const latency = /consumer latency: (?:\d+\/)(\d+)\/\d+\/\d+\/(\d+) /;
  return {
    sent: median(numbers(reports, /sent: (\d+) msg/)),
    received: median(numbers(reports, /received: (\d+) msg/)),
    p50: median(numbers(reports, latency, 1)),
    p99: median(numbers(reports, latency, 2)),
    meanSent: numbers(lines, /sending rate avg: (\d+)/)[0] ?? 0,
    meanReceived: numbers(lines, /receiving rate avg: (\d+)/)[0] ?? 0,
    nacked: Math.max(0, ...numbers(lines, /nacked: (\d+) msg/)),
  };
}
