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

it('keeps only so many labels of a point, and so many characters of them', () => {
  const long = (number: number, body: Buffer): Buffer =>
    Buffer.concat([
      Buffer.from([number * 8 + 2, (body.length & 0x7f) | 0x80, (body.length >> 7) | 0x80, body.length >> 14]),
      body,
    ]);
  const label = (key: string, value: string): Buffer =>
    long(7, Buffer.concat([long(1, Buffer.from(key)), long(2, long(1, Buffer.from(value)))]));
  const labelsOf = (...labels: Buffer[]): string => {
    const metric = long(2, Buffer.concat([field(1, Buffer.from('g')), long(5, long(1, Buffer.concat(labels)))]));
    const [point] = readMetrics(long(1, long(2, metric)), 10);
    return point!.labels;
  };
  const many = labelsOf(...Array.from({ length: 1_000 }, (_, n) => label(`k${n}`, 'v')));
  expect(many.split(',')).toEqual(Array.from({ length: 16 }, (_, n) => `k${n}=v`));
  const large = Array.from({ length: 10 }, (_, n) => label(`k${n}`, 'x'.repeat(n === 0 ? 3 : 700)));
  expect(labelsOf(...large)).toBe(`k0=xxx,k1=${'x'.repeat(700)}`);
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
