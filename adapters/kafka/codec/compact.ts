// Counts, strings and tags of the hot requests, in their classic and their compact forms (KIP-482).
import type { Reader } from '../../wire/reader.ts';
import { WireError } from '../../wire/wire-error.ts';
import type { Writer } from '../../wire/writer.ts';

/** More elements than this in one array are nobody's request. */
export const ELEMENTS_MAX = 100_000;

/** The number of elements of an array; null counts as none. */
export function readCount(reader: Reader, flexible: boolean): number {
  const count = flexible ? reader.uvarint() - 1 : reader.int32();
  if (count > reader.remaining || count > ELEMENTS_MAX) throw new WireError(`${count} elements`);
  return count;
}

/** The length of a string that must be there. */
export function readNameBytes(reader: Reader, flexible: boolean): number {
  const bytes = flexible ? reader.uvarint() - 1 : reader.int16();
  if (bytes < 0) throw new WireError('a topic without a name');
  return bytes;
}

/** Moves over a tag buffer: no tag of these requests says anything to us. */
export function skipTags(reader: Reader): void {
  for (let count = reader.uvarint(); count > 0; count--) {
    reader.uvarint();
    reader.skip(reader.uvarint());
  }
}

/** The number of elements of an array, -1 for null. */
export function writeCount(writer: Writer, count: number, flexible: boolean): void {
  if (flexible) writer.uvarint(count + 1);
  else writer.int32(count);
}

export function writeText(writer: Writer, text: string | null, flexible: boolean): void {
  const bytes = text === null ? -1 : Buffer.byteLength(text);
  if (flexible) writer.uvarint(bytes + 1);
  else writer.int16(bytes);
  if (text !== null) writer.utf8(text);
}

export function readUuid(reader: Reader): string {
  const at = reader.skip(16);
  return reader.buffer.toString('hex', at, at + 16);
}

export function writeUuid(writer: Writer, uuid: string): void {
  const at = writer.claim(16);
  writer.buffer.write(uuid, at, 16, 'hex');
}
