/**
 * The verbs: all that an adapter or the gateway may ask of the core. broker.ts implements them.
 *
 * Rules that hold for every verb:
 * - Each takes a Principal where something is read or changed for a client, and the core alone authorises.
 * - A refusal is thrown as BrokerError, synchronously for hot verbs, as a rejection for those that return a promise.
 * - "Committed" means durable at the topic's level (flush `sync`: synced; `async`: written). No answer, no visible end,
 *   no delivery and no promise here resolves before that. If the journal fails, nothing is answered at all: every
 *   connection is dropped (`Signals.journalLost`) and the state is folded again.
 * - Hot verbs (append, read, wait, lease, settle, commitOffsets) create no promise and no closure.
 */

import type { Signals } from './signals.ts';
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
  Position,
  Prefetched,
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

export { keyHashOf } from './log/key-index.ts';

/** Words by which one append can be found; an entry counts them with 16 bits. */
export const KEYS_MAX = 65_535;

/**
 * What is to be appended; reuse one per connection. The payload is copied during the call.
 * Set `topic` and `queue`, or `exchange`.
 */
export interface Append {
  /** Destination topic, or null when `exchange` is set. */
  topic: Topic | null;
  /** Queue id within the topic (0 …), or -1: the core places by `key` (murmur2, positive modulo), round robin without key. */
  queue: number;
  /** Publish through this exchange ('' the default one: to the queue or topic named by the routing key). */
  exchange: string | null;
  /** Namespace of `exchange`. */
  namespace: string;
  /** Routing key of a single-record payload; null for batches and where key or tag say it (then the core decodes if a binding asks). */
  routingKey: string | null;
  format: number;
  payload: Buffer;
  /** Records in the payload; as many offsets are given out. */
  records: number;
  /** Record key for placement, when `queue` is -1. */
  key: Buffer | null;
  /** Java String.hashCode of the tag of all records, TAG_NONE, or TAG_MIXED. */
  tagHash: number;
  /**
   * Hashes (`keyHash`) of the words by which findByKey finds the message again, at most `KEYS_MAX` of them; null for none.
   * All of them find all records of the payload: who asks looks inside.
   */
  keys: readonly number[] | null;
  /** Largest record time in the payload. */
  recordTimeMaxMs: TimeMs;
  /** UNIT bits. */
  flags: number;
  /** Idempotent producer, -1 for none; then epoch and sequence of the first record. */
  producerId: number;
  producerEpoch: number;
  baseSequence: number;
  /** When the message dies unread, 0 never. */
  expiryMs: TimeMs;
  priority: number;
  /** Not visible before this time (kept by the due list), 0 at once. Through an exchange: one that holds, which routes it then. */
  notBeforeMs: TimeMs;
  /** Further routing keys: each queue takes one copy, however many of its bindings match. */
  copies?: readonly string[] | null;
  /** Set by the call: how many queues refused it because they are full. They are not among those it returns. */
  refused?: number;
}

/**
 * Where the outcome of appends goes. Calls come in a later turn, many per turn, in the order of the appends of the same
 * flush level: an append to an `async` topic may be answered before an earlier one to a `sync` topic.
 */
export interface AppendTarget {
  /**
   * Committed. `token` is the caller's; `queue` and `baseOffset` are those of the first queue that received it
   * (-1 and -1 for a message that is not yet due); `storeTimeMs` is when the broker stored it (for a duplicate of an
   * idempotent producer: offset and time of the original).
   */
  appended(token: number, queue: QueueNumber, baseOffset: Offset, storeTimeMs: TimeMs): void;
}

/** The end of one lease, as part of a transaction. */
export interface Settle {
  group: Group;
  queue: QueueNumber;
  offset: Offset;
}

export interface OffsetCommit {
  queue: QueueNumber;
  offset: Offset;
  metadata: string;
  epoch: number;
}

export interface CommitTarget {
  /** The offsets are in the log (never waits for a sync). */
  committed(token: number): void;
}

export interface QueueState {
  readonly number: QueueNumber;
  readonly topic: Topic;
  /** Id within its topic. */
  readonly id: number;
  /** First offset kept. */
  readonly startOffset: Offset;
  /** First offset not yet visible: the high watermark. */
  readonly endOffset: Offset;
  /** First offset of the oldest open transaction, else endOffset. */
  readonly stableOffset: Offset;
}

export interface LedgerState {
  /** All below is settled: the committed offset that everybody sees. */
  readonly floor: Offset;
  readonly ready: number;
  readonly inFlight: number;
}

export interface StorageState {
  /** The log from the first byte that is kept to behind the last, in its positions. */
  readonly startPosition: Position;
  readonly endPosition: Position;
  /** Bytes of entries kept, and bytes that the disk has left. */
  readonly keptBytes: number;
  readonly freeBytes: number;
  /** When the oldest message that is kept was stored; null when there is none. */
  readonly oldestMs: TimeMs | null;
}

export interface FoundOffset {
  offset: Offset;
  /** Time of the record found. */
  timeMs: TimeMs;
}

export interface MemberSpec {
  id: string;
  clientId: string;
  host: string;
  topics: readonly string[];
  data: Buffer | null;
  /** It is dropped when it has not been touched for so long. */
  timeoutMs: number;
}

/** How a protocol hears of its groups; one listener per protocol tag, registered at composition. */
export interface MembershipListener {
  /** A member joined, changed or left, for whatever reason; comes in a turn of its own, several changes may be one call. */
  membersChanged(group: Group): void;
  /** This member's deadline passed; it is already gone. membersChanged follows. */
  memberExpired?(group: Group, member: Member): void;
  /** The time set by setGroupDue has come. */
  groupDue?(group: Group): void;
  /** Comes now and then, for what is forgotten by age; see BrokerOptions.retentionIntervalMs. */
  tend?(nowMs: TimeMs): void;
}

export interface ProducerIdentity {
  producerId: number;
  producerEpoch: number;
}

/** Mechanisms of RFC 5802 that passwords are kept for. */
export type ScramMechanism = 'scram-sha-256' | 'scram-sha-512';

/** What checks a password without holding it, and proves to the client that the broker knows it too. */
export interface ScramKeys {
  readonly mechanism: ScramMechanism;
  readonly salt: Buffer;
  readonly iterations: number;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** The newest epoch up to one that was asked for, and the first offset that is not of it or of older ones. */
export interface EpochEnd {
  readonly epoch: number;
  readonly offset: Offset;
}

/** What an idempotent producer wrote last to a queue. */
export interface QueueProducer {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly lastSequence: number;
  readonly lastTimeMs: TimeMs;
}

export interface QueueFactVerbs {
  /** How far the queue was written under an epoch: whether an offset that a reader has is still the one it read. */
  epochEnd(queue: QueueNumber, epoch: number): EpochEnd;
  /** The epoch that an offset was written under, -1 when that is not known. */
  epochOf(queue: QueueNumber, offset: Offset): number;
  /** Bytes of the entries that the queue shows; an entry that several queues show counts in each. */
  bytes(queue: QueueNumber): number;
  /** The idempotent producers that are remembered for a queue. */
  producers(queue: QueueNumber): QueueProducer[];
}

export interface ScramUser {
  readonly name: string;
  readonly mechanism: ScramMechanism;
  readonly iterations: number;
}

/** The salted password of RFC 5802, from a client that hashes for itself. */
export interface SaltedPassword {
  readonly mechanism: ScramMechanism;
  readonly salted: Buffer;
  readonly salt: Buffer;
  readonly iterations: number;
}

export interface ScramVerbs {
  /** Null when the user has no such credential. For the exchange of that mechanism alone: never shown to anybody. */
  keys(name: string, mechanism: ScramMechanism): ScramKeys | null;
  /** Which users have which mechanisms. access-denied. */
  list(principal: Principal): ScramUser[];
  /** Changes one user, as a whole; with the last credential the user goes. argument-invalid, access-denied. */
  alter(
    principal: Principal,
    name: string,
    removals: readonly ScramMechanism[],
    passwords: readonly SaltedPassword[],
  ): Promise<void>;
}

export interface User {
  readonly name: string;
}

export interface Verbs {
  readonly signals: Signals;
  readonly facts: QueueFactVerbs;
  readonly scram: ScramVerbs;
  /** Epoch of this ownership of the shard: grows with every start. */
  readonly epoch: number;
  /** Stable identity of the cluster, made when the data directory was. 22 characters. */
  readonly clusterId: string;
  nowMs(): TimeMs;
  /** What a topic is born with that does not say otherwise. */
  readonly topicDefaults: Readonly<TopicAttributes>;

  // ------------------------------------------------------------ names
  /** The log topic or queue of that name, null when there is none. Throws access-denied only when the name may not be described. */
  topic(namespace: string, name: string): Topic | null;
  /** The same for any kind (retry and dead-letter topics by their group's name). */
  topicOfKind(namespace: string, kind: TopicKind, name: string): Topic | null;
  topicByUuid(uuid: string): Topic | null;
  /** Of the kinds `topic` and `queue`, in order of creation; with `all`, every kind but system. Only what the principal may describe. */
  topics(principal: Principal, namespace: string, all?: boolean): Topic[];
  namespaces(): string[];
  /** topic-exists, name-invalid, name-reserved, limit-exceeded, argument-invalid. */
  createTopic(principal: Principal, spec: TopicSpec): Promise<Topic>;
  alterTopic(principal: Principal, topic: Topic, change: TopicChange): Promise<Topic>;
  /** Deletes the topic with its queues, bindings to it, offsets on it and leases. */
  deleteTopic(principal: Principal, topic: Topic): Promise<void>;
  /** Somebody asked for it: one that goes when it is unused (QueueRules.unusedMs) stays for that much longer. */
  used(topic: Topic): void;
  queue(number: QueueNumber): QueueState | null;
  /** Moves a queue's start forward; what lies below is gone for everybody. Returns the new start. */
  moveStart(principal: Principal, queue: QueueNumber, offset: Offset): Promise<Offset>;
  /** Settles all ready messages of a `queue` topic (or all of a group on a topic); returns how many. */
  purge(principal: Principal, topic: Topic): Promise<number>;

  // ------------------------------------------------------------ publishing
  /**
   * Appends. Returns how many queues take it: 0 means that none does (through an exchange only), nothing was stored and
   * no call comes.
   * Throws: access-denied, topic-not-found, queue-not-found, exchange-not-found, message-too-large, corrupt-message,
   * sequence-out-of-order, producer-fenced, storage-full, overloaded, stopping.
   */
  append(principal: Principal, append: Append, target: AppendTarget, token: number): number;
  /**
   * All of it or nothing, as one entry: every message is appended, and every settlement that is still leased is settled
   * `done`. Answered once. Returns how many queues take each message. Throws as append does, before anything is changed.
   */
  transact(
    principal: Principal,
    appends: readonly Append[],
    settles: readonly Settle[],
    target: AppendTarget,
    token: number,
  ): number[];
  /** A new idempotent producer: committed before it resolves. access-denied (needs `publish` on some topic, or the cluster). */
  newProducer(principal: Principal): Promise<ProducerIdentity>;

  // ------------------------------------------------------------ exchanges and bindings
  exchange(namespace: string, name: string): Exchange | null;
  exchanges(principal: Principal, namespace: string): Exchange[];
  /** exchange-exists when one of that name exists (compare first), name-invalid. */
  createExchange(principal: Principal, exchange: Exchange): Promise<void>;
  deleteExchange(principal: Principal, namespace: string, name: string): Promise<void>;
  /** Idempotent. exchange-not-found, topic-not-found. */
  bind(principal: Principal, binding: Binding): Promise<void>;
  unbind(principal: Principal, binding: Binding): Promise<void>;
  bindings(principal: Principal, namespace: string): Binding[];

  // ------------------------------------------------------------ reading by offset
  /**
   * Fills `into` with units from the one that holds `offset` (whole units: the first may begin below `offset`), at
   * least one if there is one. Only visible units. Cold bytes: returns `pending` and wakes `waiter` when they are there.
   */
  read(
    principal: Principal,
    queue: QueueNumber,
    offset: Offset,
    limits: ReadLimits,
    into: ReadBatch,
    waiter: Waiter,
  ): ReadStatus;
  /**
   * Has the cold bytes fetched that a read with these limits would give. With a waiter: unless half of them are in memory.
   * Without one it is a hint that such a read will come; there is a bound to what is fetched for nobody.
   */
  prefetch(queue: QueueNumber, offset: Offset, limits: ReadLimits, into: Prefetched, waiter: Waiter | null): void;
  /** Wakes `waiter` when a queue's visible end exceeds the offset beside it (at once in the next turn if it does already), or at the deadline. One registration at a time per waiter. */
  wait(waiter: Waiter, queues: readonly QueueNumber[], ends: readonly Offset[], deadlineMs: TimeMs): void;
  cancelWait(waiter: Waiter): void;
  /** All records of the unit's payload, decoded once and cached. Index with firstRecord + i. Throws corrupt-message, message-too-large. */
  messages(unit: ReadUnit): readonly Message[];
  /** First offset stored at or after the time; `end` when none. By the broker's store time. */
  offsetByStoreTime(queue: QueueNumber, timeMs: TimeMs): Promise<FoundOffset | null>;
  /** First record whose own time is at or after the time, exact to the record. */
  offsetByRecordTime(queue: QueueNumber, timeMs: TimeMs): Promise<FoundOffset | null>;
  /** The record with the largest own time, null when empty. */
  offsetOfMaxRecordTime(queue: QueueNumber): Promise<FoundOffset | null>;
  /** The newest `limit` offsets whose keys (see Append.keys) include the word, oldest first, stored within [fromMs, toMs]; hash collisions are possible, so look inside. */
  findByKey(
    principal: Principal,
    topic: Topic,
    key: string,
    limit: number,
    fromMs: TimeMs,
    toMs: TimeMs,
  ): Promise<{ queue: QueueNumber; offset: Offset }[]>;

  // ------------------------------------------------------------ groups, offsets, members
  group(namespace: string, name: string): Group | null;
  groupById(id: number): Group | null;
  groups(principal: Principal, namespace: string): Group[];
  /** The group, created when absent. In memory at once; committed like a settlement. name-invalid, access-denied. */
  ensureGroup(principal: Principal, namespace: string, name: string): Group;
  alterGroup(principal: Principal, group: Group, attributes: Partial<GroupAttributes>): Promise<Group>;
  /** group-not-empty while it has members. */
  deleteGroup(principal: Principal, group: Group): Promise<void>;
  /** Moves the group's place. On a queue read by lease it moves the floor, forward only. */
  commitOffsets(
    principal: Principal,
    group: Group,
    offsets: readonly OffsetCommit[],
    target: CommitTarget | null,
    token: number,
  ): void;
  /** Null when the group has no place on that queue. For a queue read by lease: its floor. */
  committed(group: Group, queue: QueueNumber): CommittedOffset | null;
  /** All queues on which the group has a place. */
  committedQueues(group: Group): QueueNumber[];
  deleteOffsets(principal: Principal, group: Group, queues: readonly QueueNumber[]): Promise<void>;

  /** Says who runs groups under this protocol tag. */
  onMembership(protocol: string, listener: MembershipListener): void;
  /**
   * Adds or replaces a member. Throws group-in-use (with the other protocol's name in the message) when the group's
   * members belong to another protocol, or leases of another protocol are pending.
   */
  putMember(principal: Principal, protocol: string, group: Group, member: MemberSpec): Member;
  touchMember(group: Group, memberId: string): boolean;
  removeMember(group: Group, memberId: string): boolean;
  members(group: Group): Member[];
  /** Logs a new generation with the protocol's own state of it. */
  putGeneration(
    principal: Principal,
    group: Group,
    generation: number,
    data: Buffer | null,
    target: CommitTarget | null,
    token: number,
  ): void;
  /** One timer per group for its protocol; 0 clears it. */
  setGroupDue(group: Group, atMs: TimeMs): void;

  /** Exclusive short leases on a whole queue for ordered readers. True when `owner` holds it now. */
  lockQueue(group: Group, queue: QueueNumber, owner: string, leaseMs: number): boolean;
  unlockQueue(group: Group, queue: QueueNumber, owner: string): void;
  /** True while any queue of the group is held so: its readers are ordered ones. */
  locked(group: Group): boolean;

  // ------------------------------------------------------------ reading by lease
  /** Starts pushing. Throws exclusive-consumer, group-in-use, access-denied. The first delivery comes in a later turn. */
  subscribe(principal: Principal, consumer: LeaseConsumer): void;
  /**
   * Returns everything it has not settled to its place, in order, and stops. Idempotent. With `keep` it stops being a
   * consumer (not counted, no longer exclusive, no delivery) but what it holds stays leased to it, to be settled one
   * by one, or returned by a second call without `keep`.
   */
  unsubscribe(consumer: LeaseConsumer, keep?: boolean): void;
  /** Says that a consumer's capacity grew from zero; deliveries follow in this or a later turn. */
  resume(consumer: LeaseConsumer): void;
  consumers(group: Group, queue: QueueNumber): number;
  /**
   * Takes one message now: calls `take` once and returns true, or returns false when nothing is ready. `holder` is the
   * identity for release. `leaseMs` 0: until released or settled.
   */
  leaseOne(
    principal: Principal,
    group: Group,
    queue: QueueNumber,
    holder: object,
    leaseMs: number,
    take: (leased: Leased) => void,
  ): boolean;
  /** Returns everything the holder of leaseOne calls has not settled. */
  release(holder: object): void;
  /** False when that offset is not leased (already settled, or its lease ended). Logged with the turn, never synced for. */
  settle(group: Group, queue: QueueNumber, offset: Offset, outcome: Outcome, delayMs?: number): boolean;
  ledger(group: Group, queue: QueueNumber): LedgerState;

  // ------------------------------------------------------------ access
  /** False until the first user exists: then everything is allowed and listeners bind loopback only. */
  readonly secured: boolean;
  users(principal: Principal): User[];
  putUser(principal: Principal, name: string, password: string): Promise<void>;
  deleteUser(principal: Principal, name: string): Promise<void>;
  /** The principal when name and password fit, else null; takes as long either way. */
  authenticate(name: string, password: string, host: string): Promise<Principal | null>;
  /**
   * The principal when the signature is HMAC-SHA1 of all the parts under the user's password, else null. It needs the
   * password itself: null for every user whose password was set without a master key.
   */
  verifySignature(name: string, parts: readonly Buffer[], signature: Buffer, host: string): Principal | null;
  putRule(principal: Principal, rule: AccessRule): Promise<void>;
  deleteRule(principal: Principal, id: string): Promise<void>;
  rules(principal: Principal): AccessRule[];
  /** The same as an answer. */
  allows(principal: Principal, action: Action, resource: ResourceKind, namespace: string, name: string): boolean;
  /** Throws access-denied. Adapters rarely need it: each verb checks for itself. */
  authorise(principal: Principal, action: Action, resource: ResourceKind, namespace: string, name: string): void;

  // ------------------------------------------------------------ settings
  /** A text that was put, null when there is none. The core keeps settings and never reads them. */
  setting(scope: string, key: string): string | null;
  settings(scope: string): ReadonlyMap<string, string>;
  /** Null removes it. Committed when it resolves. access-denied (needs `update` on the cluster), argument-invalid, limit-exceeded. */
  putSetting(principal: Principal, scope: string, key: string, value: string | null): Promise<void>;

  // ------------------------------------------------------------ pressure
  /** True while publishers are refused for lack of space (see Signals.pressure). */
  readonly storageFull: boolean;
  /** What is kept, for administrators: looks at every queue. */
  storage(): StorageState;
}
