// What clients of one work queue saw, over kills of the broker, and what must be true of it: every confirmed message is
// delivered, nothing comes that was not published, what was acknowledged in time does not come again, and what comes
// again is marked. Judged by settled.suite.ts.

/** What the broker learned so shortly before it was killed it may forget: settlements and marks are never synced. */
const GRACE_MS = 1_000;

export interface Finding {
  readonly kind: 'lost' | 'never-published' | 'came-again' | 'not-marked' | 'wrongly-marked';
  readonly value: string;
}

interface Message {
  isConfirmed: boolean;
  deliveries: number;
  deliveredAt: number;
  ackedAt: number | null;
  /** Ends of connections, by kills or otherwise, before it was published. */
  ends: number;
}

export class Settled {
  readonly #messages = new Map<string, Message>();
  readonly #findings: Finding[] = [];
  readonly #now: () => number;
  #kills: number[] = [];
  #ends = 0;
  #unmarked = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  published(value: string): void {
    this.#messages.set(value, { isConfirmed: false, deliveries: 0, deliveredAt: 0, ackedAt: null, ends: this.#ends });
  }

  confirmed(value: string): void {
    this.#messages.get(value)!.isConfirmed = true;
  }

  delivered(value: string, isMarked: boolean): void {
    const message = this.#messages.get(value);
    if (!message) return this.#find('never-published', value);
    if (message.ackedAt !== null) {
      // Only a kill can make an acknowledgement be lost, and only a fresh one.
      if (!this.#isFreshAtKill(message.ackedAt)) this.#find('came-again', value);
    }
    if (message.deliveries > 0 && !isMarked) {
      // What was handed out before a kill should be marked and is not promised to be: it is counted.
      if (this.#kills.every((at) => at < message.deliveredAt)) this.#find('not-marked', value);
      else if (!this.#isFreshAtKill(message.deliveredAt)) this.#unmarked++;
    }
    // A consumer that ended may have been handed what it never saw.
    if (message.deliveries === 0 && isMarked && message.ends === this.#ends) this.#find('wrongly-marked', value);
    message.deliveries++;
    message.deliveredAt = this.#now();
  }

  /** The broker is known to have read the acknowledgement, because it answered what was sent after it. */
  acked(value: string): void {
    this.#messages.get(value)!.ackedAt = this.#now();
  }

  killed(): void {
    this.#kills = [...this.#kills, this.#now()];
    this.#ends++;
  }

  /** A consumer ends its connection. */
  left(): void {
    this.#ends++;
  }

  #isFreshAtKill(then: number): boolean {
    return this.#kills.some((at) => at >= then && at - then < GRACE_MS);
  }

  #find(kind: Finding['kind'], value: string): void {
    this.#findings.push({ kind, value });
  }

  /** Counts, for a test that must know that there was a load. */
  count(): { confirmed: number; redelivered: number; unmarked: number } {
    const all = [...this.#messages.values()];
    return {
      confirmed: all.filter((one) => one.isConfirmed).length,
      redelivered: all.filter((one) => one.deliveries > 1).length,
      unmarked: this.#unmarked,
    };
  }

  /** All that is wrong, once everything that is in the queue was delivered. */
  findings(): Finding[] {
    const lost = [...this.#messages].filter(([, one]) => one.isConfirmed && one.deliveries === 0);
    return [...this.#findings, ...lost.map(([value]): Finding => ({ kind: 'lost', value }))];
  }
}
