/**
 * Walks the entries of a segment file from its start or from a position, verifying each, and says where and why it
 * stopped. Also finds the next valid entry behind bytes that do not verify: entries begin at multiples of eight, carry
 * a magic and a checksum over their own position and the segment's salt, so nothing else looks like one.
 */
import type { Crc32c, Position } from '../types.ts';
import { ENTRY_HEAD, ENTRY_MAGIC_BYTES, entryLengthAt, readEntryHead, verifyEntry } from './entry.ts';
import type { Segment } from './file-journal.ts';

const READ_BYTES = 4 * 1024 * 1024;

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

/** The next position above `from` with a valid entry, and the highest durable mark of all valid entries there; -1 when none. */
export function findBehind(segment: Segment, from: Position, crc: Crc32c): { position: Position; durable: Position } {
  const length = segment.limit - from;
  const bytes = Buffer.allocUnsafe(length);
  const got = segment.file.read(bytes, 0, length, segment.offsetOf(from));
  let position = -1;
  let durable = 0;
  let at = 8;
  while (at + ENTRY_HEAD <= got) {
    const found = bytes.indexOf(ENTRY_MAGIC_BYTES, at);
    if (found < 0) break;
    if ((found & 7) !== 0) {
      at = found + 1;
      continue;
    }
    const size = verifyEntry(bytes, found, got, from + found, segment.salt, crc);
    if (size === 0) {
      at = found + 8;
      continue;
    }
    if (position < 0) position = from + found;
    durable = Math.max(durable, readEntryHead(bytes, found).durable);
    at = found + size;
  }
  return { position, durable };
}
