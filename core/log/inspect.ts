/**
 * Prints a data directory: manifests, segments, entries with their parts, index files. Reads only, takes no lock, says
 * of each file whether it verifies. FORMAT.md is the grammar of what it prints.
 */
import { decodeEvent } from '../state/events.ts';
import type { Crc32c, Position } from '../types.ts';
import { ByteReader } from './bytes.ts';
import type { Disk } from './disk.ts';
import { eachPart, type PartView, readEntryHead } from './entry.ts';
import { Segment } from './file-journal.ts';
import { manifestNumbers, readManifest, readTable } from './manifest.ts';
import {
  emptyMessageFields,
  MESSAGE,
  PART,
  type Row,
  readMessagePart,
  readOffsets,
  readQueueSet,
  readRow,
  readSettlements,
  readStarts,
  SETTLE,
} from './parts.ts';
import { findBehind, scanSegment } from './scan.ts';
import { decodeSegmentHead, LOG_DIRECTORY, SEGMENT_HEAD, saltSeed, segmentBase } from './segment.ts';
import { BlockCache, FileIndex } from './segment-index.ts';

export interface InspectOptions {
  disk: Disk;
  crc: Crc32c;
  /** Entries one by one, from this position on; without it only the files. */
  entriesFrom?: Position;
  /** At most so many entries. */
  entriesMax?: number;
}

const OPERATIONS = new Map<number, string>(Object.entries(SETTLE).map(([name, kind]) => [kind, name]));

export function* inspect(options: InspectOptions): Generator<string> {
  yield* inspectManifests(options);
  const sets = new Map<number, Uint32Array>();
  let left = options.entriesMax ?? 100;
  for (const name of options.disk.list(LOG_DIRECTORY)) {
    const path = `${LOG_DIRECTORY}/${name}`;
    if (name.endsWith('.idx')) yield* inspectIndex(options, path);
    if (segmentBase(name) < 0) continue;
    const segment = openSegment(options, path);
    if (segment === null) {
      yield `segment ${path}: the head does not verify`;
      continue;
    }
    const lines: string[] = [];
    let entries = 0;
    const scan = scanSegment(segment, segment.base, 0, options.crc, (bytes, start) => {
      entries++;
      collectSets(bytes, start, sets);
      const position = readEntryHead(bytes, start).position;
      if (options.entriesFrom === undefined || position < options.entriesFrom || left <= 0) return;
      left--;
      lines.push(...entryLines(bytes, start, sets));
    });
    const { head } = segment;
    const behind = scan.end < segment.limit ? findBehind(segment, scan.end, options.crc) : { position: -1, durable: 0 };
    yield `segment ${path}: base ${head.base}, ${entries} entries up to ${scan.end}, capacity ${head.capacity}, epoch ${head.epoch}${head.moved ? ', moved' : ''}`;
    if (behind.position >= 0) yield `  bytes [${scan.end}, ${behind.position}) do not verify, entries follow`;
    yield* lines;
    segment.file.close();
  }
}

function* inspectManifests({ disk, crc }: InspectOptions): Generator<string> {
  for (const number of manifestNumbers(disk)) {
    const manifest = readManifest(disk, number, crc);
    if (manifest === null) {
      yield `manifest ${number}: does not verify`;
      continue;
    }
    yield `manifest ${number}: position ${manifest.position}, epoch ${manifest.epoch}, made ${new Date(manifest.createdMs).toISOString()}, ${manifest.indexed.length} indexed, ${manifest.moved.length} moved, ${manifest.dead.length} dead segments`;
    for (const [name, table] of Object.entries(manifest.tables)) {
      let blocks = 0;
      const whole = readTable(disk, table, crc, () => {
        blocks++;
      });
      yield `  table ${name}: from position ${table.position}, ${table.bytes} bytes in ${blocks} blocks${whole ? '' : ', does not verify'}`;
    }
  }
}

function* inspectIndex({ disk, crc }: InspectOptions, path: string): Generator<string> {
  try {
    const index = new FileIndex(disk, path, new BlockCache(0), crc);
    yield `index ${path}: ${index.unitsTotal} units of ${index.runs.length} queues`;
    for (const run of index.runs)
      yield `  queue ${run.queue}: offsets [${run.base}, ${run.end}), ${run.units} units, ${run.bytes} bytes${run.dense ? ', dense' : ''}`;
    index.close();
  } catch (error) {
    yield `index ${path}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function openSegment({ disk, crc }: InspectOptions, path: string): Segment | null {
  const file = disk.open(path, 'read');
  const bytes = Buffer.alloc(SEGMENT_HEAD);
  file.read(bytes, 0, SEGMENT_HEAD, 0);
  const head = decodeSegmentHead(bytes, crc);
  if (head === null) {
    file.close();
    return null;
  }
  return new Segment(head, saltSeed(head.salt, crc), file, head.base);
}

function collectSets(bytes: Buffer, start: number, sets: Map<number, Uint32Array>): void {
  eachPart(bytes, start, (part) => {
    if (part.kind !== PART.queueSet) return;
    const set = readQueueSet(new ByteReader(bytes, part.start, part.end));
    sets.set(set.id, set.queues);
  });
}

function entryLines(bytes: Buffer, start: number, sets: ReadonlyMap<number, Uint32Array>): string[] {
  const head = readEntryHead(bytes, start);
  const lines = [
    `  entry ${head.position}: ${head.length} bytes, epoch ${head.epoch}, durable ${head.durable}, ${new Date(head.storeTimeMs).toISOString()}`,
  ];
  eachPart(bytes, start, (part) => void lines.push(`    ${partLine(bytes, start, part, sets)}`));
  return lines;
}

function partLine(bytes: Buffer, start: number, part: PartView, sets: ReadonlyMap<number, Uint32Array>): string {
  const reader = new ByteReader(bytes, part.start, part.end);
  const words: string[] = [];
  switch (part.kind) {
    case PART.message:
      return messageLine(bytes, start + part.offset, sets);
    case PART.settlements:
      readSettlements(reader, (group, queue, kind, offset, a, b) => {
        words.push(
          `group ${group} queue ${queue} ${OPERATIONS.get(kind) ?? kind} ${offset}${a > 0 || b > 0 ? ` (${a}, ${b})` : ''}`,
        );
      });
      return `settlements: ${words.join('; ')}`;
    case PART.offsets:
      readOffsets(reader, (group, queue, offset) => void words.push(`group ${group} queue ${queue} at ${offset}`));
      return `offsets: ${words.join('; ')}`;
    case PART.starts:
      readStarts(reader, (queue, offset) => void words.push(`queue ${queue} from ${offset}`));
      return `starts: ${words.join('; ')}`;
    case PART.state:
      return `state: ${redacted(bytes.subarray(part.start, part.end))}`;
    case PART.open:
      return `open: ${bytes.toString('utf8', part.start, part.end)}`;
    case PART.queueSet: {
      const set = readQueueSet(reader);
      return `queue set ${set.id}: ${set.queues.length} queues`;
    }
    default:
      return `part of kind ${part.kind}, ${part.end - part.start} bytes`;
  }
}

/** What could check or give away a password is not printed. */
function redacted(body: Buffer): string {
  const event = decodeEvent(body);
  return event.k === 'credential'
    ? `{"k":"credential","user":${JSON.stringify(event.row.user)}}`
    : body.toString('utf8');
}

function messageLine(bytes: Buffer, partAt: number, sets: ReadonlyMap<number, Uint32Array>): string {
  const fields = emptyMessageFields();
  readMessagePart(bytes, partAt, fields, (id) => sets.get(id)?.length ?? 0);
  const row: Row = { queue: 0, base: 0, first: 0, count: 0 };
  const rows: string[] = [];
  for (let n = 0; n < Math.min(fields.rowCount, 8); n++) {
    readRow(bytes, fields, n, (id, index) => sets.get(id)?.[index] ?? 0, row);
    rows.push(
      `queue ${row.queue} @${row.base}${fields.flags & MESSAGE.sliced ? ` records ${row.first}+${row.count}` : ''}`,
    );
  }
  if (fields.rowCount > 8) rows.push(`… ${fields.rowCount} queues`);
  const marks = Object.entries(MESSAGE).filter(([, bit]) => fields.flags & bit);
  return `message: format ${fields.format}, ${fields.records} records, ${fields.payloadLength} bytes, ${rows.join(', ')}${marks.length > 0 ? ` [${marks.map(([name]) => name).join(' ')}]` : ''}`;
}
