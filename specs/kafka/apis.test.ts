// The rows themselves: well-formed.
import { describe, expect, it } from 'vitest';
import { APIS } from './apis.ts';
import type { Field } from './row.ts';

function everyField(fields: readonly Field[]): Field[] {
  return fields.flatMap((field) => ('fields' in field ? [field, ...everyField(field.fields)] : [field]));
}

describe('the rows', () => {
  it('are in order of their keys, each with a range', () => {
    const keys = APIS.map(({ key }) => key);
    expect(keys).toEqual([...new Set(keys)].sort((a, b) => a - b));
    for (const { name, min, max, served } of APIS) {
      expect([name, min <= (served ?? min) && (served ?? min) <= max]).toEqual([name, true]);
    }
  });

  it('tag fields only where versions are flexible', () => {
    for (const { name, flexible, request, response } of APIS) {
      for (const field of [...everyField(request), ...everyField(response)]) {
        if (field.tag === undefined) continue;
        expect([name, field.name, flexible !== null && (field.from ?? 0) >= flexible]).toEqual([
          name,
          field.name,
          true,
        ]);
      }
    }
  });
});
