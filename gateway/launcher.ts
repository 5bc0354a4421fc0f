// The composition root: makes the real parts, starts them in order and stops them in reverse. Invariants: whatever was
// started is stopped when a later start fails; no client is served before recovery is over; when the journal is lost
// every connection is cut unanswered, and nobody is served until the state has been folded again.
import type { Duplex } from 'node:stream';
import type { Logger as PinoLogger } from 'pino';
import type { ConnectionInfo } from '../adapters/adapter.ts';
import type { Protocol } from './adapters.ts';
import type { Config } from './config/config.ts';
import { accessHandlers } from './http/access.ts';
import { groupHandlers } from './http/groups.ts';
import { healthHandlers } from './http/health.ts';
import { HttpServer } from './http/http-server.ts';
import { topicHandlers } from './http/topics.ts';
import { HTTP, listenerSpecs } from './listener-specs.ts';
import { Listeners, refusalOfOpenBind } from './listeners.ts';
import { metricsHandlers, newRegistry } from './metrics.ts';
import { type LoadedProtocols, type OpenBroker, openServing, type Serving } from './serving.ts';
import { newStatus, type Status } from './status.ts';
import { BrokerClock } from './system/broker-clock.ts';
import { FileDisk } from './system/file-disk.ts';
import { readTls } from './tls.ts';

/** What the launcher joins beside its own; a test passes other parts. */
export interface Parts {
  readonly protocols: readonly Protocol[];
  readonly openBroker: OpenBroker;
}

/** Why the gateway cannot start; the message is for the user as it is. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** Tries to open the log again so often after it was lost, with a pause that doubles from the first. */
const REOPEN_TRIES_MAX = 5;
const REOPEN_PAUSE_MS = 100;

export class Gateway {
  readonly config: Config;
  readonly status: Status;
  readonly protocols: readonly Protocol[];
  readonly #parts: Parts;
  readonly #log: PinoLogger;
  readonly #died: (cause: Error) => void;
  readonly #clock = new BrokerClock();
  /** How to undo each step of the start, in its order. */
  readonly #started: { readonly name: string; readonly stop: () => unknown }[] = [];
  #loaded: LoadedProtocols = [];
  #disk!: FileDisk;
  #listeners!: Listeners;
  #http: HttpServer | null = null;
  #serving: Serving | null = null;

  private constructor(config: Config, parts: Parts, log: PinoLogger, died: (cause: Error) => void) {
    this.config = config;
    this.status = newStatus(config.store.flush);
    this.protocols = parts.protocols.filter((protocol) => protocol.listeners(config).some((l) => l.config.enabled));
    this.#parts = parts;
    this.#log = log;
    this.#died = died;
  }

  /**
   * Starts everything, or nothing. `died` is called when a lost log could not be opened again: the process has to end,
   * and the next one recovers.
   */
  static async launch(config: Config, parts: Parts, log: PinoLogger, died: (cause: Error) => void): Promise<Gateway> {
    const gateway = new Gateway(config, parts, log, died);
    try {
      await gateway.#start();
      return gateway;
    } catch (error) {
      await gateway.#undo();
      throw error;
    }
  }

  get dataDirectory(): string {
    return this.#disk.root;
  }

  get listeners(): Listeners {
    return this.#listeners;
  }

  get secured(): boolean {
    return this.#serving?.broker.secured ?? true;
  }

  /** Drains and stops everything. Throws the first failure, when all that could be stopped is stopped. */
  async stop(): Promise<void> {
    this.status.phase = 'stopping';
    this.status.detail = 'connections are being drained';
    const failure = await this.#undo();
    if (failure !== null) throw failure.error;
  }

  async #start(): Promise<void> {
    const { config } = this;
    // Timers of the clock hold no process; until the last step is undone, this does.
    const hold = setInterval(() => undefined, 0x7fffffff);
    this.#begun('process', () => clearInterval(hold));

    // Before anything is touched on disk: a wrong path is the user's to mend first.
    const tls = readTls(config);
    this.#loaded = await Promise.all(
      this.protocols.map(async (protocol) => [protocol, await protocol.load()] as const),
    );

    this.#disk = new FileDisk(config.dataDir);
    this.#begun('sync thread', () => this.#disk.stop());
    this.#disk.lock();
    this.#begun('directory lock', () => this.#disk.unlock());

    this.#listeners = new Listeners({ backlogConnectionsMax: config.backlogConnectionsMax, tls, log: this.#log });
    await this.#serve();
    this.#begun('broker', () => this.#serving?.broker.close());

    const specs = listenerSpecs(config, this.protocols, (protocol, stream, info) =>
      this.#accept(protocol, stream, info),
    );
    const refusal = this.secured || config.insecure ? null : await refusalOfOpenBind(specs);
    if (refusal !== null) throw new StartError(refusal);
    await this.#listeners.bind(specs);
    this.#begun('HTTP', () => this.#drainHttp());
    // HTTP goes on while the protocols drain, so that probes and scrapers can see it.
    const others = specs.map(({ name }) => name).filter((name) => name !== HTTP);
    this.#begun('adapters', () => this.#drainAdapters());
    this.#begun('listeners', () => this.#listeners.close(others));
    this.#up();
    this.status.hasStarted = true;
  }

  /** Undoes every step, also when one of them fails; returns the first failure. */
  async #undo(): Promise<{ readonly error: unknown } | null> {
    let failure: { readonly error: unknown } | null = null;
    for (let step = this.#started.pop(); step !== undefined; step = this.#started.pop()) {
      this.#log.debug({ step: step.name }, 'stopping');
      try {
        await step.stop();
      } catch (error) {
        failure ??= { error };
      }
    }
    return failure;
  }

  #begun(name: string, stop: () => unknown): void {
    this.#started.push({ name, stop });
  }

  #up(): void {
    this.status.phase = 'up';
    this.status.detail = '';
  }

  /** Folds the state from the disk and puts everything that refers to it in place. */
  async #serve(): Promise<void> {
    const { config } = this;
    const serving = await openServing({
      config,
      disk: this.#disk,
      clock: this.#clock,
      log: this.#log,
      protocols: this.#loaded,
      openBroker: this.#parts.openBroker,
    });
    this.#serving = serving;
    this.#listenTo(serving);
    if (!config.http.enabled) return;
    this.#http ??= await HttpServer.create({
      config: config.http,
      clock: this.#clock,
      log: this.#log.child({ protocol: HTTP }),
      status: this.status,
      anyHost: config.insecure,
    });
    const { broker, authenticator } = serving;
    const http = this.#http;
    const registry = newRegistry({
      broker,
      adapters: () => [...serving.adapters.values(), http],
      clock: this.#clock,
      status: this.status,
      refusals: () => this.#listeners.refusals(),
    });
    http.serve(authenticator, {
      ...healthHandlers(this.status, broker),
      ...metricsHandlers(registry),
      ...topicHandlers(broker),
      ...groupHandlers(broker),
      ...accessHandlers({
        broker,
        needsUser: () => this.#listeners.reachesBeyondLoopback && !config.insecure,
      }),
    });
  }

  #listenTo({ broker: { signals } }: Serving): void {
    signals.pressure = (isFull) => {
      if (isFull) this.#log.error({}, 'the disk is nearly full: publishers are refused, reading goes on');
      else this.#log.info({}, 'the disk has room again: publishers are accepted');
    };
    signals.damage = (from, to, file) => {
      this.#log.error({ from, to, file }, 'damaged bytes of the log were set aside and will not be served');
    };
    signals.journalLost = (cause) => {
      void this.#reopen(cause);
    };
  }

  #accept(protocol: string, stream: Duplex, info: ConnectionInfo): void {
    const adapter = protocol === HTTP ? this.#http : this.#serving?.adapters.get(protocol);
    if (adapter == null) stream.destroy();
    else adapter.accept(stream, info);
  }

  /** The state in memory is void: cut everybody, fold again from the disk, or die. */
  async #reopen(cause: Error): Promise<void> {
    const lost = this.#serving;
    if (lost === null) return;
    this.#serving = null;
    for (const adapter of lost.adapters.values()) adapter.cut();
    this.#http?.cut();
    if (this.status.phase !== 'up') {
      // While starting or stopping there is nobody to serve: the next start recovers.
      this.#died(new Error(`the log failed while ${this.status.phase}`, { cause }));
      return;
    }
    this.status.phase = 'down';
    this.status.detail = `the log failed (${cause.message}) and is being opened again`;
    this.#log.fatal({ err: cause }, 'the log failed: every connection is cut, the state is folded again from the disk');
    let last: unknown = cause;
    for (let attempt = 0; attempt < REOPEN_TRIES_MAX; attempt++) {
      try {
        if (attempt === 0) await lost.broker.close();
        await new Promise((resolve) => setTimeout(resolve, REOPEN_PAUSE_MS * 2 ** attempt));
        if ((this.status.phase as Status['phase']) === 'stopping') return;
        await this.#serve();
        this.#up();
        this.#log.warn({}, 'the log is open again');
        return;
      } catch (error) {
        last = error;
        this.#log.error({ err: error, attempt }, 'the log could not be opened again');
      }
    }
    this.#died(new Error('the log could not be opened again', { cause: last }));
  }

  async #drainAdapters(): Promise<void> {
    const deadlineMs = this.#deadlineMs();
    await Promise.all([...(this.#serving?.adapters.values() ?? [])].map((adapter) => adapter.drain(deadlineMs)));
  }

  async #drainHttp(): Promise<void> {
    this.#listeners.close([HTTP]);
    await this.#http?.drain(this.#deadlineMs());
  }

  #deadlineMs(): number {
    return this.#clock.nowMs() + this.config.drainTimeoutMs;
  }
}
