// Users, passwords and rules. Keys against RFC 7677's example; rules against the sentence that defines them.
import { createHash, createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BrokerError } from '../errors.ts';
import type { AccessRule, Action, ResourceKind } from '../types.ts';
import { Access } from './access.ts';
import type { CredentialRow, StateEvent } from './events.ts';
import { decodeEvent, encodeEvent } from './events.ts';
import { matches } from './rights.ts';
import { scramFromValue, scramKeys, scramVerify } from './scram.ts';
import { seal } from './sealed.ts';

const ACTIONS: readonly Action[] = ['publish', 'consume', 'create', 'update', 'delete', 'describe'];
const RESOURCES: readonly ResourceKind[] = ['namespace', 'topic', 'group', 'cluster'];
const SALT = Buffer.from('0123456789abcdef');

const as = (name: string) => ({ name, host: '127.0.0.1' });
const plain = (user: string): CredentialRow => ({ user, kind: 'opaque', value: {} });

function rule(fields: Partial<AccessRule>): AccessRule {
  return {
    id: 'r',
    user: 'u',
    allow: true,
    actions: ACTIONS,
    resource: 'topic',
    namespace: '',
    pattern: '*',
    ...fields,
  };
}

function secured(...rules: AccessRule[]): Access {
  const access = new Access();
  access.putCredential(plain('u'));
  for (const one of rules) access.putRule(one);
  return access;
}

function refusal(access: Access, ...question: [Action, ResourceKind, string, string]): string {
  try {
    access.authorise(as('u'), ...question);
  } catch (error) {
    expect(error).toBeInstanceOf(BrokerError);
    expect((error as BrokerError).code).toBe('access-denied');
    return (error as BrokerError).message;
  }
  return 'allowed';
}

describe('keys', () => {
  it("accept the proof and give the signature of RFC 7677's example", async () => {
    const keys = await scramKeys('scram-sha-256', 'pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'), 4096);
    const authMessage =
      'n=user,r=rOprNGfwEbeRWgbNEkqO,' +
      'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,' +
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
    const proof = Buffer.from('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'base64');
    const signature = createHmac('sha256', keys.storedKey).update(authMessage).digest();
    const clientKey = Buffer.from(proof.map((byte, n) => byte ^ signature[n]!));
    expect(createHash('sha256').update(clientKey).digest()).toEqual(keys.storedKey);
    expect(createHmac('sha256', keys.serverKey).update(authMessage).digest('base64')).toBe(
      '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
    );
    expect(await scramVerify(keys, 'pencil')).toBe(true);
    expect(await scramVerify(keys, 'Pencil')).toBe(false);
  });

  it('are refused when a field is missing, short or out of bounds', async () => {
    const { value } = await Access.makeCredential('u', 'secret', SALT);
    expect(scramFromValue('scram-sha-256', value)).not.toBeNull();
    const bad: Record<string, unknown>[] = [
      { salt: 1 },
      { storedKey: 'AAAA' },
      { serverKey: undefined },
      { iterations: 4095 },
      { iterations: 1e9 },
      { iterations: '15000' },
      { iterations: 15_000.5 },
    ];
    for (const change of bad) expect(scramFromValue('scram-sha-256', { ...value, ...change })).toBeNull();
  });
});

describe('passwords', () => {
  it('are checked against what the log holds', async () => {
    const row = await Access.makeCredential('alice', 'sécret', SALT);
    expect(row).toMatchObject({ user: 'alice', kind: 'scram-sha-256', value: { iterations: 15_000 } });
    expect(row.value['salt']).toBe(SALT.toString('base64'));
    expect(JSON.stringify(row)).not.toContain('sécret');
    const access = new Access();
    access.putCredential(row);
    expect(await access.verify('alice', 'sécret')).toBe(true);
    expect(await access.verify('alice', 'secret')).toBe(false);
    expect(await access.verify('alice', '')).toBe(false);
    expect(await access.verify('bob', 'sécret')).toBe(false);
    await expect(Access.makeCredential('u', '', SALT)).rejects.toMatchObject({ code: 'argument-invalid' });
    await expect(Access.makeCredential('u', 'x'.repeat(1025), SALT)).rejects.toMatchObject({
      code: 'argument-invalid',
    });
  });

  it('that changed or went are wrong at once, although they were right before', async () => {
    const access = new Access();
    access.putCredential(await Access.makeCredential('alice', 'first', SALT));
    expect(await access.verify('alice', 'first')).toBe(true);
    access.putCredential(await Access.makeCredential('alice', 'second', SALT));
    expect(await access.verify('alice', 'first')).toBe(false);
    expect(await access.verify('alice', 'second')).toBe(true);
    access.deleteUser('alice');
    expect(await access.verify('alice', 'second')).toBe(false);
  });

  it('sign when they are kept sealed, which goes with the password', async () => {
    const key = Buffer.alloc(32, 7);
    const access = new Access();
    const sealed = seal(key, 'alice', 'Jefe', Buffer.alloc(12, 1));
    expect(JSON.stringify(sealed)).not.toContain('Jefe');
    expect(JSON.stringify(sealed)).not.toContain(Buffer.from('Jefe').toString('base64'));
    access.putCredential(await Access.makeCredential('alice', 'Jefe', SALT));
    // RFC 2202, test case 2.
    const parts = [Buffer.from('what do ya '), Buffer.from('want for nothing?')];
    const signature = Buffer.from('effcdf6ae5eb2fa2d27416d5f184df9c259a7c79', 'hex');
    expect(access.verifySignature(key, 'alice', parts, signature)).toBe(false);
    access.putCredential(sealed);
    expect(access.verifySignature(Buffer.alloc(32, 8), 'alice', parts, signature)).toBe(false);
    expect(access.verifySignature(key, 'alice', parts, signature)).toBe(true);
    expect(access.verifySignature(key, 'alice', parts.toReversed(), signature)).toBe(false);
    expect(access.verifySignature(key, 'alice', parts, signature.subarray(1))).toBe(false);
    expect(access.verifySignature(key, 'alice', parts, Buffer.alloc(0))).toBe(false);
    expect(access.verifySignature(key, 'bob', parts, signature)).toBe(false);
    // A row that is given to somebody else opens nothing.
    access.putCredential({ ...sealed, user: 'bob' });
    expect(access.verifySignature(key, 'bob', parts, signature)).toBe(false);
    // What a snapshot writes makes the same table again.
    const again = new Access();
    for (const event of access.events()) if (event.k === 'credential') again.putCredential(event.row);
    expect(again.verifySignature(key, 'alice', parts, signature)).toBe(true);
    access.putCredential(await Access.makeCredential('alice', 'second', SALT));
    expect(access.verifySignature(key, 'alice', parts, signature)).toBe(false);
    expect(access.credential('alice', sealed.kind)).toBeNull();
    again.deleteUser('alice');
    expect(again.verifySignature(key, 'alice', parts, signature)).toBe(false);
  });

  it('that change during a check are judged by what they are then', async () => {
    const access = new Access();
    const [first, second] = await Promise.all(['first', 'second'].map((p) => Access.makeCredential('a', p, SALT)));
    access.putCredential(first!);
    const old = access.verify('a', 'first');
    const early = access.verify('a', 'second');
    access.putCredential(second!);
    expect(await Promise.all([old, early])).toEqual([false, true]);
    expect(await access.verify('a', 'first')).toBe(false);
  });

  it('cost one check in a storm, and as much when the name is unknown', async () => {
    const access = new Access();
    access.putCredential(await Access.makeCredential('alice', 'secret', SALT));
    const timed = async (name: string, password: string, times = 1): Promise<number> => {
      const begun = performance.now();
      for (let n = 0; n < times; n++) await access.verify(name, password);
      return (performance.now() - begun) / times;
    };
    const fastest = async (name: string, password: string): Promise<number> => {
      const tries: number[] = [];
      for (let n = 0; n < 7; n++) tries.push(await timed(name, password + n));
      return Math.min(...tries);
    };
    const wrong = await fastest('alice', 'wrong');
    const unknown = await fastest('nobody', 'wrong');
    expect(unknown).toBeGreaterThan(wrong / 3);
    expect(unknown).toBeLessThan(wrong * 3);
    const begun = performance.now();
    const storm = await Promise.all(Array.from({ length: 1_000 }, () => access.verify('alice', 'secret')));
    expect(storm.every((isRight) => isRight)).toBe(true);
    expect(performance.now() - begun).toBeLessThan(wrong * 100);
    expect(await timed('alice', 'secret', 100)).toBeLessThan(wrong / 5);
  });

  it('are not checked without bound', async () => {
    const access = new Access();
    access.putCredential(Access.scramCredential('u', await scramKeys('scram-sha-256', 'secret', SALT, 4_096)));
    expect(await access.verify('u', 'secret')).toBe(true);
    const checks = Array.from({ length: 1_100 }, (_, n) => access.verify('u', `guess ${n}`));
    // One that is known to be right is not in the line.
    expect(await Promise.race([access.verify('u', 'secret'), ...checks.slice(0, 1_024)])).toBe(true);
    const ends = await Promise.allSettled(checks);
    const refused = ends.filter((end) => end.status === 'rejected');
    expect(refused.length).toBe(76);
    expect(refused[0]).toMatchObject({ reason: { code: 'overloaded' } });
    expect(ends.every((end) => end.status === 'rejected' || !end.value)).toBe(true);
    expect(await access.verify('u', 'later')).toBe(false);
  });

  it('never verify against a credential that cannot be read', async () => {
    const access = new Access();
    const row = await Access.makeCredential('u', 'secret', SALT);
    access.putCredential({ ...row, value: { ...row.value, iterations: 1 } });
    expect(await access.verify('u', 'secret')).toBe(false);
    access.putCredential({ ...row, kind: 'other' });
    expect([access.secured, await access.verify('u', 'secret')]).toEqual([true, false]);
  });
});

describe('rules', () => {
  it('hold once a user exists', () => {
    const access = new Access();
    access.putRule(rule({ allow: false }));
    expect([access.secured, refusal(access, 'publish', 'topic', '', 'orders')]).toEqual([false, 'allowed']);
    access.putCredential(plain('someone'));
    expect(access.secured).toBe(true);
    expect(refusal(access, 'publish', 'topic', '', 'orders')).not.toBe('allowed');
    access.deleteUser('someone');
    expect(refusal(access, 'publish', 'topic', '', 'orders')).toBe('allowed');
  });

  it('say what is missing, in the words of the rule that would allow it', () => {
    const access = secured();
    const message = refusal(access, 'publish', 'topic', 'team', 'orders');
    expect(message).toContain('User "u" may not publish topic "orders" in namespace "team": no rule allows it.');
    const missing = JSON.parse(/\{.*\}/.exec(message)![0]) as AccessRule;
    access.putRule({ ...missing, id: 'as told' });
    expect(refusal(access, 'publish', 'topic', 'team', 'orders')).toBe('allowed');
    expect(refusal(access, 'publish', 'topic', 'other', 'orders')).not.toBe('allowed');
    expect(refusal(access, 'consume', 'topic', 'team', 'orders')).not.toBe('allowed');
    expect(refusal(access, 'publish', 'topic', 'team', 'orders2')).not.toBe('allowed');
  });

  it('that deny win, and are named', () => {
    const access = secured(rule({ id: 'all' }), rule({ id: 'not the books', allow: false, pattern: 'books.*' }));
    expect(refusal(access, 'delete', 'topic', '', 'book')).toBe('allowed');
    expect(refusal(access, 'delete', 'topic', '', 'books.2026')).toContain('the rule "not the books" denies it');
    access.deleteRule('not the books');
    expect(refusal(access, 'delete', 'topic', '', 'books.2026')).toBe('allowed');
  });

  it('are replaced by id, also when they come to be about another user', () => {
    const access = secured(rule({ id: 'one' }));
    access.putRule(rule({ id: 'one', user: 'v' }));
    expect(refusal(access, 'consume', 'topic', '', 't')).not.toBe('allowed');
    expect(access.allows(as('v'), 'consume', 'topic', '', 't')).toBe(true);
    expect(access.rules().map(({ id, user }) => id + user)).toEqual(['onev']);
  });

  it('go with their user', () => {
    const access = secured(rule({ id: 'one' }), rule({ id: 'two', user: 'v' }));
    access.putCredential(plain('v'));
    access.deleteUser('u');
    expect(refusal(access, 'consume', 'topic', '', 't')).not.toBe('allowed');
    access.putCredential(plain('u'));
    expect(refusal(access, 'consume', 'topic', '', 't')).not.toBe('allowed');
    expect(access.rules().map(({ id }) => id)).toEqual(['two']);
    expect(access.users()).toEqual([{ name: 'u' }, { name: 'v' }]);
  });

  it('mean what their definition says, however many there are', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 4 });
    const rules = fc.array(
      fc.record({
        allow: fc.boolean(),
        actions: fc.subarray([...ACTIONS], { minLength: 1 }),
        resource: fc.constantFrom(...RESOURCES),
        namespace: fc.constantFrom('', 'n', '*'),
        pattern: fc.oneof(
          name,
          name.map((text) => `${text}*`),
        ),
        user: fc.constantFrom('u', 'v'),
      }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(rules, fc.array(name), (fields, names) => {
        const list = fields.map((one, n) => ({ ...one, id: String(n) }));
        const access = secured(...list);
        const copy = new Access();
        for (const event of access.events()) applyTo(copy, decodeEvent(encodeEvent(event)));
        for (const topic of names) {
          for (const action of ACTIONS) {
            for (const resource of RESOURCES) {
              for (const namespace of ['', 'n', 'm']) {
                const about = list.filter(
                  (one) => one.user === 'u' && matches(one, action, resource, namespace, topic),
                );
                const expected = about.some((one) => one.allow) && about.every((one) => one.allow);
                expect(access.allows(as('u'), action, resource, namespace, topic)).toBe(expected);
                expect(copy.allows(as('u'), action, resource, namespace, topic)).toBe(expected);
              }
            }
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('find the prefix of a name among others that begin alike', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 4 });
    fc.assert(
      fc.property(fc.array(name), fc.array(name), (prefixes, names) => {
        const access = secured(...prefixes.map((prefix) => rule({ id: prefix, pattern: `${prefix}*` })));
        for (const one of names)
          expect(access.allows(as('u'), 'publish', 'topic', '', one)).toBe(prefixes.some((p) => one.startsWith(p)));
      }),
      { numRuns: 300 },
    );
  });

  it('match exact names and prefixes, in their namespace or in all', () => {
    const question = ['publish', 'topic', 'n', 'orders.eu'] as const;
    const cases: [Partial<AccessRule>, boolean][] = [
      [{ namespace: 'n', pattern: 'orders.eu' }, true],
      [{ namespace: 'n', pattern: 'orders.*' }, true],
      [{ namespace: 'n', pattern: '*' }, true],
      [{ namespace: '*', pattern: 'orders.eu*' }, true],
      [{ namespace: 'n', pattern: 'orders' }, false],
      [{ namespace: 'n', pattern: 'orders.eu.*' }, false],
      [{ namespace: '', pattern: '*' }, false],
      [{ namespace: 'n', pattern: '*', resource: 'group' }, false],
      [{ namespace: 'n', pattern: '*', actions: ['consume'] }, false],
    ];
    for (const [fields, expected] of cases) expect(matches(rule(fields), ...question)).toBe(expected);
    expect(matches(rule({ resource: 'cluster', namespace: 'x' }), 'update', 'cluster', '', 'any')).toBe(true);
  });
});

function applyTo(access: Access, event: StateEvent): void {
  if (event.k === 'credential') access.putCredential(event.row);
  else if (event.k === 'rule') access.putRule(event.row);
  else expect.unreachable(event.k);
}

describe('keys that clients made', () => {
  it('let in who knows the password, per mechanism, and go one by one', async () => {
    const access = new Access();
    const keys = await scramKeys('scram-sha-512', 'secret', SALT, 4_096);
    access.putCredential(Access.scramCredential('alice', keys));
    expect(access.scram('alice', 'scram-sha-512')).toEqual(keys);
    expect(access.scram('alice', 'scram-sha-256')).toBeNull();
    expect(await access.verify('alice', 'secret')).toBe(true);
    expect(await access.verify('alice', 'guess')).toBe(false);
    access.putCredential(await Access.makeCredential('alice', 'other', SALT));
    // A password that is sent as it is belongs to the first mechanism.
    expect(await access.verify('alice', 'secret')).toBe(false);
    expect(await access.verify('alice', 'other')).toBe(true);
    access.deleteCredential('alice', 'scram-sha-256');
    expect(await access.verify('alice', 'other')).toBe(false);
    expect(await access.verify('alice', 'secret')).toBe(true);
    access.deleteCredential('alice', 'scram-sha-512');
    expect(access.secured).toBe(false);
    expect(() => Access.scramCredential('alice', { ...keys, iterations: 10 })).toThrow('no keys of scram-sha-512');
  });
});
