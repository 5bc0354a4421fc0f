// The verbs on kafkajs. It has no read without a group: `read` joins a group of its own and seeks.
import {
  CompressionTypes,
  type ConfigResourceTypes,
  type Consumer,
  Kafka,
  type KafkaMessage,
  logLevel,
  Partitioners,
  type Producer,
} from 'kafkajs';
import { Inbox, serve } from '../../drivers/serve.ts';
import type { WireRecord } from '../client.ts';
import { acksOf, base64, bootstrap, bytes, collect, type Fields, failureOf, placed } from './verbs.ts';

const kafka = new Kafka({
  clientId: 'compat-kafkajs',
  brokers: [bootstrap()],
  logLevel: logLevel.ERROR,
  logCreator: () => (entry) => console.error(JSON.stringify(entry)),
  retry: { retries: 8, initialRetryTime: 100, maxRetryTime: 1_000 },
});
const admin = kafka.admin();
const administering = admin.connect();
const producers = new Map<boolean, Promise<Producer>>();
const members = new Map<string, { consumer: Consumer; inbox: Inbox<WireRecord>; assigned: string[] }>();
let ids = 0;

function producer(isIdempotent: boolean): Promise<Producer> {
  const made = kafka.producer({
    idempotent: isIdempotent,
    createPartitioner: Partitioners.DefaultPartitioner,
    ...(isIdempotent ? { maxInFlightRequests: 1 } : {}),
  });
  const opened = producers.get(isIdempotent) ?? made.connect().then(() => made);
  producers.set(isIdempotent, opened);
  return opened;
}

async function produce(fields: Fields): Promise<object> {
  const { messages, producer: wanted } = fields;
  const compression = (wanted?.compression ?? 'none').toUpperCase() as 'GZIP' | 'NONE';
  const sent = (await producer(wanted?.idempotent ?? false)).send({
    topic: fields.topic,
    acks: acksOf(fields),
    compression: compression === 'NONE' ? CompressionTypes.None : CompressionTypes[compression],
    messages: messages.map((message) => ({
      key: bytes(message.key),
      value: bytes(message.value),
      headers: Object.fromEntries(
        (message.headers ?? []).map(([name, value]) => [name, bytes(value) ?? Buffer.alloc(0)]),
      ),
      ...(message.partition === undefined ? {} : { partition: message.partition }),
      ...(message.timestamp === undefined ? {} : { timestamp: String(message.timestamp) }),
    })),
  });
  return sent.then(
    (stored) => ({
      results: placed(messages, new Map(stored.map((one) => [one.partition, Number(one.baseOffset ?? -1)]))),
    }),
    (error: unknown) => ({ results: messages.map(() => ({ error: failureOf(error) })) }),
  );
}

function shown(topic: string, partition: number, message: KafkaMessage): WireRecord {
  const headers = Object.entries(message.headers ?? {}).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map(
      (one) => [name, base64(typeof one === 'string' ? Buffer.from(one) : one)] as const,
    ),
  );
  return {
    topic,
    partition,
    offset: Number(message.offset),
    timestamp: Number(message.timestamp),
    key: base64(message.key),
    value: base64(message.value),
    headers,
  };
}

async function subscribe(fields: Fields): Promise<string> {
  const consumer = kafka.consumer({
    groupId: fields.group,
    sessionTimeout: fields.sessionMs ?? 10_000,
    heartbeatInterval: fields.heartbeatMs ?? 300,
    maxWaitTimeInMs: 200,
    metadataMaxAge: 1_000,
  });
  const member = { consumer, inbox: new Inbox<WireRecord>(), assigned: [] as string[] };
  consumer.on('consumer.group_join', (event) => {
    member.assigned = Object.entries(event.payload.memberAssignment).flatMap(([topic, partitions]) =>
      partitions.map((partition) => `${topic}/${partition}`),
    );
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [...fields.topics], fromBeginning: (fields.from ?? 'earliest') === 'earliest' });
  await consumer.run({
    autoCommit: fields.autoCommit ?? false,
    autoCommitInterval: 200,
    eachMessage: async ({ topic, partition, message }) => member.inbox.push(shown(topic, partition, message)),
  });
  const id = `j${++ids}`;
  members.set(id, member);
  return id;
}

async function close(id: string): Promise<object> {
  const member = members.get(id)!;
  members.delete(id);
  await member.consumer.disconnect();
  return {};
}

async function read(fields: Fields): Promise<object> {
  const id = await subscribe({
    ...fields,
    group: `read-${process.pid}-${++ids}`,
    topics: [fields.topic],
    from: 'earliest',
  });
  const { consumer, inbox } = members.get(id)!;
  if (typeof fields.from === 'number')
    consumer.seek({ topic: fields.topic, partition: fields.partition ?? 0, offset: String(fields.from) });
  return { records: await collect(fields, (count, waitMs) => inbox.take(count, waitMs)).finally(() => close(id)) };
}

// The enumeration is not among the names that a module may import.
const resourceType = (fields: Fields): ConfigResourceTypes => (fields.type === 'broker' ? 4 : 2);

/** kafkajs keeps one list of topics for all calls of an administrator: while it deletes one, others that ask for the list fail. */
const administration: Record<string, (fields: Fields) => Promise<object>> = {
  createTopic: async ({ topic, partitions, replicas, configs }) => {
    const configEntries = Object.entries(configs ?? {}).map(([name, value]) => ({ name, value }));
    const numPartitions = (partitions as number | undefined) ?? 1;
    const isNew = await admin.createTopics({
      topics: [{ topic, numPartitions, replicationFactor: replicas ?? 1, configEntries }],
    });
    // A topic that is there already is told by a no, without the code.
    if (!isNew) throw Object.assign(new Error(`${topic} exists`), { code: 36 });
    return {};
  },
  deleteTopic: async ({ topic }) => {
    await admin.deleteTopics({ topics: [topic] });
    return {};
  },
  topics: async () => ({ topics: await admin.listTopics() }),
  offsets: async ({ topic, partition }) => {
    const one = (await admin.fetchTopicOffsets(topic)).find((each) => each.partition === (partition ?? 0))!;
    return { begin: Number(one.low), end: Number(one.high) };
  },
  createPartitions: async ({ topic, count }) => {
    await admin.createPartitions({ topicPartitions: [{ topic, count: count! }] });
    return {};
  },
  configs: async (fields) => {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: true,
      resources: [{ type: resourceType(fields), name: fields.name }],
    });
    return {
      configs: Object.fromEntries(
        resources[0]!.configEntries.map((one) => [
          one.configName,
          { value: one.configValue, source: one.configSource },
        ]),
      ),
    };
  },
  // AlterConfigs, which replaces all: kafkajs is the one library here that sends it.
  setConfigs: async (fields) => {
    const configEntries = fields.ops.map(({ name, value }) => ({ name, value }));
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: resourceType(fields), name: fields.name, configEntries }],
    });
    return {};
  },
  deleteRecords: async ({ topic, partition, before }) => {
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: partition ?? 0, offset: String(before) }] });
    return {};
  },
  groups: async () => ({
    groups: (await admin.listGroups()).groups.map((one) => ({ group: one.groupId, state: '' })),
  }),
  describeGroup: async ({ group }) => {
    const one = (await admin.describeGroups([group])).groups[0]!;
    const members = one.members.map((member) => ({
      id: member.memberId,
      client: member.clientId,
      host: member.clientHost,
    }));
    return { state: one.state, members };
  },
  deleteGroup: async ({ group }) => {
    await admin.deleteGroups([group]);
    return {};
  },
  committed: async ({ group }) => ({
    offsets: Object.fromEntries(
      (await admin.fetchOffsets({ groupId: group })).flatMap(({ topic, partitions }) =>
        partitions
          .filter((one) => Number(one.offset) >= 0)
          .map((one) => [`${topic}/${one.partition}`, { offset: Number(one.offset), metadata: one.metadata ?? '' }]),
      ),
    ),
  }),
  cluster: async () => {
    const { clusterId, controller, brokers } = await admin.describeCluster();
    return { clusterId, controller, nodes: brokers.map((one) => `${one.nodeId} ${one.host}:${one.port}`) };
  },
};
let last: Promise<unknown> = administering;
const oneByOne = Object.entries(administration).map(([op, verb]) => {
  const inTurn = (fields: Fields): Promise<object> => {
    const mine = last.then(() => verb(fields));
    last = mine.catch(() => undefined);
    return mine;
  };
  return [op, inTurn] as const;
});

await administering;
serve<Fields, ReturnType<typeof failureOf>>(
  {
    produce,
    read,
    subscribe: async (fields) => ({ consumer: await subscribe(fields) }),
    take: async ({ consumer, count, waitMs }) => ({
      records: await members.get(consumer)!.inbox.take(count ?? 1, waitMs ?? 30_000),
    }),
    assigned: async ({ consumer }) => ({ partitions: members.get(consumer)!.assigned }),
    commit: async ({ consumer, offsets }) => {
      await members
        .get(consumer)!
        .consumer.commitOffsets(offsets.map((one) => ({ ...one, offset: String(one.offset) })));
      return {};
    },
    close: ({ consumer }) => close(consumer),
    ...Object.fromEntries(oneByOne),
  },
  failureOf,
);
