// The one logical broker (and name server) that RocketMQ clients see, and what all its connections share.
//
// Invariants:
// - it holds no truth: topics and groups are the core's, looked up on every request;
// - a topic is created once however many requests ask for it at the same time;
// - the scratch builders are used within one synchronous stretch of code: append copies before it returns.

import { BrokerError } from '../../core/errors.ts';
import type { Group, Principal, QueueNumber, Retention, TimeMs, Topic, TopicKind } from '../../core/types.ts';
import type { Verbs } from '../../core/verbs.ts';
import {
  DLQ_PREFIX,
  RETRY_PREFIX,
  TEMPLATE_QUEUES,
  TEMPLATE_TOPIC,
  TOPIC_CHARS_MAX,
  TRACE_TOPIC,
} from '../../specs/rocketmq/constants.ts';
import type { AdapterContext, Address, ConnectionInfo } from '../adapter.ts';
import { BufferPool } from '../wire/buffer-pool.ts';
import { Writer } from '../wire/writer.ts';
import { BrokerSettings } from './broker-settings.ts';
import type { Connection } from './connection.ts';
import { Duplicates } from './duplicates.ts';
import { Groups } from './groups.ts';
import { Heartbeats } from './heartbeats.ts';
import type { JsonObject } from './json-body.ts';
import { type Limits, limitsOf } from './limits.ts';
import { addressBytes, HostBytes } from './message-id.ts';
import { type CoreName, coreName, isCut, wireTopic } from './names.ts';
import { Producers } from './producers.ts';
import { Rates } from './rates.ts';
import { PayloadBuilder } from './record.ts';
import { SendProperties } from './send-properties.ts';
import { Statistics } from './statistics.ts';
import { addedProperties } from './stored-message.ts';

/** The namespace of protocols that know none. */
const NAMESPACE = 'default';
/** What RocketMQ keeps unless told otherwise (fileReservedTime). */
const RETENTION: Retention = { mode: 'log', timeMs: 72 * 3_600_000, bytes: -1 };
const NAMES_CACHED_MAX = 20_000;

export class BrokerNode {
  readonly context: AdapterContext;
  readonly broker: Verbs;
  readonly namespace: string;
  readonly brokerName: string;
  readonly clusterName: string;
  /** What every delivered message is given beside its own properties. */
  readonly addedProperties: Buffer;
  readonly settings: BrokerSettings;
  readonly limits: Limits;
  readonly groups: Groups;
  readonly producers = new Producers();
  readonly heartbeats = new Heartbeats();
  readonly rates: Rates;
  readonly statistics = new Statistics();
  readonly duplicates: Duplicates;
  /** For replies that are large; each is written in one stretch. */
  readonly largeWriter = new Writer({ pool: new BufferPool() });
  /** All that are open. */
  readonly connections = new Set<Connection>();
  /** When this node began to serve. */
  readonly bootMs: TimeMs;
  /** For sends, and for messages of other formats that are being read. */
  readonly outgoing = new PayloadBuilder();
  readonly incoming = new PayloadBuilder();
  readonly sendProperties = new SendProperties();
  readonly counts = {
    requests: 0,
    errors: 0,
    unsupported: 0,
    bytesIn: 0,
    messagesIn: 0,
    messagesOut: 0,
    conversions: 0,
    headersDropped: 0,
    pulls: 0,
    pullsEmpty: 0,
    duplicatesSuppressed: 0,
    inconsistentSubscriptions: 0,
  };
  draining = false;
  readonly #names = new Map<string, CoreName | null>();
  /** Which topic a name meant last: its row is looked up by that, without making a key of strings. */
  readonly #uuids = new Map<string, string>();
  readonly #topicBytes = new Map<string, Buffer>();
  readonly #creations = new Map<string, Promise<Topic>>();

  constructor(context: AdapterContext) {
    this.context = context;
    this.broker = context.broker;
    this.namespace = String(context.settings['namespace'] ?? NAMESPACE);
    this.brokerName = String(context.settings['brokerName'] ?? 'rosettamq');
    this.clusterName = String(context.settings['clusterName'] ?? 'DefaultCluster');
    this.addedProperties = addedProperties(this.clusterName);
    this.settings = new BrokerSettings(this.broker, { ...context.settings, ...context.limits });
    this.limits = limitsOf(context.limits);
    this.groups = new Groups(this.broker, context.log, this.counts);
    this.bootMs = context.clock.nowMs();
    this.duplicates = new Duplicates(this.broker, this.broker.nowMs());
    this.rates = new Rates(this.counts, this.bootMs);
  }

  /** The topic that a client means by this name, null when there is none. */
  topic(wireName: string): Topic | null {
    const uuid = this.#uuids.get(wireName);
    if (uuid !== undefined) {
      // The current row of that topic; none when it was deleted, whatever has its name now.
      const known = this.broker.topicByUuid(uuid);
      if (known !== null) return known;
      this.#uuids.delete(wireName);
    }
    const topic = this.#findTopic(wireName);
    if (topic !== null) {
      if (this.#uuids.size >= NAMES_CACHED_MAX) this.#uuids.clear();
      this.#uuids.set(wireName, topic.uuid);
    }
    return topic;
  }

  #findTopic(wireName: string): Topic | null {
    const name = this.coreName(wireName);
    if (name === null) return null;
    const topic =
      name.kind === 'topic'
        ? this.broker.topic(this.namespace, name.name)
        : this.broker.topicOfKind(this.namespace, name.kind, name.name);
    return topic ?? (isCut(wireName) ? this.#findCut(wireName) : null);
  }

  /** The core's name behind a client's; null when it can be none. */
  coreName(wireName: string): CoreName | null {
    let name = this.#names.get(wireName);
    if (name === undefined) {
      name = coreName(wireName);
      if (this.#names.size >= NAMES_CACHED_MAX) this.#names.clear();
      this.#names.set(wireName, name);
    }
    return name;
  }

  /** The bytes of a topic's name as they stand in a stored message. */
  topicBytes(wireName: string): Buffer {
    let bytes = this.#topicBytes.get(wireName);
    if (bytes === undefined) {
      bytes = Buffer.from(wireName);
      if (this.#topicBytes.size >= NAMES_CACHED_MAX) this.#topicBytes.clear();
      this.#topicBytes.set(wireName, bytes);
    }
    return bytes;
  }

  /** Creates a topic unless it is there; concurrent calls share one creation. */
  ensureTopic(
    principal: Principal,
    kind: TopicKind,
    name: string,
    queues: number,
    extra: Readonly<Record<string, string>> = {},
  ): Promise<Topic> {
    const found = this.broker.topicOfKind(this.namespace, kind, name);
    if (found !== null) return Promise.resolve(found);
    const key = `${kind}/${name}`;
    let creation = this.#creations.get(key);
    if (creation === undefined) {
      creation = this.#create(principal, kind, name, queues, extra).finally(() => this.#creations.delete(key));
      this.#creations.set(key, creation);
    }
    return creation;
  }

  /** Pulls of the group on that queue that wait are told that their place was moved. */
  resetPulls(group: Group, queue: QueueNumber): void {
    for (const connection of this.connections) connection.resetPulls(group, queue);
  }

  /** Waiting pulls of a group whose subscription changed. */
  refilterPulls(group: Group): void {
    for (const connection of this.connections) connection.refilterPulls(group);
  }

  /** Version of tables that tools compare: the core keeps none, so it is new with every start. */
  dataVersion(): JsonObject {
    return { counter: 1, stateVersion: 0, timestamp: this.bootMs };
  }

  /** What to tell a client about where the broker is. */
  brokerAddress(info: ConnectionInfo): Address {
    return info.advertised('rocketmq-broker') ?? info.local;
  }

  /** The store host of messages read over this connection: an address, since clients decode it from message ids. */
  storeHost(info: ConnectionInfo): HostBytes {
    const { host, port } = this.brokerAddress(info);
    return new HostBytes(addressBytes(host) === null ? info.local.host : host, port);
  }

  async #create(
    principal: Principal,
    kind: TopicKind,
    name: string,
    queues: number,
    extra: Readonly<Record<string, string>>,
  ): Promise<Topic> {
    try {
      const spec = {
        namespace: this.namespace,
        kind,
        name,
        queues,
        owner: 'rocketmq',
        attributes: { retention: RETENTION, extra: { ...extra } },
      };
      return await this.broker.createTopic(principal, spec);
    } catch (error) {
      // Another protocol may have been faster.
      const found = this.broker.topicOfKind(this.namespace, kind, name);
      if (error instanceof BrokerError && error.code === 'topic-exists' && found !== null) return found;
      throw error;
    }
  }

  /** A name that was cut and hashed cannot be undone, so look which topic is spelled like that. */
  #findCut(wireName: string): Topic | null {
    const anyone = this.context.anonymous('');
    for (const topic of this.broker.topics(anyone, this.namespace, true)) {
      if (wireTopic(topic.kind, topic.name) === wireName) return topic;
    }
    return null;
  }
}

/** Queues of a topic that a send creates: what the client asks for, within those of the template topic. */
export function autoCreatedQueues(asked: number): number {
  return Math.max(1, Math.min(asked, TEMPLATE_QUEUES));
}

/** Topics of the protocol's own that a client may not send to. */
const CLOSED_TOPICS: ReadonlySet<string> = new Set([
  TEMPLATE_TOPIC,
  'SCHEDULE_TOPIC_XXXX',
  'RMQ_SYS_TRANS_HALF_TOPIC',
  'RMQ_SYS_TRANS_OP_HALF_TOPIC',
  'TRANS_CHECK_MAX_TIME_TOPIC',
  'SELF_TEST_TOPIC',
  'OFFSET_MOVED_EVENT',
]);
const OPEN_TOPICS: readonly string[] = [TRACE_TOPIC, 'BenchmarkTest'];

/** Names that belong to the broker of the protocol: nobody may make or delete them. */
export const SYSTEM_TOPICS: readonly string[] = [...CLOSED_TOPICS, ...OPEN_TOPICS];

/** What no other protocol may create: the names above, and what reads as a retry or dead-letter topic. */
export const RESERVED: readonly RegExp[] = [
  new RegExp(`^(?:${SYSTEM_TOPICS.join('|')})$`),
  /^rmq_sys_/,
  /^%(?:RETRY|DLQ)%/,
];

export function isSystemTopic(wireName: string): boolean {
  return CLOSED_TOPICS.has(wireName) || OPEN_TOPICS.includes(wireName) || wireName.startsWith('rmq_sys_');
}

/** Those of them that nobody may send to either. Traces and benchmarks are sent by clients. */
export function isClosedTopic(wireName: string): boolean {
  return CLOSED_TOPICS.has(wireName) || wireName.startsWith('rmq_sys_');
}

/** True for a name that a topic of clients may have. */
export function isTopicName(wireName: string): boolean {
  const plain = wireName.startsWith(RETRY_PREFIX) || wireName.startsWith(DLQ_PREFIX);
  return (
    wireName.length > 0 && wireName.length <= (plain ? 255 : TOPIC_CHARS_MAX) && /^[%|a-zA-Z0-9_-]+$/.test(wireName)
  );
}
