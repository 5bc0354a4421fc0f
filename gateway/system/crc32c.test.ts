// CRC-32C against published values (RFC 3720, B.4) and against the native code.
import { crc32c as native } from '@node-rs/crc32';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { crc32c } from './crc32c.ts';

it('gives the values of RFC 3720', () => {
  const ascending = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
  expect(crc32c(Buffer.alloc(32), 0, 32, 0)).toBe(0x8a9136aa);
  expect(crc32c(Buffer.alloc(32, 0xff), 0, 32, 0)).toBe(0x62a8ab43);
  expect(crc32c(ascending, 0, 32, 0)).toBe(0x46dd794e);
  expect(crc32c(Buffer.from(ascending).reverse(), 0, 32, 0)).toBe(0x113fdb5c);
  expect(crc32c(Buffer.alloc(0), 0, 0, 0)).toBe(0);
});

it('is the same however the bytes are cut, below and above the length where native code takes over', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(400), fc.nat(400), (array, a, b) => {
      const bytes = Buffer.from(array);
      const start = Math.min(a, bytes.length);
      const middle = Math.min(Math.max(b, start), bytes.length);
      const whole = native(bytes.subarray(start));
      expect(crc32c(bytes, start, bytes.length, 0)).toBe(whole);
      expect(crc32c(bytes, middle, bytes.length, crc32c(bytes, start, middle, 0))).toBe(whole);
    }),
  );
});
