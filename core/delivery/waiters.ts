/**
 * Parked requests: each waits until one of its queues grows beyond an offset, or until its deadline.
 *
 * A registration is linked into the list of each of its queues. When a queue advances, those it satisfies are woken one
 * after the other; the links that a woken one has in other queues are taken out at once when they are few, else a
 * slice at a time, so that waking a thousand requests of five thousand queues each does not stop the turn. Deadlines
 * hang in one wheel of ticks with one timer.
 *
 * Invariants: a waiter has at most one registration, and its wake comes at most once for it and never after cancel;
 * wake never runs inside wait or cancel; a queue without links has no list; a deadline is never answered early, and
 * late by less than a tick.
 */
import type { Clock, Offset, QueueNumber, TimeMs, Waiter } from '../types.ts';
import { QueueLists } from './queue-lists.ts';
import { Slab } from './slab.ts';

export const TICK_MS = 10;
const SLOTS = 1024;
/** A registration with more links than this is taken apart in slices. */
const LINKS_AT_ONCE = 64;
const LINKS_PER_TURN = 4096;

// A registration's integers. `state` is first, where a free record keeps the slab's chain.
const STATE = 0;
const FIRST_LINK = 1;
const LINKS = 2;
const WHEEL_BEFORE = 3;
const WHEEL_AFTER = 4;
const REGISTRATION = 5;
/** Its float: the tick of its deadline. */

const WAITING = -2;
/** Chosen to be woken, and in exactly one list of such. */
const WAKING = -3;
/** Over; its links are being taken out. */
const OVER = -4;

// A link's integers; its float is the offset that must be exceeded.
const AFTER = 0;
const BEFORE = 1;
const OWNER = 2;
/** The next link of the same registration. */
const SIBLING = 3;
/** -1 when it has been taken out of its queue's list already. */
const QUEUE = 4;
const LINK = 5;

export class Waiters {
  private readonly clock: Clock;
  private readonly visibleEnd: (queue: QueueNumber) => Offset;
  private readonly registrations = new Slab(REGISTRATION);
  private readonly links = new Slab(LINK);
  private readonly lists = new QueueLists();
  private readonly registrationOf = new Map<Waiter, number>();
  /** By registration. */
  private waiters: (Waiter | null)[] = [];
  /** To be woken in the next turn: registration × 2, + 1 when by timeout. */
  private pending: number[] = [];
  private pendingScheduled = false;
  /** Being woken now; nested calls work above what is there. */
  private readonly waking: number[] = [];
  /** Over, with links still in the lists. */
  private readonly over: number[] = [];
  private overScheduled = false;

  private readonly wheel = new Int32Array(SLOTS).fill(-1);
  private readonly startMs: TimeMs;
  /** Ticks up to here have been looked at. */
  private tick = 0;
  private timer = 0;
  private timerTick = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, visibleEnd: (queue: QueueNumber) => Offset) {
    this.clock = clock;
    this.visibleEnd = visibleEnd;
    this.startMs = clock.nowMs();
  }

  /** How many wait now. */
  get size(): number {
    return this.registrationOf.size;
  }

  /**
   * Wakes `waiter` when the visible end of queues[i] exceeds ends[i], for any i (in the next turn if it does already),
   * or at `deadlineMs` (Infinity for never). Replaces the waiter's registration. The arrays are not kept.
   */
  wait(waiter: Waiter, queues: readonly QueueNumber[], ends: readonly Offset[], deadlineMs: TimeMs): void {
    this.cancel(waiter);
    this.takeOut(2 * queues.length);
    const id = this.registrations.take();
    this.waiters[id] = waiter;
    this.registrationOf.set(waiter, id);
    const at = id * REGISTRATION;
    this.registrations.ints[at + FIRST_LINK] = -1;
    this.registrations.ints[at + LINKS] = 0;
    this.registrations.floats[id] = -1;
    for (let n = 0; n < queues.length; n++) if (this.visibleEnd(queues[n]!) > ends[n]!) return this.wakeNext(id, 0);
    if (deadlineMs <= this.clock.nowMs()) return this.wakeNext(id, 1);
    this.registrations.ints[at + STATE] = WAITING;
    for (let n = 0; n < queues.length; n++) this.link(id, queues[n]!, ends[n]!);
    if (deadlineMs < Number.POSITIVE_INFINITY) this.hang(id, Math.ceil((deadlineMs - this.startMs) / TICK_MS));
  }

  cancel(waiter: Waiter): void {
    const id = this.registrationOf.get(waiter);
    if (id === undefined) return;
    this.registrationOf.delete(waiter);
    this.waiters[id] = null;
    // One that is chosen is let go by whoever wakes.
    if (this.registrations.ints[id * REGISTRATION + STATE] === WAKING) return;
    this.unhang(id);
    this.end(id);
  }

  /** The visible end of the queue is `end` now. When a queue is deleted: Infinity, so that its readers look again. */
  advanced(queue: QueueNumber, end: Offset): void {
    const head = this.lists.head(queue);
    if (head < 0) return;
    const from = this.waking.length;
    const { ints, floats } = this.links;
    const states = this.registrations.ints;
    let next: number;
    for (let link = head; link >= 0; link = next) {
      const at = link * LINK;
      next = ints[at + AFTER]!;
      const id = ints[at + OWNER]!;
      const state = states[id * REGISTRATION + STATE];
      if (state === OVER) this.unlink(link);
      else if (state === WAITING && floats[link]! < end) this.choose(id);
    }
    this.wakeChosen(from, 'data');
  }

  // ---------------------------------------------------------------- waking

  private choose(id: number): void {
    this.registrations.ints[id * REGISTRATION + STATE] = WAKING;
    this.unhang(id);
    this.waking.push(id);
  }

  private wakeChosen(from: number, reason: 'data' | 'timeout'): void {
    const to = this.waking.length;
    let n = from;
    try {
      while (n < to) this.wake(this.waking[n++]!, reason);
    } finally {
      // After a throw the others are woken all the same.
      while (n < to) this.wakeNext(this.waking[n++]!, reason === 'data' ? 0 : 1);
      this.waking.length = from;
    }
  }

  private wake(id: number, reason: 'data' | 'timeout'): void {
    const waiter = this.waiters[id]!;
    this.waiters[id] = null;
    if (waiter !== null) this.registrationOf.delete(waiter);
    this.end(id);
    waiter?.wake(reason);
  }

  private wakeNext(id: number, timeout: 0 | 1): void {
    this.registrations.ints[id * REGISTRATION + STATE] = WAKING;
    this.pending.push(2 * id + timeout);
    if (this.pendingScheduled) return;
    this.pendingScheduled = true;
    this.clock.afterTurn(this.wakePending);
  }

  private readonly wakePending = (): void => {
    this.pendingScheduled = false;
    const pending = this.pending;
    this.pending = [];
    let n = 0;
    try {
      while (n < pending.length) {
        const entry = pending[n++]!;
        this.wake(entry >> 1, entry & 1 ? 'timeout' : 'data');
      }
    } finally {
      for (; n < pending.length; n++) this.wakeNext(pending[n]! >> 1, (pending[n]! & 1) as 0 | 1);
    }
  };

  // ---------------------------------------------------------------- links

  private link(id: number, queue: QueueNumber, end: Offset): void {
    const link = this.links.take();
    const { ints, floats } = this.links;
    const at = link * LINK;
    const tail = this.lists.tail(queue);
    ints[at + AFTER] = -1;
    ints[at + BEFORE] = tail;
    ints[at + OWNER] = id;
    ints[at + QUEUE] = queue;
    floats[link] = end;
    if (tail >= 0) ints[tail * LINK + AFTER] = link;
    this.lists.set(queue, tail >= 0 ? this.lists.head(queue) : link, link);
    const registrations = this.registrations.ints;
    ints[at + SIBLING] = registrations[id * REGISTRATION + FIRST_LINK]!;
    registrations[id * REGISTRATION + FIRST_LINK] = link;
    registrations[id * REGISTRATION + LINKS]!++;
  }

  /** Takes the link out of its queue's list; it still belongs to its registration. */
  private unlink(link: number): void {
    const { ints } = this.links;
    const at = link * LINK;
    const queue = ints[at + QUEUE]!;
    if (queue < 0) return;
    const before = ints[at + BEFORE]!;
    const after = ints[at + AFTER]!;
    ints[at + QUEUE] = -1;
    if (before >= 0) ints[before * LINK + AFTER] = after;
    if (after >= 0) ints[after * LINK + BEFORE] = before;
    if (before < 0) this.lists.set(queue, after, after < 0 ? -1 : this.lists.tail(queue));
    else if (after < 0) this.lists.set(queue, this.lists.head(queue), before);
  }

  /** The registration is over. */
  private end(id: number): void {
    this.registrations.ints[id * REGISTRATION + STATE] = OVER;
    this.over.push(id);
    if (this.registrations.ints[id * REGISTRATION + LINKS]! <= LINKS_AT_ONCE) this.takeOut(LINKS_AT_ONCE);
    if (this.over.length === 0 || this.overScheduled) return;
    this.overScheduled = true;
    this.clock.afterTurn(this.takeOutLater);
  }

  private takeOut(budget: number): void {
    const { over } = this;
    const registrations = this.registrations.ints;
    let left = budget;
    while (over.length > 0) {
      const id = over[over.length - 1]!;
      const at = id * REGISTRATION;
      let link = registrations[at + FIRST_LINK]!;
      for (; link >= 0 && left > 0; left--) {
        const sibling = this.links.ints[link * LINK + SIBLING]!;
        this.unlink(link);
        this.links.give(link);
        link = sibling;
      }
      registrations[at + FIRST_LINK] = link;
      if (link >= 0) return;
      over.pop();
      this.registrations.give(id);
      if (this.registrations.used === 0) this.waiters = [];
    }
  }

  private readonly takeOutLater = (): void => {
    this.overScheduled = false;
    this.takeOut(LINKS_PER_TURN);
    if (this.over.length === 0) return;
    this.overScheduled = true;
    this.clock.afterTurn(this.takeOutLater);
  };

  // ---------------------------------------------------------------- deadlines

  private hang(id: number, tick: number): void {
    this.registrations.floats[id] = tick;
    const { ints } = this.registrations;
    const slot = tick % SLOTS;
    const first = this.wheel[slot]!;
    ints[id * REGISTRATION + WHEEL_BEFORE] = -1;
    ints[id * REGISTRATION + WHEEL_AFTER] = first;
    if (first >= 0) ints[first * REGISTRATION + WHEEL_BEFORE] = id;
    this.wheel[slot] = id;
    if (tick < this.timerTick) this.arm(tick);
  }

  private unhang(id: number): void {
    const { ints, floats } = this.registrations;
    const tick = floats[id]!;
    if (tick < 0) return;
    floats[id] = -1;
    const before = ints[id * REGISTRATION + WHEEL_BEFORE]!;
    const after = ints[id * REGISTRATION + WHEEL_AFTER]!;
    if (before >= 0) ints[before * REGISTRATION + WHEEL_AFTER] = after;
    else this.wheel[tick % SLOTS] = after;
    if (after >= 0) ints[after * REGISTRATION + WHEEL_BEFORE] = before;
  }

  private arm(tick: number): void {
    if (this.timerTick < Number.POSITIVE_INFINITY) this.clock.clearTimer(this.timer);
    this.timerTick = tick;
    this.timer = this.clock.setTimer(Math.max(0, this.startMs + tick * TICK_MS - this.clock.nowMs()), this.turnWheel);
  }

  private readonly turnWheel = (): void => {
    this.timerTick = Number.POSITIVE_INFINITY;
    const now = Math.floor((this.clock.nowMs() - this.startMs) / TICK_MS);
    const from = this.waking.length;
    const { ints, floats } = this.registrations;
    for (let tick = Math.max(this.tick + 1, now - SLOTS + 1); tick <= now; tick++) {
      let next: number;
      for (let id = this.wheel[tick % SLOTS]!; id >= 0; id = next) {
        next = ints[id * REGISTRATION + WHEEL_AFTER]!;
        if (floats[id]! <= now) this.choose(id);
      }
    }
    this.tick = Math.max(this.tick, now);
    this.wakeChosen(from, 'timeout');
    // Whoever hangs in the next slot may belong to a later round: then the wheel is turned once more for nothing.
    for (let tick = this.tick + 1; tick <= this.tick + SLOTS; tick++) {
      if (this.wheel[tick % SLOTS]! < 0) continue;
      if (tick < this.timerTick) this.arm(tick);
      return;
    }
  };
}
