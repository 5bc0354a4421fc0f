/**
 * Topics and groups by id and by name. A name is unique per (namespace, space): topics and queues share one space,
 * each other kind has its own. Ids and queue numbers are never given out twice, also not after a deletion.
 */
import { assert } from '../errors.ts';
import type { Group, GroupId, QueueNumber, Topic, TopicId, TopicKind } from '../types.ts';
import type { GroupRow, StateEvent, TopicRow } from './events.ts';

/** A group as the broker holds it: the stored row, and what its live members make of it. */
export class GroupState implements Group {
  readonly id: GroupId;
  readonly namespace: string;
  readonly name: string;
  attributes: Group['attributes'];
  generation = 0;
  data: Buffer | null = null;
  /** In memory only. */
  protocol = '';

  constructor(row: GroupRow) {
    this.id = row.id;
    this.namespace = row.namespace;
    this.name = row.name;
    this.attributes = row.attributes;
  }
}

/** Different sets of attributes kept for sharing. */
const SHARED_MAX = 1000;

const space = (kind: TopicKind): TopicKind => (kind === 'queue' ? 'topic' : kind);

/** Things by namespace and name. Two lookups rather than one of a joined name, which every publish would have to make. */
class Names<T extends { readonly id: number; readonly namespace: string; readonly name: string }> {
  private readonly namespaces = new Map<string, Map<string, T>>();

  get(namespace: string, name: string): T | null {
    return this.namespaces.get(namespace)?.get(name) ?? null;
  }

  set(thing: T): void {
    const names = this.namespaces.get(thing.namespace);
    if (names !== undefined) names.set(thing.name, thing);
    else this.namespaces.set(thing.namespace, new Map([[thing.name, thing]]));
  }

  /** Another thing that has taken the name since keeps it. */
  delete({ id, namespace, name }: T): void {
    const names = this.namespaces.get(namespace);
    if (names?.get(name)?.id !== id) return;
    names.delete(name);
    if (names.size === 0) this.namespaces.delete(namespace);
  }
}

export class Catalog {
  private readonly topics = new Map<TopicId, Topic>();
  private readonly topicNames = new Map<TopicKind, Names<Topic>>();
  private readonly topicUuids = new Map<string, Topic>();
  private readonly groups = new Map<GroupId, GroupState>();
  private readonly groupNames = new Names<GroupState>();
  private readonly topicOfQueue = new Map<QueueNumber, Topic>();
  private readonly shared = new Map<string, object>();
  clusterId = '';
  nextTopic = 1;
  nextGroup = 1;
  nextQueue = 1;
  nextSet = 1;

  putTopic(given: TopicRow): void {
    const before = this.topics.get(given.id);
    if (before !== undefined) this.forget(before);
    // Ten thousand queues declared alike have one set of attributes in memory.
    const row = { ...given, attributes: this.interned(given.attributes), layout: this.interned(given.layout) };
    this.topics.set(row.id, row);
    this.namesOf(row.kind).set(row);
    this.topicUuids.set(row.uuid, row);
    for (const queue of row.queues) {
      this.topicOfQueue.set(queue, row);
      this.nextQueue = Math.max(this.nextQueue, queue + 1);
    }
    this.nextTopic = Math.max(this.nextTopic, row.id + 1);
    this.nextGroup = Math.max(this.nextGroup, row.ownGroup + 1);
  }

  private interned<T extends object>(value: T): T {
    const text = JSON.stringify(value);
    const there = this.shared.get(text);
    if (there !== undefined) return there as T;
    if (this.shared.size >= SHARED_MAX) this.shared.clear();
    this.shared.set(text, value);
    return value;
  }

  removeTopic(id: TopicId): void {
    const topic = this.topics.get(id);
    if (topic !== undefined) this.forget(topic);
  }

  private forget(topic: Topic): void {
    this.topics.delete(topic.id);
    this.namesOf(topic.kind).delete(topic);
    this.topicUuids.delete(topic.uuid);
    for (const queue of topic.queues) this.topicOfQueue.delete(queue);
  }

  /** A group that is put again keeps its generation and members. */
  putGroup(row: GroupRow): GroupState {
    const before = this.groups.get(row.id);
    if (before !== undefined) {
      before.attributes = row.attributes;
      return before;
    }
    const group = new GroupState(row);
    this.groups.set(row.id, group);
    // The group that belongs to a queue is not found by name: its name is the queue's.
    if (row.name !== '') this.groupNames.set(group);
    this.nextGroup = Math.max(this.nextGroup, row.id + 1);
    return group;
  }

  removeGroup(id: GroupId): void {
    const group = this.groups.get(id);
    if (group === undefined) return;
    this.groups.delete(id);
    this.groupNames.delete(group);
  }

  topic(namespace: string, kind: TopicKind, name: string): Topic | null {
    return this.namesOf(kind).get(namespace, name);
  }

  private namesOf(kind: TopicKind): Names<Topic> {
    let names = this.topicNames.get(space(kind));
    if (names === undefined) {
      names = new Names();
      this.topicNames.set(space(kind), names);
    }
    return names;
  }

  topicById(id: TopicId): Topic | null {
    return this.topics.get(id) ?? null;
  }

  topicByUuid(uuid: string): Topic | null {
    return this.topicUuids.get(uuid) ?? null;
  }

  topicOf(queue: QueueNumber): Topic | null {
    return this.topicOfQueue.get(queue) ?? null;
  }

  allTopics(): IterableIterator<Topic> {
    return this.topics.values();
  }

  group(namespace: string, name: string): GroupState | null {
    return this.groupNames.get(namespace, name);
  }

  groupById(id: GroupId): GroupState | null {
    return this.groups.get(id) ?? null;
  }

  allGroups(): IterableIterator<GroupState> {
    return this.groups.values();
  }

  get topicCount(): number {
    return this.topics.size;
  }

  get groupCount(): number {
    return this.groups.size;
  }

  /** Everything this catalog holds, as events that make it again. */
  *events(): Generator<StateEvent> {
    assert(this.clusterId !== '', 'a cluster has an identity');
    yield { k: 'cluster', id: this.clusterId };
    yield { k: 'counters', topic: this.nextTopic, group: this.nextGroup, queue: this.nextQueue, set: this.nextSet };
    for (const topic of this.topics.values()) yield { k: 'topic', row: topic as TopicRow };
    for (const group of this.groups.values()) {
      yield {
        k: 'group',
        row: { id: group.id, namespace: group.namespace, name: group.name, attributes: group.attributes },
      };
      if (group.generation > 0)
        yield { k: 'generation', group: group.id, generation: group.generation, data: group.data };
    }
  }
}
