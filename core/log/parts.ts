/**
 * The parts an entry is made of. Every effect of a part is absolute (a value, a set bit, a maximum), touches each row
 * by itself and reads no other row, no clock and no configuration: folding an old entry again over a newer state and
 * then the newer entries ends in the same state. A kind never changes its meaning; new behaviour is a new kind.
 */
import type { Offset, Position, QueueNumber, TimeMs } from '../types.ts';
import { align8, type ByteReader, type ByteWriter, readU48, writeU16, writeU32, writeU48 } from './bytes.ts';
import { PART_HEAD } from './entry.ts';

export const PART = {
  /** A payload, visible in the queues it names. */
  message: 1,
  /** Settlements, returns, leases and delivered marks of any number of (group, queue). */
  settlements: 3,
  /** Offset commits. */
  offsets: 4,
  /** One state change as JSON, see state/events.ts. */
  state: 5,
  /** Queues whose first kept offset moves forward. */
  starts: 6,
  /** A new owner of the shard begins: first entry of its epoch. */
  open: 7,
  /** Gives a number to a set of queues for large fan-outs. */
  queueSet: 8,
} as const;

/** Bits 0-7 of a message part's flags are the unit's own (types.ts UNIT); these say which optional fields follow. */
export const MESSAGE = {
  expiry: 0x100,
  producer: 0x200,
  sliced: 0x400,
  set: 0x800,
  moved: 0x1000,
  due: 0x2000,
} as const;

const FIXED = 24;
const QUEUE_ROW = 12;
const SLICED_ROW = 20;

/** Everything of a message part but its payload and its rows. Reused, never kept. */
export interface MessageFields {
  format: number;
  flags: number;
  records: number;
  tagHash: number;
  recordTimeMaxMs: TimeMs;
  payloadLength: number;
  priority: number;
  /** Present by flags: */
  expiryMs: TimeMs;
  producerId: number;
  baseSequence: number;
  producerEpoch: number;
  movedStoreTimeMs: TimeMs;
  movedFrom: Position;
  dueMs: TimeMs;
  dueQueue: QueueNumber;
  setId: number;
  rowCount: number;
  keyCount: number;
  /** Absolute bounds in the buffer, filled by readMessagePart. */
  rowsAt: number;
  keysAt: number;
  payloadAt: number;
}

export function emptyMessageFields(): MessageFields {
  return {
    format: 0,
    flags: 0,
    records: 0,
    tagHash: 0,
    recordTimeMaxMs: 0,
    payloadLength: 0,
    priority: 0,
    expiryMs: 0,
    producerId: -1,
    baseSequence: 0,
    producerEpoch: 0,
    movedStoreTimeMs: 0,
    movedFrom: 0,
    dueMs: 0,
    dueQueue: 0,
    setId: 0,
    rowCount: 0,
    keyCount: 0,
    rowsAt: 0,
    keysAt: 0,
    payloadAt: 0,
  };
}

function optionalBytes(flags: number): number {
  return (
    (flags & MESSAGE.expiry ? 8 : 0) +
    (flags & MESSAGE.producer ? 16 : 0) +
    (flags & MESSAGE.moved ? 16 : 0) +
    (flags & MESSAGE.due ? 12 : 0) +
    (flags & MESSAGE.set ? 4 : 0)
  );
}

/** Bytes of one row: queue, base offset, and the slice where there is one; rows of a set hold the base offset only. */
function rowBytes(flags: number): number {
  if (flags & MESSAGE.set) return 6;
  return flags & MESSAGE.sliced ? SLICED_ROW : QUEUE_ROW;
}

/** Length of the body (without the part's head, without padding). */
export function messageBodyLength(flags: number, rows: number, keys: number, payload: number): number {
  return FIXED + optionalBytes(flags) + rows * rowBytes(flags) + keys * 4 + payload;
}

/** Writes head and fields; sets rowsAt, keysAt and payloadAt for the caller to fill. Returns the end, padded with zeros. */
export function writeMessagePart(bytes: Buffer, at: number, fields: MessageFields): number {
  const flags = fields.flags;
  const body = messageBodyLength(flags, fields.rowCount, fields.keyCount, fields.payloadLength);
  bytes[at] = PART.message;
  bytes[at + 1] = fields.format;
  writeU16(bytes, at + 2, flags);
  writeU32(bytes, at + 4, body);
  let p = at + PART_HEAD;
  writeU32(bytes, p, fields.records);
  writeU32(bytes, p + 4, fields.tagHash);
  writeU48(bytes, p + 8, fields.recordTimeMaxMs);
  // 24 bits: a large batch can be routed record by record. The rows of a set are counted in the set.
  const rows = flags & MESSAGE.set ? 0 : fields.rowCount;
  writeU16(bytes, p + 14, rows & 0xffff);
  writeU32(bytes, p + 16, fields.payloadLength);
  writeU16(bytes, p + 20, fields.keyCount);
  bytes[p + 22] = fields.priority;
  bytes[p + 23] = rows >>> 16;
  p += FIXED;
  if (flags & MESSAGE.expiry) {
    writeU48(bytes, p, fields.expiryMs);
    writeU16(bytes, p + 6, 0);
    p += 8;
  }
  if (flags & MESSAGE.producer) {
    writeU48(bytes, p, fields.producerId);
    writeU16(bytes, p + 6, fields.producerEpoch);
    writeU32(bytes, p + 8, fields.baseSequence);
    writeU32(bytes, p + 12, 0);
    p += 16;
  }
  if (flags & MESSAGE.moved) {
    writeU48(bytes, p, fields.movedStoreTimeMs);
    writeU16(bytes, p + 6, 0);
    writeU48(bytes, p + 8, fields.movedFrom);
    writeU16(bytes, p + 14, 0);
    p += 16;
  }
  if (flags & MESSAGE.due) {
    writeU48(bytes, p, fields.dueMs);
    writeU16(bytes, p + 6, 0);
    writeU32(bytes, p + 8, fields.dueQueue);
    p += 12;
  }
  if (flags & MESSAGE.set) {
    writeU32(bytes, p, fields.setId);
    p += 4;
  }
  fields.rowsAt = p;
  p += fields.rowCount * rowBytes(flags);
  fields.keysAt = p;
  p += fields.keyCount * 4;
  fields.payloadAt = p;
  p += fields.payloadLength;
  const end = at + PART_HEAD + align8(body);
  while (p < end) bytes[p++] = 0;
  return end;
}

/** `setSize` gives the number of queues of an interned set. */
export function readMessagePart(
  bytes: Buffer,
  partAt: number,
  into: MessageFields,
  setSize: (id: number) => number,
): void {
  const flags = bytes.readUInt16LE(partAt + 2);
  into.format = bytes[partAt + 1]!;
  into.flags = flags;
  let p = partAt + PART_HEAD;
  into.records = bytes.readUInt32LE(p);
  into.tagHash = bytes.readInt32LE(p + 4);
  into.recordTimeMaxMs = readU48(bytes, p + 8);
  into.rowCount = bytes.readUInt16LE(p + 14) | (bytes[p + 23]! << 16);
  into.payloadLength = bytes.readUInt32LE(p + 16);
  into.keyCount = bytes.readUInt16LE(p + 20);
  into.priority = bytes[p + 22]!;
  p += FIXED;
  into.expiryMs = 0;
  into.producerId = -1;
  if (flags & MESSAGE.expiry) {
    into.expiryMs = readU48(bytes, p);
    p += 8;
  }
  if (flags & MESSAGE.producer) {
    into.producerId = readU48(bytes, p);
    into.producerEpoch = bytes.readUInt16LE(p + 6);
    into.baseSequence = bytes.readUInt32LE(p + 8);
    p += 16;
  }
  if (flags & MESSAGE.moved) {
    into.movedStoreTimeMs = readU48(bytes, p);
    into.movedFrom = readU48(bytes, p + 8);
    p += 16;
  }
  if (flags & MESSAGE.due) {
    into.dueMs = readU48(bytes, p);
    into.dueQueue = bytes.readUInt32LE(p + 8);
    p += 12;
  }
  if (flags & MESSAGE.set) {
    into.setId = bytes.readUInt32LE(p);
    into.rowCount = setSize(into.setId);
    p += 4;
  }
  into.rowsAt = p;
  p += into.rowCount * rowBytes(flags);
  into.keysAt = p;
  p += into.keyCount * 4;
  into.payloadAt = p;
}

/** Where the payload lies, found without reading the rest: what a reader of units needs. The end is payloadAt + length. */
export function payloadStart(bytes: Buffer, partAt: number, setSize: (id: number) => number): number {
  const flags = bytes.readUInt16LE(partAt + 2);
  const p = partAt + PART_HEAD;
  let rows = bytes.readUInt16LE(p + 14) | (bytes[p + 23]! << 16);
  const optional = optionalBytes(flags);
  if (flags & MESSAGE.set) rows = setSize(bytes.readUInt32LE(p + FIXED + optional - 4));
  return p + FIXED + optional + rows * rowBytes(flags) + bytes.readUInt16LE(p + 20) * 4;
}

export function payloadLength(bytes: Buffer, partAt: number): number {
  return bytes.readUInt32LE(partAt + PART_HEAD + 16);
}

export function writeRow(
  bytes: Buffer,
  fields: MessageFields,
  row: number,
  queue: QueueNumber,
  base: Offset,
  first: number,
  count: number,
): void {
  if (fields.flags & MESSAGE.set) {
    writeU48(bytes, fields.rowsAt + row * 6, base);
    return;
  }
  const at = fields.rowsAt + row * (fields.flags & MESSAGE.sliced ? SLICED_ROW : QUEUE_ROW);
  writeU32(bytes, at, queue);
  writeU48(bytes, at + 4, base);
  writeU16(bytes, at + 10, 0);
  if (fields.flags & MESSAGE.sliced) {
    writeU32(bytes, at + 12, first);
    writeU32(bytes, at + 16, count);
  }
}

export interface Row {
  queue: QueueNumber;
  base: Offset;
  first: number;
  count: number;
}

/** `queueOfSet` gives the nth queue of an interned set. */
export function readRow(
  bytes: Buffer,
  fields: MessageFields,
  row: number,
  queueOfSet: (id: number, n: number) => QueueNumber,
  into: Row,
): void {
  if (fields.flags & MESSAGE.set) {
    into.queue = queueOfSet(fields.setId, row);
    into.base = readU48(bytes, fields.rowsAt + row * 6);
    into.first = 0;
    into.count = fields.records;
    return;
  }
  const sliced = (fields.flags & MESSAGE.sliced) !== 0;
  const at = fields.rowsAt + row * (sliced ? SLICED_ROW : QUEUE_ROW);
  into.queue = bytes.readUInt32LE(at);
  into.base = readU48(bytes, at + 4);
  into.first = sliced ? bytes.readUInt32LE(at + 12) : 0;
  into.count = sliced ? bytes.readUInt32LE(at + 16) : fields.records;
}

// ---------------------------------------------------------------- settlements

export const SETTLE = {
  /** {offset, count}: settled. */
  settled: 1,
  /** {offset, deliveries, notBeforeMs}: given back; ready again from that time on (0: at once). */
  returned: 2,
  /** {offset, deliveries, deadlineMs}: held until then (time-bound leases only). */
  leased: 3,
  /** {offset}: everything below may have been delivered. */
  delivered: 4,
  /** {offset}: everything below is settled; forward only. */
  floor: 5,
  /** The group reads this queue by lease no longer; its place is an offset commit of the same entry. */
  closed: 6,
} as const;

/** A section per (group, queue): varint group, queue, number of operations; each is a kind byte and its numbers. */
export function writeSettlement(
  writer: ByteWriter,
  kind: number,
  previous: Offset,
  offset: Offset,
  a: number,
  b: number,
): void {
  writer.u8(kind);
  writer.signed(offset - previous);
  if (kind === SETTLE.settled) writer.varint(a);
  else if (kind === SETTLE.returned || kind === SETTLE.leased) {
    writer.varint(a);
    writer.varint(b);
  }
}

export type EachSettlement = (
  group: number,
  queue: QueueNumber,
  kind: number,
  offset: Offset,
  a: number,
  b: number,
) => void;

export function readSettlements(reader: ByteReader, each: EachSettlement): void {
  while (reader.more) {
    const group = reader.varint();
    const queue = reader.varint();
    let operations = reader.varint();
    let offset = 0;
    while (operations-- > 0) {
      const kind = reader.u8();
      offset += reader.signed();
      let a = 0;
      let b = 0;
      if (kind === SETTLE.settled) a = reader.varint();
      else if (kind === SETTLE.returned || kind === SETTLE.leased) {
        a = reader.varint();
        b = reader.varint();
      }
      each(group, queue, kind, offset, a, b);
    }
  }
}

// ---------------------------------------------------------------- offset commits, starts, sets

export function writeOffset(
  writer: ByteWriter,
  group: number,
  queue: QueueNumber,
  offset: Offset,
  epoch: number,
  timeMs: TimeMs,
  metadata: string,
): void {
  writer.varint(group);
  writer.varint(queue);
  writer.varint(offset);
  writer.varint(Math.max(0, epoch + 1));
  writer.varint(timeMs);
  writer.text(metadata);
}

export type EachOffset = (
  group: number,
  queue: QueueNumber,
  offset: Offset,
  epoch: number,
  timeMs: TimeMs,
  metadata: string,
) => void;

export function readOffsets(reader: ByteReader, each: EachOffset): void {
  while (reader.more) {
    const group = reader.varint();
    const queue = reader.varint();
    const offset = reader.varint();
    const epoch = reader.varint() - 1;
    const timeMs = reader.varint();
    each(group, queue, offset, epoch, timeMs, reader.text());
  }
}

export function readStarts(reader: ByteReader, each: (queue: QueueNumber, start: Offset) => void): void {
  while (reader.more) {
    const queue = reader.varint();
    each(queue, reader.varint());
  }
}

export function writeQueueSet(writer: ByteWriter, id: number, queues: ArrayLike<QueueNumber>): void {
  writer.varint(id);
  writer.varint(queues.length);
  for (let n = 0; n < queues.length; n++) writer.varint(queues[n]!);
}

export function readQueueSet(reader: ByteReader): { id: number; queues: Uint32Array } {
  const id = reader.varint();
  const queues = new Uint32Array(reader.varint());
  for (let n = 0; n < queues.length; n++) queues[n] = reader.varint();
  return { id, queues };
}
