// The verbs on amqplib. One connection for everything but subscriptions' channels; a lost one is reopened by the next verb.
import amqp, { type Channel, type ChannelModel, type ConsumeMessage, type GetMessage, type Options } from 'amqplib';
import type { ReceivedMessage, SendResult, SentMessage } from './driver.ts';
import { base64, endpoints, type Fields, failure, Inbox, serve, unbase64 } from './serve.ts';

let connecting: Promise<ChannelModel> | null = null;
const consumers = new Map<
  string,
  {
    channel: Channel;
    tag: string;
    inbox: Inbox<ReceivedMessage>;
    open: Map<string, ConsumeMessage>;
    isCancelled: boolean;
  }
>();
let ids = 0;
/** What the broker said last of whether it takes publishes (connection.blocked). */
let blocked: string | null = null;

function connection(): Promise<ChannelModel> {
  connecting ??= amqp.connect(endpoints().amqp, { timeout: 5_000 }).then(
    (opened) => {
      opened.on('error', (error: Error) => console.error('connection', error.message));
      opened.on('blocked', (reason: string) => {
        blocked = reason;
      });
      opened.on('unblocked', () => {
        blocked = null;
      });
      opened.on('close', () => {
        blocked = null;
        connecting = null;
      });
      return opened;
    },
    (error: unknown) => {
      connecting = null;
      throw error;
    },
  );
  return connecting;
}

/**
 * The answer to a request on the connection, or a failure when the connection goes first: amqplib leaves a channel that is
 * being opened, closed or cancelled on a dying connection without an answer.
 */
async function unlessLost<T>(request: (opened: ChannelModel) => Promise<T>): Promise<T> {
  const opened = await connection();
  let lost!: () => void;
  const losing = new Promise<never>((_, reject) => {
    lost = () => reject(new Error('the connection was lost'));
    opened.once('close', lost);
  });
  try {
    return await Promise.race([request(opened), losing]);
  } finally {
    opened.removeListener('close', lost);
  }
}

async function onChannel<T>(use: (channel: Channel) => Promise<T>): Promise<T> {
  return unlessLost(async (opened) => {
    const channel = await opened.createChannel();
    channel.on('error', (error: Error) => console.error('channel', error.message));
    const result = await use(channel);
    await channel.close();
    return result;
  });
}

interface Declared {
  readonly name: string;
  readonly type?: string;
  readonly durable?: boolean;
  readonly exclusive?: boolean;
  readonly args?: Record<string, unknown>;
}

interface Binding {
  readonly queue: string;
  /** An exchange in place of a queue. */
  readonly destination?: string;
  readonly exchange: string;
  readonly key: string;
  readonly args?: Record<string, unknown>;
}

const declare = (fields: Fields): Promise<object> =>
  onChannel(async (channel) => {
    for (const one of (fields.exchanges ?? []) as Declared[])
      await channel.assertExchange(one.name, one.type ?? 'topic', { durable: true, arguments: one.args });
    const queues: string[] = [];
    for (const one of (fields.queues ?? []) as Declared[]) {
      const options: Options.AssertQueue = {
        durable: one.durable ?? true,
        exclusive: one.exclusive ?? false,
        arguments: one.args,
      };
      queues.push((await channel.assertQueue(one.name, options)).queue);
    }
    for (const one of (fields.bindings ?? []) as Binding[]) {
      if (one.destination === undefined) await channel.bindQueue(one.queue, one.exchange, one.key, one.args);
      else await channel.bindExchange(one.destination, one.exchange, one.key, one.args);
    }
    return { queues };
  });

async function publish(fields: Fields): Promise<object> {
  const channel = await unlessLost((opened) => opened.createConfirmChannel());
  const messages = fields.messages;
  const results: SendResult[] = messages.map(() => ({ confirmed: false }));
  let closing: Error | null = null;
  channel.on('error', (error: Error) => {
    closing = error;
  });
  channel.on('return', (back) => {
    const { replyCode, replyText } = back.fields as unknown as { replyCode: number; replyText: string };
    results[Number(back.properties.messageId)] = { confirmed: false, returned: { code: replyCode, text: replyText } };
  });
  const confirms = messages.map(
    (message, at) =>
      new Promise<void>((done) => {
        const options = {
          persistent: true,
          headers: headers(message),
          ...propertiesOf(message),
          mandatory: fields.mandatory === true,
          ...(fields.mandatory === true ? { messageId: String(at) } : {}),
        };
        channel.publish(
          fields.exchange ?? '',
          routingKey(message),
          unbase64(message.body) ?? Buffer.alloc(0),
          options,
          (error: unknown) => {
            results[at] = error
              ? { ...results[at], error: failure(closing ?? error) }
              : { ...results[at], confirmed: true };
            done();
          },
        );
      }),
  );
  const timeout = new Promise<void>((done) => setTimeout(done, fields.waitMs ?? 20_000).unref());
  await Promise.race([Promise.all(confirms), timeout]);
  await unlessLost(() => channel.close()).catch(() => undefined);
  return {
    results: results.map((one) =>
      one.confirmed || one.error ? one : { ...one, error: failure(closing ?? new Error('no confirm')) },
    ),
  };
}

const routingKey = (message: SentMessage): string => message.routingKey ?? unbase64(message.key)?.toString() ?? '';

function propertiesOf(message: SentMessage): Options.Publish {
  const { cc, delay: _, ...rest } = message.properties ?? {};
  return { ...rest, ...(cc === undefined ? {} : { CC: [...cc] }) };
}

function headers(message: SentMessage): Record<string, unknown> {
  const all: Record<string, unknown> = { ...message.headers };
  for (const [name, bytes] of Object.entries(message.binaryHeaders ?? {})) all[name] = Buffer.from(bytes, 'base64');
  if (message.tag != null) all['TAGS'] = message.tag;
  if (message.properties?.delay !== undefined) all['x-delay'] = message.properties.delay;
  return all;
}

function received(message: Pick<GetMessage | ConsumeMessage, 'fields' | 'properties' | 'content'>): ReceivedMessage {
  const shown: Record<string, string | null> = {};
  let tag: string | null = null;
  for (const [name, value] of Object.entries(message.properties.headers ?? {}) as [string, unknown][]) {
    if (name === 'TAGS') tag = String(value);
    else shown[name] = value == null ? null : base64(bytesOf(value));
  }
  const { routingKey: key, exchange, redelivered, deliveryTag } = message.fields;
  return {
    exchange,
    routingKey: key,
    redelivered,
    handle: String(deliveryTag),
    key: key === '' ? null : base64(Buffer.from(key)),
    tag,
    headers: shown,
    body: base64(message.content),
    system: {
      ...(message.properties.replyTo === undefined ? {} : { replyTo: String(message.properties.replyTo) }),
      ...(message.properties.correlationId === undefined
        ? {}
        : { correlationId: String(message.properties.correlationId) }),
    },
  };
}

/** A header's value as bytes: text and byte arrays as they are, numbers and the like as they print, tables as JSON. */
function bytesOf(value: unknown): Buffer {
  if (Buffer.isBuffer(value)) return value;
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
}

async function subscribe(fields: Fields): Promise<object> {
  const channel = await unlessLost((opened) => opened.createChannel());
  channel.on('error', (error: Error) => console.error('channel', error.message));
  await channel.prefetch(fields.prefetch ?? 100);
  const inbox = new Inbox<ReceivedMessage>();
  const id = `l${++ids}`;
  const open = new Map<string, ConsumeMessage>();
  const isNoAck = fields.noAck === true;
  const { consumerTag } = await channel.consume(
    String(fields.queue),
    (message) => {
      if (!message) {
        const cancelled = consumers.get(id);
        if (cancelled) cancelled.isCancelled = true;
        return;
      }
      if (!isNoAck) open.set(String(message.fields.deliveryTag), message);
      inbox.push(received(message));
    },
    { noAck: isNoAck, exclusive: fields.exclusive === true, arguments: fields.args },
  );
  consumers.set(id, { channel, tag: consumerTag, inbox, open, isCancelled: false });
  return { consumer: id };
}

async function settle(fields: Fields): Promise<object> {
  const { channel, open } = consumers.get(fields.consumer)!;
  const isMultiple = fields.multiple === true;
  for (const handle of fields.handles) {
    const message = open.get(handle) ?? ({ fields: { deliveryTag: Number(handle) } } as ConsumeMessage);
    open.delete(handle);
    if (fields.how === 'retry') channel.nack(message, isMultiple, true);
    else if (fields.how === 'reject') channel.reject(message, false);
    else channel.ack(message, isMultiple);
  }
  return {};
}

/** Asks through amq.rabbitmq.reply-to and waits for the answer, as RPC clients do. */
const rpc = (fields: Fields): Promise<object> =>
  onChannel(async (channel) => {
    const inbox = new Inbox<ReceivedMessage>();
    const take = (message: ConsumeMessage | null): void => {
      if (message) inbox.push(received(message));
    };
    await channel.consume('amq.rabbitmq.reply-to', take, { noAck: true });
    const options = { replyTo: 'amq.rabbitmq.reply-to', correlationId: 'question' };
    channel.sendToQueue(String(fields.queue), unbase64(fields.body) ?? Buffer.alloc(0), options);
    return { message: (await inbox.take(1, fields.waitMs ?? 10_000))[0] ?? null };
  });

serve({
  'amqp.rpc': rpc,
  'amqp.delete': (fields) =>
    onChannel(async (channel) => {
      await channel.deleteQueue(String(fields.queue));
      return {};
    }),
  'amqp.cancelled': async (fields) => ({ cancelled: consumers.get(fields.consumer)!.isCancelled }),
  'amqp.blocked': async () => ({ blocked }),
  'amqp.declare': declare,
  'amqp.publish': publish,
  'amqp.get': (fields) =>
    onChannel(async (channel) => {
      const got = await channel.get(String(fields.queue), { noAck: fields.noAck !== false });
      return { message: got ? received(got) : null, remaining: got ? got.fields.messageCount : 0 };
    }),
  'amqp.subscribe': subscribe,
  'amqp.take': async (fields) => ({
    messages: await consumers.get(fields.consumer)!.inbox.take(fields.count ?? 1, fields.waitMs ?? 10_000),
  }),
  'amqp.settle': settle,
  'amqp.close': async (fields) => {
    const { channel, tag } = consumers.get(fields.consumer)!;
    consumers.delete(fields.consumer);
    await unlessLost(async () => {
      await channel.cancel(tag);
      await channel.close();
    });
    return {};
  },
  'amqp.queueState': (fields) =>
    onChannel(async (channel) => {
      const { messageCount, consumerCount } = await channel.checkQueue(String(fields.queue));
      return { ready: messageCount, consumers: consumerCount };
    }),
});
