/**
 * A queue: a dense line of offsets over runs of units. `next` is the offset the next append takes; `visible` is what
 * readers may see, it follows when the log is durable at the topic's level. The queue table owns every queue of the
 * shard and the index of the segment that is being written.
 */
import { assert } from '../errors.ts';
import type { Offset, Position, QueueNumber, TopicId } from '../types.ts';
import { MemoryIndex, Run, type UnitAt } from './segment-index.ts';
import { type UnitFields, unitBase, unitCount } from './units.ts';

export class Queue {
  readonly number: QueueNumber;
  readonly topic: TopicId;
  /** Id within its topic. */
  readonly id: number;
  start: Offset = 0;
  next: Offset = 0;
  visible: Offset = 0;
  /** In order of offset. */
  readonly runs: Run[] = [];
  /** Appends that wait for a sync; while there are any, later ones wait behind them. */
  syncPending = 0;
  /** Some message in it may have an end of its own. After a start nobody knows, so whatever holds messages may. */
  expires = false;

  constructor(number: QueueNumber, topic: TopicId, id: number) {
    this.number = number;
    this.topic = topic;
    this.id = id;
  }

  /** Index of the run that holds `offset` or follows it; runs.length when none. */
  runAt(offset: Offset): number {
    const runs = this.runs;
    let low = 0;
    let high = runs.length;
    // Most reads are at the end.
    if (high > 0 && runs[high - 1]!.base <= offset) low = high - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (runs[middle]!.end > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  moveStart(offset: Offset): void {
    if (offset <= this.start) return;
    this.start = offset;
    if (this.next < offset) this.next = offset;
    if (this.visible < offset) this.visible = offset;
    let dead = 0;
    while (dead < this.runs.length && this.runs[dead]!.end <= offset) dead++;
    if (dead > 0) this.runs.splice(0, dead);
  }
}

/** Walks a queue's units from an offset on; reused. `bytes` and `at` are the unit, see units.ts. */
export class UnitCursor implements UnitAt {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  private queue: Queue | null = null;
  private runIndex = 0;
  private run: Run | null = null;
  private n = 0;

  /** False when there is no unit at or behind the offset. */
  seek(queue: Queue, offset: Offset): boolean {
    this.queue = queue;
    this.runIndex = queue.runAt(offset);
    const run = queue.runs[this.runIndex];
    if (run === undefined) return false;
    this.n = run.locate(offset, this);
    return this.settle();
  }

  /** True when the cursor stands on the unit of this queue that holds the offset; goes one unit on to find it. */
  holds(queue: Queue, offset: Offset): boolean {
    const run = queue.runs[this.runIndex];
    if (this.queue !== queue || run === undefined || run !== this.run) return false;
    for (let step = 0; step < 2 && this.n < run.units; step++, this.n++) {
      run.unitAt(this.n, this);
      const base = unitBase(this.bytes, this.at);
      if (offset < base) return false;
      if (offset < base + unitCount(this.bytes, this.at)) return true;
    }
    return false;
  }

  next(): boolean {
    this.n++;
    return this.settle();
  }

  private settle(): boolean {
    const runs = this.queue!.runs;
    for (;;) {
      const run = runs[this.runIndex];
      if (run === undefined) return false;
      if (this.n < run.units) {
        this.run = run;
        run.unitAt(this.n, this);
        return true;
      }
      this.runIndex++;
      this.n = 0;
    }
  }
}

export class QueueTable {
  private readonly rows: (Queue | undefined)[] = [];
  /** Index of the segment that takes appends now. */
  active: MemoryIndex;
  /** By position of their segment: every index that runs point into. */
  readonly indexes = new Map<Position, { runs: readonly Run[]; close?(): void }>();

  constructor(base: Position) {
    this.active = new MemoryIndex(base);
    this.indexes.set(base, this.active);
  }

  get(number: QueueNumber): Queue | undefined {
    return this.rows[number];
  }

  get limit(): number {
    return this.rows.length;
  }

  add(queue: Queue): void {
    while (this.rows.length < queue.number) this.rows.push(undefined);
    this.rows[queue.number] = queue;
  }

  remove(number: QueueNumber): void {
    this.rows[number] = undefined;
  }

  *all(): Generator<Queue> {
    for (const queue of this.rows) if (queue !== undefined) yield queue;
  }

  /** A new segment takes the appends from now on; returns the index of the one before. */
  roll(base: Position): MemoryIndex {
    const before = this.active;
    this.active = new MemoryIndex(base);
    this.indexes.set(base, this.active);
    return before;
  }

  /** Adds a unit at the end of its queue. Folding a unit that is already there changes nothing. */
  append(number: QueueNumber, unit: UnitFields): void {
    const queue = this.rows[number];
    // A unit of a queue that was deleted meanwhile is dead: nobody can ask for it.
    if (queue === undefined) return;
    const end = unit.base + unit.count;
    const last = queue.runs[queue.runs.length - 1];
    if (last !== undefined && end <= last.end) return;
    if (end > queue.start) {
      let run = last;
      if (run === undefined || run.index !== this.active) {
        run = new Run(this.active, number, unit.base);
        queue.runs.push(run);
        this.active.runs.push(run);
      }
      this.active.append(run, unit);
    }
    if (end > queue.next) queue.next = end;
  }

  /** Takes the runs of a sealed segment's file in place of those in memory, or at recovery of none. */
  adopt(base: Position, index: { runs: readonly Run[]; close?(): void }): void {
    const before = this.indexes.get(base);
    this.indexes.set(base, index);
    for (const run of index.runs) {
      const queue = this.rows[run.queue];
      if (queue === undefined || run.end <= queue.start || run.units === 0) continue;
      const at = queue.runAt(run.base);
      const there = queue.runs[at];
      if (there !== undefined && there.index === (before as unknown)) queue.runs[at] = run;
      else {
        assert(there === undefined || there.base >= run.end, 'runs of a queue do not overlap');
        queue.runs.splice(at, 0, run);
      }
      if (run.end > queue.next) queue.next = run.end;
    }
    // What the one before knew and this one does not lies in bytes that are damaged by now.
    for (const run of before?.runs ?? []) {
      const queue = this.rows[run.queue];
      const at = queue?.runs.indexOf(run as Run) ?? -1;
      if (at >= 0) queue!.runs.splice(at, 1);
    }
    before?.close?.();
  }

  /** Forgets a segment: its runs go, or are replaced by those of the segment its survivors were moved to. */
  drop(base: Position): void {
    const index = this.indexes.get(base);
    if (index === undefined) return;
    this.indexes.delete(base);
    const gone = new Set(index.runs);
    for (const run of index.runs) {
      const queue = this.rows[run.queue];
      if (queue === undefined) continue;
      const at = queue.runs.findIndex((candidate) => gone.has(candidate));
      if (at >= 0) queue.runs.splice(at, 1);
    }
    index.close?.();
  }
}
