// The checksum against its published check value and against native code, however a span begins, ends and is cut.
import { crc32c as native } from '@node-rs/crc32';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { crc32c } from './crc32c.ts';

it('gives the check value of CRC-32/ISCSI', () => {
  const bytes = Buffer.from('..123456789.');
  expect(crc32c(bytes, 2, 11, 0)).toBe(0xe3069283);
  expect(crc32c(bytes, 5, 11, crc32c(bytes, 2, 5, 0))).toBe(0xe3069283);
  expect(crc32c(bytes, 4, 4, 0)).toBe(0);
});

it('equals the native one for every length up to three steps, from every start within a step', () => {
  const bytes = Buffer.from(Array.from({ length: 40 }, (_, n) => (n * 167 + 13) & 0xff));
  for (let start = 0; start < 8; start++) {
    for (let end = start; end <= start + 24; end++)
      expect(crc32c(bytes, start, end, 0)).toBe(native(bytes.subarray(start, end)));
  }
});

it('equals the native one for any bytes, start, end and seed, and continues from any cut', () => {
  const seeds = fc.oneof(fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff), fc.nat(0xffffffff));
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 600 }),
      fc.nat(600),
      fc.nat(600),
      fc.nat(600),
      seeds,
      (array, a, b, c, seed) => {
        const bytes = Buffer.from(array);
        const [start, cut, end] = [a, b, c].map((n) => Math.min(n, bytes.length)).sort((x, y) => x - y) as [
          number,
          number,
          number,
        ];
        const expected = native(bytes.subarray(start, end), seed);
        expect(crc32c(bytes, start, end, seed)).toBe(expected);
        expect(crc32c(bytes, cut, end, crc32c(bytes, start, cut, seed))).toBe(expected);
      },
    ),
    { numRuns: 500 },
  );
});
