// Which quota applies to whom, and how long a client over it has to be quiet.
import { describe, expect, it } from 'vitest';
import type { Verbs } from '../../core/verbs.ts';
import { Quotas } from './quotas.ts';

/** The core's settings alone. */
function fixture() {
  const kept = new Map<string, string>();
  const broker = {
    settings: () => kept,
    putSetting: async (_who: unknown, _scope: string, key: string, value: string | null) => {
      if (value === null) kept.delete(key);
      else kept.set(key, value);
    },
  } as unknown as Verbs;
  const quotas = new Quotas(broker);
  const set = (parts: Record<string, string | null>, rate: number | null) =>
    quotas.alter({ name: 'x', host: '' }, new Map(Object.entries(parts)), new Map([['producer_byte_rate', rate]]));
  return { broker, quotas, set };
}

describe('a quota', () => {
  it('is the most specific one, in the order of Kafka', async () => {
    const { quotas, set } = fixture();
    // A second of bytes at once is free; what is over it is owed at the rate.
    let now = 1_000_000;
    const rateOf = (user: string, clientId: string): number => {
      now += 100_000;
      const ms = quotas.throttleMs('producer_byte_rate', user, clientId, 1_000_000, now);
      // Milliseconds are rounded.
      return ms === 0 ? 0 : Math.round(1_000_000 / (ms + 1_000)) * 1_000;
    };
    expect(rateOf('ann', 'app')).toBe(0);
    const steps: [Record<string, string | null>, number][] = [
      [{ 'client-id': null }, 100_000],
      [{ 'client-id': 'app' }, 110_000],
      [{ user: null }, 120_000],
      [{ user: null, 'client-id': null }, 130_000],
      [{ user: null, 'client-id': 'app' }, 140_000],
      [{ user: 'ann' }, 150_000],
      [{ user: 'ann', 'client-id': null }, 160_000],
      [{ user: 'ann', 'client-id': 'app' }, 170_000],
    ];
    for (const [entity, rate] of steps) {
      await set(entity, rate);
      expect([entity, rateOf('ann', 'app')]).toEqual([entity, rate]);
    }
    expect(rateOf('bob', 'other')).toBe(130_000);
    for (const [entity] of steps) await set(entity, null);
    expect(rateOf('ann', 'app')).toBe(0);
  });

  it('of a default entry counts for each by himself, of a user for all his clients together', async () => {
    const { quotas, set } = fixture();
    await set({ user: null }, 1_000);
    const throttle = (user: string, client: string) =>
      quotas.throttleMs('producer_byte_rate', user, client, 1_000, 5_000_000);
    expect([throttle('ann', 'a'), throttle('bob', 'a'), throttle('ann', 'b')]).toEqual([0, 0, 1_000]);
    expect(throttle('ann', 'c')).toBe(2_000);
    // The other direction has none.
    expect(quotas.throttleMs('consumer_byte_rate', 'ann', 'a', 1_000_000, 5_000_000)).toBe(0);
  });

  it('holds nobody up for longer than the limit, and owes nothing beyond it', async () => {
    const { quotas, set } = fixture();
    await set({ 'client-id': 'c' }, 1);
    expect(quotas.throttleMs('producer_byte_rate', 'u', 'c', 1_000_000, 1_000_000)).toBe(30_000);
    expect(quotas.throttleMs('producer_byte_rate', 'u', 'c', 1, 1_030_000)).toBe(1_000);
  });

  it('is there again after a start', async () => {
    const { broker, set } = fixture();
    await set({ user: 'ann' }, 1_000);
    const again = new Quotas(broker);
    expect([...again.all()].map(({ values }) => [...values])).toEqual([[['producer_byte_rate', 1_000]]]);
    expect(again.throttleMs('producer_byte_rate', 'ann', '', 2_000, 1_000_000)).toBe(1_000);
  });
});
