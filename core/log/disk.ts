/**
 * The disk as the log sees it: a handful of calls, so that a test can lose unsynced bytes, tear writes, fill up or
 * fail. Paths are relative to the data directory. All calls are synchronous and throw DiskError; only syncAsync and
 * readAsync leave the loop. The real one lives in the gateway, the simulated one in core/testing.
 */
export type DiskErrorKind = 'full' | 'io' | 'missing' | 'exists' | 'locked';

export class DiskError extends Error {
  readonly kind: DiskErrorKind;
  constructor(kind: DiskErrorKind, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'DiskError';
    this.kind = kind;
  }
}

/** An open file. Reads and writes are whole: fewer bytes than asked for is an error, except at the end of the file for reads. */
export interface DiskFile {
  readonly path: string;
  size(): number;
  /** Returns the number of bytes read; less than `length` only at the end of the file. */
  read(target: Buffer, targetStart: number, length: number, position: number): number;
  /** `done` comes in a later turn. Off the loop, unless the disk knows of a way that is as good as memory. */
  readAsync(
    target: Buffer,
    targetStart: number,
    length: number,
    position: number,
    done: (error: DiskError | null, bytes: number) => void,
  ): void;
  write(source: Buffer, sourceStart: number, length: number, position: number): void;
  /** fdatasync on the caller's thread. */
  sync(): void;
  /**
   * fdatasync elsewhere; it must not queue behind reads, compression or password hashing. `tookMs` is the time of the
   * sync itself, without the way there and back.
   */
  syncAsync(done: (error: DiskError | null, tookMs: number) => void): void;
  /** Zeros over [from, to), written elsewhere, piece after piece; `done` comes in a later turn. One at a time per file. */
  zeroAsync(from: number, to: number, done: (error: DiskError | null) => void): void;
  /** Returns when nothing writes zeros into the file any more. What was under way still tells its `done`. */
  awaitZeros(): void;
  truncate(length: number): void;
  /** No more calls; what the system frees with it (the pages of a removed file) is freed elsewhere. */
  close(): void;
}

export interface Disk {
  /** Takes the directory for this process until it dies; throws DiskError `locked`. */
  lock(): void;
  unlock(): void;
  /** Creates missing parent directories on `create`. `create` truncates what was there. */
  open(path: string, mode: 'read' | 'write' | 'create'): DiskFile;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** Makes renames, creations and removals in the directory durable. */
  syncDirectory(path: string): void;
  /** The same elsewhere. */
  syncDirectoryAsync(path: string, done: (error: DiskError | null) => void): void;
  makeDirectory(path: string): void;
  /** Names in the directory, sorted; empty when it does not exist. */
  list(path: string): string[];
  exists(path: string): boolean;
  /** Bytes an unprivileged writer may still take. */
  freeBytes(): number;
}

/**
 * A directory that is still there after a power cut: its name is durable once its parent is synced. One that exists may
 * come from an attempt whose sync failed, so it is synced each time.
 */
export function makeDurableDirectory(disk: Disk, path: string): void {
  if (!disk.exists(path)) disk.makeDirectory(path);
  disk.syncDirectory('.');
}

/** What a job may wait for: done on the spot, or off the loop. */
export interface Syncable {
  sync(): void;
  syncAsync(done: (error: DiskError | null) => void): void;
}

export function directorySync(disk: Disk, path: string): Syncable {
  return { sync: () => disk.syncDirectory(path), syncAsync: (done) => disk.syncDirectoryAsync(path, done) };
}
