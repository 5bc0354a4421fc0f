/**
 * An open file of the simulated disk. Reads and writes are whole or fail; an injected error of a sync is also what the
 * disk then does: it forgets what it was to write.
 */
import { DiskError, type DiskFile } from '../log/disk.ts';
import type { SimDisk } from './sim-disk.ts';
import type { SimFile } from './sim-file.ts';

export class SimHandle implements DiskFile {
  readonly path: string;
  private readonly disk: SimDisk;
  private readonly file: SimFile;
  private readonly writable: boolean;
  private open = true;
  /** Writes the zeros that are under way, which happens when they are told of, or when somebody waits for them. */
  private zeros: (() => void) | null = null;

  constructor(disk: SimDisk, file: SimFile, path: string, writable: boolean) {
    this.disk = disk;
    this.file = file;
    this.path = path;
    this.writable = writable;
    file.handles++;
  }

  size(): number {
    this.check();
    this.disk.before('size', this.path);
    return this.file.current.size;
  }

  read(target: Buffer, targetStart: number, length: number, position: number): number {
    this.check();
    checkRange(target, targetStart, length, position);
    this.disk.before('read', this.path, length);
    return this.file.current.read(target, targetStart, length, position);
  }

  readAsync(
    target: Buffer,
    targetStart: number,
    length: number,
    position: number,
    done: (error: DiskError | null, bytes: number) => void,
  ): void {
    this.check();
    checkRange(target, targetStart, length, position);
    const error = this.refusal('read-async', length);
    this.disk.later('read-async', this.path, () => {
      if (error !== null) done(error, 0);
      else done(null, this.file.current.read(target, targetStart, length, position));
    });
  }

  write(source: Buffer, sourceStart: number, length: number, position: number): void {
    this.check(true);
    checkRange(source, sourceStart, length, position);
    const put = (bytes: number): void =>
      this.disk.changing(this.file, () => this.file.write(source, sourceStart, bytes, position));
    this.disk.before('write', this.path, length, put);
    const fits = this.file.current.fits(position, length, this.disk.freePages());
    put(fits);
    if (fits < length)
      throw new DiskError('full', `write ${this.path}: no space left after ${fits} of ${length} bytes`);
  }

  sync(): void {
    this.check();
    const error = this.refusal('sync');
    if (error !== null) throw error;
    this.file.finishSync(this.file.beginSync());
  }

  syncAsync(done: (error: DiskError | null, tookMs: number) => void): void {
    this.check();
    const error = this.refusal('sync-async');
    const point = error === null ? this.file.beginSync() : null;
    this.disk.later('sync-async', this.path, () => {
      if (point !== null) this.file.finishSync(point);
      done(error, 0);
    });
  }

  zeroAsync(from: number, to: number, done: (error: DiskError | null) => void): void {
    this.check(true);
    const length = to - from;
    let error = this.refusal('zero-async', length);
    const write = (): void => {
      if (this.zeros !== write) return;
      this.zeros = null;
      const fits = this.file.current.fits(from, length, this.disk.freePages());
      this.disk.changing(this.file, () => this.file.write(Buffer.alloc(fits), 0, fits, from));
      if (fits < length)
        error = new DiskError('full', `write ${this.path}: no space left after ${fits} of ${length} bytes`);
    };
    if (error === null) this.zeros = write;
    this.disk.later('zero-async', this.path, () => {
      write();
      done(error);
    });
  }

  awaitZeros(): void {
    this.zeros?.();
  }

  truncate(length: number): void {
    this.check(true);
    this.disk.before('truncate', this.path, length);
    this.disk.changing(this.file, () => this.file.resize(length));
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    this.file.handles--;
    this.disk.letGo(this.file);
    this.disk.before('close', this.path);
  }

  /** An injected DiskError, for calls that hand it on; a sync that fails forgets what it was to write. */
  private refusal(op: 'read-async' | 'sync' | 'sync-async' | 'zero-async', bytes = 0): DiskError | null {
    try {
      this.disk.before(op, this.path, bytes);
      return null;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (op === 'sync' || op === 'sync-async') this.file.failSync();
      return error;
    }
  }

  private check(writes = false): void {
    if (!this.open) throw new Error(`${this.path} is used after it was closed`);
    if (writes && !this.writable) throw new DiskError('io', `write ${this.path}: opened for reading`);
  }
}

function checkRange(bytes: Buffer, start: number, length: number, position: number): void {
  const fits = start >= 0 && length >= 0 && start + length <= bytes.length && Number.isSafeInteger(position + length);
  if (!fits || position < 0) throw new RangeError(`no ${length} bytes at ${start} of ${bytes.length}, at ${position}`);
}
