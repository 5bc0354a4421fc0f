// What the API answers, held against the OpenAPI document: the document itself, health, metrics, topics, groups.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ajv, HttpFixture, openapi } from '../testing/http-fixture.ts';
import { operations } from './operation.ts';

let fixture: HttpFixture;
beforeEach(async () => {
  fixture = await new HttpFixture().start();
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
    const lines = (body as unknown as string).split('\n');
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

  it('a queue tells what waits and what is handed out', async () => {
    fixture.broker.addGroup('', {});
    await fixture.ask('POST', '/api/v1/topics', { name: 'q', kind: 'queue' });
    Object.assign(fixture.broker.topicsByName.get('q')!, { ownGroup: 1 });
    Object.assign(fixture.broker, { ready: 5, inFlight: 3 });
    expect((await fixture.ask('GET', '/api/v1/topics/q')).body['queues']).toEqual([
      expect.objectContaining({ ready: 5, inFlight: 3, consumers: 0 }),
    ]);
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
    const metrics = (await fixture.ask('GET', '/metrics')).body as unknown as string;
    expect(metrics).toContain('rosettamq_group_lag_messages{namespace="default",group="billing",topic="orders"} 11\n');
    // Settled out of order behind the floor: only what is ready or handed out is ahead.
    Object.assign(fixture.broker, { ready: 1, inFlight: 1 });
    expect((await fixture.ask('GET', '/api/v1/groups/billing')).body['lag']).toBe(0 + 2 + 2);
    expect((await fixture.ask('GET', '/api/v1/groups/other')).body['code']).toBe('group-not-found');
  });
});
