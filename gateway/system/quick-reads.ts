// Which reads are done on the loop: those that the page cache answers, as far as experience tells. A read that a thread
// does costs 15 to 25 µs for the way there and back, which is more than the copy of 64 KiB. Whether a page is in memory
// cannot be asked, so a read that took long says that the disk was in it: then none is tried for a while, and for a
// longer one if the next is slow as well. Invariant: what the loop reads in one turn is bounded, and of slow reads it
// does at most one a pause.

/** In one turn, in bytes: about a millisecond of copying. */
const TURN_BYTES_MAX = 4 * 1024 * 1024;
/** What a copy may take at most: so long, and so much for each byte. */
const SLOW_MS = 1;
const SLOW_MS_PER_BYTE = 2e-6;
const PAUSE_MS_MIN = 1_000;
const PAUSE_MS_MAX = 30_000;

export class QuickReads {
  readonly #monotonicMs: () => number;
  #turnBytes = 0;
  #pausedUntilMs = 0;
  #pauseMs = PAUSE_MS_MIN;

  constructor(monotonicMs: () => number = () => performance.now()) {
    this.#monotonicMs = monotonicMs;
  }

  /** Does the read if it is to be done now; what it returns is then given to `done` at the end of the turn. */
  try<T>(bytes: number, read: () => T, done: (result: T) => void): boolean {
    if (this.#turnBytes + bytes > TURN_BYTES_MAX) return false;
    const beganMs = this.#monotonicMs();
    if (beganMs < this.#pausedUntilMs) return false;
    if (this.#turnBytes === 0) setImmediate(() => (this.#turnBytes = 0));
    this.#turnBytes += bytes;
    const result = read();
    const nowMs = this.#monotonicMs();
    if (nowMs - beganMs <= SLOW_MS + bytes * SLOW_MS_PER_BYTE) this.#pauseMs = PAUSE_MS_MIN;
    else {
      this.#pausedUntilMs = nowMs + this.#pauseMs;
      this.#pauseMs = Math.min(this.#pauseMs * 2, PAUSE_MS_MAX);
    }
    setImmediate(done, result);
    return true;
  }
}
