// Requests that the broker sends to a client and that are answered: what an administrator asks of a running consumer.
//
// Invariants: every call ends once, with an answer, at its time limit, or when the connection closes; opaque numbers
// are this side's own; calls under way are bounded.

import type { Clock } from '../../core/types.ts';
import { RESPONSE } from '../../specs/rocketmq/response-codes.ts';
import { RequestError } from './errors.ts';

/** As brokers of the protocol wait for a client. */
const CALL_MS = 10_000;
const CALLS_MAX = 1024;

export interface ClientAnswer {
  readonly code: number;
  readonly remark: string;
  /** A copy: it outlives the frame. */
  readonly body: Buffer;
}

interface Call {
  readonly timer: number;
  resolve(answer: ClientAnswer): void;
  reject(error: Error): void;
}

export class ClientCalls {
  readonly #clock: Clock;
  readonly #calls = new Map<number, Call>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Waits for the answer to the request that has this number. */
  expect(opaque: number, client: string, waitMs = CALL_MS): Promise<ClientAnswer> {
    if (this.#calls.size >= CALLS_MAX) {
      return Promise.reject(new RequestError(RESPONSE.SYSTEM_BUSY, `too many calls to client ${client} are under way`));
    }
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimer(waitMs, () => {
        this.#calls.delete(opaque);
        reject(new RequestError(RESPONSE.CONSUME_MSG_TIMEOUT, `client ${client} did not answer within ${waitMs} ms`));
      });
      this.#calls.set(opaque, { timer, resolve, reject });
    });
  }

  /** False when nothing waits for it (any more). */
  answered(opaque: number, answer: ClientAnswer): boolean {
    const call = this.#take(opaque);
    call?.resolve(answer);
    return call !== undefined;
  }

  /** The connection is gone. */
  abandon(): void {
    for (const opaque of this.#calls.keys()) {
      this.#take(opaque)?.reject(new RequestError(RESPONSE.CONSUMER_NOT_ONLINE, 'the client has gone'));
    }
  }

  #take(opaque: number): Call | undefined {
    const call = this.#calls.get(opaque);
    if (call === undefined) return undefined;
    this.#calls.delete(opaque);
    this.#clock.clearTimer(call.timer);
    return call;
  }
}
