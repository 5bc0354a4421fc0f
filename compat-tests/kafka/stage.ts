// What the suites of this folder share: one target (ours, or Apache Kafka with COMPAT_TARGET=peers), client processes that
// are started at their first use, and the verbs of a library with text instead of base64.
import { ClientStage } from '../harness/client-stage.ts';
import { b64, text } from '../harness/messages.ts';
import { Product } from '../harness/product.ts';
import { fresh } from '../harness/suite.ts';
import { isAgainstPeers } from '../harness/target.ts';
import { sleep, until } from '../harness/wait.ts';
import { scratch } from '../harness/work.ts';
import { startKafka } from '../peers/kafka/kafka.ts';
import { Client, type Library, type Produced, type Reply, type WireRecord } from './client.ts';

export interface Broker {
  readonly bootstrap: string;
  stop(): Promise<unknown>;
}

export async function startBroker(name: string): Promise<Broker> {
  if (isAgainstPeers) {
    const { server, bootstrap } = await startKafka(scratch(`apache-${name}`), { heap: '768m' });
    return { bootstrap, stop: () => server.stop() };
  }
  const product = await Product.start(`kafka-${name}`);
  return { bootstrap: product.endpoints.kafka, stop: () => product.stop() };
}

export class Stage extends ClientStage<Broker, Library, Client> {
  constructor(name: string) {
    super(
      () => startBroker(name),
      (library, broker) => Client.start(library, broker.bootstrap),
    );
  }

  get bootstrap(): string {
    return this.broker.bootstrap;
  }
}

/** Client processes for one broker, started at their first use, outside of a stage. */
export class ClientsOf {
  readonly #bootstrap: string;
  readonly #clients = new Map<Library, Promise<Client>>();

  constructor(bootstrap: string) {
    this.#bootstrap = bootstrap;
  }

  client(library: Library): Promise<Client> {
    const client = this.#clients.get(library) ?? Client.start(library, this.#bootstrap);
    this.#clients.set(library, client);
    return client;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients.values()) await client.then((one) => one.stop()).catch(() => undefined);
  }
}

type Bytes = string | Uint8Array | null;

export interface Message {
  readonly key?: Bytes;
  readonly value: Bytes;
  readonly partition?: number;
  readonly headers?: readonly (readonly [string, Bytes])[];
  readonly timestamp?: number;
}

export interface Received extends Omit<WireRecord, 'key' | 'value' | 'headers'> {
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [string, string | null])[];
}

const encoded = (bytes: Bytes): string | null => (bytes === null ? null : b64(bytes));

const sent = ({ key, value, headers, ...rest }: Message): object => ({
  ...rest,
  value: encoded(value),
  ...(key === undefined ? {} : { key: encoded(key) }),
  ...(headers ? { headers: headers.map(([name, bytes]) => [name, encoded(bytes)]) } : {}),
});

const received = (record: WireRecord): Received => ({
  ...record,
  key: text(record.key),
  value: text(record.value),
  headers: record.headers.map(([name, value]) => [name, text(value)] as const),
});

/** The verbs of one library against the stage's broker. */
export class Actor {
  readonly #stage: Pick<Stage, 'client'>;
  readonly library: Library;

  constructor(stage: Pick<Stage, 'client'>, library: Library) {
    this.#stage = stage;
    this.library = library;
  }

  async call(op: string, fields?: Record<string, unknown>): Promise<Reply> {
    return (await this.#stage.client(this.library)).call(op, fields);
  }

  /** A topic with a fresh name, made by this library. */
  async topic(partitions = 1, configs: Record<string, string> = {}): Promise<string> {
    const topic = fresh('t');
    await this.call('createTopic', { topic, partitions, configs });
    return topic;
  }

  /** What became of each message. */
  async attempt(topic: string, messages: readonly Message[], fields: object = {}): Promise<Produced[]> {
    return (await this.call('produce', { topic, messages: messages.map(sent), ...fields })).results;
  }

  /** Sends all messages; fails when a send does. */
  async produce(
    topic: string,
    messages: readonly Message[],
    producer: object = {},
    fields: object = {},
  ): Promise<Produced[]> {
    const results = await this.attempt(topic, messages, { producer, ...fields });
    const failed = results.find((one) => one.error);
    if (failed) throw new Error(`${this.library} produce to ${topic}: ${failed.error!.message}`);
    return results;
  }

  async read(topic: string, count: number, fields: object = {}): Promise<Received[]> {
    return (await this.call('read', { topic, partition: 0, count, waitMs: 30_000, ...fields })).records.map(received);
  }

  async subscribe(group: string, topics: readonly string[], fields: object = {}): Promise<string> {
    return (await this.call('subscribe', { group, topics, ...fields })).consumer;
  }

  async take(consumer: string, count: number, waitMs = 30_000): Promise<Received[]> {
    return (await this.call('take', { consumer, count, waitMs })).records.map(received);
  }

  async assigned(consumer: string): Promise<string[]> {
    return (await this.call('assigned', { consumer })).partitions;
  }

  async close(...consumers: string[]): Promise<void> {
    for (const consumer of consumers) await this.call('close', { consumer });
  }

  /** The code of the error that a verb fails with; null when it does not fail. */
  async codeOf(op: string, fields: Record<string, unknown>): Promise<number | string | null> {
    return this.call(op, fields).then(
      () => null,
      (error: { code?: number | null; kind?: string; message: string }) => error.code ?? error.kind ?? error.message,
    );
  }
}

export const texts = (count: number, prefix = 'm'): Message[] =>
  Array.from({ length: count }, (_, i) => ({ value: `${prefix}-${i}` }));

/** Numbered messages for one partition. */
export const inPartition = (partition: number, messages: readonly Message[]): Message[] =>
  messages.map((one) => ({ ...one, partition }));

export const values = (records: readonly { value: unknown }[]): unknown[] => records.map((one) => one.value);
export const offsetsOf = (records: readonly { offset: number }[]): number[] => records.map((one) => one.offset);

export { fresh, sleep, until };
