// The HTTP API with a stub broker, over real connections on loopback. Each answer is held against the OpenAPI document.
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'vitest';
import { Authenticator } from '../authenticate.ts';
import type { HttpConfig } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { accessHandlers } from '../http/access.ts';
import { groupHandlers } from '../http/groups.ts';
import { healthHandlers } from '../http/health.ts';
import { HttpServer } from '../http/http-server.ts';
import { document } from '../http/operation.ts';
import { topicHandlers } from '../http/topics.ts';
import { Listeners } from '../listeners.ts';
import { metricsHandlers, newRegistry } from '../metrics.ts';
import { newStatus, type Status } from '../status.ts';
import { BrokerClock } from '../system/broker-clock.ts';
import { StubBroker } from './stub-broker.ts';

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { operationId: string; responses: object }>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}
export const openapi = document as OpenApi;
export const ajv = new Ajv2020({
  strict: true,
  strictRequired: false,
  allowUnionTypes: true,
  formats: { uri: true, 'date-time': true },
});
const meant = (node: unknown): object =>
  JSON.parse(JSON.stringify(node).replaceAll('"#/components/schemas/', '"urn:rosettamq:openapi#/$defs/')) as object;
ajv.addSchema({ $id: 'urn:rosettamq:openapi', $defs: meant(openapi.components.schemas) });

const defaults = loadConfig({ flags: new Map(), env: {}, cwd: '/nowhere', file: undefined }).config.http;
const nothing = () => undefined;
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

export class HttpFixture {
  readonly broker = new StubBroker();
  readonly status: Status = { ...newStatus('sync'), phase: 'up', detail: '', hasStarted: true };
  readonly clock = new BrokerClock();
  readonly listeners = new Listeners({ backlogConnectionsMax: 16, tls: null, log });
  server!: HttpServer;
  needsUser = false;

  async start(config: Partial<HttpConfig> = {}): Promise<this> {
    const { broker, status, clock } = this;
    const authenticator = new Authenticator(broker, clock);
    this.server = await HttpServer.create({ config: { ...defaults, ...config }, clock, log, status, anyHost: false });
    const registry = newRegistry({
      broker: broker.verbs,
      adapters: () => [this.server],
      clock,
      status,
      refusals: () => this.listeners.refusals(),
    });
    this.server.serve(authenticator, {
      ...healthHandlers(status, broker.verbs),
      ...metricsHandlers(registry),
      ...topicHandlers(broker.verbs),
      ...groupHandlers(broker.verbs),
      ...accessHandlers({ broker: broker.verbs, needsUser: () => this.needsUser }),
    });
    const accept: HttpServer['accept'] = (stream, info) => this.server.accept(stream, info);
    const names = { name: 'http', key: 'http', title: 'HTTP', advertisedHost: null, advertisedPort: null };
    const limits = { connectionsMax: 100, handshakeTimeoutMs: 10_000 };
    await this.listeners.bind([{ ...names, ...limits, host: '127.0.0.1', port: 0, tls: 'off', accept }]);
    return this;
  }

  get port(): number {
    return this.listeners.bound('http')!.port;
  }

  /** Asks, and holds the answer against what the document says of it. */
  async ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const type = response.headers.get('content-type')?.split(';')[0] ?? '';
    const json: unknown = type.endsWith('json') ? JSON.parse(text) : text;
    const operation = operationAt(method, path);
    if (operation !== null) conforms(operation.responses, response.status, type, json);
    return { status: response.status, type, headers: response.headers, body: json as Record<string, unknown> };
  }

  async stop(): Promise<void> {
    this.listeners.close();
    await this.server.drain(0);
  }
}

function operationAt(method: string, path: string) {
  const plain = path.split('?')[0]!;
  for (const [template, item] of Object.entries(openapi.paths)) {
    if (!new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(plain)) continue;
    return item[method.toLowerCase()] ?? null;
  }
  return null;
}

function conforms(responses: object, status: number, type: string, body: unknown): void {
  const described = responses as Record<string, { content?: Record<string, { schema: object }> } | undefined>;
  const response = described[String(status)] ?? described['default'];
  expect(response, `status ${status} is described`).toBeDefined();
  if (response!.content === undefined) return expect(body).toBe('');
  const media = response!.content[type];
  expect(media, `type ${type} is described`).toBeDefined();
  const validate = ajv.compile(meant(media!.schema));
  expect(validate(body), JSON.stringify(validate.errors)).toBe(true);
}
