// A running adapter for tests: over TCP for real clients, and as a duplex pair for raw frames.
import { randomFillSync } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { BROKER } from '../../../core/publish.ts';
import { SimDisk } from '../../../core/testing/sim-disk.ts';
import type { AccessRule, Principal } from '../../../core/types.ts';
import type { Verbs } from '../../../core/verbs.ts';
import type { Api, Field, Input, Values } from '../../../specs/kafka/row.ts';
import { isFlexible } from '../../../specs/kafka/row.ts';
import type { Adapter, AdapterContext, ConnectionInfo } from '../../adapter.ts';
import { Framer, Int32Frames } from '../../wire/framer.ts';
import { Reader } from '../../wire/reader.ts';
import { Writer } from '../../wire/writer.ts';
import { create } from '../adapter.ts';
import { decode, encode } from '../codec/rows.ts';
import { openBroker, TestClock } from './real-broker.ts';

export interface Harness {
  readonly adapter: Adapter;
  readonly broker: Verbs;
  readonly port: number;
  readonly server: Server;
  readonly address: string;
  readonly clock: TestClock;
  /** Where the broker keeps its files. */
  readonly disk: SimDisk;
  stop(): Promise<void>;
}

export interface HarnessOptions {
  readonly settings?: Record<string, string | number | boolean>;
  readonly limits?: Record<string, number>;
  /** User name -> password; without it everybody may do everything. */
  readonly users?: Record<string, string>;
  /** A directory that another harness has left (`disk.kill()`). */
  readonly disk?: SimDisk;
  /** 0: no sync is done on the loop. */
  readonly inlineSyncMs?: number;
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };

export async function start(options: HarnessOptions = {}): Promise<Harness> {
  const clock = new TestClock();
  const disk = options.disk ?? new SimDisk({ clock });
  const broker = await openBroker(clock, undefined, disk, options.inlineSyncMs);
  const context: AdapterContext = {
    broker,
    clock,
    random: { bytes: (target) => randomFillSync(target) },
    log: silent,
    authenticate: async (name, password, host): Promise<Principal | null> =>
      options.users === undefined || options.users[name] === password ? { name, host } : null,
    internal: BROKER,
    anonymous: (host) => ({ name: 'anonymous', host }),
    open: () => options.users === undefined,
    limits: options.limits ?? {},
    settings: options.settings ?? {},
  };
  const adapter = create(context);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    adapter.accept(socket, infoOf(socket.remoteAddress ?? '', socket.remotePort ?? 0, port()));
  });
  const port = (): number => (server.address() as { port: number }).port;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    adapter,
    broker,
    server,
    disk,
    clock,
    port: port(),
    address: `127.0.0.1:${port()}`,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await broker.close();
    },
  };
}

interface Access {
  putCredential(row: { user: string; kind: string; value: object }): void;
  putRule(rule: AccessRule): void;
  deleteRule(id: string): void;
}

/** The broker's rules, to be changed on the spot; from here on there is a user, so they hold. */
export function secure(broker: Verbs): Access {
  const { access } = (broker as unknown as { tables: { access: Access } }).tables;
  access.putCredential({ user: 'root', kind: 'none', value: {} });
  return access;
}

function infoOf(host: string, port: number, localPort: number): ConnectionInfo {
  return {
    listener: 'kafka',
    remote: { host, port },
    local: { host: '127.0.0.1', port: localPort },
    tls: false,
    advertised: () => ({ host: '127.0.0.1', port: localPort }),
  };
}

/** A client of raw frames on a duplex pair: the bytes are its own, written and read by the rows. */
export class RawClient {
  /** Frames received, without their length, oldest first. */
  readonly frames: Buffer[] = [];
  closed = false;
  readonly #ours: Duplex;
  readonly #writer = new Writer();
  #correlation = 0;
  #arrived: (() => void) | null = null;

  constructor(adapter: Adapter, options: { highWaterMark?: number } = {}) {
    const [ours, theirs] = duplexPair(options);
    this.#ours = ours;
    const framer = new Framer(new Int32Frames(1 << 28), (buffer, start, end) => {
      this.frames.push(Buffer.from(buffer.subarray(start, end)));
      this.#arrived?.();
    });
    ours.on('data', (chunk: Buffer) => framer.push(chunk));
    const gone = (): void => {
      this.closed = true;
      this.#arrived?.();
    };
    ours.on('end', gone).on('close', gone).on('error', gone);
    adapter.accept(theirs, infoOf('10.0.0.1', 4000, 9092));
  }

  /** Sends raw bytes. */
  write(bytes: Buffer): void {
    this.#ours.write(bytes);
  }

  destroy(): void {
    this.#ours.destroy();
  }

  /** Reads nothing until `resume`. */
  pause(): void {
    this.#ours.pause();
  }

  resume(): void {
    this.#ours.resume();
  }

  /** A whole request frame as bytes. */
  encode<const F extends readonly Field[]>(
    api: Api & { readonly request: F },
    version: number,
    value: Input<F>,
  ): Buffer {
    return this.frame(api, version, (writer) => encode(api.request, value, writer, version, isFlexible(api, version)));
  }

  frame(api: { key: number } & Pick<Api, 'flexible'>, version: number, body: (writer: Writer) => void): Buffer {
    const writer = this.#writer;
    writer.reserveInt32();
    writer.int16(api.key);
    writer.int16(version);
    writer.int32(++this.#correlation);
    writer.int16(4);
    writer.utf8('test');
    if (api.flexible !== null && version >= api.flexible) writer.uvarint(0);
    body(writer);
    writer.patchLength32(0);
    return writer.take();
  }

  async ask<const Q extends readonly Field[], const R extends readonly Field[]>(
    api: Api & { readonly request: Q; readonly response: R },
    version: number,
    value: Input<Q>,
  ): Promise<Values<R>> {
    this.write(this.encode(api, version, value));
    return this.answer(api, version);
  }

  /** The next reply, read by the rows. */
  async answer<const R extends readonly Field[]>(
    api: Api & { readonly response: R },
    version: number,
  ): Promise<Values<R>> {
    const reader = new Reader(await this.next());
    reader.int32();
    const flexible = isFlexible(api, version);
    if (flexible && api.key !== 18) reader.uvarint();
    const value = decode(api.response, reader, version, flexible);
    if (reader.remaining > 0) throw new Error(`${reader.remaining} bytes behind the ${api.name} response`);
    return value;
  }

  async next(): Promise<Buffer> {
    while (this.frames.length === 0) {
      if (this.closed) throw new Error('the connection is closed');
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
    return this.frames.shift()!;
  }

  async untilClosed(): Promise<void> {
    while (!this.closed) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
  }
}

/** Two ends of one connection in memory. A write is done when the other end has room for more. */
function duplexPair(options: { highWaterMark?: number }): [Duplex, Duplex] {
  const waiting = new Map<Duplex, () => void>();
  const make = (other: () => Duplex): Duplex =>
    new Duplex({
      ...options,
      read() {
        const done = waiting.get(this);
        waiting.delete(this);
        done?.();
      },
      write(chunk: Buffer, _encoding, done) {
        setImmediate(() => {
          if (other().destroyed || other().push(Buffer.from(chunk))) done();
          else waiting.set(other(), done);
        });
      },
      final(done) {
        setImmediate(() => {
          if (!other().destroyed) other().push(null);
          done();
        });
      },
      destroy(error, done) {
        setImmediate(() => {
          if (!other().destroyed) other().destroy();
        });
        done(error);
      },
    });
  const pair: Duplex[] = [];
  pair.push(make(() => pair[1]!));
  pair.push(make(() => pair[0]!));
  return [pair[0]!, pair[1]!];
}
