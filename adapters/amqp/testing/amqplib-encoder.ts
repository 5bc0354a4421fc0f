/**
 * amqplib's encoder and decoder, for golden bytes that do not come from our own writer. Its deep modules have no
 * types; what tests use of them is typed here.
 */

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
/** The package exports its entry points only, so its modules are found beside them. */
const library = join(dirname(require.resolve('amqplib')), 'lib');

interface Definitions {
  /** A whole method frame. */
  encodeMethod(key: number, channel: number, fields: object): Buffer;
  /** A whole header frame. */
  encodeProperties(classId: number, channel: number, bodyBytes: number, fields: object): Buffer;
  /** The fields of a method's arguments, or of a header's flags and properties. */
  decode(key: number, bytes: Buffer): Record<string, unknown>;
}

interface TableCodec {
  encodeTable(buffer: Buffer, table: object, offset: number): number;
  decodeFields(bytes: Buffer): Record<string, unknown>;
}

interface Framing {
  makeBodyFrame(channel: number, payload: Buffer): Buffer;
}

export const definitions = require(join(library, 'defs.js')) as Definitions;
export const framing = require(join(library, 'frame.js')) as Framing;
const tables = require(join(library, 'codec.js')) as TableCodec;

/** A table as amqplib writes it, with its length in front. */
export function tableBytes(table: object): Buffer {
  const buffer = Buffer.alloc(65536);
  return buffer.subarray(0, tables.encodeTable(buffer, table, 0));
}

export function tableOfBytes(bytes: Buffer): Record<string, unknown> {
  return tables.decodeFields(bytes.subarray(4));
}

/** Flags and properties as amqplib writes them. */
export function propertyBytes(fields: object): Buffer {
  const frame = definitions.encodeProperties(60, 1, 0, fields);
  return frame.subarray(7 + 12, frame.length - 1);
}
