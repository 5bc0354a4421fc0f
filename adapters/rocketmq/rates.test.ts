import { describe, expect, it } from 'vitest';
import { Meter, Rates } from './rates.ts';

describe('rates', () => {
  it('remember the totals of the last two midnights', () => {
    const counts = { messagesIn: 0, messagesOut: 0, pulls: 0, pullsEmpty: 0 };
    const at = (day: number, hour: number): number => new Date(2026, 5, day, hour).getTime();
    const rates = new Rates(counts, at(1, 12));
    const atTime = (day: number, hour: number, messagesIn: number): [number, number] => {
      counts.messagesIn = messagesIn;
      rates.seen(at(day, hour));
      return [rates.mornings.today.messagesIn, rates.mornings.yesterday.messagesIn];
    };
    expect(atTime(1, 23, 10)).toEqual([0, 0]);
    expect(atTime(2, 1, 30)).toEqual([30, 0]);
    expect(atTime(2, 23, 70)).toEqual([30, 0]);
    expect(atTime(3, 0, 75)).toEqual([75, 30]);
    // A whole day in which nothing came: yesterday had nothing.
    expect(atTime(5, 9, 80)).toEqual([80, 80]);
  });

  it('are messages per second of the last ten seconds, and fade within as many', () => {
    const meter = new Meter();
    expect(meter.perSecond(1_000_000)).toBe(0);
    for (let ms = 0; ms < 10_000; ms += 100) meter.add(5, 1_000_000 + ms);
    expect(meter.perSecond(1_009_999)).toBeCloseTo(50, 0);
    expect(meter.perSecond(1_015_000)).toBeCloseTo(25, 0);
    expect(meter.perSecond(1_020_000)).toBe(0);
    meter.add(20, 1_500_000);
    expect(meter.perSecond(1_500_000)).toBe(2);
  });
});
