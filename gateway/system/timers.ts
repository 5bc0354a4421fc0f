// All timers of the process behind one of the system's: a binary heap of deadlines in typed arrays. A timer costs no
// object, can be cleared in logarithmic time, and its handle is never mistaken for a later one's. Invariants: a callback
// comes once, never before its deadline, in the order of deadlines; a cleared or past handle may be cleared again.

type Callback = (argument: unknown) => void;

/** Handles are generation × 2^24 + slot: safe integers for 2^29 uses of a slot. */
const SLOT_BITS = 2 ** 24;
const CAPACITY_START = 1024;
/** The system's timers end here (2^31 - 1 ms); a later deadline is looked at again then. */
const WAIT_MS_MAX = 0x7fffffff;

export class Timers {
  readonly #monotonicMs: () => number;
  #size = 0;
  /** Heap of slots; #place is its inverse, -1 for a free slot. */
  #heap = new Int32Array(CAPACITY_START);
  #place = new Int32Array(CAPACITY_START).fill(-1);
  #deadline = new Float64Array(CAPACITY_START);
  /** Ties are broken by age, so timers of equal delay fire in the order they were set. */
  #age = new Float64Array(CAPACITY_START);
  #generation = new Int32Array(CAPACITY_START);
  readonly #callbacks: (Callback | null)[] = [];
  readonly #arguments: unknown[] = [];
  readonly #free: number[] = [];
  #used = 0;
  #aged = 0;
  #armed: NodeJS.Timeout | null = null;
  #armedFor = Number.POSITIVE_INFINITY;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** Timers waiting now. */
  get size(): number {
    return this.#size;
  }

  set(delayMs: number, callback: Callback, argument: unknown): number {
    const slot = this.#free.pop() ?? this.#grow();
    this.#deadline[slot] = this.#monotonicMs() + Math.max(0, delayMs);
    this.#age[slot] = this.#aged++;
    this.#callbacks[slot] = callback;
    this.#arguments[slot] = argument;
    this.#rise(this.#size++, slot);
    if (this.#heap[0] === slot) this.#arm();
    return this.#generation[slot]! * SLOT_BITS + slot;
  }

  clear(handle: number): void {
    const slot = handle % SLOT_BITS;
    if (handle < 0 || slot >= this.#used || this.#generation[slot] !== Math.floor(handle / SLOT_BITS)) return;
    const place = this.#place[slot]!;
    if (place < 0) return;
    this.#take(place);
    this.#release(slot);
  }

  /** Runs what is due. The system's timer calls it; tests may. */
  run(): void {
    const now = this.#monotonicMs();
    // Timers set by a callback wait for the next run, or a callback that sets a timer of 0 would hold the loop.
    const newest = this.#aged;
    while (this.#size > 0) {
      const slot = this.#heap[0]!;
      if (this.#deadline[slot]! > now || this.#age[slot]! >= newest) break;
      const callback = this.#callbacks[slot]!;
      const argument = this.#arguments[slot];
      this.#take(0);
      this.#release(slot);
      callback(argument);
    }
    this.#arm();
  }

  #arm(): void {
    if (this.#size === 0) {
      if (this.#armed !== null) clearTimeout(this.#armed);
      this.#armed = null;
      this.#armedFor = Number.POSITIVE_INFINITY;
      return;
    }
    const deadline = this.#deadline[this.#heap[0]!]!;
    // An armed timer that comes too early only looks and arms again: cheaper than to clear it each time.
    if (this.#armed !== null && this.#armedFor <= deadline) return;
    if (this.#armed !== null) clearTimeout(this.#armed);
    const waitMs = Math.min(WAIT_MS_MAX, Math.max(1, Math.ceil(deadline - this.#monotonicMs())));
    this.#armedFor = deadline;
    this.#armed = setTimeout(() => {
      this.#armed = null;
      this.#armedFor = Number.POSITIVE_INFINITY;
      this.run();
    }, waitMs);
    // Timers keep no process alive: sockets do.
    this.#armed.unref();
  }

  #isBefore(a: number, b: number): boolean {
    const difference = this.#deadline[a]! - this.#deadline[b]!;
    return difference < 0 || (difference === 0 && this.#age[a]! < this.#age[b]!);
  }

  #put(place: number, slot: number): void {
    this.#heap[place] = slot;
    this.#place[slot] = place;
  }

  #rise(from: number, slot: number): void {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (!this.#isBefore(slot, this.#heap[above]!)) break;
      this.#put(place, this.#heap[above]!);
      place = above;
    }
    this.#put(place, slot);
  }

  #sink(from: number, slot: number): void {
    let place = from;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= this.#size) break;
      if (below + 1 < this.#size && this.#isBefore(this.#heap[below + 1]!, this.#heap[below]!)) below++;
      if (!this.#isBefore(this.#heap[below]!, slot)) break;
      this.#put(place, this.#heap[below]!);
      place = below;
    }
    this.#put(place, slot);
  }

  #take(place: number): void {
    this.#place[this.#heap[place]!] = -1;
    const last = this.#heap[--this.#size]!;
    if (place === this.#size) return;
    this.#sink(place, last);
    this.#rise(this.#place[last]!, last);
  }

  #release(slot: number): void {
    this.#generation[slot] = (this.#generation[slot]! + 1) & 0x1fffffff;
    this.#callbacks[slot] = null;
    this.#arguments[slot] = undefined;
    this.#free.push(slot);
  }

  #grow(): number {
    const slot = this.#used++;
    if (slot < this.#heap.length) return slot;
    const capacity = this.#heap.length * 2;
    if (capacity > SLOT_BITS) throw new RangeError(`more than ${SLOT_BITS} timers`);
    this.#heap = widen(new Int32Array(capacity), this.#heap);
    this.#place = widen(new Int32Array(capacity).fill(-1), this.#place);
    this.#deadline = widen(new Float64Array(capacity), this.#deadline);
    this.#age = widen(new Float64Array(capacity), this.#age);
    this.#generation = widen(new Int32Array(capacity), this.#generation);
    return slot;
  }
}

function widen<T extends Int32Array | Float64Array>(wide: T, narrow: T): T {
  wide.set(narrow);
  return wide;
}
