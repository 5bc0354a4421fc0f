// Requests as signed by clients. The signatures are made here by the protocol's rule; that the clients' own library makes
// the same is shown by compat-tests/rocketmq/access.suite.ts.
import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { Action } from '../../core/types.ts';
import { type Harness, harness, RawClient, type Response } from './testing/harness.ts';
import { heartbeat, pullFields, sendFields, units } from './testing/requests.ts';

let on: Harness | undefined;
afterEach(async () => {
  expect(on?.defects ?? []).toEqual([]);
  await on?.close();
});

const ADMIN = { name: 'anonymous', host: '' };
const EVERYTHING = ['publish', 'consume', 'create', 'update', 'delete', 'describe'] as const;

/**
 * A broker with the users `maker`, who may do everything, `reader`, who may consume and describe topics T…, and `keeper`,
 * who may see how the broker is set up.
 */
async function secured(sealingKey: Buffer | undefined, options: Parameters<typeof harness>[0] = {}): Promise<Harness> {
  const started = await harness(sealingKey === undefined ? options : { ...options, sealingKey });
  on = started;
  const { broker } = started;
  const rule = (id: string, user: string, resource: 'topic' | 'group' | 'cluster', actions: readonly Action[]) =>
    broker.putRule(ADMIN, {
      id,
      user,
      allow: true,
      actions,
      resource,
      namespace: '*',
      pattern: resource === 'topic' ? 'T*' : '*',
    });
  await rule('1', 'maker', 'topic', EVERYTHING);
  await rule('2', 'maker', 'group', EVERYTHING);
  await rule('3', 'reader', 'topic', ['consume', 'describe']);
  await rule('4', 'reader', 'group', EVERYTHING);
  await rule('5', 'keeper', 'cluster', ['describe']);
  await Promise.all(['maker', 'reader', 'keeper'].map((name) => broker.putUser(ADMIN, name, `${name}-secret`)));
  return started;
}

function signed(
  fields: Record<string, unknown>,
  body: string,
  accessKey: string,
  secret: string,
): Record<string, unknown> {
  const all: Record<string, unknown> = { ...fields, AccessKey: accessKey };
  const text = Object.keys(all)
    .sort()
    .map((name) => String(all[name]))
    .join('');
  return {
    ...all,
    Signature: createHmac('sha1', secret)
      .update(text + body)
      .digest('base64'),
  };
}

describe('a signed request', () => {
  it('is its user’s, and has that user’s rights; an unsigned one has none', async () => {
    const raw = new RawClient((await secured(Buffer.alloc(32, 3))).adapter);
    const send = (key: string, secret: string, body = 'x'): Promise<Response> =>
      raw.request(310, signed(sendFields('T'), body, key, secret), body);
    expect(await send('maker', 'maker-secret')).toMatchObject({ code: 0 });
    expect(await send('reader', 'reader-secret')).toMatchObject({ code: 16 });
    expect((await send('reader', 'reader-secret')).remark).toContain('User "reader" may not publish topic "T"');
    const pulled = await raw.request(11, signed(pullFields('T', 0), '', 'reader', 'reader-secret'));
    expect(units(pulled.body).map((unit) => unit.body)).toEqual(['x']);
    // A signature holds for its own request alone, whatever the connection has sent before.
    expect(await raw.request(310, sendFields('T'), 'x')).toMatchObject({ code: 16 });
    expect(await raw.request(11, pullFields('T', 0))).toMatchObject({ code: 16 });
    raw.stream.destroy();
  });

  it('alone may ask about groups and topics, and lock queues, where its user may', async () => {
    const raw = new RawClient((await secured(Buffer.alloc(32, 3))).adapter);
    await raw.request(310, signed(sendFields('T'), 'x', 'maker', 'maker-secret'), 'x');
    const hello = heartbeat('c1', 'CG', 'T');
    expect(await raw.request(34, signed({}, hello, 'reader', 'reader-secret'), hello)).toMatchObject({ code: 0 });
    // Who may consume may have it again: the topic of retries is the group's.
    const pulled = await raw.request(11, signed(pullFields('T', 0), '', 'reader', 'reader-secret'));
    const back = { group: 'CG', delayLevel: '1', offset: String(units(pulled.body)[0]!.physical) };
    expect(await raw.request(36, signed(back, '', 'reader', 'reader-secret'))).toMatchObject({ code: 0 });
    raw.answers = () => ({ code: 0, body: Buffer.from('{}') });
    const mqSet = [{ brokerName: 'broker', queueId: 0, topic: 'T' }];
    const lock = JSON.stringify({ clientId: 'c2', consumerGroup: 'CG', mqSet });
    const asked: [number, Record<string, unknown>, string][] = [
      [41, {}, lock],
      [42, {}, lock],
      [14, { consumerGroup: 'CG', topic: 'T', queueId: '0' }, ''],
      [30, { topic: 'T', queueId: '0' }, ''],
      [208, { consumerGroup: 'CG', topic: 'T' }, ''],
      [307, { consumerGroup: 'CG', clientId: 'c1' }, ''],
      [351, { topic: 'T' }, ''],
      [352, { group: 'CG' }, ''],
    ];
    for (const [code, fields, body] of asked) {
      expect(await raw.request(code, fields, body), `${code} of nobody`).toMatchObject({ code: 16 });
      const answer = await raw.request(code, signed(fields, body, 'reader', 'reader-secret'), body);
      // 22: the group has no place yet.
      expect([0, 22], `${code} of the reader: ${answer.remark}`).toContain(answer.code);
    }
    raw.stream.destroy();
  });

  it('keeps its user while it waits and others of the same connection are served', async () => {
    const raw = new RawClient((await secured(Buffer.alloc(32, 3), { syncMs: 30 })).adapter);
    const sent = await raw.request(310, signed(sendFields('T'), 'x', 'maker', 'maker-secret'), 'x');
    const offset = String(BigInt(`0x${sent.ext['msgId']!.slice(16)}`));
    const back = { group: 'TG', delayLevel: '1', offset };
    const answers = [
      raw.request(36, signed(back, '', 'maker', 'maker-secret')),
      raw.request(36, back),
      raw.request(36, signed(back, '', 'maker', 'maker-secret')),
      raw.request(11, pullFields('T', 0)),
    ];
    expect((await Promise.all(answers)).map(({ code }) => code)).toEqual([0, 16, 0, 16]);
    raw.stream.destroy();
  });

  it('alone is told who consumes, and how the broker is set up', async () => {
    const raw = new RawClient((await secured(Buffer.alloc(32, 3))).adapter);
    const body = heartbeat('c1', 'G', 'T');
    expect(await raw.request(34, signed({}, body, 'reader', 'reader-secret'), body)).toMatchObject({ code: 0 });
    const asks: [number, Record<string, string>][] = [
      [38, { consumerGroup: 'G' }],
      [203, { consumerGroup: 'G' }],
      [343, { group: 'G' }],
      [345, { group: 'G', topic: 'T' }],
    ];
    for (const [code, fields] of asks) {
      expect(await raw.request(code, fields)).toMatchObject({ code: 16 });
      expect(await raw.request(code, signed(fields, '', 'reader', 'reader-secret'))).toMatchObject({ code: 0 });
    }
    for (const code of [26, 28]) {
      expect(await raw.request(code, {})).toMatchObject({ code: 16 });
      expect(await raw.request(code, signed({}, '', 'reader', 'reader-secret'))).toMatchObject({ code: 16 });
      expect(await raw.request(code, signed({}, '', 'keeper', 'keeper-secret'))).toMatchObject({ code: 0 });
    }
    raw.stream.destroy();
  });

  it('is refused when a field or the body is another, or the user unknown', async () => {
    const raw = new RawClient((await secured(Buffer.alloc(32, 3))).adapter);
    const fields = signed(sendFields('T'), 'x', 'maker', 'maker-secret');
    expect(await raw.request(310, fields, 'x')).toMatchObject({ code: 0 });
    expect(await raw.request(310, fields, 'y')).toMatchObject({ code: 16 });
    expect(await raw.request(310, { ...fields, e: '1' }, 'x')).toMatchObject({ code: 16 });
    expect(await raw.request(310, { ...fields, Signature: '' }, 'x')).toMatchObject({ code: 16 });
    expect(await raw.request(310, signed(sendFields('T'), 'x', 'maker', 'other'), 'x')).toMatchObject({ code: 16 });
    expect(await raw.request(310, signed(sendFields('T'), 'x', 'nobody', 'x'), 'x')).toMatchObject({ code: 16 });
    raw.stream.destroy();
  });

  it('from a client up to 4.9.3 does not cover a field that it adds afterwards', async () => {
    const raw = new RawClient((await secured(Buffer.alloc(32, 3))).adapter);
    const keyed = signed(sendFields('T', 'KEYS\u0001k\u0002'), 'x', 'maker', 'maker-secret');
    expect(await raw.request(310, keyed, 'x')).toMatchObject({ code: 0 });
    const query = {
      topic: 'T',
      key: 'k',
      maxNum: '8',
      beginTimestamp: '0',
      endTimestamp: String(Number.MAX_SAFE_INTEGER),
    };
    const fields = { ...signed(query, '', 'maker', 'maker-secret'), _UNIQUE_KEY_QUERY: 'false' };
    expect(await raw.request(12, fields, '', 399)).toMatchObject({ code: 0 });
    expect(await raw.request(12, fields, '', 401)).toMatchObject({ code: 16 });
    raw.stream.destroy();
  });

  it('cannot be judged without a master key, and says so', async () => {
    const raw = new RawClient((await secured(undefined)).adapter);
    const answer = await raw.request(310, signed(sendFields('T'), 'x', 'maker', 'maker-secret'), 'x');
    expect(answer.code).toBe(16);
    expect(answer.remark).toContain('security.masterKeyFile');
    raw.stream.destroy();
  });
});
