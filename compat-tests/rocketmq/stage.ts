// What the suites of this folder share: one target (ours, or Apache's name server and broker with COMPAT_TARGET=peers),
// client processes that are started at their first use, names that nobody else uses, and small waits.
import { readFileSync } from 'node:fs';
import { certificate } from '../harness/certificate.ts';
import { ClientStage } from '../harness/client-stage.ts';
import { Product } from '../harness/product.ts';
import { fresh } from '../harness/suite.ts';
import { isAgainstPeers } from '../harness/target.ts';
import { sleep, until } from '../harness/wait.ts';
import { scratch } from '../harness/work.ts';
import { brokerPort, startRocketmq } from '../peers/rocketmq/rocketmq.ts';
import { Client, type Library, type Received, type Reply } from './client.ts';

export interface Broker {
  readonly namesrv: string;
  /** What the process that serves the clients has logged. */
  log(): string;
  stop(): Promise<unknown>;
}

/** Every port takes TLS and plain text; the broker's fast port is two below its own, where clients look for it. */
export async function startBroker(name: string): Promise<Broker> {
  const tls = await certificate();
  if (isAgainstPeers) {
    // The trace topic is off by default and the clients' own default sends to it. Tests run side by side on a busy
    // machine, where the broker's 200 ms for a send in its queue would refuse some.
    const settings = { traceTopicEnable: true, waitTimeMillsInSendQueue: 10_000 };
    const { namesrv, broker, address } = await startRocketmq(scratch(`apache-${name}`), { settings, tls });
    const stop = async (): Promise<unknown> => [await broker.stop(), await namesrv.stop()];
    return { namesrv: address, log: () => readFileSync(broker.logFile, 'utf8'), stop };
  }
  const port = await brokerPort();
  const settings = {
    'rocketmq.broker.port': port,
    'rocketmq.fast.port': port - 2,
    'tls.certFile': tls.certFile,
    'tls.keyFile': tls.keyFile,
    'rocketmq.nameserver.tls': 'permissive',
    'rocketmq.broker.tls': 'permissive',
    'rocketmq.fast.tls': 'permissive',
  };
  const product = await Product.start(`rocketmq-${name}`, { settings });
  const log = (): string => readFileSync(product.server.logFile, 'utf8');
  return { namesrv: product.endpoints.rocketmq, log, stop: () => product.stop() };
}

export class Stage extends ClientStage<Broker, Library, Client> {
  constructor(name: string) {
    super(
      () => startBroker(name),
      (library, broker) => Client.start(library, broker.namesrv),
    );
  }

  get namesrv(): string {
    return this.broker.namesrv;
  }

  brokerLog(): string {
    return this.broker.log();
  }
}

/** The verbs of one library against the stage's broker, with the waits that tests need again and again. */
export class Actor {
  readonly #stage: Stage;
  readonly library: Library;

  constructor(stage: Stage, library: Library) {
    this.#stage = stage;
    this.library = library;
  }

  async call(op: string, fields?: Record<string, unknown>): Promise<Reply> {
    return (await this.#stage.client(this.library)).call(op, fields);
  }

  get namesrv(): string {
    return this.#stage.namesrv;
  }

  brokerLog(): string {
    return this.#stage.brokerLog();
  }

  another(): Promise<Client> {
    return this.#stage.another(this.library);
  }

  /** A topic with a fresh name, made by the administration of a Java client whatever the library. */
  async topic(queues: number, fields: Record<string, unknown> = {}): Promise<string> {
    const topic = fresh('t');
    const admin = await this.#stage.client(this.library === 'go' ? 'java-5' : this.library);
    // Name servers hear of a topic a little after the broker, and Apache's may miss one of two changes at once.
    await until('the route of a new topic', async () => {
      await admin.call('createTopic', { topic, queues, ...fields });
      return (await admin.call('route', { topic }))['write'] === queues;
    });
    return topic;
  }

  /** Sends one body after another; fails when a send does. */
  async send(
    topic: string,
    messages: readonly Record<string, unknown>[],
    fields: Record<string, unknown> = {},
  ): Promise<Reply['results']> {
    const { results } = await this.call('send', { topic, messages, ...fields });
    const failed = results.find((one) => one.error);
    if (failed) throw new Error(`send to ${topic}: ${failed.error!.message}`);
    return results;
  }

  /**
   * A push consumer of Java 5.x may skip the heartbeat after its first rebalance; it is refused (25) until the next one,
   * half a minute later. So whoever is sure of a message waits for two of them.
   */
  async received(consumer: string, count: number, waitMs = 40_000): Promise<Received[]> {
    const patientMs = waitMs >= 20_000 ? Math.max(waitMs, 75_000) : waitMs;
    return (await this.call('received', { consumer, count, waitMs: patientMs })).messages;
  }
}

export const texts = (count: number, prefix = 'm'): { body: string }[] =>
  Array.from({ length: count }, (_, i) => ({ body: `${prefix}-${i}` }));

export const bodies = (messages: readonly { body: string }[]): string[] => messages.map((one) => one.body);

export { fresh, sleep, until };
