/**
 * How long a channel's deliveries may stay unanswered (RabbitMQ's consumer timeout). Off unless the configuration or a
 * queue's `x-consumer-timeout` says otherwise; the shortest that was met on the channel holds for all of it.
 *
 * Invariant: nothing is kept per delivery. Every tenth of the time the last tag is noted; when the oldest unanswered tag
 * is not above one that was noted long enough ago, its time is over. So it ends at most a tenth too late, never early.
 */

import type { Clock } from '../../core/types.ts';

const notesPerTimeout = 10;

export interface DeadlineTarget {
  /** -1 when everything is answered. */
  oldestTag(): number;
  lastTag(): number;
  timedOut(timeoutMs: number): void;
}

export class AnswerDeadline {
  readonly #clock: Clock;
  readonly #target: DeadlineTarget;
  #timeoutMs = 0;
  #timer = 0;
  /** Last tags, one for each tick, the oldest first. */
  readonly #notes: number[] = [];

  constructor(clock: Clock, target: DeadlineTarget) {
    this.#clock = clock;
    this.#target = target;
  }

  /** A delivery may come to which this limit applies; 0 is none. */
  watch(timeoutMs: number): void {
    if (timeoutMs === 0 || (this.#timeoutMs > 0 && timeoutMs >= this.#timeoutMs)) return;
    this.#timeoutMs = timeoutMs;
    this.stop();
    this.#arm();
  }

  stop(): void {
    if (this.#timer !== 0) this.#clock.clearTimer(this.#timer);
    this.#timer = 0;
    this.#notes.length = 0;
  }

  #arm(): void {
    this.#timer = this.#clock.setTimer(Math.max(1, this.#timeoutMs / notesPerTimeout), this.#tick);
  }

  readonly #tick = (): void => {
    this.#timer = 0;
    const oldest = this.#target.oldestTag();
    if (this.#notes.length >= notesPerTimeout) {
      const then = this.#notes.shift()!;
      if (oldest >= 0 && oldest <= then) {
        this.#target.timedOut(this.#timeoutMs);
        return;
      }
    }
    this.#notes.push(this.#target.lastTag());
    this.#arm();
  };
}
