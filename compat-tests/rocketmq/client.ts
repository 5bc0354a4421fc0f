// A RocketMQ client library in a process of its own, which can be killed, paused and continued like an application: JSON
// lines with commands on its stdin, JSON lines with replies on its stdout, matched by id.
//
// Verbs (the Go driver answers send, subscribe, received, close, pull; `java/src` answers all):
//   send {topic, how?: sync|async|oneway|batch, messages: [{body, size?, key?, tag?, properties?, flag?, queue?, shard?, delay?}], producer?: {…}}
//        -> {results: [{status, queue, offset, id, offsetId, region, traceOn, topic} | {error}]}
//   subscribe {group, topics: {topic: tags}, orderly?, broadcast?, from?, timestamp?, rules?, …} -> {consumer, client}
//        rules: [{body: beginning, times?: deliveries that fail, result?: later|throw|done, sleepMs?}]
//   received {consumer, from?, count, waitMs} -> {messages}      assigned {consumer} -> {queues}
//   suspend, resume, unsubscribe, close {consumer}
//   pull {topic, queue, offset, max?, tags?, block?, group?} -> {status, next, min, max, messages, tookMs}
//   offsets {topic, queue} -> {min, max, earliest}               searchOffset {topic, queue, timestamp} -> {offset}
//   commit {group, topic, queue, offset}                         committed {group, topic, queue} -> {offset}
//   liteOpen {group, topics | topic and queues, from?, autoCommit?} -> {consumer}; litePoll, liteSeek {to}, litePause,
//   liteResume {queues}, liteCommit, liteCommitted, liteTime {timestamp}, liteClose
//   createTopic, topicConfig, deleteTopic, createGroup, deleteGroup, topics, route, topicStats, view, byKey, resetOffset,
//   cloneOffset, progress, connections, producerConnections, whoConsumes, runningInfo, clientStatus, consumeDirectly, traces
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { work } from '../harness/work.ts';
import { commandOf } from './libraries.ts';

export type Library = 'java-4.9' | 'java-5' | 'go';

export interface Failure {
  readonly kind: string;
  readonly message: string;
  readonly code: number | null;
}

export interface Sent {
  readonly status: string;
  readonly queue: number;
  readonly offset: number;
  readonly id: string;
  readonly offsetId: string;
  readonly region: string;
  readonly traceOn: boolean;
  readonly topic: string;
  readonly error?: Failure;
}

export interface Received {
  readonly topic: string;
  readonly queue: number;
  readonly offset: number;
  readonly body: string;
  readonly bytes: number;
  readonly crc: string;
  readonly attempts: number;
  readonly key: string | null;
  readonly tag: string | null;
  readonly id: string;
  readonly flag: number;
  readonly sysFlag: number;
  /** Bytes of the stored message, as the broker keeps it. */
  readonly storeSize: number;
  readonly storedAt: number;
  readonly storeHost: string;
  readonly physicalOffset: string;
  readonly properties: Record<string, string>;
  /** When the listener was given it, by the clock of this machine. */
  readonly at: number;
}

/** What any verb may answer with; a verb fills the fields that the list above names. */
export interface Reply {
  results: Sent[];
  messages: Received[];
  consumer: string;
  client: string;
  queues: never;
  offset: number;
  status: string;
  next: number;
  min: number;
  max: number;
  earliest: number;
  tookMs: number;
  [other: string]: unknown;
}

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

interface Pending {
  readonly op: string;
  readonly calledFrom: Error;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

const REPLY_WAIT_MS = 90_000;

export class Client {
  readonly library: Library;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #closed: Promise<void>;
  #nextId = 1;
  #isGone = false;

  private constructor(library: Library, child: ChildProcess) {
    this.library = library;
    this.#child = child;
    const log = createWriteStream(work('logs', `rocketmq-${library}-${child.pid}.log`));
    child.stderr!.pipe(log);
    createInterface({ input: child.stdout! }).on('line', (line) => this.#reply(line));
    const kill = (): void => void child.kill('SIGKILL');
    process.on('exit', kill);
    this.#closed = new Promise((done) => {
      child.on('close', (code, signal) => {
        process.off('exit', kill);
        this.#isGone = true;
        for (const pending of this.#pending.values()) {
          clearTimeout(pending.timer);
          pending.reject(
            new Error(`${library} ended (${code ?? signal}) during ${pending.op}, see ${String(log.path)}`),
          );
        }
        this.#pending.clear();
        done();
      });
    });
  }

  static async start(library: Library, namesrv: string): Promise<Client> {
    const [command, args] = await commandOf(library);
    return new Client(library, spawn(command, [...args, namesrv], { stdio: ['pipe', 'pipe', 'pipe'] }));
  }

  call(op: string, fields: Record<string, unknown> = {}): Promise<Reply> {
    if (this.#isGone) return Promise.reject(new Error(`${this.library} is gone`));
    const id = this.#nextId++;
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
