// Broker time and timers, on time sources that the test moves.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BrokerClock } from './broker-clock.ts';
import { Timers } from './timers.ts';

function movable(wallMs = 1_700_000_000_000) {
  const now = { wall: wallMs, monotonic: 5_000 };
  const sources = { wallMs: () => now.wall, monotonicMs: () => now.monotonic };
  return {
    now,
    clock: new BrokerClock(sources),
    pass: (ms: number): void => {
      now.wall += ms;
      now.monotonic += ms;
    },
  };
}

describe('broker time', () => {
  it('begins at wall time and keeps with it', () => {
    const { clock, now, pass } = movable();
    expect(clock.nowMs()).toBe(now.wall);
    for (let i = 0; i < 1_000; i++) {
      pass(997);
      expect(Math.abs(clock.nowMs() - now.wall)).toBeLessThanOrEqual(1);
    }
  });

  it('goes on from where an earlier run was, though the wall clock was set back', () => {
    const { clock, now, pass } = movable();
    const start = now.wall;
    clock.notBefore(start - 1);
    expect(clock.nowMs()).toBe(start);
    clock.notBefore(start + 3_600_000);
    expect(clock.nowMs()).toBe(start + 3_600_000);
    for (let second = 0; second < 60; second++) pass(1_000);
    expect(clock.nowMs() - start - 3_600_000).toBeGreaterThan(59_900);
  });

  it('works a small step off slowly', () => {
    const { clock, now, pass } = movable();
    now.wall += 100;
    const differences: number[] = [];
    for (let second = 0; second < 600; second++) {
      pass(1_000);
      clock.nowMs();
      differences.push(clock.differenceMs());
    }
    expect(differences[10]).toBeGreaterThan(90);
    expect(differences.at(-1)).toBeLessThan(2);
  });

  it('never falls and never gains on monotonic time by more than the slew rate, however the wall jumps', () => {
    const HOUR = 3_600_000;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: -5 * 365 * 24 * HOUR, max: HOUR }))),
        (moves) => {
          const { clock, now } = movable();
          const start = clock.nowMs();
          const startMonotonic = now.monotonic;
          let last = start;
          for (const [passed, step] of moves) {
            now.monotonic += passed;
            now.wall += passed + step;
            const time = clock.nowMs();
            expect(time).toBeGreaterThanOrEqual(last);
            expect(Number.isSafeInteger(time)).toBe(true);
            last = time;
          }
          const elapsed = now.monotonic - startMonotonic;
          expect(Math.abs(last - start - elapsed)).toBeLessThanOrEqual(elapsed * 0.0005 + 2);
        },
      ),
    );
  });

  it('does not run on with an old rate when nobody has asked for long', () => {
    const { clock, now, pass } = movable();
    now.wall += 1_000;
    pass(1_000);
    clock.nowMs();
    pass(86_400_000);
    expect(clock.differenceMs()).toBeGreaterThan(980);
  });
});

describe('timers', () => {
  it('agree with a list that is sorted each time', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('set' as const), delay: fc.integer({ min: 0, max: 100 }) }),
      fc.record({ do: fc.constant('clear' as const), which: fc.nat(500) }),
      fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 40 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        let now = 0;
        const timers = new Timers(() => now);
        const fired: number[] = [];
        const handles: number[] = [];
        let model: { id: number; at: number }[] = [];
        for (const move of steps) {
          if (move.do === 'set') {
            const id = handles.length;
            handles.push(timers.set(move.delay, (argument) => fired.push(argument as number), id));
            model.push({ id, at: now + move.delay });
          } else if (move.do === 'clear' && handles.length > 0) {
            const id = move.which % handles.length;
            timers.clear(handles[id]!);
            model = model.filter((timer) => timer.id !== id);
          } else if (move.do === 'pass') {
            now += move.ms;
            const due = model.filter((timer) => timer.at <= now).sort((a, b) => a.at - b.at || a.id - b.id);
            model = model.filter((timer) => timer.at > now);
            fired.length = 0;
            timers.run();
            expect(fired).toEqual(due.map((timer) => timer.id));
          }
          expect(timers.size).toBe(model.length);
        }
        for (const handle of handles) timers.clear(handle);
        expect(timers.size).toBe(0);
      }),
    );
  });

  it('a handle past its time clears nothing that came after it in its place', () => {
    let now = 0;
    const timers = new Timers(() => now);
    let calls = 0;
    const old = timers.set(1, () => calls++, null);
    now = 2;
    timers.run();
    timers.set(1, () => calls++, null);
    timers.clear(old);
    now = 4;
    timers.run();
    expect(calls).toBe(2);
  });

  it('a callback that sets a timer of 0 does not hold the loop', () => {
    let now = 0;
    const timers = new Timers(() => now);
    let calls = 0;
    const again = (): void => {
      calls++;
      timers.set(0, again, null);
    };
    timers.set(0, again, null);
    now = 1;
    timers.run();
    expect(calls).toBe(1);
  });

  it('grow, and fire by the system clock, never early', async () => {
    const timers = new Timers(() => performance.now());
    let fired = 0;
    let early = 0;
    await new Promise<void>((resolve) => {
      // The timers are unreferenced: something has to hold the process meanwhile.
      const hold = setInterval(() => undefined, 10_000);
      for (let i = 0; i < 5_000; i++) {
        const due = performance.now() + (i % 50);
        timers.set(
          i % 50,
          () => {
            if (performance.now() < due) early++;
            if (++fired < 5_000) return;
            clearInterval(hold);
            resolve();
          },
          null,
        );
      }
    });
    expect([fired, early, timers.size]).toEqual([5_000, 0, 0]);
  });
});
