// Reads a JSON command header in place.
//
// The header is one flat object with one nested object of strings (`extFields`), in whatever order and spacing the
// client's JSON library writes; numbers and booleans instead of strings occur (Node.js clients). The scanner records
// ranges and makes no string. What it does not expect (escapes in a field's name, a nested value) goes the slow way
// through JSON.parse with the same result.
//
// Invariants: it never reads at or behind `end`; it ends in a filled Header, or throws HeaderError when the bytes are
// not such a header.

import { fieldAt } from './fields.ts';
import { type Header, HeaderError } from './header.ts';
import { unescapeInto } from './json-escape.ts';

/** Depth to which unknown values are skipped. */
const DEPTH_MAX = 32;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** Thrown inside only: the scanner gives up in favour of JSON.parse. */
class SlowPath extends Error {}
const slowPath = new SlowPath('slow path');

// The scanner's cursor. Scanning is synchronous and not re-entrant, so it is module state rather than an object.
let bytes: Buffer = Buffer.alloc(0);
let at = 0;
let last = 0;
/** Set by `string`: the inside of the string just passed, and whether it holds escapes. */
let from = 0;
let to = 0;
let escapes = 0;

export function readJsonHeader(buffer: Buffer, start: number, end: number, header: Header): void {
  header.begin(buffer);
  bytes = buffer;
  at = start;
  last = end;
  try {
    command(header);
  } catch (error) {
    if (error !== slowPath) throw error;
    readParsed(buffer, start, end, header);
  }
}

function command(header: Header): void {
  expect(OPEN);
  if (peek() === CLOSE) return;
  for (;;) {
    string();
    if (escapes !== 0) throw slowPath;
    const name = bytes[from]!;
    const length = to - from;
    expect(COLON);
    // Known names differ in first letter and length: code, flag, opaque, version, extFields, language.
    if (name === 0x63 && length === 4) header.code = integer();
    else if (name === 0x66 && length === 4) header.flag = integer();
    else if (name === 0x6f && length === 6) header.opaque = integer();
    else if (name === 0x76 && length === 7) header.version = integer();
    else if (name === 0x65 && length === 9) extFields(header);
    else if (name === 0x6c && length === 8 && peek() === QUOTE) {
      string();
      header.languageStart = from;
      header.languageEnd = to;
    } else if (name === 0x72 && length === 6 && peek() === QUOTE) remark(header);
    else skip(0);
    const next = token();
    if (next === CLOSE) return;
    if (next !== COMMA) throw broken();
  }
}

function remark(header: Header): void {
  string();
  header.remark = escapes === 0 ? bytes.toString('utf8', from, to) : unescaped(from, to);
}

function unescaped(start: number, end: number): string {
  const target = Buffer.allocUnsafe(end - start);
  return target.toString('utf8', 0, unescapeInto(bytes, start, end, target, 0));
}

function extFields(header: Header): void {
  if (peek() !== OPEN) {
    skip(0);
    return;
  }
  at++;
  if (peek() === CLOSE) {
    at++;
    return;
  }
  for (;;) {
    if (stringFields(header)) return;
    string();
    if (escapes !== 0) throw slowPath;
    const nameStart = from;
    const nameEnd = to;
    expect(COLON);
    const byte = peek();
    const field = fieldAt(bytes, nameStart, nameEnd);
    if (byte === QUOTE) {
      string();
      header.add(field, nameStart, nameEnd, from, to, escapes);
    } else if (byte === 0x6e) {
      literal('null');
    } else {
      if (byte === OPEN || byte === 0x5b) throw slowPath;
      const start = at;
      skip(0);
      header.add(field, nameStart, nameEnd, start, at, 0);
    }
    const next = token();
    if (next === CLOSE) return;
    if (next !== COMMA) throw broken();
  }
}

/**
 * Reads fields that are written as most are, "name":"value" without white space, with the cursor in a local variable.
 * True behind the closing brace; false with the cursor at a field that is written otherwise.
 */
function stringFields(header: Header): boolean {
  const buffer = bytes;
  const end = last - 4;
  let i = at;
  // Four bytes are always left: the shortest rest of a header is `"}}` and what is shorter goes the general way.
  while (i < end && buffer[i] === QUOTE) {
    const nameStart = i + 1;
    i = nameStart;
    let byte = buffer[i]!;
    while (byte !== QUOTE && byte !== BACKSLASH && i < end) byte = buffer[++i]!;
    if (byte !== QUOTE || buffer[i + 1] !== COLON || buffer[i + 2] !== QUOTE) return false;
    const nameEnd = i;
    const start = i + 3;
    i = start;
    let escaped = 0;
    while (i < end && (byte = buffer[i]!) !== QUOTE) {
      if (byte === BACKSLASH) {
        escaped = 1;
        i++;
      }
      i++;
    }
    if (i >= end) return false;
    byte = buffer[i + 1]!;
    if (byte !== CLOSE && byte !== COMMA) return false;
    header.add(fieldAt(buffer, nameStart, nameEnd), nameStart, nameEnd, start, i, escaped);
    i += 2;
    at = i;
    if (byte === CLOSE) return true;
  }
  return false;
}

/** Passes white space and returns the byte at the cursor without taking it. */
function peek(): number {
  while (at < last) {
    const byte = bytes[at]!;
    if (byte > 0x20) return byte;
    at++;
  }
  throw broken();
}

/** Passes white space and takes one byte. */
function token(): number {
  const byte = peek();
  at++;
  return byte;
}

function expect(byte: number): void {
  if (token() !== byte) throw broken();
}

function string(): void {
  expect(QUOTE);
  from = at;
  escapes = 0;
  while (at < last) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      to = at++;
      return;
    }
    if (byte === BACKSLASH) {
      escapes = 1;
      at += 2;
    } else at++;
  }
  throw broken();
}

function integer(): number {
  let byte = peek();
  const negative = byte === 0x2d;
  if (negative) {
    at++;
    byte = at < last ? bytes[at]! : 0;
  }
  let value = 0;
  const start = at;
  while (at < last && (byte = bytes[at]!) >= 0x30 && byte <= 0x39) {
    value = value * 10 + byte - 0x30;
    at++;
  }
  if (at === start || value > 0x8000_0000 || (value === 0x8000_0000 && !negative)) throw broken();
  return negative && value !== 0 ? -value : value;
}

/** Passes any value. */
function skip(depth: number): void {
  if (depth > DEPTH_MAX) throw broken();
  const byte = peek();
  if (byte === QUOTE) return string();
  if (byte === OPEN || byte === 0x5b) {
    const close = byte + 2;
    at++;
    if (peek() === close) {
      at++;
      return;
    }
    for (;;) {
      if (byte === OPEN) {
        string();
        expect(COLON);
      }
      skip(depth + 1);
      const next = token();
      if (next === close) return;
      if (next !== COMMA) throw broken();
    }
  }
  if (byte === 0x74) return literal('true');
  if (byte === 0x66) return literal('false');
  if (byte === 0x6e) return literal('null');
  const start = at;
  while (at < last && isNumberByte(bytes[at]!)) at++;
  if (at === start) throw broken();
}

function isNumberByte(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x2b || byte === 0x2e || (byte | 0x20) === 0x65;
}

function literal(word: string): void {
  for (let i = 0; i < word.length; i++) if (at >= last || bytes[at++] !== word.charCodeAt(i)) throw broken();
}

function broken(): HeaderError {
  return new HeaderError('the header is not the JSON object of a remoting command');
}

/** The slow way: values are copied into a buffer of their own, so that everything else works on ranges alike. */
function readParsed(buffer: Buffer, start: number, end: number, header: Header): void {
  let parsed: unknown;
  try {
    parsed = JSON.parse(buffer.toString('utf8', start, end));
  } catch (cause) {
    throw new HeaderError('the header is not JSON', { cause });
  }
  if (!isRecord(parsed)) throw broken();
  const ext = isRecord(parsed['extFields']) ? Object.entries(parsed['extFields']) : [];
  const parts: Buffer[] = [];
  let length = 0;
  const ranges: number[] = [];
  for (const [name, value] of ext) {
    if (value === null || value === undefined) continue;
    for (const text of [name, typeof value === 'string' ? value : JSON.stringify(value)]) {
      const part = Buffer.from(text);
      parts.push(part);
      ranges.push(length, (length += part.length));
    }
  }
  const language = Buffer.from(typeof parsed['language'] === 'string' ? parsed['language'] : '');
  parts.push(language);
  const values = Buffer.concat(parts);
  header.begin(values);
  header.languageStart = length;
  header.languageEnd = length + language.length;
  header.code = whole(parsed['code']);
  header.flag = whole(parsed['flag']);
  header.opaque = whole(parsed['opaque']);
  header.version = whole(parsed['version']);
  if (typeof parsed['remark'] === 'string') header.remark = parsed['remark'];
  for (let i = 0; i < ranges.length; i += 4) {
    const field = fieldAt(values, ranges[i]!, ranges[i + 1]!);
    header.add(field, ranges[i]!, ranges[i + 1]!, ranges[i + 2]!, ranges[i + 3]!, 0);
  }
}

function whole(value: unknown): number {
  if (value === undefined) return 0;
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 0x8000_0000) return value;
  throw broken();
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
