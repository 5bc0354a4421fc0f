// Bytes of the Java library (specs/rocketmq/vectors) against the header decoders, the stored form and the units.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Message } from '../../core/types.ts';
import { SERIALIZE_BINARY, SERIALIZE_JSON } from '../../specs/rocketmq/constants.ts';
import { Framer, Int32Frames } from '../wire/framer.ts';
import { Reader } from '../wire/reader.ts';
import { Writer } from '../wire/writer.ts';
import { BatchCursor, BatchError } from './batch.ts';
import { FLAG_HEADER, toMessage, toRecord } from './canonical.ts';
import { codec } from './codec.ts';
import { readCommand } from './command.ts';
import { fieldNumber } from './fields.ts';
import { Header, HeaderError } from './header.ts';
import { readBinaryHeader } from './header-binary.ts';
import { readJsonHeader } from './header-json.ts';
import { HostBytes, hostText, physicalHigh, physicalLow, placeOf, putOffsetMsgId } from './message-id.ts';
import { isWireName, spell, spellWithin, unspell } from './names.ts';
import { findProperty, readProperties, writeProperties } from './properties.ts';
import { locate, newRecordPlace, PayloadBuilder, RECORDS_AT } from './record.ts';
import { Reply, ReplyField } from './reply.ts';
import { addedProperties, putStoredMessage, storedMessageBytes } from './stored-message.ts';
import { parseTagExpression, tagHash } from './tags.ts';

const vectors = JSON.parse(
  readFileSync(new URL('../../specs/rocketmq/vectors/rocketmq-5.3.3.json', import.meta.url), 'utf8'),
) as Record<string, string>;
const bytesOf = (name: string): Buffer => Buffer.from(vectors[name]!, 'hex');
const field = fieldNumber;

function readFrame(frame: Buffer, start: number, end: number): Header {
  const header = new Header();
  readCommand(frame, start, end, header);
  return header;
}

/** The vector's frame after a framer that gets it in pieces of `pieceBytes`. */
function framed(name: string, pieceBytes: number): { header: Header; frame: Buffer } {
  const source = bytesOf(name);
  const found: { header: Header; frame: Buffer }[] = [];
  const framer = new Framer(new Int32Frames(1 << 20), (frame, start, end) =>
    found.push({ header: readFrame(frame, start, end), frame }),
  );
  for (let at = 0; at < source.length; at += pieceBytes) {
    framer.push(Buffer.from(source.subarray(at, Math.min(source.length, at + pieceBytes))));
  }
  expect(found).toHaveLength(1);
  return found[0]!;
}

describe.each(['json', 'binary'])('a header from the Java client in %s', (form) => {
  it.each([1, 7, 1 << 20])('310, fed in pieces of %i bytes', (pieceBytes) => {
    const { header, frame } = framed(`request310_${form}`, pieceBytes);
    expect(header.code).toBe(310);
    expect(header.opaque).toBe(42);
    expect(header.version).toBe(473);
    expect(header.string(field('a'))).toBe('pg');
    expect(header.string(field('b'))).toBe('Orders');
    expect(header.int(field('e'))).toBe(3);
    expect(header.long(field('g'))).toBe(1700000000123);
    expect(header.boolean(field('m'))).toBe(false);
    expect(header.has(field('topic'))).toBe(false);
    expect(frame.toString('utf8', header.bodyStart, header.bodyEnd)).toBe('hello');
    const properties = Buffer.alloc(header.bytesOf(field('i')));
    expect(header.copy(field('i'), properties, 0)).toBe(properties.length);
    expect([...readProperties(properties, 0, properties.length)]).toEqual([
      ['KEYS', 'k1 k2'],
      ['TAGS', 'TagA'],
      ['UNIQ_KEY', '7F0000010001AABBCCDD000000010000'],
      ['name', 'Jürgen 你好 "q" \\ 😀'],
    ]);
    expect(findProperty(properties, 0, properties.length, Buffer.from('TAGS'))).toBe('TagA');
    expect(findProperty(properties, 0, properties.length, Buffer.from('TAG'))).toBeNull();
  });

  it('11, 15, 10', () => {
    const pull = framed(`request11_${form}`, 3).header;
    expect(pull.code).toBe(11);
    expect(pull.long(field('queueOffset'))).toBe(123456789012);
    expect(pull.string(field('subscription'))).toBe('A || B');
    const commit = framed(`request15_${form}`, 3).header;
    expect([commit.code, commit.flag, commit.long(field('commitOffset'))]).toEqual([15, 2, 77]);
    expect(framed(`request10_${form}`, 3).header.string(field('producerGroup'))).toBe('pg');
  });

  it('a POP request, whose code binary headers cut to 16 bits', () => {
    expect(framed(`request200050_${form}`, 5).header.code).toBe(200050);
  });
});

describe('the JSON header scanner', () => {
  it('agrees with JSON.parse on whatever header is thrown at it', () => {
    const value = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
    const names = fc.oneof(fc.constantFrom('a', 'topic', 'queueId', 'i', 'KEYS', 'x"y'), fc.string());
    fc.assert(
      fc.property(
        fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }),
        fc.dictionary(names, value, { maxKeys: 20 }),
        fc.jsonValue({ maxDepth: 3 }),
        fc.constantFrom(undefined, 1),
        (opaque, extFields, unknown, indent) => {
          const text = JSON.stringify({ code: 310, extFields, unknown, flag: 0, opaque, version: 317 }, null, indent);
          const buffer = Buffer.from(`xx${text}yy`);
          const header = new Header();
          readJsonHeader(buffer, 2, buffer.length - 2, header);
          expect([header.code, header.opaque, header.version]).toEqual([310, opaque, 317]);
          const wanted = JSON.parse(text).extFields as Record<string, unknown>;
          for (const name of ['a', 'topic', 'queueId', 'i']) {
            const has = Object.hasOwn(wanted, name) && wanted[name] !== null;
            expect(header.has(field(name))).toBe(has);
            if (!has) continue;
            expect(header.string(field(name))).toBe(Buffer.from(String(wanted[name])).toString());
            expect(header.bytesOf(field(name))).toBe(Buffer.byteLength(String(wanted[name])));
          }
        },
      ),
    );
  });

  it('refuses what is no header, cut at every byte and with any byte changed, and never anything but HeaderError', () => {
    const whole = bytesOf('request310_json').subarray(8, -5);
    for (let end = 0; end < whole.length - 1; end++) {
      expect(() => readJsonHeader(whole, 0, end, new Header())).toThrow(HeaderError);
    }
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
        const changed = Buffer.from(whole);
        changed[at] = byte;
        try {
          readJsonHeader(changed, 0, changed.length, new Header());
        } catch (error) {
          expect(error).toBeInstanceOf(HeaderError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('saturates what a number cannot hold only where asked to', () => {
    const buffer = Buffer.from('{"code":29,"extFields":{"timestamp":"9223372036854775807"},"opaque":1}');
    const header = new Header();
    readJsonHeader(buffer, 0, buffer.length, header);
    expect(header.longClamped(field('timestamp'))).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => header.long(field('timestamp'))).toThrow(HeaderError);
    expect(header.bigLong(field('timestamp'))).toBe(9223372036854775807n);
  });
});

describe('the binary header reader', () => {
  it('refuses every cut and survives every changed byte', () => {
    const whole = bytesOf('request310_binary').subarray(8, -5);
    for (let end = 0; end < whole.length; end++) {
      expect(() => readBinaryHeader(new Reader(whole, 0, end), new Header())).toThrow(HeaderError);
    }
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
        const changed = Buffer.from(whole);
        changed[at] = byte;
        try {
          readBinaryHeader(new Reader(changed), new Header());
        } catch (error) {
          expect(error).toBeInstanceOf(HeaderError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a reply', () => {
  const fields = { topic: new ReplyField('topic'), queueId: new ReplyField('queueId') };
  it.each([SERIALIZE_JSON, SERIALIZE_BINARY])('in serialize type %i reads back as it was written', (serialize) => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.maxSafeInteger(), fc.integer(), (text, number, opaque) => {
        const writer = new Writer({ slabBytes: 64 });
        const reply = new Reply(writer);
        reply.begin(serialize, opaque | 0, 17, text);
        reply.text(fields.topic, text);
        reply.number(fields.queueId, number);
        reply.endHeader();
        writer.utf8('body');
        reply.finish();
        const frame = writer.take();
        expect(frame.readInt32BE(0)).toBe(frame.length - 4);
        const header = readFrame(frame, 4, frame.length);
        expect([header.code, header.opaque, header.flag & 1]).toEqual([17, opaque | 0, 1]);
        expect(header.string(field('topic'))).toBe(text);
        expect(header.long(field('queueId'))).toBe(number);
        expect(frame.toString('utf8', header.bodyStart)).toBe('body');
      }),
    );
  });
});

describe('stored messages', () => {
  function build(bornHost: HostBytes, names = ['KEYS', 'TAGS']): { payload: Buffer; body: Buffer } {
    const body = Buffer.from('hello');
    const properties = writeProperties(names.map((name) => [name, name === 'KEYS' ? 'k1' : 'TagA']));
    const builder = new PayloadBuilder();
    builder.begin();
    const head = { flag: 7, sysFlag: 0, bornTimestamp: 1700000000123, reconsumeTimes: 2 };
    builder.open(head, bornHost.bytes, body.length, properties.length);
    body.copy(builder.buffer, builder.bodyStart);
    properties.copy(builder.buffer, builder.propertiesStart);
    builder.close();
    return { payload: builder.take(), body };
  }

  it.each([
    ['storedMessage', '10.1.2.3', 54321, '127.0.0.1', 'offsetMsgId'],
    ['storedMessageV6', '2001:db8::1', 1, '2001:db8::2', 'offsetMsgIdV6'],
  ])('%s is byte for byte what MessageDecoder.encode makes', (name, bornHost, bornPort, storeHost, idName) => {
    // The vector with IPv6 hosts went through Java's HashMap, which turned its properties around.
    const names = name === 'storedMessageV6' ? ['TAGS', 'KEYS'] : ['KEYS', 'TAGS'];
    const { payload } = build(new HostBytes(bornHost, bornPort), names);
    const place = newRecordPlace();
    locate(payload, RECORDS_AT, place);
    const delivery = {
      queueId: 3,
      queue: 5,
      storeHost: new HostBytes(storeHost, 10911),
      topic: Buffer.from('Orders'),
      added: Buffer.alloc(0),
    };
    const size = storedMessageBytes(place, delivery);
    const target = Buffer.alloc(size);
    expect(putStoredMessage(target, 0, payload, place, delivery, 123456, 1700000000999)).toBe(size);
    expect(target.toString('hex')).toBe(vectors[name]);
    const id = Buffer.alloc(delivery.storeHost.bytes.length + 8);
    putOffsetMsgId(id, 0, delivery.storeHost, 5, 123456);
    expect(id.toString('hex').toUpperCase()).toBe(vectors[idName]);
  });

  it('are read by ali-ons, up to the long topic of a version 2 unit that it does not know', () => {
    const require = createRequire(import.meta.url);
    const decoder = require('ali-ons/lib/message/message_decoder') as { decodes(buffer: unknown): AliMessage[] };
    // The buffer that the decoder reads from is a dependency of its own.
    const ByteBuffer = createRequire(require.resolve('ali-ons'))('byte') as { wrap(bytes: Buffer): unknown };
    const { payload, body } = build(new HostBytes('10.1.2.3', 54321));
    const place = newRecordPlace();
    locate(payload, RECORDS_AT, place);
    const delivery = {
      queueId: 1,
      queue: 2 ** 21 - 1,
      storeHost: new HostBytes('1.2.3.4', 10911),
      topic: Buffer.from('T'.repeat(127)),
      added: addedProperties('C'),
    };
    const size = storedMessageBytes(place, delivery);
    const both = Buffer.alloc(size * 2);
    putStoredMessage(both, 0, payload, place, delivery, 2 ** 32 - 1, 5);
    putStoredMessage(both, size, payload, place, delivery, 1, 6);
    const decoded = decoder.decodes(ByteBuffer.wrap(both));
    expect(decoded.map((message) => message.queueOffset)).toEqual([2 ** 32 - 1, 1]);
    expect(decoded[0]).toMatchObject({ topic: 'T'.repeat(127), tags: 'TagA', keys: 'k1', bornHost: '10.1.2.3:54321' });
    const { properties } = decoded[0]!;
    expect(properties).toMatchObject({ MSG_REGION: 'DefaultRegion', TRACE_ON: 'true', CLUSTER: 'C' });
    expect(decoded[0]!.body).toEqual(body);
    // As a double it is still exact: that is what the short packing is for.
    expect(placeOf(BigInt(decoded[0]!.commitLogOffset))).toEqual({ queue: 2 ** 21 - 1, offset: 2 ** 32 - 1 });
  });
});

interface AliMessage {
  body: Buffer;
  properties: Record<string, string>;
  queueOffset: number;
  commitLogOffset: number;
}

describe('the physical offset', () => {
  it('is one to one with queue number and offset', () => {
    fc.assert(
      fc.property(fc.nat(0x7f_ffff), fc.bigInt({ min: 0n, max: (1n << 39n) - 1n }), (queue, big) => {
        const offset = Number(big);
        const packed = (BigInt(physicalHigh(queue, offset)) << 32n) | BigInt(physicalLow(offset));
        expect(packed < 1n << 63n).toBe(true);
        expect(placeOf(packed)).toEqual({ queue, offset });
      }),
    );
    expect(placeOf(-1n)).toBeNull();
    expect(placeOf((1n << 53n) + 1n)).toBeNull();
  });

  it('hosts are read back', () => {
    for (const [host, text] of [
      ['10.1.2.3', '10.1.2.3:80'],
      ['::ffff:10.1.2.3', '10.1.2.3:80'],
      ['2001:db8::1', '[2001:db8:0:0:0:0:0:1]:80'],
      ['no address', '0.0.0.0:80'],
    ] as const) {
      const { bytes } = new HostBytes(host, 80);
      expect(hostText(bytes, 0, bytes.length)).toBe(text);
    }
  });
});

describe('a batch body', () => {
  it('from the Java client is split', () => {
    const body = bytesOf('batchBody');
    const cursor = new BatchCursor();
    cursor.reset(body, 0, body.length);
    const found: unknown[] = [];
    while (cursor.next()) {
      const properties = readProperties(body, cursor.propertiesStart, cursor.propertiesEnd);
      found.push([cursor.flag, body.toString('utf8', cursor.bodyStart, cursor.bodyEnd), properties.get('TAGS')]);
    }
    expect(found).toEqual([
      [0, 'body0', 'T0'],
      [1, '', 'T1'],
      [2, 'body2', 'T2'],
    ]);
  });

  it('of more messages than any client sends is refused', () => {
    const one = Buffer.alloc(22);
    one.writeInt32BE(22, 0);
    const cursor = new BatchCursor();
    const walk = (count: number): void => {
      cursor.reset(Buffer.alloc(count * 22, one), 0, count * 22);
      while (cursor.next());
    };
    walk(32_768);
    expect(() => walk(32_769)).toThrow(BatchError);
  });

  it('cut anywhere but between two messages is refused', () => {
    const body = bytesOf('batchBody');
    const ends = new Set([0]);
    for (let at = 0; at < body.length; at += body.readInt32BE(at)) ends.add(at + body.readInt32BE(at));
    for (let end = 0; end <= body.length; end++) {
      const cursor = new BatchCursor();
      cursor.reset(body, 0, end);
      const walk = (): void => {
        while (cursor.next());
      };
      if (ends.has(end)) walk();
      else expect(walk).toThrow(BatchError);
    }
  });
});

describe('tags', () => {
  it('hash as Java strings do', () => {
    expect(tagHash('TagA')).toBe(Number(vectors['hash_TagA']));
    expect(tagHash('你好😀')).toBe(Number(vectors['hash_unicode']));
    expect(tagHash('polygenelubricants')).toBe(Number(vectors['hash_min']));
    expect(tagHash('Aa')).toBe(tagHash('BB'));
  });

  it('expressions', () => {
    expect(parseTagExpression('*')).toBeNull();
    expect(parseTagExpression(' A || B||')).toEqual(new Set([65, 66]));
  });
});

describe('names', () => {
  it('legal ones stay, others are escaped reversibly', () => {
    expect(spell('orders.v1')).toBe('orders%2Ev1');
    expect(spell('ns%topic|a_b-c')).toBe('ns%topic|a_b-c');
    expect(unspell('orders%2Ev1')).toBe('orders.v1');
    expect(unspell('a%41')).toBe('a%41');
    // No UTF-8 behind it, so it stands for itself: a namespace before a name that begins like hexadecimal.
    for (const name of ['%FF', 'ns%ABtest', 'ns%C3', 'MQ_INST_1%DEmo']) {
      expect(unspell(name)).toBe(name);
      expect(spell(name)).toBe(name);
    }
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'grapheme' }), fc.stringMatching(/^[%25EF.A]{0,12}$/)), (name) => {
        const spelling = spell(name);
        expect(unspell(spelling)).toBe(name);
        expect(name === '' || isWireName(spelling, Number.POSITIVE_INFINITY)).toBe(true);
        // One to one: a legal text is nobody else's spelling unless it is that escape.
        const back = unspell(name);
        if (isWireName(name, 1000) && back !== null) expect(spell(back)).toBe(name);
      }),
    );
  });

  it('long ones are cut and stay apart', () => {
    const a = spellWithin('x'.repeat(254) + 'a', 127);
    expect(a).toHaveLength(127);
    expect(a).not.toBe(spellWithin('x'.repeat(254) + 'b', 127));
  });
});

describe('the canonical message', () => {
  const text = fc.string({ unit: 'grapheme' });
  const value = fc.option(
    fc
      .oneof(
        fc.uint8Array(),
        text.map((s) => Buffer.from(s)),
      )
      .map((b) => Buffer.from(b)),
  );
  const header = fc.record(
    { name: fc.oneof(text, fc.constantFrom('KEYS', 'TAGS', 'UNIQ_KEY', FLAG_HEADER, 'h')), value, type: text },
    { requiredKeys: ['name', 'value'] },
  );
  const message = fc.record(
    {
      body: value,
      key: value,
      tag: fc.option(text),
      headers: fc.array(fc.oneof(header, fc.constant({ name: FLAG_HEADER, value: Buffer.from('12') }))),
      timestampMs: fc.integer({ min: -1, max: 2 ** 45 }),
      exchange: text,
      routingKey: text,
      messageId: text,
      correlationId: text,
      replyTo: text,
      contentType: text,
      expirationMs: fc.nat(),
      priority: fc.nat(255),
      persistent: fc.boolean(),
      userId: text,
    },
    { requiredKeys: ['body', 'key', 'tag', 'headers', 'timestampMs'] },
  ) as fc.Arbitrary<Message>;

  it('comes back from a RocketMQ record as it went in', () => {
    fc.assert(
      fc.property(message, (given) => {
        const record = toRecord(given);
        fc.pre(record.dropped === 0);
        const builder = new PayloadBuilder();
        builder.begin();
        const head = { flag: record.flag, sysFlag: 0, bornTimestamp: record.bornTimestamp, reconsumeTimes: 0 };
        builder.open(head, Buffer.alloc(8), record.body.length, record.properties.length);
        record.body.copy(builder.buffer, builder.bodyStart);
        record.properties.copy(builder.buffer, builder.propertiesStart);
        builder.close();
        expect(codec.decode(builder.take(), 1 << 20)).toEqual([given]);
      }),
      { numRuns: 500 },
    );
  });

  it('shows what it can as user properties, also of typed headers', () => {
    const headers = [
      { name: 'count', value: Buffer.from('1'), type: 'amqp:I' },
      { name: 'raw', value: Buffer.from([0xff]) },
    ];
    const record = toRecord({ body: Buffer.from('b'), key: null, tag: null, headers, timestampMs: 0 });
    const shown = readProperties(record.properties, 0, record.properties.length);
    expect(shown.get('count')).toBe('1');
    expect(shown.has('raw')).toBe(false);
  });

  it('an empty TAGS or KEYS is none', () => {
    const builder = new PayloadBuilder();
    builder.begin();
    const properties = writeProperties([
      ['TAGS', ''],
      ['KEYS', ''],
    ]);
    builder.open({ flag: 0, sysFlag: 0, bornTimestamp: 1, reconsumeTimes: 0 }, Buffer.alloc(8), 0, properties.length);
    properties.copy(builder.buffer, builder.propertiesStart);
    builder.close();
    expect(codec.decode(builder.take(), 1000)).toMatchObject([{ key: null, tag: null, headers: [] }]);
  });

  it('drops headers, last first, where properties end', () => {
    const headers = Array.from({ length: 100 }, (_, i) => ({ name: `h${i}`, value: Buffer.alloc(1000, 0x61) }));
    const record = toRecord({ body: null, key: null, tag: 't', headers, timestampMs: 0 });
    expect(record.properties.length).toBeLessThanOrEqual(32767);
    const kept = readProperties(record.properties, 0, record.properties.length);
    expect(kept.get('TAGS')).toBe('t');
    expect(kept.has('h0')).toBe(true);
    expect(record.dropped).toBe(101 - (kept.size - 1));
  });

  it.each([
    ['lz4', 0x101],
    ['zstd', 0x201],
    ['zlib', 0x301],
    ['zlib', 0x001],
  ])('has the body that a Java client compressed with %s', (name, sysFlag) => {
    const stored = bytesOf(`compressed_${name}`);
    const builder = new PayloadBuilder();
    builder.begin();
    builder.open({ flag: 0, sysFlag, bornTimestamp: 1, reconsumeTimes: 0 }, Buffer.alloc(8), stored.length, 0);
    stored.copy(builder.buffer, builder.bodyStart);
    builder.close();
    const wanted = 'hello hello hello hello hello hello hello hello hello '.repeat(30);
    expect(codec.decode(builder.take(), 1 << 20)[0]!.body!.toString()).toBe(wanted);
    expect(() => codec.decode(builder.take(), 100)).toThrow(expect.objectContaining({ code: 'message-too-large' }));
    builder.buffer[builder.bodyStart + 2] = 0xee;
    builder.buffer[builder.bodyStart + 9] = 0xee;
    expect(() => codec.decode(builder.take(), 1 << 20)).toThrow(expect.objectContaining({ code: 'corrupt-message' }));
  });

  it('a payload with any byte changed or cut decodes or is corrupt, nothing else', () => {
    const builder = new PayloadBuilder();
    builder.begin();
    for (const body of ['a', 'bc']) {
      builder.open({ flag: 0, sysFlag: 0, bornTimestamp: 1, reconsumeTimes: 0 }, Buffer.alloc(8), body.length, 5);
      builder.buffer.write(body, builder.bodyStart);
      builder.buffer.write('K\u0001v\u0002x', builder.propertiesStart);
      builder.close();
    }
    const payload = Buffer.from(builder.take());
    fc.assert(
      fc.property(fc.nat(payload.length - 1), fc.nat(255), fc.nat(payload.length), (at, byte, end) => {
        const changed = Buffer.from(payload.subarray(0, end));
        if (at < end) changed[at] = byte;
        try {
          codec.decode(changed, 1 << 20);
        } catch (error) {
          expect(error).toMatchObject({ name: 'BrokerError' });
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('a dead letter keeps the body and says where it died', () => {
    const builder = new PayloadBuilder();
    builder.begin();
    builder.open({ flag: 9, sysFlag: 0, bornTimestamp: 1, reconsumeTimes: 0 }, Buffer.alloc(8), 1, 0);
    builder.buffer.write('b', builder.bodyStart);
    builder.close();
    const death = { reason: 'rejected', topic: 'T', queue: 2, offset: 5, group: 'g', attempts: 3, atMs: 7 } as const;
    const stored = codec.deadLetter!(builder.take(), 0, death);
    const place = newRecordPlace();
    locate(stored.payload, RECORDS_AT, place);
    const dead = toMessage(stored.payload, place, 1000);
    expect(dead.body!.toString()).toBe('b');
    const said = Object.fromEntries(dead.headers.map(({ name, value }) => [name, value!.toString()]));
    expect(said).toMatchObject({ DLQ_ORIGIN_TOPIC: 'T', DLQ_ORIGIN_OFFSET: '5', DLQ_REASON: 'rejected', __FLAG: '9' });
  });
});
