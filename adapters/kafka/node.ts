// What all connections of the adapter share: the broker, its identity towards clients, limits, counters.
//
// A Kafka cluster is a set of nodes; we are one node, and the address that we name is the one that the asking client's
// listener advertises.

import type { Clock, Random } from '../../core/types.ts';
import type { Verbs } from '../../core/verbs.ts';
import type { AdapterContext, Address, ConnectionInfo, Logger } from '../adapter.ts';
import { BufferPool } from '../wire/buffer-pool.ts';
import { Writer } from '../wire/writer.ts';
import { Coordinator } from './group/coordinator.ts';
import { Quotas } from './quotas.ts';
import { Telemetry } from './telemetry.ts';

/** Our only node id. Not 0: some tools print that as "none". */
export const NODE_ID = 1;

export interface Limits {
  /** Largest request. */
  readonly frameBytesMax: number;
  /** Largest request of a client that has not logged in. */
  readonly loginFrameBytesMax: number;
  /** Time for the first request, and for the login where one is needed. */
  readonly handshakeTimeoutMs: number;
  /** Requests of one connection that may be unanswered before we stop reading from it. */
  readonly callsMax: number;
  /** Most bytes of records in one Fetch response, whatever the client allows; the first batch always goes. */
  readonly fetchBytesMax: number;
  /** Longest that a Fetch is held. */
  readonly fetchWaitMsMax: number;
  /** Replies held for a client that does not read, before it is cut off. */
  readonly heldBytesMax: number;
  readonly sessionTimeoutMsMin: number;
  readonly sessionTimeoutMsMax: number;
  readonly groupMembersMax: number;
  /** Subscriptions of one member, in all its protocols. */
  readonly memberBytesMax: number;
  /** Assignments of all members of a group. */
  readonly assignmentBytesMax: number;
  readonly offsetMetadataBytesMax: number;
  /** Partitions that one request may create. */
  readonly partitionsMax: number;
}

export interface Settings {
  readonly namespace: string;
  readonly autoCreateTopics: boolean;
  readonly defaultPartitions: number;
  /** How long a new group waits for more members before its first assignment (group.initial.rebalance.delay.ms). */
  readonly initialRebalanceDelayMs: number;
  /** A wish for more replicas than the one there is counts as one, instead of being refused. */
  readonly clampReplicas: boolean;
  /** How long a login lasts before the client has to repeat it (connections.max.reauth.ms), 0 for ever. */
  readonly reauthenticationMs: number;
  /** How long offsets stay after the last member has gone and the last commit was made (offsets.retention.minutes). */
  readonly offsetsRetentionMs: number;
  /** How often clients send their own metrics (KIP-714), 0 never. */
  readonly telemetryIntervalMs: number;
}

export const LIMITS: Limits = {
  frameBytesMax: 104_857_600,
  loginFrameBytesMax: 65_536,
  handshakeTimeoutMs: 10_000,
  callsMax: 256,
  fetchBytesMax: 8 * 1024 * 1024,
  fetchWaitMsMax: 60_000,
  heldBytesMax: 128 * 1024 * 1024,
  sessionTimeoutMsMin: 6_000,
  sessionTimeoutMsMax: 1_800_000,
  groupMembersMax: 1_000,
  memberBytesMax: 1024 * 1024,
  assignmentBytesMax: 16 * 1024 * 1024,
  offsetMetadataBytesMax: 4_096,
  partitionsMax: 10_000,
};

export const SETTINGS: Settings = {
  namespace: 'default',
  autoCreateTopics: true,
  defaultPartitions: 1,
  initialRebalanceDelayMs: 0,
  clampReplicas: true,
  reauthenticationMs: 0,
  offsetsRetentionMs: 604_800_000,
  telemetryIntervalMs: 60_000,
};

export class Node {
  readonly broker: Verbs;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly context: AdapterContext;
  readonly limits: Limits;
  readonly settings: Settings;
  /** Replies of all connections are written here, one behind the other. */
  readonly writer = new Writer();
  /** Buffers for requests that cross chunks. */
  readonly frames = new BufferPool();
  /** Buffers for payloads of large replies on their way to the socket. */
  readonly chunks = new BufferPool();
  readonly coordinator: Coordinator;
  readonly quotas: Quotas;
  readonly telemetry: Telemetry;
  readonly counts = {
    requests: 0,
    errors: 0,
    bytesIn: 0,
    produceBatches: 0,
    fetches: 0,
    batchesMade: 0,
    batchesPatched: 0,
    narrowedHeaderTypes: 0,
    rebalances: 0,
    closedByError: 0,
    throttled: 0,
    offsetsExpired: 0,
    telemetryPushes: 0,
  };

  constructor(context: AdapterContext) {
    this.broker = context.broker;
    this.clock = context.clock;
    this.random = context.random;
    this.log = context.log;
    this.context = context;
    this.limits = { ...LIMITS, ...pick(LIMITS, context.limits) };
    // Settings that are numbers come with the limits: both are the protocol's section of the configuration.
    this.settings = { ...SETTINGS, ...pick(SETTINGS, context.limits), ...pick(SETTINGS, context.settings) };
    this.coordinator = new Coordinator(this);
    this.quotas = new Quotas(this.broker);
    this.telemetry = new Telemetry(this);
  }

  /** The address that this client is told to use. */
  address(info: ConnectionInfo): Address {
    return info.advertised(info.listener) ?? info.local;
  }

  /** 32 random hexadecimal digits. */
  randomHex(): string {
    return this.random.bytes(Buffer.alloc(16)).toString('hex');
  }
}

/** The known keys of `given` whose values have the type of the default. */
function pick<T extends object>(known: T, given: Readonly<Record<string, unknown>>): Partial<T> {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(known)) {
    if (typeof given[key] === typeof value) out[key] = given[key];
  }
  return out as Partial<T>;
}
