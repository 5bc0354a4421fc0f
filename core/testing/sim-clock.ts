/**
 * A clock that stands still until a test moves it. One turn of the loop is what afterTurn queued before it began; what
 * a callback queues runs in the next turn, as on a real loop.
 *
 * Invariants: a timer fires once, never before its deadline, in the order of deadlines and among equals in the order
 * they were set; while it runs, nowMs() is its deadline; everything queued has run before time passes.
 */
import type { Clock, TimeMs } from '../types.ts';

/** A test that needs more turns without time passing queues for ever. */
const TURNS_MAX = 100_000;

interface Timer {
  readonly handle: number;
  readonly atMs: TimeMs;
  readonly callback: (argument: unknown) => void;
  readonly argument: unknown;
}

export class SimClock implements Clock {
  private now: TimeMs;
  private handles = 0;
  private turnsRun = 0;
  private queue: (() => void)[] = [];
  /** Binary heap by deadline, then handle; a cleared timer stays in it until it comes up. */
  private readonly heap: Timer[] = [];
  private readonly waiting = new Set<number>();

  constructor(startMs: TimeMs = 1_700_000_000_000) {
    this.now = startMs;
  }

  nowMs(): TimeMs {
    return this.now;
  }

  notBefore(timeMs: TimeMs): void {
    this.now = Math.max(this.now, timeMs);
  }

  setTimer(delayMs: number, callback: (argument: unknown) => void, argument?: unknown): number {
    const timer: Timer = { handle: ++this.handles, atMs: this.now + Math.max(0, delayMs), callback, argument };
    this.waiting.add(timer.handle);
    this.push(timer);
    return timer.handle;
  }

  clearTimer(handle: number): void {
    this.waiting.delete(handle);
  }

  afterTurn(callback: () => void): void {
    this.queue.push(callback);
  }

  /** Turns that have run since the beginning. */
  get turns(): number {
    return this.turnsRun;
  }

  /** Timers that wait. */
  get timers(): number {
    return this.waiting.size;
  }

  /** Callbacks that wait for the end of this turn. */
  get queued(): number {
    return this.queue.length;
  }

  /** When the next timer is due, null when there is none. */
  nextTimerMs(): TimeMs | null {
    while (this.heap.length > 0 && !this.waiting.has(this.heap[0]!.handle)) this.pop();
    return this.heap[0]?.atMs ?? null;
  }

  /** Ends one turn: runs what was queued before, not what that queues. False when there was nothing. */
  step(): boolean {
    const count = this.queue.length;
    if (count === 0) return false;
    this.turnsRun++;
    // Taken one at a time, so that what a thrown error leaves undone is still there.
    for (let n = 0; n < count && this.queue.length > 0; n++) this.queue.shift()!();
    return true;
  }

  /** Runs turns until nothing is queued. */
  runTurn(turnsMax = TURNS_MAX): void {
    for (let n = 0; this.step(); n++) {
      if (n >= turnsMax) throw new Error(`after ${turnsMax} turns callbacks still queue further ones`);
    }
  }

  /** Lets time pass: fires what comes due at its own time, with all turns between. advance(0) fires what is due now. */
  advance(ms: number): void {
    const endMs = this.now + ms;
    this.runTurn();
    let fired = 0;
    let atMs: TimeMs | null;
    while ((atMs = this.nextTimerMs()) !== null && atMs <= endMs) {
      fired = atMs > this.now ? 0 : fired + 1;
      if (fired > TURNS_MAX) throw new Error(`timers without delay set further ones for ever at ${this.now}`);
      this.now = Math.max(this.now, atMs);
      const timer = this.pop();
      this.waiting.delete(timer.handle);
      timer.callback(timer.argument);
      this.runTurn();
    }
    this.now = Math.max(this.now, endMs);
  }

  /** The process is gone: forgets timers and callbacks. Time goes on. */
  forget(): void {
    this.queue = [];
    this.heap.length = 0;
    this.waiting.clear();
  }

  private push(timer: Timer): void {
    const heap = this.heap;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(timer, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = timer;
  }

  private pop(): Timer {
    const heap = this.heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.handle < b.handle);
}
