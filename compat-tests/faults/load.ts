// Mixed load: an idempotent Kafka producer, a RocketMQ producer and an AMQP publisher with confirms write to one topic,
// each as fast as its last chunk was answered, and everything that was sent is recorded with what the client was told.
// Nothing here knows of faults: while the broker is away, chunks fail and count as unknown.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Driver, type DriverName, type Endpoints, type SendResult, type SentMessage } from '../drivers/driver.ts';
import { b64, text } from '../harness/messages.ts';
import { type Finding, History, type Read, report, type Send } from '../history.ts';

interface Writer {
  readonly protocol: 'kafka' | 'rocketmq' | 'amqp';
  readonly driver: DriverName;
  readonly chunk: number;
  readonly isIdempotent: boolean;
}

const WRITERS: readonly Writer[] = [
  { protocol: 'kafka', driver: 'java', chunk: 40, isIdempotent: true },
  { protocol: 'rocketmq', driver: 'java', chunk: 10, isIdempotent: false },
  { protocol: 'amqp', driver: 'amqplib', chunk: 20, isIdempotent: false },
];

export const QUEUES = 3;
const PADDING_BYTES_MAX = 3_000;
const PAUSE_AFTER_FAILURE_MS = 50;
/** Between two chunks of a writer: what is written must be read whole and judged after every fault. */
const PAUSE_MS = 10;
const VALUE_BYTES_MAX = 40;

/** Client processes for load and for reading; they live as long as a suite, over all restarts of the broker. */
export class Clients {
  readonly #drivers = new Map<DriverName, Driver>();

  static async start(endpoints: Endpoints): Promise<Clients> {
    const clients = new Clients();
    for (const name of ['java', 'amqplib'] as const) clients.#drivers.set(name, await Driver.start(name, endpoints));
    return clients;
  }

  get(name: DriverName): Driver {
    return this.#drivers.get(name)!;
  }

  async stop(): Promise<void> {
    for (const driver of this.#drivers.values()) await driver.stop();
  }
}

/** The load on one topic. A topic lives through several faults, so that later ones meet what earlier ones left. */
export class Load {
  readonly topic: string;
  readonly sends: Send[] = [];
  readonly #clients: Clients;
  readonly #random: () => number;
  #isRunning = false;
  #loops: Promise<void>[] = [];
  #next = 0;

  constructor(clients: Clients, topic: string, random: () => number) {
    this.#clients = clients;
    this.topic = topic;
    this.#random = random;
  }

  start(): void {
    assert.ok(!this.#isRunning);
    this.#isRunning = true;
    this.#loops = WRITERS.map((writer) => this.#write(writer));
  }

  /** Lets every writer finish its chunk. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#loops);
  }

  async #write(writer: Writer): Promise<void> {
    const driver = this.#clients.get(writer.driver);
    // A producer that failed for good is replaced by a new one, as an application would.
    let producer = `${this.topic}-0`;
    while (this.#isRunning) {
      const values = Array.from({ length: writer.chunk }, () => `${writer.protocol}-${this.#next++}`);
      const messages = values.map((value) => this.#message(value, writer));
      const results = await driver
        .call(`${writer.protocol}.publish`, {
          topic: this.topic,
          exchange: this.topic,
          producer: writer.protocol === 'kafka' ? producer : undefined,
          messages,
          waitMs: 5_000,
          retries: 0,
        })
        .then(
          (reply) => reply.results,
          () => values.map((): SendResult | null => null),
        );
      for (const [i, result] of results.entries()) this.sends.push(sendOf(values[i]!, writer, producer, result));
      if (results.some((one) => !one || one.error)) {
        producer = `${this.topic}-${this.#next}`;
        await sleep(PAUSE_AFTER_FAILURE_MS);
      }
      await sleep(PAUSE_MS);
    }
  }

  #message(value: string, writer: Writer): SentMessage {
    const padding = 'x'.repeat(Math.floor(this.#random() * PADDING_BYTES_MAX));
    return {
      key: b64(`k${this.#next % 17}`),
      body: b64(`${value}|${padding}`),
      headers: { load: '1' },
      ...(writer.protocol === 'rocketmq' ? { queue: this.#next % QUEUES } : {}),
    };
  }

  /**
   * Reads the whole topic by offset and judges it. With `knownSends`, only so many of the sends count as acknowledged:
   * those that a client had been told of when a snapshot was taken.
   */
  async check(
    reader: Driver,
    knownSends = this.sends.length,
  ): Promise<{ findings: Finding[]; reads: Read[]; acknowledged: number }> {
    const history = new History();
    history.sent(...this.sends.slice(0, knownSends));
    history.sent(
      ...this.sends.slice(knownSends).map((send): Send => ({ ...send, outcome: 'unknown', offset: undefined })),
    );
    const reads = await readAll(reader, this.topic);
    return { findings: history.check(reads), reads, acknowledged: history.count('acknowledged') };
  }
}

function sendOf(value: string, writer: Writer, producer: string, result: SendResult | null): Send {
  const isAcknowledged = result !== null && !result.error && (writer.protocol !== 'amqp' || result.confirmed === true);
  return {
    value,
    sender: writer.protocol === 'kafka' ? producer : writer.protocol,
    outcome: isAcknowledged ? 'acknowledged' : 'unknown',
    queue: isAcknowledged ? result?.queue : undefined,
    offset: isAcknowledged ? result?.offset : undefined,
    isIdempotent: writer.isIdempotent,
  };
}

/** Everything in a topic, queue by queue, as a Kafka reader without a group sees it. */
export async function readAll(reader: Driver, topic: string): Promise<Read[]> {
  const reads: Read[] = [];
  for (let queue = 0; queue < QUEUES; queue++) {
    const { first, next } = await reader.call('kafka.offsets', { topic, queue });
    assert.equal(first, 0, `queue ${queue} of ${topic} begins at 0`);
    if (next === 0) continue;
    const { messages } = await reader.call('kafka.read', {
      topic,
      queue,
      from: 0,
      count: next,
      bodyBytesMax: VALUE_BYTES_MAX,
      waitMs: 30_000,
    });
    assert.equal(messages.length, next, `queue ${queue} can be read to its end`);
    for (const one of messages)
      reads.push({ value: text(one.body)!.split('|')[0]!, queue: one.queue!, offset: one.offset! });
  }
  return reads;
}

export function assertFaultless(findings: readonly Finding[], when: string): void {
  assert.ok(findings.length === 0, `${when}:\n${report(findings)}`);
}
