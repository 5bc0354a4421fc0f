/**
 * What the broker does by itself: seals segments, writes snapshots, moves queues' starts by retention, cleans segments
 * and drops dead ones. All of it in slices between turns, one job at a time.
 *
 * A dead segment's file goes only when every manifest kept was made after its death: so that a start from the older one
 * still finds all it names.
 */

import { type CleanerOptions, livenessOf, moveSurvivors } from './log/cleaner.ts';
import type { ColdReader } from './log/cold-reader.ts';
import { DiskError } from './log/disk.ts';
import type { FileJournal, Segment } from './log/file-journal.ts';
import type { IndexRepair } from './log/index-repair.ts';
import { finishJob, type Job, type Jobs } from './log/jobs.ts';
import { JournalError } from './log/journal.ts';
import { keyPath, type OpenKeys, writeKeyFile } from './log/key-index.ts';
import type { Queue } from './log/queue.ts';
import type { Recovered } from './log/recovery.ts';
import { FileIndex, IndexDamaged, indexPath, type MemoryIndex, type Run, writeIndexFile } from './log/segment-index.ts';
import { Ballast, type SnapshotState, writeSnapshot } from './log/snapshot.ts';
import { unitBase, unitCount, unitStoreTime } from './log/units.ts';
import type { Shard } from './shard.ts';
import type { Position } from './types.ts';

export interface MaintenanceOptions extends CleanerOptions {
  /** Between two looks at retention and liveness, in milliseconds. */
  retentionIntervalMs: number;
  /** A snapshot is written at the latest after so long, if anything changed. */
  snapshotIntervalMs: number;
  /** A segment is cleaned when at most this share of its bytes lives. */
  cleanRatio: number;
  ballastBytes: number;
  /** Told of work that failed without harm to what was acknowledged. */
  warn(text: string, error: unknown): void;
  /** Called with each look at retention, for what others forget by age. */
  tended(): void;
}

export class Maintenance {
  private readonly shard: Shard;
  private readonly journal: FileJournal;
  private readonly cold: ColdReader;
  private readonly repair: IndexRepair;
  /** Segments that ended and whose files are not written yet. */
  private readonly unsealed = new Map<Position, { index: MemoryIndex; keys: OpenKeys }>();
  private readonly sealing = new Set<Position>();
  private readonly options: MaintenanceOptions;
  private readonly jobs: Jobs;
  private readonly state: SnapshotState;
  private readonly ballast: Ballast;
  /** Number of the newest manifest when a segment died. */
  private readonly diedAt = new Map<Position, number>();
  private snapshotWaiting = false;
  private cleaning = false;
  private snapshotPosition: Position = 0;
  private stopped = false;
  private readonly timers: number[] = [];

  constructor(
    shard: Shard,
    journal: FileJournal,
    cold: ColdReader,
    repair: IndexRepair,
    options: MaintenanceOptions,
    recovered: Recovered,
  ) {
    this.repair = repair;
    this.shard = shard;
    this.journal = journal;
    this.cold = cold;
    this.options = options;
    this.jobs = shard.jobs;
    this.ballast = new Ballast(options.disk, options.ballastBytes);
    this.state = {
      manifests: recovered.manifests,
      attempted: 0,
      indexed: new Set(recovered.indexed),
      moved: new Set(recovered.segments.filter((segment) => segment.moved).map((segment) => segment.base)),
      dead: new Set(recovered.dead.filter((base) => journal.ranges().some((range) => range.base === base))),
    };
    for (const base of this.state.dead) this.diedAt.set(base, 0);
    this.snapshotPosition = recovered.manifests[0]?.position ?? 0;
    for (const base of recovered.unindexed) {
      const index = shard.tables.queues.indexes.get(base) as MemoryIndex;
      this.seal(base, index, shard.tables.keys.sealedKeys(base));
    }
  }

  start(): void {
    this.run(
      'ballast',
      () => this.ballast.make(),
      () => undefined,
    );
    this.every(this.options.retentionIntervalMs, () => this.tend());
    this.every(this.options.snapshotIntervalMs, () => {
      if (this.shard.log.position !== this.snapshotPosition) this.snapshot();
    });
  }

  private every(intervalMs: number, work: () => void): void {
    const slot = this.timers.length;
    const tick = (): void => {
      if (this.stopped || this.shard.log.lost !== null) return;
      work();
      this.timers[slot] = this.shard.clock.setTimer(intervalMs, tick);
    };
    this.timers[slot] = this.shard.clock.setTimer(intervalMs, tick);
  }

  /** On a full disk the work gets what the ballast held, once. */
  private run(name: string, job: () => Job, done: (failed: boolean) => void): void {
    this.jobs.add(job(), (error) => {
      if (error === null) return done(false);
      if (error instanceof DiskError && error.kind === 'full' && this.releaseBallast(name, error))
        return this.run(name, job, done);
      this.options.warn(`${name} failed`, error);
      done(true);
    });
  }

  private releaseBallast(name: string, error: DiskError): boolean {
    try {
      if (!this.ballast.release()) return false;
    } catch {
      return false;
    }
    this.options.warn(`${name}: the disk is full, gave up the ballast`, error);
    return true;
  }

  // ---------------------------------------------------------------- sealing

  /** The segment that ends here takes no more entries: its index becomes a file. */
  rolled(_base: Position): void {
    const { tables } = this.shard;
    const before = tables.queues.active;
    const keys = tables.keys.roll(before.base);
    tables.queues.roll(this.journal.tail);
    this.seal(before.base, before, keys);
  }

  private seal(base: Position, index: MemoryIndex, keys: OpenKeys): void {
    this.unsealed.set(base, { index, keys });
    this.sealing.add(base);
    this.run(
      `sealing of segment ${base}`,
      () => this.sealJob(base, index, keys),
      (failed) => {
        this.sealing.delete(base);
        if (!failed) this.unsealed.delete(base);
        this.snapshot();
      },
    );
  }

  private *sealJob(base: Position, index: MemoryIndex, keys: OpenKeys): Job {
    const { disk, crc, cache } = this.options;
    const { tables } = this.shard;
    const segment = this.journal.ranges().find((range) => range.base === base);
    if (segment === undefined) return;
    yield* writeKeyFile(disk, keys, base, crc);
    yield* writeIndexFile(disk, index, indexPath(base), segment.end, crc);
    tables.queues.adopt(base, new FileIndex(disk, indexPath(base), cache, crc));
    tables.keys.adopt(base);
    this.state.indexed.add(base);
  }

  /** What failed, of a full disk, is tried again. */
  private sealAgain(): void {
    if (this.shard.journal.full) return;
    for (const [base, { index, keys }] of this.unsealed) if (!this.sealing.has(base)) this.seal(base, index, keys);
  }

  // ---------------------------------------------------------------- snapshots

  snapshot(): void {
    if (this.snapshotWaiting || this.stopped) return;
    this.snapshotWaiting = true;
    this.run(
      'snapshot',
      () => this.snapshotJob(),
      (failed) => {
        this.snapshotWaiting = false;
        if (failed) return;
        if (this.diedAt.size > 0)
          this.run(
            'removal of dead segments',
            () => this.dropDead(),
            () => undefined,
          );
        this.run(
          'ballast',
          () => this.ballast.make(),
          () => undefined,
        );
      },
    );
  }

  private *snapshotJob(): Job {
    const { disk, crc } = this.options;
    const position = this.shard.log.position;
    yield* writeSnapshot(disk, crc, this.shard, this.state);
    this.snapshotPosition = position;
  }

  private *dropDead(): Job {
    const oldest = this.state.manifests.length < 2 ? 0 : this.state.manifests[this.state.manifests.length - 1]!.number;
    for (const [base, died] of this.diedAt) {
      if (oldest <= died) continue;
      const segment = this.journal.ranges().find((range) => range.base === base);
      if (segment !== undefined) {
        this.cold.forget(segment.base, segment.end);
        this.journal.drop(base);
      }
      for (const path of [indexPath(base), keyPath(base)])
        if (this.options.disk.exists(path)) this.options.disk.remove(path);
      this.shard.tables.keys.drop(base);
      this.diedAt.delete(base);
      this.state.dead.delete(base);
      this.state.moved.delete(base);
      yield undefined;
    }
  }

  // ---------------------------------------------------------------- retention and cleaning

  /** One look at everything; cheap when nothing is due. */
  tend(): void {
    this.sealAgain();
    this.retain();
    this.options.tended();
    this.clean();
  }

  private retain(): void {
    const nowMs = this.shard.log.storeTimeMs();
    for (const queue of this.shard.tables.queues.all()) {
      if (queue.runs.length === 0) continue;
      const topic = this.shard.tables.catalog.topicById(queue.topic);
      const retention = topic?.attributes.retention;
      if (retention === undefined || retention.mode !== 'log') continue;
      let start = queue.start;
      try {
        if (retention.timeMs >= 0) start = Math.max(start, startByTime(queue, nowMs - retention.timeMs));
      } catch (error) {
        if (!(error instanceof IndexDamaged)) throw error;
        this.repair.wait(error.base, () => undefined);
        continue;
      }
      if (retention.bytes >= 0) start = Math.max(start, startByBytes(queue, retention.bytes));
      if (start > queue.start) this.shard.moveStart(queue, Math.min(start, queue.visible));
    }
  }

  /** Drops segments in which nothing lives, moves what lives out of one that is mostly dead. */
  clean(): void {
    if (this.cleaning || this.stopped) return;
    let victim: Segment | null = null;
    let least = this.options.cleanRatio;
    let died = false;
    for (const segment of this.journal.ranges()) {
      if (!this.state.indexed.has(segment.base) || this.state.dead.has(segment.base)) continue;
      const index = this.shard.tables.queues.indexes.get(segment.base);
      if (index === undefined) continue;
      const { total, live } = livenessOf(this.shard, index.runs);
      if (live === 0) {
        this.die(segment.base);
        died = true;
      } else if (!segment.moved && total > 0 && live / total <= least) {
        least = live / total;
        victim = segment;
      }
    }
    if (died) this.snapshot();
    if (victim === null || this.shard.journal.full) {
      // The file of a dead segment goes with the second manifest after its death.
      if (this.diedAt.size > 0) this.snapshot();
      return;
    }
    this.cleaning = true;
    const base = victim.base;
    const segment = victim;
    this.run(
      `cleaning of segment ${base}`,
      () =>
        moveSurvivors(this.options, this.shard, this.journal, segment, (moved, index) =>
          this.replace(base, moved, index),
        ),
      () => {
        this.cleaning = false;
        this.snapshot();
      },
    );
  }

  /** The segment with the survivors takes the place of the one they came from. */
  private replace(base: Position, segment: Segment, index: FileIndex): void {
    this.journal.adopt(segment);
    this.state.moved.add(segment.base);
    this.state.indexed.add(segment.base);
    this.shard.tables.keys.adopt(segment.base);
    this.die(base, () => this.shard.tables.queues.adopt(segment.base, index));
  }

  /** Nobody is pointed to this segment any more; `instead` puts something in its place first. */
  private die(base: Position, instead: () => void = () => undefined): void {
    const { queues, catalog } = this.shard.tables;
    const runs: readonly Run[] = queues.indexes.get(base)?.runs ?? [];
    queues.drop(base);
    instead();
    this.state.indexed.delete(base);
    this.state.dead.add(base);
    this.diedAt.set(base, this.state.manifests[0]?.number ?? 0);
    for (const run of runs) {
      const queue = queues.get(run.queue);
      if (queue === undefined || catalog.topicById(queue.topic)?.attributes.retention.mode !== 'consumed') continue;
      // What was settled and is gone is not readable by offset any more.
      const start = Math.min(queue.runs[0]?.base ?? queue.visible, queue.visible);
      if (start > queue.start && run.end <= start) this.shard.moveStart(queue, start);
    }
  }

  // ---------------------------------------------------------------- the end

  stop(): void {
    this.stopped = true;
    for (const timer of this.timers) this.shard.clock.clearTimer(timer);
    this.jobs.stop();
  }

  /** Seals nothing, but makes the next start short. */
  lastSnapshot(): void {
    try {
      finishJob(writeSnapshot(this.options.disk, this.options.crc, this.shard, this.state));
    } catch (error) {
      if (!(error instanceof DiskError) && !(error instanceof JournalError)) throw error;
      this.options.warn('the last snapshot failed; the next start folds more of the log', error);
    }
  }
}

/** First offset stored at or after the time; whole units go. */
function startByTime(queue: Queue, timeMs: number): number {
  const scratch = { bytes: Buffer.alloc(0), at: 0 };
  let start = queue.start;
  for (const run of queue.runs) {
    if (run.storeTimeLastMs < timeMs) {
      start = run.end;
      continue;
    }
    if (run.storeTimeFirstMs >= timeMs) return start;
    const n = run.search((bytes, at) => unitStoreTime(bytes, at) >= timeMs, scratch);
    if (n === 0) return start;
    run.unitAt(n - 1, scratch);
    return unitBase(scratch.bytes, scratch.at) + unitCount(scratch.bytes, scratch.at);
  }
  return start;
}

/** Whole runs go, the oldest first, while what remains is still at least the limit. */
function startByBytes(queue: Queue, bytes: number): number {
  let total = 0;
  for (const run of queue.runs) total += run.bytes;
  let start = queue.start;
  for (const run of queue.runs) {
    if (total - run.bytes < bytes) return start;
    total -= run.bytes;
    start = run.end;
  }
  return start;
}
