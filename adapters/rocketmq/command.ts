// A command as it lies in a frame:
//
//   serializeType int8 | headerLength int24 | header | body
//
// Invariant: the header is emptied before anything is decoded, so that an error cannot be answered under the opaque
// number of the command before.

import { SERIALIZE_BINARY, SERIALIZE_JSON } from '../../specs/rocketmq/constants.ts';
import { Reader } from '../wire/reader.ts';
import { WireError } from '../wire/wire-error.ts';
import type { Header } from './header.ts';
import { readBinaryHeader } from './header-binary.ts';
import { readJsonHeader } from './header-json.ts';

const reader = new Reader();

/** Decodes the header of buffer[start, end) and notes where the body is. Throws HeaderError or WireError. */
export function readCommand(buffer: Buffer, start: number, end: number, header: Header): void {
  header.begin(buffer);
  if (end - start < 4) throw new WireError('a frame without a header');
  const word = buffer.readUInt32BE(start);
  const headerEnd = start + 4 + (word & 0xff_ffff);
  if (headerEnd > end) throw new WireError('the header is longer than its frame');
  header.serialize = word >>> 24;
  if (header.serialize === SERIALIZE_JSON) {
    readJsonHeader(buffer, start + 4, headerEnd, header);
  } else if (header.serialize === SERIALIZE_BINARY) {
    reader.reset(buffer, start + 4, headerEnd);
    readBinaryHeader(reader, header);
  } else throw new WireError(`serialize type ${header.serialize}`);
  header.frameStart = start;
  header.bodyStart = headerEnd;
  header.bodyEnd = end;
}
