// All sockets of the process are bound here; a protocol is given streams. Invariants: while no user exists nothing but
// loopback is bound (unless `insecure` says so); either every listener is bound or none is; a connection counts against
// its listener's limit from accept to close, and one that sends nothing in time is closed.
import dns from 'node:dns/promises';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import type { Address, ConnectionInfo, Logger } from '../adapters/adapter.ts';
import type { TlsMode } from './config/config.ts';
import { isLoopback, isWildcard, plainAddress } from './loopback.ts';

export interface ListenerSpec {
  /** As adapters know it: `kafka`, `rocketmq-nameserver`. */
  readonly name: string;
  /** Prefix of its keys in the configuration: `kafka`, `rocketmq.nameserver`. */
  readonly key: string;
  /** What it speaks, for messages. */
  readonly title: string;
  readonly host: string;
  readonly port: number;
  readonly advertisedHost: string | null;
  readonly advertisedPort: number | null;
  readonly tls: TlsMode;
  readonly connectionsMax: number;
  readonly handshakeTimeoutMs: number;
  accept(stream: Duplex, info: ConnectionInfo): void;
}

export interface ListenersOptions {
  readonly backlogConnectionsMax: number;
  /** Present when some listener's tls is not off. */
  readonly tls: tls.TlsOptions | null;
  readonly log: Logger;
}

/** What keeps a listener from being bound; the message is for the user as it is. */
export class BindError extends Error {
  override readonly name = 'BindError';
}

/** First byte of a TLS record of the kind handshake (RFC 8446, 5.1). No protocol served here begins with it. */
const TLS_HANDSHAKE = 0x16;
const KEEP_ALIVE_MS = 60_000;

/**
 * The two ways out are named; which listeners are meant too. Returns null when every address is loopback. Names are
 * looked up, so that a name for an outer address does not slip through.
 */
export async function refusalOfOpenBind(specs: readonly ListenerSpec[]): Promise<string | null> {
  const open: string[] = [];
  for (const spec of specs) {
    const addresses = net.isIP(spec.host) ? [spec.host] : await lookup(spec.host);
    if (!addresses.every(isLoopback)) open.push(`${spec.title} on ${spec.host}:${spec.port}`);
  }
  if (open.length === 0) return null;
  return [
    'No user exists yet, so anybody who reaches a port could do anything; refusing to listen beyond loopback:',
    ...open.map((what) => `  - ${what}`),
    'Two ways out:',
    '  1. start with bindAddress 127.0.0.1, create the first user with `rosettamq user add NAME`, and restart;',
    '  2. start with --insecure (ROSETTAMQ_INSECURE=true) where the network itself keeps strangers out.',
  ].join('\n');
}

async function lookup(host: string): Promise<string[]> {
  try {
    return (await dns.lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    // Binding says why it cannot be; a name without address opens nothing.
    return [];
  }
}

export class Listeners {
  readonly #options: ListenersOptions;
  readonly #listeners = new Map<string, Listener>();

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  /** Binds all, or none and throws a BindError that names every one that could not be. */
  async bind(specs: readonly ListenerSpec[]): Promise<void> {
    const problems: string[] = [];
    for (const spec of specs) {
      const listener = new Listener(spec, this.#options, (name, local) => this.#advertised(name, local));
      try {
        await listener.bind();
        this.#listeners.set(spec.name, listener);
      } catch (error) {
        problems.push(bindProblem(spec, error as NodeJS.ErrnoException));
      }
    }
    if (problems.length === 0) {
      for (const listener of this.#listeners.values()) listener.open();
      return;
    }
    this.close();
    throw new BindError(problems.join('\n'));
  }

  /** The address a listener is bound to, null when it is not. */
  bound(name: string): Address | null {
    return this.#listeners.get(name)?.address ?? null;
  }

  /** What a client on this machine (or a wildcard's reader of the banner) is told. */
  advertised(name: string): Address | null {
    return this.#advertised(name, '127.0.0.1');
  }

  /** True when some listener can be reached from outside. */
  get reachesBeyondLoopback(): boolean {
    return [...this.#listeners.values()].some((listener) => !isLoopback(listener.address?.host ?? '127.0.0.1'));
  }

  *refusals(): Iterable<readonly [listener: string, reason: string, count: number]> {
    for (const [name, { refused }] of this.#listeners) {
      for (const [reason, count] of Object.entries(refused)) yield [name, reason, count];
    }
  }

  /** Stops accepting on the named listeners (all of them without names); open connections go on. */
  close(names?: readonly string[]): void {
    for (const [name, listener] of this.#listeners) {
      if (names === undefined || names.includes(name)) listener.close();
    }
  }

  /** A wildcard has no address of its own to give away: the one the client came to is one that it can reach. */
  #advertised(name: string, local: string): Address | null {
    const listener = this.#listeners.get(name);
    if (listener?.address == null) return null;
    const { spec, address } = listener;
    const host = spec.advertisedHost ?? (isWildcard(address.host) ? local : address.host);
    return { host, port: spec.advertisedPort ?? address.port };
  }
}

class Listener {
  readonly spec: ListenerSpec;
  readonly refused = { limit: 0, silent: 0, tls: 0 };
  readonly #server: net.Server;
  readonly #tlsServer: tls.Server | null;
  readonly #log: Logger;
  readonly #advertised: (name: string, local: string) => Address | null;
  readonly #backlogConnectionsMax: number;
  #address: Address | null = null;
  #isOpen = false;

  constructor(
    spec: ListenerSpec,
    options: ListenersOptions,
    advertised: (name: string, local: string) => Address | null,
  ) {
    this.spec = spec;
    this.#log = options.log;
    this.#advertised = advertised;
    this.#backlogConnectionsMax = options.backlogConnectionsMax;
    this.#server = net.createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
    this.#server.maxConnections = spec.connectionsMax;
    this.#server.on('connection', (socket) => this.#connected(socket));
    this.#server.on('drop', () => this.refused.limit++);
    this.#tlsServer = spec.tls === 'off' ? null : this.#newTlsServer(options.tls);
  }

  get address(): Address | null {
    return this.#address;
  }

  bind(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: this.spec.host, port: this.spec.port, backlog: this.#backlogConnectionsMax }, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) =>
          this.#log.error({ err: error, listener: this.spec.name }, 'listener failed'),
        );
        const { address, port } = this.#server.address() as net.AddressInfo;
        this.#address = { host: address, port };
        resolve();
      });
    });
  }

  /** Connections that came before every listener was bound are turned away: clients try again. */
  open(): void {
    this.#isOpen = true;
  }

  close(): void {
    this.#isOpen = false;
    this.#server.close();
  }

  #connected(socket: net.Socket): void {
    // Whoever takes the stream adds its own listener; without any, an error here would end the process.
    socket.on('error', ignore);
    if (!this.#isOpen) {
      socket.destroy();
      return;
    }
    const timer = setTimeout(() => {
      // TLS that is not finished is ended by the TLS server's own limit.
      if (socket.bytesRead > 0) return;
      this.refused.silent++;
      socket.destroy();
    }, this.spec.handshakeTimeoutMs);
    timer.unref();
    socket.once('close', () => clearTimeout(timer));
    if (this.#tlsServer === null) this.#accept(socket, socket, false);
    else if (this.spec.tls === 'required') this.#tlsServer.emit('connection', socket);
    else this.#sniff(socket, this.#tlsServer);
  }

  /** The first byte tells TLS from plain text; it is put back for whoever reads next. */
  #sniff(socket: net.Socket, tlsServer: tls.Server): void {
    socket.once('readable', () => {
      const first = socket.read() as Buffer | null;
      if (first === null) {
        socket.destroy();
        return;
      }
      socket.unshift(first);
      // In the next tick the stream forgets that it was read by hand and flows to whoever listens for data.
      setImmediate(() => {
        if (socket.destroyed) return;
        if (first[0] === TLS_HANDSHAKE) tlsServer.emit('connection', socket);
        else this.#accept(socket, socket, false);
      });
    });
  }

  #newTlsServer(options: tls.TlsOptions | null): tls.Server {
    const server = tls.createServer({ ...options, handshakeTimeout: this.spec.handshakeTimeoutMs });
    server.on('secureConnection', (socket) => {
      socket.on('error', ignore);
      this.#accept(socket, socket, true, socket.authorized ? commonNameOf(socket) : null);
    });
    server.on('tlsClientError', (error, socket) => {
      this.refused.tls++;
      this.#log.debug({ err: error, listener: this.spec.name }, 'TLS handshake failed');
      socket.destroy();
    });
    return server;
  }

  #accept(stream: Duplex, socket: net.Socket, isTls: boolean, peerName: string | null = null): void {
    const local = { host: plainAddress(socket.localAddress ?? ''), port: socket.localPort ?? 0 };
    const remote = { host: plainAddress(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 };
    // Already gone again.
    if (remote.port === 0) {
      stream.destroy();
      return;
    }
    this.spec.accept(stream, {
      listener: this.spec.name,
      remote,
      local,
      tls: isTls,
      peerName,
      advertised: (name) => this.#advertised(name, local.host),
    });
  }
}

/** Who the client's certificate says it is; null where that is not one name. */
function commonNameOf(socket: tls.TLSSocket): string | null {
  const name: unknown = socket.getPeerCertificate().subject?.CN;
  return typeof name === 'string' && name !== '' ? name : null;
}

function ignore(): void {
  // The adapter's to handle; see #connected.
}

function bindProblem(spec: ListenerSpec, error: NodeJS.ErrnoException): string {
  const { title, host, port, key } = spec;
  const flag = `--${key.replaceAll('.', '-')}-port`;
  const variable = `ROSETTAMQ_${key.replaceAll('.', '_').toUpperCase()}_PORT`;
  const move = `move it with ${flag} PORT, ${variable}=PORT or ${key}.port in the configuration file`;
  switch (error.code) {
    case 'EADDRINUSE':
      return `port ${port} for ${title} on ${host} is taken by another process: ${move}, or see who listens there with: ss -ltnp 'sport = :${port}'`;
    case 'EACCES':
      return `port ${port} for ${title} may not be bound by this user (ports below 1024 are the system's): ${move}`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host} for ${title} is no address of this machine: set bindAddress or ${key}.bindAddress to one, 0.0.0.0 for all, 127.0.0.1 for this machine only`;
    default:
      return `${title} cannot listen on ${host}:${port}: ${error.message}`;
  }
}
