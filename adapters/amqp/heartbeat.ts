/**
 * Heartbeats of one connection (spec 4.2.7): a frame at half the interval when nothing else was written, and the end of
 * the connection when not one octet came for two intervals. One timer of the passed clock.
 */

import type { Clock } from '../../core/types.ts';

/** Half intervals without any input after which the peer counts as gone. */
const silentTicksMax = 4;

export interface HeartbeatTarget {
  /** Frames written and octets received so far. */
  framesWritten(): number;
  octetsRead(): number;
  /** True while we do not read ourselves: then silence says nothing about the peer. */
  notReading(): boolean;
  /** Nothing was written for half an interval: a heartbeat is due. */
  idle(): void;
  peerGone(): void;
}

export class Heartbeat {
  readonly #clock: Clock;
  readonly #target: HeartbeatTarget;
  readonly #tickMs: number;
  #timer = 0;
  #frames = 0;
  #octets = 0;
  #silentTicks = 0;

  constructor(clock: Clock, target: HeartbeatTarget, intervalS: number) {
    this.#clock = clock;
    this.#target = target;
    this.#tickMs = (intervalS * 1000) / 2;
    this.#frames = target.framesWritten();
    this.#octets = target.octetsRead();
    this.#arm();
  }

  stop(): void {
    this.#clock.clearTimer(this.#timer);
  }

  #arm(): void {
    this.#timer = this.#clock.setTimer(this.#tickMs, this.#tick);
  }

  readonly #tick = (): void => {
    const target = this.#target;
    const octets = target.octetsRead();
    this.#silentTicks = octets !== this.#octets || target.notReading() ? 0 : this.#silentTicks + 1;
    this.#octets = octets;
    if (this.#silentTicks > silentTicksMax) {
      target.peerGone();
      return;
    }
    if (target.framesWritten() === this.#frames) target.idle();
    this.#frames = target.framesWritten();
    this.#arm();
  };
}
