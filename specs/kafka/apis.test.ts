// The rows themselves: well-formed, and what MAPPING.md says of them is true.
import { readFileSync } from 'node:fs';
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

  it('are what MAPPING.md says', () => {
    const page = readFileSync(new URL('./MAPPING.md', import.meta.url), 'utf8').replaceAll('\n', ' ');
    for (const { name, min, max } of APIS) expect(page).toContain(`${name} ${min === max ? min : `${min}-${max}`}`);
  });
});
