// The canonical record: the example of the format's description, every field there and back, and hostile bytes.
import fs from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BrokerError } from '../errors.ts';
import { FORMAT_CANONICAL, type Header, type Message } from '../types.ts';
import { canonicalCodec, encodeRecord } from './record.ts';

const LARGE = 1 << 20;
const EMPTY: Message = { body: null, key: null, tag: null, headers: [], timestampMs: 0 };

const decode = (payload: Buffer, bytesMax = LARGE): Message => {
  const messages = canonicalCodec.decode(payload, bytesMax);
  expect(messages.length).toBe(1);
  return messages[0]!;
};
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

const blob = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
// Well-formed, of one to four bytes a character, the replacement character among them.
const text = fc.string({
  unit: fc.oneof(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }), fc.constantFrom('\ufffd', 'ä', '\0')),
});
const header: fc.Arbitrary<Header> = fc.record(
  { name: text, value: fc.option(blob), type: text },
  { requiredKeys: ['name', 'value'], noNullPrototype: true },
);
const number = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(0, 1, -1, 63, 64, -64, 127, 128, 8191, 8192, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER),
);
const message: fc.Arbitrary<Message> = fc.record(
  {
    body: fc.option(blob),
    key: fc.option(blob),
    tag: fc.option(text),
    headers: fc.array(header, { maxLength: 5 }),
    timestampMs: number,
    exchange: text,
    routingKey: text,
    messageId: text,
    correlationId: text,
    replyTo: text,
    contentType: text,
    contentEncoding: text,
    expirationMs: number,
    priority: number,
    persistent: fc.boolean(),
    type: text,
    userId: text,
    appId: text,
  },
  { requiredKeys: ['body', 'key', 'tag', 'headers', 'timestampMs'], noNullPrototype: true },
);

describe('a canonical record', () => {
  it('is the example of its description', () => {
    const example: Message = {
      ...EMPTY,
      body: Buffer.from('hi'),
      key: Buffer.from('k'),
      messageId: 'm',
      persistent: true,
      timestampMs: 1000,
      headers: [
        { name: 'a', value: Buffer.from('1') },
        { name: 'n', value: null, type: 'I' },
      ],
    };
    const line = '01  a38006  a80f  016b  016d  02  01 0161 0131  02 016e 0149  026869';
    expect(fs.readFileSync(new URL('record.ts', import.meta.url), 'utf8')).toContain(` ${line}\n`);
    expect(encodeRecord(example).toString('hex')).toBe(hex(line).toString('hex'));
    expect(decode(hex(line))).toEqual(example);
  });

  it('has each field at its bit', () => {
    const one = (fields: Partial<Message>): string => encodeRecord({ ...EMPTY, ...fields }).toString('hex');
    expect(one({})).toBe('01000000');
    expect(one({ body: Buffer.alloc(0) })).toBe('0101000000');
    expect(one({ key: Buffer.alloc(0) })).toBe('0102000000');
    expect(one({ tag: 'ä' })).toBe('01040002c3a400');
    expect(one({ exchange: '' })).toBe('0108000000');
    expect(one({ routingKey: 'r' })).toBe('011000017200');
    expect(one({ messageId: 'r' })).toBe('012000017200');
    expect(one({ correlationId: 'r' })).toBe('014000017200');
    expect(one({ replyTo: 'r' })).toBe('01800100017200');
    expect(one({ contentType: 'r' })).toBe('01800200017200');
    expect(one({ contentEncoding: 'r' })).toBe('01800400017200');
    expect(one({ type: 'r' })).toBe('01800800017200');
    expect(one({ userId: 'r' })).toBe('01801000017200');
    expect(one({ appId: 'r' })).toBe('01802000017200');
    expect(one({ expirationMs: 64 })).toBe('01804000800100');
    expect(one({ priority: -1 })).toBe('018080010041' + '00');
    expect(one({ persistent: false })).toBe('018080020000');
    expect(one({ persistent: true })).toBe('018080060000');
    expect(one({ timestampMs: -1000 })).toBe('0100e80f00');
  });

  it('carries every message there and back, absent as absent and empty as empty', () => {
    fc.assert(
      fc.property(message, (original) => {
        const record = encodeRecord(original);
        const back = decode(record);
        expect(back).toStrictEqual(original);
        expect(encodeRecord(back).equals(record)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('has slices of the payload for bytes', () => {
    const record = encodeRecord({ ...EMPTY, body: Buffer.alloc(100_000, 7) });
    expect(decode(record).body!.buffer).toBe(record.buffer);
    // A large head is not written over by the next one.
    const large = encodeRecord({ ...EMPTY, key: Buffer.alloc(200_000, 1) });
    encodeRecord({ ...EMPTY, key: Buffer.alloc(200_000, 2) });
    expect(decode(large).key!.every((byte) => byte === 1)).toBe(true);
  });

  it('refuses numbers that are none', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 0.5, 2 ** 53]) {
      for (const field of ['timestampMs', 'expirationMs', 'priority']) {
        expect(() => encodeRecord({ ...EMPTY, [field]: value })).toThrow(field);
      }
    }
    expect(decode(encodeRecord(EMPTY))).toEqual(EMPTY);
  });
});

describe('what is not a canonical record', () => {
  function refused(payload: Buffer): string {
    try {
      decode(payload);
    } catch (error) {
      expect(error).toBeInstanceOf(BrokerError);
      expect((error as BrokerError).code).toBe('corrupt-message');
      return (error as BrokerError).message;
    }
    return 'read';
  }

  it('is refused with its reason', () => {
    const cases: [string, string][] = [
      ['', 'ends too early'],
      ['02000000', 'version 2'],
      ['01', 'ends too early'],
      ['0180800800 00', 'flags 131072'],
      ['0180800400 00', 'flags 65536'],
      ['01000000 00', '1 bytes behind'],
      ['01010000 05 6869', '5 bytes announced, 2 are there'],
      ['01010000 ffffffffffffff0f', 'bytes announced, 0 are there'],
      ['01010000 ffffffffffffff10', 'too large'],
      ['01010000 80808080808080808080808080808080808080', 'too large'],
      ['010000 ffffff7f', 'headers in 0 bytes'],
      ['010000 02 000000', '2 headers in 3 bytes'],
      ['010000 01 0400', 'flags 4 of a header'],
      ['01040002 c328 00', 'not UTF-8'],
      ['01040003 eda080 00', 'not UTF-8'],
      ['0100 bfffffffffffff20 00', 'too large'],
    ];
    for (const [bytes, reason] of cases) expect(refused(hex(bytes)), bytes).toContain(reason);
  });

  it('is refused at every length shorter than the record', () => {
    fc.assert(
      fc.property(message, (original) => {
        const record = encodeRecord(original);
        for (let length = 0; length < record.length; length++)
          expect(refused(record.subarray(0, length))).not.toBe('read');
        expect(refused(Buffer.concat([record, Buffer.of(0)]))).not.toBe('read');
      }),
    );
  });

  it('never breaks anything: any bytes are read or refused', () => {
    const mutated = fc
      .tuple(message, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }))
      .map(([original, changes]) => {
        const record = encodeRecord(original);
        for (const [at, byte] of changes) record[at % record.length] = byte;
        return record;
      });
    const raw = fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from([1, ...array]));
    fc.assert(
      fc.property(fc.oneof(mutated, raw), (payload) => {
        if (refused(payload) !== 'read') return;
        const back = decode(payload);
        expect(decode(encodeRecord(back))).toStrictEqual(back);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is too large when the caller allows less', () => {
    const record = encodeRecord({ ...EMPTY, body: Buffer.alloc(100) });
    expect(canonicalCodec.format).toBe(FORMAT_CANONICAL);
    expect(decode(record, record.length).body!.length).toBe(100);
    expect(() => decode(record, record.length - 1)).toThrow(expect.objectContaining({ code: 'message-too-large' }));
  });
});
