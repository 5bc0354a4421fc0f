// Strings by their bytes: the few topic names that hot requests repeat for ever are decoded once.
//
// Invariants: a slot is only trusted after its bytes were compared; the number of slots is fixed.
import type { Reader } from '../../wire/reader.ts';

const SLOTS = 512;
const BYTES_MAX = 256;

export class NameCache {
  readonly #bytes: (Buffer | null)[] = Array.from({ length: SLOTS }, () => null);
  readonly #names: string[] = Array.from({ length: SLOTS }, () => '');

  /** Reads a string of so many bytes. */
  read(reader: Reader, count: number): string {
    if (count > BYTES_MAX || count === 0) return reader.utf8(count);
    const at = reader.skip(count);
    const b = reader.buffer;
    // Names differ at their ends more often than at their beginnings.
    const end = at + count - 1;
    const slot = (count * 131 + b[at]! * 31 + b[end]! * 7 + b[at + (count >> 1)]!) & (SLOTS - 1);
    const known = this.#bytes[slot];
    if (known && known.length === count && known.compare(b, at, at + count) === 0) return this.#names[slot]!;
    const name = b.toString('utf8', at, at + count);
    this.#bytes[slot] = Buffer.from(b.subarray(at, at + count));
    this.#names[slot] = name;
    return name;
  }
}
