/**
 * One shard: the tables, the log below them, and the turn that joins both. All that a turn appends leaves in one write;
 * settlements, offset commits and log-start moves of the turn are one entry; when the log says how far it is written
 * and synced, queues become visible and requests are answered, in that order.
 */
import { BrokerError } from './errors.ts';
import { align8, ByteWriter } from './log/bytes.ts';
import { type CommitListener, CommitRing } from './log/commit-ring.ts';
import { PART_HEAD, writePartHead } from './log/entry.ts';
import type { Jobs } from './log/jobs.ts';
import type { Journal, JournalError } from './log/journal.ts';
import { Log, type LogListener, type LogOptions } from './log/log.ts';
import { PART, writeOffset } from './log/parts.ts';
import type { Queue } from './log/queue.ts';
import type { Signals } from './signals.ts';
import { encodeEvent, type StateEvent } from './state/events.ts';
import type { SettleSection } from './state/settle-notes.ts';
import type { Tables } from './state/tables.ts';
import type { Clock, FlushLevel, GroupId, Offset, Position, QueueNumber, TimeMs } from './types.ts';
import type { AppendTarget, CommitTarget } from './verbs.ts';

const FULL_RETRY_MS = 500;

export interface ShardListener {
  /** The visible end of a queue grew; once per queue and commit. */
  advanced(queue: Queue): void;
  /** A segment was ended at `base`; the next one begins there. */
  rolled(base: Position): void;
  lost(error: JournalError): void;
}

export class Shard implements LogListener, CommitListener {
  readonly log: Log;
  readonly tables: Tables;
  readonly clock: Clock;
  readonly jobs: Jobs;
  readonly signals: Signals;
  private readonly listener: ShardListener;
  private readonly written = new CommitRing();
  private readonly synced = new CommitRing();
  private readonly sections: SettleSection[] = [];
  private readonly settlements = new ByteWriter(4096);
  private readonly offsets = new ByteWriter(4096);
  private readonly starts = new ByteWriter(256);
  private commitTargets: CommitTarget[] = [];
  private commitTokens: number[] = [];
  private readonly changed: Queue[] = [];
  private readonly changedSet = new Set<Queue>();
  /** How state changes are acknowledged. */
  readonly stateFlush: FlushLevel;

  constructor(
    options: LogOptions,
    tables: Tables,
    jobs: Jobs,
    signals: Signals,
    stateFlush: FlushLevel,
    storeTimeMs: TimeMs,
    listener: ShardListener,
  ) {
    this.tables = tables;
    this.clock = options.clock;
    this.jobs = jobs;
    this.signals = signals;
    this.stateFlush = stateFlush;
    this.listener = listener;
    this.log = new Log(options, this, storeTimeMs);
  }

  get journal(): Journal {
    return this.log.journal;
  }

  /** Throws once the journal is lost: nothing may be accepted that cannot be answered. */
  alive(): void {
    this.log.alive();
  }

  // ---------------------------------------------------------------- what a turn collects

  touch(section: SettleSection): void {
    if (section.dirty) return;
    section.dirty = true;
    this.sections.push(section);
    this.log.schedule();
  }

  commitOffset(
    group: GroupId,
    queue: QueueNumber,
    offset: Offset,
    epoch: number,
    timeMs: TimeMs,
    metadata: string,
  ): void {
    this.tables.offsets.set(group, queue, offset, epoch, timeMs, metadata);
    writeOffset(this.offsets, group, queue, offset, epoch, timeMs, metadata);
    this.log.schedule();
  }

  moveStart(queue: Queue, offset: Offset): void {
    queue.moveStart(offset);
    this.starts.varint(queue.number);
    this.starts.varint(offset);
    this.log.schedule();
  }

  /** Answered once what this turn collected is written. */
  afterWrite(target: CommitTarget, token: number): void {
    this.commitTargets.push(target);
    this.commitTokens.push(token);
    this.log.schedule();
  }

  private get collected(): boolean {
    return this.offsets.length + this.settlements.length + this.starts.length + this.sections.length > 0;
  }

  beforeWrite(): void {
    for (const section of this.sections) section.flush(this.settlements);
    this.sections.length = 0;
    // The reserve is used up as well: what is settled waits in memory until there is space; at worst it comes again.
    if (
      !this.room(this.settlements.length + this.offsets.length + this.starts.length + 4 * PART_HEAD + 64, 'nothing')
    ) {
      if (!this.retrying) this.clock.setTimer(FULL_RETRY_MS, this.retry);
      this.retrying = true;
      return;
    }
    const settlements = this.settlements.length;
    const offsets = this.offsets.length;
    const starts = this.starts.length;
    if (settlements + offsets + starts === 0) return;
    this.log.begin(3 * PART_HEAD + align8(settlements) + align8(offsets) + align8(starts));
    let at = this.log.at;
    let parts = 0;
    for (const [kind, writer] of [
      [PART.settlements, this.settlements],
      [PART.offsets, this.offsets],
      [PART.starts, this.starts],
    ] as const) {
      if (writer.length === 0) continue;
      at = this.part(at, kind, writer.done());
      writer.reset();
      parts++;
    }
    this.log.end(at, parts, this.log.storeTimeMs(), false);
  }

  /** Whether so many bytes more fit on the disk, beside what this turn has appended already. */
  room(bytes: number, keep: 'reserve' | 'nothing'): boolean {
    return this.journal.accepts(bytes + this.log.position - this.log.writtenTo, keep);
  }

  private retrying = false;

  private readonly retry = (): void => {
    this.retrying = false;
    if (this.log.lost !== null) return;
    this.journal.prepare(0);
    this.log.schedule();
  };

  /** Writes a part's head and body at `at` in the log's buffer; returns its padded end. */
  part(at: number, kind: number, body: Buffer): number {
    const bytes = this.log.bytes;
    writePartHead(bytes, at, kind, 0, 0, body.length);
    body.copy(bytes, at + PART_HEAD);
    const end = at + PART_HEAD + align8(body.length);
    bytes.fill(0, at + PART_HEAD + body.length, end);
    return end;
  }

  // ---------------------------------------------------------------- state changes

  /** Applies and logs events as one entry; resolves when it is committed. */
  change(events: readonly StateEvent[]): Promise<void> {
    this.alive();
    this.appendEvents(events);
    return this.settled();
  }

  /** The same without waiting: durable with the next write, like a settlement. */
  appendEvents(events: readonly StateEvent[]): void {
    const bodies = events.map(encodeEvent);
    let size = 0;
    for (const body of bodies) size += PART_HEAD + align8(body.length);
    if (!this.room(size + 64, 'nothing'))
      throw new BrokerError(
        'storage-full',
        'the disk is full: nothing can be created or changed until there is space again',
      );
    // What was settled and committed before something went is logged before it: else the fold would bring it back.
    if (events.some((event) => event.k.endsWith('-gone'))) this.beforeWrite();
    this.log.begin(size);
    let at = this.log.at;
    for (const body of bodies) at = this.part(at, PART.state, body);
    this.log.end(at, bodies.length, this.log.storeTimeMs(), this.stateFlush === 'sync');
    for (const event of events) this.tables.apply(event);
  }

  /** Resolves when everything appended so far is committed at the level of state changes. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      const ring = this.stateFlush === 'sync' ? this.synced : this.written;
      ring.push(this.log.position, { appended: () => resolve() }, 0, -1, -1, 0, 0);
      this.log.schedule();
    });
  }

  /** Everything appended is durable when it resolves, unless the journal was lost. */
  quiet(): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.log.whenQuiet(() => {
        try {
          if (this.log.lost === null) this.log.syncNow();
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  // ---------------------------------------------------------------- commits

  /** Appends that are not answered yet. */
  get waiting(): number {
    return this.written.waiting + this.synced.waiting;
  }

  /** The ring an append waits in; rows must be pushed to the same one before `answer`. */
  ring(sync: boolean): CommitRing {
    return sync ? this.synced : this.written;
  }

  answer(
    sync: boolean,
    target: AppendTarget,
    token: number,
    queue: QueueNumber,
    base: Offset,
    timeMs: TimeMs,
    rows: number,
  ): void {
    this.ring(sync).push(this.log.position, target, token, queue, base, timeMs, rows);
    this.log.schedule();
  }

  committed(writtenTo: Position, syncedTo: Position): void {
    const targets = this.commitTargets;
    const tokens = this.commitTokens;
    // A sync that ends in between tells nothing of what this turn has collected and not yet written.
    if (targets.length > 0 && !this.collected && writtenTo === this.log.position) {
      this.commitTargets = [];
      this.commitTokens = [];
      for (let n = 0; n < targets.length; n++) targets[n]!.committed(tokens[n]!);
    }
    this.releasingSynced = false;
    this.written.release(writtenTo, this);
    this.releasingSynced = true;
    this.synced.release(syncedTo, this);
    for (let n = 0; n < this.changed.length; n++) {
      const queue = this.changed[n]!;
      this.changedSet.delete(queue);
      this.listener.advanced(queue);
    }
    this.changed.length = 0;
  }

  private releasingSynced = false;

  visible(queue: Queue, end: Offset): void {
    if (this.releasingSynced) queue.syncPending--;
    if (end > queue.visible) queue.visible = end;
    if (!this.changedSet.has(queue)) {
      this.changedSet.add(queue);
      this.changed.push(queue);
    }
  }

  rolled(base: Position): void {
    this.listener.rolled(base);
  }

  lost(error: JournalError): void {
    this.listener.lost(error);
  }
}
