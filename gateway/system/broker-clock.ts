// Broker time: the wall time at start plus monotonic time, slewed towards the wall, never falling. A wall clock that is
// stepped, by NTP or by hand, ends no lease early: the difference is worked off slowly, or stays until a restart.
import type { Clock, TimeMs } from '../../core/types.ts';
import { Timers } from './timers.ts';

/** At most half a millisecond per second, as adjtime(3) does: a deadline of a minute is off by 30 ms at most. */
const SLEW_RATE_MAX = 0.0005;
const SLEW_CHECK_MS = 1_000;
/** A measured difference is worked off over so long if the rate allows: smoother than chasing each reading. */
const SLEW_OVER_MS = 10_000;

export interface TimeSources {
  wallMs(): number;
  /** Never falls; fractions count. */
  monotonicMs(): number;
}

const SYSTEM: TimeSources = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

export class BrokerClock implements Clock {
  readonly #sources: TimeSources;
  readonly #timers: Timers;
  #baseMs: number;
  #baseMonotonicMs: number;
  #rate = 0;

  constructor(sources: TimeSources = SYSTEM) {
    this.#sources = sources;
    this.#timers = new Timers(() => sources.monotonicMs());
    this.#baseMs = sources.wallMs();
    this.#baseMonotonicMs = sources.monotonicMs();
  }

  nowMs(): TimeMs {
    const elapsedMs = this.#sources.monotonicMs() - this.#baseMonotonicMs;
    if (elapsedMs >= SLEW_CHECK_MS) return Math.floor(this.#slew(elapsedMs));
    return Math.floor(this.#baseMs + elapsedMs * (1 + this.#rate));
  }

  notBefore(timeMs: TimeMs): void {
    this.#baseMs += Math.max(0, timeMs - this.nowMs());
  }

  /** How far the wall clock is ahead of broker time: near 0 unless it was stepped. */
  differenceMs(): number {
    return this.#sources.wallMs() - this.nowMs();
  }

  get timers(): number {
    return this.#timers.size;
  }

  setTimer(delayMs: number, callback: (argument: unknown) => void, argument?: unknown): number {
    return this.#timers.set(delayMs, callback, argument);
  }

  clearTimer(handle: number): void {
    this.#timers.clear(handle);
  }

  afterTurn(callback: () => void): void {
    setImmediate(callback);
  }

  /** Begins a new stretch with a rate that leads towards the wall. A rate holds for SLEW_OVER_MS at most, though nobody asks. */
  #slew(elapsedMs: number): number {
    this.#baseMs += elapsedMs + Math.min(elapsedMs, SLEW_OVER_MS) * this.#rate;
    this.#baseMonotonicMs += elapsedMs;
    const difference = this.#sources.wallMs() - this.#baseMs;
    this.#rate = Math.max(-SLEW_RATE_MAX, Math.min(SLEW_RATE_MAX, difference / SLEW_OVER_MS));
    return this.#baseMs;
  }
}
