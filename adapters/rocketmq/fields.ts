// Numbers for header field names, taken from the rows in specs/rocketmq/requests.ts.
//
// A header decoder meets field names as bytes. `fieldAt` finds the number of a known name without making a string, so
// that a request handler asks for a field by a number that was fixed at load.
//
// Invariant: numbers are dense from 0 and the same for a name in whatever row it stands.

import { BASE_FIELDS, parseFields, REQUESTS, SIGNATURE_FIELDS } from '../../specs/rocketmq/requests.ts';

export type FieldNumber = number;
const FIELD_UNKNOWN: FieldNumber = -1;

const names: string[] = [];
const numbers = new Map<string, FieldNumber>();
for (const row of REQUESTS) for (const { name } of row.fields) number(name);
for (const { name } of parseFields(BASE_FIELDS)) number(name);
for (const { name } of parseFields(SIGNATURE_FIELDS)) number(name);

export const FIELD_COUNT = names.length;

/** The number of a field that some row declares. An unknown name is a bug of ours, found at load. */
export function fieldNumber(name: string): FieldNumber {
  const found = numbers.get(name);
  if (found === undefined) throw new Error(`no request has a field ${name}`);
  return found;
}

export function fieldName(field: FieldNumber): string {
  return names[field] ?? '?';
}

// An open hash table over the names' bytes: a bucket holds the field's number + 1.
const BUCKETS = 1024;
const buckets = new Uint16Array(BUCKETS);
const nameBytes = names.map((name) => Buffer.from(name));
for (const [field, bytes] of nameBytes.entries()) {
  let bucket = hash(bytes, 0, bytes.length);
  while (buckets[bucket] !== 0) bucket = (bucket + 1) % BUCKETS;
  buckets[bucket] = field + 1;
}

// The fields of the hottest requests have names of one letter.
const letters = new Int16Array(256).fill(FIELD_UNKNOWN);
for (const [field, name] of names.entries()) if (name.length === 1) letters[name.charCodeAt(0)] = field;

/** The number of the field whose name is buffer[start, end), FIELD_UNKNOWN when no row has it. */
export function fieldAt(buffer: Buffer, start: number, end: number): FieldNumber {
  if (end - start === 1) return letters[buffer[start]!]!;
  let bucket = hash(buffer, start, end);
  for (;;) {
    const field = buckets[bucket]! - 1;
    if (field < 0) return FIELD_UNKNOWN;
    if (same(nameBytes[field]!, buffer, start, end)) return field;
    bucket = (bucket + 1) % BUCKETS;
  }
}

function number(name: string): void {
  if (numbers.has(name)) return;
  numbers.set(name, names.length);
  names.push(name);
}

function hash(buffer: Uint8Array, start: number, end: number): number {
  let h = end - start;
  for (let i = start; i < end; i++) h = (Math.imul(h, 31) + buffer[i]!) | 0;
  return (h ^ (h >>> 10)) & (BUCKETS - 1);
}

function same(name: Buffer, buffer: Buffer, start: number, end: number): boolean {
  if (end - start !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (buffer[start + i] !== name[i]) return false;
  return true;
}
