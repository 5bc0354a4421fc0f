// The verbs on kafkajs. It has no read without a group: `read` joins a group of its own and seeks.
import {
  CompressionTypes,
  type Consumer,
  Kafka,
  type KafkaMessage,
  logLevel,
  Partitioners,
  type Producer,
} from 'kafkajs';
import type { ReceivedMessage, SentMessage } from './driver.ts';
import { base64, endpoints, type Fields, failure, Inbox, serve, unbase64 } from './serve.ts';

const kafka = new Kafka({
  clientId: 'compat',
  brokers: [endpoints().kafka],
  logLevel: logLevel.ERROR,
  logCreator: () => (entry) => console.error(JSON.stringify(entry)),
  retry: { retries: 8, initialRetryTime: 100 },
});

const producers = new Map<string, Promise<Producer>>();
const consumers = new Map<string, { consumer: Consumer; inbox: Inbox<ReceivedMessage>; queues: Set<number> }>();
let ids = 0;

function producer(fields: Fields): Promise<Producer> {
  const idempotent = fields.idempotent === true;
  const retries = fields.retries ?? 8;
  const name = `${fields.producer ?? 'p'}${idempotent}${retries}`;
  let opened = producers.get(name);
  if (!opened) {
    const made = kafka.producer({
      retry: { retries, initialRetryTime: 100 },
      idempotent,
      createPartitioner: Partitioners.DefaultPartitioner,
      ...(idempotent ? { maxInFlightRequests: 1 } : {}),
    });
    opened = made.connect().then(() => made);
    producers.set(name, opened);
  }
  return opened;
}

async function publish(fields: Fields): Promise<object> {
  const messages = fields.messages;
  const gzip = fields.compression === 'gzip';
  const send = (await producer(fields)).send({
    topic: fields.topic,
    acks: fields.acks === '0' ? 0 : fields.acks === '1' ? 1 : -1,
    compression: gzip ? CompressionTypes.GZIP : CompressionTypes.None,
    messages: messages.map((message) => ({
      key: unbase64(message.key),
      value: unbase64(message.body),
      headers: headers(message),
      ...(message.queue === undefined ? {} : { partition: message.queue }),
    })),
  });
  // kafkajs tells one base offset per partition; with several messages the rest follows from their order.
  const bases = await send.then(
    (metadata) => new Map(metadata.map((one) => [one.partition, Number(one.baseOffset ?? -1)])),
    (error: unknown) => error,
  );
  if (!(bases instanceof Map)) return { results: messages.map(() => ({ error: failure(bases) })) };
  const single = bases.size === 1 ? [...bases.keys()][0] : undefined;
  return {
    results: messages.map((message) => {
      const queue = message.queue ?? single;
      if (queue === undefined || fields.acks === '0') return {};
      const offset = bases.get(queue) as number;
      bases.set(queue, offset + 1);
      return { queue, offset };
    }),
  };
}

function headers(message: SentMessage): Record<string, Buffer> {
  const all: Record<string, Buffer> = {};
  for (const [name, text] of Object.entries(message.headers ?? {})) all[name] = Buffer.from(text);
  for (const [name, bytes] of Object.entries(message.binaryHeaders ?? {})) all[name] = Buffer.from(bytes, 'base64');
  if (message.tag != null) all['TAGS'] = Buffer.from(message.tag);
  return all;
}

function received(topic: string, partition: number, message: KafkaMessage): ReceivedMessage {
  const shown: Record<string, string | null> = {};
  let tag: string | null = null;
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    const first = Array.isArray(value) ? value[0] : value;
    const bytes = typeof first === 'string' ? Buffer.from(first) : first;
    if (name === 'TAGS') tag = bytes?.toString() ?? null;
    else shown[name] = base64(bytes);
  }
  return {
    topic,
    queue: partition,
    offset: Number(message.offset),
    timestamp: Number(message.timestamp),
    key: base64(message.key),
    tag,
    headers: shown,
    body: base64(message.value),
    handle: `${topic}/${partition}/${message.offset}`,
  };
}

async function open(topic: string, group: string, fromBeginning: boolean, sessionTimeoutMs: number): Promise<string> {
  const consumer = kafka.consumer({
    groupId: group,
    sessionTimeout: sessionTimeoutMs,
    heartbeatInterval: 500,
    maxWaitTimeInMs: 200,
  });
  const opened = { consumer, inbox: new Inbox<ReceivedMessage>(), queues: new Set<number>() };
  consumer.on('consumer.group_join', (event) => {
    opened.queues.clear();
    for (const queue of event.payload.memberAssignment[topic] ?? []) opened.queues.add(queue);
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning });
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => opened.inbox.push(received(topic, partition, message)),
  });
  const id = `j${++ids}`;
  consumers.set(id, opened);
  return id;
}

async function close(id: string): Promise<object> {
  const opened = consumers.get(id)!;
  consumers.delete(id);
  await opened.consumer.disconnect();
  return {};
}

async function read(fields: Fields): Promise<object> {
  const topic = fields.topic;
  const id = await open(topic, `compat-read-${process.pid}-${++ids}`, true, 10_000);
  try {
    const { consumer, inbox } = consumers.get(id)!;
    if (fields.from !== undefined)
      consumer.seek({ topic, partition: Number(fields.queue ?? 0), offset: String(fields.from) });
    const wanted = fields.count ?? 1_000_000;
    const messages: ReceivedMessage[] = [];
    const deadline = Date.now() + (fields.waitMs ?? 10_000);
    while (messages.length < wanted && Date.now() < deadline) {
      for (const one of await inbox.take(1, Math.min(500, deadline - Date.now()))) {
        if ((fields.queue === undefined || one.queue === fields.queue) && one.offset! >= Number(fields.from ?? 0))
          messages.push(one);
      }
    }
    return { messages };
  } finally {
    await close(id);
  }
}

serve({
  'kafka.createTopic': async (fields) => {
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({
      topics: [{ topic: fields.topic, numPartitions: Number(fields.queues ?? 1), replicationFactor: 1 }],
    });
    await admin.disconnect();
    return {};
  },
  'kafka.publish': publish,
  'kafka.read': read,
  'kafka.subscribe': async (fields) => ({
    consumer: await open(fields.topic, fields.group, fields.from !== 'latest', fields.sessionTimeoutMs ?? 10_000),
  }),
  'kafka.take': async (fields) => {
    const opened = consumers.get(fields.consumer)!;
    return {
      messages: await opened.inbox.take(fields.count ?? 1, fields.waitMs ?? 10_000),
      queues: [...opened.queues],
    };
  },
  'kafka.settle': async (fields) => {
    const positions = fields.handles.map((handle) => handle.split('/'));
    await consumers.get(fields.consumer)!.consumer.commitOffsets(
      positions.map(([topic, partition, offset]) => ({
        topic: topic!,
        partition: Number(partition),
        offset: String(Number(offset) + 1),
      })),
    );
    return {};
  },
  'kafka.close': (fields) => close(fields.consumer),
  'kafka.position': async (fields) => {
    const admin = kafka.admin();
    await admin.connect();
    const [topic] = await admin.fetchOffsets({ groupId: fields.group, topics: [fields.topic] });
    await admin.disconnect();
    return {
      queues: Object.fromEntries(
        (topic?.partitions ?? [])
          .filter((one) => Number(one.offset) >= 0)
          .map((one) => [one.partition, Number(one.offset)]),
      ),
    };
  },
});
