/**
 * Where a message goes: the queues of an append, each once, by the topic, key, exchange and bindings at hand. What is
 * found here is not checked for room or rights, and changes nothing.
 */
import { BrokerError } from './errors.ts';
import type { Queue } from './log/queue.ts';
import { placeByKey } from './placement.ts';
import type { Signals } from './signals.ts';
import type { RoutingKeys } from './state/routing.ts';
import type { Tables } from './state/tables.ts';
import type { Codec, FormatTag, Message, Topic } from './types.ts';
import type { Append } from './verbs.ts';

/** Decoding for routing or reading stops at so many bytes. */
export const DECODED_BYTES_MAX = 128 * 1024 * 1024;

export type Codecs = ReadonlyMap<FormatTag, Codec>;

/** The queues of one append and what of its records each shows; reused. */
export class Rows {
  readonly queues: Queue[] = [];
  readonly first: number[] = [];
  readonly count: number[] = [];
  /** Filled when the entry is written. */
  readonly base: number[] = [];
  /** Some queue shows only some of the records. */
  sliced = false;
  /** The bound queues as the routing table keeps them, null where they are not the whole of it. */
  routes: readonly string[] | null = null;

  clear(): void {
    // A length of 0 would give the array's memory back, to be taken anew for each message.
    while (this.queues.length > 0) this.queues.pop();
    this.sliced = false;
    this.routes = null;
  }

  add(queue: Queue, first: number, count: number): void {
    const row = this.queues.length;
    this.queues.push(queue);
    this.first[row] = first;
    this.count[row] = count;
  }

  remove(row: number): void {
    for (const column of [this.queues, this.first, this.count]) column.splice(row, 1);
    this.routes = null;
  }
}

export class Destinations {
  private readonly tables: Tables;
  private readonly codecs: Codecs;
  private readonly signals: Signals;
  private readonly turns = new Map<number, number>();
  private current: Append | null = null;
  private rows = new Rows();
  /** Queues that do not take this append, whatever leads to them. */
  private avoid: readonly string[] | null = null;
  /** Several ways lead to the queues of this append, so that one may be met again. */
  private meets = false;

  constructor(tables: Tables, codecs: Codecs, signals: Signals) {
    this.tables = tables;
    this.codecs = codecs;
    this.signals = signals;
  }

  /** Throws topic-not-found, queue-not-found, exchange-not-found, corrupt-message, unsupported. */
  find(append: Append, avoid: readonly string[] | null, into: Rows): void {
    this.current = append;
    this.rows = into;
    this.avoid = avoid;
    into.clear();
    const copies = append.copies ?? null;
    const key = append.routingKey ?? '';
    this.meets = copies !== null;
    const keys = copies === null ? key : [...new Set([key, ...copies])];
    if (append.exchange === null) into.routes = this.toTopic(append, append.topic, keys);
    else this.toExchange(append, append.exchange, keys);
  }

  private toTopic(append: Append, topic: Topic | null, keys: RoutingKeys): readonly string[] | null {
    if (topic === null) throw new BrokerError('topic-not-found', 'no destination was given');
    this.rows.add(this.placed(topic, append), 0, append.records);
    if (topic.kind !== 'topic') return null;
    const routes = this.tables.routing.topicRoutes(topic.namespace, topic.name);
    if (routes === null) return null;
    if (!routes.perRecord) return this.addQueues(append, topic.namespace, routes.whole);
    if (append.records === 1 && append.routingKey !== null)
      return this.addQueues(append, topic.namespace, routes.route(keys, this.decodeOne));
    this.addSlices(topic, append);
    return null;
  }

  private toExchange(append: Append, name: string, keys: RoutingKeys): void {
    const { routing } = this.tables;
    const { namespace } = append;
    if (this.toOther(append, name, keys)) return;
    const exchange = routing.exchange(namespace, name);
    if (exchange === null)
      throw new BrokerError('exchange-not-found', `no exchange '${name}' in namespace '${namespace}'`);
    this.rows.routes = this.addQueues(append, namespace, routing.route(namespace, exchange, keys, this.decodeOne));
    if (routing.left.length === 0) return;
    this.meets = true;
    for (const alternate of [...routing.left]) this.toOther(append, alternate, keys);
    this.rows.routes = null;
  }

  /** To what an exchange's name can stand for besides an exchange: all queues by their names, or a log topic. */
  private toOther(append: Append, name: string, keys: RoutingKeys): boolean {
    if (name === '') {
      if (typeof keys === 'string') this.toNamed(append, keys);
      else for (const key of keys) this.toNamed(append, key);
      return true;
    }
    const topic = this.tables.catalog.topic(append.namespace, 'topic', name);
    if (topic?.kind !== 'topic') return false;
    this.rows.routes = this.toTopic(append, topic, keys);
    return true;
  }

  /** The default exchange: to the queue or topic of that name. */
  private toNamed(append: Append, name: string): void {
    const topic = this.tables.catalog.topic(append.namespace, 'topic', name);
    if (topic === null || this.avoid?.includes(name)) return;
    if (this.rows.queues.length > 0 && topic.kind === 'queue') {
      this.addQueues(append, append.namespace, [name]);
      this.rows.routes = null;
      return;
    }
    this.rows.routes = this.toTopic(append, topic, name);
  }

  readonly decodeOne = (): Message => {
    const append = this.current!;
    const message = this.codecs.get(append.format)?.routed?.(append.payload) ?? this.decode(append)[0];
    if (message === undefined) throw new BrokerError('corrupt-message', 'the payload holds no record');
    return message;
  };

  private decode(append: Append): Message[] {
    const codec = this.codecs.get(append.format);
    if (codec === undefined) throw new BrokerError('unsupported', `no codec for format ${append.format}`);
    this.signals.counts.conversions++;
    return codec.decode(append.payload, DECODED_BYTES_MAX);
  }

  private placed(topic: Topic, append: Append): Queue {
    const count = topic.queues.length;
    let id = append.queue;
    if (id < 0) {
      if (count === 1) id = 0;
      else if (topic.kind === 'queue') id = levelOf(topic, append);
      else if (append.key !== null) id = placeByKey(append.key, count);
      else {
        id = (this.turns.get(topic.id) ?? 0) % count;
        this.turns.set(topic.id, id + 1);
      }
    }
    const queue = id < count ? this.tables.queues.get(topic.queues[id]!) : undefined;
    if (queue === undefined)
      throw new BrokerError('queue-not-found', `topic '${topic.name}' has ${count} queues, queue ${id} was asked for`);
    return queue;
  }

  /** Returns the names, or null when one of them was to be avoided or met before. */
  private addQueues(append: Append, namespace: string, names: readonly string[]): readonly string[] | null {
    let isWhole = true;
    for (const name of names) {
      const topic = this.tables.catalog.topic(namespace, 'queue', name);
      const queue = topic === null ? undefined : this.tables.queues.get(topic.queues[levelOf(topic, append)]!);
      if (queue === undefined) continue;
      if (this.avoid?.includes(name) || (this.meets && this.rows.queues.includes(queue))) isWhole = false;
      else this.rows.add(queue, 0, append.records);
    }
    return isWhole ? names : null;
  }

  /** The only work per record: each record's routing key is its own, its key, or its tag. */
  private addSlices(topic: Topic, append: Append): void {
    const { rows } = this;
    const routes = this.tables.routing.topicRoutes(topic.namespace, topic.name)!;
    const messages = this.decode(append);
    if (messages.length !== append.records)
      throw new BrokerError(
        'corrupt-message',
        `the payload holds ${messages.length} records, its head says ${append.records}`,
      );
    const last = new Map<string, number>();
    for (let record = 0; record < messages.length; record++) {
      const message = messages[record]!;
      const key = message.routingKey ?? (message.key !== null ? message.key.toString('utf8') : (message.tag ?? ''));
      for (const name of routes.route(key, () => message)) {
        const row = last.get(name);
        if (row !== undefined && rows.first[row]! + rows.count[row]! === record) {
          rows.count[row]!++;
          continue;
        }
        const destination = this.tables.catalog.topic(topic.namespace, 'queue', name);
        const queue = destination === null ? undefined : this.tables.queues.get(destination.queues[0]!);
        if (queue === undefined) continue;
        last.set(name, rows.queues.length);
        rows.add(queue, record, 1);
      }
    }
    for (let row = 1; row < rows.queues.length; row++) if (rows.count[row] !== append.records) rows.sliced = true;
  }
}

/** A queue of several lines has one for each priority, the lowest first; what is above the highest counts as that. */
function levelOf(topic: Topic, append: Append): number {
  const last = topic.queues.length - 1;
  return last === 0 ? 0 : Math.min(append.priority, last);
}
