// Reads and writes the binary ("ROCKETMQ") command header:
//
//   code int16 | language int8 | version int16 | opaque int32 | flag int32
//   | remarkLength int32 | remark | extLength int32 | { nameLength int16 | name | valueLength int32 | value }*
//
// The code is cut to 16 bits, which makes the POP requests (200050 …) arrive under other numbers; they are understood
// (CODE_ALIASES_INT16).

import { CODE_ALIASES_INT16 } from '../../specs/rocketmq/requests.ts';
import type { Reader } from '../wire/reader.ts';
import { WireError } from '../wire/wire-error.ts';
import { fieldAt } from './fields.ts';
import { type Header, HeaderError } from './header.ts';

/** Reads the header that `reader` covers exactly. */
export function readBinaryHeader(reader: Reader, header: Header): void {
  try {
    read(reader, header);
  } catch (error) {
    if (error instanceof WireError) throw new HeaderError(`the binary header is cut short: ${error.message}`);
    throw error;
  }
}

function read(reader: Reader, header: Header): void {
  header.begin(reader.buffer);
  const code = reader.int16();
  header.code = CODE_ALIASES_INT16.get(code) ?? code;
  header.languageCode = reader.uint8();
  header.version = reader.int16();
  header.opaque = reader.int32();
  header.flag = reader.int32();
  reader.skip(length(reader.int32(), reader));
  const extBytes = length(reader.int32(), reader);
  const end = reader.offset + extBytes;
  while (reader.offset < end) {
    const nameLength = length(reader.int16(), reader);
    const nameStart = reader.skip(nameLength);
    const valueLength = length(reader.int32(), reader);
    const start = reader.skip(valueLength);
    if (reader.offset > end) throw new HeaderError('a header field reaches over the end of the header');
    const field = fieldAt(reader.buffer, nameStart, nameStart + nameLength);
    header.add(field, nameStart, nameStart + nameLength, start, start + valueLength, 0);
  }
}

function length(value: number, reader: Reader): number {
  if (value < 0 || value > reader.remaining) throw new HeaderError(`a length of ${value} in the binary header`);
  return value;
}
