/**
 * Publisher confirms of one channel (RabbitMQ's confirm.select): a sequence number per publish, answered when every
 * queue has the message as safely as its topic promises.
 *
 * Appends are answered in order among topics of the same level only: what waits for a sync is overtaken by what is
 * written. So the numbers of the appends under way are kept in the order they were given out, and what was answered
 * behind one that was not waits for it. Everything before the first of them is safe, and once none is under way
 * everything is, including what was unroutable and therefore stored nowhere: the answer of a turn is one basic.ack with
 * `multiple`.
 */

const SLOTS_MIN = 64;
const NO_SLOTS = new Float64Array(0);

export class Confirms {
  selected = false;
  /** Sequence number of the last publish; the first has 1. */
  published = 0;
  /** All up to here are answered. */
  #answered = 0;
  /** All up to here are safe; `flush` answers them. */
  #safe = 0;
  /** A ring of the numbers of appends under way, ascending; negative where it was answered before an earlier one. */
  #pending = NO_SLOTS;
  #from = 0;
  #count = 0;
  /** Above what is answered: a publish with an append under way that was refused by some other queue, or behind one. */
  readonly #refused = new Set<number>();

  /** A publish came in: returns its sequence number. */
  next(): number {
    return ++this.published;
  }

  /** The append of this number, which is that of the last publish, was accepted and its answer will come. */
  awaited(sequence: number): void {
    if (this.#count === this.#pending.length) this.#grow();
    this.#pending[(this.#from + this.#count++) & (this.#pending.length - 1)] = sequence;
  }

  /** The append of this number is safe. True when there is something to flush and there was nothing before. */
  appended(sequence: number): boolean {
    const pending = this.#pending;
    const mask = pending.length - 1;
    if (pending[this.#from] !== sequence) {
      pending[this.#slotOf(sequence)] = -sequence;
      return false;
    }
    do {
      this.#from = (this.#from + 1) & mask;
      this.#count--;
    } while (this.#count > 0 && pending[this.#from]! < 0);
    const first = this.#safe === this.#answered;
    this.#safe = this.#count === 0 ? this.published : pending[this.#from]! - 1;
    return first;
  }

  #slotOf(sequence: number): number {
    const mask = this.#pending.length - 1;
    let low = 0;
    let high = this.#count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (Math.abs(this.#pending[(this.#from + middle) & mask]!) < sequence) low = middle + 1;
      else high = middle;
    }
    return (this.#from + low) & mask;
  }

  #grow(): void {
    const grown = new Float64Array(Math.max(SLOTS_MIN, this.#pending.length * 2));
    for (let n = 0; n < this.#count; n++) grown[n] = this.#pending[(this.#from + n) & (this.#pending.length - 1)]!;
    this.#pending = grown;
    this.#from = 0;
  }

  /** The last publish needs no append (unroutable). True when it is safe at once and there was nothing to flush before. */
  unroutable(): boolean {
    if (this.#count > 0) return false;
    const first = this.#safe === this.#answered;
    this.#safe = this.published;
    return first;
  }

  /** The last publish was refused and has been told so: no acknowledgement is to name it. */
  refused(): void {
    if (this.#count === 0 && this.#answered === this.#safe && this.#safe === this.published - 1) {
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
