/**
 * Makes the index and key files of a sealed segment again from its entries, beside the running broker. Readers that met
 * the damage wait; they go on as soon as the units are in memory, before the new files are durable.
 */
import type { Tables } from '../state/tables.ts';
import { SegmentFold } from '../state/tables.ts';
import type { Clock, Crc32c, Position } from '../types.ts';
import type { Disk } from './disk.ts';
import type { FileJournal } from './file-journal.ts';
import type { Job, Jobs } from './jobs.ts';
import { writeKeyFile } from './key-index.ts';
import { walkSegment } from './scan.ts';
import { type BlockCache, FileIndex, indexPath, writeIndexFile } from './segment-index.ts';

/** After a repair that failed, those who wait are let go so much later and meet the damage again. */
const RETRY_MS = 1000;

export interface RepairOptions {
  disk: Disk;
  crc: Crc32c;
  cache: BlockCache;
  warn(text: string, error: unknown): void;
}

export class IndexRepair {
  private readonly tables: Tables;
  private readonly journal: FileJournal;
  private readonly jobs: Jobs;
  private readonly clock: Clock;
  private readonly options: RepairOptions;
  private readonly waiting = new Map<Position, (() => void)[]>();

  constructor(tables: Tables, journal: FileJournal, jobs: Jobs, clock: Clock, options: RepairOptions) {
    this.tables = tables;
    this.journal = journal;
    this.jobs = jobs;
    this.clock = clock;
    this.options = options;
  }

  /** Begins the repair unless it is under way; `done` comes in a later turn, when reading makes sense again. */
  wait(base: Position, done: () => void): void {
    const waiting = this.waiting.get(base);
    if (waiting !== undefined) {
      waiting.push(done);
      return;
    }
    this.waiting.set(base, [done]);
    this.options.warn(`the index of segment ${base} did not verify; it is made again`, null);
    this.jobs.add(this.repair(base), (error) => {
      if (error === null) return this.wake(base);
      this.options.warn(`the index of segment ${base} could not be made again`, error);
      this.clock.setTimer(RETRY_MS, () => this.wake(base));
    });
  }

  private wake(base: Position): void {
    const waiting = this.waiting.get(base) ?? [];
    this.waiting.delete(base);
    for (const done of waiting) done();
  }

  private *repair(base: Position): Job {
    const { disk, crc, cache } = this.options;
    const { queues, keys } = this.tables;
    const damaged = queues.indexes.get(base);
    const segment = this.journal.ranges().find((range) => range.base === base);
    // Its segment has died meanwhile: nobody is pointed here any more.
    if (damaged === undefined || segment === undefined) return;
    const fold = new SegmentFold(base);
    yield* walkSegment(segment, crc, (bytes, start) => this.tables.foldUnits(bytes, start, fold));
    if (queues.indexes.get(base) !== damaged) return;
    queues.adopt(base, fold.index);
    keys.restore(base, fold.keys);
    this.wake(base);
    yield* writeKeyFile(disk, fold.keys, base, crc);
    yield* writeIndexFile(disk, fold.index, indexPath(base), segment.end, crc);
    if (queues.indexes.get(base) !== fold.index) return;
    queues.adopt(base, new FileIndex(disk, indexPath(base), cache, crc));
    keys.adopt(base);
  }
}
