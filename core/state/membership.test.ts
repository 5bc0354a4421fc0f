import { expect, it } from 'vitest';
import { SimBroker, TESTER } from '../testing/sim-broker.ts';

it('a group is locked while somebody holds one of its queues', async () => {
  const s = await SimBroker.open();
  const topic = await s.topic('orders');
  const group = s.broker.ensureGroup(TESTER, 'default', 'g');
  const other = s.broker.ensureGroup(TESTER, 'default', 'other');
  const queue = topic.queues[0]!;
  expect(s.broker.locked(group)).toBe(false);
  expect(s.broker.lockQueue(group, queue, 'a', 1000)).toBe(true);
  expect(s.broker.lockQueue(group, queue, 'b', 1000)).toBe(false);
  expect([s.broker.locked(group), s.broker.locked(other)]).toEqual([true, false]);
  s.clock.advance(1001);
  expect(s.broker.locked(group)).toBe(false);
  expect(s.broker.lockQueue(group, queue, 'b', 1000)).toBe(true);
  s.broker.unlockQueue(group, queue, 'a');
  expect(s.broker.locked(group)).toBe(true);
  s.broker.unlockQueue(group, queue, 'b');
  expect(s.broker.locked(group)).toBe(false);
});
