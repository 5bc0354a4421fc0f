/**
 * The broker answers the verbs. Every verb checks the right of its Principal here and hands the work to the part that
 * owns it (assembly.ts wires them); nothing else happens in this file.
 */
import { Assembly, type BrokerOptions } from './assembly.ts';
import { findByKey } from './delivery/find-by-key.ts';
import type { Leases } from './delivery/leases.ts';
import type { OffsetReader } from './delivery/offset-reader.ts';
import { transact } from './delivery/transact.ts';
import type { Waiters } from './delivery/waiters.ts';
import { BrokerError } from './errors.ts';
import type { Disk } from './log/disk.ts';
import type { FileJournal } from './log/file-journal.ts';
import type { IndexRepair } from './log/index-repair.ts';
import type { Log } from './log/log.ts';
import type { Queue } from './log/queue.ts';
import type { Maintenance } from './maintenance.ts';
import type { Names } from './names.ts';
import { BROKER, type Publisher } from './publish.ts';
import { QueueFacts } from './queue-facts.ts';
import { ScramUsers } from './scram-users.ts';
import type { Shard } from './shard.ts';
import type { Signals } from './signals.ts';
import type { GroupState } from './state/catalog.ts';
import type { Membership } from './state/membership.ts';
import { Passwords } from './state/passwords.ts';
import { authoriseOn } from './state/rights.ts';
import type { Tables } from './state/tables.ts';
import { storageState } from './storage.ts';
import type {
  AccessRule,
  Action,
  Binding,
  CommittedOffset,
  Exchange,
  Group,
  GroupAttributes,
  LeaseConsumer,
  Leased,
  Member,
  Message,
  Offset,
  Outcome,
  Principal,
  QueueNumber,
  ReadBatch,
  ReadLimits,
  ReadStatus,
  ReadUnit,
  ResourceKind,
  TimeMs,
  Topic,
  TopicAttributes,
  TopicChange,
  TopicKind,
  TopicSpec,
  Waiter,
} from './types.ts';
import type {
  Append,
  AppendTarget,
  CommitTarget,
  FoundOffset,
  LedgerState,
  MemberSpec,
  MembershipListener,
  OffsetCommit,
  ProducerIdentity,
  QueueState,
  StorageState,
  User,
  Verbs,
} from './verbs.ts';

export type { BrokerOptions } from './assembly.ts';

export class Broker implements Verbs {
  readonly signals: Signals;
  readonly scram: ScramUsers;
  readonly facts: QueueFacts;
  private readonly disk: Disk;
  private readonly passwords: Passwords;
  private readonly tables: Tables;
  private readonly repair: IndexRepair;
  private readonly shard: Shard;
  private readonly journal: FileJournal;
  private readonly leases: Leases;
  private readonly reader: OffsetReader;
  private readonly publisher: Publisher;
  private readonly waiters: Waiters;
  private readonly names: Names;
  private readonly membership: Membership;
  private readonly maintenance: Maintenance;
  /** What recovery found, for the log line at start. */
  readonly recovery: { entries: number; tornBytes: number; damage: number };

  private constructor(parts: Assembly) {
    this.signals = parts.signals;
    this.disk = parts.disk;
    this.passwords = new Passwords(parts.random, parts.sealingKey);
    this.tables = parts.tables;
    this.repair = parts.repair;
    this.shard = parts.shard;
    this.journal = parts.journal;
    this.leases = parts.leases;
    this.reader = parts.reader;
    this.publisher = parts.publisher;
    this.waiters = parts.waiters;
    this.names = parts.names;
    this.membership = parts.membership;
    this.scram = new ScramUsers(this.shard, (...right) => this.authorise(...right));
    this.facts = new QueueFacts(this.tables);
    this.maintenance = parts.maintenance;
    const { entries, tornBytes, damage } = parts.recovered;
    this.recovery = { entries, tornBytes, damage: damage.length };
  }

  /** Takes the directory, folds the log, begins a new epoch, durably. Throws DiskError, or Error when a newer format is found. */
  static async open(options: BrokerOptions): Promise<Broker> {
    const broker = new Broker(new Assembly(options));
    await broker.shard.settled();
    return broker;
  }

  /** Everything appended is durable when it resolves; nothing is accepted any more. After a lost journal it only ends. */
  async close(): Promise<void> {
    this.publisher.stopping = true;
    this.maintenance.stop();
    await this.shard.quiet();
    if (this.shard.log.lost === null) this.maintenance.lastSnapshot();
    this.shard.log.close();
    this.journal.close();
  }

  /** The log itself, for measurements. */
  get log(): Log {
    return this.shard.log;
  }

  get epoch(): number {
    return this.journal.epoch;
  }

  get clusterId(): string {
    return this.tables.catalog.clusterId;
  }

  nowMs(): TimeMs {
    return this.shard.log.storeTimeMs();
  }

  get topicDefaults(): Readonly<TopicAttributes> {
    return this.names.defaults;
  }

  // ---------------------------------------------------------------- names

  topic(namespace: string, name: string): Topic | null {
    return this.tables.catalog.topic(namespace, 'topic', name);
  }

  topicOfKind(namespace: string, kind: TopicKind, name: string): Topic | null {
    const topic = this.tables.catalog.topic(namespace, kind, name);
    return topic?.kind === kind ? topic : null;
  }

  topicByUuid(uuid: string): Topic | null {
    return this.tables.catalog.topicByUuid(uuid);
  }

  topics(principal: Principal, namespace: string, all = false): Topic[] {
    return this.names.topics(principal, namespace, all);
  }

  namespaces(): string[] {
    return this.names.namespaces();
  }

  async createTopic(principal: Principal, spec: TopicSpec): Promise<Topic> {
    const topic = await this.names.createTopic(principal, spec);
    this.used(topic);
    return topic;
  }

  used(topic: Topic): void {
    this.leases.used?.(this.queueOf(topic.queues[0]!));
  }

  async alterTopic(principal: Principal, topic: Topic, change: TopicChange): Promise<Topic> {
    const before = this.tables.catalog.topicById(topic.id)?.queues ?? [];
    const altered = await this.names.alterTopic(principal, topic, change);
    if (altered.queues.length > before.length) this.leases.grown(altered, before);
    return altered;
  }

  async deleteTopic(principal: Principal, topic: Topic): Promise<void> {
    const { catalog } = this.tables;
    const queues = catalog.topicById(topic.id)?.queues ?? [];
    const deleted = this.names.deleteTopic(principal, topic);
    // In memory it is gone at once, if it may be: nothing of it is delivered while its end is made durable.
    if (catalog.topicById(topic.id) === null) this.leases.forgetQueues(queues);
    await deleted;
    // Long polls on it find out at once.
    for (const queue of topic.queues) this.waiters.advanced(queue, Number.POSITIVE_INFINITY);
  }

  queue(number: QueueNumber): QueueState | null {
    const queue = this.tables.queues.get(number);
    const topic = this.tables.catalog.topicOf(number);
    if (queue === undefined || topic === null) return null;
    return {
      number,
      topic,
      id: queue.id,
      startOffset: queue.start,
      endOffset: queue.visible,
      stableOffset: queue.visible,
    };
  }

  async moveStart(principal: Principal, number: QueueNumber, offset: Offset): Promise<Offset> {
    const queue = this.queueOf(number);
    const topic = this.tables.catalog.topicOf(number)!;
    authoriseOn(this, principal, 'delete', topic);
    if (offset > queue.visible)
      throw new BrokerError('argument-invalid', `offset ${offset} is behind the end ${queue.visible}`);
    if (offset > queue.start) this.shard.moveStart(queue, offset);
    await this.shard.settled();
    return queue.start;
  }

  async purge(principal: Principal, topic: Topic): Promise<number> {
    authoriseOn(this, principal, 'update', topic);
    const group = this.tables.catalog.groupById(topic.ownGroup);
    if (group === null) throw new BrokerError('argument-invalid', `'${topic.name}' is not a queue`);
    return topic.queues.reduce((count, queue) => count + this.leases.purge(group, this.queueOf(queue)), 0);
  }

  private queueOf(number: QueueNumber): Queue {
    const queue = this.tables.queues.get(number);
    if (queue === undefined) throw new BrokerError('queue-not-found', `there is no queue ${number}`);
    return queue;
  }

  // ---------------------------------------------------------------- publishing

  append(principal: Principal, append: Append, target: AppendTarget, token: number): number {
    return this.publisher.append(principal, append, target, token);
  }

  transact(...args: Parameters<Verbs['transact']>): number[] {
    return transact(this.leases, this.publisher, ...args);
  }

  async newProducer(principal: Principal): Promise<ProducerIdentity> {
    if (!this.tables.access.allowsSome(principal, 'publish', 'topic'))
      this.authorise(principal, 'publish', 'cluster', '', '');
    const producerId = this.tables.producers.free();
    await this.shard.change([{ k: 'producers', next: producerId + 1 }]);
    return { producerId, producerEpoch: 0 };
  }

  // ---------------------------------------------------------------- exchanges and bindings

  exchange(namespace: string, name: string): Exchange | null {
    return this.tables.routing.exchange(namespace, name);
  }

  exchanges(principal: Principal, namespace: string): Exchange[] {
    return this.names.exchanges(principal, namespace);
  }

  createExchange(principal: Principal, exchange: Exchange): Promise<void> {
    return this.names.createExchange(principal, exchange);
  }

  deleteExchange(principal: Principal, namespace: string, name: string): Promise<void> {
    return this.names.deleteExchange(principal, namespace, name);
  }

  bind(principal: Principal, binding: Binding): Promise<void> {
    return this.names.bind(principal, binding);
  }

  unbind(principal: Principal, binding: Binding): Promise<void> {
    return this.names.unbind(principal, binding);
  }

  bindings(_principal: Principal, namespace: string): Binding[] {
    return [...this.tables.routing.bindings(namespace)];
  }

  // ---------------------------------------------------------------- reading by offset

  read(
    principal: Principal,
    number: QueueNumber,
    offset: Offset,
    limits: ReadLimits,
    into: ReadBatch,
    waiter: Waiter,
  ): ReadStatus {
    const queue = this.queueOf(number);
    if (this.tables.access.secured) {
      const topic = this.tables.catalog.topicOf(number)!;
      authoriseOn(this, principal, 'consume', topic);
    }
    return this.reader.read(queue, offset, limits, into, waiter);
  }

  prefetch(...[number, ...how]: Parameters<Verbs['prefetch']>): void {
    this.reader.prefetch(this.tables.queues.get(number), ...how);
  }

  wait(waiter: Waiter, queues: readonly QueueNumber[], ends: readonly Offset[], deadlineMs: TimeMs): void {
    this.waiters.wait(waiter, queues, ends, deadlineMs);
  }

  cancelWait(waiter: Waiter): void {
    this.waiters.cancel(waiter);
  }

  messages(unit: ReadUnit): readonly Message[] {
    return this.reader.messages(unit);
  }

  offsetByStoreTime(queue: QueueNumber, timeMs: TimeMs): Promise<FoundOffset | null> {
    return this.reader.offsetByStoreTime(this.queueOf(queue), timeMs);
  }

  offsetByRecordTime(queue: QueueNumber, timeMs: TimeMs): Promise<FoundOffset | null> {
    return this.reader.offsetByRecordTime(this.queueOf(queue), timeMs);
  }

  offsetOfMaxRecordTime(queue: QueueNumber): Promise<FoundOffset | null> {
    return this.reader.offsetOfMaxRecordTime(this.queueOf(queue));
  }

  async findByKey(
    ...[principal, topic, ...search]: Parameters<Verbs['findByKey']>
  ): Promise<Awaited<ReturnType<Verbs['findByKey']>>> {
    authoriseOn(this, principal, 'consume', topic);
    return findByKey({ tables: this.tables, repair: this.repair, clock: this.shard.clock }, topic, ...search);
  }

  // ---------------------------------------------------------------- groups, offsets, members

  group(namespace: string, name: string): Group | null {
    return this.tables.catalog.group(namespace, name);
  }

  groupById(id: number): Group | null {
    return this.tables.catalog.groupById(id);
  }

  groups(principal: Principal, namespace: string): Group[] {
    return this.names.groups(principal, namespace);
  }

  ensureGroup(principal: Principal, namespace: string, name: string): Group {
    return this.names.ensureGroup(principal, namespace, name);
  }

  alterGroup(principal: Principal, group: Group, attributes: Partial<GroupAttributes>): Promise<Group> {
    return this.names.alterGroup(principal, group, attributes);
  }

  async deleteGroup(principal: Principal, group: Group): Promise<void> {
    if (this.membership.count(group) > 0)
      throw new BrokerError('group-not-empty', `group '${group.name}' has ${this.membership.count(group)} members`);
    const deleted = this.names.deleteGroup(principal, group);
    this.leases.forget((line) => this.tables.catalog.groupById(line.group.id) === null);
    await deleted;
    this.membership.forget(group);
  }

  commitOffsets(
    principal: Principal,
    group: Group,
    offsets: readonly OffsetCommit[],
    target: CommitTarget | null,
    token: number,
  ): void {
    this.shard.alive();
    this.authorise(principal, 'consume', 'group', group.namespace, group.name);
    const timeMs = this.shard.log.storeTimeMs();
    for (const commit of offsets) {
      const queue = this.queueOf(commit.queue);
      if (this.tables.ledger(group.id, commit.queue) !== undefined)
        this.leases.moveFloor(group as GroupState, queue, commit.offset);
      else this.shard.commitOffset(group.id, commit.queue, commit.offset, commit.epoch, timeMs, commit.metadata);
    }
    if (target !== null) this.shard.afterWrite(target, token);
  }

  committed(group: Group, queue: QueueNumber): CommittedOffset | null {
    const ledger = this.tables.ledger(group.id, queue);
    if (ledger === undefined) return this.tables.offsets.get(group.id, queue);
    return { offset: ledger.floor, metadata: '', epoch: -1, committedAtMs: this.nowMs() };
  }

  committedQueues(group: Group): QueueNumber[] {
    const queues = new Set(this.tables.offsets.queues(group.id));
    for (const row of this.tables.allLedgers()) if (row.group === group.id) queues.add(row.queue);
    return [...queues];
  }

  async deleteOffsets(principal: Principal, group: Group, queues: readonly QueueNumber[]): Promise<void> {
    this.authorise(principal, 'delete', 'group', group.namespace, group.name);
    await this.shard.change([{ k: 'offsets-gone', group: group.id, queues: [...queues] }]);
    this.leases.forget((line) => line.group === group && queues.includes(line.queue.number));
  }

  onMembership(protocol: string, listener: MembershipListener): void {
    this.membership.listen(protocol, listener);
  }

  putMember(principal: Principal, protocol: string, group: Group, member: MemberSpec): Member {
    this.authorise(principal, 'consume', 'group', group.namespace, group.name);
    if (this.membership.count(group) === 0) this.leases.convert(group as GroupState);
    return this.membership.put(protocol, group as GroupState, member);
  }

  touchMember(group: Group, memberId: string): boolean {
    return this.membership.touch(group, memberId);
  }

  removeMember(group: Group, memberId: string): boolean {
    return this.membership.remove(group, memberId);
  }

  members(group: Group): Member[] {
    return this.membership.members(group);
  }

  putGeneration(
    principal: Principal,
    group: Group,
    generation: number,
    data: Buffer | null,
    target: CommitTarget | null,
    token: number,
  ): void {
    this.shard.alive();
    this.authorise(principal, 'consume', 'group', group.namespace, group.name);
    this.shard.appendEvents([{ k: 'generation', group: group.id, generation, data }]);
    if (target !== null) this.shard.afterWrite(target, token);
  }

  setGroupDue(group: Group, atMs: TimeMs): void {
    this.membership.setDue(group as GroupState, atMs);
  }

  lockQueue(group: Group, queue: QueueNumber, owner: string, leaseMs: number): boolean {
    return this.membership.lock(group, queue, owner, leaseMs);
  }

  unlockQueue(group: Group, queue: QueueNumber, owner: string): void {
    this.membership.unlock(group, queue, owner);
  }

  locked(group: Group): boolean {
    return this.membership.locked(group);
  }

  // ---------------------------------------------------------------- reading by lease

  subscribe(principal: Principal, consumer: LeaseConsumer): void {
    const group = consumer.group as GroupState;
    const queues = consumer.queues.map((number) => this.queueOf(number));
    for (const queue of queues) {
      const topic = this.tables.catalog.topicById(queue.topic)!;
      authoriseOn(this, principal, 'consume', topic);
    }
    if (this.membership.count(group) > 0)
      throw new BrokerError('group-in-use', `group '${group.name}' has ${group.protocol} members: stop them first`);
    this.leases.subscribe(consumer, group, queues);
  }

  unsubscribe(consumer: LeaseConsumer, keep = false): void {
    this.leases.unsubscribe(consumer, keep);
  }

  resume(consumer: LeaseConsumer): void {
    this.leases.resume(consumer);
  }

  consumers(group: Group, queue: QueueNumber): number {
    return this.leases.consumerCount(group as GroupState, queue);
  }

  leaseOne(
    principal: Principal,
    group: Group,
    number: QueueNumber,
    holder: object,
    leaseMs: number,
    take: (leased: Leased) => void,
  ): boolean {
    this.shard.alive();
    const queue = this.queueOf(number);
    const topic = this.tables.catalog.topicById(queue.topic)!;
    authoriseOn(this, principal, 'consume', topic);
    return this.leases.leaseOne(group as GroupState, queue, holder, leaseMs, take);
  }

  release(holder: object): void {
    this.leases.release(holder);
  }

  settle(group: Group, queue: QueueNumber, offset: Offset, outcome: Outcome, delayMs = 0): boolean {
    return this.leases.settle(group as GroupState, queue, offset, outcome, delayMs);
  }

  ledger(group: Group, queue: QueueNumber): LedgerState {
    return this.leases.state(group as GroupState, this.queueOf(queue));
  }

  // ---------------------------------------------------------------- access

  get secured(): boolean {
    return this.tables.access.secured;
  }

  users(principal: Principal): User[] {
    this.authorise(principal, 'describe', 'cluster', '', '');
    return this.tables.access.users();
  }

  async putUser(principal: Principal, name: string, password: string): Promise<void> {
    this.authorise(principal, 'update', 'cluster', '', '');
    const rows = await this.passwords.rows(name, password);
    await this.shard.change(rows.map((row) => ({ k: 'credential', row })));
  }

  verifySignature(name: string, parts: readonly Buffer[], signature: Buffer, host: string): Principal | null {
    return this.passwords.isSignedBy(this.tables.access, name, parts, signature) ? { name, host } : null;
  }

  async deleteUser(principal: Principal, name: string): Promise<void> {
    this.authorise(principal, 'update', 'cluster', '', '');
    await this.shard.change([{ k: 'user-gone', name }]);
  }

  async authenticate(name: string, password: string, host: string): Promise<Principal | null> {
    return (await this.tables.access.verify(name, password)) ? { name, host } : null;
  }

  async putRule(principal: Principal, rule: AccessRule): Promise<void> {
    this.authorise(principal, 'update', 'cluster', '', '');
    await this.shard.change([{ k: 'rule', row: rule }]);
  }

  async deleteRule(principal: Principal, id: string): Promise<void> {
    this.authorise(principal, 'update', 'cluster', '', '');
    await this.shard.change([{ k: 'rule-gone', id }]);
  }

  rules(principal: Principal): AccessRule[] {
    this.authorise(principal, 'describe', 'cluster', '', '');
    return this.tables.access.rules();
  }

  allows(principal: Principal, action: Action, resource: ResourceKind, namespace: string, name: string): boolean {
    return principal === BROKER || this.tables.access.allows(principal, action, resource, namespace, name);
  }

  authorise(principal: Principal, action: Action, resource: ResourceKind, namespace: string, name: string): void {
    if (principal === BROKER || !this.tables.access.secured) return;
    this.tables.access.authorise(principal, action, resource, namespace, name);
  }

  // ---------------------------------------------------------------- settings

  setting(scope: string, key: string): string | null {
    return this.tables.settings.get(scope, key);
  }

  settings(scope: string): ReadonlyMap<string, string> {
    return this.tables.settings.all(scope);
  }

  async putSetting(principal: Principal, scope: string, key: string, value: string | null): Promise<void> {
    this.authorise(principal, 'update', 'cluster', '', '');
    this.tables.settings.check(scope, key, value);
    await this.shard.change([{ k: 'setting', scope, key, value }]);
  }

  // ---------------------------------------------------------------- pressure

  get storageFull(): boolean {
    return this.publisher.full;
  }

  storage(): StorageState {
    return storageState(this.tables.queues.all(), this.journal, this.disk);
  }
}
