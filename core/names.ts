/**
 * The verbs on names: topics, groups, exchanges, bindings. Each checks the name and the right, logs the new row and
 * resolves when it is committed.
 */
import { BrokerError } from './errors.ts';
import { BROKER } from './publish.ts';
import type { Shard } from './shard.ts';
import type { GroupState } from './state/catalog.ts';
import type { StateEvent, TopicRow } from './state/events.ts';
import { rightOn } from './state/rights.ts';
import {
  type Action,
  type Binding,
  type Exchange,
  type Group,
  type GroupAttributes,
  NAME_BYTES_MAX,
  type Principal,
  QUEUE_NUMBER_MAX,
  type Random,
  type ReservedNames,
  type ResourceKind,
  type Topic,
  type TopicAttributes,
  type TopicChange,
  type TopicKind,
  type TopicSpec,
} from './types.ts';

export interface NameLimits {
  topicsMax: number;
  groupsMax: number;
  queuesPerTopicMax: number;
  reserved: readonly ReservedNames[];
  /** What a topic has when its creator does not say. */
  attributes: TopicAttributes;
}

export type Authorise = (
  principal: Principal,
  action: Action,
  resource: ResourceKind,
  namespace: string,
  name: string,
) => void;

const RESERVED_PREFIX = '$';
const PRIORITIES_MAX = 256;

export class Names {
  private readonly shard: Shard;
  private readonly random: Random;
  private readonly limits: NameLimits;
  private readonly authorise: Authorise;

  constructor(shard: Shard, random: Random, limits: NameLimits, authorise: Authorise) {
    this.shard = shard;
    this.random = random;
    this.limits = limits;
    this.authorise = authorise;
  }

  get defaults(): Readonly<TopicAttributes> {
    return this.limits.attributes;
  }

  // ---------------------------------------------------------------- topics

  topics(principal: Principal, namespace: string, all: boolean): Topic[] {
    const kinds: readonly TopicKind[] = all ? ['topic', 'queue', 'retry', 'dead-letter'] : ['topic', 'queue'];
    const topics: Topic[] = [];
    for (const topic of this.shard.tables.catalog.allTopics()) {
      if (
        topic.namespace === namespace &&
        kinds.includes(topic.kind) &&
        this.may(principal, 'topic', topic.namespace, topic.name)
      )
        topics.push(topic);
    }
    return topics;
  }

  namespaces(): string[] {
    const names = new Set(['default']);
    for (const topic of this.shard.tables.catalog.allTopics()) if (topic.kind !== 'system') names.add(topic.namespace);
    return [...names];
  }

  private may(principal: Principal, resource: ResourceKind, namespace: string, name: string): boolean {
    return principal === BROKER || this.shard.tables.access.allows(principal, 'describe', resource, namespace, name);
  }

  async createTopic(principal: Principal, spec: TopicSpec): Promise<Topic> {
    const right = rightOn(spec.kind, 'create');
    this.authorise(principal, right.action, right.resource, spec.namespace, spec.name);
    const row = this.newTopic(spec);
    await this.shard.change(this.topicEvents(row));
    return this.shard.tables.catalog.topicById(row.id) ?? row;
  }

  private topicEvents(row: TopicRow): StateEvent[] {
    const events: StateEvent[] = [{ k: 'topic', row }];
    if (row.ownGroup > 0) {
      events.push({
        k: 'group',
        row: { id: row.ownGroup, namespace: row.namespace, name: '', attributes: { deliveriesMax: -1, extra: {} } },
      });
    }
    return events;
  }

  private newTopic(spec: TopicSpec): TopicRow {
    const { catalog } = this.shard.tables;
    checkName(spec.name, spec.kind === 'topic' || spec.kind === 'queue');
    checkName(spec.namespace, false);
    this.checkReserved(spec);
    const there = catalog.topic(spec.namespace, spec.kind, spec.name);
    if (there !== null) {
      const other = there.kind !== spec.kind ? `: it is a ${there.kind}, not a ${spec.kind}` : '';
      throw new BrokerError('topic-exists', `'${spec.name}' exists already${other}`);
    }
    if (catalog.topicCount >= this.limits.topicsMax)
      throw new BrokerError(
        'limit-exceeded',
        `there are ${catalog.topicCount} topics already, the limit is ${this.limits.topicsMax}`,
      );
    if (spec.kind !== 'queue' || spec.queues < 1) this.checkQueues(spec.queues);
    if (spec.kind === 'queue' && spec.queues > PRIORITIES_MAX)
      throw new BrokerError('argument-invalid', `a queue has a line for each priority, at most ${PRIORITIES_MAX}`);
    const first = catalog.nextQueue;
    return {
      id: catalog.nextTopic,
      namespace: spec.namespace,
      kind: spec.kind,
      name: spec.name,
      uuid: this.uuid(),
      queues: Array.from({ length: spec.queues }, (_, n) => first + n),
      layout: { id: 1, ordered: true, parents: [] },
      attributes: this.attributes(spec.kind, spec.attributes ?? {}),
      ownGroup: spec.kind === 'queue' || spec.kind === 'system' ? catalog.nextGroup : 0,
    };
  }

  /** Clients of one protocol take such a name for what it is there, so no other protocol may give it to something else. */
  private checkReserved(spec: TopicSpec): void {
    if (spec.kind !== 'topic' && spec.kind !== 'queue') return;
    for (const { owner, pattern } of this.limits.reserved) {
      if (owner !== spec.owner && pattern.test(spec.name)) {
        throw new BrokerError('name-reserved', `'${spec.name}' is reserved for ${owner}: choose another name`);
      }
    }
  }

  /** Where the caller cannot wait: the topic is in memory at once, and committed before anything that is appended to it. */
  createTopicNow(spec: TopicSpec): Topic {
    const row = this.newTopic(spec);
    this.shard.appendEvents(this.topicEvents(row));
    return this.shard.tables.catalog.topicById(row.id)!;
  }

  private attributes(kind: TopicKind, given: Partial<TopicAttributes>): TopicAttributes {
    const defaults = this.limits.attributes;
    const retention = kind === 'queue' || kind === 'system' ? ({ mode: 'consumed' } as const) : defaults.retention;
    return { ...defaults, retention, ...given, extra: { ...given.extra } };
  }

  private checkQueues(queues: number): void {
    if (!Number.isInteger(queues) || queues < 1 || queues > this.limits.queuesPerTopicMax) {
      throw new BrokerError(
        'argument-invalid',
        `a topic has 1 to ${this.limits.queuesPerTopicMax} queues, ${queues} were asked for`,
      );
    }
    if (this.shard.tables.catalog.nextQueue + queues > QUEUE_NUMBER_MAX)
      throw new BrokerError('limit-exceeded', 'all queue numbers of this shard have been given out');
  }

  private uuid(): string {
    const bytes = this.random.bytes(Buffer.alloc(16));
    bytes[6] = (bytes[6]! & 0x0f) | 0x40;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    return bytes.toString('hex');
  }

  async alterTopic(principal: Principal, topic: Topic, change: TopicChange): Promise<Topic> {
    this.authorise(principal, 'update', 'topic', topic.namespace, topic.name);
    const { catalog } = this.shard.tables;
    const current = this.current(topic);
    const queues = [...current.queues];
    if (change.queues !== undefined && change.queues !== queues.length) {
      if (change.queues < queues.length)
        throw new BrokerError(
          'argument-invalid',
          `'${topic.name}' has ${queues.length} queues, they cannot become ${change.queues}`,
        );
      if (current.kind === 'queue')
        throw new BrokerError('argument-invalid', 'the priorities of a queue stay as they are');
      this.checkQueues(change.queues);
      const first = catalog.nextQueue;
      for (let n = 0; queues.length < change.queues; n++) queues.push(first + n);
    }
    const grown = queues.length !== current.queues.length;
    const row: TopicRow = {
      ...(current as TopicRow),
      queues,
      layout: grown
        ? { id: current.layout.id + 1, ordered: false, parents: [] }
        : { ...current.layout, parents: [...current.layout.parents] },
      attributes: { ...current.attributes, ...change.attributes },
    };
    await this.shard.change([{ k: 'topic', row }]);
    return catalog.topicById(topic.id) ?? row;
  }

  private current(topic: Topic): Topic {
    const current = this.shard.tables.catalog.topicById(topic.id);
    if (current === null) throw new BrokerError('topic-not-found', `'${topic.name}' is gone`);
    return current;
  }

  async deleteTopic(principal: Principal, topic: Topic): Promise<void> {
    this.authorise(principal, 'delete', 'topic', topic.namespace, topic.name);
    const current = this.current(topic);
    const events: StateEvent[] = [{ k: 'topic-gone', id: current.id, queues: [...current.queues] }];
    if (current.ownGroup > 0) events.push({ k: 'group-gone', id: current.ownGroup });
    const { routing } = this.shard.tables;
    const { namespace, name } = current;
    let goes: Binding[] = [];
    if (current.kind === 'queue') goes = routing.leadingTo(namespace, 'queue', name);
    else if (current.kind === 'topic' && routing.exchange(namespace, name) === null)
      goes = routing.bindingsOf(namespace, name);
    for (const row of goes) events.push({ k: 'unbind', row });
    events.push(...this.orphansGone(namespace, goes));
    await this.shard.change(events);
  }

  // ---------------------------------------------------------------- groups

  groups(principal: Principal, namespace: string): Group[] {
    const groups: Group[] = [];
    for (const group of this.shard.tables.catalog.allGroups()) {
      if (group.namespace === namespace && group.name !== '' && this.may(principal, 'group', namespace, group.name))
        groups.push(group);
    }
    return groups;
  }

  ensureGroup(principal: Principal, namespace: string, name: string): GroupState {
    const { catalog } = this.shard.tables;
    const there = catalog.group(namespace, name);
    if (there !== null) {
      this.authorise(principal, 'consume', 'group', namespace, name);
      return there;
    }
    this.authorise(principal, 'create', 'group', namespace, name);
    checkName(name, true);
    if (catalog.groupCount >= this.limits.groupsMax)
      throw new BrokerError(
        'limit-exceeded',
        `there are ${catalog.groupCount} groups already, the limit is ${this.limits.groupsMax}`,
      );
    this.shard.alive();
    this.shard.appendEvents([
      { k: 'group', row: { id: catalog.nextGroup, namespace, name, attributes: { deliveriesMax: -1, extra: {} } } },
    ]);
    return catalog.group(namespace, name)!;
  }

  async alterGroup(principal: Principal, group: Group, attributes: Partial<GroupAttributes>): Promise<Group> {
    this.authorise(principal, 'update', 'group', group.namespace, group.name);
    const row = {
      id: group.id,
      namespace: group.namespace,
      name: group.name,
      attributes: { ...group.attributes, ...attributes },
    };
    await this.shard.change([{ k: 'group', row }]);
    return this.shard.tables.catalog.groupById(group.id) ?? group;
  }

  async deleteGroup(principal: Principal, group: Group): Promise<void> {
    this.authorise(principal, 'delete', 'group', group.namespace, group.name);
    await this.shard.change([{ k: 'group-gone', id: group.id }]);
  }

  // ---------------------------------------------------------------- exchanges and bindings

  exchanges(principal: Principal, namespace: string): Exchange[] {
    return this.shard.tables.routing
      .exchanges(namespace)
      .filter((exchange) => this.may(principal, 'topic', namespace, exchange.name));
  }

  async createExchange(principal: Principal, exchange: Exchange): Promise<void> {
    this.authorise(principal, 'create', 'topic', exchange.namespace, exchange.name);
    if (Buffer.byteLength(exchange.name) > NAME_BYTES_MAX || exchange.name === '') {
      throw new BrokerError('name-invalid', `an exchange's name has 1 to ${NAME_BYTES_MAX} bytes`);
    }
    if (this.shard.tables.routing.exchange(exchange.namespace, exchange.name) !== null)
      throw new BrokerError('exchange-exists', `exchange '${exchange.name}' exists already`);
    const events: StateEvent[] = [{ k: 'exchange', row: exchange }];
    if (exchange.holds === true) {
      // Stands for the exchange in the due list.
      const { namespace, name } = exchange;
      events.push(...this.topicEvents(this.newTopic({ namespace, kind: 'system', name, queues: 1 })));
    }
    await this.shard.change(events);
  }

  async deleteExchange(principal: Principal, namespace: string, name: string): Promise<void> {
    this.authorise(principal, 'delete', 'topic', namespace, name);
    if (this.shard.tables.routing.exchange(namespace, name) === null)
      throw new BrokerError('exchange-not-found', `no exchange '${name}' in namespace '${namespace}'`);
    const goes = this.shard.tables.routing.leadingTo(namespace, 'exchange', name);
    await this.shard.change([...this.exchangeGone(namespace, name), ...this.orphansGone(namespace, goes)]);
  }

  private exchangeGone(namespace: string, name: string): StateEvent[] {
    const { routing, catalog } = this.shard.tables;
    const events: StateEvent[] = [{ k: 'exchange-gone', namespace, name }];
    const holder = routing.exchange(namespace, name)?.holds === true ? catalog.topic(namespace, 'system', name) : null;
    if (holder !== null) {
      events.push({ k: 'topic-gone', id: holder.id, queues: [...holder.queues] });
      events.push({ k: 'group-gone', id: holder.ownGroup });
    }
    return events;
  }

  /** The ends of exchanges that are deleted with their last binding. */
  private orphansGone(namespace: string, goes: readonly Binding[]): StateEvent[] {
    return this.shard.tables.routing.orphans(namespace, goes).flatMap((name) => this.exchangeGone(namespace, name));
  }

  async bind(principal: Principal, binding: Binding): Promise<void> {
    this.authorise(principal, 'consume', 'topic', binding.namespace, binding.source);
    this.authoriseDestination(principal, binding);
    const { routing, catalog } = this.shard.tables;
    const { namespace, source, destination } = binding;
    if (routing.exchange(namespace, source) === null && catalog.topic(namespace, 'topic', source)?.kind !== 'topic') {
      throw new BrokerError('exchange-not-found', `no exchange '${source}' in namespace '${namespace}'`);
    }
    if (binding.destinationKind === 'queue' && catalog.topic(namespace, 'queue', destination)?.kind !== 'queue') {
      throw new BrokerError('topic-not-found', `no queue '${destination}' in namespace '${namespace}'`);
    }
    if (binding.destinationKind === 'exchange' && routing.exchange(namespace, destination) === null) {
      throw new BrokerError('exchange-not-found', `no exchange '${destination}' in namespace '${namespace}'`);
    }
    await this.shard.change([{ k: 'bind', row: binding }]);
  }

  /** To lead messages into an exchange is to publish to it; a queue is changed by what it is bound to. */
  private authoriseDestination(principal: Principal, { destinationKind, namespace, destination }: Binding): void {
    this.authorise(principal, destinationKind === 'exchange' ? 'publish' : 'update', 'topic', namespace, destination);
  }

  async unbind(principal: Principal, binding: Binding): Promise<void> {
    this.authoriseDestination(principal, binding);
    const row = this.shard.tables.routing.bound(binding);
    const orphans = row === null ? [] : this.orphansGone(binding.namespace, [row]);
    await this.shard.change([{ k: 'unbind', row: binding }, ...orphans]);
  }
}

/** The canonical rule; each protocol has narrower ones of its own. */
function checkName(name: string, reserved: boolean): void {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > NAME_BYTES_MAX)
    throw new BrokerError('name-invalid', `a name has 1 to ${NAME_BYTES_MAX} bytes, this one ${bytes}`);
  if (/[\0-\x1f\x7f]/.test(name)) throw new BrokerError('name-invalid', 'a name has no control characters');
  if (reserved && name.startsWith(RESERVED_PREFIX))
    throw new BrokerError('name-reserved', `names that begin with '${RESERVED_PREFIX}' belong to the broker`);
}
