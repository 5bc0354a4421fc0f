/**
 * Appends that wait for the log to be written (one ring) or synced (another), oldest first: who is to be answered, and
 * which queues become visible up to where. Flat arrays that grow by doubling: nothing is created per append.
 */
import type { Offset, Position, QueueNumber, TimeMs } from '../types.ts';
import type { AppendTarget } from '../verbs.ts';
import type { Queue } from './queue.ts';

export interface CommitListener {
  visible(queue: Queue, end: Offset): void;
}

export class CommitRing {
  private size = 1024;
  private head = 0;
  private count = 0;
  private ends = new Float64Array(this.size);
  private tokens = new Float64Array(this.size);
  private bases = new Float64Array(this.size);
  private times = new Float64Array(this.size);
  private queues = new Int32Array(this.size);
  private rows = new Int32Array(this.size);
  private targets: (AppendTarget | null)[] = new Array<AppendTarget | null>(this.size).fill(null);

  private rowSize = 1024;
  private rowHead = 0;
  private rowCount = 0;
  private rowEnds = new Float64Array(this.rowSize);
  private rowQueues: (Queue | null)[] = new Array<Queue | null>(this.rowSize).fill(null);

  get waiting(): number {
    return this.count;
  }

  push(
    end: Position,
    target: AppendTarget | null,
    token: number,
    queue: QueueNumber,
    base: Offset,
    timeMs: TimeMs,
    rows: number,
  ): void {
    if (this.count === this.size) this.grow();
    const at = (this.head + this.count++) & (this.size - 1);
    this.ends[at] = end;
    this.tokens[at] = token;
    this.bases[at] = base;
    this.times[at] = timeMs;
    this.queues[at] = queue;
    this.rows[at] = rows;
    this.targets[at] = target;
  }

  /** Rows belong to the next push; call this first for each queue the append is visible in. */
  row(queue: Queue, end: Offset): void {
    if (this.rowCount === this.rowSize) this.growRows();
    const at = (this.rowHead + this.rowCount++) & (this.rowSize - 1);
    this.rowQueues[at] = queue;
    this.rowEnds[at] = end;
  }

  /** Lets go of everything that ends at or below `upTo`: first the queues of an append become visible, then it is answered. */
  release(upTo: Position, listener: CommitListener): void {
    while (this.count > 0 && this.ends[this.head]! <= upTo) {
      const at = this.head;
      this.head = (this.head + 1) & (this.size - 1);
      this.count--;
      for (let n = this.rows[at]!; n > 0; n--) {
        const row = this.rowHead;
        this.rowHead = (this.rowHead + 1) & (this.rowSize - 1);
        this.rowCount--;
        listener.visible(this.rowQueues[row]!, this.rowEnds[row]!);
        this.rowQueues[row] = null;
      }
      const target = this.targets[at]!;
      this.targets[at] = null;
      target?.appended(this.tokens[at]!, this.queues[at]!, this.bases[at]!, this.times[at]!);
    }
  }

  private grow(): void {
    const size = this.size * 2;
    const order = (from: Float64Array | Int32Array, to: Float64Array | Int32Array): void => {
      for (let n = 0; n < this.count; n++) to[n] = from[(this.head + n) & (this.size - 1)]!;
    };
    const ends = new Float64Array(size);
    const tokens = new Float64Array(size);
    const bases = new Float64Array(size);
    const times = new Float64Array(size);
    const queues = new Int32Array(size);
    const rows = new Int32Array(size);
    order(this.ends, ends);
    order(this.tokens, tokens);
    order(this.bases, bases);
    order(this.times, times);
    order(this.queues, queues);
    order(this.rows, rows);
    const targets = new Array<AppendTarget | null>(size).fill(null);
    for (let n = 0; n < this.count; n++) targets[n] = this.targets[(this.head + n) & (this.size - 1)]!;
    this.ends = ends;
    this.tokens = tokens;
    this.bases = bases;
    this.times = times;
    this.queues = queues;
    this.rows = rows;
    this.targets = targets;
    this.head = 0;
    this.size = size;
  }

  private growRows(): void {
    const size = this.rowSize * 2;
    const ends = new Float64Array(size);
    const queues = new Array<Queue | null>(size).fill(null);
    for (let n = 0; n < this.rowCount; n++) {
      const at = (this.rowHead + n) & (this.rowSize - 1);
      ends[n] = this.rowEnds[at]!;
      queues[n] = this.rowQueues[at]!;
    }
    this.rowEnds = ends;
    this.rowQueues = queues;
    this.rowHead = 0;
    this.rowSize = size;
  }
}
