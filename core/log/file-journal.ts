/**
 * The embedded journal: segment files in one directory.
 *
 * Invariants: exactly one segment is active, the last; entries lie in one segment each; a segment takes its first entry
 * only after its zeros, head and name are durable and its predecessor is synced; after an error of a write or sync the
 * journal is closed for good. The spare segment is filled in proportion to what is appended, so that it is complete
 * while the active one still holds twice the reserve: the reserve is always real, already written bytes.
 */
import { assert } from '../errors.ts';
import type { Clock, Crc32c, Position, Random } from '../types.ts';
import { type Disk, DiskError, type DiskFile, makeDurableDirectory } from './disk.ts';
import type { Job } from './jobs.ts';
import { type Journal, JournalError, type Range } from './journal.ts';
import {
  encodeSeal,
  encodeSegmentHead,
  LOG_DIRECTORY,
  SEAL_AT,
  SEAL_BYTES,
  SEGMENT_HEAD,
  type SegmentHead,
  Spare,
  saltSeed,
  segmentPath,
} from './segment.ts';

export class Segment implements Range {
  readonly head: SegmentHead;
  readonly salt: number;
  readonly file: DiskFile;
  end: Position;
  /** What the file itself says of its end, -1 while it says nothing. */
  sealedEnd = -1;

  constructor(head: SegmentHead, salt: number, file: DiskFile, end: Position) {
    this.head = head;
    this.salt = salt;
    this.file = file;
    this.end = end;
  }

  get base(): Position {
    return this.head.base;
  }

  get moved(): boolean {
    return this.head.moved;
  }

  get limit(): Position {
    return this.head.base + this.head.capacity;
  }

  offsetOf(position: Position): number {
    return SEGMENT_HEAD + (position - this.head.base);
  }
}

export interface FileJournalOptions {
  disk: Disk;
  clock: Clock;
  random: Random;
  crc: Crc32c;
  /** Capacity of a segment in bytes. */
  segmentBytes: number;
  /** Real bytes kept for settlements, moves and snapshots when the disk is full. */
  reserveBytes: number;
}

/** Zeros that a job writes between two looks at the clock, in bytes. */
const STAND_BY_STEP = 256 * 1024;
/** Asked again for space so often, in milliseconds, while the disk is full. */
const FULL_RETRY_MS = 500;

export class FileJournal implements Journal {
  readonly epoch: number;
  private readonly options: FileJournalOptions;
  private readonly segments: Segment[];
  private active: Segment;
  private spare: Spare | null = null;
  private failed: JournalError | null = null;
  private closed = false;
  private fullSinceMs = 0;

  /** Hears once that the journal is closed for good; whoever owns it must answer nobody from then on. */
  onFailed: ((error: JournalError) => void) | null = null;

  /**
   * `segments` as recovery found them, in order, the last one to be continued; made anew when there is none, or where
   * `beginAt` says.
   */
  constructor(options: FileJournalOptions, epoch: number, segments: Segment[], beginAt: Position = -1) {
    assert(options.reserveBytes * 4 <= options.segmentBytes, 'the reserve is at most a quarter of a segment');
    this.options = options;
    this.epoch = epoch;
    this.segments = segments;
    const last = segments[segments.length - 1];
    if (last === undefined || last.moved || beginAt >= 0) {
      makeDurableDirectory(options.disk, LOG_DIRECTORY);
      this.active = this.begin(Math.max(last === undefined ? 0 : last.limit, beginAt));
    } else {
      this.active = last;
    }
  }

  get tail(): Position {
    return this.active.end;
  }

  get room(): number {
    return this.active.limit - this.active.end;
  }

  get roomMax(): number {
    return this.options.segmentBytes;
  }

  get salt(): number {
    return this.active.salt;
  }

  ranges(): readonly Segment[] {
    return this.segments;
  }

  append(position: Position, bytes: Buffer, start: number, length: number): void {
    this.live();
    if (position !== this.active.end)
      throw this.fail(new JournalError('conflict', `append at ${position}, the tail is ${this.active.end}`));
    assert(length <= this.room, 'an append fits into the active range');
    try {
      this.active.file.write(bytes, start, length, this.active.offsetOf(position));
    } catch (error) {
      throw this.fail(new JournalError('unknown', `write of ${length} bytes at ${position} failed`, { cause: error }));
    }
    this.active.end = position + length;
  }

  sync(): void {
    this.live();
    try {
      this.active.file.sync();
    } catch (error) {
      throw this.fail(new JournalError('unknown', 'sync of the log failed', { cause: error }));
    }
  }

  syncAsync(done: (error: JournalError | null, tookMs: number) => void): void {
    this.live();
    this.active.file.syncAsync((error, tookMs) => {
      // Whoever closes the journal has synced it: what was under way then has nothing left to say.
      if (this.closed) return;
      if (error === null) return done(this.failed, tookMs);
      done(this.fail(new JournalError('unknown', 'sync of the log failed', { cause: error })), tookMs);
    });
  }

  roll(): void {
    this.seal();
    this.active = this.begin(this.active.end);
  }

  /** Ends the active segment durably; its file says where. */
  private seal(): void {
    this.live();
    const { end, salt, file } = this.active;
    try {
      file.write(encodeSeal(end, salt, this.options.crc), 0, SEAL_BYTES, SEAL_AT);
    } catch (error) {
      throw this.fail(new JournalError('unknown', `sealing of segment ${this.active.base} failed`, { cause: error }));
    }
    this.sync();
    this.active.sealedEnd = end;
  }

  private begin(base: Position): Segment {
    const { disk, crc, clock, random } = this.options;
    let path = Spare.path;
    try {
      this.spare ??= new Spare(disk, this.options.segmentBytes);
      const spare = this.spare;
      spare.finish();
      const head: SegmentHead = {
        moved: false,
        base,
        epoch: this.epoch,
        capacity: spare.capacity,
        salt: random.bytes(Buffer.alloc(16)),
        sealedEnd: 0,
        createdMs: clock.nowMs(),
      };
      spare.file.write(encodeSegmentHead(head, crc), 0, SEGMENT_HEAD, 0);
      spare.file.sync();
      path = segmentPath(base);
      disk.rename(Spare.path, path);
      disk.syncDirectory(LOG_DIRECTORY);
      const segment = new Segment(head, saltSeed(head.salt, crc), spare.file, base);
      this.segments.push(segment);
      this.spare = null;
      return segment;
    } catch (error) {
      const full = error instanceof DiskError && error.kind === 'full';
      throw this.fail(new JournalError(full ? 'full' : 'unknown', `cannot begin segment ${path}`, { cause: error }));
    }
  }

  private segmentOf(position: Position): Segment {
    let low = 0;
    let high = this.segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.segments[middle]!.base <= position) low = middle;
      else high = middle - 1;
    }
    const segment = this.segments[low];
    assert(segment !== undefined && position >= segment.base, 'a position that is read lies in a segment');
    return segment;
  }

  read(position: Position, target: Buffer, start: number, length: number): void {
    const segment = this.segmentOf(position);
    try {
      const bytes = segment.file.read(target, start, length, segment.offsetOf(position));
      if (bytes === length) return;
    } catch (error) {
      throw new JournalError('unknown', `read of ${length} bytes at ${position} failed`, { cause: error });
    }
    throw new JournalError(
      'unknown',
      `read of ${length} bytes at ${position} passes the end of segment ${segment.base}`,
    );
  }

  readAsync(
    position: Position,
    target: Buffer,
    start: number,
    length: number,
    done: (error: JournalError | null) => void,
  ): void {
    const segment = this.segmentOf(position);
    segment.file.readAsync(target, start, length, segment.offsetOf(position), (error, bytes) => {
      if (error === null && bytes === length) return done(null);
      done(new JournalError('unknown', `read of ${length} bytes at ${position} failed`, { cause: error }));
    });
  }

  drop(base: Position): void {
    const index = this.segments.findIndex((segment) => segment.base === base);
    assert(index >= 0 && this.segments[index] !== this.active, 'only a sealed segment is dropped');
    // When one of these fails it is done again later: until then the segment is known.
    if (this.options.disk.exists(segmentPath(base))) this.options.disk.remove(segmentPath(base));
    this.options.disk.syncDirectory(LOG_DIRECTORY);
    const [segment] = this.segments.splice(index, 1);
    segment!.file.close();
    this.fullSinceMs = Math.min(this.fullSinceMs, 1);
  }

  accepts(bytes: number, keep: 'reserve' | 'nothing'): boolean {
    if (bytes <= this.room - (keep === 'reserve' ? this.options.reserveBytes : 0)) return true;
    // A journal that failed says so at the write.
    return this.ready() || this.failed !== null;
  }

  ready(): boolean {
    if (this.spare?.ready) return true;
    if (this.failed !== null || !this.askAgain()) return false;
    this.fill((spare) => spare.finish());
    return this.spare?.ready === true;
  }

  /** The same as `ready`, in slices: a job that needs the next segment soon does not stop the loop for it. */
  *standBy(): Job {
    while (this.failed === null && this.spare?.ready !== true && this.askAgain()) {
      this.fill((spare) => spare.fill(STAND_BY_STEP));
      const spare = this.spare;
      if (spare === null || spare.zeroed < spare.total) yield undefined;
      else
        yield {
          sync: () => this.fill((current) => current.finish()),
          syncAsync: (done) =>
            spare.syncAsync((error) => {
              if (error !== null) this.spareFailed(error);
              done(error);
            }),
        };
    }
  }

  /** What went wrong with the next segment off the loop. A full disk is asked again. */
  private readonly behind = (error: DiskError): void => {
    if (this.failed !== null) return;
    if (error.kind === 'full') this.fullSinceMs = this.options.clock.nowMs();
    else this.spareFailed(error);
  };

  private spareFailed(error: DiskError): JournalError {
    return this.fail(new JournalError('unknown', 'sync of the next segment failed', { cause: error }));
  }

  get full(): boolean {
    return this.fullSinceMs > 0 && this.spare?.ready !== true;
  }

  prepare(appendedBytes: number): void {
    if (this.failed !== null || this.spare?.ready || !this.askAgain()) return;
    this.fill((spare) => {
      if (this.fullSinceMs > 0) spare.fill(spare.total);
      // Complete when the active segment still holds twice the reserve.
      const used = this.active.end - this.active.base + appendedBytes;
      const due = Math.ceil((used / (this.active.head.capacity - 2 * this.options.reserveBytes)) * spare.total);
      spare.fillBehind(due, this.behind);
    });
  }

  /** A full disk is not asked at every append. */
  private askAgain(): boolean {
    return this.fullSinceMs === 0 || this.options.clock.nowMs() - this.fullSinceMs >= FULL_RETRY_MS;
  }

  /** Works on the next segment; remembers that the disk is full, and fails for good on any other error. */
  private fill(work: (spare: Spare) => void): void {
    try {
      this.spare ??= new Spare(this.options.disk, this.options.segmentBytes);
      work(this.spare);
      this.fullSinceMs = 0;
    } catch (error) {
      if (error instanceof DiskError && error.kind === 'full') this.fullSinceMs = this.options.clock.nowMs();
      else this.fail(new JournalError('unknown', 'cannot prepare the next segment', { cause: error }));
    }
  }

  /** Adds a finished segment of moved entries, made by the cleaner in a range that was reserved for it. */
  adopt(segment: Segment): void {
    let at = this.segments.length;
    while (at > 0 && this.segments[at - 1]!.base > segment.base) at--;
    this.segments.splice(at, 0, segment);
  }

  /** Ends the active segment and leaves a gap of `bytes` behind it for a segment of moved entries; returns its base. */
  reserve(bytes: number): Position {
    this.seal();
    // Never the base of a segment that took no entry: two files would have one name.
    const base = Math.max(this.active.end, this.active.base + 8);
    this.active = this.begin(base + bytes);
    return base;
  }

  close(): void {
    this.closed = true;
    for (const segment of this.segments) segment.file.close();
    this.spare?.close();
    this.failed ??= new JournalError('unknown', 'the journal is closed');
  }

  private live(): void {
    if (this.failed !== null) throw this.failed;
  }

  private fail(error: JournalError): JournalError {
    if (this.failed === null) {
      this.failed = error;
      this.onFailed?.(error);
    }
    return this.failed;
  }
}
