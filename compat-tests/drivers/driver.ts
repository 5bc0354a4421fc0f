// A driver is a process that serves a small vocabulary of verbs with one or more real client libraries: JSON lines with
// commands on its stdin, JSON lines with replies on its stdout, matched by id. So a test says what happens and not which
// library does it, and a library that crashes or leaves timers behind takes only its own process along.
//
// Verbs, each prefixed by the protocol (`kafka.publish`); a driver answers those its library can do:
//   createTopic {topic, queues}                          declare {exchanges, queues, bindings}          (amqp)
//   publish {topic | exchange, messages, …}              -> {results: [{queue, offset} | {confirmed, returned?} | {error}]}
//   read {topic, queue?, from?, count, waitMs}           -> {messages}            by offset, without a group
//   (Java's kafka.read also takes bodyBytesMax: longer bodies are shown cut)
//   offsets {topic, queue}                               -> {first, next}
//   subscribe {group, topic | queue, from, tags?, …}     -> {consumer}
//   take {consumer, count, waitMs}                       -> {messages}            waits until count are there or time is over
//   settle {consumer, handles, how: ack|retry|reject}    -> {}
//   close {consumer}                                     -> {}
//   position {group, topic}                              -> {queues: {queue: next offset}}
//   blocked {}                                           -> {blocked: reason | null} (amqp)
//   get {queue}                                          -> {message, remaining}  (amqp)
//   queueState {queue}                                   -> {ready, consumers}    (amqp)
//   delete {queue}                                       -> {}                    (amqp)
//   rpc {queue, body}                                    -> {message}             a question and its direct reply (amqp)
//   tx {queue, messages, commit}                         -> {}                    published in a transaction (amqp, not amqplib)
//   cancelled {consumer}                                 -> {cancelled}           whether the broker cancelled it (amqp)
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { goProgram, javaDriverClasspath, python } from '../harness/toolchain.ts';
import { COMPAT, work } from '../harness/work.ts';

/** Where the three protocols are served. */
export interface Endpoints {
  readonly kafka: string;
  readonly rocketmq: string;
  readonly amqp: string;
}

export const DRIVERS = ['java', 'kafkajs', 'amqplib', 'ali-ons', 'pika', 'amqp091-go'] as const;
export type DriverName = (typeof DRIVERS)[number];

/** Bytes travel as base64. Sent headers are text or binary; a received header is always its bytes. */
export interface SentMessage {
  readonly key?: string | null;
  readonly tag?: string | null;
  readonly headers?: Record<string, string>;
  readonly binaryHeaders?: Record<string, string>;
  readonly body: string | null;
  readonly queue?: number;
  readonly routingKey?: string;
  /** Of AMQP: what the library calls so. */
  readonly properties?: AmqpProperties;
}

export interface AmqpProperties {
  readonly priority?: number;
  readonly expiration?: string;
  readonly replyTo?: string;
  readonly correlationId?: string;
  readonly cc?: readonly string[];
  /** The header x-delay, a number. */
  readonly delay?: number;
}

export interface ReceivedMessage {
  readonly topic?: string;
  readonly queue?: number;
  readonly offset?: number;
  readonly key: string | null;
  readonly tag: string | null;
  readonly headers: Record<string, string | null>;
  readonly body: string | null;
  readonly handle: string;
  readonly attempts?: number;
  readonly redelivered?: boolean;
  readonly routingKey?: string;
  readonly exchange?: string;
  readonly timestamp?: number;
  readonly system?: Record<string, string>;
}

export interface DriverFailure {
  readonly kind: string;
  readonly message: string;
  readonly code?: number;
}

export interface SendResult {
  readonly queue?: number;
  readonly offset?: number;
  readonly id?: string;
  readonly confirmed?: boolean;
  readonly returned?: { code: number; text: string };
  readonly error?: DriverFailure;
}

/** What any verb may answer with; a verb fills the fields that the list above names. */
export interface Reply {
  results: SendResult[];
  messages: ReceivedMessage[];
  message: ReceivedMessage | null;
  consumer: string;
  queues: Record<string, number>;
  first: number;
  next: number;
  remaining: number;
  ready: number;
  consumers: number;
  blocked: string | null;
  cancelled: boolean;
}

/** A verb that failed: the client library's own error, as the driver saw it. */
export class DriverError extends Error {
  readonly kind: string;
  readonly code: number | undefined;

  constructor(op: string, failure: DriverFailure, calledFrom: Error) {
    super(`${op}: ${failure.message}`);
    this.stack = `${this.message}\n${calledFrom.stack?.split('\n').slice(1).join('\n')}`;
    this.kind = failure.kind;
    this.code = failure.code;
  }
}

type Pending = {
  op: string;
  calledFrom: Error;
  resolve(reply: Reply): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
};

const REPLY_WAIT_MS = 120_000;

export class Driver {
  readonly name: DriverName;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #ended = false;

  private constructor(name: DriverName, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    const log = createWriteStream(work('logs', `driver-${name}-${child.pid}.log`));
    child.stderr?.pipe(log);
    createInterface({ input: child.stdout! }).on('line', (line) => this.#reply(line));
    child.on('close', (code, signal) => {
      this.#ended = true;
      for (const pending of this.#pending.values())
        pending.reject(
          new Error(`driver ${name} ended (${code ?? signal}) during ${pending.op}, see ${String(log.path)}`),
        );
      this.#pending.clear();
    });
  }

  static async start(name: DriverName, endpoints: Endpoints): Promise<Driver> {
    const at = [`--kafka=${endpoints.kafka}`, `--rocketmq=${endpoints.rocketmq}`, `--amqp=${endpoints.amqp}`];
    const [command, args] = await commandLine(name);
    return new Driver(name, spawn(command, [...args, ...at], { stdio: ['pipe', 'pipe', 'pipe'] }));
  }

  call(op: string, fields: Record<string, unknown> = {}, waitMs = REPLY_WAIT_MS): Promise<Reply> {
    if (this.#ended) return Promise.reject(new Error(`driver ${this.name} is gone`));
    const id = this.#nextId++;
    // The reply comes in another turn, whose stack says nothing about the test that called.
    const calledFrom = new Error();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new Error(`driver ${this.name}: no reply to ${op} within ${waitMs} ms`));
      }, waitMs);
      this.#pending.set(id, { op, calledFrom, resolve, reject, timer });
      this.#child.stdin!.write(JSON.stringify({ id, op, ...fields }) + '\n');
    });
  }

  #reply(line: string): void {
    // A library may print to stdout; what is not a reply is not ours.
    if (!line.startsWith('{')) return;
    const { id, ok, error } = JSON.parse(line) as { id: number; ok?: Reply; error?: DriverFailure };
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    if (error) pending.reject(new DriverError(`${this.name} ${pending.op}`, error, pending.calledFrom));
    else pending.resolve(ok as Reply);
  }

  /** Ends the process: by closing its stdin, and by force when that does not help within two seconds. */
  async stop(): Promise<void> {
    if (this.#ended) return;
    const ended = new Promise((done) => this.#child.once('close', done));
    this.#child.stdin!.end();
    const force = setTimeout(() => this.#child.kill('SIGKILL'), 2_000);
    await ended;
    clearTimeout(force);
  }
}

async function commandLine(name: DriverName): Promise<[string, string[]]> {
  const folder = join(COMPAT, 'drivers');
  switch (name) {
    case 'java':
      return [
        'java',
        [
          '-Xmx512m',
          '-XX:+UseSerialGC',
          '-XX:TieredStopAtLevel=1',
          '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
          `-Duser.home=${work('home')}`,
          '-cp',
          await javaDriverClasspath(),
          'compat.Driver',
        ],
      ];
    case 'amqp091-go':
      return [await goProgram('amqp-driver-go', join(COMPAT, 'amqp/go')), []];
    case 'pika':
      return [await python(), [join(folder, 'pika_driver.py')]];
    default:
      return [process.execPath, ['--disable-warning=ExperimentalWarning', join(folder, `${name}.ts`)]];
  }
}
