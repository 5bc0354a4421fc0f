/**
 * Every noun of the core on one page. The core speaks RocketMQ's language (topic, queue, group, offset, tag, key) and
 * knows no protocol by name. Stored nouns come first, nouns that live in memory only come last.
 *
 * Numbers: offsets, positions and times are JavaScript numbers and always safe integers; the edges of the wire check.
 */

/** Logical byte address in the shard's log; grows for ever, never a file offset. */
export type Position = number;
/** Place of a message in its queue: dense, from 0, one space per queue for all protocols. */
export type Offset = number;
/** Number of a queue in the shard: given at creation, never reused, below 2^23. */
export type QueueNumber = number;
export type TopicId = number;
export type GroupId = number;
/** Milliseconds since the Unix epoch in the broker's own time, which never falls (see Clock). */
export type TimeMs = number;
/** Times of records are kept from 0 to here, what lies outside as the nearer of the two; the record itself has its own. */
export const RECORD_TIME_MAX: TimeMs = 2 ** 48 - 1;
/** Says which codec wrote a payload; the core never looks inside. Tags are given at composition, see Codec. */
export type FormatTag = number;

/** The format the core itself can write: one canonical Message, see core/log/record.ts. */
export const FORMAT_CANONICAL: FormatTag = 4;

export const QUEUE_NUMBER_MAX = 0x7fffff;
export const NAME_BYTES_MAX = 255;
/** tagHash of a unit without tag, and of a unit whose records differ (readers must look inside). */
export const TAG_NONE = 0;
export const TAG_MIXED = -0x80000000;

// ---------------------------------------------------------------- names

/**
 * `topic` and `queue` share one flat name space per namespace (a name is either a log topic or an until-consumed
 * queue, creation of the other kind is refused); `retry` and `dead-letter` are named by their group and are not listed
 * to protocols that do not know them; `system` is reserved for the broker.
 */
export type TopicKind = 'topic' | 'queue' | 'retry' | 'dead-letter' | 'system';

export type FlushLevel = 'sync' | 'async';

/**
 * `log`: kept by time and size. `consumed`: an entry is dead when the queue's own group has settled it.
 * -1 means without limit.
 */
export type Retention = { mode: 'log'; timeMs: number; bytes: number } | { mode: 'consumed' };

export interface TopicAttributes {
  /** When an append is acknowledged and visible: after the sync, or after the write. */
  flush: FlushLevel;
  retention: Retention;
  /** Largest stored payload of one append, in bytes. */
  messageBytesMax: number;
  /** Queue kinds only: what happens to a rejected, expired or over-delivered message; null drops it. */
  deadLetter: DeadLetterTarget | null;
  /** Queue kinds only: time to live of each message, -1 for ever. */
  messageTtlMs: number;
  /** Queue kinds only: rejected as over-delivered after so many deliveries, -1 never. */
  deliveriesMax: number;
  /** Queue kinds only: what the queue does by itself. */
  rules?: QueueRules;
  /** What only one protocol understands, kept for it word for word (configuration entries, declare arguments). */
  extra: Record<string, string>;
}

/** What a queue does by itself. What is absent is not asked for. */
export interface QueueRules {
  /** Most messages, and most bytes of bodies, that may be ready: waiting and held by nobody. */
  readyMax?: number;
  readyBytesMax?: number;
  /**
   * What makes room: the head is dropped (dead-lettered where the queue says so) when a message has come, or the new
   * message is refused, as a dead letter or without trace.
   */
  overflow?: 'drop-head' | 'refuse' | 'refuse-dead-letter';
  /** Deleted when it had no consumer for so long and nobody asked for it. */
  unusedMs?: number;
  /** One consumer at a time is given messages: the first; the others wait for its end. */
  singleActive?: boolean;
}

/** A dead letter is published to this exchange ('' = to the queue named by the routing key). Null key: keep the message's own. */
export interface DeadLetterTarget {
  exchange: string;
  routingKey: string | null;
}

export interface Topic {
  readonly id: TopicId;
  readonly namespace: string;
  readonly kind: TopicKind;
  readonly name: string;
  /** 16 random bytes in hex, stable for the topic's life; a topic created anew under the same name has another one. */
  readonly uuid: string;
  /** Shard-wide queue numbers; the array index is the queue id (partition) that protocols see. */
  readonly queues: readonly QueueNumber[];
  /** Changes whenever the set of queues does; `order` says whether a key stays in its queue across the change. */
  readonly layout: { readonly id: number; readonly ordered: boolean; readonly parents: readonly number[] };
  readonly attributes: TopicAttributes;
  /** The implicit group of a `queue` topic, 0 for the other kinds. */
  readonly ownGroup: GroupId;
}

export interface TopicSpec {
  namespace: string;
  kind: TopicKind;
  name: string;
  queues: number;
  attributes?: Partial<TopicAttributes>;
  /** Protocol tag of the creator: names that are reserved for a protocol are created by it alone. */
  owner?: string;
}

/** Names of topics and queues that mean something to one protocol. */
export interface ReservedNames {
  readonly owner: string;
  readonly pattern: RegExp;
}

export interface TopicChange {
  /** New number of queues; only growth is accepted. Makes an unordered layout. */
  queues?: number;
  attributes?: Partial<TopicAttributes>;
}

export interface GroupAttributes {
  /** Deliveries before a message is dead-lettered; -1 without limit. */
  deliveriesMax: number;
  /** What only one protocol understands. */
  extra: Record<string, string>;
}

export interface Group {
  readonly id: GroupId;
  readonly namespace: string;
  readonly name: string;
  readonly attributes: GroupAttributes;
  /** Bumped by the protocol that runs the group; logged, so it never falls. */
  readonly generation: number;
  /** Protocol tag of the members at work, '' when there are none. One protocol at a time holds a group. */
  readonly protocol: string;
  /** The protocol's own state of the group at its last generation (assignments …), opaque to the core. */
  readonly data: Buffer | null;
}

/** A member is in memory only; it goes when it leaves or when its deadline passes. */
export interface Member {
  readonly group: GroupId;
  readonly id: string;
  readonly clientId: string;
  readonly host: string;
  /** Topics it subscribes to, canonical names; empty when the protocol does not say. */
  readonly topics: readonly string[];
  /** The protocol's own description of the member (subscriptions, metadata), opaque to the core. */
  readonly data: Buffer | null;
  deadlineMs: TimeMs;
}

export interface CommittedOffset {
  offset: Offset;
  /** Text the client stored beside the offset, '' when none. */
  metadata: string;
  /** Epoch the client saw at that offset, -1 when unknown. */
  epoch: number;
  committedAtMs: TimeMs;
}

// ---------------------------------------------------------------- exchanges and bindings

/** `hash` gives each message to one of its bindings, whose routing keys say how large a share they take. */
export type ExchangeType = 'direct' | 'fanout' | 'topic' | 'headers' | 'hash';

/** A routing table. One with a log topic's name *is* that topic: publishing to it also appends there. */
export interface Exchange {
  readonly namespace: string;
  readonly name: string;
  readonly type: ExchangeType;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  /** Where a message goes that none of its bindings takes. */
  readonly alternate?: string;
  /** What a `hash` exchange hashes instead of the routing key. */
  readonly hashOn?: { readonly header: string } | { readonly property: HashedProperty };
  /** Messages may be held before they are routed: see Append.notBeforeMs. */
  readonly holds?: boolean;
  readonly extra: Readonly<Record<string, string>>;
}

export type HashedProperty = 'messageId' | 'correlationId' | 'timestampMs';

/**
 * Binds a queue to an exchange, or, when no such exchange exists, to the log topic of that name (which behaves as a
 * topic exchange: a record's routing key is its key, else its tag, else '').
 */
export interface Binding {
  readonly namespace: string;
  readonly source: string;
  readonly destinationKind: 'queue' | 'exchange';
  readonly destination: string;
  readonly routingKey: string;
  /** Arguments in a canonical text form chosen by the protocol; part of the binding's identity; '' when none. */
  readonly arguments: string;
  /** For headers exchanges: what to match. */
  readonly match: { readonly mode: 'all' | 'any'; readonly headers: readonly WantedHeader[] } | null;
}

export interface WantedHeader extends Header {
  /** Markers of values that may be equal to this one, '' for none; absent: its own alone. */
  readonly types?: readonly string[];
}

// ---------------------------------------------------------------- messages

/**
 * A header's value is bytes. `type` is a free marker that lets the protocol that wrote it restore a typed value;
 * absent means text.
 */
export interface Header {
  name: string;
  value: Buffer | null;
  type?: string;
}

/**
 * The canonical message: what every format converts to and from. A field that is absent was not said by the producer.
 * Headers keep order and duplicates. What a protocol cannot express it keeps in headers and takes back on the way home
 * (specs/<protocol>/MAPPING.md lists each narrowing).
 */
export interface Message {
  /** Null is a tombstone, which is not the same as an empty body. */
  body: Buffer | null;
  key: Buffer | null;
  tag: string | null;
  headers: Header[];
  /** When the producer says it was born. */
  timestampMs: TimeMs;
  /** Where it was published to, when that differs from the key: the exchange and routing key of the publisher. */
  exchange?: string;
  routingKey?: string;
  messageId?: string;
  correlationId?: string;
  replyTo?: string;
  contentType?: string;
  contentEncoding?: string;
  /** Time to live as the producer said it, in milliseconds. */
  expirationMs?: number;
  priority?: number;
  persistent?: boolean;
  type?: string;
  userId?: string;
  appId?: string;
}

/** Why and from where a message died; it travels with the dead letter. */
export interface Death {
  reason: 'rejected' | 'expired' | 'delivery-limit' | 'max-length';
  topic: string;
  queue: number;
  offset: Offset;
  group: string;
  attempts: number;
  atMs: TimeMs;
  /** Where the dead letter is published to, when the rule of its queue says so. */
  target?: DeadLetterTarget;
}

/**
 * Reads one stored format. Registered by tag at composition; pure; may be handed to a worker.
 * `decode` gives all records of the payload in order, bounded by `bytesMax` of decoded size (throws BrokerError
 * `corrupt-message` or `message-too-large` beyond it).
 */
export interface Codec {
  readonly format: FormatTag;
  readonly name: string;
  decode(payload: Buffer, bytesMax: number): Message[];
  /**
   * The one message of the payload as bindings see it: with all headers its publisher gave it, also those that `decode`
   * takes for something else. Without this hook what `decode` gives.
   */
  routed?(payload: Buffer): Message;
  /** Writes what only the broker knows into a payload that has just been copied to the log's tail (base offset, epoch). */
  stamp?(payload: Buffer, baseOffset: Offset, epoch: number): void;
  /** The dead letter's payload for record `record`; without this hook the core writes a canonical record. */
  deadLetter?(payload: Buffer, record: number, death: Death): DeadLetter;
  /** Bytes of the body, for limits on what may wait; without this hook those of the payload. */
  bodyBytes?(payload: Buffer): number;
}

export interface StoredPayload {
  format: FormatTag;
  payload: Buffer;
  key: Buffer | null;
  tag: string | null;
}

export interface DeadLetter extends StoredPayload {
  /** Routing keys it is published by beside the first. */
  copies?: readonly string[];
  /** Queues it came through without anybody rejecting it: there it must not go again, else it would for ever. */
  avoid?: readonly string[];
}

// ---------------------------------------------------------------- in memory: reading

/** Bits of a unit's flags, stored with it. */
export const UNIT = {
  /** Occupies offsets but holds nothing to deliver (a transaction's outcome). */
  control: 1,
  /** Belongs to a transaction of its producer. */
  transactional: 2,
  /** The payload's records are compressed. */
  compressed: 4,
  /** Written again by a later entry (the store time is the original one). */
  moved: 8,
  /** The producer did not ask for durability; may be dropped at recovery. */
  transient: 16,
} as const;

/**
 * A unit as it lies in a queue: `count` consecutive offsets from `baseOffset` which are the records
 * `firstRecord … firstRecord + count - 1` of the payload. The payload is a slice of memory that is written once and never
 * used again for anything else (unless `lasting` is false): never write to it. It may be held, but it holds the whole buffer it lies in (a chunk of
 * the log's tail or a window of cold bytes, some MiB), so whoever holds many, or for long, bounds them or copies.
 */
export interface ReadUnit {
  baseOffset: Offset;
  count: number;
  firstRecord: number;
  format: FormatTag;
  flags: number;
  tagHash: number;
  storeTimeMs: TimeMs;
  recordTimeMaxMs: TimeMs;
  /** When the message dies unread, 0 never. */
  expiryMs: TimeMs;
  priority: number;
  /** Position of the entry that holds it now; an identity for caches, never shown to clients. */
  position: Position;
  payload: Buffer;
  /** False: the payload is good until the end of the turn, because its reader said that it is `brief`. */
  lasting: boolean;
}

/**
 * Which payloads a reader is done with at the end of its turn, so that their memory is used again: none, those that came
 * from the disk, or all. It may not append before it is done with them.
 */
export type Brief = 'no' | 'cold' | 'all';

/** Result of a read by offset; owned by the caller and reused from call to call. */
export interface ReadBatch {
  units: ReadUnit[];
  readonly brief?: Brief;
  /** Bytes of the payloads in `units`. */
  bytes: number;
  /** Where to go on reading: behind the last unit looked at, whether it passed the filter or not. */
  nextOffset: Offset;
  /** First offset still kept, and the first not yet visible. */
  startOffset: Offset;
  endOffset: Offset;
}

/**
 * `found`: at least one unit. `filtered`: units were looked at, none passed the filter, nextOffset moved.
 * `empty`: offset is the end. `too-small` / `too-large`: outside [startOffset, endOffset].
 * `pending`: the bytes are cold and on their way; the waiter is woken when the same call will succeed.
 */
export type ReadStatus = 'found' | 'filtered' | 'empty' | 'too-small' | 'too-large' | 'pending';

export interface ReadLimits {
  bytesMax: number;
  /** At most so many offsets (not units); the last unit may exceed it when it is the first. */
  recordsMax: number;
  /** Units whose tagHash is neither in here nor TAG_MIXED are skipped; null passes all. */
  tagHashes: ReadonlySet<number> | null;
  /**
   * Where entries of others lie between those of the queue, no more is fetched once there is so much. Those of queues
   * that were written together lie between each other: who reads many queues and takes a little of each finds them in
   * the same bytes, where much of one would pass the log once for each queue.
   */
  scatteredBytesMax?: number;
}

/** What a prefetch has found; owned by the caller and reused from call to call. */
export interface Prefetched {
  /** About so many bytes a read would give: they are in memory or on their way. */
  bytes: number;
  /** They are on their way: the waiter is woken when they are there. */
  pending: boolean;
}

/** A parked request. `wake` comes at most once per registration, in a turn of its own. */
export interface Waiter {
  wake(reason: 'data' | 'timeout'): void;
}

// ---------------------------------------------------------------- in memory: leases

/** One message handed out by lease. The object is reused: take what you need before returning. */
export interface Leased {
  queue: QueueNumber;
  offset: Offset;
  /** How many times it has been delivered to this group before. */
  deliveries: number;
  /** Delivered before, or perhaps delivered before a restart. */
  redelivered: boolean;
  unit: ReadUnit;
  /** Index of the record in the unit's payload. */
  record: number;
}

/**
 * A consumer that is pushed to for as long as it has capacity. Its leases are bound to it: unsubscribing returns what
 * it has not settled, in order, to its original place.
 */
export interface LeaseConsumer {
  readonly group: Group;
  readonly queues: readonly QueueNumber[];
  /** Higher first, while it has capacity. */
  readonly priority: number;
  /** Refuses every other consumer of the same group and queues. */
  readonly exclusive: boolean;
  /** Settled at delivery. */
  readonly autoSettle: boolean;
  /** How many messages it takes now. Asked before each delivery: keep it a field access. */
  capacity(): number;
  /** The payload is good until this returns. */
  deliver(leased: Leased): void;
  /** The queue or group is gone; no further call comes. */
  cancelled(): void;
}

/**
 * `done`: settled. `requeue`: back to its place, delivered again as soon as somebody wants it. `retry`: the same, not
 * before `delayMs`. `reject`: dead-lettered by the queue's or group's rule, or dropped when there is none.
 */
export type Outcome = 'done' | 'requeue' | 'retry' | 'reject';

// ---------------------------------------------------------------- in memory: who asks, and the world outside

export interface Principal {
  readonly name: string;
  /** Address the connection came from, for rules on sources and for the log. */
  readonly host: string;
}

export type Action = 'publish' | 'consume' | 'create' | 'update' | 'delete' | 'describe';
export type ResourceKind = 'namespace' | 'topic' | 'group' | 'cluster';

/** Any DENY that matches wins; no match denies, once a user exists. A pattern ending in '*' is a prefix. */
export interface AccessRule {
  readonly id: string;
  readonly user: string;
  readonly allow: boolean;
  readonly actions: readonly Action[];
  readonly resource: ResourceKind;
  readonly namespace: string;
  readonly pattern: string;
}

/** Broker time: wall time at start plus monotonic time, slewed towards wall time, never falling. */
export interface Clock {
  nowMs(): TimeMs;
  /** Time goes on from here at least: what the log says of an earlier run, whatever the wall clock says now. */
  notBefore(timeMs: TimeMs): void;
  /** Calls `callback(argument)` once, not before `delayMs` from now. Returns a handle for clear. */
  setTimer(delayMs: number, callback: (argument: unknown) => void, argument?: unknown): number;
  clearTimer(handle: number): void;
  /** Runs the callback after the I/O events of this turn: where a turn's appends are written. */
  afterTurn(callback: () => void): void;
}

export interface Random {
  /** Fills the buffer with random bytes and returns it. */
  bytes(target: Buffer): Buffer;
}

/** CRC-32C over bytes [start, end) continuing from `seed` (0 to begin), as an unsigned 32-bit number. */
export type Crc32c = (bytes: Buffer, start: number, end: number, seed: number) => number;
