/**
 * What a channel has delivered and its client has not answered: (delivery tag, source, offset) in typed arrays, in
 * order of tags.
 *
 * Invariants: tags only grow; memory follows the number of unanswered deliveries, not the span of their tags (holes are
 * squeezed out before the arrays grow); without holes a tag is found by subtraction, with holes by bisection.
 */

const slotsMin = 64;
const settled = -1;

export class Unacked {
  /** Deliveries not answered. */
  count = 0;
  #tags = new Float64Array(slotsMin);
  #offsets = new Float64Array(slotsMin);
  #sources = new Int32Array(slotsMin).fill(settled);
  #from = 0;
  #to = 0;

  push(tag: number, source: number, offset: number): void {
    if (this.#to === this.#tags.length) this.#makeRoom();
    const slot = this.#to++;
    this.#tags[slot] = tag;
    this.#offsets[slot] = offset;
    this.#sources[slot] = source;
    this.count++;
  }

  /** The slot of an unanswered tag, -1 when there is none. Good until the next push. */
  find(tag: number): number {
    const from = this.#from;
    const first = this.#tags[from]!;
    if (from === this.#to || tag < first) return -1;
    const slot = this.#slotAtOrBelow(tag);
    return this.#tags[slot] === tag && this.#sources[slot] !== settled ? slot : -1;
  }

  #slotAtOrBelow(tag: number): number {
    let low = this.#from;
    let high = this.#to - 1;
    // Tags are distinct and grow, so the slot is at most as far from the first as the tag is.
    const guess = low + (tag - this.#tags[low]!);
    if (guess <= high) {
      if (this.#tags[guess] === tag) return guess;
      high = guess;
    }
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#tags[middle]! <= tag) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  get firstSlot(): number {
    return this.#from;
  }

  get lastSlot(): number {
    return this.#to - 1;
  }

  /** The source of a slot, -1 when it has been answered. */
  sourceAt(slot: number): number {
    return this.#sources[slot]!;
  }

  tagAt(slot: number): number {
    return this.#tags[slot]!;
  }

  offsetAt(slot: number): number {
    return this.#offsets[slot]!;
  }

  /** Takes a slot out. */
  remove(slot: number): void {
    this.#sources[slot] = settled;
    this.count--;
    if (this.count === 0) {
      this.#from = 0;
      this.#to = 0;
    } else if (slot === this.#from) {
      while (this.#sources[this.#from] === settled) this.#from++;
    }
  }

  /** Squeezes out holes when they are at least half, else doubles. */
  #makeRoom(): void {
    const grown = this.count * 2 > this.#tags.length;
    const slots = grown ? this.#tags.length * 2 : this.#tags.length;
    const tags = grown ? new Float64Array(slots) : this.#tags;
    const offsets = grown ? new Float64Array(slots) : this.#offsets;
    const sources = grown ? new Int32Array(slots).fill(settled) : this.#sources;
    let to = 0;
    for (let slot = this.#from; slot < this.#to; slot++) {
      if (this.#sources[slot] === settled) continue;
      tags[to] = this.#tags[slot]!;
      offsets[to] = this.#offsets[slot]!;
      sources[to] = this.#sources[slot]!;
      to++;
    }
    sources.fill(settled, to);
    this.#tags = tags;
    this.#offsets = offsets;
    this.#sources = sources;
    this.#from = 0;
    this.#to = to;
  }
}
