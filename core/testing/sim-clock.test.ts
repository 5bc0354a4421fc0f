// The simulated clock against a list that is sorted each time.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimClock } from './sim-clock.ts';

describe('timers', () => {
  it('fire in order, each at its own time', () => {
    const clock = new SimClock(1_000);
    const fired: string[] = [];
    const note = (name: unknown): void => void fired.push(`${name}@${clock.nowMs()}`);
    clock.setTimer(30, note, 'c');
    clock.setTimer(10, note, 'a');
    clock.setTimer(10, note, 'b');
    clock.clearTimer(clock.setTimer(20, note, 'cleared'));
    clock.advance(29);
    expect(fired).toEqual(['a@1010', 'b@1010']);
    clock.advance(1);
    expect(fired).toEqual(['a@1010', 'b@1010', 'c@1030']);
    expect([clock.nowMs(), clock.timers, clock.nextTimerMs()]).toEqual([1_030, 0, null]);
  });

  it('that a timer sets fire within the same advance when they come due in it', () => {
    const clock = new SimClock(0);
    const at: number[] = [];
    const again = (): void => {
      at.push(clock.nowMs());
      clock.setTimer(7, again);
    };
    clock.setTimer(7, again);
    clock.advance(30);
    expect(at).toEqual([7, 14, 21, 28]);
  });

  it('agree with a sorted list, whatever is set and cleared', () => {
    const move = fc.oneof(
      fc.record({ do: fc.constant('set' as const), value: fc.integer({ min: -5, max: 60 }) }),
      fc.record({ do: fc.constant('clear' as const), value: fc.nat(200) }),
      fc.record({ do: fc.constant('advance' as const), value: fc.nat(40) }),
    );
    fc.assert(
      fc.property(fc.array(move, { maxLength: 200 }), (moves) => {
        const clock = new SimClock(0);
        const handles: number[] = [];
        let fired: number[] = [];
        let model: { id: number; at: number }[] = [];
        for (const step of moves) {
          if (step.do === 'set') {
            const id = handles.length;
            handles.push(clock.setTimer(step.value, (argument) => fired.push(argument as number), id));
            model.push({ id, at: clock.nowMs() + Math.max(0, step.value) });
          } else if (step.do === 'clear') {
            const id = step.value % Math.max(1, handles.length);
            clock.clearTimer(handles[id] ?? -1);
            model = model.filter((timer) => timer.id !== id);
          } else {
            const end = clock.nowMs() + step.value;
            const due = model.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at || a.id - b.id);
            model = model.filter((timer) => timer.at > end);
            fired = [];
            clock.advance(step.value);
            expect(fired).toEqual(due.map((timer) => timer.id));
            expect(clock.nowMs()).toBe(end);
          }
          expect(clock.timers).toBe(model.length);
        }
      }),
    );
  });
});

describe('turns', () => {
  it('run what was queued before them, in order; what that queues comes one turn later', () => {
    const clock = new SimClock();
    const ran: string[] = [];
    clock.afterTurn(() => {
      ran.push('a');
      clock.afterTurn(() => ran.push('later'));
    });
    clock.afterTurn(() => ran.push('b'));
    expect(clock.step()).toBe(true);
    expect(ran).toEqual(['a', 'b']);
    clock.runTurn();
    expect(ran).toEqual(['a', 'b', 'later']);
    expect([clock.turns, clock.step()]).toEqual([2, false]);
  });

  it('come before time passes, and between timers', () => {
    const clock = new SimClock(0);
    const ran: string[] = [];
    clock.afterTurn(() => ran.push(`turn@${clock.nowMs()}`));
    clock.setTimer(1, () => clock.afterTurn(() => ran.push(`of the timer@${clock.nowMs()}`)));
    clock.setTimer(1, () => ran.push(`second@${clock.nowMs()}`));
    clock.advance(5);
    expect(ran).toEqual(['turn@0', 'of the timer@1', 'second@1']);
  });

  it('that never end are told', () => {
    const clock = new SimClock();
    const again = (): void => clock.afterTurn(again);
    again();
    expect(() => clock.runTurn(50)).toThrow('after 50 turns');
    clock.forget();
    const timer = (): void => void clock.setTimer(0, timer);
    timer();
    expect(() => clock.advance(1)).toThrow('for ever');
  });

  it('go on behind a callback that threw', () => {
    const clock = new SimClock();
    let ran = 0;
    clock.afterTurn(() => {
      throw new Error('first');
    });
    clock.afterTurn(() => ran++);
    expect(() => clock.runTurn()).toThrow('first');
    clock.runTurn();
    expect(ran).toBe(1);
  });

  it('and timers are forgotten with the process', () => {
    const clock = new SimClock(0);
    const never = (): void => expect.unreachable();
    clock.afterTurn(never);
    clock.setTimer(1, never);
    clock.forget();
    clock.advance(10);
    expect([clock.nowMs(), clock.timers, clock.queued]).toEqual([10, 0, 0]);
  });
});
