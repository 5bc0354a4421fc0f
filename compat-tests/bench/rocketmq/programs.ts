// The Java programs that drive the servers: RocketMQ's own benchmark Producer, BatchProducer and Consumer, and Load.java.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { compiled, jars, peerClasspath } from '../../harness/toolchain.ts';
import { COMPAT, execute, work } from '../../harness/work.ts';
import { median } from '../figures.ts';

const CLIENT_JVM = ['-Xms512m', '-Xmx512m', '-XX:+UseParallelGC', '-XX:MaxDirectMemorySize=512m'];
const OWN = ['producer', 'batch', 'consumer'] as const;
const MAIN: Record<(typeof OWN)[number], string> = {
  producer: 'org.apache.rocketmq.example.benchmark.Producer',
  batch: 'org.apache.rocketmq.example.benchmark.BatchProducer',
  consumer: 'org.apache.rocketmq.example.benchmark.Consumer',
};

let classpath: Promise<string> | null = null;

/** The newest client with RocketMQ's examples and our Load; without the broker's jars, which bring its logging along. */
function programs(): Promise<string> {
  classpath ??= (async () => {
    const pom = join(COMPAT, 'rocketmq/java/pom-5.xml');
    const load = await compiled(
      'bench-rocketmq',
      [join(import.meta.dirname, 'java')],
      await jars('rocketmq-client-5', pom),
      [pom],
    );
    const peer = (await peerClasspath('rocketmq')).replace(/\/\*$/, '');
    const example = readdirSync(peer).find((file) => file.startsWith('rocketmq-example-'))!;
    return [load, join(peer, example)].join(delimiter);
  })();
  return classpath;
}

async function java(args: string[]): Promise<[string, string[]]> {
  const options = [
    `-Duser.home=${work('home')}`,
    '-Drocketmq.client.logLevel=ERROR',
    `-Drocketmq.client.logRoot=${work('logs')}`,
  ];
  return ['java', [...CLIENT_JVM, ...options, '-cp', await programs(), ...args]];
}

export interface Rate {
  readonly perSecond: number;
  readonly failed: number;
}

/** RocketMQ's programs report each second, but over the ten seconds before, and not until there are ten. */
const WINDOW_SECONDS = 10;

/**
 * Runs one of RocketMQ's programs until it has reported for the given time after its warm-up and its first window, and
 * ends it: the median of these reports. What they print: "Send TPS: 123 … Send Failed: 0", "Consume TPS: 123 …".
 */
export async function rate(
  program: (typeof OWN)[number],
  args: string[],
  warmUpSeconds: number,
  seconds: number,
): Promise<Rate> {
  const running = await begin(program, args);
  await sleep((warmUpSeconds + WINDOW_SECONDS + seconds + 1) * 1_000);
  return running.end(seconds);
}

export interface Running {
  /** Ends the program; its rate over its last seconds. */
  end(seconds: number): Promise<Rate>;
}

export async function begin(program: (typeof OWN)[number], args: string[]): Promise<Running> {
  const [command, all] = await java([MAIN[program], ...args, '-ri', '1000']);
  const child = spawn(command, all, { stdio: ['ignore', 'pipe', 'ignore'] });
  const kill = (): void => void child.kill('SIGKILL');
  process.on('exit', kill);
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  const ended = new Promise((done) => child.on('close', done));
  return {
    async end(seconds) {
      const reports = out
        .split('\n')
        .filter((line) => /TPS: +\d+/.test(line))
        .slice(-seconds);
      child.kill('SIGKILL');
      await ended;
      process.off('exit', kill);
      if (reports.length === 0) throw new Error(`${program} ${args.join(' ')} reported nothing:\n${out.slice(-600)}`);
      const numbers = (pattern: RegExp): number[] => reports.map((line) => Number(pattern.exec(line)?.[1] ?? 0));
      // The batch producer tells batches as TPS and messages as MPS.
      const counted = /MPS: +\d+/.test(reports[0]!) ? /MPS: +(\d+)/ : /TPS: +(\d+)/;
      const failed = [...numbers(/Send Failed: +(\d+)/), ...numbers(/Response Failed: +(\d+)/)];
      return { perSecond: median(numbers(counted)), failed: Math.max(...failed) };
    },
  };
}

/** Runs Load to its end. */
export async function load(...args: (string | number)[]): Promise<Record<string, number>> {
  const [command, all] = await java(['Load', ...args.map(String)]);
  const out = await execute(command, all);
  return JSON.parse(out.trim().split('\n').at(-1)!) as Record<string, number>;
}
