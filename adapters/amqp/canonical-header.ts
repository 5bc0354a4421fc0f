/**
 * Field-table values as canonical headers and back. A canonical header's value is bytes that any protocol can show;
 * its `type` marker (`amqp:` and the type letter) lets AMQP restore the value with its letter.
 * Without a marker UTF-8 is a long string and other bytes are a byte array, as most clients decode long strings as UTF-8.
 *
 * Invariant: fieldOfHeader(headerOfField(f)) is f for every field that can come from the wire (NaN loses its payload).
 */

import { isUtf8 } from 'node:buffer';
import type { Header } from '../../core/types.ts';
import type { FieldTable, FieldValue } from './field-table.ts';
import { tableDepthMax } from './field-table.ts';

const marker = 'amqp:';

/** The marker of values with this letter. */
export const markerOf = (letter: FieldValue['type']): string => marker + letter;

export function headerOfField(name: string, field: FieldValue): Header {
  switch (field.type) {
    case 'V':
      return { name, value: null };
    case 'S':
    case 'x':
      if (field.type === plainField(field.value).type) return { name, value: field.value };
      return { name, value: field.value, type: marker + field.type };
    case 'A':
    case 'F':
      return { name, value: Buffer.from(JSON.stringify(jsonOfField(field))), type: marker + field.type };
    default:
      return { name, value: Buffer.from(scalarText(field)), type: marker + field.type };
  }
}

/** A value whose marker is another protocol's, or does not fit the bytes, is a long string or, not UTF-8, a byte array. */
export function fieldOfHeader({ value, type }: Header): FieldValue {
  if (value === null) return { type: 'V', value: null };
  if (type === `${marker}x`) return { type: 'x', value };
  if (type === `${marker}S`) return { type: 'S', value };
  if (type === undefined || !type.startsWith(marker)) return plainField(value);
  const letter = type.slice(marker.length);
  const text = value.toString();
  const field = letter === 'A' || letter === 'F' ? fieldOfJsonText(text) : fieldOfScalar(letter, text);
  return field?.type === letter ? field : plainField(value);
}

function plainField(value: Buffer): FieldValue {
  return { type: isUtf8(value) ? 'S' : 'x', value };
}

type Scalar = Exclude<FieldValue, { type: 'S' | 'x' | 'V' | 'A' | 'F' }>;

function scalarText(field: Scalar): string {
  if (field.type === 'D') return `${field.value.digits}e-${field.value.scale}`;
  return Object.is(field.value, -0) ? '-0' : String(field.value);
}

const integerRanges: Readonly<Record<string, readonly [bigint, bigint]>> = {
  b: [-0x80n, 0x7fn],
  B: [0n, 0xffn],
  s: [-0x8000n, 0x7fffn],
  u: [0n, 0xffffn],
  I: [-0x8000_0000n, 0x7fff_ffffn],
  i: [0n, 0xffff_ffffn],
  l: [-(2n ** 63n), 2n ** 63n - 1n],
  L: [-(2n ** 63n), 2n ** 63n - 1n],
  T: [0n, 2n ** 64n - 1n],
};

function fieldOfScalar(letter: string, text: string): FieldValue | null {
  switch (letter) {
    case 't':
      return text === 'true' || text === 'false' ? { type: letter, value: text === 'true' } : null;
    case 'b':
    case 'B':
    case 's':
    case 'u':
    case 'I':
    case 'i': {
      const value = integer(letter, text);
      return value === null ? null : { type: letter, value: Number(value) };
    }
    case 'l':
    case 'L':
    case 'T': {
      const value = integer(letter, text);
      return value === null ? null : { type: letter, value };
    }
    case 'f':
    case 'd':
      return text.trim() === '' || (Number.isNaN(Number(text)) && text !== 'NaN')
        ? null
        : { type: letter, value: Number(text) };
    case 'D': {
      const [, digits, scale] = /^(\d{1,10})e-(\d{1,3})$/.exec(text) ?? [];
      if (digits === undefined || Number(digits) > 0xffff_ffff || Number(scale) > 255) return null;
      return { type: letter, value: { scale: Number(scale), digits: Number(digits) } };
    }
    default:
      return null;
  }
}

function integer(letter: string, text: string): bigint | null {
  if (!/^-?\d{1,20}$/.test(text)) return null;
  const value = BigInt(text);
  const [low, high] = integerRanges[letter]!;
  return value >= low && value <= high ? value : null;
}

/** Nested values: [letter, text], long strings and byte arrays that are not UTF-8 as [letter, base64, 'base64']. */
type Json = readonly [letter: string, value: string | readonly Json[] | readonly [string, Json][], encoding?: 'base64'];

function jsonOfField(field: FieldValue): Json {
  switch (field.type) {
    case 'A':
      return ['A', field.value.map(jsonOfField)];
    case 'F':
      return ['F', field.value.map((entry) => [entry.key, jsonOfField(entry.field)] as [string, Json])];
    case 'S':
    case 'x': {
      const text = field.value.toString();
      if (Buffer.from(text).equals(field.value)) return [field.type, text];
      return [field.type, field.value.toString('base64'), 'base64'];
    }
    case 'V':
      return ['V', ''];
    default:
      return [field.type, scalarText(field)];
  }
}

function fieldOfJsonText(text: string): FieldValue | null {
  try {
    return fieldOfJson(JSON.parse(text), 0);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function fieldOfJson(json: unknown, depth: number): FieldValue | null {
  if (!Array.isArray(json) || depth > tableDepthMax) return null;
  const [letter, value, encoding] = json as readonly unknown[];
  if (letter === 'V') return { type: 'V', value: null };
  if (letter === 'A' || letter === 'F') {
    if (!Array.isArray(value)) return null;
    return letter === 'A' ? arrayOfJson(value, depth) : tableOfJson(value, depth);
  }
  if (typeof letter !== 'string' || typeof value !== 'string') return null;
  if (letter === 'S' || letter === 'x') {
    return { type: letter, value: Buffer.from(value, encoding === 'base64' ? 'base64' : 'utf8') };
  }
  return fieldOfScalar(letter, value);
}

function arrayOfJson(items: readonly unknown[], depth: number): FieldValue | null {
  const values: FieldValue[] = [];
  for (const item of items) {
    const field = fieldOfJson(item, depth + 1);
    if (field === null) return null;
    values.push(field);
  }
  return { type: 'A', value: values };
}

function tableOfJson(items: readonly unknown[], depth: number): FieldValue | null {
  const table: { key: string; field: FieldValue }[] = [];
  for (const item of items) {
    if (!Array.isArray(item) || typeof item[0] !== 'string') return null;
    const field = fieldOfJson(item[1], depth + 1);
    if (field === null) return null;
    table.push({ key: item[0], field });
  }
  return { type: 'F', value: table satisfies FieldTable };
}

/** A table as text that can be stored and compared: the same table gives the same text. */
export function tableText(table: FieldTable): string {
  return JSON.stringify(jsonOfField({ type: 'F', value: table }));
}
