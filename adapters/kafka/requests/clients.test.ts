// Quotas, SCRAM credentials and telemetry, in raw frames.
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  alterClientQuotas,
  alterUserScramCredentials,
  describeClientQuotas,
  describeUserScramCredentials,
  getTelemetrySubscriptions,
  pushTelemetry,
} from '../../../specs/kafka/clients.ts';
import { metadata, saslAuthenticate, saslHandshake } from '../../../specs/kafka/cluster.ts';
import { fetch, produce } from '../../../specs/kafka/data.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { ZERO_UUID } from '../codec/rows.ts';
import {
  batchOf,
  client,
  conversation,
  everybody,
  fetchOf,
  harness,
  makeTopic,
  produceOf,
} from '../testing/conversation.ts';
import { RawClient, start } from '../testing/harness.ts';

conversation();

describe('quotas', () => {
  const user = [{ entityType: 'user', entityName: 'anonymous' }];
  const alter = async (entity: typeof user, key: string, value: number, remove = false) =>
    (
      await client.ask(alterClientQuotas, 1, {
        entries: [{ entity, ops: [{ key, value, remove }] }],
        validateOnly: false,
      })
    ).entries[0]!;
  const describeAll = async (
    components: { entityType: string; matchType: number; match: string | null }[],
    strict = false,
  ) => (await client.ask(describeClientQuotas, 1, { components, strict })).entries;

  it('are kept, told by filter, and removed', async () => {
    const both = [{ entityType: 'client-id', entityName: null as never }, ...user];
    expect((await alter(user, 'producer_byte_rate', 1000.5)).errorCode).toBe(ERROR.NONE);
    expect((await alter(both, 'consumer_byte_rate', 7)).errorCode).toBe(ERROR.NONE);
    expect(await describeAll([{ entityType: 'user', matchType: 0, match: 'anonymous' }], true)).toEqual([
      { entity: user, values: [{ key: 'producer_byte_rate', value: 1000.5 }] },
    ]);
    expect(await describeAll([{ entityType: 'user', matchType: 2, match: null }])).toHaveLength(2);
    expect(await describeAll([{ entityType: 'client-id', matchType: 1, match: null }])).toHaveLength(1);
    expect(await describeAll([{ entityType: 'ip', matchType: 2, match: null }])).toEqual([]);
    expect((await alter(user, 'producer_byte_rate', 0, true)).errorCode).toBe(ERROR.NONE);
    expect(await describeAll([{ entityType: 'user', matchType: 2, match: null }])).toHaveLength(1);
    // They lie in the core, where a restart finds them.
    expect(harness.broker.settings('kafka.quotas').size).toBe(1);
  });

  it('that make no sense are refused', async () => {
    expect((await alter(user, 'no_such_rate', 1)).errorCode).toBe(ERROR.INVALID_REQUEST);
    for (const value of [-1, 0, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect((await alter(user, 'producer_byte_rate', value)).errorCode).toBe(ERROR.INVALID_REQUEST);
    }
    expect((await alter([{ entityType: 'planet', entityName: 'x' }], 'producer_byte_rate', 1)).errorCode).toBe(
      ERROR.INVALID_REQUEST,
    );
    expect((await alter([{ entityType: 'ip', entityName: 'x' }], 'producer_byte_rate', 1)).errorCode).toBe(
      ERROR.INVALID_REQUEST,
    );
    const unknown = await client.ask(describeClientQuotas, 0, {
      components: [{ entityType: 'planet', matchType: 2, match: null }],
      strict: false,
    });
    expect(unknown).toMatchObject({ errorCode: ERROR.UNSUPPORTED_VERSION, entries: null });
  });

  it('hold up who is over them: answered at once, then not read from', async () => {
    await makeTopic('t');
    await alter([{ entityType: 'client-id', entityName: 'test' }], 'producer_byte_rate', 20_000);
    await alter([{ entityType: 'client-id', entityName: 'test' }], 'consumer_byte_rate', 1_000_000);
    const first = await client.ask(produce, 9, produceOf('t', batchOf('x'.repeat(24_000))));
    expect(first.responses[0]!.partitionResponses[0]!.errorCode).toBe(ERROR.NONE);
    expect(first.throttleTimeMs).toBeGreaterThan(0);
    const before = Date.now();
    await client.ask(metadata, 1, { topics: [] });
    expect(Date.now() - before).toBeGreaterThanOrEqual(first.throttleTimeMs - 5);
    expect((await client.ask(fetch, 12, fetchOf({ name: 't' }))).throttleTimeMs).toBe(0);
    expect(harness.adapter.counts['throttled']).toBe(1);
  });
});

/** The client's side of RFC 5802, from the RFC. */
async function scramLogin(to: RawClient, mechanism: string, hash: string, user: string, password: string, version = 2) {
  expect((await to.ask(saslHandshake, 1, { mechanism })).errorCode).toBe(ERROR.NONE);
  const clientNonce = randomBytes(12).toString('base64').replaceAll(',', '');
  const bare = `n=${user.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${clientNonce}`;
  const first = await to.ask(saslAuthenticate, version, { authBytes: Buffer.from(`n,,${bare}`) });
  if (first.errorCode !== ERROR.NONE) return first;
  const serverFirst = first.authBytes.toString();
  const [, nonce, salt, iterations] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(serverFirst)!;
  expect(nonce!.startsWith(clientNonce)).toBe(true);
  const length = hash === 'sha256' ? 32 : 64;
  const salted = pbkdf2Sync(password, Buffer.from(salt!, 'base64'), Number(iterations), length, hash);
  const clientKey = createHmac(hash, salted).update('Client Key').digest();
  const message = `${bare},${serverFirst},c=biws,r=${nonce}`;
  const storedKey = createHash(hash).update(clientKey).digest();
  const signature = createHmac(hash, storedKey).update(message).digest();
  const proof = Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!)).toString('base64');
  const last = await to.ask(saslAuthenticate, version, { authBytes: Buffer.from(`c=biws,r=${nonce},p=${proof}`) });
  if (last.errorCode === ERROR.NONE) {
    const serverKey = createHmac(hash, salted).update('Server Key').digest();
    expect(last.authBytes.toString()).toBe(`v=${createHmac(hash, serverKey).update(message).digest('base64')}`);
  }
  return last;
}

describe('SCRAM', () => {
  const upsert = (name: string, mechanism: number, password: string) => {
    const hash = mechanism === 1 ? 'sha256' : 'sha512';
    const salt = Buffer.from('0123456789abcdef');
    const saltedPassword = pbkdf2Sync(password, salt, 4_096, mechanism === 1 ? 32 : 64, hash);
    return { name, mechanism, iterations: 4_096, salt, saltedPassword };
  };
  const alter = (deletions: { name: string; mechanism: number }[], upsertions: ReturnType<typeof upsert>[]) =>
    client.ask(alterUserScramCredentials, 0, { deletions, upsertions });

  it('credentials are made, told and removed, each user by itself', async () => {
    const { results } = await alter(
      [{ name: 'nobody', mechanism: 1 }],
      [
        upsert('alice', 1, 'secret'),
        upsert('alice', 2, 'secret'),
        { ...upsert('bob', 1, 'x'), iterations: 100 },
        { ...upsert('carl', 1, 'x'), mechanism: 9 },
        upsert('dora', 1, 'x'),
        upsert('dora', 1, 'y'),
      ],
    );
    expect(results.map(({ user, errorCode }) => [user, errorCode])).toEqual([
      ['nobody', ERROR.RESOURCE_NOT_FOUND],
      ['alice', ERROR.NONE],
      ['bob', ERROR.UNACCEPTABLE_CREDENTIAL],
      ['carl', ERROR.UNSUPPORTED_SASL_MECHANISM],
      ['dora', ERROR.DUPLICATE_RESOURCE],
    ]);
    // From now on there is a user, and the connection is nobody.
    expect((await client.ask(describeUserScramCredentials, 0, { users: null })).errorCode).toBe(
      ERROR.CLUSTER_AUTHORIZATION_FAILED,
    );
    const rule = { id: 'r', user: 'test', allow: true, actions: ['describe', 'update'], namespace: '' } as const;
    const root = (harness.broker as unknown as { tables: { access: { putRule(rule: object): void } } }).tables.access;
    root.putRule({ ...rule, user: 'anonymous', resource: 'cluster', pattern: '*' });
    const told = await client.ask(describeUserScramCredentials, 0, { users: [{ name: 'alice' }, { name: 'eve' }] });
    expect(told.results).toEqual([
      {
        user: 'alice',
        errorCode: ERROR.NONE,
        errorMessage: null,
        credentialInfos: [
          { mechanism: 1, iterations: 4_096 },
          { mechanism: 2, iterations: 4_096 },
        ],
      },
      {
        user: 'eve',
        errorCode: ERROR.RESOURCE_NOT_FOUND,
        errorMessage: expect.any(String) as string,
        credentialInfos: [],
      },
    ]);
    await alter([{ name: 'alice', mechanism: 1 }], []);
    expect(harness.broker.scram.keys('alice', 'scram-sha-256')).toBeNull();
    expect(harness.broker.scram.keys('alice', 'scram-sha-512')).not.toBeNull();
  });

  it('lets in who knows the password, by both hashes, and nobody else', async () => {
    const guarded = await start({ users: {}, settings: { reauthenticationMs: 60_000 } });
    await guarded.broker.putUser(everybody, 'a,b=c', 'pässword');
    for (const [mechanism, hash] of [
      ['SCRAM-SHA-256', 'sha256'],
      ['SCRAM-SHA-512', 'sha512'],
    ] as const) {
      const good = new RawClient(guarded.adapter);
      expect(await scramLogin(good, mechanism, hash, 'a,b=c', 'pässword')).toMatchObject({
        errorCode: ERROR.NONE,
        sessionLifetimeMs: 60_000,
      });
      expect((await good.ask(metadata, 1, { topics: [] })).brokers).toHaveLength(1);
      // Again on the same connection (KIP-368), and not as somebody else.
      expect((await scramLogin(good, mechanism, hash, 'a,b=c', 'pässword')).errorCode).toBe(ERROR.NONE);
      for (const [user, password] of [
        ['a,b=c', 'guess'],
        ['nobody', 'pässword'],
      ] as const) {
        const bad = new RawClient(guarded.adapter);
        expect((await scramLogin(bad, mechanism, hash, user, password)).errorCode).toBe(
          ERROR.SASL_AUTHENTICATION_FAILED,
        );
        await bad.untilClosed();
      }
    }
    await guarded.stop();
  });

  it('refuses what is not the exchange', async () => {
    const guarded = await start({ users: {} });
    await guarded.broker.putUser(everybody, 'alice', 'secret');
    for (const token of [
      '',
      'n,,',
      'p=tls-unique,,n=alice,r=abc',
      'n,,n=al=ice,r=abc',
      'n,a=bob,n=alice,r=abc',
      'n,,n=alice,r=',
    ]) {
      const bad = new RawClient(guarded.adapter);
      await bad.ask(saslHandshake, 1, { mechanism: 'SCRAM-SHA-256' });
      const { errorCode } = await bad.ask(saslAuthenticate, 2, { authBytes: Buffer.from(token) });
      expect([token, errorCode]).toEqual([token, ERROR.SASL_AUTHENTICATION_FAILED]);
      await bad.untilClosed();
    }
    const bad = new RawClient(guarded.adapter);
    await bad.ask(saslHandshake, 1, { mechanism: 'SCRAM-SHA-256' });
    const { authBytes } = await bad.ask(saslAuthenticate, 2, { authBytes: Buffer.from('n,,n=alice,r=abc') });
    const nonce = /^r=([^,]+)/.exec(authBytes.toString())![1];
    const { errorCode } = await bad.ask(saslAuthenticate, 2, { authBytes: Buffer.from(`c=biws,r=${nonce}x,p=AAAA`) });
    expect(errorCode).toBe(ERROR.SASL_AUTHENTICATION_FAILED);
    await guarded.stop();
  });

  it('ends a login that is not repeated in time', async () => {
    const guarded = await start({ users: { alice: 'secret' }, settings: { reauthenticationMs: 60_000 } });
    const late = new RawClient(guarded.adapter);
    await late.ask(saslHandshake, 1, { mechanism: 'PLAIN' });
    const token = { authBytes: Buffer.from('\0alice\0secret') };
    expect((await late.ask(saslAuthenticate, 1, token)).sessionLifetimeMs).toBe(60_000);
    expect((await late.ask(metadata, 1, { topics: [] })).brokers).toHaveLength(1);
    guarded.clock.aheadMs += 61_000;
    await late.ask(saslHandshake, 1, { mechanism: 'PLAIN' });
    expect((await late.ask(saslAuthenticate, 1, token)).errorCode).toBe(ERROR.NONE);
    expect((await late.ask(metadata, 1, { topics: [] })).brokers).toHaveLength(1);
    guarded.clock.aheadMs += 61_000;
    late.write(late.encode(metadata, 1, { topics: [] }));
    await late.untilClosed();
    await guarded.stop();
  });
});

describe('telemetry', () => {
  // A MetricsData by hand: one resource, one scope; gauge "a.b" 1.5 {t=x}, sum "c" 7.
  const field = (number: number, ...parts: Buffer[]): Buffer => {
    const body = Buffer.concat(parts);
    return Buffer.concat([Buffer.from([number * 8 + 2, body.length]), body]);
  };
  const text = (number: number, value: string): Buffer => field(number, Buffer.from(value));
  const double = Buffer.concat([Buffer.from([4 * 8 + 1]), Buffer.from('000000000000f83f', 'hex')]);
  const int = Buffer.concat([Buffer.from([6 * 8 + 1]), Buffer.from('0700000000000000', 'hex')]);
  const attribute = field(7, text(1, 't'), field(2, text(1, 'x')));
  const gauge = field(2, text(1, 'a.b'), field(5, field(1, attribute, double)));
  const sum = field(2, text(1, 'c'), field(7, field(1, int), Buffer.from([2 * 8, 2])));
  const pushed = field(1, field(1), field(2, gauge, sum));

  const push = (clientInstanceId: string, change: object = {}) =>
    client.ask(pushTelemetry, 0, {
      clientInstanceId,
      subscriptionId: 1,
      terminating: false,
      compressionType: 0,
      metrics: pushed,
      ...change,
    });
  const subscribe = () => client.ask(getTelemetrySubscriptions, 0, { clientInstanceId: ZERO_UUID });

  it('asks for metrics, takes them in any compression, and shows the last ones', async () => {
    const subscription = await subscribe();
    expect(subscription).toMatchObject({ errorCode: ERROR.NONE, pushIntervalMs: 60_000, requestedMetrics: [''] });
    const { clientInstanceId } = subscription;
    expect(clientInstanceId).not.toBe(ZERO_UUID);
    expect((await push(clientInstanceId)).errorCode).toBe(ERROR.NONE);
    const client = `test/${clientInstanceId}`;
    expect([...harness.adapter.clientMetrics!()]).toEqual([
      { name: 'a.b', client, labels: 't=x', value: 1.5 },
      { name: 'c', client, labels: '', value: 7 },
    ]);
    for (const [compressionType, metrics] of [
      [1, gzipSync(pushed)],
      [4, zstdCompressSync(pushed)],
    ] as const) {
      const { clientInstanceId: other } = await subscribe();
      expect((await push(other, { compressionType, metrics })).errorCode).toBe(ERROR.NONE);
    }
    expect([...harness.adapter.clientMetrics!()]).toHaveLength(6);
    expect((await push(clientInstanceId, { terminating: true })).errorCode).toBe(ERROR.NONE);
    expect([...harness.adapter.clientMetrics!()]).toHaveLength(4);
    expect((await push(clientInstanceId)).errorCode).toBe(ERROR.INVALID_REQUEST);
  });

  it('refuses what it did not ask for', async () => {
    const { clientInstanceId } = await subscribe();
    expect((await push(clientInstanceId, { subscriptionId: 9 })).errorCode).toBe(ERROR.UNKNOWN_SUBSCRIPTION_ID);
    expect((await push(clientInstanceId, { compressionType: 9 })).errorCode).toBe(ERROR.UNSUPPORTED_COMPRESSION_TYPE);
    expect((await push(ZERO_UUID)).errorCode).toBe(ERROR.INVALID_REQUEST);
    const large = Buffer.alloc(1024 * 1024 + 1);
    expect((await push(clientInstanceId, { metrics: large })).errorCode).toBe(ERROR.TELEMETRY_TOO_LARGE);
    expect((await push(clientInstanceId, { metrics: pushed.subarray(0, 30) })).errorCode).toBe(ERROR.INVALID_RECORD);
    const early = await push(clientInstanceId);
    expect(early).toEqual({ errorCode: ERROR.THROTTLING_QUOTA_EXCEEDED, throttleTimeMs: 60_000 });
  });
});
