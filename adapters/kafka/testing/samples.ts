// Two messages for every row and version: one with everything in it, one with as little as may be. Values follow from
// the names and places of the fields alone, so whoever encodes them elsewhere encodes the same.
import type { Field } from '../../../specs/kafka/row.ts';

export type Fullness = 'full' | 'bare';

export function sampleOf(fields: readonly Field[], version: number, fullness: Fullness): Record<string, unknown> {
  return new Sampling(version, fullness).struct(fields);
}

class Sampling {
  readonly #version: number;
  readonly #isFull: boolean;
  #next = 1;

  constructor(version: number, fullness: Fullness) {
    this.#version = version;
    this.#isFull = fullness === 'full';
  }

  struct(fields: readonly Field[]): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    for (const field of fields) {
      if (this.#version < (field.from ?? 0) || this.#version > (field.to ?? 99)) continue;
      // A bare message has no tagged fields; a full one has them all.
      if (field.tag !== undefined && !this.#isFull) continue;
      out[field.name] = this.#value(field);
    }
    return out;
  }

  #value(field: Field): unknown {
    if (!this.#isFull && field.nullable !== undefined && this.#version >= field.nullable) return null;
    const n = this.#isFull ? this.#next++ : 0;
    switch (field.type) {
      case '[]':
        return this.#isFull ? [this.struct(field.fields), this.struct(field.fields)] : [];
      case '{}':
        return this.struct(field.fields);
      case 'bool':
        return this.#isFull;
      case 'int8':
        return n % 100;
      case 'int16':
        return n * 7;
      case 'int32':
        return n * 70_001;
      case 'int64':
        return n * 7_000_000_001;
      case 'float64':
        return n + 0.25;
      case 'uuid':
        return n.toString(16).padStart(32, this.#isFull ? 'a' : '0');
      case 'string':
        return this.#isFull ? `${field.name}-${n}-é` : '';
      case 'bytes':
        return this.#isFull ? Buffer.from([n, 0, 255, n]) : Buffer.alloc(0);
      case '[]int8':
        return this.#isFull ? [n, -1] : [];
      case '[]int32':
        return this.#isFull ? [n, -70_001] : [];
      case '[]string':
        return this.#isFull ? [`a${n}`, ''] : [];
    }
  }
}
