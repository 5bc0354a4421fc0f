/**
 * A disk in memory that fails as real ones do. A test crashes it, fills it, flips its bits, and injects errors at a
 * chosen call; `crash` and `kill` give a second disk as a restarted process would find it and leave this one as it is.
 *
 * Invariants: bytes are durable after a sync of their file (sim-file.ts), names after a sync of their directory
 * (sim-names.ts). Once a SimCrash was thrown the process is dead: every further call throws it again, and no callback
 * comes.
 */
import { type Disk, DiskError, type DiskFile } from '../log/disk.ts';
import { PAGE_BYTES } from './paged-bytes.ts';
import type { SimClock } from './sim-clock.ts';
import { SimFile } from './sim-file.ts';
import { SimHandle } from './sim-handle.ts';
import { normal, parentOf, SimNames } from './sim-names.ts';
import type { SimRandom } from './sim-random.ts';

export type DiskOperation =
  | 'lock'
  | 'unlock'
  | 'open'
  | 'rename'
  | 'remove'
  | 'sync-directory'
  | 'make-directory'
  | 'list'
  | 'exists'
  | 'free-bytes'
  | 'size'
  | 'read'
  | 'read-async'
  | 'write'
  | 'sync'
  | 'sync-async'
  | 'zero-async'
  | 'truncate'
  | 'close';

export interface DiskCall {
  /** Running number of the call, from 1. */
  readonly n: number;
  readonly op: DiskOperation;
  /** Of a rename: the old name. */
  readonly path: string;
  /** Bytes to be read or written. */
  readonly bytes: number;
  /** Set it before throwing: so much of a write is done first. */
  writtenBytes: number;
}

/** Thrown from beforeCall: the process or the power is gone at this call. */
export class SimCrash extends Error {
  override readonly name = 'SimCrash';
}

export class SimDisk implements Disk {
  /** May be changed at any time: somebody else fills the disk, or makes room. */
  capacityBytes: number;
  /** Runs before every operation. May throw SimCrash, or a DiskError (for the async calls it goes to their callback). */
  beforeCall: ((call: DiskCall) => void) | null = null;
  /** How long an async call takes, by the clock; without it, until the next turn. */
  latencyMs: ((op: 'read-async' | 'sync-async' | 'zero-async', path: string) => number) | null = null;
  /** Calls so far. */
  calls = 0;
  private readonly clock: SimClock | null;
  private names = new SimNames();
  private usedPages = 0;
  private locked = false;
  private dead: SimCrash | null = null;
  private settling: (() => void)[] = [];

  constructor({ capacityBytes = 2 ** 40, clock }: { capacityBytes?: number; clock?: SimClock } = {}) {
    this.capacityBytes = capacityBytes;
    this.clock = clock ?? null;
  }

  // ---------------------------------------------------------------- Disk

  lock(): void {
    this.before('lock', '');
    if (this.locked) throw new DiskError('locked', 'the directory is in use');
    this.locked = true;
  }

  unlock(): void {
    this.before('unlock', '');
    this.locked = false;
  }

  open(name: string, mode: 'read' | 'write' | 'create'): DiskFile {
    const path = this.before('open', name);
    let file = this.names.find(path);
    if (this.names.hasDirectory(path)) throw new DiskError('io', `open ${path}: is a directory`);
    if (file === undefined) {
      if (mode !== 'create') throw new DiskError('missing', `open ${path}: no such file`);
      file = new SimFile();
      file.links = 1;
      this.names.link(path, file);
    } else if (mode === 'create') {
      this.changing(file, () => file!.resize(0));
    }
    return new SimHandle(this, file, path, mode !== 'read');
  }

  rename(from: string, to: string): void {
    const path = this.before('rename', from);
    const target = normal(to);
    const file = this.file(path, 'rename');
    if (!this.names.hasDirectory(parentOf(target)) || this.names.hasDirectory(target))
      throw new DiskError(this.names.hasDirectory(target) ? 'io' : 'missing', `rename ${path} to ${target}`);
    if (path === target) return;
    const replaced = this.names.find(target);
    this.names.rename(path, target, file);
    if (replaced !== undefined) this.unlink(replaced);
  }

  remove(name: string): void {
    const path = this.before('remove', name);
    if (this.names.hasDirectory(path)) {
      if (path === '' || this.names.list(path).length > 0) throw new DiskError('io', `remove ${path}: not empty`);
      this.names.drop(path);
      return;
    }
    const file = this.file(path, 'remove');
    this.names.unlink(path);
    this.unlink(file);
  }

  syncDirectory(name: string): void {
    const path = this.before('sync-directory', name);
    if (!this.names.hasDirectory(path)) throw new DiskError('missing', `sync directory ${path}: no such directory`);
    this.names.sync(path);
  }

  syncDirectoryAsync(name: string, done: (error: DiskError | null) => void): void {
    let path = '';
    let error: DiskError | null = null;
    try {
      path = this.before('sync-directory', name);
      if (!this.names.hasDirectory(path)) throw new DiskError('missing', `sync directory ${path}: no such directory`);
    } catch (thrown) {
      if (!(thrown instanceof DiskError)) throw thrown;
      error = thrown;
    }
    this.later('sync-async', name, () => {
      if (error === null) this.names.sync(path);
      done(error);
    });
  }

  makeDirectory(name: string): void {
    const path = this.before('make-directory', name);
    this.names.make(path);
  }

  list(name: string): string[] {
    return this.names.list(this.before('list', name));
  }

  exists(name: string): boolean {
    const path = this.before('exists', name);
    return this.names.find(path) !== undefined || this.names.hasDirectory(path);
  }

  freeBytes(): number {
    this.before('free-bytes', '');
    return Math.max(0, Math.floor(this.capacityBytes / PAGE_BYTES) - this.usedPages) * PAGE_BYTES;
  }

  // ---------------------------------------------------------------- faults

  /** What a power cut may leave. This disk goes on as if nothing had been, so that one state can be cut many times. */
  crash(random: SimRandom): SimDisk {
    return this.another(this.names.crash(random));
  }

  /** What is there when the process was killed: all that was written, none of it more durable than before. */
  kill(): SimDisk {
    return this.another(this.names.copy());
  }

  flipBit(name: string, byte: number, bit: number): void {
    const { current } = this.file(normal(name), 'flip a bit of');
    const one = Buffer.alloc(1);
    if (current.read(one, 0, 1, byte) === 0) throw new RangeError(`${name} has ${current.size} bytes, no byte ${byte}`);
    one[0]! ^= 1 << bit;
    this.patch(name, byte, one);
  }

  /** Overwrites on the medium, not through a handle; durable at once. */
  patch(name: string, position: number, bytes: Buffer): void {
    const file = this.file(normal(name), 'patch');
    this.changing(file, () => file.patch(position, bytes));
  }

  /** Cuts on the medium, durable at once. */
  truncate(name: string, length: number): void {
    const file = this.file(normal(name), 'truncate');
    this.changing(file, () => file.cut(length));
  }

  /** The whole content as a reader sees it. */
  bytesOf(name: string): Buffer {
    const { current } = this.file(normal(name), 'read');
    const bytes = Buffer.alloc(current.size);
    current.read(bytes, 0, bytes.length, 0);
    return bytes;
  }

  /** All files, sorted. */
  paths(): string[] {
    return this.names.paths();
  }

  get usedBytes(): number {
    return this.usedPages * PAGE_BYTES;
  }

  /** Something written, made, renamed or removed is not yet durable. */
  get dirty(): boolean {
    return this.names.dirty || [...this.names.files()].some((file) => file.dirty);
  }

  /** Finishes the async calls under way, and those that their callbacks make. For a disk without clock. */
  settleAsync(): void {
    while (this.settling.length > 0) this.settling.shift()!();
  }

  // ---------------------------------------------------------------- for handles

  /** Gives the path without detours. */
  before(op: DiskOperation, name: string, bytes = 0, written?: (bytes: number) => void): string {
    if (this.dead !== null) throw this.dead;
    const path = normal(name);
    this.calls++;
    if (this.beforeCall === null) return path;
    const call: DiskCall = { n: this.calls, op, path, bytes, writtenBytes: 0 };
    try {
      this.beforeCall(call);
    } catch (error) {
      if (call.writtenBytes > 0) written?.(Math.min(bytes, call.writtenBytes));
      if (error instanceof SimCrash) this.dead = error;
      throw error;
    }
    return path;
  }

  /** Calls back in a later turn, unless the process has died by then. */
  later(op: 'read-async' | 'sync-async' | 'zero-async', path: string, callback: () => void): void {
    const call = (): void => {
      if (this.dead === null) callback();
    };
    if (this.clock === null) this.settling.push(call);
    else if (this.latencyMs !== null) this.clock.setTimer(this.latencyMs(op, path), call);
    else this.clock.afterTurn(call);
  }

  freePages(): number {
    return Math.floor(this.capacityBytes / PAGE_BYTES) - this.usedPages;
  }

  /** Keeps the count of used pages over a change of the file's content. */
  changing(file: SimFile, change: () => void): void {
    const before = file.current.allocated;
    change();
    this.usedPages += file.current.allocated - before;
  }

  /** Gives the room of a file back that has neither name nor handle. */
  letGo(file: SimFile): void {
    if (file.links === 0 && file.handles === 0) this.usedPages -= file.current.allocated;
  }

  private another(names: SimNames): SimDisk {
    const options = { capacityBytes: this.capacityBytes };
    const disk = new SimDisk(this.clock === null ? options : { ...options, clock: this.clock });
    disk.names = names;
    for (const file of names.files()) {
      file.links = 1;
      disk.usedPages += file.current.allocated;
    }
    return disk;
  }

  private file(path: string, what: string): SimFile {
    const file = this.names.find(path);
    if (file === undefined) throw new DiskError('missing', `${what} ${path}: no such file`);
    return file;
  }

  private unlink(file: SimFile): void {
    file.links = 0;
    this.letGo(file);
  }
}
