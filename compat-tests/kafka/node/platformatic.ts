// The verbs on @platformatic/kafka, which is installed beside this project's own packages: the folder it lies in is the
// first argument, and the part of the library that is used here is told as types.
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { Inbox, serve } from '../../drivers/serve.ts';
import type { WireRecord } from '../client.ts';
import {
  acksOf,
  base64,
  bootstrap,
  bytes,
  collect,
  type Fields,
  failureOf,
  placed,
  type SentMessage,
} from './verbs.ts';

interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

interface Message extends Place {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly timestamp: bigint;
  readonly headers: ReadonlyMap<Buffer, Buffer | null>;
}

interface Producer {
  send(options: object): Promise<{ offsets?: readonly Place[] }>;
}

interface Consumer {
  readonly assignments: readonly { topic: string; partitions: readonly number[] }[] | null;
  consume(options: object): Promise<Readable>;
  commit(options: { offsets: readonly (Place & { leaderEpoch: number })[] }): Promise<void>;
  close(force: boolean): Promise<void>;
}

interface Admin {
  createTopics(options: object): Promise<unknown>;
  deleteTopics(options: object): Promise<unknown>;
  listTopics(): Promise<string[]>;
  createPartitions(options: object): Promise<unknown>;
  listGroups(): Promise<ReadonlyMap<string, { id: string; state: string }>>;
  describeGroups(options: object): Promise<
    ReadonlyMap<
      string,
      {
        state: string;
        members: ReadonlyMap<
          string,
          { id: string; clientId: string; clientHost: string; groupInstanceId: string | null }
        >;
      }
    >
  >;
  deleteGroups(options: object): Promise<unknown>;
  describeConfigs(
    options: object,
  ): Promise<readonly { configs: readonly { name: string; value: string | null; configSource: number }[] }[]>;
  incrementalAlterConfigs(options: object): Promise<unknown>;
  deleteRecords(options: object): Promise<readonly { partitions: readonly { lowWatermark: bigint }[] }[]>;
  listConsumerGroupOffsets(options: object): Promise<
    readonly {
      topics: readonly {
        name: string;
        partitions: readonly { partitionIndex: number; committedOffset: bigint; metadata: string | null }[];
      }[];
    }[]
  >;
  listOffsets(options: object): Promise<readonly { partitions: readonly { offset: bigint }[] }[]>;
  metadata(options: object): Promise<{
    id: string;
    controllerId: number;
    brokers: ReadonlyMap<number, { host: string; port: number }>;
  }>;
}

interface Library {
  readonly Producer: new (options: object) => Producer;
  readonly Consumer: new (options: object) => Consumer;
  readonly Admin: new (options: object) => Admin;
}

const entry = pathToFileURL(join(process.argv[2]!, '@platformatic/kafka/dist/index.js')).href;
const library = (await import(entry)) as Library;
const base = {
  clientId: 'compat-platformatic',
  bootstrapBrokers: [bootstrap()],
  retries: 10,
  retryDelay: 200,
  timeout: 20_000,
  metadataMaxAge: 1_000,
  autocreateTopics: true,
};
const admin = new library.Admin(base);
const producers = new Map<string, Producer>();
const members = new Map<string, { consumer: Consumer; stream: Readable; inbox: Inbox<WireRecord> }>();
let ids = 0;

async function produce(fields: Fields): Promise<object> {
  const { messages, producer: wanted } = fields;
  const options = {
    acks: acksOf(fields),
    idempotent: wanted?.idempotent ?? false,
    compression: wanted?.compression ?? 'none',
  };
  const name = JSON.stringify(options);
  const producer = producers.get(name) ?? new library.Producer({ ...base, ...options });
  producers.set(name, producer);
  const sent = producer.send({
    ...options,
    messages: messages.map((message: SentMessage) => ({
      topic: fields.topic,
      key: bytes(message.key) ?? undefined,
      value: bytes(message.value) ?? undefined,
      headers: new Map((message.headers ?? []).map(([key, value]) => [Buffer.from(key), bytes(value)])),
      ...(message.partition === undefined ? {} : { partition: message.partition }),
      ...(message.timestamp === undefined ? {} : { timestamp: BigInt(message.timestamp) }),
    })),
  });
  return sent.then(
    ({ offsets }) => ({
      results: placed(messages, new Map((offsets ?? []).map((one) => [one.partition, Number(one.offset)]))),
    }),
    (error: unknown) => ({ results: messages.map(() => ({ error: failureOf(error) })) }),
  );
}

const shown = (message: Message): WireRecord => ({
  topic: message.topic,
  partition: message.partition,
  offset: Number(message.offset),
  timestamp: Number(message.timestamp),
  key: base64(message.key),
  value: base64(message.value),
  headers: [...message.headers].map(([name, value]) => [name.toString(), base64(value)] as const),
});

async function open(fields: Fields, options: object): Promise<string> {
  const consumer = new library.Consumer({
    ...base,
    groupId: fields.group,
    sessionTimeout: fields.sessionMs ?? 10_000,
    heartbeatInterval: fields.heartbeatMs ?? 300,
    rebalanceTimeout: 10_000,
    maxWaitTime: 200,
    ...(fields.instance ? { groupInstanceId: fields.instance } : {}),
  });
  const stream = await consumer.consume({ autocommit: fields.autoCommit ? 200 : false, ...options });
  const inbox = new Inbox<WireRecord>();
  stream.on('data', (message: Message) => inbox.push(shown(message)));
  stream.on('error', (error) => console.error(error));
  const id = `p${++ids}`;
  members.set(id, { consumer, stream, inbox });
  return id;
}

async function close(id: string): Promise<object> {
  const member = members.get(id)!;
  members.delete(id);
  await member.consumer.close(true);
  return {};
}

async function read(fields: Fields): Promise<object> {
  const { topic, partition = 0, from } = fields;
  const options =
    typeof from === 'number'
      ? { mode: 'manual', offsets: [{ topic, partition, offset: BigInt(from) }] }
      : { mode: from === 'end' ? 'latest' : 'earliest' };
  const id = await open({ ...fields, group: `read-${process.pid}-${++ids}` }, { topics: [topic], ...options });
  const { inbox } = members.get(id)!;
  return { records: await collect(fields, (count, waitMs) => inbox.take(count, waitMs)).finally(() => close(id)) };
}

const resource = (fields: Fields): object => ({
  resourceType: fields.type === 'broker' ? 4 : 2,
  resourceName: fields.name,
});

async function offsetAt(topic: string, partitionIndex: number, timestamp: bigint): Promise<number> {
  const [found] = await admin.listOffsets({ topics: [{ name: topic, partitions: [{ partitionIndex, timestamp }] }] });
  return Number(found!.partitions[0]!.offset);
}

/** Calls of one kind that are made at once share one request and its answer in this library: one after another, then. */
let last: Promise<unknown> = Promise.resolve();
const alone =
  (verb: (fields: Fields) => Promise<object>) =>
  (fields: Fields): Promise<object> => {
    const next = last.then(() => verb(fields));
    last = next.catch(() => undefined);
    return next;
  };

const administration: Record<string, (fields: Fields) => Promise<object>> = {
  createTopic: async ({ topic, partitions, replicas, configs }) => {
    const entries = Object.entries(configs ?? {}).map(([name, value]) => ({ name, value }));
    await admin.createTopics({
      topics: [topic],
      partitions: partitions ?? 1,
      replicas: replicas ?? 1,
      configs: entries,
    });
    return {};
  },
  deleteTopic: async ({ topic }) => {
    await admin.deleteTopics({ topics: [topic] });
    return {};
  },
  topics: async () => ({ topics: await admin.listTopics() }),
  offsets: async ({ topic, partition }) => ({
    begin: await offsetAt(topic, partition ?? 0, -2n),
    end: await offsetAt(topic, partition ?? 0, -1n),
  }),
  createPartitions: async ({ topic, count }) => {
    await admin.createPartitions({ topics: [{ name: topic, count }] });
    return {};
  },
  configs: async (fields) => {
    const [found] = await admin.describeConfigs({
      resources: [{ ...resource(fields), configurationKeys: null }],
      includeSynonyms: true,
    });
    return {
      configs: Object.fromEntries(
        found!.configs.map((one) => [one.name, { value: one.value, source: String(one.configSource) }]),
      ),
    };
  },
  setConfigs: async (fields) => {
    const configs = fields.ops.map(({ op, name, value }) => ({
      name,
      value,
      configOperation: ['SET', 'DELETE', 'APPEND', 'SUBTRACT'].indexOf((op ?? 'set').toUpperCase()),
    }));
    await admin.incrementalAlterConfigs({ resources: [{ ...resource(fields), configs }] });
    return {};
  },
  deleteRecords: async ({ topic, partition, before }) => {
    const partitions = [{ partition: partition ?? 0, offset: BigInt(before) }];
    const [found] = await admin.deleteRecords({ topics: [{ name: topic, partitions }] });
    return { low: Number(found!.partitions[0]!.lowWatermark) };
  },
  groups: async () => ({
    groups: [...(await admin.listGroups()).values()].map((one) => ({ group: one.id, state: one.state })),
  }),
  describeGroup: async ({ group }) => {
    const one = (await admin.describeGroups({ groups: [group] })).get(group)!;
    const shownMembers = [...one.members.values()].map((member) => ({
      id: member.id,
      client: member.clientId,
      host: member.clientHost,
      instance: member.groupInstanceId,
    }));
    return { state: one.state, members: shownMembers };
  },
  deleteGroup: async ({ group }) => {
    await admin.deleteGroups({ groups: [group] });
    return {};
  },
  committed: async ({ group }) => {
    const [found] = await admin.listConsumerGroupOffsets({ groups: [group] });
    return {
      offsets: Object.fromEntries(
        found!.topics.flatMap(({ name, partitions }) =>
          partitions.map((one) => [
            `${name}/${one.partitionIndex}`,
            { offset: Number(one.committedOffset), metadata: one.metadata ?? '' },
          ]),
        ),
      ),
    };
  },
  cluster: async () => {
    const { id, controllerId, brokers } = await admin.metadata({ topics: [], forceUpdate: true });
    return {
      clusterId: id,
      controller: controllerId,
      nodes: [...brokers].map(([node, at]) => `${node} ${at.host}:${at.port}`),
    };
  },
};

serve<Fields, ReturnType<typeof failureOf>>(
  {
    produce,
    read,
    subscribe: async (fields) => ({
      consumer: await open(fields, {
        topics: fields.topics,
        mode: 'committed',
        fallbackMode: fields.from ?? 'earliest',
      }),
    }),
    take: async ({ consumer, count, waitMs }) => ({
      records: await members.get(consumer)!.inbox.take(count ?? 1, waitMs ?? 30_000),
    }),
    assigned: async ({ consumer }) => ({
      partitions: (members.get(consumer)!.consumer.assignments ?? []).flatMap(({ topic, partitions }) =>
        partitions.map((partition) => `${topic}/${partition}`),
      ),
    }),
    commit: async ({ consumer, offsets }) => {
      // The library commits the offset as it is told, without metadata.
      const places = offsets.map(({ topic, partition, offset }) => ({
        topic,
        partition,
        offset: BigInt(offset),
        leaderEpoch: -1,
      }));
      await members.get(consumer)!.consumer.commit({ offsets: places });
      return {};
    },
    close: ({ consumer }) => close(consumer),
    ...Object.fromEntries(Object.entries(administration).map(([name, verb]) => [name, alone(verb)])),
  },
  failureOf,
);
