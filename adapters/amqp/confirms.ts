/**
 * Publisher confirms of one channel (RabbitMQ's confirm.select): a sequence number per publish, answered when every
 * queue has the message as safely as its topic promises.
 *
 * The core answers appends in their order. So everything up to the last answered append is safe, and once none is
 * pending everything is, including what was unroutable and therefore stored nowhere. That makes the state two numbers
 * and the answer of a turn one basic.ack with `multiple`.
 */

export class Confirms {
  selected = false;
  /** Sequence number of the last publish; the first has 1. */
  published = 0;
  /** All up to here are answered. */
  #answered = 0;
  /** All up to here are safe; `flush` answers them. */
  #safe = 0;
  #pending = 0;
  /** Above what is answered: a publish with an append under way that was refused by some other queue, or behind one. */
  readonly #refused = new Set<number>();

  /** A publish came in: returns its sequence number. */
  next(): number {
    return ++this.published;
  }

  /** The append of this number was accepted and its answer will come. */
  awaited(): void {
    this.#pending++;
  }

  /** The append of this number is safe. True when there was nothing to flush before. */
  appended(sequence: number): boolean {
    this.#pending--;
    const first = this.#safe === this.#answered;
    this.#safe = this.#pending === 0 ? this.published : sequence;
    return first;
  }

  /** The last publish needs no append (unroutable). True when it is safe at once and there was nothing to flush before. */
  unroutable(): boolean {
    if (this.#pending > 0) return false;
    const first = this.#safe === this.#answered;
    this.#safe = this.published;
    return first;
  }

  /** The last publish was refused and has been told so: no acknowledgement is to name it. */
  refused(): void {
    if (this.#pending === 0 && this.#answered === this.#safe && this.#safe === this.published - 1) {
      this.#answered = this.published;
      this.#safe = this.published;
    } else this.#refused.add(this.published);
  }

  /** Calls `ack` once if anything became safe since the last flush. */
  flush(ack: (sequence: number, multiple: boolean) => void): void {
    if (this.#safe === this.#answered) return;
    let last = this.#safe;
    while (this.#refused.size > 0 && last > this.#answered && this.#refused.has(last)) last--;
    const covered = last - this.#answered;
    this.#answered = this.#safe;
    for (const sequence of this.#refused) if (sequence <= this.#safe) this.#refused.delete(sequence);
    if (covered > 0) ack(last, covered > 1);
  }
}
