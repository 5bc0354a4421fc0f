// The adapter over a broker whose disk is memory, and a client that speaks raw frames to it over a duplex pair.

import { randomFillSync } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { Broker } from '../../../core/broker.ts';
import { crc32c } from '../../../core/log/crc32c.ts';
import type { SimClock } from '../../../core/testing/sim-clock.ts';
import { SimDisk } from '../../../core/testing/sim-disk.ts';
import type { Clock, Codec } from '../../../core/types.ts';
import type { Adapter, AdapterContext, ConnectionInfo } from '../../adapter.ts';
import { codec, create } from '../rocketmq.ts';

const systemClock: Clock = {
  nowMs: () => Date.now(),
  notBefore: () => undefined,
  setTimer: (delayMs, callback, argument) => Number(setTimeout(callback, delayMs, argument)[Symbol.toPrimitive]()),
  clearTimer: (handle) => clearTimeout(handle),
  afterTurn: (callback) => void setImmediate(callback),
};

export interface Harness {
  readonly adapter: Adapter;
  readonly context: AdapterContext;
  readonly broker: Broker;
  /** What the adapter logged as a defect. */
  readonly defects: unknown[];
  /** What it warned of. */
  readonly warnings: unknown[];
  close(): Promise<void>;
}

export interface HarnessOptions {
  readonly codecs?: readonly Codec[];
  readonly limits?: Record<string, number>;
  readonly settings?: Record<string, string | number | boolean>;
  /** Bytes of the log kept in memory; few make every read a cold one. */
  readonly hotBytes?: number;
  /** How long each sync of the disk takes; none is instant. */
  readonly syncMs?: number;
  /** Master key for secrets that clients sign with. */
  readonly sealingKey?: Buffer;
}

const random = { bytes: (target: Buffer): Buffer => randomFillSync(target) };
const MIB = 1024 * 1024;

export async function harness(options: HarnessOptions = {}): Promise<Harness> {
  const defects: unknown[] = [];
  const warnings: unknown[] = [];
  const nothing = (): void => undefined;
  // Of its clock the disk wants timers and turns only.
  const disk = new SimDisk({ clock: systemClock as SimClock });
  const { syncMs } = options;
  if (syncMs !== undefined) disk.latencyMs = () => syncMs;
  const broker = await Broker.open({
    disk,
    clock: systemClock,
    random,
    crc: crc32c,
    codecs: [codec, ...(options.codecs ?? [])],
    names: {
      topicsMax: 1000,
      groupsMax: 10_000,
      queuesPerTopicMax: 1000,
      reserved: [],
      attributes: {
        flush: 'sync',
        retention: { mode: 'log', timeMs: -1, bytes: -1 },
        messageBytesMax: 5 * MIB,
        deadLetter: null,
        messageTtlMs: -1,
        deliveriesMax: -1,
        extra: {},
      },
    },
    stateFlush: 'sync',
    segmentBytes: 16 * MIB,
    reserveBytes: MIB,
    ballastBytes: 0,
    hotBytes: options.hotBytes ?? 64 * MIB,
    coldBytes: 8 * MIB,
    indexCacheBytes: MIB,
    flushIntervalMs: 200,
    inlineSyncMs: syncMs === undefined ? Number.POSITIVE_INFINITY : 0,
    retentionIntervalMs: 10_000,
    snapshotIntervalMs: 60_000,
    cleanRatio: 0.5,
    jobSteps: 16,
    sealingKey: options.sealingKey ?? null,
    warn: (text, error) => defects.push({ text, error }),
  });
  const context: AdapterContext = {
    broker,
    clock: systemClock,
    random,
    log: {
      debug: nothing,
      info: nothing,
      warn: (fields) => warnings.push(fields),
      error: (fields) => defects.push(fields),
    },
    authenticate: async () => null,
    anonymous: (host) => ({ name: 'anonymous', host }),
    open: () => true,
    limits: options.limits ?? {},
    settings: options.settings ?? {},
  };
  const adapter = create(context);
  const close = async (): Promise<void> => {
    adapter.cut();
    await broker.close();
  };
  return { adapter, context, broker, defects, warnings, close };
}

export function infoOf(local: { host: string; port: number }): ConnectionInfo {
  return {
    listener: 'rocketmq-broker',
    remote: { host: '10.1.2.3', port: 54321 },
    local,
    tls: false,
    advertised: () => local,
  };
}

/** Two streams, each of which reads what is written to the other. */
export function duplexPair(): [Duplex, Duplex] {
  const make = (): Duplex => {
    const stream: Duplex = new Duplex({
      read: () => undefined,
      write: (chunk, _encoding, done) => {
        setImmediate(() => {
          if (!other(stream).destroyed) other(stream).push(chunk);
          done();
        });
      },
      final: (done) => {
        other(stream).push(null);
        done();
      },
      destroy: (error, done) => {
        if (!other(stream).destroyed) setImmediate(() => other(stream).destroy());
        done(error);
      },
    });
    return stream;
  };
  const pair: [Duplex, Duplex] = [make(), make()];
  const other = (stream: Duplex): Duplex => (stream === pair[0] ? pair[1] : pair[0]);
  return pair;
}

export interface Response {
  code: number;
  remark: string;
  ext: Record<string, string>;
  body: Buffer;
  flag: number;
  opaque: number;
}

/** A client that writes JSON or binary commands and reads what comes back. */
export class RawClient {
  readonly stream: Duplex;
  readonly unasked: Response[] = [];
  /** Everything that came, in its order. */
  readonly seen: Response[] = [];
  /** What it answers to requests of the broker; null lets them be. */
  answers: ((request: Response) => { code: number; remark?: string; body: Buffer }) | null = null;
  readonly #language: string;
  readonly #waiting = new Map<number, (response: Response) => void>();
  #opaque = 0;
  #buffer = Buffer.alloc(0);

  constructor(adapter: Adapter, language = 'JAVA') {
    this.#language = language;
    const [ours, theirs] = duplexPair();
    this.stream = ours;
    adapter.accept(theirs, infoOf({ host: '127.0.0.1', port: 10911 }));
    ours.on('data', (chunk: Buffer) => this.#data(chunk));
    ours.on('error', () => undefined);
    // As a socket does: the other side's end ends this one.
    ours.on('end', () => ours.end());
  }

  request(
    code: number,
    ext: Record<string, unknown> = {},
    body: Buffer | string = '',
    version = 473,
  ): Promise<Response> {
    const opaque = ++this.#opaque;
    this.stream.write(
      jsonFrame({ code, extFields: ext, flag: 0, language: this.#language, opaque, version }, Buffer.from(body)),
    );
    return this.answerTo(opaque);
  }

  oneway(code: number, ext: Record<string, unknown>, body: Buffer | string = ''): void {
    const opaque = ++this.#opaque;
    this.stream.write(
      jsonFrame({ code, extFields: ext, flag: 2, language: this.#language, opaque, version: 473 }, Buffer.from(body)),
    );
  }

  answerTo(opaque: number): Promise<Response> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer to ${opaque}`)), 5000);
      this.#waiting.set(opaque, (response) => {
        clearTimeout(timer);
        resolve(response);
      });
    });
  }

  get closed(): Promise<void> {
    return this.stream.destroyed ? Promise.resolve() : new Promise((resolve) => this.stream.once('close', resolve));
  }

  #answer(request: Response): void {
    const { code, remark, body } = this.answers!(request);
    const header = { code, flag: 1, language: this.#language, opaque: request.opaque, remark, version: 473 };
    this.stream.write(jsonFrame(header, body));
  }

  #data(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    while (this.#buffer.length >= 4 && this.#buffer.length >= 4 + this.#buffer.readInt32BE(0)) {
      const end = 4 + this.#buffer.readInt32BE(0);
      const response = readResponse(this.#buffer.subarray(0, end));
      this.#buffer = this.#buffer.subarray(end);
      this.seen.push(response);
      const waiting = this.#waiting.get(response.opaque);
      if (response.flag === 0 && this.answers !== null) this.#answer(response);
      else if ((response.flag & 1) === 0 || waiting === undefined) this.unasked.push(response);
      else {
        this.#waiting.delete(response.opaque);
        waiting(response);
      }
    }
  }
}

export function jsonFrame(header: object, body: Buffer): Buffer {
  const text = Buffer.from(JSON.stringify(header));
  const frame = Buffer.alloc(8 + text.length + body.length);
  frame.writeInt32BE(frame.length - 4, 0);
  frame.writeInt32BE(text.length, 4);
  text.copy(frame, 8);
  body.copy(frame, 8 + text.length);
  return frame;
}

export function readResponse(frame: Buffer): Response {
  const word = frame.readUInt32BE(4);
  const headerEnd = 8 + (word & 0xff_ffff);
  const body = Buffer.from(frame.subarray(headerEnd));
  if (word >>> 24 === 0) {
    const header = JSON.parse(frame.toString('utf8', 8, headerEnd)) as Record<string, never>;
    return {
      code: header['code']!,
      remark: header['remark'] ?? '',
      ext: header['extFields']!,
      body,
      flag: header['flag']!,
      opaque: header['opaque']!,
    };
  }
  const remarkEnd = 25 + frame.readInt32BE(21);
  const ext: Record<string, string> = {};
  for (let at = remarkEnd + 4; at < headerEnd; ) {
    const nameEnd = at + 2 + frame.readInt16BE(at);
    const valueEnd = nameEnd + 4 + frame.readInt32BE(nameEnd);
    ext[frame.toString('utf8', at + 2, nameEnd)] = frame.toString('utf8', nameEnd + 4, valueEnd);
    at = valueEnd;
  }
  return {
    code: frame.readInt16BE(8),
    remark: frame.toString('utf8', 25, remarkEnd),
    ext,
    body,
    flag: frame.readInt32BE(17),
    opaque: frame.readInt32BE(13),
  };
}

/** A TCP listener in front of the adapter, for real clients. */
export async function listen(adapter: Adapter, port = 0): Promise<{ port: number; close(): void; server: Server }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('close', () => sockets.delete(socket));
    const local = { host: '127.0.0.1', port: socket.localPort! };
    adapter.accept(socket, {
      ...infoOf(local),
      remote: { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 },
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { port: (server.address() as { port: number }).port, close, server };
}
