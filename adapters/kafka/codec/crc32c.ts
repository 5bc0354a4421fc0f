// CRC-32C (Castagnoli) over a range of a Buffer: the checksum of record batches.
import { crc32c as nativeCrc32c } from '@node-rs/crc32';

export function crc32c(bytes: Buffer, start: number, end: number): number {
  return nativeCrc32c(bytes.subarray(start, end)) >>> 0;
}
