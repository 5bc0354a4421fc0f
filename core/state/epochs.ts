/**
 * Under which epochs a queue was written, and where each began: so that a reader who knows the epoch of what it read
 * last can be told how far that epoch went, and sees when some of it was lost (an `async` topic after a crash).
 *
 * Invariants: epochs and offsets of a queue grow together; an epoch in which nothing was appended has no mark; what is
 * folded twice changes nothing. Folded from the entries, which carry their epoch; moved entries mark nothing, because
 * their offsets were given out under an older one.
 */
import type { Offset, QueueNumber } from '../types.ts';
import type { EpochEnd } from '../verbs.ts';
import type { StateEvent } from './events.ts';

/** Marks kept per queue; of a queue that outlives more epochs the oldest are forgotten. */
const MARKS_MAX = 1_000;
const ROWS_PER_EVENT = 256;

export class Epochs {
  /** Epoch, first offset, epoch, first offset … of each queue, oldest first. */
  private readonly marks = new Map<QueueNumber, number[]>();
  /** The newest epoch of each queue: what an append looks at. */
  private readonly newest: number[] = [];

  /** An append of this epoch takes offsets from `first` on. */
  note(queue: QueueNumber, epoch: number, first: Offset): void {
    if (this.newest[queue] === epoch) return;
    this.add(queue, epoch, first);
  }

  private add(queue: QueueNumber, epoch: number, first: Offset): void {
    if (epoch <= (this.newest[queue] ?? 0)) return;
    while (this.newest.length < queue) this.newest.push(0);
    this.newest[queue] = epoch;
    let marks = this.marks.get(queue);
    if (marks === undefined) this.marks.set(queue, (marks = []));
    marks.push(epoch, first);
    if (marks.length > 2 * MARKS_MAX) marks.splice(0, 2);
  }

  /**
   * The newest epoch up to the one asked for, and the first offset behind it. An epoch older than all that is known
   * ends where those begin.
   */
  end(queue: QueueNumber, epoch: number, end: Offset): EpochEnd {
    const marks = this.marks.get(queue) ?? [];
    let known = -1;
    for (let n = 0; n < marks.length; n += 2) {
      if (marks[n]! > epoch) return { epoch: known < 0 ? epoch : known, offset: Math.min(marks[n + 1]!, end) };
      known = marks[n]!;
    }
    return { epoch: known < 0 ? epoch : known, offset: end };
  }

  /** The epoch that an offset was written under, -1 when that is not known. */
  of(queue: QueueNumber, offset: Offset): number {
    let known = -1;
    const marks = this.marks.get(queue) ?? [];
    for (let n = 0; n < marks.length && marks[n + 1]! <= offset; n += 2) known = marks[n]!;
    return known;
  }

  removeQueues(queues: readonly QueueNumber[]): void {
    for (const queue of queues) {
      this.marks.delete(queue);
      if (queue < this.newest.length) this.newest[queue] = 0;
    }
  }

  /** Everything this table holds, as events that make it again; marks below a queue's start are left out, but the last. */
  *events(startOf: (queue: QueueNumber) => Offset): Generator<StateEvent> {
    let rows: number[][] = [];
    for (const [queue, marks] of this.marks) {
      const start = startOf(queue);
      while (marks.length > 2 && marks[3]! <= start) marks.splice(0, 2);
      rows.push([queue, ...marks]);
      if (rows.length < ROWS_PER_EVENT) continue;
      yield { k: 'epochs', rows };
      rows = [];
    }
    if (rows.length > 0) yield { k: 'epochs', rows };
  }

  apply(rows: readonly (readonly number[])[]): void {
    for (const [queue, ...marks] of rows)
      for (let n = 0; n + 1 < marks.length; n += 2) this.add(queue!, marks[n]!, marks[n + 1]!);
  }
}
