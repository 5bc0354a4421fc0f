// Varints: from 0 to the largest safe number there and back, and never a number that has none.
import { expect, it } from 'vitest';
import { ByteReader, ByteWriter } from './bytes.ts';
import { readOffsets, writeOffset } from './parts.ts';

it.each([0, 0x7f, 0x80, 2 ** 31, 2 ** 48 - 1, Number.MAX_SAFE_INTEGER])('%i comes back', (value) => {
  const writer = new ByteWriter();
  writer.varint(value);
  expect(new ByteReader(writer.done()).varint()).toBe(value);
});

it.each([-1, -128, Number.NaN])('%d is refused', (value) => {
  expect(() => new ByteWriter().varint(value)).toThrow('invariant');
});

it('an offset without an epoch stays apart from the next one, whatever number says that there is none', () => {
  const writer = new ByteWriter();
  writeOffset(writer, 1, 2, 3, -130, 4, 'a');
  writeOffset(writer, 5, 6, 7, -1, 8, 'b');
  const found: unknown[] = [];
  readOffsets(new ByteReader(writer.done()), (...offset) => found.push(offset));
  expect(found).toEqual([
    [1, 2, 3, -1, 4, 'a'],
    [5, 6, 7, -1, 8, 'b'],
  ]);
});
