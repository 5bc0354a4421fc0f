// CRC-32C (Castagnoli) as the log uses it: native for long input, slicing by eight in JavaScript below that, where the
// call into native code costs more than the work.
import { crc32c as native } from '@node-rs/crc32';
import type { Crc32c } from '../../core/types.ts';

/** From this length on the native code is faster. */
const NATIVE_BYTES_MIN = 128;
const POLYNOMIAL_REVERSED = 0x82f63b78;

/** Eight tables of 256: table k advances a byte that is followed by k more. */
const tables = makeTables();

export const crc32c: Crc32c = (bytes, start, end, seed) => {
  if (end - start >= NATIVE_BYTES_MIN) return native(bytes.subarray(start, end), seed);
  const t = tables;
  let crc = ~seed;
  let i = start;
  for (; i + 8 <= end; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc =
      t[0x700 | (crc & 0xff)]! ^
      t[0x600 | ((crc >>> 8) & 0xff)]! ^
      t[0x500 | ((crc >>> 16) & 0xff)]! ^
      t[0x400 | (crc >>> 24)]! ^
      t[0x300 | bytes[i + 4]!]! ^
      t[0x200 | bytes[i + 5]!]! ^
      t[0x100 | bytes[i + 6]!]! ^
      t[bytes[i + 7]!]!;
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ t[(crc ^ bytes[i]!) & 0xff]!;
  return ~crc >>> 0;
};

function makeTables(): Int32Array {
  const made = new Int32Array(8 * 256);
  for (let n = 0; n < 256; n++) {
    let crc = n;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL_REVERSED : crc >>> 1;
    made[n] = crc;
  }
  for (let i = 256; i < made.length; i++) {
    const previous = made[i - 256]!;
    made[i] = (previous >>> 8) ^ made[previous & 0xff]!;
  }
  return made;
}
