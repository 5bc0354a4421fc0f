// The configuration as the gateway reads it: one property per key of specs/config/config.schema.json, every key present
// (null where a key may be left out). config.test.ts keeps this page and the schema the same.

export type TlsMode = 'off' | 'permissive' | 'required';

/** One socket: where it is bound and what clients are told about it. Port 0 lets the system choose. */
export interface ListenerConfig {
  readonly enabled: boolean;
  readonly port: number;
  readonly bindAddress: string | null;
  readonly tls: TlsMode;
}

export interface AdvertisedListenerConfig extends ListenerConfig {
  readonly advertisedHost: string | null;
  readonly advertisedPort: number | null;
}

/** Limits that hold before authentication too. */
export interface ProtocolLimits {
  readonly frameBytesMax: number;
  readonly connectionsMax: number;
  readonly handshakeTimeoutMs: number;
}

interface StoreConfig {
  readonly flush: 'sync' | 'async';
  readonly flushIntervalMs: number;
  readonly segmentBytes: number;
  readonly reserveBytes: number;
  readonly retentionCheckIntervalMs: number;
  readonly hotCacheBytes: number;
  readonly coldCacheBytes: number;
  readonly indexCacheBytes: number;
  readonly ballastBytes: number;
  readonly snapshotIntervalMs: number;
  readonly retentionTimeMs: number;
  readonly retentionBytes: number;
  readonly messageBytesMax: number;
  readonly topicsMax: number;
  readonly groupsMax: number;
  readonly queuesPerTopicMax: number;
}

interface TlsConfig {
  readonly certFile: string | null;
  readonly keyFile: string | null;
  readonly keyPassphrase: string | null;
  readonly versionMin: 'TLSv1.2' | 'TLSv1.3';
  readonly clientCaFile: string | null;
}

interface SecurityConfig {
  readonly masterKeyFile: string | null;
}

interface RocketmqConfig extends ProtocolLimits {
  readonly nameserver: AdvertisedListenerConfig;
  readonly broker: AdvertisedListenerConfig;
  readonly fast: AdvertisedListenerConfig;
  readonly dedupeWindowMs: number;
  readonly sendsMax: number;
  readonly pullsMax: number;
  readonly requestsMax: number;
  readonly deferredBytesMax: number;
}

interface KafkaConfig extends AdvertisedListenerConfig, ProtocolLimits {
  readonly loginFrameBytesMax: number;
  readonly callsMax: number;
  readonly fetchBytesMax: number;
  readonly fetchWaitMsMax: number;
  readonly heldBytesMax: number;
  readonly sessionTimeoutMsMin: number;
  readonly sessionTimeoutMsMax: number;
  readonly groupMembersMax: number;
  readonly memberBytesMax: number;
  readonly assignmentBytesMax: number;
  readonly offsetMetadataBytesMax: number;
  readonly partitionsMax: number;
  readonly defaultPartitions: number;
  readonly initialRebalanceDelayMs: number;
  readonly clampReplicas: boolean;
  readonly reauthenticationMs: number;
  readonly offsetsRetentionMs: number;
  readonly telemetryIntervalMs: number;
  readonly internal: AdvertisedListenerConfig;
  readonly external: AdvertisedListenerConfig;
}

interface AmqpConfig extends AdvertisedListenerConfig, ProtocolLimits {
  readonly frameBytesMaxBeforeTune: number;
  readonly channelsPerConnectionMax: number;
  readonly heartbeatS: number;
  readonly messageBytesMax: number;
  readonly unackedPerChannelMax: number;
  readonly consumersPerChannelMax: number;
  readonly contentBytesMax: number;
  readonly transactionBytesMax: number;
  readonly unwrittenBytesMax: number;
  readonly consumerTimeoutMs: number;
  readonly productName: string;
  readonly productVersion: string;
  readonly loginRefusedDelayMs: number;
  readonly closeTimeoutMs: number;
}

export interface HttpConfig extends ListenerConfig {
  readonly bodyBytesMax: number;
  readonly connectionsMax: number;
  readonly handshakeTimeoutMs: number;
  readonly requestTimeoutMs: number;
}

export interface Config {
  readonly dataDir: string;
  readonly bindAddress: string;
  readonly insecure: boolean;
  readonly autoCreateTopics: boolean;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  readonly drainTimeoutMs: number;
  readonly backlogConnectionsMax: number;
  readonly store: StoreConfig;
  readonly tls: TlsConfig;
  readonly security: SecurityConfig;
  readonly rocketmq: RocketmqConfig;
  readonly kafka: KafkaConfig;
  readonly amqp: AmqpConfig;
  readonly http: HttpConfig;
}

/** Where a value came from, in falling precedence; the text is shown to the user as it is. */
export type Origin =
  | { readonly kind: 'flag'; readonly name: string }
  | { readonly kind: 'environment'; readonly name: string }
  | { readonly kind: 'file'; readonly name: string; readonly line: number }
  | { readonly kind: 'default' };

export function originText(origin: Origin): string {
  switch (origin.kind) {
    case 'flag':
      return `flag ${origin.name}`;
    case 'environment':
      return `environment ${origin.name}`;
    case 'file':
      return `${origin.name}:${origin.line}`;
    case 'default':
      return 'default';
  }
}
