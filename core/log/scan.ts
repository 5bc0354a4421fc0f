/**
 * Walks the entries of a segment file from its start or from a position, verifying each, and says where and why it
 * stopped. Also finds the next valid entry behind bytes that do not verify: entries begin at multiples of eight, carry
 * a magic and a checksum over their own position and the segment's salt, so nothing else looks like one.
 */
import type { Crc32c, Position } from '../types.ts';
import { ENTRY_HEAD, ENTRY_MAGIC_BYTES, entryLengthAt, readEntryHead, verifyEntry } from './entry.ts';
import type { Segment } from './file-journal.ts';
import type { Job } from './jobs.ts';

const READ_BYTES = 1024 * 1024;
const WINDOW_BYTES = 1024 * 1024;
const WALK_BYTES = 256 * 1024;

export interface ScanResult {
  /** First position that holds no valid entry. */
  end: Position;
  /** Highest durable mark of the entries passed. */
  durable: Position;
  epoch: number;
}

/** `each` gets the buffer and the start of each entry; entries whose epoch falls are not valid. */
export function scanSegment(
  segment: Segment,
  from: Position,
  epoch: number,
  crc: Crc32c,
  each: (bytes: Buffer, start: number) => void,
): ScanResult {
  const result: ScanResult = { end: from, durable: 0, epoch };
  let buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, segment.head.capacity));
  for (;;) {
    const room = segment.limit - result.end;
    if (room < ENTRY_HEAD) return result;
    const want = Math.min(buffer.length, room);
    const got = segment.file.read(buffer, 0, want, segment.offsetOf(result.end));
    let at = 0;
    while (at + ENTRY_HEAD <= got) {
      const length = verifyEntry(buffer, at, got, result.end, segment.salt, crc);
      if (length === 0) break;
      const head = readEntryHead(buffer, at);
      if (head.epoch < result.epoch) return result;
      result.epoch = head.epoch;
      if (head.durable > result.durable) result.durable = head.durable;
      each(buffer, at);
      at += length;
      result.end += length;
    }
    if (at > 0) continue;
    // Not even the first entry fits the buffer, or it is none.
    const claimed = got >= ENTRY_HEAD ? entryLengthAt(buffer, 0) : 0;
    if (claimed <= buffer.length || claimed > room) return result;
    buffer = Buffer.allocUnsafe(claimed);
  }
}

/** Every entry of a sealed segment, in slices; passes over damage that was set aside at start. */
export function* walkSegment(segment: Segment, crc: Crc32c, each: (bytes: Buffer, start: number) => void): Job {
  let buffer = Buffer.allocUnsafe(WALK_BYTES);
  let position = segment.base;
  while (position < segment.end) {
    const want = Math.min(buffer.length, segment.end - position);
    const got = segment.file.read(buffer, 0, want, segment.offsetOf(position));
    let at = 0;
    for (let size = 1; at < got && size > 0; at += size) {
      size = verifyEntry(buffer, at, got, position + at, segment.salt, crc);
      if (size > 0) each(buffer, at);
    }
    position += at;
    if (at === 0 && got === buffer.length && buffer.length < segment.end - position) {
      buffer = Buffer.allocUnsafe(buffer.length * 2);
    } else if (at === 0) {
      const behind = findBehind(segment, position, crc);
      if (behind.position < 0) return;
      position = behind.position;
    }
    yield undefined;
  }
}

/** The next position above `from` with a valid entry, and the highest durable mark of all valid entries there; -1 when none. */
export function findBehind(segment: Segment, from: Position, crc: Crc32c): { position: Position; durable: Position } {
  const window = Buffer.allocUnsafe(Math.min(WINDOW_BYTES, segment.limit - from));
  const found = { position: -1, durable: 0 };
  let at = from + 8;
  while (at + ENTRY_HEAD <= segment.limit) {
    const got = segment.file.read(window, 0, Math.min(window.length, segment.limit - at), segment.offsetOf(at));
    if (got < ENTRY_HEAD) break;
    const index = window.subarray(0, got).indexOf(ENTRY_MAGIC_BYTES);
    if (index < 0) {
      // A magic may lie across the edge of two windows; entries begin at multiples of eight.
      at += Math.max(8, (got - 8) & ~7);
      continue;
    }
    const candidate = at + index;
    // Positions are larger than what & can do.
    const beside = candidate % 8;
    const size = beside === 0 ? validEntryAt(segment, candidate, crc) : null;
    if (size === null) {
      at = candidate - beside + 8;
      continue;
    }
    if (found.position < 0) found.position = candidate;
    found.durable = Math.max(found.durable, size.durable);
    at = candidate + size.length;
  }
  return found;
}

function validEntryAt(segment: Segment, position: Position, crc: Crc32c): { length: number; durable: Position } | null {
  const head = Buffer.alloc(ENTRY_HEAD);
  if (segment.file.read(head, 0, ENTRY_HEAD, segment.offsetOf(position)) < ENTRY_HEAD) return null;
  const length = entryLengthAt(head, 0);
  if (length < ENTRY_HEAD || position + length > segment.limit) return null;
  const bytes = Buffer.allocUnsafe(length);
  const got = segment.file.read(bytes, 0, length, segment.offsetOf(position));
  if (verifyEntry(bytes, 0, got, position, segment.salt, crc) === 0) return null;
  return { length, durable: readEntryHead(bytes, 0).durable };
}
