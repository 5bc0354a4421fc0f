// The lock on the data directory: one process per directory, held by the kernel, gone with the process however it dies.
//
// Node offers no flock or fcntl. Of what it has, an exclusively bound abstract socket belongs to a network name space,
// so two containers that share a volume would both hold it; a pid file outlives a crash; and O_EXCL does too. SQLite
// ships inside Node and takes a real fcntl lock on the file it has open, without writing to it: an exclusive
// transaction on an empty database is that lock. (POSIX rule: the lock falls when this process closes *any* descriptor
// of the file, so nothing else here may open it.)
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DiskError } from '../../core/log/disk.ts';

/** Names in the data directory that are not the log's. */
const LOCK_FILE = 'lock';
const OWNER_FILE = 'lock.owner';

/** SQLITE_BUSY and SQLITE_LOCKED: somebody else holds it. */
const BUSY = new Set([5, 6]);

export class DirectoryLock {
  readonly #root: string;
  #database: DatabaseSync | null = null;

  constructor(root: string) {
    this.#root = root;
  }

  /** Throws DiskError `locked`, naming the process that holds it where that is known. */
  take(): void {
    if (this.#database !== null) throw new DiskError('locked', `${this.#root} is already locked by this process`);
    const file = path.join(this.#root, LOCK_FILE);
    let database: DatabaseSync | null = null;
    try {
      // The journal in memory keeps SQLite from making a second file.
      database = new DatabaseSync(file);
      database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    } catch (cause) {
      database?.close();
      const code = (cause as { errcode?: number }).errcode ?? 0;
      if (BUSY.has(code & 0xff)) throw new DiskError('locked', `${this.#root} is in use${this.#owner()}`, { cause });
      throw new DiskError('io', `cannot lock ${file}: ${(cause as Error).message}`, { cause });
    }
    this.#database = database;
    const owner = { pid: process.pid, host: os.hostname(), since: new Date().toISOString() };
    fs.writeFileSync(path.join(this.#root, OWNER_FILE), JSON.stringify(owner) + '\n', { mode: 0o600 });
  }

  release(): void {
    if (this.#database === null) return;
    fs.rmSync(path.join(this.#root, OWNER_FILE), { force: true });
    this.#database.close();
    this.#database = null;
  }

  /** Who wrote itself down as the holder: a hint for people, never a proof. */
  #owner(): string {
    try {
      const text = fs.readFileSync(path.join(this.#root, OWNER_FILE), 'utf8');
      const { pid, host, since } = JSON.parse(text) as { pid: unknown; host: unknown; since: unknown };
      return ` by process ${String(pid)} on ${String(host)} since ${String(since)}`;
    } catch {
      return ' by another process';
    }
  }
}
