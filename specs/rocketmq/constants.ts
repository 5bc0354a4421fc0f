// Numbers and names of the RocketMQ protocol that more than one file needs.

/** Frame: `length int32 | serializeType int8 | headerLength int24 | header | body`; the length leaves itself out. */
export const FRAME_BYTES_MAX = 16 * 1024 * 1024;

export const SERIALIZE_JSON = 0;
export const SERIALIZE_BINARY = 1;

/** Bits of a command's `flag`. */
export const FLAG_RESPONSE = 1;
export const FLAG_ONEWAY = 2;

/** MQVersion ordinal sent in responses: V5_3_0. The value gates features in clients, so it stays on one release. */
export const VERSION_V5_3_0 = 473;
/** From V4_9_4 on clients read standard JSON in a route (105). */
export const VERSION_STANDARD_JSON = 401;

/** `LanguageCode` OTHER, in binary headers; JSON headers have the name. */
export const LANGUAGE_OTHER = 7;

/** `LanguageCode` by number. */
export const LANGUAGES: readonly string[] = [
  'JAVA',
  'CPP',
  'DOTNET',
  'PYTHON',
  'DELPHI',
  'ERLANG',
  'RUBY',
  'OTHER',
  'HTTP',
  'GO',
  'PHP',
  'OMS',
  'RUST',
  'NODE_JS',
];

/** Bits of a message's `sysFlag`. */
export const SYS_FLAG = {
  COMPRESSED: 1,
  MULTI_TAGS: 2,
  TRANSACTION_MASK: 12,
  TRANSACTION_PREPARED: 4,
  BORNHOST_V6: 16,
  STOREHOST_V6: 32,
  NEED_UNWRAP: 64,
  INNER_BATCH: 128,
  /** Bits 8-10: 0 zlib (old clients), 1 lz4, 2 zstd, 3 zlib. */
  COMPRESSION_TYPE_MASK: 0x700,
  COMPRESSION_LZ4: 0x100,
  COMPRESSION_ZSTD: 0x200,
  COMPRESSION_ZLIB: 0x300,
} as const;

/** Bits of a pull request's `sysFlag`. */
export const PULL_FLAG = { COMMIT_OFFSET: 1, SUSPEND: 2, SUBSCRIPTION: 4, CLASS_FILTER: 8, LITE: 16 } as const;

export const PERM = { INHERIT: 1, WRITE: 2, READ: 4 } as const;

/** Magic of a stored message: V1 has one byte of topic length, V2 two. */
export const MESSAGE_MAGIC_V1 = 0xdaa320a7 | 0;
export const MESSAGE_MAGIC_V2 = 0xdaa320ab | 0;

export const TOPIC_CHARS_MAX = 127;
export const GROUP_CHARS_MAX = 120;
export const PROPERTIES_BYTES_MAX = 32767;
export const BODY_BYTES_MAX = 4 * 1024 * 1024;

export const RETRY_PREFIX = '%RETRY%';
export const DLQ_PREFIX = '%DLQ%';
export const TEMPLATE_TOPIC = 'TBW102';
/** Queues of TBW102: an automatically created topic gets at most this many. */
export const TEMPLATE_QUEUES = 8;

/** Default schedule of delay levels 1-18, in milliseconds. */
export const DELAY_LEVELS_MS = [
  1_000, 5_000, 10_000, 30_000, 60_000, 120_000, 180_000, 240_000, 300_000, 360_000, 420_000, 480_000, 540_000, 600_000,
  1_200_000, 1_800_000, 3_600_000, 7_200_000,
] as const;
/** A message sent back the n-th time waits at level 3 + n. */
export const RETRY_LEVEL_FIRST = 3;
export const RETRY_TIMES_MAX_DEFAULT = 16;

/** Names of message properties that the broker reads or writes. */
export const PROPERTY = {
  KEYS: 'KEYS',
  TAGS: 'TAGS',
  WAIT: 'WAIT',
  DELAY: 'DELAY',
  RETRY_TOPIC: 'RETRY_TOPIC',
  REAL_TOPIC: 'REAL_TOPIC',
  REAL_QID: 'REAL_QID',
  TRAN_MSG: 'TRAN_MSG',
  UNIQ_KEY: 'UNIQ_KEY',
  MAX_RECONSUME_TIMES: 'MAX_RECONSUME_TIMES',
  ORIGIN_MESSAGE_ID: 'ORIGIN_MESSAGE_ID',
  SHARDING_KEY: '__SHARDINGKEY',
  DLQ_ORIGIN_TOPIC: 'DLQ_ORIGIN_TOPIC',
  DLQ_ORIGIN_MESSAGE_ID: 'DLQ_ORIGIN_MESSAGE_ID',
  POP_CK: 'POP_CK',
  TIMER_DELIVER_MS: 'TIMER_DELIVER_MS',
  TIMER_DELAY_MS: 'TIMER_DELAY_MS',
  TIMER_DELAY_SEC: 'TIMER_DELAY_SEC',
  TRACEPARENT: 'traceparent',
  MSG_REGION: 'MSG_REGION',
  TRACE_ON: 'TRACE_ON',
  CLUSTER: 'CLUSTER',
} as const;
/** `ForbiddenType`: which switch refused a pull. */
export const FORBIDDEN = { GROUP: 1, BROADCASTING: 2, SUBSCRIPTION: 3, TOPIC: 4 } as const;

export const REGION = 'DefaultRegion';
export const TRACE_TOPIC = 'RMQ_SYS_TRACE_TOPIC';
/** Namespace of the name server's key-value table that says how many queues of an ordered topic each broker has. */
export const ORDER_TOPIC_NAMESPACE = 'ORDER_TOPIC_CONFIG';

export const PROPERTY_NAME_END = 1;
export const PROPERTY_VALUE_END = 2;
