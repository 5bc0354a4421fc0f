// Who is let in, and the pause for addresses that keep guessing.
import { expect, it } from 'vitest';
import { BrokerError } from '../core/errors.ts';
import { Authenticator } from './authenticate.ts';
import { StubBroker } from './testing/stub-broker.ts';

function fixture() {
  const broker = new StubBroker();
  broker.passwords.set('ann', 'right');
  const time = { ms: 1_000 };
  return { broker, time, authenticator: new Authenticator(broker, { nowMs: () => time.ms }) };
}

it('lets everybody in as anonymous while no user exists', async () => {
  const { broker, authenticator } = fixture();
  broker.passwords.clear();
  expect(authenticator.isOpen).toBe(true);
  expect(await authenticator.authenticate('guest', 'guest', 'h')).toEqual({ name: 'anonymous', host: 'h' });
  expect(broker.checks).toBe(0);
});

it('lets in whom the core knows, and nobody else', async () => {
  const { authenticator } = fixture();
  expect(authenticator.isOpen).toBe(false);
  expect(await authenticator.authenticate('ann', 'right', 'h')).toEqual({ name: 'ann', host: 'h' });
  expect(await authenticator.authenticate('ann', 'wrong', 'h')).toBeNull();
  expect(await authenticator.authenticate('guest', 'guest', 'h')).toBeNull();
});

it('makes an address that keeps guessing wait, and no other', async () => {
  const { broker, time, authenticator } = fixture();
  for (let i = 0; i < 100; i++) await authenticator.authenticate('ann', `guess${i}`, 'evil');
  expect(broker.checks).toBe(5);
  expect(await authenticator.authenticate('ann', 'right', 'evil')).toBeNull();
  expect(await authenticator.authenticate('ann', 'right', 'good')).not.toBeNull();
  time.ms += 30_001;
  broker.checks = 0;
  for (let i = 0; i < 100; i++) await authenticator.authenticate('ann', `more${i}`, 'evil');
  expect(broker.checks).toBe(1);
  time.ms += 30_001;
  expect(await authenticator.authenticate('ann', 'right', 'evil')).not.toBeNull();
  expect(await authenticator.authenticate('ann', 'typo', 'evil')).toBeNull();
  expect(await authenticator.authenticate('ann', 'right', 'evil')).not.toBeNull();
});

it('remembers a bounded number of addresses', async () => {
  const { broker, authenticator } = fixture();
  for (let i = 0; i < 5; i++) await authenticator.authenticate('ann', 'x', 'first');
  for (let i = 0; i < 4_096; i++) await authenticator.authenticate('ann', 'x', `h${i}`);
  broker.checks = 0;
  await authenticator.authenticate('ann', 'x', 'first');
  expect(broker.checks).toBe(1);
});

it('refuses when the core is busy, and passes on what is no refusal', async () => {
  const { broker, authenticator } = fixture();
  broker.authenticate = () => Promise.reject(new BrokerError('overloaded', 'busy'));
  expect(await authenticator.authenticate('ann', 'right', 'h')).toBeNull();
  broker.authenticate = () => Promise.reject(new Error('bug'));
  await expect(authenticator.authenticate('ann', 'right', 'h')).rejects.toThrow('bug');
});

it('counts checks of another kind like passwords', async () => {
  const { authenticator } = fixture();
  let checks = 0;
  const attempt = (isRight: boolean) =>
    authenticator.attempt('evil', async () => {
      checks++;
      return isRight ? { name: 'ann', host: 'evil' } : null;
    });
  for (let i = 0; i < 100; i++) expect(await attempt(false)).toBeNull();
  expect(checks).toBe(5);
  expect(await attempt(true)).toBeNull();
  expect(await authenticator.authenticate('ann', 'right', 'evil')).toBeNull();
  expect(await authenticator.authenticate('ann', 'right', 'good')).not.toBeNull();
});
