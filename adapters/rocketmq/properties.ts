// The properties of a message as they travel and are stored: `name 0x01 value 0x02`, repeated, the last 0x02 optional.
//
// Invariants: lookups work on the bytes and make a string only for what is found. A part without 0x01 is no property
// and is passed over, as clients do.

import { PROPERTY_NAME_END, PROPERTY_VALUE_END } from '../../specs/rocketmq/constants.ts';
import { byteText } from './byte-text.ts';

/** The value of a property of buffer[start, end), null when it is not there. The name is its bytes. */
export function findProperty(buffer: Buffer, start: number, end: number, name: Buffer): string | null {
  let at = start;
  while (at < end) {
    if (isName(buffer, at, end, name)) {
      const from = at + name.length + 1;
      let to = from;
      while (to < end && buffer[to] !== PROPERTY_VALUE_END) to++;
      return byteText(buffer, from, to);
    }
    while (at < end && buffer[at] !== PROPERTY_VALUE_END) at++;
    at++;
  }
  return null;
}

/** All properties in order; of a repeated name the last value holds, at the first one's place. */
export function readProperties(buffer: Buffer, start: number, end: number): Map<string, string> {
  const properties = new Map<string, string>();
  let at = start;
  while (at < end) {
    let valueEnd = at;
    let nameEnd = -1;
    while (valueEnd < end && buffer[valueEnd] !== PROPERTY_VALUE_END) {
      if (nameEnd < 0 && buffer[valueEnd] === PROPERTY_NAME_END) nameEnd = valueEnd;
      valueEnd++;
    }
    if (nameEnd > at) properties.set(byteText(buffer, at, nameEnd), byteText(buffer, nameEnd + 1, valueEnd));
    at = valueEnd + 1;
  }
  return properties;
}

export function writeProperties(properties: Iterable<readonly [string, string]>): Buffer {
  let text = '';
  for (const [name, value] of properties) text += `${name}\u0001${value}\u0002`;
  return Buffer.from(text);
}

/** True when a text can be a property's name or value: no separator in it, and nothing that UTF-8 would change. */
export function isPropertyText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0001') && !text.includes('\u0002');
}

function isName(buffer: Buffer, at: number, end: number, name: Buffer): boolean {
  const length = name.length;
  if (end - at <= length || buffer[at + length] !== PROPERTY_NAME_END) return false;
  for (let i = 0; i < length; i++) if (buffer[at + i] !== name[i]) return false;
  return true;
}
