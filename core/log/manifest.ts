/**
 * The manifest names the immutable files that a start may begin from: the tables' snapshots, each with the position
 * from which the log must still be folded onto it, and the sealed segments whose index files are durable. It becomes
 * visible by rename, after everything it names is durable. The two newest are kept; a start takes the newest that
 * verifies as a whole.
 *
 * A file `manifest/<number>.json` is one line of JSON, then one line with its CRC-32C in hex. A table is a file of
 * blocks {u32 length, u32 crc32c, bytes}.
 */
import type { Crc32c, Position, TimeMs } from '../types.ts';
import { type Disk, DiskError, type DiskFile, directorySync } from './disk.ts';
import type { Job } from './jobs.ts';

export const MANIFEST_DIRECTORY = 'manifest';
export const MANIFEST_VERSION = 1;
export const MANIFESTS_KEPT = 2;
const BLOCK_HEAD = 8;

export interface TableFile {
  file: string;
  bytes: number;
  /** Entries at or above it are not in the table for certain. */
  position: Position;
}

export interface Manifest {
  version: number;
  number: number;
  epoch: number;
  /** The log was durable up to here when the manifest was made. */
  position: Position;
  storeTimeMs: TimeMs;
  createdMs: TimeMs;
  /** Bases of sealed segments with a durable index. */
  indexed: Position[];
  /** Bases of segments of moved entries that count; others are leftovers. */
  moved: Position[];
  /** Bases of segments that are dead and wait to be removed. */
  dead: Position[];
  tables: Record<string, TableFile>;
}

function manifestPath(number: number): string {
  return `${MANIFEST_DIRECTORY}/${String(number).padStart(10, '0')}.json`;
}

export function tablePath(number: number, table: string): string {
  return `${MANIFEST_DIRECTORY}/${String(number).padStart(10, '0')}-${table}.tab`;
}

export function manifestNumbers(disk: Disk): number[] {
  return disk
    .list(MANIFEST_DIRECTORY)
    .filter((name) => /^\d{10}\.json$/.test(name))
    .map((name) => Number(name.slice(0, 10)))
    .sort((a, b) => b - a);
}

function readWhole(disk: Disk, path: string): Buffer {
  const file = disk.open(path, 'read');
  try {
    const bytes = Buffer.allocUnsafe(file.size());
    const read = file.read(bytes, 0, bytes.length, 0);
    return bytes.subarray(0, read);
  } finally {
    file.close();
  }
}

/** Null when it does not verify. */
export function readManifest(disk: Disk, number: number, crc: Crc32c): Manifest | null {
  const bytes = readWhole(disk, manifestPath(number));
  const end = bytes.indexOf(0x0a);
  if (end < 0) return null;
  const sum = bytes.toString('latin1', end + 1, end + 9);
  if (sum !== crcText(crc, bytes, end)) return null;
  const manifest = JSON.parse(bytes.toString('utf8', 0, end)) as Manifest;
  if (manifest.version > MANIFEST_VERSION)
    throw new Error(
      `manifest format ${manifest.version} is newer than this broker's ${MANIFEST_VERSION}: start a newer broker on this directory`,
    );
  return manifest;
}

function crcText(crc: Crc32c, bytes: Buffer, end: number): string {
  return crc(bytes, 0, end, 0).toString(16).padStart(8, '0');
}

/** Durable when it ends. */
export function* writeManifest(disk: Disk, manifest: Manifest, crc: Crc32c): Job {
  const json = Buffer.from(JSON.stringify(manifest));
  const bytes = Buffer.concat([json, Buffer.from(`\n${crcText(crc, json, json.length)}\n`)]);
  const path = manifestPath(manifest.number);
  const file = disk.open(`${path}.tmp`, 'create');
  try {
    file.write(bytes, 0, bytes.length, 0);
    yield file;
  } finally {
    file.close();
  }
  disk.rename(`${path}.tmp`, path);
  yield directorySync(disk, MANIFEST_DIRECTORY);
}

/**
 * Removes manifests but the newest ones, and table files that no manifest kept names: the manifests first and durably,
 * so that no power cut leaves one whose tables are gone.
 */
export function* prune(disk: Disk, keep: readonly Manifest[]): Job {
  const named = new Set<string>();
  for (const manifest of keep) {
    named.add(manifestPath(manifest.number));
    for (const table of Object.values(manifest.tables)) named.add(table.file);
  }
  const gone = disk
    .list(MANIFEST_DIRECTORY)
    .map((name) => `${MANIFEST_DIRECTORY}/${name}`)
    .filter((path) => !named.has(path));
  const manifests = gone.filter((path) => path.endsWith('.json'));
  for (const path of manifests) disk.remove(path);
  if (manifests.length > 0) yield directorySync(disk, MANIFEST_DIRECTORY);
  for (const path of gone) {
    if (manifests.includes(path)) continue;
    disk.remove(path);
    yield undefined;
  }
}

export class TableWriter {
  readonly file: DiskFile;
  readonly path: string;
  private readonly crc: Crc32c;
  bytes = 0;

  constructor(disk: Disk, path: string, crc: Crc32c) {
    this.path = path;
    this.file = disk.open(path, 'create');
    this.crc = crc;
  }

  block(body: Buffer): void {
    const head = Buffer.allocUnsafe(BLOCK_HEAD);
    head.writeUInt32LE(body.length, 0);
    head.writeUInt32LE(this.crc(body, 0, body.length, 0), 4);
    this.file.write(head, 0, BLOCK_HEAD, this.bytes);
    if (body.length > 0) this.file.write(body, 0, body.length, this.bytes + BLOCK_HEAD);
    this.bytes += BLOCK_HEAD + body.length;
  }
}

/** Calls `each` for every block; false when the file is missing, short, or does not verify. */
export function readTable(disk: Disk, table: TableFile, crc: Crc32c, each: (block: Buffer) => void): boolean {
  let bytes: Buffer;
  try {
    bytes = readWhole(disk, table.file);
  } catch (error) {
    if (error instanceof DiskError && error.kind === 'missing') return false;
    throw error;
  }
  if (bytes.length !== table.bytes) return false;
  for (let at = 0; at < bytes.length; ) {
    if (at + BLOCK_HEAD > bytes.length) return false;
    const length = bytes.readUInt32LE(at);
    const start = at + BLOCK_HEAD;
    if (start + length > bytes.length || crc(bytes, start, start + length, 0) !== bytes.readUInt32LE(at + 4))
      return false;
    each(bytes.subarray(start, start + length));
    at = start + length;
  }
  return true;
}
