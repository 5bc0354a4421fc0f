/**
 * A broker on a simulated disk and clock, with a small vocabulary of verbs for tests: publish, read, take, settle,
 * crash. Everything runs on the spot; nothing waits for real time.
 */
import type { BrokerOptions } from '../assembly.ts';
import { Broker } from '../broker.ts';
import { emptyAppend } from '../delivery/append.ts';
import { crc32c } from '../log/crc32c.ts';
import {
  type Group,
  type Leased,
  type Offset,
  type Principal,
  type QueueNumber,
  type ReadBatch,
  TAG_NONE,
  type Topic,
  type TopicSpec,
} from '../types.ts';
import type { Append, AppendTarget } from '../verbs.ts';
import { batchCodec, encodeBatch, FORMAT_BATCH } from './batch-codec.ts';
import { SimClock } from './sim-clock.ts';
import { SimDisk } from './sim-disk.ts';
import { SimRandom } from './sim-random.ts';

export const TESTER: Principal = { name: 'tester', host: '127.0.0.1' };

export interface Answer {
  token: number;
  queue: QueueNumber;
  base: Offset;
  timeMs: number;
}

export class SimBroker {
  readonly disk: SimDisk;
  readonly clock: SimClock;
  readonly options: BrokerOptions;
  broker!: Broker;
  readonly answers: Answer[] = [];
  readonly warnings: string[] = [];
  lost: Error | null = null;
  private nextToken = 1;
  private readonly target: AppendTarget = {
    appended: (token, queue, base, timeMs) => void this.answers.push({ token, queue, base, timeMs }),
  };

  constructor(disk: SimDisk, clock: SimClock, random: SimRandom, options: Partial<BrokerOptions> = {}) {
    this.disk = disk;
    this.clock = clock;
    this.options = {
      disk,
      clock,
      random,
      crc: crc32c,
      codecs: [batchCodec],
      names: {
        topicsMax: 1000,
        groupsMax: 1000,
        queuesPerTopicMax: 1000,
        reserved: [{ owner: 'other', pattern: /^other\./ }],
        attributes: {
          flush: 'sync',
          retention: { mode: 'log', timeMs: -1, bytes: -1 },
          messageBytesMax: 64 * 1024,
          deadLetter: null,
          messageTtlMs: -1,
          deliveriesMax: -1,
          extra: {},
        },
      },
      stateFlush: 'sync',
      segmentBytes: 256 * 1024,
      reserveBytes: 32 * 1024,
      ballastBytes: 0,
      hotBytes: 64 * 1024,
      coldBytes: 256 * 1024,
      indexCacheBytes: 1024 * 1024,
      flushIntervalMs: 200,
      inlineSyncMs: Number.POSITIVE_INFINITY,
      retentionIntervalMs: 1000,
      snapshotIntervalMs: 60_000,
      cleanRatio: 0.5,
      jobSteps: 4,
      warn: (text, error) => void this.warnings.push(error instanceof Error ? `${text}: ${error.message}` : text),
      ...options,
    };
  }

  static async open(options: Partial<BrokerOptions> = {}, seed = 1): Promise<SimBroker> {
    const clock = new SimClock();
    const sim = new SimBroker(new SimDisk({ clock }), clock, new SimRandom(seed), options);
    await sim.start();
    return sim;
  }

  async start(): Promise<this> {
    return this.adopt(await this.run(Broker.open(this.options)));
  }

  adopt(broker: Broker): this {
    this.broker = broker;
    broker.signals.journalLost = (cause) => {
      this.lost = cause;
    };
    return this;
  }

  /** Turns and microtasks until the promise is settled. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    for (let n = 0; !settled; n++) {
      if (n > 10_000) throw new Error('the promise does not settle');
      this.clock.runTurn();
      await Promise.resolve();
      if (n > 20) this.clock.advance(1);
    }
    return promise;
  }

  turn(): void {
    this.clock.runTurn();
  }

  /** Background work runs to its end. */
  rest(ms = 5000): void {
    for (let n = 0; n < ms; n += 10) {
      this.clock.advance(10);
      this.clock.runTurn();
    }
  }

  // ---------------------------------------------------------------- verbs

  topic(name: string, spec: Partial<TopicSpec> = {}): Promise<Topic> {
    return this.run(this.broker.createTopic(TESTER, { namespace: 'default', kind: 'topic', name, queues: 1, ...spec }));
  }

  queue(name: string, attributes: TopicSpec['attributes'] = {}): Promise<Topic> {
    return this.topic(name, { kind: 'queue', attributes });
  }

  bind(source: string, destination: string, routingKey = '#'): Promise<void> {
    return this.run(
      this.broker.bind(TESTER, {
        namespace: 'default',
        source,
        destinationKind: 'queue',
        destination,
        routingKey,
        arguments: '',
        match: null,
      }),
    );
  }

  append(records: readonly string[], change: Partial<Append>): Append {
    return {
      ...emptyAppend(),
      format: FORMAT_BATCH,
      payload: encodeBatch(records),
      records: records.length,
      tagHash: TAG_NONE,
      recordTimeMaxMs: 1000 + records.length - 1,
      ...change,
    };
  }

  /** Appends without waiting; returns the token under which the answer comes. */
  send(topic: Topic, records: readonly string[], change: Partial<Append> = {}): number {
    const token = this.nextToken++;
    this.broker.append(TESTER, this.append(records, { topic, ...change }), this.target, token);
    return token;
  }

  publish(topic: Topic, records: readonly string[], change: Partial<Append> = {}): Answer {
    const token = this.send(topic, records, change);
    this.turn();
    return this.answerOf(token);
  }

  answerOf(token: number): Answer {
    const answer = this.answers.find((candidate) => candidate.token === token);
    if (answer === undefined) throw new Error(`append ${token} was not answered`);
    return answer;
  }

  /** Bodies from an offset on, as [offset, body]. */
  readFrom(queue: QueueNumber, from: Offset): [Offset, string][] {
    const into: ReadBatch = { units: [], bytes: 0, nextOffset: 0, startOffset: 0, endOffset: 0 };
    const found: [Offset, string][] = [];
    const waiter = { wake: () => undefined };
    let offset = from;
    for (let n = 0; n < 1_000_000; n++) {
      const status = this.broker.read(
        TESTER,
        queue,
        offset,
        { bytesMax: 64 * 1024, recordsMax: 1000, tagHashes: null },
        into,
        waiter,
      );
      if (status === 'pending') {
        this.turn();
        continue;
      }
      if (status === 'too-small') {
        offset = into.startOffset;
        continue;
      }
      if (status === 'empty' || status === 'too-large') return found;
      for (const unit of into.units) {
        const messages = this.broker.messages(unit);
        for (let n = 0; n < unit.count; n++) {
          if (unit.baseOffset + n >= offset)
            found.push([unit.baseOffset + n, messages[unit.firstRecord + n]!.body!.toString()]);
        }
      }
      offset = into.nextOffset;
    }
    throw new Error('the read does not end');
  }

  /** Takes one message by lease: [offset, body, deliveries], or null. */
  take(
    group: Group,
    queue: QueueNumber,
    holder: object,
    leaseMs = 0,
  ): { offset: Offset; body: string; deliveries: number; redelivered: boolean } | null {
    let taken: { offset: Offset; body: string; deliveries: number; redelivered: boolean } | null = null;
    this.broker.leaseOne(TESTER, group, queue, holder, leaseMs, (leased: Leased) => {
      const message = this.broker.messages(leased.unit)[leased.record]!;
      taken = {
        offset: leased.offset,
        body: message.body!.toString(),
        deliveries: leased.deliveries,
        redelivered: leased.redelivered,
      };
    });
    return taken;
  }

  group(name: string): Group {
    return this.broker.ensureGroup(TESTER, 'default', name);
  }

  ownGroup(topic: Topic): Group {
    return this.broker.groupById(topic.ownGroup)!;
  }

  // ---------------------------------------------------------------- ends

  /** The same directory after a clean end, a kill or a power cut, opened by a new broker. */
  async restart(how: 'close' | 'kill' | SimRandom = 'close', options: Partial<BrokerOptions> = {}): Promise<SimBroker> {
    let disk: SimDisk;
    if (how === 'close') {
      await this.run(this.broker.close());
      disk = this.disk.kill();
    } else disk = how === 'kill' ? this.disk.kill() : this.disk.crash(how);
    return SimBroker.on(disk, this, options);
  }

  static async on(disk: SimDisk, before: SimBroker, options: Partial<BrokerOptions> = {}): Promise<SimBroker> {
    before.clock.forget();
    const next = new SimBroker(disk, before.clock, before.options.random as SimRandom, {
      ...before.options,
      ...options,
      disk,
      warn: () => undefined,
    });
    return next.start();
  }
}
