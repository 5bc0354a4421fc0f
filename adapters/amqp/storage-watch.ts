/**
 * Tells one connection's client that storage is full, and when it no longer is (connection.blocked and unblocked,
 * RabbitMQ). Only a client whose publish was refused hears of it, as there the state begins with a publish too.
 */

import type { Clock } from '../../core/types.ts';

const pollMs = 1000;

export interface StorageWatchTarget {
  isFull(): boolean;
  blocked(): void;
  unblocked(): void;
}

export class StorageWatch {
  readonly #clock: Clock;
  readonly #target: StorageWatchTarget;
  #timer = 0;

  constructor(clock: Clock, target: StorageWatchTarget) {
    this.#clock = clock;
    this.#target = target;
  }

  /** A publish was refused. */
  refused(): void {
    if (this.#timer !== 0) return;
    this.#target.blocked();
    this.#arm();
  }

  stop(): void {
    if (this.#timer !== 0) this.#clock.clearTimer(this.#timer);
    this.#timer = 0;
  }

  #arm(): void {
    this.#timer = this.#clock.setTimer(pollMs, this.#look);
  }

  readonly #look = (): void => {
    this.#timer = 0;
    if (this.#target.isFull()) this.#arm();
    else this.#target.unblocked();
  };
}
