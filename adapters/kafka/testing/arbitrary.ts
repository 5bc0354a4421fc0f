// Random messages from the rows.
import fc from 'fast-check';
import type { Field } from '../../../specs/kafka/row.ts';

/** Any value that a row can carry in this version; what it cannot carry is what decoding makes of an absent field. */
export function arbitrary(fields: readonly Field[], version: number): fc.Arbitrary<Record<string, unknown>> {
  const model: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of fields) {
    if (version < (field.from ?? 0) || version > (field.to ?? 99)) continue;
    const value = plain(field, version);
    const nullable = field.nullable !== undefined && version >= field.nullable;
    model[field.name] = nullable ? fc.option(value, { nil: null }) : value;
  }
  return fc.record(model);
}

function plain(field: Field, version: number): fc.Arbitrary<unknown> {
  switch (field.type) {
    case '[]':
      return fc.array(arbitrary(field.fields, version), { maxLength: 3 });
    case '{}':
      return arbitrary(field.fields, version);
    case 'bool':
      return fc.boolean();
    case 'int8':
      return fc.integer({ min: -128, max: 127 });
    case 'int16':
      return fc.integer({ min: -32768, max: 32767 });
    case 'int32':
      return fc.integer();
    case 'int64':
      return fc.maxSafeInteger().map((n) => (n === 0 ? 0 : n));
    case 'float64':
      return fc.double({ noNaN: true });
    case 'uuid':
      return fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'));
    case 'string':
      return fc.string({ maxLength: 8, unit: 'grapheme' });
    case 'bytes':
      return fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes));
    case '[]int8':
      return fc.array(fc.integer({ min: -128, max: 127 }), { maxLength: 4 });
    case '[]int32':
      return fc.array(fc.integer(), { maxLength: 4 });
    case '[]string':
      return fc.array(fc.string({ maxLength: 4 }), { maxLength: 4 });
  }
}
