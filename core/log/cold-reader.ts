/**
 * Entries that are no longer in the tail's memory. They come in windows that are read off the loop and verified once,
 * entry by entry, when they arrive; a few windows stay for the readers that follow. What does not verify is never
 * served: its positions are remembered as damaged and reported once.
 */
import type { Crc32c, Position } from '../types.ts';
import { verifyEntry } from './entry.ts';
import { type Journal, JournalError, type Range } from './journal.ts';

interface Window {
  start: Position;
  end: Position;
  bytes: Buffer;
}

const WINDOW_RANDOM = 64 * 1024;
const WINDOW_SEQUENTIAL = 1024 * 1024;

export interface ColdListener {
  damaged(from: Position, to: Position): void;
}

export class ColdReader {
  private readonly journal: Journal;
  private readonly crc: Crc32c;
  private readonly listener: ColdListener;
  private readonly bytesMax: number;
  /** Least recently loaded first. */
  private readonly windows: Window[] = [];
  private windowBytes = 0;
  private readonly loading = new Map<Position, (() => void)[]>();
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

  /** True when the entry is in memory: `bytes` and `at` say where. */
  find(position: Position, length: number): boolean {
    for (let n = this.windows.length - 1; n >= 0; n--) {
      const window = this.windows[n]!;
      if (position >= window.start && position + length <= window.end) {
        this.bytes = window.bytes;
        this.at = position - window.start;
        return true;
      }
    }
    return false;
  }

  /** Fetches the entry and what follows it; `done` is called in a later turn, whether it is there, damaged, or the read failed. */
  load(position: Position, length: number, done: () => void): void {
    const waiting = this.loading.get(position);
    if (waiting !== undefined) {
      waiting.push(done);
      return;
    }
    const range = rangeOf(this.journal.ranges(), position);
    if (range === null || position + length > range.end) {
      this.bad.add(position);
      queueMicrotask(done);
      return;
    }
    const sequential = this.windows.some(
      (window) =>
        window.end === position ||
        (window.start < position && position - window.end < WINDOW_RANDOM && position >= window.end),
    );
    const size = Math.min(Math.max(length, sequential ? WINDOW_SEQUENTIAL : WINDOW_RANDOM), range.end - position);
    const bytes = Buffer.allocUnsafeSlow(size);
    this.loading.set(position, [done]);
    this.reads++;
    this.journal.readAsync(position, bytes, 0, size, (error) => {
      const callers = this.loading.get(position)!;
      this.loading.delete(position);
      this.arrived(range, position, length, bytes, error);
      for (const caller of callers) caller();
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
    this.arrived(range, position, length, bytes, failure);
  }

  private arrived(range: Range, position: Position, length: number, bytes: Buffer, error: JournalError | null): void {
    let end = 0;
    if (error === null) {
      while (end < bytes.length) {
        const size = verifyEntry(bytes, end, bytes.length, position + end, range.salt, this.crc);
        if (size === 0) break;
        end += size;
      }
    }
    if (end < length) {
      this.bad.add(position);
      this.listener.damaged(position, position + length);
      if (end === 0) return;
    }
    this.windows.push({ start: position, end: position + end, bytes });
    this.windowBytes += bytes.length;
    while (this.windows.length > 1 && this.windowBytes > this.bytesMax)
      this.windowBytes -= this.windows.shift()!.bytes.length;
  }

  /** The segment's bytes are gone. */
  forget(from: Position, to: Position): void {
    for (let n = this.windows.length - 1; n >= 0; n--) {
      const window = this.windows[n]!;
      if (window.start < from || window.start >= to) continue;
      this.windowBytes -= window.bytes.length;
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
