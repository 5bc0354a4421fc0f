/**
 * Entries that are no longer in the tail's memory. They come in windows that are read off the loop and verified once,
 * entry by entry, when they arrive; a few windows stay for the readers that follow. What does not verify is never
 * served: its positions are remembered as damaged and reported once. The memory of a window is used again only when
 * nobody was given a slice of it but for a turn. What is fetched ahead of its readers takes half of the memory at most,
 * so that it does not push out what others are about to read.
 */
import type { Crc32c, Position } from '../types.ts';
import { verifyEntry } from './entry.ts';
import { type Journal, JournalError, type Range } from './journal.ts';

interface Window {
  start: Position;
  end: Position;
  bytes: Buffer;
  /** Somebody may hold a slice of it: it is never used again. */
  lent: boolean;
  /** So much of it was fetched ahead, as long as nobody has come for it. */
  aheadBytes: number;
}

/** On its way: what it brings ends at `end` at the latest. */
interface Load {
  readonly start: Position;
  readonly end: Position;
  readonly callers: (() => void)[];
}

export interface LoadHints {
  /** Bytes from the entry on that its reader will go through. */
  readonly wanted?: number;
  /**
   * What follows is not the reader's. Of large entries nothing more is read then: it would be verified and keep others
   * out of memory, and be gone before the readers of its queues come by (a reader of 1 MiB of one of 64 queues passes
   * 64 MiB of the log).
   */
  readonly alone?: boolean;
  /** Nobody waits for it yet: see aheadRoom. */
  readonly ahead?: boolean;
}

/** The least that is read at once. */
export const WINDOW_RANDOM = 64 * 1024;
const WINDOW_SEQUENTIAL = 1024 * 1024;
/** From this size on an entry that stands alone is worth a read of its own. */
const WINDOW_ALONE_MIN = 32 * 1024;
/** Sizes of buffers are multiples, so that one fits many windows. */
const BUFFER_STEP = 16 * 1024;

export interface ColdListener {
  damaged(from: Position, to: Position): void;
}

export class ColdReader {
  private readonly journal: Journal;
  private readonly crc: Crc32c;
  private readonly listener: ColdListener;
  /** Memory of its windows. */
  readonly bytesMax: number;
  /** Least recently loaded first. */
  private readonly windows: Window[] = [];
  private windowBytes = 0;
  /** The same by their start, among equals the newest last. */
  private readonly byStart: Window[] = [];
  /** Of windows that were fetched ahead, here or on their way. */
  private aheadBytes = 0;
  /** Buffers of windows that nobody holds, for the next ones: a new one for each keeps the collector busy. */
  private readonly free: Buffer[] = [];
  private freeBytes = 0;
  private readonly loading: Load[] = [];
  private readonly bad = new Set<Position>();
  reads = 0;
  /** Set by find. */
  bytes: Buffer = Buffer.alloc(0);
  at = 0;

  constructor(journal: Journal, crc: Crc32c, bytesMax: number, listener: ColdListener) {
    this.journal = journal;
    this.crc = crc;
    this.bytesMax = bytesMax;
    this.listener = listener;
  }

  isDamaged(position: Position): boolean {
    return this.bad.size > 0 && this.bad.has(position);
  }

  /** True when the entry is in memory: `bytes` and `at` say where. `brief`: for this turn only. */
  find(position: Position, length: number, brief = false): boolean {
    const window = this.windowOf(position, length);
    if (window === null) return false;
    if (!brief) window.lent = true;
    this.awaitsNoMore(window);
    this.bytes = window.bytes;
    this.at = position - window.start;
    return true;
  }

  /** Bytes that may still be fetched for nobody. */
  get aheadRoom(): number {
    return this.bytesMax / 2 - this.aheadBytes;
  }

  /** Whether the entry is in memory. */
  has(position: Position, length: number): boolean {
    return this.windowOf(position, length) !== null;
  }

  /** Whether it is on its way. */
  isComing(position: Position, length: number): boolean {
    return this.loading.some(({ start, end }) => position >= start && position + length <= end);
  }

  private windowOf(position: Position, length: number): Window | null {
    const window = this.byStart[this.behind(position) - 1];
    return window !== undefined && position + length <= window.end ? window : null;
  }

  /** Where in `byStart` a window belongs that begins at `position`: behind all that begin there or before. */
  private behind(position: Position): number {
    const { byStart } = this;
    let low = 0;
    let high = byStart.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (byStart[middle]!.start <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * Fetches the entry and what follows it, up to `wanted` bytes or more; `done` is called in a later turn, whether it is
   * there, damaged, or the read failed. Nothing that is here or on its way is read a second time.
   */
  load(position: Position, length: number, done: () => void, hints: LoadHints = {}): void {
    const { wanted = length, alone = false, ahead = false } = hints;
    const end = position + length;
    for (const load of this.loading) {
      if (load.start > position || end > load.end) continue;
      load.callers.push(done);
      return;
    }
    const range = rangeOf(this.journal.ranges(), position);
    if (range === null || end > range.end) {
      this.bad.add(position);
      queueMicrotask(done);
      return;
    }
    // Who wants much says himself what; for small pieces one after the other more is fetched than was asked for.
    const exact = alone && wanted >= WINDOW_ALONE_MIN;
    const sequential =
      !exact &&
      wanted < WINDOW_RANDOM &&
      this.windows.some(
        (window) =>
          window.end === position ||
          (window.start < position && position - window.end < WINDOW_RANDOM && position >= window.end),
      );
    const more = sequential ? WINDOW_SEQUENTIAL : WINDOW_RANDOM;
    let size = Math.min(exact ? wanted : Math.max(wanted, more), range.end - position);
    const next = this.byStart[this.behind(end - 1)];
    if (next !== undefined && next.start < position + size) size = next.start - position;
    for (const { start } of this.loading) if (start >= end && start < position + size) size = start - position;
    const bytes = this.buffer(size);
    const aheadBytes = ahead ? size : 0;
    this.aheadBytes += aheadBytes;
    const load: Load = { start: position, end: position + size, callers: [done] };
    this.loading.push(load);
    this.reads++;
    this.journal.readAsync(position, bytes, 0, size, (error) => {
      this.loading.splice(this.loading.indexOf(load), 1);
      this.arrived(range, position, length, bytes, size, error, aheadBytes);
      for (const caller of load.callers) caller();
    });
  }

  /** The same on the loop, for the few callers that must answer at once. */
  loadNow(position: Position, length: number): void {
    const range = rangeOf(this.journal.ranges(), position);
    if (range === null || position + length > range.end) {
      this.bad.add(position);
      return;
    }
    const bytes = Buffer.allocUnsafeSlow(length);
    this.reads++;
    let failure: JournalError | null = null;
    try {
      this.journal.read(position, bytes, 0, length);
    } catch (error) {
      if (!(error instanceof JournalError)) throw error;
      failure = error;
    }
    this.arrived(range, position, length, bytes, length, failure, 0);
  }

  /** `size` bytes have come, of which an entry of `length` was asked for. */
  private arrived(
    range: Range,
    position: Position,
    length: number,
    bytes: Buffer,
    size: number,
    error: JournalError | null,
    aheadBytes: number,
  ): void {
    let end = 0;
    if (error === null) {
      while (end < size) {
        const entry = verifyEntry(bytes, end, size, position + end, range.salt, this.crc);
        if (entry === 0) break;
        end += entry;
      }
    }
    if (end < length) {
      this.bad.add(position);
      this.listener.damaged(position, position + length);
      if (end === 0) {
        this.aheadBytes -= aheadBytes;
        return;
      }
    }
    const window = { start: position, end: position + end, bytes, lent: false, aheadBytes };
    this.windows.push(window);
    this.byStart.splice(this.behind(position), 0, window);
    this.windowBytes += bytes.length;
    while (this.windows.length > 1 && this.windowBytes > this.bytesMax) {
      const oldest = this.windows.shift()!;
      this.leaves(oldest);
      if (oldest.lent) continue;
      this.free.push(oldest.bytes);
      this.freeBytes += oldest.bytes.length;
    }
    // The sizes that are asked for change: those go that nobody wanted for the longest time.
    while (this.freeBytes > this.bytesMax / 2) this.freeBytes -= this.free.shift()!.length;
  }

  /** Its reader has come, or will find it gone. */
  private awaitsNoMore(window: Window): void {
    this.aheadBytes -= window.aheadBytes;
    window.aheadBytes = 0;
  }

  private leaves(window: Window): void {
    this.awaitsNoMore(window);
    this.windowBytes -= window.bytes.length;
    this.byStart.splice(this.byStart.lastIndexOf(window, this.behind(window.start) - 1), 1);
  }

  private buffer(size: number): Buffer {
    const n = this.free.findLastIndex(({ length }) => length >= size && length <= size * 2);
    if (n < 0) return Buffer.allocUnsafeSlow(Math.ceil(size / BUFFER_STEP) * BUFFER_STEP);
    const [bytes] = this.free.splice(n, 1) as [Buffer];
    this.freeBytes -= bytes.length;
    return bytes;
  }

  /** The segment's bytes are gone. */
  forget(from: Position, to: Position): void {
    for (let n = this.windows.length - 1; n >= 0; n--) {
      const window = this.windows[n]!;
      if (window.start < from || window.start >= to) continue;
      this.leaves(window);
      this.windows.splice(n, 1);
    }
  }
}

function rangeOf(ranges: readonly Range[], position: Position): Range | null {
  let low = 0;
  let high = ranges.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (ranges[middle]!.base <= position) low = middle;
    else high = middle - 1;
  }
  const range = ranges[low];
  return range !== undefined && position >= range.base && position < range.end ? range : null;
}
