/**
 * A snapshot: every table written in slices beside the running broker, then the manifest that names them. A table's
 * position is taken before its first row is read; rows read later may hold newer effects, which is harmless because
 * folding is absolute. The log is synced up to the last of those effects before the manifest becomes visible.
 */
import type { Shard } from '../shard.ts';
import { TABLES, type TableName } from '../state/tables.ts';
import type { Crc32c, Position } from '../types.ts';
import { type Disk, DiskError, directorySync, makeDurableDirectory } from './disk.ts';
import type { Job } from './jobs.ts';
import {
  MANIFEST_DIRECTORY,
  MANIFEST_VERSION,
  MANIFESTS_KEPT,
  type Manifest,
  prune,
  type TableFile,
  TableWriter,
  tablePath,
  writeManifest,
} from './manifest.ts';

/** Given up by a snapshot that finds the disk full, and written again when there is space: real bytes, not a promise. */
const BALLAST_PATH = 'log/ballast';

export class Ballast {
  private readonly disk: Disk;
  private readonly bytes: number;

  constructor(disk: Disk, bytes: number) {
    this.disk = disk;
    this.bytes = bytes;
  }

  /** Writes it where it is missing; says nothing when the disk has no room for it. */
  *make(): Job {
    if (this.bytes === 0 || this.disk.exists(BALLAST_PATH)) return;
    const temporary = `${BALLAST_PATH}.tmp`;
    try {
      const file = this.disk.open(temporary, 'create');
      try {
        // Not zeros: a file system that stores zeros as holes would keep nothing back.
        const step = Buffer.alloc(64 * 1024, 0x52);
        for (let at = 0; at < this.bytes; at += step.length) {
          file.write(step, 0, Math.min(step.length, this.bytes - at), at);
          yield undefined;
        }
        yield file;
      } finally {
        file.close();
      }
      this.disk.rename(temporary, BALLAST_PATH);
    } catch (error) {
      if (!(error instanceof DiskError) || error.kind !== 'full') throw error;
      if (this.disk.exists(temporary)) this.disk.remove(temporary);
    }
  }

  release(): boolean {
    if (!this.disk.exists(BALLAST_PATH)) return false;
    this.disk.remove(BALLAST_PATH);
    return true;
  }
}

export interface SnapshotState {
  /** Newest first. */
  manifests: Manifest[];
  /** Highest number given to a snapshot, finished or not: one whose last step failed may be found by a start. */
  attempted: number;
  indexed: Set<Position>;
  moved: Set<Position>;
  dead: Set<Position>;
}

/** Every row of a table, block by block. */
function blocks(shard: Shard, table: TableName): Generator<Buffer> {
  const { tables } = shard;
  switch (table) {
    case 'state':
      return tables.writeState();
    case 'queues':
      return tables.writeQueues();
    case 'offsets':
      return tables.offsets.write();
    case 'ledgers':
      return tables.writeLedgers();
    case 'producers':
      return tables.producers.write();
  }
}

export function* writeSnapshot(disk: Disk, crc: Crc32c, shard: Shard, state: SnapshotState): Job {
  makeDurableDirectory(disk, MANIFEST_DIRECTORY);
  const number = Math.max(state.manifests[0]?.number ?? 0, state.attempted) + 1;
  state.attempted = number;
  const files: Record<string, TableFile> = {};
  for (const table of TABLES) {
    const position = shard.log.position;
    const writer = new TableWriter(disk, tablePath(number, table), crc);
    try {
      for (const block of blocks(shard, table)) {
        writer.block(block);
        yield undefined;
      }
      yield writer.file;
    } finally {
      writer.file.close();
    }
    files[table] = { file: writer.path, bytes: writer.bytes, position };
  }
  yield directorySync(disk, MANIFEST_DIRECTORY);
  // Taken before the sync: a segment sealed meanwhile is named by the next manifest.
  const indexed = [...state.indexed];
  const moved = [...state.moved];
  const dead = [...state.dead];
  yield shard.log.durable;
  const manifest: Manifest = {
    version: MANIFEST_VERSION,
    number,
    epoch: shard.journal.epoch,
    position: shard.log.syncedTo,
    storeTimeMs: shard.log.storeTimeMs(),
    createdMs: shard.clock.nowMs(),
    indexed,
    moved,
    dead,
    tables: files,
  };
  yield* writeManifest(disk, manifest, crc);
  state.manifests = [manifest, ...state.manifests].slice(0, MANIFESTS_KEPT);
  yield* prune(disk, state.manifests);
}
