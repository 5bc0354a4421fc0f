// What the HTTP server refuses, whom it lets in, and how its connections end.
import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InvariantError } from '../../core/errors.ts';
import { HttpFixture } from '../testing/http-fixture.ts';

const nothing = () => undefined;

let fixture: HttpFixture;
beforeEach(async () => {
  fixture = await new HttpFixture().start();
});
afterEach(() => fixture.stop());

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
    const slow = await new HttpFixture().start({ handshakeTimeoutMs: 200, requestTimeoutMs: 1_000 });
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
