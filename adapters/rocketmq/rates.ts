// How fast messages come and go, for administrators: counters of some moments of the past beside those of now.
//
// Invariants: no timer: a sample is taken when bytes arrive and the last one is old enough; samples are bounded.

import type { TimeMs } from '../../core/types.ts';

const STEP_MS = 10_000;
/** Ten minutes, which is the longest span that is asked for. */
const SAMPLES_MAX = 61;

export interface Rated {
  messagesIn: number;
  messagesOut: number;
  pulls: number;
  pullsEmpty: number;
}

interface Sample extends Rated {
  readonly atMs: TimeMs;
}

export class Rates {
  readonly #now: Readonly<Rated>;
  readonly #samples: Sample[];
  #nextMs: TimeMs;

  constructor(now: Readonly<Rated>, bootMs: TimeMs) {
    this.#now = now;
    this.#samples = [{ atMs: bootMs, messagesIn: 0, messagesOut: 0, pulls: 0, pullsEmpty: 0 }];
    this.#nextMs = bootMs + STEP_MS;
  }

  /** Called with every chunk that arrives. */
  seen(nowMs: TimeMs): void {
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + STEP_MS;
    const { messagesIn, messagesOut, pulls, pullsEmpty } = this.#now;
    this.#samples.push({ atMs: nowMs, messagesIn, messagesOut, pulls, pullsEmpty });
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
  }

  /** Per second over the last ten seconds, minute and ten minutes, as brokers of the protocol print them. */
  triple(of: keyof Rated, nowMs: TimeMs): string {
    return [10_000, 60_000, 600_000].map((spanMs) => String(this.perSecond(of, spanMs, nowMs))).join(' ');
  }

  perSecond(of: keyof Rated, spanMs: number, nowMs: TimeMs): number {
    // The oldest sample within the span, or the newest there is: a step may be longer than the span.
    const last = this.#samples.length - 1;
    let at = last;
    while (at > 0 && this.#samples[at - 1]!.atMs >= nowMs - spanMs) at--;
    const sample = this.#samples[at]!;
    const seconds = (nowMs - sample.atMs) / 1000;
    return seconds <= 0 ? 0 : (this.#now[of] - sample[of]) / seconds;
  }
}
