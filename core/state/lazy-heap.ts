/**
 * A binary min-heap of (key, value) pairs of numbers in one typed array, 16 bytes each. Removal is lazy: the owner
 * checks an entry when it comes to the top. When as many entries have been pushed as were alive at the last look, the
 * owner filters the dead ones out, so the heap is never more than about twice what lives.
 */
const SMALL = 16;

export class LazyHeap {
  length = 0;
  private entries = new Float64Array(2 * SMALL);
  private filterAt = 64;

  get topKey(): number {
    return this.length === 0 ? Infinity : this.entries[0]!;
  }

  get topValue(): number {
    return this.entries[1]!;
  }

  /** The owner should filter before the next push. */
  get crowded(): boolean {
    return this.length >= this.filterAt;
  }

  push(key: number, value: number): void {
    if (2 * this.length === this.entries.length) this.resize(this.length * 2);
    const entries = this.entries;
    let at = this.length++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (entries[2 * parent]! <= key) break;
      entries[2 * at] = entries[2 * parent]!;
      entries[2 * at + 1] = entries[2 * parent + 1]!;
      at = parent;
    }
    entries[2 * at] = key;
    entries[2 * at + 1] = value;
  }

  pop(): void {
    const last = --this.length;
    if (last > 0) this.sink(0, this.entries[2 * last]!, this.entries[2 * last + 1]!);
  }

  clear(): void {
    this.length = 0;
    this.filterAt = 64;
    if (this.entries.length > 2 * SMALL) this.entries = new Float64Array(2 * SMALL);
  }

  filter(alive: (key: number, value: number) => boolean): void {
    const entries = this.entries;
    let kept = 0;
    for (let at = 0; at < this.length; at++) {
      const key = entries[2 * at]!;
      const value = entries[2 * at + 1]!;
      if (!alive(key, value)) continue;
      entries[2 * kept] = key;
      entries[2 * kept++ + 1] = value;
    }
    this.length = kept;
    this.filterAt = Math.max(64, 2 * kept);
    if (entries.length > 8 * Math.max(kept, SMALL)) this.resize(2 * Math.max(kept, SMALL));
    for (let at = (kept >> 1) - 1; at >= 0; at--) this.sink(at, this.entries[2 * at]!, this.entries[2 * at + 1]!);
  }

  /** Puts the pair at `at` or below. */
  private sink(start: number, key: number, value: number): void {
    const entries = this.entries;
    let at = start;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.length) break;
      if (child + 1 < this.length && entries[2 * child + 2]! < entries[2 * child]!) child++;
      if (entries[2 * child]! >= key) break;
      entries[2 * at] = entries[2 * child]!;
      entries[2 * at + 1] = entries[2 * child + 1]!;
      at = child;
    }
    entries[2 * at] = key;
    entries[2 * at + 1] = value;
  }

  private resize(capacity: number): void {
    const grown = new Float64Array(2 * capacity);
    grown.set(this.entries.subarray(0, 2 * this.length));
    this.entries = grown;
  }
}
