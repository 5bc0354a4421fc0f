// The broker as a process: banner, signals, taken ports, the lock, crash and restart. Nothing here is a stub.
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { runCli, spawnCli } from './testing/run-cli.ts';

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'rosettamq-process-'));
afterAll(() => fs.rmSync(dir, { recursive: true, force: true }));

const SMALL = ['--store-segment-bytes', '4194304', '--store-reserve-bytes', '1048576'];
const FREE_PORTS = ['kafka', 'amqp', 'http', 'rocketmq-nameserver', 'rocketmq-broker', 'rocketmq-fast'].flatMap(
  (key) => [`--${key}-port`, '0'],
);

class Broker {
  readonly child: ReturnType<typeof spawnCli>;
  stdout = '';
  stderr = '';
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  constructor(cwd: string, args: readonly string[] = [], nodeArguments: readonly string[] = []) {
    this.child = spawnCli(['start', ...SMALL, ...FREE_PORTS, ...args], { cwd, nodeArguments });
    running.push(this);
    this.child.stdout.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.child.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.ended = once(this.child, 'close').then(([code, signal]) => ({
      code: code as number,
      signal: signal as NodeJS.Signals,
    }));
  }

  /** The banner is the last thing before clients are served. */
  async up(): Promise<this> {
    const gone = this.ended.then(() => Promise.reject(new Error(`it ended:\n${this.stdout}${this.stderr}`)));
    gone.catch(() => undefined);
    while (!/^ {2}HTTP /m.test(this.stdout)) await Promise.race([once(this.child.stdout, 'data'), gone]);
    return this;
  }

  get url(): string {
    return /http:\/\/[^/\s]+/.exec(this.stdout)![0];
  }

  port(pattern: RegExp): number {
    return Number(pattern.exec(this.stdout)![1]);
  }
}

const running: Broker[] = [];
afterEach(async () => {
  for (const broker of running.splice(0)) {
    broker.child.kill('SIGKILL');
    await broker.ended;
  }
});

const place = (): string => fs.mkdtempSync(path.join(dir, 'run-'));

describe('start and stop', () => {
  it('prints what a client needs, serves, drains on SIGTERM and ends with 0', async () => {
    const cwd = place();
    const broker = await new Broker(cwd).up();
    expect(broker.stdout).toMatch(/^RosettaMQ \d+\.\d+\.\d+\n/);
    expect(broker.stdout).toContain(path.join(cwd, 'data'));
    expect(broker.stdout).toMatch(/durability +sync/);
    expect(broker.stdout).toMatch(/authentication +off, so this machine only/);
    expect(broker.stdout).toMatch(/namesrvAddr=127\.0\.0\.1:\d+\n/);
    expect(broker.stdout).toMatch(/bootstrap\.servers=127\.0\.0\.1:\d+\n/);
    expect(broker.stdout).toMatch(/amqp:\/\/guest:guest@127\.0\.0\.1:\d+\/\n/);
    expect((await fetch(`${broker.url}/health/ready`)).status).toBe(200);
    const idle = net.connect(broker.port(/bootstrap\.servers=127\.0\.0\.1:(\d+)/), '127.0.0.1');
    await once(idle, 'connect');
    idle.resume();
    broker.child.kill('SIGTERM');
    expect(await broker.ended).toEqual({ code: 0, signal: null });
    expect(broker.stderr.split('\n').filter((line) => /"level":[56]0/.test(line))).toEqual([]);
  });

  it('keeps what it was told, over a stop and over a kill', async () => {
    const cwd = place();
    const cli = (url: string, ...args: string[]) => runCli([...args, '--url', url], { cwd });
    const first = await new Broker(cwd).up();
    expect((await cli(first.url, 'topic', 'create', 'orders', '--queues', '3')).stderr).toBe('');
    first.child.kill('SIGINT');
    expect((await first.ended).code).toBe(0);
    const second = await new Broker(cwd).up();
    expect((await cli(second.url, 'topic', 'list', '--json')).stdout).toContain('"orders"');
    expect((await cli(second.url, 'topic', 'create', 'payments')).stderr).toBe('');
    second.child.kill('SIGKILL');
    await second.ended;
    const third = await new Broker(cwd).up();
    const topics = JSON.parse((await cli(third.url, 'topic', 'list', '--json')).stdout) as {
      name: string;
      queues: number;
    }[];
    expect(topics.map(({ name, queues }) => [name, queues])).toEqual([
      ['orders', 3],
      ['payments', 4],
    ]);
  });

  it('goes on when nobody reads its output', async () => {
    const holder = net.createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as net.AddressInfo;
    holder.close();
    const broker = new Broker(place(), ['--http-port', String(port), '--log-level', 'trace']);
    broker.child.stdout.destroy();
    broker.child.stderr.destroy();
    const isReady = () =>
      fetch(`http://127.0.0.1:${port}/health/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    while (!(await isReady())) await new Promise((resolve) => setTimeout(resolve, 50));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await isReady()).toBe(true);
    broker.child.kill('SIGTERM');
    expect(await once(broker.child, 'exit')).toEqual([0, null]);
  });

  it('a second signal ends it at once', async () => {
    const broker = await new Broker(place(), ['--drain-timeout-ms', '60000']).up();
    // A request that is never finished holds the drain.
    const held = net.connect(Number(new URL(broker.url).port), '127.0.0.1');
    held.on('error', () => undefined);
    held.write(
      'POST /api/v1/topics HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    broker.child.kill('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(broker.child.exitCode).toBeNull();
    broker.child.kill('SIGTERM');
    expect((await broker.ended).code).toBe(143);
    expect(broker.stderr).toContain('second signal');
  });
});

describe('what keeps it from starting', () => {
  it('a taken port: which, for what, how to move it; exit code 1, no stack', async () => {
    const holder = net.createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as net.AddressInfo;
    const broker = new Broker(place(), ['--kafka-port', String(port)]);
    const { code } = await broker.ended;
    holder.close();
    expect([code, broker.stdout]).toEqual([1, '']);
    expect(broker.stderr).not.toMatch(/^ +at /m);
    expect(broker.stderr).toMatch(
      new RegExp(
        `^rosettamq: port ${port} for Kafka on 127\\.0\\.0\\.1 is taken by another process: move it with --kafka-port PORT, .*\\n$`,
        'm',
      ),
    );
  });

  it('a directory in use: by whom', async () => {
    const cwd = place();
    const first = await new Broker(cwd).up();
    const second = new Broker(cwd);
    expect((await second.ended).code).toBe(1);
    expect(second.stderr).toContain(`is in use by process ${first.child.pid}`);
    expect(second.stderr).toContain('--data-dir');
    expect((await fetch(`${first.url}/health/live`)).status).toBe(200);
  });

  it('an address beyond this machine while no user exists; with one it starts, and asks who is there', async () => {
    const cwd = place();
    const refused = new Broker(cwd, ['--bind-address', '0.0.0.0']);
    expect((await refused.ended).code).toBe(1);
    expect(refused.stderr).toMatch(/No user exists yet[\s\S]*rosettamq user add[\s\S]*--insecure/);

    const first = await new Broker(cwd).up();
    const added = await runCli(['user', 'add', 'ann', '--url', first.url], { cwd, stdin: 'correct horse\n' });
    expect(added).toMatchObject({ code: 0, stderr: '' });
    first.child.kill('SIGTERM');
    expect((await first.ended).code).toBe(0);

    const open = await new Broker(cwd, ['--bind-address', '0.0.0.0']).up();
    expect(open.stdout).toMatch(/authentication +on/);
    expect((await fetch(`${open.url}/api/v1/topics`)).status).toBe(401);
    const env = { ROSETTAMQ_USER: 'ann', ROSETTAMQ_PASSWORD: 'correct horse' };
    const created = await runCli(['topic', 'create', 'orders', '--url', open.url], { cwd, env });
    expect(created).toMatchObject({ code: 0, stderr: '' });
  });
});

it('inspect prints the directory while it is in use', async () => {
  const cwd = place();
  const broker = await new Broker(cwd).up();
  await runCli(['topic', 'create', 'orders', '--url', broker.url], { cwd });
  const files = await runCli(['inspect'], { cwd });
  expect([files.code, files.stderr]).toEqual([0, '']);
  expect(files.stdout).toMatch(/^segment log\/.*: base 0, \d+ entries up to \d+/m);
  expect(files.stdout).not.toContain('orders');
  const entries = await runCli(['inspect', 'data', '--from', '0'], { cwd });
  expect([entries.code, entries.stderr]).toEqual([0, '']);
  expect(entries.stdout).toContain('orders');
  expect((await fetch(`${broker.url}/health/ready`)).status).toBe(200);
  expect((await runCli(['inspect', 'absent'], { cwd })).code).toBe(1);
});

it('a bug ends the process with a clear message', async () => {
  const bug =
    'data:text/javascript,process.on("SIGUSR2",()=>{const e=new Error("invariant broken: test");setImmediate(()=>{throw e})})';
  const broker = await new Broker(place(), [], ['--import', bug]).up();
  broker.child.kill('SIGUSR2');
  expect((await broker.ended).code).toBe(70);
  expect(broker.stderr).toContain('bug in RosettaMQ');
  expect(broker.stderr).toContain('invariant broken: test');
});
