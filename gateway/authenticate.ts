// Who is asking. The core checks names and passwords, and remembers those that were right; here stands what concerns the
// addresses that ask: while no user exists everybody is let in as `anonymous`, and whoever keeps guessing gets its answers late.
//
// Invariants: a right login is never kept waiting for another's wrong ones, since many clients may share an address; a wrong
// one is answered the later the more of them came for the same name from the same address; what is kept is bounded.
import { BrokerError } from '../core/errors.ts';
import type { Clock, Principal } from '../core/types.ts';
import type { Verbs } from '../core/verbs.ts';

export const ANONYMOUS = 'anonymous';

/** A first wrong login is answered so late (as Kafka's brokers do), each further one twice as late, and never later. */
const DELAY_MS_MIN = 100;
/** The handshakes of all protocols give a client longer than this. */
const DELAY_MS_MAX = 5_000;
/** Who has not failed for so long begins again. */
const FORGOTTEN_MS = 60_000;
/** Pairs of address and name that are kept in mind; the one that failed longest ago is forgotten first. */
const FAILING_MAX = 4_096;
const NAME_CHARS_MAX = 255;

interface Failing {
  readonly failures: number;
  readonly atMs: number;
}

export class Authenticator {
  readonly #broker: Pick<Verbs, 'authenticate' | 'secured'>;
  readonly #clock: Pick<Clock, 'nowMs' | 'setTimer'>;
  readonly #failing = new Map<string, Failing>();

  constructor(broker: Pick<Verbs, 'authenticate' | 'secured'>, clock: Pick<Clock, 'nowMs' | 'setTimer'>) {
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

  /** The principal; or, after a while, null when the pair is wrong or too many passwords are being checked. */
  async authenticate(name: string, password: string, host: string): Promise<Principal | null> {
    if (this.isOpen) return this.anonymous(host);
    return this.attempt(host, name, () => this.#broker.authenticate(name, password, host));
  }

  /** The outcome of another kind of check; null comes after a while. */
  async attempt(host: string, name: string, check: () => Promise<Principal | null>): Promise<Principal | null> {
    const key = `${host} ${name.slice(0, NAME_CHARS_MAX)}`;
    let delayMs = DELAY_MS_MIN;
    try {
      const principal = await check();
      if (principal !== null) {
        this.#failing.delete(key);
        return principal;
      }
      delayMs = this.#failed(key);
    } catch (error) {
      // Too many at once, or a password that no user could have: refused like a wrong one.
      if (!(error instanceof BrokerError)) throw error;
    }
    await new Promise<void>((resolve) => {
      this.#clock.setTimer(delayMs, () => resolve());
    });
    return null;
  }

  /** How long the answer has to wait. */
  #failed(key: string): number {
    const nowMs = this.#clock.nowMs();
    const last = this.#failing.get(key);
    const before = last === undefined || nowMs - last.atMs > FORGOTTEN_MS ? 0 : last.failures;
    this.#failing.delete(key);
    if (this.#failing.size >= FAILING_MAX) this.#failing.delete(this.#failing.keys().next().value!);
    this.#failing.set(key, { failures: before + 1, atMs: nowMs });
    return Math.min(DELAY_MS_MAX, DELAY_MS_MIN * 2 ** Math.min(before, 10));
  }
}
