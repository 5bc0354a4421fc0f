// The verbs on ali-ons: producer and push consumer; the library has no read by offset and no choice of queue. The
// listener waits until the suite says how a message is settled. Its types are not published, so what is used is below.
import { createRequire } from 'node:module';
import type { ReceivedMessage } from './driver.ts';
import { base64, endpoints, type Fields, failure, Inbox, serve, unbase64 } from './serve.ts';

interface OnsMessage {
  topic: string;
  body: Buffer | null;
  tags: string | null;
  properties: Record<string, string>;
  msgId: string;
  queueId: number;
  queueOffset: number | string;
  bornTimestamp: number | string;
  reconsumeTimes: number;
}
interface OnsClient {
  ready(): Promise<void>;
  close(): Promise<void>;
  on(event: 'error', listener: (error: Error) => void): void;
}
interface OnsProducer extends OnsClient {
  send(
    message: OnsMessage,
  ): Promise<{ msgId: string; messageQueue: { queueId: number }; queueOffset: number | string; sendStatus: string }>;
}
interface OnsConsumer extends OnsClient {
  subscribe(topic: string, tags: string, handler: (message: OnsMessage) => Promise<unknown>): void;
}
const ons = createRequire(import.meta.url)('ali-ons') as {
  Message: new (topic: string, tags: string | null, body: Buffer | null) => OnsMessage;
  Producer: new (options: object) => OnsProducer;
  Consumer: (new (options: object) => OnsConsumer) & { ACTION_RETRY: symbol };
};

const quiet = {
  info() {},
  debug() {},
  warn: (...all: unknown[]) => console.error(...all),
  error: (...all: unknown[]) => console.error(...all),
};
const shared = {
  httpclient: {},
  nameSrv: endpoints().rocketmq,
  logger: quiet,
  rebalanceInterval: 1_000,
  pollNameServerInteval: 1_000,
  heartbeatBrokerInterval: 5_000,
  persistConsumerOffsetInterval: 500,
};
const OWN_PROPERTIES = new Set([
  'KEYS',
  'TAGS',
  'WAIT',
  'UNIQ_KEY',
  'MIN_OFFSET',
  'MAX_OFFSET',
  'RETRY_TOPIC',
  'ORIGIN_MESSAGE_ID',
  'MSG_REGION',
  'TRACE_ON',
  'CLUSTER',
  'DELAY',
  'REAL_TOPIC',
  'REAL_QID',
  'CONSUME_START_TIME',
  'RECONSUME_TIME',
  'MAX_RECONSUME_TIMES',
  'DLQ_ORIGIN_TOPIC',
  'DLQ_ORIGIN_MESSAGE_ID',
  'INSTANCE_ID',
]);

let producing: Promise<OnsProducer> | null = null;
const consumers = new Map<
  string,
  { consumer: OnsConsumer; inbox: Inbox<ReceivedMessage>; open: Map<string, (isAcked: boolean) => void> }
>();
let ids = 0;

function producer(): Promise<OnsProducer> {
  producing ??= (async () => {
    const made = new ons.Producer({
      ...shared,
      producerGroup: 'compat-ons',
      maxMessageSize: 4 << 20,
      sendMsgTimeout: 10_000,
    });
    made.on('error', (error) => console.error('producer', error.message));
    await made.ready();
    return made;
  })();
  return producing;
}

async function publish(fields: Fields): Promise<object> {
  const sender = await producer();
  const results: object[] = [];
  for (const from of fields.messages) {
    const message = new ons.Message(fields.topic, from.tag ?? null, unbase64(from.body));
    const key = unbase64(from.key)?.toString();
    if (key !== undefined) message.properties['KEYS'] = key;
    if (from.tag == null) delete message.properties['TAGS'];
    Object.assign(message.properties, from.headers);
    try {
      const sent = await sender.send(message);
      results.push({
        queue: sent.messageQueue.queueId,
        offset: Number(sent.queueOffset),
        id: sent.msgId,
        ...(sent.sendStatus === 'SEND_OK' ? {} : { error: { kind: 'SendStatus', message: sent.sendStatus } }),
      });
    } catch (error) {
      results.push({ error: failure(error) });
    }
  }
  return { results };
}

function received(message: OnsMessage, handle: string): ReceivedMessage {
  const headers: Record<string, string | null> = {};
  const system: Record<string, string> = {};
  for (const [name, value] of Object.entries(message.properties)) {
    if (OWN_PROPERTIES.has(name)) system[name] = value;
    else headers[name] = base64(Buffer.from(value));
  }
  const key = message.properties['KEYS'];
  return {
    topic: message.topic,
    queue: message.queueId,
    offset: Number(message.queueOffset),
    timestamp: Number(message.bornTimestamp),
    attempts: message.reconsumeTimes,
    key: key ? base64(Buffer.from(key)) : null,
    tag: message.properties['TAGS'] ?? null,
    headers,
    system,
    body: base64(message.body ?? Buffer.alloc(0)),
    handle,
  };
}

async function subscribe(fields: Fields): Promise<object> {
  const consumer = new ons.Consumer({
    ...shared,
    consumerGroup: fields.group,
    consumeFromWhere: fields.from === 'latest' ? 'CONSUME_FROM_LAST_OFFSET' : 'CONSUME_FROM_FIRST_OFFSET',
    parallelConsumeLimit: 32,
    ...(fields.maxAttempts === undefined ? {} : { maxReconsumeTimes: fields.maxAttempts }),
  });
  consumer.on('error', (error) => console.error('consumer', error.message));
  const opened = { consumer, inbox: new Inbox<ReceivedMessage>(), open: new Map<string, (isAcked: boolean) => void>() };
  consumer.subscribe(fields.topic, fields.tags ?? '*', async (message) => {
    const handle = `o${++ids}`;
    const isAcked = await new Promise<boolean>((settled) => {
      opened.open.set(handle, settled);
      opened.inbox.push(received(message, handle));
    });
    return isAcked ? undefined : ons.Consumer.ACTION_RETRY;
  });
  await consumer.ready();
  const id = `c${++ids}`;
  consumers.set(id, opened);
  return { consumer: id };
}

serve({
  'rocketmq.publish': publish,
  'rocketmq.subscribe': subscribe,
  'rocketmq.take': async (fields) => ({
    messages: await consumers.get(fields.consumer)!.inbox.take(fields.count ?? 1, fields.waitMs ?? 30_000),
  }),
  'rocketmq.settle': async (fields) => {
    const { open } = consumers.get(fields.consumer)!;
    for (const handle of fields.handles) {
      const settle = open.get(handle);
      if (!settle) throw new Error(`handle ${handle} is not open`);
      open.delete(handle);
      settle(fields.how === undefined || fields.how === 'ack');
    }
    return {};
  },
  'rocketmq.close': async (fields) => {
    const opened = consumers.get(fields.consumer)!;
    consumers.delete(fields.consumer);
    await opened.consumer.close();
    return {};
  },
});
