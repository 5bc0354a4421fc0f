/**
 * Exchanges and queues as an AMQP client knows them, over the core's exchanges and topics. One per adapter.
 *
 * Invariants:
 * - an AMQP queue is a topic of kind `queue` with one queue; what only AMQP says of it (durable, exclusive,
 *   auto-delete, arguments) lies in the topic's `extra` attributes, word for word;
 * - a log topic is seen as a durable queue without arguments and as a durable topic exchange, and is never deleted;
 * - an exclusive queue belongs to one live connection, from when it is there, which is before it is committed; the owners
 *   are the only state here, and it dies with them.
 */

import type { Binding, Exchange, Group, Principal, Topic } from '../../core/types.ts';
import type { Verbs } from '../../core/verbs.ts';
import { AmqpError } from './amqp-error.ts';
import { fieldOfHeader, tableText } from './canonical-header.ts';
import type { FieldTable } from './field-table.ts';
import { meaningOf, type QueueShape } from './queue-arguments.ts';

/** Who asks: a connection, as far as names and ownership go. */
export interface Asker {
  readonly principal: Principal;
  readonly namespace: string;
  readonly virtualHost: string;
}

const predeclaredTypes: Readonly<Record<string, Exchange['type']>> = {
  'amq.direct': 'direct',
  'amq.fanout': 'fanout',
  'amq.topic': 'topic',
  'amq.headers': 'headers',
  'amq.match': 'headers',
  'amq.rabbitmq.trace': 'topic',
};
/** Exchanges to which only the broker publishes. */
const internalExchange = 'amq.rabbitmq.trace';

/** Names of the topics that belong to a group. */
const groupTopics = [
  { prefix: '%DLQ%', kind: 'dead-letter' },
  { prefix: '%RETRY%', kind: 'retry' },
] as const;

export const noSuchQueue = (name: string, virtualHost: string): AmqpError =>
  new AmqpError('NOT_FOUND', `no queue '${name}' in vhost '${virtualHost}'`);

const noSuchExchange = (name: string, virtualHost: string): AmqpError =>
  new AmqpError('NOT_FOUND', `no exchange '${name}' in vhost '${virtualHost}'`);

export const queuePlace = (name: string, virtualHost: string): string => `queue '${name}' in vhost '${virtualHost}'`;

export const exchangePlace = (name: string, virtualHost: string): string =>
  `exchange '${name}' in vhost '${virtualHost}'`;

export class Topology {
  readonly #broker: Verbs;
  readonly #owned = new Map<Topic['id'], { readonly topic: Topic; readonly owner: Asker }>();
  /** Who is creating an exclusive queue, by its place: others can find it already. */
  readonly #creators = new Map<string, Asker>();

  /** For what no client asks for: its rights are not the question when its queues end with it. */
  readonly #internal: Principal;

  constructor(broker: Verbs, internal: Principal) {
    this.#broker = broker;
    this.#internal = internal;
  }

  // ------------------------------------------------------------ queues

  /** The queue or log topic of that name, null when there is none. Throws RESOURCE_LOCKED when it is another connection's. */
  find(asker: Asker, name: string): Topic | null {
    const topic = this.#named(asker.namespace, name);
    if (topic === null) return null;
    if (!shapeOf(topic).exclusive) return topic;
    const owner = this.#owned.get(topic.id)?.owner ?? this.#creators.get(placeOf(asker.namespace, name));
    // Without an owner it is on its way out: nobody may hold on to it any more.
    if (owner === undefined) return null;
    if (owner !== asker) throw locked(name, asker.virtualHost);
    return topic;
  }

  /** What a group could not handle is found by the group's name behind a prefix, as other tools show it. */
  #named(namespace: string, name: string): Topic | null {
    for (const { prefix, kind } of groupTopics)
      if (name.startsWith(prefix)) return this.#broker.topicOfKind(namespace, kind, name.slice(prefix.length));
    return this.#broker.topic(namespace, name);
  }

  /** The same, where it must be there. */
  require(asker: Asker, name: string): Topic {
    const topic = this.find(asker, name);
    if (topic === null) throw noSuchQueue(name, asker.virtualHost);
    return topic;
  }

  /** The same, where it must be a queue: a log topic cannot be bound, purged or deleted here. */
  requireQueue(asker: Asker, name: string, what: string): Topic {
    const topic = this.require(asker, name);
    if (topic.kind !== 'queue') throw onLogTopic(name, what);
    return topic;
  }

  async create(asker: Asker, name: string, shape: QueueShape): Promise<Topic> {
    const { queues, attributes } = meaningOf(shape.arguments);
    const place = placeOf(asker.namespace, name);
    if (shape.exclusive) this.#creators.set(place, asker);
    try {
      const topic = await this.#broker.createTopic(asker.principal, {
        namespace: asker.namespace,
        kind: 'queue',
        name,
        queues,
        owner: 'amqp',
        attributes: { ...attributes, retention: { mode: 'consumed' }, extra: extraOf(shape) },
      });
      if (shape.exclusive) this.#owned.set(topic.id, { topic, owner: asker });
      return topic;
    } finally {
      if (this.#creators.get(place) === asker) this.#creators.delete(place);
    }
  }

  /** Refuses what the declared exclusivity makes impossible, as RabbitMQ does before it compares anything else. */
  checkExclusive(topic: Topic, exclusive: boolean, asker: Asker): void {
    if (shapeOf(topic).exclusive !== exclusive) throw locked(topic.name, asker.virtualHost);
  }

  /** Throws RESOURCE_LOCKED when the bound queue is another connection's; RabbitMQ asks that only of a binding that is there. */
  checkUnbind(asker: Asker, binding: Binding): void {
    try {
      this.find(asker, binding.destination);
    } catch (error) {
      const rows = this.#broker.bindings(this.#internal, asker.namespace);
      if (rows.some((row) => isSame(row, binding))) throw error;
    }
  }

  async remove(topic: Topic, principal: Principal): Promise<void> {
    const owned = this.#owned.get(topic.id);
    // At once, so that nobody else begins to delete it too.
    this.#owned.delete(topic.id);
    try {
      await this.#broker.deleteTopic(principal, topic);
    } catch (error) {
      if (owned !== undefined) this.#owned.set(topic.id, owned);
      throw error;
    }
  }

  /** Deletes the queues that belong to a connection which ends. */
  async removeOwnedBy(asker: Asker): Promise<void> {
    for (const { topic, owner } of this.#owned.values()) {
      if (owner !== asker || !this.#owned.has(topic.id)) continue;
      // One that nobody used (x-expires) is gone already.
      if (this.#broker.topicByUuid(topic.uuid) === null) this.#owned.delete(topic.id);
      else await this.remove(topic, this.#internal);
    }
  }

  /** Deletes those auto-delete queues among the topics that nobody reads any more, whatever rights the last reader had. */
  async removeUnused(topics: readonly Topic[]): Promise<void> {
    for (const topic of topics) {
      if (topic.kind !== 'queue' || !shapeOf(topic).autoDelete) continue;
      const group = this.#broker.groupById(topic.ownGroup);
      if (this.consumers(topic, group) > 0 || this.#broker.topic(topic.namespace, topic.name)?.id !== topic.id)
        continue;
      await this.remove(topic, this.#internal);
    }
  }

  /** Forgets all owners: every connection was cut, and the core's state is being folded anew. */
  forget(): void {
    this.#owned.clear();
    this.#creators.clear();
  }

  /** Deletes what should not have outlived the last stop: queues that are not durable, and queues of connections. */
  async sweep(): Promise<void> {
    const principal = this.#internal;
    for (const namespace of this.#broker.namespaces()) {
      for (const topic of this.#broker.topics(principal, namespace)) {
        const { durable, exclusive } = shapeOf(topic);
        if (topic.kind !== 'queue' || (durable && !exclusive)) continue;
        await this.#broker.deleteTopic(principal, topic);
      }
      for (const exchange of this.#broker.exchanges(principal, namespace)) {
        if (!exchange.durable) await this.#broker.deleteExchange(principal, namespace, exchange.name);
      }
    }
  }

  /** Messages ready in all its queues, for the group that reads it. */
  readyMessages(topic: Topic, group: Group | null): number {
    let ready = 0;
    for (const number of topic.queues) {
      if (group !== null) ready += this.#broker.ledger(group, number).ready;
      else {
        const queue = this.#broker.queue(number);
        if (queue !== null) ready += queue.endOffset - queue.startOffset;
      }
    }
    return ready;
  }

  consumers(topic: Topic, group: Group | null): number {
    return group === null ? 0 : this.#broker.consumers(group, topic.queues[0]!);
  }

  // ------------------------------------------------------------ exchanges

  /** The exchange of that name, or the log topic seen as one; null when there is neither. */
  exchange(asker: Asker, name: string): Exchange | null {
    const exchange = this.#broker.exchange(asker.namespace, name);
    if (exchange !== null) return exchange;
    const type = predeclaredTypes[name];
    if (type !== undefined) return plainExchange(asker.namespace, name, type);
    return this.logTopic(asker, name) === null ? null : plainExchange(asker.namespace, name, 'topic');
  }

  logTopic(asker: Asker, name: string): Topic | null {
    const topic = this.#broker.topic(asker.namespace, name);
    return topic?.kind === 'topic' ? topic : null;
  }

  requireExchange(asker: Asker, name: string): Exchange {
    const exchange = this.exchange(asker, name);
    if (exchange === null) throw noSuchExchange(name, asker.virtualHost);
    return exchange;
  }

  /** Predeclared exchanges come into being when something is bound to them first; until then they route nothing. */
  async materialise(asker: Asker, exchange: Exchange): Promise<void> {
    if (predeclaredTypes[exchange.name] === undefined || this.#broker.exchange(asker.namespace, exchange.name) !== null)
      return;
    await this.#broker.createExchange(this.#internal, exchange);
  }

  /** True when something is bound to it. */
  isSource(asker: Asker, name: string): boolean {
    return this.#broker.bindings(this.#internal, asker.namespace).some((binding) => binding.source === name);
  }

  isPredeclared(name: string): boolean {
    return predeclaredTypes[name] !== undefined;
  }
}

const placeOf = (namespace: string, name: string): string => `${namespace}\0${name}`;

const isSame = (one: Binding, other: Binding): boolean =>
  one.source === other.source &&
  one.destinationKind === other.destinationKind &&
  one.destination === other.destination &&
  one.routingKey === other.routingKey &&
  one.arguments === other.arguments;

function plainExchange(namespace: string, name: string, type: Exchange['type']): Exchange {
  return { namespace, name, type, durable: true, autoDelete: false, internal: name === internalExchange, extra: {} };
}

export function onLogTopic(name: string, what: string): AmqpError {
  return new AmqpError(
    'PRECONDITION_FAILED',
    `'${name}' is a log topic, which AMQP clients may read and publish to but not ${what}`,
  );
}

function locked(name: string, virtualHost: string): AmqpError {
  return new AmqpError(
    'RESOURCE_LOCKED',
    `cannot obtain exclusive access to locked ${queuePlace(name, virtualHost)}. It could be originally declared on ` +
      'another connection or the exclusive property value does not match that of the original declaration.',
  );
}

// ---------------------------------------------------------------- what only AMQP says of a queue or an exchange

const extraKeys = {
  durable: 'amqp.durable',
  exclusive: 'amqp.exclusive',
  autoDelete: 'amqp.autoDelete',
  arguments: 'amqp.arguments',
} as const;

function extraOf(shape: QueueShape): Record<string, string> {
  return {
    [extraKeys.durable]: String(shape.durable),
    [extraKeys.exclusive]: String(shape.exclusive),
    [extraKeys.autoDelete]: String(shape.autoDelete),
    ...argumentsExtra(shape.arguments),
  };
}

/** An exclusive queue lives no longer than its connection, whatever it was declared as. */
export const isDurable = (shape: QueueShape): boolean => shape.durable && !shape.exclusive;

/** A queue that another protocol created is durable and nobody's. */
export function shapeOf(topic: Topic): QueueShape {
  const { extra } = topic.attributes;
  return {
    durable: extra[extraKeys.durable] !== 'false',
    exclusive: extra[extraKeys.exclusive] === 'true',
    autoDelete: extra[extraKeys.autoDelete] === 'true',
    serverNamed: false,
    arguments: argumentsOf(extra),
  };
}

export function argumentsExtra(table: FieldTable): Record<string, string> {
  return table.length === 0 ? {} : { [extraKeys.arguments]: tableText(table) };
}

export function argumentsOf(extra: Readonly<Record<string, string>>): FieldTable {
  const text = extra[extraKeys.arguments];
  if (text === undefined) return [];
  const field = fieldOfHeader({ name: '', value: Buffer.from(text), type: 'amqp:F' });
  return field.type === 'F' ? field.value : [];
}
