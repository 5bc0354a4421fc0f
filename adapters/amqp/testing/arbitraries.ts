/** Random field tables and properties for properties-based tests, with every type letter. */

import fc from 'fast-check';
import type { Properties } from '../content-properties.ts';
import type { FieldTable, FieldValue } from '../field-table.ts';

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
const key = fc.string({ maxLength: 20, unit: 'grapheme' }).filter((text) => Buffer.byteLength(text) <= 255);
const shortString = fc.string({ maxLength: 60, unit: 'grapheme' }).filter((text) => Buffer.byteLength(text) <= 255);

export const fieldTable: fc.Arbitrary<FieldTable> = fc.letrec<{ value: FieldValue; table: FieldTable }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.record({ type: fc.constant('t' as const), value: fc.boolean() }),
    fc.record({ type: fc.constant('b' as const), value: fc.integer({ min: -128, max: 127 }) }),
    fc.record({ type: fc.constant('B' as const), value: fc.integer({ min: 0, max: 255 }) }),
    fc.record({ type: fc.constant('s' as const), value: fc.integer({ min: -32768, max: 32767 }) }),
    fc.record({ type: fc.constant('u' as const), value: fc.integer({ min: 0, max: 65535 }) }),
    fc.record({ type: fc.constant('I' as const), value: fc.integer() }),
    fc.record({ type: fc.constant('i' as const), value: fc.integer({ min: 0, max: 0xffff_ffff }) }),
    fc.record({ type: fc.constantFrom('l' as const, 'L' as const), value: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n) }),
    fc.record({ type: fc.constant('T' as const), value: fc.bigInt(0n, 2n ** 64n - 1n) }),
    fc.record({ type: fc.constant('f' as const), value: fc.float() }),
    fc.record({ type: fc.constant('d' as const), value: fc.double() }),
    fc.record({
      type: fc.constant('D' as const),
      value: fc.record({
        scale: fc.integer({ min: 0, max: 255 }),
        digits: fc.integer({ min: 0, max: 0xffff_ffff }),
      }),
    }),
    fc.record({ type: fc.constantFrom('S' as const, 'x' as const), value: bytes }),
    fc.record({ type: fc.constant('V' as const), value: fc.constant(null) }),
    fc.record({ type: fc.constant('A' as const), value: fc.array(tie('value'), { maxLength: 4 }) }),
    fc.record({ type: fc.constant('F' as const), value: tie('table') }),
  ),
  table: fc.array(fc.record({ key, field: tie('value') }), { maxLength: 5 }),
})).table;

/** Properties as a publisher may send them: an expiration is a decimal number. */
export const properties: fc.Arbitrary<Properties> = fc.record(
  {
    contentType: shortString,
    contentEncoding: shortString,
    headers: fieldTable,
    deliveryMode: fc.constantFrom(1, 2),
    priority: fc.integer({ min: 0, max: 255 }),
    correlationId: shortString,
    replyTo: shortString,
    expiration: fc.nat().map(String),
    messageId: shortString,
    timestamp: fc.bigInt(0n, 2n ** 40n),
    type: shortString,
    userId: shortString,
    appId: shortString,
    clusterId: shortString,
  },
  { requiredKeys: [] },
);

export { bytes, shortString };
