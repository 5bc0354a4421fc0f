// A server process of a suite: started with its output in a log file, awaited until ready, stopped by its own pid.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

// A test process that is ended from outside still runs its exit handlers, which end what it started.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1));
// Each process that is started adds a handler of the exit.
process.setMaxListeners(0);

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class ServerProcess {
  readonly name: string;
  readonly logFile: string;
  readonly #child: ChildProcess;
  readonly exited: Promise<Exit>;
  exit: Exit | null = null;

  constructor(
    name: string,
    command: string,
    args: string[],
    options: { env?: NodeJS.ProcessEnv; cwd?: string; logFile: string },
  ) {
    this.name = name;
    this.logFile = options.logFile;
    const log = openSync(options.logFile, 'a');
    this.#child = spawn(command, args, {
      stdio: ['ignore', log, log],
      env: options.env ?? process.env,
      cwd: options.cwd,
    });
    closeSync(log);
    this.exited = new Promise((done) => {
      this.#child.on('error', () => done({ code: -1, signal: null }));
      this.#child.on('exit', (code, signal) => done({ code, signal }));
    });
    void this.exited.then((exit) => {
      this.exit = exit;
    });
    // A suite that ends early must not leave a server behind.
    const kill = (): void => void this.#child.kill('SIGKILL');
    process.on('exit', kill);
    void this.exited.then(() => process.off('exit', kill));
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Waits until the probe says yes; fails at once when the process ends before. */
  async ready(probe: () => Promise<boolean>, waitMs: number): Promise<void> {
    const deadline = Date.now() + waitMs;
    while (!(await probe().catch(() => false))) {
      if (this.exit)
        throw new Error(
          `${this.name} ended with ${this.exit.code ?? this.exit.signal} before it was ready:\n${this.logTail()}`,
        );
      if (Date.now() > deadline) throw new Error(`${this.name} was not ready within ${waitMs} ms:\n${this.logTail()}`);
      await sleep(25);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Asks the process to end, and kills it when it does not within the wait. */
  async stop(waitMs = 20_000): Promise<Exit> {
    if (!this.exit) this.signal('SIGTERM');
    const force = setTimeout(() => this.signal('SIGKILL'), waitMs);
    const exit = await this.exited;
    clearTimeout(force);
    return exit;
  }

  async kill9(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited;
  }

  logTail(lines = 25): string {
    return readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }
}

/**
 * Below the ports that systems give to outgoing connections, so that none of those takes one before its server does;
 * eight apart, as brokers of RocketMQ use the ports around theirs.
 */
const PORTS = { first: 10_248, last: 32_696, apart: 8 } as const;
const given = new Set<number>();

/** Ports that were free a moment ago and were not given to anybody before, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = PORTS.first + PORTS.apart * randomInt((PORTS.last - PORTS.first) / PORTS.apart);
    if (given.has(port) || !(await canListen(port))) continue;
    given.add(port);
    ports.push(port);
  }
  return ports;
}

function canListen(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}

export function isListening(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.on('error', () => done(false));
  });
}
