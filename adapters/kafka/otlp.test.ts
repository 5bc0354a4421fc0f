// Metrics from anywhere: bytes that are none are refused, never read beyond, and never more points than allowed.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { WireError } from '../wire/wire-error.ts';
import { readMetrics } from './otlp.ts';

/** A message field of protocol buffers: number, length below 128, bytes. */
const field = (number: number, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([number * 8 + 2, body.length]), body]);
};
const gauge = field(2, field(1, Buffer.from('g')), field(5, field(1, Buffer.from('21000000000000f83f', 'hex'))));
const pushed = field(1, field(2, gauge, gauge, gauge));

it('stops at as many points as it may read', () => {
  expect(readMetrics(pushed, 10)).toEqual(Array.from({ length: 3 }, () => ({ name: 'g', labels: '', value: 1.5 })));
  expect(readMetrics(pushed, 2)).toHaveLength(2);
});

it('passes over what it does not know', () => {
  // A histogram (9), four fixed bytes, a varint of ten bytes.
  const more = Buffer.concat([
    field(9, gauge),
    Buffer.from('7d01020304', 'hex'),
    Buffer.from('10ffffffffffffffffff01', 'hex'),
  ]);
  expect(readMetrics(field(1, field(2, field(2, more, field(1, Buffer.from('x'))), gauge)), 10)).toHaveLength(1);
});

it('survives noise and changed bytes', () => {
  const change = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) });
  const source = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) => {
      const bytes = Buffer.from(pushed);
      for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
      return bytes;
    }),
  );
  fc.assert(
    fc.property(source, (bytes) => {
      try {
        expect(readMetrics(bytes, 5).length).toBeLessThanOrEqual(5);
      } catch (error) {
        expect(error).toBeInstanceOf(WireError);
      }
    }),
    { numRuns: 3_000 },
  );
});
