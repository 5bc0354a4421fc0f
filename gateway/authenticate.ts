// Who is asking. Names and passwords are checked by the core; here stands what keeps that cheap and safe for a process
// that many clients reach: a small cache of pairs that were right (a reconnect storm must not hash a password per
// connection), a bound on checks under way, and a pause for addresses that keep guessing.
// Invariants: no password is kept, only a keyed digest of the pair; nothing here grants what the core has not granted
// since the users last changed (`forget`).
import { createHmac, randomBytes } from 'node:crypto';
import type { Clock, Principal } from '../core/types.ts';
import type { Verbs } from '../core/verbs.ts';

export const ANONYMOUS = 'anonymous';

const CACHE_ENTRIES_MAX = 4_096;
const CACHE_MS = 60_000;
/** Checks handed to the core at once: hashing takes a whole core for milliseconds. */
const CHECKS_MAX = 64;
/** After so many wrong pairs in a row an address waits, longer with each further one. */
const FAILURES_FREE = 5;
const PAUSE_MS_MAX = 30_000;
const FAILING_HOSTS_MAX = 4_096;

interface Failing {
  failures: number;
  untilMs: number;
}

export class Authenticator {
  readonly #broker: Pick<Verbs, 'authenticate' | 'secured'>;
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #key = randomBytes(32);
  /** Digest of a right pair → until when it is believed. Oldest first. */
  readonly #right = new Map<string, number>();
  readonly #failing = new Map<string, Failing>();
  #checks = 0;
  /** Changes with the users, so that a check that began before a change is not cached after it. */
  #era = 0;

  constructor(broker: Pick<Verbs, 'authenticate' | 'secured'>, clock: Pick<Clock, 'nowMs'>) {
    this.#broker = broker;
    this.#clock = clock;
  }

  /** True while no user exists: everybody is let in, as `anonymous`. */
  get isOpen(): boolean {
    return !this.#broker.secured;
  }

  anonymous(host: string): Principal {
    return { name: ANONYMOUS, host };
  }

  /** The principal, or null when the pair is wrong, too many checks are under way, or the address has to wait. */
  async authenticate(name: string, password: string, host: string): Promise<Principal | null> {
    if (this.isOpen) return this.anonymous(host);
    const digest = createHmac('sha256', this.#key).update(`${name.length}:${name}${password}`).digest('base64');
    const believedUntilMs = this.#right.get(digest);
    if (believedUntilMs !== undefined && believedUntilMs > this.#clock.nowMs()) return { name, host };
    const failing = this.#failing.get(host);
    if (failing !== undefined && failing.untilMs > this.#clock.nowMs()) return null;
    if (this.#checks >= CHECKS_MAX) return null;

    const era = this.#era;
    this.#checks++;
    try {
      const principal = await this.#broker.authenticate(name, password, host);
      if (principal === null) this.#failed(host);
      else if (era === this.#era) this.#succeeded(host, digest);
      return principal;
    } finally {
      this.#checks--;
    }
  }

  /** To be called whenever a user or password changed. */
  forget(): void {
    this.#era++;
    this.#right.clear();
  }

  #succeeded(host: string, digest: string): void {
    this.#failing.delete(host);
    this.#right.delete(digest);
    keepBelow(this.#right, CACHE_ENTRIES_MAX);
    this.#right.set(digest, this.#clock.nowMs() + CACHE_MS);
  }

  #failed(host: string): void {
    const failures = (this.#failing.get(host)?.failures ?? 0) + 1;
    const over = failures - FAILURES_FREE;
    const pauseMs = over < 0 ? 0 : Math.min(PAUSE_MS_MAX, 250 * 2 ** Math.min(over, 10));
    this.#failing.delete(host);
    keepBelow(this.#failing, FAILING_HOSTS_MAX);
    this.#failing.set(host, { failures, untilMs: this.#clock.nowMs() + pauseMs });
  }
}

function keepBelow(map: Map<string, unknown>, entriesMax: number): void {
  if (map.size < entriesMax) return;
  const oldest = map.keys().next();
  if (!oldest.done) map.delete(oldest.value);
}
