// How fast messages come and go, for administrators: counters of some moments of the past beside those of now.
//
// Invariants: no timer: a sample is taken when bytes arrive and the last one is old enough; samples are bounded. Days end
// at the machine's midnight, as in brokers of the protocol.

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

/** Totals when today began, and when yesterday did. */
interface Mornings {
  readonly today: Readonly<Rated>;
  readonly yesterday: Readonly<Rated>;
}

const NOTHING: Readonly<Rated> = { messagesIn: 0, messagesOut: 0, pulls: 0, pullsEmpty: 0 };

export class Rates {
  readonly #now: Readonly<Rated>;
  #mornings: Mornings = { today: NOTHING, yesterday: NOTHING };
  #dayEndsMs: TimeMs;
  readonly #samples: Sample[];
  #nextMs: TimeMs;

  constructor(now: Readonly<Rated>, bootMs: TimeMs) {
    this.#now = now;
    this.#samples = [{ atMs: bootMs, messagesIn: 0, messagesOut: 0, pulls: 0, pullsEmpty: 0 }];
    this.#nextMs = bootMs + STEP_MS;
    this.#dayEndsMs = nextMidnight(bootMs);
  }

  /** Asked after seen. */
  get mornings(): Mornings {
    return this.#mornings;
  }

  /** Called with every chunk that arrives. */
  seen(nowMs: TimeMs): void {
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + STEP_MS;
    const { messagesIn, messagesOut, pulls, pullsEmpty } = this.#now;
    this.#samples.push({ atMs: nowMs, messagesIn, messagesOut, pulls, pullsEmpty });
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
    if (nowMs < this.#dayEndsMs) return;
    const today = { messagesIn, messagesOut, pulls, pullsEmpty };
    // After a day without a byte nothing has changed since yesterday's morning either.
    const wasSilent = nowMs >= nextMidnight(this.#dayEndsMs);
    this.#mornings = { today, yesterday: wasSilent ? today : this.#mornings.today };
    this.#dayEndsMs = nextMidnight(nowMs);
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

function nextMidnight(nowMs: TimeMs): TimeMs {
  const day = new Date(nowMs);
  return new Date(day.getFullYear(), day.getMonth(), day.getDate() + 1).getTime();
}

const WINDOW_MS = 10_000;

/** How many per second over the last ten seconds: what is older counts less and less, down to nothing at twenty. */
export class Meter {
  #fromMs: TimeMs = 0;
  #count = 0;
  #before = 0;

  add(count: number, nowMs: TimeMs): void {
    this.#roll(nowMs);
    this.#count += count;
  }

  perSecond(nowMs: TimeMs): number {
    this.#roll(nowMs);
    const share = 1 - (nowMs - this.#fromMs) / WINDOW_MS;
    return (this.#before * share + this.#count) / (WINDOW_MS / 1000);
  }

  #roll(nowMs: TimeMs): void {
    const spentMs = nowMs - this.#fromMs;
    if (spentMs < WINDOW_MS) return;
    this.#before = spentMs < 2 * WINDOW_MS ? this.#count : 0;
    this.#count = 0;
    this.#fromMs = spentMs < 2 * WINDOW_MS ? this.#fromMs + WINDOW_MS : nowMs;
  }
}
