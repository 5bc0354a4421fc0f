// The HTTP API over real connections on loopback: every answer against the OpenAPI document, who is let in, limits.
import { once } from 'node:events';
import net from 'node:net';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InvariantError } from '../../core/errors.ts';
import { Authenticator } from '../authenticate.ts';
import type { HttpConfig } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { Listeners } from '../listeners.ts';
import { metricsHandlers, newRegistry } from '../metrics.ts';
import { newStatus, type Status } from '../status.ts';
import { BrokerClock } from '../system/broker-clock.ts';
import { StubBroker } from '../testing/stub-broker.ts';
import { accessHandlers } from './access.ts';
import { groupHandlers } from './groups.ts';
import { healthHandlers } from './health.ts';
import { HttpServer } from './http-server.ts';
import { document, operations } from './operation.ts';
import { topicHandlers } from './topics.ts';

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { operationId: string; responses: object }>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}
const openapi = document as OpenApi;
const ajv = new Ajv2020({
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

class Fixture {
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
      ...accessHandlers({ broker: broker.verbs, authenticator, needsUser: () => this.needsUser }),
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

let fixture: Fixture;
beforeEach(async () => {
  fixture = await new Fixture().start();
});
afterEach(() => fixture.stop());

describe('the document', () => {
  it('has schemas that compile, every reference meant', () => {
    for (const name of Object.keys(openapi.components.schemas)) {
      expect(() => ajv.compile({ $ref: `urn:rosettamq:openapi#/$defs/${name}` }), name).not.toThrow();
    }
    const refs = [...JSON.stringify(openapi).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1]!);
    for (const ref of refs) expect(openapi.components.schemas, ref).toHaveProperty([ref.split('/').at(-1)!]);
    for (const name of Object.keys(openapi.components.schemas)) {
      expect(refs, `${name} is used`).toContain(`#/components/schemas/${name}`);
    }
  });

  it('names each operation once, describes every answer, and each path parameter is declared', () => {
    expect(new Set(operations.map(({ id }) => id)).size).toBe(operations.length);
    for (const { id, url, schema } of operations) {
      const inPath = [...url.matchAll(/:(\w+)/g)].map((match) => match[1]);
      const declared = Object.keys((schema.params as { properties?: object } | undefined)?.properties ?? {});
      expect(declared, id).toEqual(inPath);
    }
  });

  it('is what the server hands out', async () => {
    expect((await fixture.ask('GET', '/api/v1/openapi.json')).body).toEqual(openapi);
  });
});

describe('health and metrics', () => {
  it('tell the phases apart', async () => {
    const statuses = async () =>
      Promise.all(
        ['live', 'ready', 'started'].map(async (what) => (await fixture.ask('GET', `/health/${what}`)).status),
      );
    expect(await statuses()).toEqual([200, 200, 200]);
    fixture.status.phase = 'stopping';
    expect(await statuses()).toEqual([200, 503, 200]);
    Object.assign(fixture.status, { phase: 'starting', hasStarted: false });
    expect(await statuses()).toEqual([200, 503, 503]);
  });

  it('a full disk shows and takes nobody out of service', async () => {
    fixture.broker.storageFull = true;
    const { status, body } = await fixture.ask('GET', '/health/ready');
    expect([status, body]).toEqual([200, { status: 'up', version: '0.1.0', flush: 'sync', publishing: 'refused' }]);
  });

  it('metrics copy the plain counters', async () => {
    fixture.broker.signals.counts.readBytes = 4711;
    fixture.broker.passwords.set('u', 'p');
    const { status, body } = await fixture.ask('GET', '/metrics');
    const lines = String(body).split('\n');
    expect(status).toBe(200);
    expect(lines).toContain('rosettamq_read_bytes_total 4711');
    expect(lines).toContain('rosettamq_connections{protocol="http"} 1');
    expect(lines).toContain('rosettamq_protocol_events_total{protocol="http",event="requests"} 1');
    expect(lines).toContain('rosettamq_info{version="0.1.0",flush="sync",authentication="on"} 1');
  });
});

describe('topics', () => {
  it('are created, listed, described and deleted', async () => {
    const created = await fixture.ask('POST', '/api/v1/topics', { name: 'orders', queues: 2 });
    expect(created.status).toBe(201);
    expect(created.body['queues']).toHaveLength(2);
    expect((await fixture.ask('GET', '/api/v1/topics/orders')).body['queues']).toEqual([
      { id: 0, number: 0, startOffset: 2, endOffset: 10, stableOffset: 9, messages: 8 },
      { id: 1, number: 1, startOffset: 2, endOffset: 10, stableOffset: 9, messages: 8 },
    ]);
    expect((await fixture.ask('POST', '/api/v1/topics', { name: 'orders' })).body).toEqual({
      type: 'urn:rosettamq:problem:topic-exists',
      title: 'topic exists',
      status: 409,
      detail: 'there is a topic orders already',
      code: 'topic-exists',
      retriable: false,
    });
    expect((await fixture.ask('DELETE', '/api/v1/topics/orders')).status).toBe(204);
    expect((await fixture.ask('DELETE', '/api/v1/topics/orders')).status).toBe(404);
  });

  it('a queue has one queue, a topic four unless said', async () => {
    const queue = await fixture.ask('POST', '/api/v1/topics', { name: 'q', kind: 'queue' });
    const topic = await fixture.ask('POST', '/api/v1/topics', { name: 't' });
    expect([queue.body['queues'], topic.body['queues']].map((list) => (list as unknown[]).length)).toEqual([1, 4]);
    expect((await fixture.ask('POST', '/api/v1/topics', { name: 'r', kind: 'queue', queues: 2 })).status).toBe(400);
  });

  it('come in pages, in order of name', async () => {
    for (const name of ['c', 'a', 'd', 'b']) await fixture.ask('POST', '/api/v1/topics', { name, queues: 1 });
    const names = ({ body }: { body: Record<string, unknown> }) =>
      (body['topics'] as { name: string }[]).map((t) => t.name);
    const first = await fixture.ask('GET', '/api/v1/topics?limit=3');
    expect([names(first), first.body['next']]).toEqual([['a', 'b', 'c'], 'c']);
    const second = await fixture.ask('GET', '/api/v1/topics?limit=3&after=c');
    expect([names(second), second.body['next']]).toEqual([['d'], null]);
  });

  it('have names with anything in them', async () => {
    const name = '%RETRY%a/b:c?d e\u00fc';
    await fixture.ask('POST', '/api/v1/topics', { name, queues: 1 });
    expect((await fixture.ask('GET', `/api/v1/topics/${encodeURIComponent(name)}`)).body['name']).toBe(name);
  });
});

describe('groups', () => {
  it('show their lag per queue, leaving out what retention took', async () => {
    await fixture.ask('POST', '/api/v1/topics', { name: 'orders', queues: 3 });
    fixture.broker.addGroup('billing', { 0: 10, 1: 7, 2: 0 });
    const { body } = await fixture.ask('GET', '/api/v1/groups/billing');
    expect((body['queues'] as { lag: number }[]).map(({ lag }) => lag)).toEqual([0, 3, 8]);
    expect([body['lag'], body['protocol'], body['generation']]).toEqual([11, 'tester', 3]);
    expect((await fixture.ask('GET', '/api/v1/groups')).body['groups']).toEqual([
      { name: 'billing', namespace: 'default', protocol: 'tester', members: 0, topics: ['orders'], lag: 11 },
    ]);
    expect((await fixture.ask('GET', '/api/v1/groups/other')).body['code']).toBe('group-not-found');
  });
});

describe('wrong requests', () => {
  it.each([
    ['unknown path', 'GET', '/api/v1/topcis', undefined, 404],
    ['unknown method', 'PUT', '/api/v1/topics', undefined, 404],
    ['unknown query parameter', 'GET', '/api/v1/topics?limt=3', undefined, 400],
    ['limit out of range', 'GET', '/api/v1/topics?limit=0', undefined, 400],
    ['no name', 'POST', '/api/v1/topics', {}, 400],
    ['unknown property', 'POST', '/api/v1/topics', { name: 'a', quues: 2 }, 400],
    ['too many queues', 'POST', '/api/v1/topics', { name: 'a', queues: 1_000_000 }, 400],
    ['not JSON', 'POST', '/api/v1/topics', '{', 400],
    ['no body', 'POST', '/api/v1/topics', undefined, 400],
    ['a name too long', 'GET', `/api/v1/topics/${'a'.repeat(256)}`, undefined, 400],
    ['a path too long', 'GET', `/api/v1/topics/${'a'.repeat(2000)}`, undefined, 414],
    ['a body too large', 'POST', '/api/v1/topics', JSON.stringify({ name: 'a'.repeat(2 * 1024 * 1024) }), 413],
    ['bad escape', 'GET', '/api/v1/topics/%ZZ', undefined, 400],
    ['prototype', 'POST', '/api/v1/topics', '{"name":"a","__proto__":{"x":1}}', 400],
  ])('%s', async (_what, method, path, body, status) => {
    const answer = await fixture.ask(method, path, body);
    expect([answer.status, answer.type]).toEqual([status, 'application/problem+json']);
    expect(Object.keys(answer.body)).toEqual(expect.arrayContaining(['type', 'title', 'status', 'detail']));
  });

  it('a body of another type is refused, so that no form of a web page gets through', async () => {
    const body = JSON.stringify({ name: 'a' });
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
      expect((await fixture.ask('POST', '/api/v1/topics', body, { 'content-type': type })).status).toBe(415);
    }
  });

  it('bytes that are no HTTP get 400 and the end', async () => {
    const socket = net.connect(fixture.port, '127.0.0.1');
    socket.end('\x16\x03\x01garbage\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(String(answer)).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('a failure of our own says so without details, and is logged', async () => {
    fixture.broker.topics = () => {
      throw new Error('secret');
    };
    const { status, body } = await fixture.ask('GET', '/api/v1/topics');
    expect([status, JSON.stringify(body)]).toEqual([500, expect.not.stringContaining('secret')]);
  });

  it('a broken invariant ends the process instead of being answered', async () => {
    fixture.broker.topics = () => {
      throw new InvariantError('test');
    };
    const before = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const crashed = new Promise<unknown>((resolve) => process.once('uncaughtException', resolve));
    const request = fetch(`http://127.0.0.1:${fixture.port}/api/v1/topics`).catch(() => 'cut');
    expect(await crashed).toBeInstanceOf(InvariantError);
    for (const listener of before) process.on('uncaughtException', listener);
    fixture.server.cut();
    expect(await request).toBe('cut');
  });
});

describe('who is let in', () => {
  const basic = (pair: string) => ({ authorization: `Basic ${Buffer.from(pair).toString('base64')}` });

  it('everybody on this machine while no user exists, but no web page that renamed it', async () => {
    expect((await fixture.ask('GET', '/api/v1/topics')).status).toBe(200);
    const statusWithHost = async (host: string): Promise<string> => {
      const socket = net.connect(fixture.port, '127.0.0.1');
      socket.write(`GET /api/v1/topics HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      return String(answer).split(' ')[1]!;
    };
    expect(await statusWithHost('localhost:8080')).toBe('200');
    expect(await statusWithHost('[::1]:8080')).toBe('200');
    expect(await statusWithHost('evil.example')).toBe('421');
    expect(await statusWithHost('127.0.0.1.evil.example')).toBe('421');
  });

  it('with users: only who proves to be one; health and metrics stay open', async () => {
    await fixture.ask('POST', '/api/v1/users', { name: 'admin', password: 'correct horse' });
    expect(
      fixture.broker.ruleList.map(({ user, allow, pattern, resource }) => [user, allow, pattern, resource]),
    ).toEqual(['cluster', 'namespace', 'topic', 'group'].map((resource) => ['admin', true, '*', resource]));
    const missing = await fixture.ask('GET', '/api/v1/topics');
    expect([missing.status, missing.headers.get('www-authenticate')]).toEqual([401, expect.stringContaining('Basic')]);
    expect((await fixture.ask('GET', '/api/v1/topics', undefined, basic('admin:wrong'))).status).toBe(401);
    expect((await fixture.ask('GET', '/api/v1/topics', undefined, basic('admin'))).status).toBe(401);
    expect((await fixture.ask('GET', '/api/v1/topics', undefined, { authorization: 'Bearer x' })).status).toBe(401);
    expect((await fixture.ask('GET', '/api/v1/topics', undefined, basic('admin:correct horse'))).status).toBe(200);
    expect((await fixture.ask('GET', '/health/ready')).status).toBe(200);
    expect((await fixture.ask('GET', '/metrics')).status).toBe(200);
  });

  it('a later user gets no rule unless it is to be an administrator', async () => {
    await fixture.ask('POST', '/api/v1/users', { name: 'admin', password: 'correct horse' });
    const rules = fixture.broker.ruleList.length;
    const asAdmin = basic('admin:correct horse');
    await fixture.ask('POST', '/api/v1/users', { name: 'app', password: 'battery staple' }, asAdmin);
    expect(fixture.broker.ruleList).toHaveLength(rules);
    const denied = await fixture.ask('GET', '/api/v1/topics/x', undefined, basic('app:battery staple'));
    expect([denied.status, denied.body['code']]).toEqual([403, 'access-denied']);
  });

  it('the last user stays while somebody from outside could come in', async () => {
    await fixture.ask('POST', '/api/v1/users', { name: 'admin', password: 'correct horse' });
    const asAdmin = basic('admin:correct horse');
    fixture.needsUser = true;
    expect((await fixture.ask('DELETE', '/api/v1/users/admin', undefined, asAdmin)).status).toBe(409);
    fixture.needsUser = false;
    expect((await fixture.ask('DELETE', '/api/v1/users/admin', undefined, asAdmin)).status).toBe(204);
    expect((await fixture.ask('GET', '/api/v1/topics')).status).toBe(200);
  });

  it('nobody while the broker is not up', async () => {
    fixture.status.phase = 'down';
    fixture.status.detail = 'the log failed';
    const { status, body } = await fixture.ask('GET', '/api/v1/topics');
    expect([status, body['detail']]).toEqual([503, 'The broker is down: the log failed.']);
  });

  it('rules are put, listed and deleted', async () => {
    const rule = {
      id: 'r',
      user: 'app',
      allow: true,
      actions: ['publish'],
      resource: 'topic',
      namespace: 'default',
      pattern: 'a*',
    };
    expect((await fixture.ask('POST', '/api/v1/rules', rule)).status).toBe(201);
    expect((await fixture.ask('GET', '/api/v1/rules')).body['rules']).toEqual([rule]);
    expect((await fixture.ask('DELETE', '/api/v1/rules/r')).status).toBe(204);
    expect((await fixture.ask('GET', '/api/v1/rules')).body['rules']).toEqual([]);
  });
});

describe('connections', () => {
  it('one that sends its headers too slowly is closed', async () => {
    const slow = await new Fixture().start({ handshakeTimeoutMs: 200, requestTimeoutMs: 1_000 });
    const socket = net.connect(slow.port, '127.0.0.1');
    socket.write('GET /health/live HTTP/1.1\r\nHost: localhost\r\n');
    const drip = setInterval(() => socket.write('X-A: b\r\n'), 50);
    socket.on('error', () => undefined);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    clearInterval(drip);
    expect(String(answer)).toMatch(/^HTTP\/1\.1 408 /);
    await slow.stop();
  });

  it('draining ends idle ones at once and lets a request finish', async () => {
    const idle = net.connect(fixture.port, '127.0.0.1');
    await once(idle, 'connect');
    idle.resume();
    const idleEnded = once(idle, 'close');
    let release: () => void = nothing;
    let asked: () => void = nothing;
    const wasAsked = new Promise<void>((resolve) => (asked = resolve));
    fixture.broker.deleteTopic = () => {
      asked();
      return new Promise((resolve) => (release = resolve));
    };
    await fixture.ask('POST', '/api/v1/topics', { name: 'slow', queues: 1 });
    const request = fixture.ask('DELETE', '/api/v1/topics/slow');
    await wasAsked;
    const drained = fixture.server.drain(fixture.clock.nowMs() + 5_000);
    await idleEnded;
    release();
    const answer = await request;
    await drained;
    expect([answer.status, answer.headers.get('connection'), fixture.server.connections]).toEqual([204, 'close', 0]);
  });

  it('draining cuts what is not done in time', async () => {
    fixture.broker.deleteTopic = () => new Promise(nothing);
    await fixture.ask('POST', '/api/v1/topics', { name: 'stuck', queues: 1 });
    const request = fixture.ask('DELETE', '/api/v1/topics/stuck').catch(() => 'cut');
    await new Promise((resolve) => setTimeout(resolve, 50));
    await fixture.server.drain(fixture.clock.nowMs() + 100);
    expect(await request).toBe('cut');
  });
});
