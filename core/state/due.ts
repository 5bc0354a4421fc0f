/**
 * What is to be done at a time: a binary min-heap of (time, kind, a, b), 24 bytes per entry, in chunks of 96 KiB so that
 * growing never copies. Nothing is removed before its time: whoever takes an entry checks whether it still holds.
 * Entries of the same time come by kind and `a`: of messages held in one queue, in the order in which they were sent.
 */
import { assert } from '../errors.ts';
import type { TimeMs } from '../types.ts';

const CHUNK_BITS = 12;
const CHUNK = 1 << CHUNK_BITS;
/** `kind` and `a` share one number. */
const A_LIMIT = 2 ** 45;
const KIND_MAX = 255;

export class DueList {
  size = 0;
  private readonly chunks: Float64Array[] = [];

  /** `kind` is 0 to 255, `a` an integer from 0 below 2^45, `b` any safe integer. */
  add(atMs: TimeMs, kind: number, a: number, b: number): void {
    assert(kind >= 0 && kind <= KIND_MAX && a >= 0 && a < A_LIMIT, 'kind and a of a due entry fit one number');
    if (this.size === this.chunks.length * CHUNK) this.chunks.push(new Float64Array(3 * CHUNK));
    const what = kind * A_LIMIT + a;
    let at = this.size++;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!this.isBefore(atMs, what, parent)) break;
      this.copy(parent, at);
      at = parent;
    }
    this.put(at, atMs, what, b);
  }

  /** Infinity when there is nothing. */
  nextMs(): TimeMs {
    return this.size === 0 ? Number.POSITIVE_INFINITY : this.chunks[0]![0]!;
  }

  /** Takes out at most `budget` entries that are due, earliest first; `each` may add. Returns how many. */
  take(nowMs: TimeMs, budget: number, each: (kind: number, a: number, b: number) => void): number {
    let taken = 0;
    while (taken < budget && this.size > 0) {
      const first = this.chunks[0]!;
      if (first[0]! > nowMs) break;
      const what = first[1]!;
      const b = first[2]!;
      this.removeFirst();
      taken++;
      const kind = Math.floor(what / A_LIMIT);
      each(kind, what - kind * A_LIMIT, b);
    }
    return taken;
  }

  private removeFirst(): void {
    const last = --this.size;
    const chunk = this.chunks[last >>> CHUNK_BITS]!;
    const from = 3 * (last & (CHUNK - 1));
    const time = chunk[from]!;
    const what = chunk[from + 1]!;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= last) break;
      if (child + 1 < last && this.isBefore(this.timeOf(child + 1), this.whatOf(child + 1), child)) child++;
      if (this.isBefore(time, what, child)) break;
      this.copy(child, at);
      at = child;
    }
    if (last > 0) this.put(at, time, what, chunk[from + 2]!);
    // One empty chunk is kept, so that a list at a chunk's edge does not make and drop it for each entry.
    if (this.chunks.length * CHUNK - this.size >= 2 * CHUNK) this.chunks.pop();
  }

  private timeOf(at: number): number {
    return this.chunks[at >>> CHUNK_BITS]![3 * (at & (CHUNK - 1))]!;
  }

  private whatOf(at: number): number {
    return this.chunks[at >>> CHUNK_BITS]![3 * (at & (CHUNK - 1)) + 1]!;
  }

  /** Whether an entry comes before the one at a place. */
  private isBefore(time: number, what: number, at: number): boolean {
    const other = this.timeOf(at);
    return time < other || (time === other && what < this.whatOf(at));
  }

  private put(at: number, time: number, what: number, b: number): void {
    const chunk = this.chunks[at >>> CHUNK_BITS]!;
    const to = 3 * (at & (CHUNK - 1));
    chunk[to] = time;
    chunk[to + 1] = what;
    chunk[to + 2] = b;
  }

  private copy(source: number, target: number): void {
    const chunk = this.chunks[source >>> CHUNK_BITS]!;
    const from = 3 * (source & (CHUNK - 1));
    this.put(target, chunk[from]!, chunk[from + 1]!, chunk[from + 2]!);
  }
}
