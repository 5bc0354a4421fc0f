/**
 * Reads and writes the arguments of any method from its row. The hot methods (publish, deliver, ack) have their own
 * code beside their handlers and are tested against this one.
 *
 * Invariants: strings and tables read here are copies and may outlive the chunk; numbers are safe integers; a field
 * named `reserved…` is read and left out, and written as zero.
 */

import type { FieldType, MethodName } from '../../specs/amqp/methods.ts';
import { methodKey, methodNames, methods } from '../../specs/amqp/methods.ts';
import type { Reader } from '../wire/reader.ts';
import { WireError } from '../wire/wire-error.ts';
import type { Writer } from '../wire/writer.ts';
import type { FieldTable } from './field-table.ts';
import { readTable, writeShortString, writeTable } from './field-table.ts';

interface Domains {
  bit: boolean;
  octet: number;
  short: number;
  long: number;
  longlong: number;
  shortstr: string;
  longstr: Buffer;
  table: FieldTable;
}

type Fields<N extends MethodName> = (typeof methods)[N]['fields'];

/** The arguments of a method: its row's fields, without the reserved ones. */
export type Arguments<N extends MethodName> = {
  readonly [F in keyof Fields<N> as F extends `reserved${string}` ? never : F]: Fields<N>[F] extends FieldType
    ? Domains[Fields<N>[F]]
    : never;
};

type Value = Domains[FieldType];

interface Field {
  readonly name: string;
  readonly type: FieldType;
  readonly reserved: boolean;
}

const fieldsOf = new Map<MethodName, readonly Field[]>(
  methodNames.map((method) => [
    method,
    Object.entries<FieldType>(methods[method].fields).map(([name, type]) => ({
      name,
      type,
      reserved: name.startsWith('reserved'),
    })),
  ]),
);

export const methodByKey: ReadonlyMap<number, MethodName> = new Map(
  methodNames.map((name) => [methodKey(methods[name].classId, methods[name].methodId), name]),
);

/** Reads the arguments behind the method's id. Throws WireError when they are cut short or followed by anything. */
export function readArguments<N extends MethodName>(method: N, reader: Reader): Arguments<N> {
  const values: Record<string, Value> = {};
  let bits = 0;
  let bit = 8;
  for (const field of fieldsOf.get(method)!) {
    let value: Value;
    if (field.type === 'bit') {
      if (bit === 8) {
        bits = reader.uint8();
        bit = 0;
      }
      value = (bits & (1 << bit)) !== 0;
      bit++;
    } else {
      bit = 8;
      value = readValue(reader, field.type);
    }
    if (!field.reserved) values[field.name] = value;
  }
  if (reader.remaining > 0) throw new WireError(`${reader.remaining} octets behind the arguments of ${method}`);
  return values as Arguments<N>;
}

function readValue(reader: Reader, type: Exclude<FieldType, 'bit'>): Value {
  switch (type) {
    case 'octet':
      return reader.uint8();
    case 'short':
      return reader.uint16();
    case 'long':
      return reader.uint32();
    case 'longlong':
      return reader.uint64();
    case 'shortstr':
      return reader.utf8(reader.uint8());
    case 'longstr':
      return Buffer.from(reader.slice(reader.uint32()));
    case 'table':
      return readTable(reader);
  }
}

/** Writes class, method and arguments. */
export function writeMethod<N extends MethodName>(writer: Writer, method: N, args: Arguments<N>): void {
  const { classId, methodId } = methods[method];
  writer.uint16(classId);
  writer.uint16(methodId);
  const values = args as Readonly<Record<string, Value>>;
  let bits = 0;
  let bit = 0;
  for (const { name, type, reserved } of fieldsOf.get(method)!) {
    if (type === 'bit') {
      if (bit === 8) {
        writer.uint8(bits);
        bits = 0;
        bit = 0;
      }
      if (!reserved && values[name] === true) bits |= 1 << bit;
      bit++;
      continue;
    }
    if (bit > 0) writer.uint8(bits);
    bits = 0;
    bit = 0;
    writeValue(writer, type, reserved ? undefined : values[name]);
  }
  if (bit > 0) writer.uint8(bits);
}

function writeValue(writer: Writer, type: Exclude<FieldType, 'bit'>, value: Value | undefined): void {
  switch (type) {
    case 'octet':
      writer.uint8(Number(value ?? 0));
      return;
    case 'short':
      writer.uint16(Number(value ?? 0));
      return;
    case 'long':
      writer.uint32(Number(value ?? 0));
      return;
    case 'longlong':
      writer.int64(Number(value ?? 0));
      return;
    case 'shortstr':
      writeShortString(writer, (value as string | undefined) ?? '');
      return;
    case 'longstr': {
      const bytes = (value as Buffer | undefined) ?? Buffer.alloc(0);
      writer.uint32(bytes.length);
      writer.bytes(bytes);
      return;
    }
    case 'table':
      writeTable(writer, (value as FieldTable | undefined) ?? []);
  }
}
