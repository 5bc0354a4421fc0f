// One connection of a scenario and its channels. Everything the broker sends is written down as a line of the channel it
// came on; what we send stands between, for the reader. Confirms are told one by one, however the broker bundled them, and
// a closing of channel or connection is answered as a client must.
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MethodName } from '../../specs/amqp/methods.ts';
import { PASSWORD, USER } from './brokers.ts';
import {
  type Field,
  type Fields,
  FRAME,
  frame,
  headerPayload,
  methodPayload,
  type Properties,
  parseHeader,
  parseMethod,
  type Table,
  told,
} from './wire.ts';

/** Long enough for a busy machine: only answers that never come take as long. */
const ANSWER_WAIT_MS = 6_000;
const SILENCE_MS = 200;

export interface Message {
  readonly exchange: string;
  readonly routingKey: string;
  readonly deliveryTag: number;
  readonly consumerTag: string;
  readonly redelivered: boolean;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly body: string;
}

interface Item {
  readonly name: MethodName | 'end';
  readonly fields: Record<string, unknown>;
  readonly message: Message | null;
}

interface Content {
  readonly name: MethodName;
  readonly fields: Record<string, unknown>;
  header: { bodyBytes: number; properties: Record<string, unknown> } | null;
  body: Buffer[];
}

export interface Login {
  readonly user?: string;
  readonly password?: string;
  readonly vhost?: string;
  readonly capabilities?: Table;
  readonly frameMax?: number;
  readonly heartbeat?: number;
}

const CAPABILITIES: Table = {
  publisher_confirms: true,
  exchange_exchange_bindings: true,
  'basic.nack': true,
  consumer_cancel_notify: true,
  'connection.blocked': true,
  authentication_failure_close: true,
};

export class Link {
  readonly label: string;
  readonly #socket: Socket;
  readonly #lines: Map<string, string[]>;
  readonly #channels = new Map<number, Channel>();
  #rest: Buffer = Buffer.alloc(0);
  #waiting: (() => void)[] = [];
  isEnded = false;
  /** When the last octet came, to tell silence. */
  lastAt = performance.now();
  heartbeats = 0;
  frameMax = 131_072;
  readonly main: Channel;

  private constructor(label: string, socket: Socket, lines: Map<string, string[]>) {
    this.label = label;
    this.#socket = socket;
    this.#lines = lines;
    this.main = this.at(0);
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isEnded = true;
      for (const channel of this.#channels.values()) channel.add({ name: 'end', fields: {}, message: null });
      this.main.tell('- the connection is gone');
      this.#wake();
    });
  }

  /** A socket to the broker and nothing said yet. */
  static async dial(port: number, label: string, lines: Map<string, string[]>): Promise<Link> {
    const socket = connect({ port, host: '127.0.0.1' });
    await new Promise<void>((done, fail) => {
      socket.once('connect', done);
      socket.once('error', fail);
    });
    return new Link(label, socket, lines);
  }

  tell(channel: number, line: string): void {
    const key = channel === 0 ? this.label : `${this.label}.${channel}`;
    const lines = this.#lines.get(key) ?? [];
    this.#lines.set(key, lines);
    lines.push(line);
  }

  /** The channel of this number, opened or not. */
  at(number: number): Channel {
    let channel = this.#channels.get(number);
    if (!channel) this.#channels.set(number, (channel = new Channel(this, number)));
    return channel;
  }

  /** Logs in, up to open-ok or to what came instead. Not written down unless asked. */
  async login(login: Login = {}, isTold = false): Promise<this> {
    const { main } = this;
    main.isTold = isTold;
    this.write(Buffer.from('AMQP\0\0\x09\x01', 'latin1'));
    const { user = USER, password = PASSWORD } = login;
    if (await main.arrives('connection.start')) {
      main.send('connection.start-ok', {
        clientProperties: { product: 'oracle', capabilities: login.capabilities ?? CAPABILITIES },
        mechanism: 'PLAIN',
        response: `\0${user}\0${password}`,
        locale: 'en_US',
      });
      const tune = await main.arrives('connection.tune');
      if (tune) {
        this.frameMax = login.frameMax ?? Number(tune['frameMax']);
        main.send('connection.tune-ok', {
          channelMax: tune['channelMax'],
          frameMax: this.frameMax,
          heartbeat: login.heartbeat ?? 0,
        });
        main.send('connection.open', { virtualHost: login.vhost ?? '/' });
        await main.arrives('connection.open-ok');
      }
    }
    main.isTold = true;
    return this;
  }

  /** The next channel, opened; its opening is not written down. */
  async channel(number = Math.max(0, ...this.#channels.keys()) + 1): Promise<Channel> {
    const channel = this.at(number);
    channel.isTold = false;
    await channel.call('channel.open');
    channel.isTold = true;
    return channel;
  }

  write(bytes: Uint8Array): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes);
  }

  /** Ends the socket without a word of the protocol. */
  cut(): void {
    this.main.isTold = false;
    this.#socket.destroy();
  }

  /** Resolves when anything more came, or after the wait. */
  async more(waitMs: number): Promise<void> {
    const stop = new AbortController();
    await Promise.race([
      new Promise<void>((done) => this.#waiting.push(done)),
      sleep(waitMs, undefined, { signal: stop.signal }).catch(() => undefined),
    ]);
    stop.abort();
  }

  /** Until nothing came for a while. */
  async quiet(forMs = SILENCE_MS): Promise<void> {
    const began = performance.now();
    while (!this.isEnded) {
      const left = forMs - (performance.now() - Math.max(this.lastAt, began));
      if (left <= 0) return;
      await this.more(left);
    }
  }

  /** Until the broker has ended the connection. */
  async ended(waitMs = ANSWER_WAIT_MS): Promise<void> {
    const until = performance.now() + waitMs;
    while (!this.isEnded && performance.now() < until) await this.more(until - performance.now());
    if (!this.isEnded) this.main.tell(`- the connection is still there`);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) one();
  }

  #take(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    this.lastAt = performance.now();
    for (;;) {
      if (this.#rest.length >= 8 && this.#rest.toString('latin1', 0, 4) === 'AMQP') {
        this.main.tell(`< header ${[...this.#rest.subarray(4, 8)].join(' ')}`);
        this.#rest = this.#rest.subarray(8);
        continue;
      }
      if (this.#rest.length < 7) break;
      const length = this.#rest.readUInt32BE(3) + 8;
      if (this.#rest.length < length) break;
      const [type, channel] = [this.#rest[0]!, this.#rest.readUInt16BE(1)];
      const payload = this.#rest.subarray(7, length - 1);
      this.#rest = this.#rest.subarray(length);
      if (type === FRAME.heartbeat) this.heartbeats++;
      else this.at(channel).receive(type, payload);
    }
    this.#wake();
  }
}

/** Which methods end a wait for the answer to this one. */
function answersTo(name: MethodName): readonly MethodName[] {
  if (name === 'basic.get') return ['basic.get-ok', 'basic.get-empty'];
  if (name === 'basic.recover-async') return [];
  return [`${name}-ok` as MethodName];
}

export class Channel {
  readonly link: Link;
  readonly number: number;
  readonly items: Item[] = [];
  isTold = true;
  isClosed = false;
  #content: Content | null = null;
  #taken = 0;
  #published = 0;
  #confirmed = new Map<number, boolean>();
  #lowestUnconfirmed = 1;

  constructor(link: Link, number: number) {
    this.link = link;
    this.number = number;
  }

  tell(line: string): void {
    if (this.isTold) this.link.tell(this.number, line);
  }

  add(item: Item): void {
    this.items.push(item);
  }

  receive(type: number, payload: Buffer): void {
    if (type === FRAME.method) {
      const { name, fields } = parseMethod(payload);
      if (name === 'basic.deliver' || name === 'basic.get-ok' || name === 'basic.return')
        this.#content = { name, fields, header: null, body: [] };
      else this.#arrived(name, fields);
      return;
    }
    const content = this.#content;
    if (!content) throw new Error(`a frame of type ${type} without a method on channel ${this.number}`);
    if (type === FRAME.header) content.header = parseHeader(payload);
    else content.body.push(payload);
    const body = Buffer.concat(content.body);
    if (body.length < content.header!.bodyBytes) return;
    this.#content = null;
    const { name, fields } = content;
    const properties = content.header!.properties;
    const shown = body.length > 200 ? `${body.length} octets` : JSON.stringify(body.toString());
    this.tell(`< ${name} ${toldFields(fields)} ${toldFields(properties, true)} ${shown}`.replace(/ +/g, ' '));
    const message = { ...fields, properties, body: body.toString() } as unknown as Message;
    this.add({ name, fields, message });
  }

  #arrived(name: MethodName, fields: Record<string, unknown>): void {
    if (name === 'basic.ack' || name === 'basic.nack') this.#confirms(name, fields);
    else {
      // The order of the mechanisms says nothing and is RabbitMQ's hash table's.
      const mechanisms = fields['mechanisms'];
      if (typeof mechanisms === 'string') fields['mechanisms'] = mechanisms.split(' ').toSorted().join(' ');
      this.tell(`< ${name} ${toldFields(fields)}`.trimEnd());
    }
    if (name === 'channel.close' || name === 'connection.close') {
      this.isClosed = true;
      this.link.write(frame(FRAME.method, this.number, methodPayload(`${name}-ok`)));
    }
    if (name === 'channel.open-ok') this.isClosed = false;
    this.add({ name, fields, message: null });
  }

  /** Which publishes this settles, each told by itself and in the order of publishing where they come together. */
  #confirms(name: 'basic.ack' | 'basic.nack', fields: Record<string, unknown>): void {
    const tag = Number(fields['deliveryTag']);
    const isAck = name === 'basic.ack';
    const from = fields['multiple'] ? this.#lowestUnconfirmed : tag;
    const last = tag === 0 ? this.#published : tag;
    for (let i = from; i <= last; i++) {
      if (this.#confirmed.has(i)) {
        if (!fields['multiple']) this.tell(`< publish ${i} is confirmed a second time`);
        continue;
      }
      this.#confirmed.set(i, isAck);
      if (i > this.#published) this.tell(`< publish ${i} is confirmed and was never made`);
    }
    while (this.#confirmed.has(this.#lowestUnconfirmed)) this.#lowestUnconfirmed++;
  }

  /** Sends a method and goes on. Nothing more is sent on a channel that the broker closed, until it is opened again. */
  send(name: MethodName, fields: Fields = {}): void {
    this.tell(`> ${name} ${toldSent(fields)}`.trimEnd());
    if (this.isClosed && name !== 'channel.open') return this.tell('- not sent, the channel is closed');
    this.link.write(frame(FRAME.method, this.number, methodPayload(name, fields)));
  }

  /** Sends a method and waits for its answer; null when the channel or the connection was closed instead. */
  async call(name: MethodName, fields: Fields = {}): Promise<Record<string, unknown> | null> {
    const from = this.items.length;
    this.send(name, fields);
    if (this.isClosed && name !== 'channel.open') return null;
    const answer = await this.#next(from, (item) => answersTo(name).includes(item.name as MethodName));
    return answer?.message ? { ...answer.fields, message: answer.message } : (answer?.fields ?? null);
  }

  /** Waits for this method, whoever caused it. */
  async arrives(name: MethodName, waitMs = ANSWER_WAIT_MS): Promise<Record<string, unknown> | null> {
    const found = await this.#next(0, (item) => item.name === name, waitMs);
    return found?.fields ?? null;
  }

  /** Waits for the broker to close this channel or, at 0 or above it, the connection. */
  async closes(waitMs = ANSWER_WAIT_MS): Promise<void> {
    await this.#next(0, () => false, waitMs);
  }

  async #next(from: number, wanted: (item: Item) => boolean, waitMs = ANSWER_WAIT_MS): Promise<Item | null> {
    const until = performance.now() + waitMs;
    for (let i = from; ; ) {
      for (; i < this.items.length; i++) {
        const item = this.items[i]!;
        if (wanted(item)) return item;
        if (item.name === 'channel.close' || item.name === 'connection.close' || item.name === 'end') return null;
      }
      if (this.link.main.isClosed || this.link.isEnded) return null;
      const left = until - performance.now();
      if (left <= 0) {
        this.tell('- no answer');
        return null;
      }
      await this.link.more(left);
    }
  }

  /** Waits for so many more messages (deliveries and returns) and gives them; fewer when no more come. */
  async take(count: number, waitMs = 3_000): Promise<Message[]> {
    const until = performance.now() + waitMs;
    for (;;) {
      const found = this.items.slice(this.#taken).filter((item) => item.name === 'basic.deliver');
      if (found.length >= count || performance.now() >= until || this.link.isEnded || this.isClosed) {
        const given = found.slice(0, count);
        this.#taken = given.length > 0 ? this.items.indexOf(given.at(-1)!) + 1 : this.#taken;
        return given.map((item) => item.message!);
      }
      await this.link.more(until - performance.now());
    }
  }

  /** Waits until nothing comes any more, so that what comes unasked is written down. */
  quiet(forMs?: number): Promise<void> {
    return this.link.quiet(forMs);
  }

  // The verbs of scenarios, short because there are many.

  async queue(queue: string, fields: Fields = {}, args: Table = {}): Promise<string> {
    const ok = await this.call('queue.declare', { queue, durable: true, ...fields, arguments: args });
    return (ok?.['queue'] ?? '') as string;
  }

  passive(queue: string): Promise<unknown> {
    return this.call('queue.declare', { queue, passive: true });
  }

  exchange(exchange: string, type: string, args: Table = {}, fields: Fields = {}): Promise<unknown> {
    return this.call('exchange.declare', { exchange, type, durable: true, ...fields, arguments: args });
  }

  bind(queue: string, exchange: string, routingKey = '', args: Table = {}): Promise<unknown> {
    return this.call('queue.bind', { queue, exchange, routingKey, arguments: args });
  }

  bindExchange(destination: string, source: string, routingKey = '', args: Table = {}): Promise<unknown> {
    return this.call('exchange.bind', { destination, source, routingKey, arguments: args });
  }

  publish(
    exchange: string,
    routingKey: string,
    body: string | Uint8Array,
    properties: Properties = {},
    fields: Fields = {},
  ): void {
    const bytes = Buffer.from(body as Uint8Array);
    if (this.isClosed) return this.tell('- not sent, the channel is closed');
    this.#published++;
    const shown = bytes.length > 200 ? `${bytes.length} octets` : JSON.stringify(bytes.toString());
    this.tell(
      `> basic.publish ${toldSent({ exchange, routingKey, ...fields })} ${toldSent(properties)} ${shown}`.replace(
        / +/g,
        ' ',
      ),
    );
    const parts = [
      frame(FRAME.method, this.number, methodPayload('basic.publish', { exchange, routingKey, ...fields })),
      frame(FRAME.header, this.number, headerPayload(bytes.length, properties)),
    ];
    const chunk = this.link.frameMax - 8;
    for (let at = 0; at < bytes.length; at += chunk)
      parts.push(frame(FRAME.body, this.number, bytes.subarray(at, at + chunk)));
    this.link.write(Buffer.concat(parts));
  }

  /** Publishes these bodies to a queue through the default exchange. */
  fill(queue: string, ...bodies: string[]): void {
    for (const body of bodies) this.publish('', queue, body, { deliveryMode: 2 });
  }

  confirm(): Promise<unknown> {
    return this.call('confirm.select');
  }

  /** Waits until every publish is confirmed and tells the outcomes. */
  async confirms(waitMs = ANSWER_WAIT_MS): Promise<void> {
    const until = performance.now() + waitMs;
    while (this.#confirmed.size < this.#published && performance.now() < until && !this.isClosed && !this.link.isEnded)
      await this.link.more(until - performance.now());
    const outcomes = Array.from({ length: this.#published }, (_, i) => this.#confirmed.get(i + 1));
    this.tell(`< confirms: ${outcomes.map((ok) => (ok === undefined ? 'none' : ok ? 'ack' : 'nack')).join(' ')}`);
  }

  async consume(queue: string, consumerTag: string, fields: Fields = {}, args: Table = {}): Promise<string> {
    const ok = await this.call('basic.consume', { queue, consumerTag, ...fields, arguments: args });
    return (ok?.['consumerTag'] ?? '') as string;
  }

  async get(queue: string, noAck = true): Promise<Message | null> {
    const got = await this.call('basic.get', { queue, noAck });
    return (got?.['message'] as Message | undefined) ?? null;
  }

  /** Gets until the queue is empty. */
  async drain(queue: string, noAck = true): Promise<Message[]> {
    const all: Message[] = [];
    for (let one = await this.get(queue, noAck); one && all.length < 500; one = await this.get(queue, noAck))
      all.push(one);
    return all;
  }

  qos(prefetchCount: number, global = false): Promise<unknown> {
    return this.call('basic.qos', { prefetchCount, global });
  }

  ack(deliveryTag: number, multiple = false): void {
    this.send('basic.ack', { deliveryTag, multiple });
  }

  nack(deliveryTag: number, requeue: boolean, multiple = false): void {
    this.send('basic.nack', { deliveryTag, multiple, requeue });
  }

  reject(deliveryTag: number, requeue: boolean): void {
    this.send('basic.reject', { deliveryTag, requeue });
  }

  cancel(consumerTag: string): Promise<unknown> {
    return this.call('basic.cancel', { consumerTag });
  }

  close(): Promise<unknown> {
    return this.call('channel.close', { replyCode: 200, replyText: 'done' });
  }

  /** A method frame with these octets, well-formed or not. */
  raw(type: number, payload: Uint8Array, end?: number): void {
    this.tell(`> frame of type ${type} ${Buffer.from(payload).toString('hex').slice(0, 60)}`);
    this.link.write(frame(type, this.number, payload, end));
  }
}

/** Server properties by name and type, with the values of the flags among them: the texts are each broker's own. */
const toldProperties = (properties: Record<string, Field>): string =>
  `{${Object.entries(properties)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}: ${value.letter === 'S' ? 'S' : told(value)}`)
    .join(', ')}}`;

function toldFields(fields: Readonly<Record<string, unknown>>, isBraced = false): string {
  const text = Object.entries(fields)
    .filter(([name, value]) => !name.startsWith('reserved') && !(isBraced && value === undefined))
    .map(
      ([name, value]) =>
        `${name}=${name === 'serverProperties' ? toldProperties(value as Record<string, Field>) : told(value)}`,
    )
    .join(' ');
  return isBraced ? `{${text}}` : text;
}

/** What we send, without what is off or empty. */
function toldSent(fields: Fields): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== false && value !== undefined && !isEmpty(value))
    .map(([name, value]) => `${name}=${JSON.stringify(value, plain)}`)
    .join(' ');
}

const plain = (_: string, value: unknown): unknown =>
  value !== null && typeof value === 'object' && 'letter' in value
    ? `${(value as Field).letter} ${JSON.stringify((value as Field).value)}`
    : value;

const isEmpty = (value: unknown): boolean =>
  value === '' || (value !== null && typeof value === 'object' && Object.keys(value).length === 0);
