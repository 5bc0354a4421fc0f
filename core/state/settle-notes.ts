/**
 * What happened to leases in this turn, per (group, queue), until it is written: once per turn, all in one part.
 * Consecutive settlements become one run.
 */
import { ByteWriter } from '../log/bytes.ts';
import { SETTLE, writeSettlement } from '../log/parts.ts';
import type { GroupId, Offset, QueueNumber } from '../types.ts';

export class SettleSection {
  readonly group: GroupId;
  readonly queue: QueueNumber;
  private readonly writer = new ByteWriter(64);
  private operations = 0;
  private previous: Offset = 0;
  private runStart: Offset = 0;
  private runCount = 0;
  private delivered: Offset = -1;
  dirty = false;

  constructor(group: GroupId, queue: QueueNumber) {
    this.group = group;
    this.queue = queue;
  }

  settled(offset: Offset, count: number): void {
    if (this.runCount > 0 && offset === this.runStart + this.runCount) {
      this.runCount += count;
      return;
    }
    this.endRun();
    this.runStart = offset;
    this.runCount = count;
  }

  /** Coalesced: only the highest mark of the turn is written. */
  deliveredUpTo(offset: Offset): void {
    if (offset > this.delivered) this.delivered = offset;
  }

  note(kind: number, offset: Offset, a: number, b: number): void {
    this.endRun();
    // Nothing may follow the end of a ledger: it would open it again.
    if (kind === SETTLE.closed) this.delivered = -1;
    this.write(kind, offset, a, b);
  }

  private endRun(): void {
    if (this.runCount === 0) return;
    this.write(SETTLE.settled, this.runStart, this.runCount, 0);
    this.runCount = 0;
  }

  private write(kind: number, offset: Offset, a: number, b: number): void {
    writeSettlement(this.writer, kind, this.previous, offset, a, b);
    this.previous = offset;
    this.operations++;
  }

  /** Appends the section to `into` and begins anew. */
  flush(into: ByteWriter): void {
    this.endRun();
    if (this.delivered >= 0) this.write(SETTLE.delivered, this.delivered, 0, 0);
    if (this.operations > 0) {
      into.varint(this.group);
      into.varint(this.queue);
      into.varint(this.operations);
      into.raw(this.writer.done());
    }
    this.writer.reset();
    this.operations = 0;
    this.previous = 0;
    this.delivered = -1;
    this.dirty = false;
  }
}
