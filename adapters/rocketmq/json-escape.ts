// JSON string escapes on bytes, both ways (RFC 8259, section 7). Message properties come and go inside a JSON string
// with U+0001 and U+0002 between them, so this is on the path of every send.

import { WireError } from '../wire/wire-error.ts';

const HEX = Buffer.from('0123456789abcdef');

/** How many bytes source[start, end), the inside of a JSON string, has once unescaped. */
export function unescapedBytes(source: Buffer, start: number, end: number): number {
  let bytes = 0;
  for (let i = start; i < end; ) {
    if (source[i] !== 0x5c) {
      bytes++;
      i++;
    } else if (source[i + 1] !== 0x75) {
      bytes++;
      i += 2;
    } else {
      const unit = hex4(source, i + 2, end);
      if (isHigh(unit) && isLow(lowAfter(source, i + 6, end))) {
        bytes += 4;
        i += 12;
      } else {
        bytes += unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
        i += 6;
      }
    }
  }
  return bytes;
}

/** Unescapes source[start, end) to target[at …); returns where it ends. An unpaired surrogate becomes U+FFFD. */
export function unescapeInto(source: Buffer, start: number, end: number, target: Buffer, at: number): number {
  let to = at;
  for (let i = start; i < end; ) {
    const byte = source[i]!;
    if (byte !== 0x5c) {
      target[to++] = byte;
      i++;
      continue;
    }
    if (i + 1 >= end) throw new WireError('a JSON string ends inside of an escape');
    if (source[i + 1] !== 0x75) {
      target[to++] = plainEscape(source[i + 1]!);
      i += 2;
      continue;
    }
    let point = hex4(source, i + 2, end);
    i += 6;
    if (isHigh(point)) {
      const low = lowAfter(source, i, end);
      if (isLow(low)) {
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        i += 6;
      } else point = 0xfffd;
    } else if (isLow(point)) point = 0xfffd;
    to = putUtf8(target, to, point);
  }
  return to;
}

/** Writes source[start, end) as the inside of a JSON string to target[at …); needs up to six times the room. */
export function escapeInto(source: Buffer, start: number, end: number, target: Buffer, at: number): number {
  let to = at;
  for (let i = start; i < end; i++) {
    const byte = source[i]!;
    if (byte === 0x22 || byte === 0x5c) {
      target[to++] = 0x5c;
      target[to++] = byte;
    } else if (byte >= 0x20) {
      target[to++] = byte;
    } else {
      target[to++] = 0x5c;
      target[to++] = 0x75;
      target[to++] = 0x30;
      target[to++] = 0x30;
      target[to++] = HEX[byte >> 4]!;
      target[to++] = HEX[byte & 15]!;
    }
  }
  return to;
}

function plainEscape(byte: number): number {
  switch (byte) {
    case 0x22:
    case 0x5c:
    case 0x2f:
      return byte;
    case 0x62:
      return 0x08;
    case 0x66:
      return 0x0c;
    case 0x6e:
      return 0x0a;
    case 0x72:
      return 0x0d;
    case 0x74:
      return 0x09;
    default:
      throw new WireError(`a JSON string has the escape \\${String.fromCharCode(byte)}`);
  }
}

function putUtf8(target: Buffer, at: number, point: number): number {
  let to = at;
  if (point < 0x80) {
    target[to++] = point;
  } else if (point < 0x800) {
    target[to++] = 0xc0 | (point >> 6);
    target[to++] = 0x80 | (point & 0x3f);
  } else if (point < 0x10000) {
    target[to++] = 0xe0 | (point >> 12);
    target[to++] = 0x80 | ((point >> 6) & 0x3f);
    target[to++] = 0x80 | (point & 0x3f);
  } else {
    target[to++] = 0xf0 | (point >> 18);
    target[to++] = 0x80 | ((point >> 12) & 0x3f);
    target[to++] = 0x80 | ((point >> 6) & 0x3f);
    target[to++] = 0x80 | (point & 0x3f);
  }
  return to;
}

/** The unit of a \uXXXX at i, or -1 when there is none. */
function lowAfter(source: Buffer, i: number, end: number): number {
  return i + 6 <= end && source[i] === 0x5c && source[i + 1] === 0x75 ? hex4(source, i + 2, end) : -1;
}

function hex4(source: Buffer, start: number, end: number): number {
  if (start + 4 > end) throw new WireError('a JSON string ends inside of an escape');
  let value = 0;
  for (let i = start; i < start + 4; i++) {
    const byte = source[i]!;
    const digit =
      byte >= 0x30 && byte <= 0x39
        ? byte - 0x30
        : byte >= 0x61 && byte <= 0x66
          ? byte - 0x57
          : byte >= 0x41 && byte <= 0x46
            ? byte - 0x37
            : -1;
    if (digit < 0) throw new WireError('a JSON string has a \\u escape that is not hexadecimal');
    value = (value << 4) | digit;
  }
  return value;
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}
