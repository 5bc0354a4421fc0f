/**
 * The journal seam: how bytes become durable. Nothing above it knows of files. The embedded one is FileJournal; a
 * replicated one (a fenced write-ahead log with sealed ranges in an object store) fits behind the same calls.
 *
 * Outcomes: a call that returns is *done*. A call that throws JournalError is *fenced* (another owner opened a later
 * epoch), *conflict* (the position is not the tail), *unknown* (the bytes may or may not be there: EIO, a lost
 * connection) or *full*. After any of the first three the state in memory is void: the owner answers nobody, opens
 * again with a new epoch and folds again. Nothing is retried on the same journal, least of all a sync.
 */
import type { Position } from '../types.ts';

export type JournalFailure = 'fenced' | 'conflict' | 'unknown' | 'full';

export class JournalError extends Error {
  readonly outcome: JournalFailure;
  constructor(outcome: JournalFailure, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'JournalError';
    this.outcome = outcome;
  }
}

/** A range of the log with one salt; an entry never straddles two. */
export interface Range {
  readonly base: Position;
  /** First position behind the last entry; for the active range the position of the next one. */
  readonly end: Position;
  /** Checksum seed of its entries. */
  readonly salt: number;
  /** Written by the cleaner: holds only moved entries and is complete or nothing. */
  readonly moved: boolean;
}

export interface Journal {
  readonly epoch: number;
  /** Position of the next append. */
  readonly tail: Position;
  /** Bytes that still fit into the active range. */
  readonly room: number;
  /** Bytes that fit into an empty range. */
  readonly roomMax: number;
  readonly salt: number;
  /** Ranges in order of position, the active one last. */
  ranges(): readonly Range[];
  /** Writes at the tail, whole. */
  append(position: Position, bytes: Buffer, start: number, length: number): void;
  /** All that was appended is durable when it returns, or when `done` is called without error; `tookMs` as of a DiskFile. */
  sync(): void;
  syncAsync(done: (error: JournalError | null, tookMs: number) => void): void;
  /** Ends the active range (durable first) and begins the next at the tail. */
  roll(): void;
  /** Reads committed bytes; `length` bytes that lie within one range. */
  read(position: Position, target: Buffer, start: number, length: number): void;
  readAsync(
    position: Position,
    target: Buffer,
    start: number,
    length: number,
    done: (error: JournalError | null) => void,
  ): void;
  /** Frees a range that nobody points to any more. */
  drop(base: Position): void;
  /**
   * False when so many bytes more than were appended would need another range (for publishers: would touch the reserve)
   * and the disk has no room for one. Makes the next range at once where it is needed and not complete.
   */
  accepts(bytes: number, keep: 'reserve' | 'nothing'): boolean;
  /** Completes the next range; false when the disk has no room for it. */
  ready(): boolean;
  /** The disk gave no room for the next range when it was last asked. */
  readonly full: boolean;
  /** Hears once that the journal failed for good, whoever was calling it. */
  onFailed: ((error: JournalError) => void) | null;
  /** A slice of the preparation of the next range, in proportion to what was appended; asks the disk again when it was full. */
  prepare(appendedBytes: number): void;
  close(): void;
}
