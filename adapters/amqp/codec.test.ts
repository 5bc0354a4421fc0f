import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FieldType } from '../../specs/amqp/methods.ts';
import { methodKey, methodNames, methods } from '../../specs/amqp/methods.ts';
import { properties as propertyRows } from '../../specs/amqp/properties.ts';
import { Reader } from '../wire/reader.ts';
import { WireError } from '../wire/wire-error.ts';
import { Writer } from '../wire/writer.ts';
import { PropertyScan, readProperties, writeProperties } from './content-properties.ts';
import type { FieldTable } from './field-table.ts';
import { readTable, walkTable, writeTable } from './field-table.ts';
import { readArguments, writeMethod } from './method-arguments.ts';
import { definitions, propertyBytes, tableBytes, tableOfBytes } from './testing/amqplib-encoder.ts';
import * as arbitraries from './testing/arbitraries.ts';

const written = (write: (writer: Writer) => void): Buffer => {
  const writer = new Writer({ slabBytes: 64 });
  write(writer);
  return writer.take();
};

describe('field tables', () => {
  const golden = {
    yes: true,
    no: false,
    tiny: -5,
    unsignedTiny: { '!': 'uint8', value: 200 },
    short: 1000,
    unsignedShort: { '!': 'uint16', value: 60000 },
    int: 100000,
    unsignedInt: { '!': 'uint32', value: 4000000000 },
    long: { '!': 'int64', value: 9007199254740993n },
    float: { '!': 'float', value: 0.5 },
    double: 1.25,
    decimal: { '!': 'decimal', value: { places: 2, digits: 12345 } },
    text: 'grüße',
    bytes: Buffer.from([0xff, 0, 0xfe]),
    time: { '!': 'timestamp', value: 1700000000 },
    nothing: null,
    list: ['a', 1, [true], { deep: 'b' }],
    table: { inner: { most: 'c' } },
  };

  test('every letter that amqplib writes is read with its letter and its exact value', () => {
    const table = readTable(new Reader(tableBytes(golden)));
    const letters = table.map((entry) => `${entry.key}:${entry.field.type}`);
    expect(letters).toEqual([
      'yes:t',
      'no:t',
      'tiny:b',
      'unsignedTiny:B',
      'short:s',
      'unsignedShort:u',
      'int:I',
      'unsignedInt:i',
      'long:l',
      'float:f',
      'double:d',
      'decimal:D',
      'text:S',
      'bytes:x',
      'time:T',
      'nothing:V',
      'list:A',
      'table:F',
    ]);
    const value = (key: string) => table.find((entry) => entry.key === key)?.field.value;
    expect(value('long')).toBe(9007199254740993n);
    expect(value('decimal')).toEqual({ scale: 2, digits: 12345 });
    expect(value('time')).toBe(1700000000n);
    expect(value('text')).toEqual(Buffer.from('grüße'));
  });

  test('what was read is written back octet for octet', () => {
    const bytes = tableBytes(golden);
    expect(written((writer) => writeTable(writer, readTable(new Reader(bytes))))).toEqual(bytes);
  });

  test('any table survives the way through the wire, and the walk ends where the table does', () => {
    fc.assert(
      fc.property(arbitraries.fieldTable, (table) => {
        const bytes = written((writer) => writeTable(writer, table));
        expect(readTable(new Reader(bytes))).toEqual(table);
        expect(walkTable(bytes, 0, bytes.length)).toBe(bytes.length);
      }),
    );
  });

  test('amqplib reads what we write', () => {
    const table: FieldTable = [
      { key: 'n', field: { type: 'l', value: 12n } },
      { key: 's', field: { type: 'S', value: Buffer.from('x') } },
    ];
    expect(tableOfBytes(written((writer) => writeTable(writer, table)))).toEqual({ n: 12, s: 'x' });
  });

  test('reading and walking agree on hostile bytes: both refuse, or both end at the same octet', () => {
    fc.assert(
      fc.property(arbitraries.fieldTable, fc.nat(), fc.integer({ min: 0, max: 255 }), (table, at, octet) => {
        const bytes = written((writer) => writeTable(writer, table));
        bytes[at % bytes.length] = octet;
        const reader = new Reader(bytes);
        expect(outcome(() => walkTable(bytes, 0, bytes.length))).toEqual(
          outcome(() => {
            readTable(reader);
            return reader.offset;
          }),
        );
      }),
      { numRuns: 1000 },
    );
  });

  test('nesting has a limit', () => {
    let deep: FieldTable = [];
    for (let i = 0; i < 40; i++) deep = [{ key: '', field: { type: 'F', value: deep } }];
    const bytes = written((writer) => writeTable(writer, deep));
    expect(() => readTable(new Reader(bytes))).toThrow(WireError);
    expect(() => walkTable(bytes, 0, bytes.length)).toThrow(WireError);
  });
});

function outcome(read: () => number): number | 'refused' {
  try {
    return read();
  } catch (error) {
    if (error instanceof WireError) return 'refused';
    throw error;
  }
}

describe('method arguments', () => {
  const samples: Record<FieldType, unknown> = {
    bit: true,
    octet: 9,
    short: 513,
    long: 70000,
    longlong: 5000000000,
    shortstr: 'größe',
    longstr: 'long one',
    table: { a: 'b' },
  };

  test.each(methodNames)('%s: amqplib and we write the same octets', (name) => {
    const { classId, methodId, fields } = methods[name];
    const key = methodKey(classId, methodId);
    // amqplib has no method 10.70 and 10.71 before 0.10; its table decides what can be compared.
    const theirs: Record<string, unknown> = {};
    const ours: Record<string, unknown> = {};
    for (const [field, type] of Object.entries<FieldType>(fields)) {
      if (field.startsWith('reserved')) continue;
      theirs[field] = type === 'longstr' ? Buffer.from('long one') : samples[type];
      ours[field] =
        type === 'longstr'
          ? Buffer.from('long one')
          : type === 'table'
            ? [{ key: 'a', field: { type: 'S', value: Buffer.from('b') } }]
            : samples[type];
    }
    const frame = definitions.encodeMethod(key, 3, theirs);
    const payload = frame.subarray(7, frame.length - 1);
    expect(written((writer) => writeMethod(writer, name, ours as never))).toEqual(payload);
    const reader = new Reader(payload, 4, payload.length);
    expect(readArguments(name, reader)).toEqual(ours);
    for (let cut = 4; cut < payload.length; cut++) {
      expect(() => readArguments(name, new Reader(payload, 4, cut)), `cut at ${cut}`).toThrow(WireError);
    }
    expect(() => readArguments(name, new Reader(Buffer.concat([payload, Buffer.alloc(1)]), 4))).toThrow(WireError);
  });
});

describe('content properties', () => {
  const all = {
    contentType: 'text/plain',
    contentEncoding: 'utf-8',
    headers: {
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      'x-key': 'k1',
      TAGS: 'red',
      n: 1,
    },
    deliveryMode: 2,
    priority: 7,
    correlationId: 'c',
    replyTo: 'r',
    expiration: '60000',
    messageId: 'm-1',
    timestamp: 1700000000,
    type: 't',
    userId: 'guest',
    appId: 'app',
    clusterId: 'cl',
  };

  test('amqplib octets are read and written back unchanged', () => {
    const bytes = propertyBytes(all);
    const read = readProperties(bytes, 0, bytes.length);
    expect(Object.keys(read)).toEqual(Object.keys(propertyRows));
    expect({ ...read, headers: 0 }).toEqual({ ...all, headers: 0, timestamp: 1700000000n });
    expect(written((writer) => writeProperties(writer, read))).toEqual(bytes);
  });

  test('the scan finds what routing and storing look at', () => {
    const bytes = Buffer.concat([Buffer.alloc(5), propertyBytes(all)]);
    const scan = new PropertyScan();
    scan.scan(bytes, 5, bytes.length);
    const at = (place: { at: number; bytes: number }) => bytes.toString('utf8', place.at, place.at + place.bytes);
    expect(scan).toMatchObject({ deliveryMode: 2, priority: 7, timestamp: 1700000000, copies: false });
    expect([scan.expiration, scan.messageId, scan.userId, scan.key, scan.tag].map(at)).toEqual([
      '60000',
      'm-1',
      'guest',
      'k1',
      'red',
    ]);
    const plain = propertyBytes({});
    scan.scan(plain, 0, plain.length);
    expect([scan.deliveryMode, scan.timestamp, scan.key.bytes, scan.expiration.bytes]).toEqual([-1, -1, -1, -1]);
    const copies = propertyBytes({ headers: { CC: ['a'] } });
    scan.scan(copies, 0, copies.length);
    expect(scan.copies).toBe(true);
  });

  test('scan and read agree on hostile bytes', () => {
    const scan = new PropertyScan();
    fc.assert(
      fc.property(arbitraries.properties, fc.nat(), fc.integer({ min: 0, max: 255 }), (value, at, octet) => {
        const bytes = written((writer) => writeProperties(writer, value));
        expect(readProperties(bytes, 0, bytes.length)).toEqual(value);
        bytes[at % bytes.length] = octet;
        expect(
          outcome(() => {
            scan.scan(bytes, 0, bytes.length);
            return 0;
          }),
        ).toEqual(
          outcome(() => {
            readProperties(bytes, 0, bytes.length);
            return 0;
          }),
        );
      }),
      { numRuns: 1000 },
    );
  });
});
