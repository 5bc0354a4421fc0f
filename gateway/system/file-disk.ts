// The real Disk: files below one directory. What core/log/disk.ts promises, on POSIX. Invariants: reads and writes are
// whole or fail; paths stay inside the root; directories are 0700 and files 0600, as the log holds credentials.
import fs from 'node:fs';
import path from 'node:path';
import { assert } from '../../core/errors.ts';
import { type Disk, DiskError, type DiskFile } from '../../core/log/disk.ts';
import { DirectoryLock } from './directory-lock.ts';
import { diskError, diskErrorOfNumber } from './disk-errors.ts';
import { QuickReads } from './quick-reads.ts';
import { Syncer } from './syncer.ts';
import { Zeroer } from './zeroer.ts';

const { O_RDONLY, O_RDWR, O_CREAT, O_TRUNC } = fs.constants;
const OPEN_FLAGS = { read: O_RDONLY, write: O_RDWR, create: O_RDWR | O_CREAT | O_TRUNC } as const;

export class FileDisk implements Disk {
  readonly root: string;
  readonly #lock: DirectoryLock;
  readonly #quick = new QuickReads();
  #syncer: Syncer | null = null;
  #zeroer: Zeroer | null = null;
  readonly #threads: Threads = {
    syncer: () => (this.#syncer ??= new Syncer()),
    zeroer: () => (this.#zeroer ??= new Zeroer()),
  };

  /** Makes the directory when it is missing, durably. */
  constructor(root: string) {
    this.root = path.resolve(root);
    this.#lock = new DirectoryLock(this.root);
    try {
      const first = fs.mkdirSync(this.root, { recursive: true, mode: 0o700 });
      // `first` is the topmost directory made: its entry lies in its parent.
      for (let made = this.root; first !== undefined && made.length >= first.length; made = path.dirname(made)) {
        syncDirectory(path.dirname(made));
      }
    } catch (cause) {
      throw diskError('make directory', this.root, cause);
    }
  }

  lock(): void {
    this.#lock.take();
  }

  unlock(): void {
    this.#lock.release();
  }

  open(name: string, mode: 'read' | 'write' | 'create'): DiskFile {
    const full = this.#full(name);
    try {
      if (mode === 'create') fs.mkdirSync(path.dirname(full), { recursive: true, mode: 0o700 });
      const fd = fs.openSync(full, OPEN_FLAGS[mode], 0o600);
      return new OpenFile(name, fd, this.#quick, this.#threads);
    } catch (cause) {
      throw diskError('open', name, cause);
    }
  }

  rename(from: string, to: string): void {
    this.#attempt('rename', from, () => fs.renameSync(this.#full(from), this.#full(to)));
  }

  remove(name: string): void {
    const full = this.#full(name);
    this.#attempt('remove', name, () => {
      if (fs.lstatSync(full).isDirectory()) fs.rmdirSync(full);
      else fs.unlinkSync(full);
    });
  }

  syncDirectory(name: string): void {
    this.#attempt('sync directory', name, () => syncDirectory(this.#full(name)));
  }

  syncDirectoryAsync(name: string, done: (error: DiskError | null) => void): void {
    fs.open(this.#full(name), O_RDONLY, (openError, fd) => {
      if (openError !== null) return done(diskError('sync directory', name, openError));
      fs.fsync(fd, (error) => {
        fs.close(fd, () => done(error === null ? null : diskError('sync directory', name, error)));
      });
    });
  }

  makeDirectory(name: string): void {
    this.#attempt('make directory', name, () => fs.mkdirSync(this.#full(name), { recursive: true, mode: 0o700 }));
  }

  list(name: string): string[] {
    try {
      return fs.readdirSync(this.#full(name)).sort();
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw diskError('list', name, cause);
    }
  }

  exists(name: string): boolean {
    return fs.existsSync(this.#full(name));
  }

  freeBytes(): number {
    return this.#attempt('statfs', this.root, () => {
      const stats = fs.statfsSync(this.root);
      return stats.bavail * stats.bsize;
    });
  }

  /** Ends the threads after what they were asked for. */
  async stop(): Promise<void> {
    await Promise.all([this.#syncer?.stop(), this.#zeroer?.stop()]);
    this.#syncer = null;
    this.#zeroer = null;
  }

  #full(name: string): string {
    const full = path.join(this.root, name);
    assert(full === this.root || full.startsWith(this.root + path.sep), `the path ${name} stays in the data directory`);
    return full;
  }

  #attempt<T>(what: string, name: string, action: () => T): T {
    try {
      return action();
    } catch (cause) {
      throw diskError(what, name, cause);
    }
  }
}

function syncDirectory(full: string): void {
  const fd = fs.openSync(full, O_RDONLY);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Made when they are first needed. */
interface Threads {
  syncer(): Syncer;
  zeroer(): Zeroer;
}

class OpenFile implements DiskFile {
  readonly path: string;
  readonly #fd: number;
  readonly #quick: QuickReads;
  readonly #threads: Threads;
  /** Reads, syncs and zeros under way elsewhere; the descriptor is closed after the last of them. */
  #underWay = 0;
  #isZeroing = false;
  #isClosed = false;

  constructor(name: string, fd: number, quick: QuickReads, threads: Threads) {
    this.path = name;
    this.#fd = fd;
    this.#quick = quick;
    this.#threads = threads;
  }

  size(): number {
    return this.#attempt('stat', () => fs.fstatSync(this.#fd).size);
  }

  read(target: Buffer, targetStart: number, length: number, position: number): number {
    this.#assertOpen();
    let done = 0;
    try {
      while (done < length) {
        const bytes = fs.readSync(this.#fd, target, targetStart + done, length - done, position + done);
        if (bytes === 0) break;
        done += bytes;
      }
    } catch (cause) {
      throw diskError('read', this.path, cause);
    }
    return done;
  }

  readAsync(
    target: Buffer,
    targetStart: number,
    length: number,
    position: number,
    done: (error: DiskError | null, bytes: number) => void,
  ): void {
    this.#assertOpen();
    const now = (): DiskError | number => {
      try {
        return this.read(target, targetStart, length, position);
      } catch (error) {
        return error as DiskError;
      }
    };
    const told = (result: DiskError | number): void =>
      typeof result === 'number' ? done(null, result) : done(result, 0);
    if (this.#quick.try(length, now, told)) return;
    this.#underWay++;
    let total = 0;
    const more = (): void => {
      fs.read(this.#fd, target, targetStart + total, length - total, position + total, (cause, bytes) => {
        if (cause === null && bytes > 0 && total + bytes < length) {
          total += bytes;
          more();
          return;
        }
        this.#returned();
        if (cause !== null) done(diskError('read', this.path, cause), 0);
        else done(null, total + bytes);
      });
    };
    more();
  }

  write(source: Buffer, sourceStart: number, length: number, position: number): void {
    this.#assertOpen();
    let done = 0;
    try {
      while (done < length) {
        done += fs.writeSync(this.#fd, source, sourceStart + done, length - done, position + done);
      }
    } catch (cause) {
      throw diskError('write', this.path, cause);
    }
  }

  sync(): void {
    this.#assertOpen();
    this.#attempt('fdatasync', () => fs.fdatasyncSync(this.#fd));
  }

  syncAsync(done: (error: DiskError | null, tookMs: number) => void): void {
    this.#assertOpen();
    this.#underWay++;
    this.#threads.syncer().request({
      fd: this.#fd,
      synced: (errno, tookMs) => {
        this.#returned();
        done(errno === 0 ? null : diskErrorOfNumber('fdatasync', this.path, errno), tookMs);
      },
    });
  }

  zeroAsync(from: number, to: number, done: (error: DiskError | null) => void): void {
    this.#assertOpen();
    assert(!this.#isZeroing, `${this.path} gets zeros in one place at a time`);
    this.#underWay++;
    this.#isZeroing = true;
    this.#threads.zeroer().request({ fd: this.#fd, from, to }, (errno) => {
      this.#isZeroing = false;
      this.#returned();
      done(errno === 0 ? null : diskErrorOfNumber('write', this.path, errno));
    });
  }

  awaitZeros(): void {
    if (this.#isZeroing && !this.#threads.zeroer().await())
      throw new DiskError('io', `write ${this.path}: the thread that writes zeros does not answer`);
  }

  truncate(length: number): void {
    this.#assertOpen();
    this.#attempt('truncate', () => fs.ftruncateSync(this.#fd, length));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#underWay === 0) this.#release();
  }

  #returned(): void {
    this.#underWay--;
    if (this.#underWay === 0 && this.#isClosed) this.#release();
  }

  /** Off the loop: the last close of a removed segment frees its pages, which takes milliseconds. */
  #release(): void {
    fs.close(this.#fd, () => undefined);
  }

  #assertOpen(): void {
    assert(!this.#isClosed, `${this.path} is used while it is open`);
  }

  #attempt<T>(what: string, action: () => T): T {
    this.#assertOpen();
    try {
      return action();
    } catch (cause) {
      throw diskError(what, this.path, cause);
    }
  }
}
