// A client library in a process of its own, which can be killed, paused and continued like an application: JSON lines with
// commands on its stdin, JSON lines with replies on its stdout, matched by id; what the library logs goes to a file.
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { work } from './work.ts';

export interface Failure {
  readonly kind: string;
  readonly message: string;
  readonly code: number | null;
}

/** A verb that failed: the client library's own error, as its driver saw it. */
export class CallFailed extends Error {
  readonly code: number | null;
  readonly kind: string;

  constructor(what: string, failure: Failure, calledFrom: Error) {
    super(`${what}: ${failure.message}${failure.code === null ? '' : ` (code ${failure.code})`}`);
    this.stack = `${this.message}\n${calledFrom.stack?.split('\n').slice(1).join('\n')}`;
    this.code = failure.code;
    this.kind = failure.kind;
  }
}

interface Pending<Reply> {
  readonly op: string;
  readonly calledFrom: Error;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

const REPLY_WAIT_MS = 90_000;

export class ClientProcess<Reply extends object> {
  readonly library: string;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending<Reply>>();
  readonly #closed: Promise<void>;
  #nextId = 1;
  #isGone = false;

  /** `name` is the library's, `prefix` what its log file begins with. */
  constructor(
    name: string,
    prefix: string,
    command: string,
    args: readonly string[],
    options: { readonly env?: NodeJS.ProcessEnv } = {},
  ) {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
    this.library = name;
    this.#child = child;
    const log = createWriteStream(work('logs', `${prefix}-${name}-${child.pid}.log`));
    child.stderr.pipe(log);
    createInterface({ input: child.stdout }).on('line', (line) => this.#reply(line));
    const kill = (): void => void child.kill('SIGKILL');
    process.on('exit', kill);
    this.#closed = new Promise((done) => {
      child.on('error', () => undefined);
      child.on('close', (code, signal) => {
        process.off('exit', kill);
        this.#isGone = true;
        for (const pending of this.#pending.values()) {
          clearTimeout(pending.timer);
          pending.reject(new Error(`${name} ended (${code ?? signal}) during ${pending.op}, see ${String(log.path)}`));
        }
        this.#pending.clear();
        done();
      });
    });
  }

  call(op: string, fields: Record<string, unknown> = {}): Promise<Reply> {
    if (this.#isGone) return Promise.reject(new Error(`${this.library} is gone`));
    const id = this.#nextId++;
    // The reply comes in another turn, whose stack says nothing about the test that called.
    const calledFrom = new Error();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new Error(`${this.library}: no reply to ${op} within ${REPLY_WAIT_MS} ms`));
      }, REPLY_WAIT_MS);
      this.#pending.set(id, { op, calledFrom, resolve, reject, timer });
      this.#child.stdin!.write(JSON.stringify({ id, op, ...fields }) + '\n', () => undefined);
    });
  }

  #reply(line: string): void {
    // A library may print to stdout; what is not a reply is not ours.
    if (!line.startsWith('{')) return;
    const { id, ok, error } = JSON.parse(line) as { id: number; ok?: Reply; error?: Failure };
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    if (error) pending.reject(new CallFailed(`${this.library} ${pending.op}`, error, pending.calledFrom));
    else pending.resolve(ok as Reply);
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal);
  }

  async kill9(): Promise<void> {
    this.#child.stdin!.on('error', () => undefined);
    this.#child.kill('SIGKILL');
    await this.#closed;
  }

  /** Ends the process without closing its clients first, as an application that exits would. */
  async stop(): Promise<void> {
    if (this.#isGone) return;
    this.#child.stdin!.end();
    const force = setTimeout(() => this.#child.kill('SIGKILL'), 3_000);
    await this.#closed;
    clearTimeout(force);
  }
}
