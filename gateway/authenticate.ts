// Who is asking. The core checks names and passwords, and remembers those that were right; here stands what concerns the
// addresses that ask: while no user exists everybody is let in as `anonymous`, and an address that keeps guessing waits.
import { BrokerError } from '../core/errors.ts';
import type { Clock, Principal } from '../core/types.ts';
import type { Verbs } from '../core/verbs.ts';

export const ANONYMOUS = 'anonymous';

/** After so many wrong pairs in a row an address waits, twice as long with each further one. */
const FAILURES_FREE = 5;
const PAUSE_MS_MIN = 250;
const PAUSE_MS_MAX = 30_000;
/** Addresses that are kept in mind; the one that failed longest ago is forgotten first. */
const FAILING_HOSTS_MAX = 4_096;

interface Failing {
  failures: number;
  untilMs: number;
}

export class Authenticator {
  readonly #broker: Pick<Verbs, 'authenticate' | 'secured'>;
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #failing = new Map<string, Failing>();

  constructor(broker: Pick<Verbs, 'authenticate' | 'secured'>, clock: Pick<Clock, 'nowMs'>) {
    this.#broker = broker;
    this.#clock = clock;
  }

  /** True while no user exists. */
  get isOpen(): boolean {
    return !this.#broker.secured;
  }

  anonymous(host: string): Principal {
    return { name: ANONYMOUS, host };
  }

  /** The principal, or null when the pair is wrong, the address has to wait, or too many passwords are being checked. */
  async authenticate(name: string, password: string, host: string): Promise<Principal | null> {
    if (this.isOpen) return this.anonymous(host);
    return this.attempt(host, () => this.#broker.authenticate(name, password, host));
  }

  /** The outcome of the check, or null when the address has to wait. */
  async attempt(host: string, check: () => Promise<Principal | null>): Promise<Principal | null> {
    const failing = this.#failing.get(host);
    if (failing !== undefined && failing.untilMs > this.#clock.nowMs()) return null;
    try {
      const principal = await check();
      if (principal === null) this.#failed(host);
      else this.#failing.delete(host);
      return principal;
    } catch (error) {
      // Too many at once, or a password that no user could have: refused like a wrong one.
      if (error instanceof BrokerError) return null;
      throw error;
    }
  }

  #failed(host: string): void {
    const failures = (this.#failing.get(host)?.failures ?? 0) + 1;
    const over = failures - FAILURES_FREE;
    const pauseMs = over < 0 ? 0 : Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** Math.min(over, 10));
    this.#failing.delete(host);
    if (this.#failing.size >= FAILING_HOSTS_MAX) this.#failing.delete(this.#failing.keys().next().value!);
    this.#failing.set(host, { failures, untilMs: this.#clock.nowMs() + pauseMs });
  }
}
