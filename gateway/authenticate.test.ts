// The cache, the bound and the pause in front of the core's check of passwords.
import { expect, it } from 'vitest';
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

it('checks a right pair once a minute, a wrong one each time', async () => {
  const { broker, time, authenticator } = fixture();
  for (let i = 0; i < 10; i++) {
    expect(await authenticator.authenticate('ann', 'right', `h${i}`)).toEqual({ name: 'ann', host: `h${i}` });
  }
  expect(broker.checks).toBe(1);
  time.ms += 60_001;
  await authenticator.authenticate('ann', 'right', 'h');
  expect(broker.checks).toBe(2);
  await authenticator.authenticate('ann', 'wrong', 'h');
  await authenticator.authenticate('ann', 'wrong', 'h');
  expect(broker.checks).toBe(4);
});

it('does not take one pair for another that reads the same when joined', async () => {
  const { authenticator } = fixture();
  await authenticator.authenticate('ann', 'right', 'h');
  expect(await authenticator.authenticate('annr', 'ight', 'h')).toBeNull();
});

it('forgets when the users change, also what was being checked meanwhile', async () => {
  const { broker, authenticator } = fixture();
  await authenticator.authenticate('ann', 'right', 'h');
  broker.passwords.set('ann', 'other');
  authenticator.forget();
  expect(await authenticator.authenticate('ann', 'right', 'h')).toBeNull();

  const underWay = authenticator.authenticate('ann', 'other', 'h');
  authenticator.forget();
  await underWay;
  const before = broker.checks;
  await authenticator.authenticate('ann', 'other', 'h');
  expect(broker.checks).toBe(before + 1);
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
});

it('hands no more than 64 checks to the core at once', async () => {
  const { broker, authenticator } = fixture();
  let release: (value: null) => void = () => undefined;
  const gate = new Promise<null>((resolve) => (release = resolve));
  broker.authenticate = () => {
    broker.checks++;
    return gate;
  };
  const all = Array.from({ length: 200 }, (_, i) => authenticator.authenticate('ann', 'x', `h${i}`));
  release(null);
  await Promise.all(all);
  expect(broker.checks).toBe(64);
});
