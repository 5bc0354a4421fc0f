// The product as its users run it: `rosettamq start` in a process of its own with a configuration file, reached over the
// network only. The ports stay the same over restarts, so that clients find their broker again.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Endpoints } from '../drivers/driver.ts';
import { type Exit, freePorts, ServerProcess } from './process.ts';
import type { Target } from './target.ts';
import { ROOT, scratch } from './work.ts';

const READY_WAIT_MS = 60_000;
const ENTRY = join(ROOT, 'gateway/bin/rosettamq.js');

export interface ProductOptions {
  /** Where the log lives; a folder of its own when left out. */
  readonly dataDir?: string;
  readonly flush?: 'sync' | 'async';
  /** Further settings by their dotted name, as in the configuration file. */
  readonly settings?: Record<string, string | number | boolean>;
  /** Added to the environment of the process. */
  readonly environment?: Readonly<Record<string, string>>;
}

export class Product implements Target {
  readonly name = 'product';
  readonly folder: string;
  readonly dataDir: string;
  readonly endpoints: Endpoints;
  readonly http: string;
  readonly #configFile: string;
  readonly #environment: Readonly<Record<string, string>>;
  #server: ServerProcess | null = null;
  #authorization: string | null = null;
  /** Time from the start of the process to ready, of the last start. */
  startedInMs = 0;

  private constructor(name: string, ports: readonly number[], options: ProductOptions) {
    const [nameserver, broker, fast, kafka, amqp, http] = ports as [number, number, number, number, number, number];
    this.folder = scratch(name);
    this.#environment = options.environment ?? {};
    this.dataDir = options.dataDir ?? join(this.folder, 'data');
    this.endpoints = {
      kafka: `127.0.0.1:${kafka}`,
      rocketmq: `127.0.0.1:${nameserver}`,
      amqp: `amqp://guest:guest@127.0.0.1:${amqp}`,
    };
    this.http = `http://127.0.0.1:${http}`;
    this.#configFile = join(this.folder, 'rosettamq.yaml');
    const settings: Record<string, string | number | boolean> = {
      dataDir: this.dataDir,
      'store.flush': options.flush ?? 'sync',
      'rocketmq.nameserver.port': nameserver,
      'rocketmq.broker.port': broker,
      'rocketmq.fast.port': fast,
      'kafka.port': kafka,
      'amqp.port': amqp,
      'http.port': http,
      // Suites make and break many small stores; a 256 MiB segment of zeros for each would be their main cost.
      'store.segmentBytes': 16 * 1024 * 1024,
      'store.reserveBytes': 4 * 1024 * 1024,
      ...options.settings,
    };
    writeFileSync(this.#configFile, yaml(settings));
  }

  static async start(name: string, options: ProductOptions = {}): Promise<Product> {
    const product = await Product.prepare(name, options);
    await product.start();
    return product;
  }

  /** Everything but the start. */
  static async prepare(name: string, options: ProductOptions = {}): Promise<Product> {
    return new Product(name, await freePorts(6), options);
  }

  /** Starts the process and waits until it says it is ready. */
  async start(): Promise<void> {
    const began = performance.now();
    const server = this.launch();
    await server.ready(async () => (await fetch(`${this.http}/health/ready`)).status === 200, READY_WAIT_MS);
    this.startedInMs = performance.now() - began;
  }

  /** Starts the process without waiting. */
  launch(): ServerProcess {
    mkdirSync(this.folder, { recursive: true });
    const env = { ...process.env, ...this.#environment, ROSETTAMQ_CONFIG: this.#configFile };
    const server = new ServerProcess('rosettamq', process.execPath, [ENTRY, 'start'], {
      env,
      cwd: this.folder,
      logFile: join(this.folder, 'rosettamq.log'),
    });
    this.#server = server;
    return server;
  }

  get server(): ServerProcess {
    if (!this.#server) throw new Error('the product was not started');
    return this.#server;
  }

  async createTopic(name: string, queues: number): Promise<void> {
    await this.admin('POST', '/topics', { name, queues });
  }

  async deleteTopic(name: string): Promise<void> {
    await this.admin('DELETE', `/topics/${encodeURIComponent(name)}`);
  }

  /** From now on requests to the admin API are this user's. */
  signIn(user: string, password: string): void {
    this.#authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  }

  /** A request to the admin API; fails on anything but 2xx with what the API said. */
  async admin(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${this.http}/api/v1${path}`, {
      method,
      headers: {
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...(this.#authorization === null ? {} : { authorization: this.#authorization }),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? null : JSON.parse(text);
  }

  /** SIGTERM, and how the process ended. */
  stop(): Promise<Exit> {
    return this.server.stop();
  }

  kill9(): Promise<void> {
    return this.server.kill9();
  }
}

/** Dotted names as nested YAML; values are numbers, booleans and strings, which JSON spells as YAML does. */
function yaml(settings: Record<string, string | number | boolean>): string {
  const tree: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(settings)) {
    const parts = name.split('.');
    let at = tree;
    for (const part of parts.slice(0, -1)) at = (at[part] ??= {}) as Record<string, unknown>;
    at[parts.at(-1)!] = value;
  }
  return JSON.stringify(tree, null, 2) + '\n';
}
