// CRC-32C for the log: native code for long spans, the core's own below that, where the call costs more than the sum.
import { crc32c as native } from '@node-rs/crc32';
import { crc32c as sliced } from '../../core/log/crc32c.ts';
import type { Crc32c } from '../../core/types.ts';

/** From this length on the native code is faster (130 ns for 256 B, where ours takes 145). */
const NATIVE_BYTES_MIN = 256;

export const crc32c: Crc32c = (bytes, start, end, seed) =>
  end - start >= NATIVE_BYTES_MIN ? native(bytes.subarray(start, end), seed) : sliced(bytes, start, end, seed);
