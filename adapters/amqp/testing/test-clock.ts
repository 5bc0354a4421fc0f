/** The simulated clock, but the ends of turns are real ones: streams need them. Timers come due when a test lets time pass. */

import { SimClock } from '../../../core/testing/sim-clock.ts';

export class TestClock extends SimClock {
  override afterTurn(callback: () => void): void {
    setImmediate(callback);
  }

  /** Lets time pass in steps, with some real turns after each, so that what a timer starts is done before the next. */
  async pass(ms: number, stepMs = 100): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.advance(Math.min(stepMs, left));
      await turns(3);
    }
  }
}

/** Some turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
