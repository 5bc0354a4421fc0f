/**
 * The value types of field tables and arrays as RabbitMQ and its clients write them (RabbitMQ errata to spec 4.2.1:
 * the letters differ from the specification's own). `bytes` is the fixed size after the type letter, or the size of
 * the length in front of a variable value. `L` is read as `l` is: both are signed.
 */

export interface FieldTypeRow {
  readonly meaning: string;
  readonly bytes: number;
  readonly variable: boolean;
}

const fixed = (meaning: string, bytes: number): FieldTypeRow => ({ meaning, bytes, variable: false });
const variable = (meaning: string): FieldTypeRow => ({ meaning, bytes: 4, variable: true });

export const fieldTypes = {
  t: fixed('boolean', 1),
  b: fixed('signed 8-bit integer', 1),
  B: fixed('unsigned 8-bit integer', 1),
  s: fixed('signed 16-bit integer', 2),
  u: fixed('unsigned 16-bit integer', 2),
  I: fixed('signed 32-bit integer', 4),
  i: fixed('unsigned 32-bit integer', 4),
  l: fixed('signed 64-bit integer', 8),
  L: fixed('signed 64-bit integer', 8),
  f: fixed('32-bit float', 4),
  d: fixed('64-bit float', 8),
  D: fixed('decimal: scale octet, unsigned 32-bit integer', 5),
  T: fixed('timestamp: unsigned 64-bit seconds', 8),
  V: fixed('void', 0),
  S: variable('long string'),
  x: variable('byte array'),
  A: variable('array'),
  F: variable('table'),
} as const satisfies Readonly<Record<string, FieldTypeRow>>;

export type FieldTypeLetter = keyof typeof fieldTypes;
