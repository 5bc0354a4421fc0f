/**
 * Octets of one connection's messages that the core has taken and not yet made as safe as their topics say. A publisher
 * that is faster than the disk fills it, and is not read until half of it is empty again.
 *
 * Invariant: the sum of the sizes is that of the appends under way. They are counted off in the order they came, which
 * between topics of different levels may not be the order they are done in: then a sum is wrong for a moment.
 */

const slotsMin = 64;

export interface UnwrittenTarget {
  full(): void;
  drained(): void;
}

export class Unwritten {
  readonly #bytesMax: number;
  readonly #target: UnwrittenTarget;
  #sizes = new Float64Array(slotsMin);
  #from = 0;
  #count = 0;
  #bytes = 0;
  #isFull = false;

  constructor(bytesMax: number, target: UnwrittenTarget) {
    this.#bytesMax = bytesMax;
    this.#target = target;
  }

  add(bytes: number): void {
    if (this.#count === this.#sizes.length) this.#grow();
    this.#sizes[(this.#from + this.#count++) & (this.#sizes.length - 1)] = bytes;
    this.#bytes += bytes;
    if (this.#isFull || this.#bytes < this.#bytesMax) return;
    this.#isFull = true;
    this.#target.full();
  }

  done(): void {
    this.#bytes -= this.#sizes[this.#from]!;
    this.#from = (this.#from + 1) & (this.#sizes.length - 1);
    this.#count--;
    if (!this.#isFull || this.#bytes > this.#bytesMax / 2) return;
    this.#isFull = false;
    this.#target.drained();
  }

  #grow(): void {
    const sizes = new Float64Array(this.#sizes.length * 2);
    for (let n = 0; n < this.#count; n++) sizes[n] = this.#sizes[(this.#from + n) & (this.#sizes.length - 1)]!;
    this.#sizes = sizes;
    this.#from = 0;
  }
}
