/**
 * Opens a data directory: the newest manifest that verifies, the segments, the fold of what the manifest does not hold.
 *
 * The rules at the first entry that does not verify: in a segment that has a successor it is damage, because a segment
 * is synced before the next one begins. In the last segment it is damage when a later entry, or the manifest, says that
 * this position was durable; otherwise it is a torn tail: the rest is zeroed and synced, and appends go on there.
 * Damage is copied to `quarantine/`, reported, and passed over; it is never cut and never served.
 */
import { assert } from '../errors.ts';
import { SegmentFold, TABLES, type TableName, type Tables } from '../state/tables.ts';
import type { Crc32c, Position, TimeMs } from '../types.ts';
import { ByteReader } from './bytes.ts';
import { type Disk, DiskError, makeDurableDirectory } from './disk.ts';
import { readEntryHead } from './entry.ts';
import { Segment } from './file-journal.ts';
import { keyPath } from './key-index.ts';
import { MANIFEST_DIRECTORY, type Manifest, manifestNumbers, readManifest, readTable } from './manifest.ts';
import { findBehind, scanSegment } from './scan.ts';
import {
  decodeSeal,
  decodeSegmentHead,
  LOG_DIRECTORY,
  SEAL_AT,
  SEAL_BYTES,
  SEGMENT_HEAD,
  saltSeed,
  segmentBase,
} from './segment.ts';
import { type BlockCache, FileIndex, IndexDamaged, indexPath } from './segment-index.ts';

const QUARANTINE_DIRECTORY = 'quarantine';

interface Damage {
  from: Position;
  to: Position;
  file: string;
}

export interface Recovered {
  segments: Segment[];
  /** Where the next segment must begin, above positions that were given out in a file that is lost; -1 to go on in the last. */
  beginAt: Position;
  epoch: number;
  /** Newest first; at most two. */
  manifests: Manifest[];
  storeTimeMs: TimeMs;
  /** Sealed segments whose index is only in memory, in order. */
  unindexed: Position[];
  indexed: Position[];
  dead: Position[];
  damage: Damage[];
  /** What lies below was on the disk: the newest manifest or an entry says so. */
  durable: Position;
  /** Bytes cut as torn, and entries folded: for the log line at start. */
  tornBytes: number;
  entries: number;
}

export interface RecoveryOptions {
  disk: Disk;
  crc: Crc32c;
  cache: BlockCache;
}

const ZERO = Object.fromEntries(TABLES.map((table) => [table, 0])) as Record<TableName, Position>;

export function recover(options: RecoveryOptions, tables: Tables): Recovered {
  const damage: Damage[] = [];
  // Names that the process before has made or removed and did not get to sync are durable before anything relies on them.
  options.disk.syncDirectory('.');
  for (const directory of [LOG_DIRECTORY, MANIFEST_DIRECTORY])
    if (options.disk.exists(directory)) options.disk.syncDirectory(directory);
  const loaded = loadManifest(options, tables, damage);
  const manifest = loaded.manifests[0];
  const { segments, beginAt } = openSegments(options, manifest, damage);
  const from: Record<TableName, Position> = { ...ZERO };
  if (manifest !== undefined) for (const table of TABLES) from[table] = manifest.tables[table]!.position;
  const lowest = Math.min(...TABLES.map((table) => from[table]));

  const recovered: Recovered = {
    segments,
    beginAt,
    epoch: Math.max(manifest?.epoch ?? 0, ...segments.map((segment) => segment.head.epoch)),
    manifests: loaded.manifests,
    storeTimeMs: manifest?.storeTimeMs ?? 0,
    unindexed: [],
    indexed: [],
    dead: manifest?.dead ?? [],
    damage,
    durable: manifest?.position ?? 0,
    tornBytes: 0,
    entries: 0,
  };
  const indexedBases = new Set(manifest?.indexed ?? []);
  const deadBases = new Set(recovered.dead);
  tables.queues.indexes.clear();
  let epoch = 0;
  for (let n = 0; n < segments.length; n++) {
    const segment = segments[n]!;
    const last = n === segments.length - 1;
    const dead = deadBases.has(segment.base);
    const index = dead || !indexedBases.has(segment.base) ? null : openIndex(options, segment.base);
    const next = segments[n + 1];
    const known = dead || index !== null;
    if (index !== null) {
      tables.queues.adopt(segment.base, index);
      tables.keys.adopt(segment.base);
      recovered.indexed.push(segment.base);
      segment.end = index.end;
    }
    // What lies below every table's snapshot, in a segment whose index is known, need not be read at all.
    if (known && (next?.base ?? segment.limit) <= lowest) {
      if (index === null) segment.end = endOf(segment, next, beginAt);
      continue;
    }
    const moved = segment.moved && !known ? new SegmentFold(segment.base) : null;
    if (!known && moved === null) tables.queues.roll(segment.base);
    epoch = fold(options, tables, recovered, segment, next, from, known, moved, epoch);
    if (moved !== null) tables.queues.adopt(segment.base, moved.index);
    if (!known && (!last || segment.moved)) {
      if (moved === null) tables.keys.roll(segment.base);
      else tables.keys.restore(segment.base, moved.keys);
      recovered.unindexed.push(segment.base);
    }
  }
  for (const segment of segments)
    if (!segment.moved && segment.end > recovered.durable) rewrite(segment, recovered.durable);
  for (const queue of tables.queues.all()) queue.visible = queue.next;
  return recovered;
}

/** Folds one segment; returns the epoch its last entry had. */
function fold(
  options: RecoveryOptions,
  tables: Tables,
  recovered: Recovered,
  segment: Segment,
  next: Segment | undefined,
  from: Record<TableName, Position>,
  indexed: boolean,
  moved: SegmentFold | null,
  epochBefore: number,
): number {
  const { crc } = options;
  let position = segment.base;
  let epoch = segment.moved ? 0 : epochBefore;
  const end = endOf(segment, next, recovered.beginAt);
  for (;;) {
    const scan = scanSegment(segment, position, epoch, crc, (bytes, start) => {
      if (moved !== null) tables.foldUnits(bytes, start, moved);
      else tables.fold(bytes, start, from, indexed);
      const head = readEntryHead(bytes, start);
      if (head.storeTimeMs > recovered.storeTimeMs) recovered.storeTimeMs = head.storeTimeMs;
      if (head.epoch > recovered.epoch) recovered.epoch = head.epoch;
      recovered.entries++;
    });
    position = scan.end;
    epoch = scan.epoch;
    recovered.durable = Math.max(recovered.durable, scan.durable);
    if (end >= 0 && position >= end) break;
    const behind = findBehind(segment, position, crc);
    recovered.durable = Math.max(recovered.durable, behind.durable);
    if (end < 0 && position >= recovered.durable) {
      recovered.tornBytes += zeroTail(segment, position);
      break;
    }
    // Damage: up to the next entry, else up to what is known to have been durable here.
    const limit = Math.min(end >= 0 ? end : recovered.durable, segment.limit);
    const to = behind.position >= 0 ? behind.position : limit;
    recovered.damage.push(quarantine(options.disk, segment, position, to));
    position = to;
    if (behind.position >= 0) continue;
    if (end < 0) recovered.tornBytes += zeroTail(segment, position);
    break;
  }
  segment.end = position;
  return segment.moved ? epochBefore : epoch;
}

/**
 * Where the segment's entries end, -1 when only its bytes can tell: in the last one, which takes more. A seal counts
 * only below a successor; before that its segment may not be durable.
 */
function endOf(segment: Segment, next: Segment | undefined, beginAt: Position): Position {
  if (segment.moved) return segment.head.sealedEnd;
  if (next === undefined && beginAt < 0) return -1;
  return segment.sealedEnd >= 0 ? segment.sealedEnd : Math.min(next?.base ?? segment.limit, segment.limit);
}

// ---------------------------------------------------------------- manifest

function loadManifest(options: RecoveryOptions, tables: Tables, damage: Damage[]): { manifests: Manifest[] } {
  const { disk, crc } = options;
  const readable: Manifest[] = [];
  for (const number of manifestNumbers(disk)) {
    const manifest = readManifest(disk, number, crc);
    const verifies =
      manifest !== null &&
      TABLES.every(
        (table) =>
          manifest.tables[table] !== undefined && readTable(disk, manifest.tables[table]!, crc, () => undefined),
      );
    if (verifies) readable.push(manifest);
    else damage.push({ from: 0, to: 0, file: `${MANIFEST_DIRECTORY}/${number}` });
  }
  const manifest = readable[0];
  if (manifest === undefined) return { manifests: [] };
  const load = (table: TableName, each: (block: Buffer) => void): void => {
    const whole = readTable(disk, manifest.tables[table]!, crc, each);
    assert(whole, 'a table that verified is read again as it was');
  };
  load('state', (block) => tables.readState(block));
  load('queues', (block) => tables.readQueues(block));
  load('offsets', (block) => tables.offsets.read(block));
  load('producers', (block) => tables.producers.read(block));
  load('ledgers', (block) => tables.readLedger(new ByteReader(block)));
  return { manifests: readable };
}

function openIndex(options: RecoveryOptions, base: Position): FileIndex | null {
  if (!options.disk.exists(keyPath(base))) return null;
  try {
    return new FileIndex(options.disk, indexPath(base), options.cache, options.crc);
  } catch (error) {
    // It is made again from the segment.
    if (error instanceof IndexDamaged || (error instanceof DiskError && error.kind === 'missing')) return null;
    throw error;
  }
}

// ---------------------------------------------------------------- segments

function openSegments(
  options: RecoveryOptions,
  manifest: Manifest | undefined,
  damage: Damage[],
): { segments: Segment[]; beginAt: Position } {
  const { disk, crc } = options;
  const segments: Segment[] = [];
  const leftOver: string[] = [];
  let lostEnd = -1;

  const moved = new Set(manifest?.moved ?? []);
  for (const name of disk.list(LOG_DIRECTORY)) {
    const base = segmentBase(name);
    if (base < 0) {
      if (name.endsWith('.tmp')) disk.remove(`${LOG_DIRECTORY}/${name}`);
      continue;
    }
    const path = `${LOG_DIRECTORY}/${name}`;
    const file = disk.open(path, 'write');
    const bytes = Buffer.alloc(SEGMENT_HEAD);
    file.read(bytes, 0, SEGMENT_HEAD, 0);
    const head = decodeSegmentHead(bytes, crc);
    if (head === null || head.base !== base) {
      // A head is durable before its file has a name, so this is damage; without the salt nothing in it can be verified.
      lostEnd = Math.max(lostEnd, base + file.size());
      file.close();
      makeDurableDirectory(disk, QUARANTINE_DIRECTORY);
      disk.rename(path, `${QUARANTINE_DIRECTORY}/${name}`);
      damage.push({ from: base, to: base, file: `${QUARANTINE_DIRECTORY}/${name}` });
      continue;
    }
    // A segment of moved entries counts only when a manifest names it; its originals are still there otherwise.
    if (head.moved && !moved.has(base)) {
      file.close();
      leftOver.push(path);
      continue;
    }
    const segment = new Segment(head, saltSeed(head.salt, crc), file, base);
    segment.sealedEnd = decodeSeal(bytes, segment.salt, crc);
    segments.push(segment);
  }
  segments.sort((a, b) => a.base - b.base);
  if (manifest === undefined) checkWhole(segments, damage.length > 0);
  for (const path of leftOver) disk.remove(path);
  const last = segments[segments.length - 1];
  const beginAt = last !== undefined && lostEnd <= last.base ? -1 : lostEnd;
  if (last !== undefined && !last.moved && last.sealedEnd >= 0 && beginAt < 0) unseal(last);
  return { segments, beginAt };
}

/**
 * Without a manifest the log alone must give the state, so none of it may be missing: segments are dropped only when
 * two manifests were made without them. To go on here would be to forget topics, and to take survivors for left over.
 */
function checkWhole(segments: readonly Segment[], hadManifest: boolean): void {
  let expected = 0;
  for (const segment of segments) {
    // Before the first manifest a range may be reserved for moved entries; afterwards a gap cannot be told from a loss.
    if (segment.base !== expected && (hadManifest || expected === 0))
      throw new Error(
        `no manifest verifies, and the log lacks what lay in [${expected}, ${segment.base}): put back a copy of ${MANIFEST_DIRECTORY}/`,
      );
    expected = segment.sealedEnd >= 0 ? segment.sealedEnd : segment.limit;
  }
}

/** It ended, but nothing had begun behind it: it takes entries again. */
function unseal(segment: Segment): void {
  segment.file.write(Buffer.alloc(SEAL_BYTES), 0, SEAL_BYTES, SEAL_AT);
  segment.file.sync();
  segment.sealedEnd = -1;
}

function quarantine(disk: Disk, segment: Segment, from: Position, to: Position): Damage {
  const name = `${QUARANTINE_DIRECTORY}/${from}-${to}.bin`;
  makeDurableDirectory(disk, QUARANTINE_DIRECTORY);
  const bytes = Buffer.alloc(to - from);
  const got = segment.file.read(bytes, 0, bytes.length, segment.offsetOf(from));
  const file = disk.open(name, 'create');
  file.write(bytes, 0, got, 0);
  file.sync();
  file.close();
  disk.syncDirectory(QUARANTINE_DIRECTORY);
  return { from, to, file: name };
}

const STEP = 64 * 1024;

/**
 * Writes the segment again from `durable` on, and its head with the seal, as it is, and makes it durable. After a sync
 * that failed, the system holds bytes that are not on the disk and that no later sync would write; reading them proves
 * nothing. The next segment may have begun before its error was told, so what is not known to be durable may lie in more
 * than the last one.
 */
function rewrite(segment: Segment, durable: Position): void {
  const { file } = segment;
  const bytes = Buffer.allocUnsafe(STEP);
  const again = (from: number, to: number): void => {
    for (let at = from; at < to; at += STEP) {
      const got = file.read(bytes, 0, Math.min(STEP, to - at), at);
      file.write(bytes, 0, got, at);
    }
  };
  again(0, SEGMENT_HEAD);
  again(segment.offsetOf(Math.max(durable, segment.base)), segment.offsetOf(segment.end));
  file.sync();
}

/** Zeros the rest of the last segment where it is not zero, durably. Returns how many bytes held something. */
function zeroTail(segment: Segment, from: Position): number {
  const bytes = Buffer.alloc(STEP);
  const zeros = Buffer.alloc(STEP);
  let torn = 0;
  for (let position = from; position < segment.limit; position += STEP) {
    const length = Math.min(STEP, segment.limit - position);
    const got = segment.file.read(bytes, 0, length, segment.offsetOf(position));
    if (got === length && bytes.compare(zeros, 0, length, 0, length) === 0) continue;
    for (let n = 0; n < got; n++) if (bytes[n] !== 0) torn++;
    segment.file.write(zeros, 0, length, segment.offsetOf(position));
  }
  if (torn > 0) segment.file.sync();
  return torn;
}
