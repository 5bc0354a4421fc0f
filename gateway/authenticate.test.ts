// Who is let in, and how long those wait who keep guessing.
import { expect, it } from 'vitest';
import { BrokerError } from '../core/errors.ts';
import { Authenticator } from './authenticate.ts';
import { StubBroker } from './testing/stub-broker.ts';

/** Every wait is over at once, and is written down. */
function fixture() {
  const broker = new StubBroker();
  broker.passwords.set('ann', 'right');
  broker.passwords.set('bob', 'right');
  const time = { ms: 1_000 };
  const waits: number[] = [];
  const setTimer = (delayMs: number, callback: (argument: unknown) => void): number => {
    waits.push(delayMs);
    setImmediate(callback, null);
    return 0;
  };
  return { broker, time, waits, authenticator: new Authenticator(broker, { nowMs: () => time.ms, setTimer }) };
}

it('lets everybody in as anonymous while no user exists', async () => {
  const { broker, authenticator } = fixture();
  broker.passwords.clear();
  expect(authenticator.isOpen).toBe(true);
  expect(await authenticator.authenticate('guest', 'guest', 'h')).toEqual({ name: 'anonymous', host: 'h' });
  expect(broker.checks).toBe(0);
});

it('lets in whom the core knows, and nobody else', async () => {
  const { authenticator, waits } = fixture();
  expect(authenticator.isOpen).toBe(false);
  expect(await authenticator.authenticate('ann', 'right', 'h')).toEqual({ name: 'ann', host: 'h' });
  expect(waits).toEqual([]);
  expect(await authenticator.authenticate('ann', 'wrong', 'h')).toBeNull();
  expect(await authenticator.authenticate('guest', 'guest', 'h')).toBeNull();
  expect(waits).toEqual([100, 100]);
});

it('answers a wrong login later each time, and a right one at once, whatever its neighbours do', async () => {
  const { time, waits, authenticator } = fixture();
  for (let i = 0; i < 100; i++) expect(await authenticator.authenticate('ann', `guess${i}`, 'nat')).toBeNull();
  expect(waits.slice(0, 8)).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  expect(new Set(waits.slice(8))).toEqual(new Set([5_000]));
  waits.length = 0;
  // The same name and another one from the same address, and the same name from another address.
  expect(await authenticator.authenticate('bob', 'right', 'nat')).toEqual({ name: 'bob', host: 'nat' });
  expect(await authenticator.authenticate('ann', 'right', 'good')).toEqual({ name: 'ann', host: 'good' });
  expect(waits).toEqual([]);
  await authenticator.authenticate('bob', 'typo', 'nat');
  await authenticator.authenticate('ann', 'typo', 'good');
  await authenticator.authenticate('ann', 'typo', 'nat');
  expect(waits).toEqual([100, 100, 5_000]);
  expect(await authenticator.authenticate('ann', 'right', 'nat')).toEqual({ name: 'ann', host: 'nat' });
  expect(waits).toHaveLength(3);
  // A right one ends the row, and so does a minute without a wrong one.
  await authenticator.authenticate('ann', 'typo', 'nat');
  await authenticator.authenticate('ann', 'typo', 'nat');
  time.ms += 60_001;
  await authenticator.authenticate('ann', 'typo', 'nat');
  expect(waits.slice(3)).toEqual([100, 200, 100]);
});

it('keeps the answer back until the wait is over, of guesses made side by side as well', async () => {
  const broker = new StubBroker();
  broker.passwords.set('ann', 'right');
  const waiting: { delayMs: number; over: (argument: unknown) => void }[] = [];
  const setTimer = (delayMs: number, over: (argument: unknown) => void): number => waiting.push({ delayMs, over });
  const authenticator = new Authenticator(broker, { nowMs: () => 1, setTimer });
  const answered: number[] = [];
  const guesses = [0, 1, 2].map(async (n) => {
    await authenticator.authenticate('ann', `guess${n}`, 'h');
    answered.push(n);
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(waiting.map(({ delayMs }) => delayMs)).toEqual([100, 200, 400]);
  expect(answered).toEqual([]);
  for (const { over } of waiting) over(null);
  await Promise.all(guesses);
  expect(answered).toEqual([0, 1, 2]);
});

it('remembers a bounded number of addresses', async () => {
  const { waits, authenticator } = fixture();
  for (let i = 0; i < 5; i++) await authenticator.authenticate('ann', 'x', 'first');
  for (let i = 0; i < 4_095; i++) await authenticator.authenticate('ann', 'x', `h${i}`);
  await authenticator.authenticate('ann', 'x', 'first');
  expect(waits.at(-1)).toBe(3_200);
  for (let i = 0; i < 4_096; i++) await authenticator.authenticate(`n${i}`, 'x', 'h');
  await authenticator.authenticate('ann', 'x', 'first');
  expect(waits.at(-1)).toBe(100);
});

it('refuses when the core is busy, and passes on what is no refusal', async () => {
  const { broker, waits, authenticator } = fixture();
  broker.authenticate = () => Promise.reject(new BrokerError('overloaded', 'busy'));
  expect(await authenticator.authenticate('ann', 'right', 'h')).toBeNull();
  expect(await authenticator.authenticate('ann', 'right', 'h')).toBeNull();
  expect(waits).toEqual([100, 100]);
  broker.authenticate = () => Promise.reject(new Error('bug'));
  await expect(authenticator.authenticate('ann', 'right', 'h')).rejects.toThrow('bug');
});

it('counts checks of another kind like passwords', async () => {
  const { waits, authenticator } = fixture();
  const attempt = (isRight: boolean) =>
    authenticator.attempt('evil', 'ann', () => Promise.resolve(isRight ? { name: 'ann', host: 'evil' } : null));
  expect(await attempt(false)).toBeNull();
  expect(await authenticator.authenticate('ann', 'wrong', 'evil')).toBeNull();
  expect(await attempt(false)).toBeNull();
  expect(waits).toEqual([100, 200, 400]);
  expect(await attempt(true)).toEqual({ name: 'ann', host: 'evil' });
  expect(await attempt(false)).toBeNull();
  expect(waits.at(-1)).toBe(100);
});
