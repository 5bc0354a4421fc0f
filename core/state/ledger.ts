/**
 * Who has settled what on one queue for one group. What is settled is a floor with bits above it (settled.ts); what is
 * leased or was given back lies in pages of 256 offsets that exist only while they hold such an offset. So memory
 * follows what is in flight plus the holes, and no operation depends on how much is ready.
 *
 * Each offset is in one of four states: settled; leased by a holder, perhaps until a deadline; returned, perhaps not
 * due before a time; or untouched. Invariants: settled is final; below `next` nothing is untouched; the floor is not
 * settled and everything below it is; after a fold or a read nothing is leased but what has a deadline.
 *
 * The apply… methods fold log entries. Each sets the absolute state of the offsets it names and leaves the settled ones
 * alone, so an old entry applied again over a newer state is put right by the entries that follow it.
 *
 * Snapshot form:
 *   ledger   := settled (settled.ts) mark:varint returned leased
 *   returned := n:varint (gap:varint deliveries:varint notBeforeMs:varint) × n     those untimed leases too that have
 *                                                                                  been delivered before (notBeforeMs 0)
 *   leased   := n:varint (gap:varint deliveries:varint deadlineMs:varint) × n      time-bound leases
 * in order of offset; a gap is the distance from the offset before, at first from the floor.
 */
import { assert } from '../errors.ts';
import type { ByteReader, ByteWriter } from '../log/bytes.ts';
import type { Offset, TimeMs } from '../types.ts';
import { LazyHeap } from './lazy-heap.ts';
import { Settled } from './settled.ts';

const SIDE = 256;
/** States of an offset in a side page; a lease of holder h is HOLDER + h. */
const NONE = 0;
const RETURNED = 1;
/** Leased, but its holder did not survive a restart. */
const NOBODY = 2;
const HOLDER = 3;
const HOLDER_MAX = 0x7fff_ffff - HOLDER;

/** The arrays besides `states` are there only where a count or a time is set. */
class Side {
  readonly states = new Int32Array(SIDE);
  deliveries: Uint32Array | null = null;
  /** The deadline of a lease (0 none), the not-before of a returned one (0 when it is due). */
  times: Float64Array | null = null;
  used = 0;
  /** Returned ones that are due, none below index `dueFrom`. */
  due = 0;
  dueFrom = SIDE;
}

/**
 * Arrays given back, all zero, for whichever ledger needs one next: a queue with one message in flight at a time needs
 * and frees a page per message.
 */
const spareSides: Side[] = [];
const spareDeliveries: Uint32Array[] = [];
const spareTimes: Float64Array[] = [];
const SPARES_MAX = 64;

function giveSpare<T>(spares: T[], array: T | null): null {
  if (array !== null && spares.length < SPARES_MAX) spares.push(array);
  return null;
}

export class Ledger {
  /** Unsettled offsets below it may have been delivered before the last restart. */
  deliveredMark: Offset = 0;
  private readonly settled: Settled;
  private frontier: Offset;
  private readonly sides = new Map<number, Side>();
  private lastNumber = -1;
  private lastSide: Side | null = null;
  /** Index of the offset last located. */
  private at = 0;
  private held = 0;
  private leased = 0;
  /** Held ones at or above the frontier: only a fold or a read makes them. */
  private heldAhead = 0;
  /** Numbers of the side pages that have due ones. */
  private due: LazyHeap | null = null;
  private waiting: LazyHeap | null = null;
  private deadlines: LazyHeap | null = null;

  constructor(floor: Offset | Settled) {
    this.settled = typeof floor === 'number' ? new Settled(floor) : floor;
    this.frontier = this.settled.floor;
  }

  /** All below is settled: the committed offset that everybody sees. */
  get floor(): Offset {
    return this.settled.floor;
  }

  /** The first offset never acquired, to this ledger's knowledge; it may be settled. */
  get next(): Offset {
    return Math.max(this.frontier, this.settled.floor);
  }

  /** Leased ones. */
  get inFlight(): number {
    return this.leased;
  }

  /** Given back and not acquired since, due or not. */
  get returnedCount(): number {
    return this.held - this.leased;
  }

  // ---------------------------------------------------------------- acquiring and settling

  /**
   * Leases the lowest offset below `endOffset` that is due for `holder`: one that was given back, else the next one.
   * A `deadlineMs` of 0 binds the lease to the holder alone. -1 when there is none.
   */
  acquire(endOffset: Offset, holder: number, deadlineMs: TimeMs, nowMs: TimeMs): Offset {
    assert(holder >= 0 && holder <= HOLDER_MAX, 'a holder is a number from 0 to 2^31 - 4');
    const offset = this.peek(endOffset, nowMs);
    if (offset < 0) return -1;
    const isNext = offset === this.frontier;
    const side = this.open(offset);
    const at = this.at;
    if (isNext) {
      this.frontier = offset + 1;
      this.heldAhead--;
    } else {
      this.undue(side, at);
      if (side.due === 0) this.due!.pop();
    }
    side.states[at] = HOLDER + holder;
    this.leased++;
    if (deadlineMs > 0) this.setDeadline(side, at, offset, deadlineMs);
    else if (side.times !== null) side.times[at] = 0;
    return offset;
  }

  /** The offset that `acquire` would lease now, -1 when there is none. */
  peek(endOffset: Offset, nowMs: TimeMs): Offset {
    if (this.waiting !== null) this.promote(nowMs);
    const offset = this.untouched(endOffset);
    const page = this.due === null ? -1 : this.duePage();
    if (page < 0) return offset;
    const side = this.locate(page * SIDE)!;
    while (!isDue(side, side.dueFrom)) side.dueFrom++;
    const returned = page * SIDE + side.dueFrom;
    return returned < endOffset && (offset < 0 || returned < offset) ? returned : offset;
  }

  /** False when the offset is not leased now. */
  settle(offset: Offset): boolean {
    const side = this.locate(offset);
    const at = this.at;
    if (side === null || side.states[at]! < NOBODY) return false;
    this.untie(side, at, offset);
    this.settled.add(offset);
    return true;
  }

  /**
   * Gives a leased offset back to its place, not to be delivered before `notBeforeMs` (0: at once). `countsAsDelivery`
   * is false when it did not get as far as the consumer. False when it is not leased now.
   */
  requeue(offset: Offset, countsAsDelivery: boolean, notBeforeMs: TimeMs): boolean {
    const side = this.locate(offset);
    const at = this.at;
    if (side === null || side.states[at]! < NOBODY) return false;
    if (countsAsDelivery) setDeliveries(side, at, (side.deliveries?.[at] ?? 0) + 1);
    this.giveBack(side, at, offset, notBeforeMs);
    return true;
  }

  /** Gives back all that the holder has, each counted as a delivery, then tells of each, in order of offset. */
  release(holder: number, each: (offset: Offset) => void): void {
    if (this.leased === 0) return;
    const offsets = this.heldOffsets((state) => state === HOLDER + holder);
    for (const offset of offsets) if (this.holderOf(offset) === holder && this.requeue(offset, true, 0)) each(offset);
  }

  /** Settles a range that holds nothing to deliver, whatever its state. */
  skip(from: Offset, count: number): void {
    this.applySettled(from, count);
  }

  /**
   * Settles all below `end` that nobody has leased, and tells of the ranges (which may include settled ones). Cost by
   * what is in flight and by pages, not by what is ready.
   */
  settleReady(end: Offset, each: (from: Offset, count: number) => void): void {
    let from = this.floor;
    const settleTo = (to: Offset): void => {
      if (to > from) {
        this.skip(from, to - from);
        each(from, to - from);
      }
      from = to + 1;
    };
    for (const offset of this.heldOffsets((state) => state >= NOBODY)) if (offset < end) settleTo(offset);
    settleTo(end);
  }

  // ---------------------------------------------------------------- time

  /** Gives back the leases whose deadline is not after `nowMs`, each counted as a delivery, and tells of each. */
  expire(nowMs: TimeMs, each: (offset: Offset) => void): void {
    if (this.waiting !== null) this.promote(nowMs);
    const heap = this.deadlines;
    if (heap === null) return;
    while (heap.topKey <= nowMs) {
      const deadlineMs = heap.topKey;
      const offset = heap.topValue;
      heap.pop();
      if (this.isTimed(offset, deadlineMs, true) && this.requeue(offset, true, 0)) each(offset);
    }
  }

  /** The earliest deadline of a lease or not-before of a returned one, Infinity when there is none. */
  nextDueMs(): TimeMs {
    return Math.min(this.soonest(this.deadlines, true), this.soonest(this.waiting, false));
  }

  // ---------------------------------------------------------------- looking

  /** How often it was delivered and came back. A lease now running is not counted. */
  deliveries(offset: Offset): number {
    const side = this.locate(offset);
    return side?.deliveries?.[this.at] ?? 0;
  }

  /** It has been delivered before, or may have been before the last restart. */
  redelivered(offset: Offset): boolean {
    return (offset < this.deliveredMark && !this.settled.has(offset)) || this.deliveries(offset) > 0;
  }

  /** -1 when it is not leased, or when its holder did not survive a restart. */
  holderOf(offset: Offset): number {
    const side = this.locate(offset);
    return side === null ? -1 : Math.max(-1, side.states[this.at]! - HOLDER);
  }

  isLeased(offset: Offset): boolean {
    const side = this.locate(offset);
    return side !== null && side.states[this.at]! >= NOBODY;
  }

  /** Unsettled and not leased below `end`; those given back count, whether due or not. */
  readyCount(end: Offset): number {
    return Math.max(0, this.settled.unsettledIn(this.settled.floor, end) - this.leased);
  }

  unsettledIn(from: Offset, to: Offset): number {
    return this.settled.unsettledIn(from, to);
  }

  /** `each` may settle the offset it is called with, no other. */
  eachUnsettled(from: Offset, to: Offset, each: (offset: Offset) => void): void {
    this.settled.eachUnsettled(from, to, each);
  }

  // ---------------------------------------------------------------- folding

  applySettled(from: Offset, count: number): void {
    this.forget(from, from + count);
    this.settled.addRange(from, from + count);
  }

  /** It was given back after so many deliveries and is due from `notBeforeMs` on. */
  applyReturned(offset: Offset, deliveries: number, notBeforeMs: TimeMs): void {
    if (this.settled.has(offset)) return;
    const side = this.open(offset);
    const at = this.at;
    setDeliveries(side, at, deliveries);
    this.giveBack(side, at, offset, notBeforeMs);
  }

  /** It is leased until `deadlineMs`; a lease that runs keeps its holder and gets the new deadline. */
  applyLeased(offset: Offset, deliveries: number, deadlineMs: TimeMs): void {
    if (this.settled.has(offset)) return;
    const side = this.open(offset);
    const at = this.at;
    setDeliveries(side, at, deliveries);
    if (side.states[at]! < NOBODY) {
      this.undue(side, at);
      side.states[at] = NOBODY;
      this.leased++;
      if (side.times !== null) side.times[at] = 0;
    }
    this.setDeadline(side, at, offset, deadlineMs);
  }

  /** Everything below may have been delivered. */
  applyDelivered(upTo: Offset): void {
    if (upTo > this.deliveredMark) this.deliveredMark = upTo;
  }

  /** Settles everything below; never moves back. */
  applyFloor(offset: Offset): void {
    if (offset > this.settled.floor) this.applySettled(this.settled.floor, offset - this.settled.floor);
  }

  // ---------------------------------------------------------------- snapshot

  write(writer: ByteWriter): void {
    this.settled.write(writer);
    writer.varint(Math.max(this.deliveredMark, this.next));
    this.writeHeld(writer, (state, time, deliveries) => state === RETURNED || (time === 0 && deliveries > 0));
    this.writeHeld(writer, (state, time) => state >= NOBODY && time > 0);
  }

  private writeHeld(writer: ByteWriter, which: (state: number, time: TimeMs, deliveries: number) => boolean): void {
    const offsets = this.heldOffsets(which);
    writer.varint(offsets.length);
    let previous = this.settled.floor;
    for (const offset of offsets) {
      const side = this.locate(offset)!;
      writer.varint(offset - previous);
      writer.varint(side.deliveries?.[this.at] ?? 0);
      writer.varint(side.times?.[this.at] ?? 0);
      previous = offset;
    }
  }

  static read(reader: ByteReader): Ledger {
    const ledger = new Ledger(Settled.read(reader));
    ledger.deliveredMark = reader.varint();
    for (let offset = ledger.floor, n = reader.varint(); n > 0; n--) {
      offset += reader.varint();
      ledger.applyReturned(offset, reader.varint(), reader.varint());
    }
    for (let offset = ledger.floor, n = reader.varint(); n > 0; n--) {
      offset += reader.varint();
      ledger.applyLeased(offset, reader.varint(), reader.varint());
    }
    return ledger;
  }

  // ---------------------------------------------------------------- what is held

  /** The side page of the offset, null when there is none; its index is in `at`. */
  private locate(offset: Offset): Side | null {
    const number = Math.floor(offset / SIDE);
    this.at = offset - number * SIDE;
    if (number !== this.lastNumber) {
      this.lastNumber = number;
      this.lastSide = this.sides.get(number) ?? null;
    }
    return this.lastSide;
  }

  /** The same, made when absent; an offset that was untouched counts as held from here on. */
  private open(offset: Offset): Side {
    let side = this.locate(offset);
    if (side === null) {
      side = spareSides.pop() ?? new Side();
      this.sides.set(this.lastNumber, side);
      this.lastSide = side;
    }
    if (side.states[this.at] === NONE) {
      side.used++;
      this.held++;
      if (offset >= this.frontier) this.heldAhead++;
    }
    return side;
  }

  /** Forgets what was held; the offset is about to be settled. */
  private untie(side: Side, at: number, offset: Offset): void {
    if (side.states[at]! >= NOBODY) this.leased--;
    else this.undue(side, at);
    side.states[at] = NONE;
    if (side.deliveries !== null) side.deliveries[at] = 0;
    if (side.times !== null) side.times[at] = 0;
    this.held--;
    if (offset >= this.frontier) this.heldAhead--;
    if (--side.used === 0) {
      const number = Math.floor(offset / SIDE);
      this.sides.delete(number);
      if (number === this.lastNumber) this.lastSide = null;
      side.dueFrom = SIDE;
      side.deliveries = giveSpare(spareDeliveries, side.deliveries);
      side.times = giveSpare(spareTimes, side.times);
      giveSpare(spareSides, side);
    }
    if (this.held === 0) {
      this.due?.clear();
      this.waiting?.clear();
      this.deadlines?.clear();
    }
  }

  private forget(from: Offset, to: Offset): void {
    if (this.held === 0 || to <= from) return;
    const first = Math.floor(from / SIDE);
    const last = Math.floor((to - 1) / SIDE);
    if (last - first < this.sides.size) for (let page = first; page <= last; page++) this.forgetIn(page, from, to);
    else for (const page of this.sides.keys()) if (page >= first && page <= last) this.forgetIn(page, from, to);
  }

  private forgetIn(page: number, from: Offset, to: Offset): void {
    const side = this.sides.get(page);
    if (side === undefined) return;
    const start = page * SIDE;
    const end = Math.min(to - start, SIDE);
    // The page may go back to the spares with its last one.
    for (let at = Math.max(from - start, 0); at < end && side.used > 0; at++)
      if (side.states[at] !== NONE) this.untie(side, at, start + at);
  }

  /** Offsets of this kind, in order. */
  private heldOffsets(which: (state: number, time: TimeMs, deliveries: number) => boolean): Float64Array {
    const offsets = new Float64Array(this.held);
    let count = 0;
    for (const [page, side] of this.sides) {
      for (let at = 0; at < SIDE; at++) {
        const state = side.states[at]!;
        if (state !== NONE && which(state, side.times?.[at] ?? 0, side.deliveries?.[at] ?? 0))
          offsets[count++] = page * SIDE + at;
      }
    }
    return offsets.subarray(0, count).sort();
  }

  // ---------------------------------------------------------------- what is due

  /** Moves the frontier to the first offset that nobody holds or settled; -1 when that is not below `end`. */
  private untouched(end: Offset): Offset {
    let offset = this.settled.nextUnsettled(this.frontier);
    while (this.heldAhead > 0 && offset < end) {
      const side = this.locate(offset);
      if (side === null || side.states[this.at] === NONE) break;
      this.heldAhead--;
      this.frontier = offset + 1;
      offset = this.settled.nextUnsettled(this.frontier);
    }
    // An untouched offset above the end may lie behind held ones: the frontier waits in front of them.
    if (offset >= end) return -1;
    this.frontier = offset;
    return offset;
  }

  private giveBack(side: Side, at: number, offset: Offset, notBeforeMs: TimeMs): void {
    const state = side.states[at]!;
    if (state === RETURNED) {
      if ((side.times?.[at] ?? 0) === notBeforeMs) return;
      this.undue(side, at);
    } else if (state !== NONE) this.leased--;
    side.states[at] = RETURNED;
    if (notBeforeMs > 0) {
      times(side)[at] = notBeforeMs;
      this.waiting = this.pushTimed(this.waiting, notBeforeMs, offset, false);
    } else {
      if (side.times !== null) side.times[at] = 0;
      this.makeDue(side, at, offset);
    }
  }

  private makeDue(side: Side, at: number, offset: Offset): void {
    if (at < side.dueFrom) side.dueFrom = at;
    if (side.due++ > 0) return;
    if (this.due === null) this.due = new LazyHeap();
    else if (this.due.crowded) this.filterDue(this.due);
    this.due.push(Math.floor(offset / SIDE), 0);
  }

  private undue(side: Side, at: number): void {
    if (!isDue(side, at)) return;
    if (--side.due === 0) side.dueFrom = SIDE;
    else if (at === side.dueFrom) side.dueFrom++;
  }

  /** The lowest page that has due ones, -1 when none has. */
  private duePage(): number {
    const heap = this.due!;
    while (heap.length > 0) {
      const page = heap.topKey;
      if ((this.locate(page * SIDE)?.due ?? 0) > 0) return page;
      heap.pop();
    }
    return -1;
  }

  private filterDue(heap: LazyHeap): void {
    const seen = new Set<number>();
    heap.filter((page) => {
      if (seen.has(page) || (this.sides.get(page)?.due ?? 0) === 0) return false;
      seen.add(page);
      return true;
    });
  }

  /** Those whose not-before has come are due. */
  private promote(nowMs: TimeMs): void {
    const heap = this.waiting!;
    while (heap.topKey <= nowMs) {
      const notBeforeMs = heap.topKey;
      const offset = heap.topValue;
      heap.pop();
      if (!this.isTimed(offset, notBeforeMs, false)) continue;
      const side = this.locate(offset)!;
      side.times![this.at] = 0;
      this.makeDue(side, this.at, offset);
    }
  }

  private setDeadline(side: Side, at: number, offset: Offset, deadlineMs: TimeMs): void {
    const deadlines = times(side);
    if (deadlines[at] === deadlineMs) return;
    deadlines[at] = deadlineMs;
    this.deadlines = this.pushTimed(this.deadlines, deadlineMs, offset, true);
  }

  private pushTimed(heap: LazyHeap | null, timeMs: TimeMs, offset: Offset, leased: boolean): LazyHeap {
    if (heap === null) heap = new LazyHeap();
    else if (heap.crowded) {
      // An offset that got the same time twice is in the heap twice: the first one found hides it from the second.
      const kept: Offset[] = [];
      heap.filter((entryMs, entry) => {
        if (entry === offset || !this.isTimed(entry, entryMs, leased)) return false;
        this.lastSide!.times![this.at] = -entryMs;
        kept.push(entry);
        return true;
      });
      for (const entry of kept) this.locate(entry)!.times![this.at]! *= -1;
    }
    heap.push(timeMs, offset);
    return heap;
  }

  /** Whether the heap's entry still holds. */
  private isTimed(offset: Offset, timeMs: TimeMs, leased: boolean): boolean {
    const side = this.locate(offset);
    if (side === null || side.times === null || side.times[this.at] !== timeMs) return false;
    const state = side.states[this.at]!;
    return leased ? state >= NOBODY : state === RETURNED;
  }

  private soonest(heap: LazyHeap | null, leased: boolean): TimeMs {
    if (heap === null) return Infinity;
    while (heap.length > 0 && !this.isTimed(heap.topValue, heap.topKey, leased)) heap.pop();
    return heap.topKey;
  }
}

function isDue(side: Side, at: number): boolean {
  return side.states[at] === RETURNED && (side.times === null || side.times[at] === 0);
}

function times(side: Side): Float64Array {
  return (side.times ??= spareTimes.pop() ?? new Float64Array(SIDE));
}

function setDeliveries(side: Side, at: number, deliveries: number): void {
  if (side.deliveries === null) {
    if (deliveries === 0) return;
    side.deliveries = spareDeliveries.pop() ?? new Uint32Array(SIDE);
  }
  side.deliveries[at] = deliveries;
}
