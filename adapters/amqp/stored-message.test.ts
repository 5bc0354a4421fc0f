import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BrokerError } from '../../core/errors.ts';
import type { Message } from '../../core/types.ts';
import { outgoingOf } from './canonical.ts';
import { codec } from './codec.ts';
import { readProperties } from './content-properties.ts';
import { type FieldTable, type FieldValue, fieldOf } from './field-table.ts';
import { makeStored, StoredView, writeStoredHead } from './stored-message.ts';
import { propertyBytes } from './testing/amqplib-encoder.ts';
import * as arbitraries from './testing/arbitraries.ts';

/** A stored message as a publish through amqplib makes it: its property octets, our head. */
function stored(properties: object, body: Buffer, exchange = 'orders', routingKey = 'eu.new'): Buffer {
  const octets = propertyBytes(properties);
  const head = Buffer.alloc(600);
  const at = writeStoredHead(head, 1_700_000_000_123, Buffer.from(exchange), Buffer.from(routingKey), octets.length);
  return Buffer.concat([head.subarray(0, at), octets, body]);
}

const decode = (payload: Buffer): Message => codec.decode(payload, 1 << 20)[0]!;

describe('the stored format', () => {
  test('is the grammar of MAPPING.md, octet for octet', () => {
    const bytes = stored({ deliveryMode: 2 }, Buffer.from('hi'), 'x', 'rk');
    expect(bytes.toString('hex')).toBe('010000018bcfe5687b' + '0178' + '02726b' + '00000003' + '100002' + '6869');
    expect(new StoredView().read(bytes)).toMatchObject({
      publishedMs: 1_700_000_000_123,
      exchangeBytes: 1,
      routingKeyBytes: 2,
      propertiesBytes: 3,
      bodyBytes: 2,
    });
  });

  test('every cut of a message and every version but ours is refused as damaged', () => {
    const bytes = stored({ headers: { a: 'b' } }, Buffer.alloc(0));
    for (let cut = 0; cut < bytes.length; cut++) {
      expect(() => codec.decode(bytes.subarray(0, cut), 1000), `cut at ${cut}`).toThrow(BrokerError);
    }
    bytes[0] = 2;
    expect(() => codec.decode(bytes, 1000)).toThrow(/damaged/);
    expect(() => codec.decode(bytes, 10)).toThrow(/exceeds/);
  });
});

describe('to the canonical message', () => {
  test('key, tag, times and headers arrive where other protocols look for them', () => {
    const message = decode(
      stored(
        {
          headers: { 'x-key': 'customer-1', TAGS: 'red', traceparent: '00-ab-cd-01', n: 5, none: null },
          messageId: 'm1',
          timestamp: 1600000000,
          expiration: '5000',
          priority: 3,
          deliveryMode: 2,
        },
        Buffer.from('body'),
      ),
    );
    expect(message).toEqual({
      body: Buffer.from('body'),
      key: Buffer.from('customer-1'),
      tag: 'red',
      headers: [
        { name: 'traceparent', value: Buffer.from('00-ab-cd-01') },
        { name: 'n', value: Buffer.from('5'), type: 'amqp:b' },
        { name: 'none', value: null },
      ],
      timestampMs: 1_600_000_000_000,
      exchange: 'orders',
      routingKey: 'eu.new',
      messageId: 'm1',
      expirationMs: 5000,
      priority: 3,
      persistent: true,
    });
  });

  test('without the header the routing key is the key, and an empty one is none', () => {
    expect(decode(stored({}, Buffer.alloc(0))).key).toEqual(Buffer.from('eu.new'));
    expect(decode(stored({}, Buffer.alloc(0), '', '')).key).toBeNull();
    expect(decode(stored({}, Buffer.alloc(0))).timestampMs).toBe(1_700_000_000_123);
  });
});

describe('there and back', () => {
  const home = (message: Message): Message => {
    const { exchange, routingKey, properties, body } = outgoingOf(message, 'topic');
    return decode(makeStored(0, exchange, routingKey, properties, body));
  };

  test('an AMQP message keeps every property, header, letter and octet of its body', () => {
    fc.assert(
      fc.property(arbitraries.properties, arbitraries.bytes, arbitraries.shortString, (given, body, routingKey) => {
        const first = decode(makeStored(1_700_000_000_000, 'ex', routingKey, given, body));
        const out = outgoingOf(first, 'elsewhere');
        expect(out).toEqual({
          exchange: 'ex',
          routingKey,
          properties: { ...out.properties, ...given, headers: out.properties.headers },
          body,
        });
        expect(sorted(out.properties.headers)).toEqual(sorted(given.headers));
        expect(
          Object.keys(out.properties)
            .filter((name) => name !== 'timestamp' && name !== 'headers')
            .sort(),
        ).toEqual(
          Object.keys(given)
            .filter((name) => name !== 'timestamp' && name !== 'headers')
            .sort(),
        );
      }),
    );
  });

  const header = fc.record(
    { name: fc.string({ maxLength: 20 }), value: fc.option(arbitraries.bytes), type: fc.constant('other:thing') },
    { requiredKeys: ['name', 'value'] },
  );
  const foreign: fc.Arbitrary<Message> = fc.record(
    {
      body: fc.option(arbitraries.bytes),
      key: fc.option(arbitraries.bytes),
      tag: fc.option(fc.string({ maxLength: 20 })),
      headers: fc.array(
        header.filter(({ name }) => !['x-key', 'TAGS', 'x-tombstone', 'timestamp_in_ms'].includes(name)),
        { maxLength: 4 },
      ),
      timestampMs: fc.integer({ min: 1, max: 4_000_000_000_000 }),
      messageId: fc.string({ maxLength: 300 }),
      correlationId: fc.string({ maxLength: 300 }),
      persistent: fc.boolean(),
      priority: fc.integer({ min: 0, max: 255 }),
    },
    { requiredKeys: ['body', 'key', 'tag', 'headers', 'timestampMs'] },
  );

  test('a message of another protocol comes home unchanged but for what MAPPING.md lists', () => {
    fc.assert(
      fc.property(foreign, (message) => {
        const back = home(message);
        // Listed: markers of other protocols are lost, and a record without key that has a tag is routed by its tag.
        const headers = message.headers.map(({ name, value }) => ({ name, value }));
        const { exchange: _exchange, routingKey, ...rest } = back;
        const key =
          message.key === null && message.tag !== null && message.tag !== '' ? Buffer.from(routingKey!) : message.key;
        expect(rest).toEqual({ ...message, headers, key });
      }),
    );
  });

  test('octets of another protocol that are not UTF-8 are a byte array, which clients do not decode', () => {
    const header = (value: Buffer) => ({ name: 'h', value });
    const { properties } = outgoingOf(
      {
        body: null,
        key: null,
        tag: null,
        headers: [header(Buffer.from([0xc3, 0x28])), header(Buffer.from('é'))],
        timestampMs: 0,
      },
      'orders',
    );
    expect(properties.headers!.slice(0, 2).map((entry) => entry.field.type)).toEqual(['x', 'S']);
  });

  test('a binary key, a null body and a time with milliseconds are visible to an AMQP reader', () => {
    const { properties, routingKey, body } = outgoingOf(
      { body: null, key: Buffer.from([0xff]), tag: null, headers: [], timestampMs: 1_700_000_000_123 },
      'orders',
    );
    expect([routingKey, body.length, properties.timestamp]).toEqual(['', 0, 1_700_000_000n]);
    expect(properties.headers).toEqual([
      { key: 'timestamp_in_ms', field: { type: 'l', value: 1_700_000_000_123n } },
      { key: 'x-key', field: { type: 'x', value: Buffer.from([0xff]) } },
      { key: 'x-tombstone', field: { type: 't', value: true } },
    ]);
  });
});

describe('dead letters', () => {
  const death = {
    reason: 'rejected',
    topic: 'work',
    queue: 0,
    offset: 4,
    group: 'work',
    attempts: 1,
    atMs: 1_700_000_001_999,
  } as const;
  const headersOf = (payload: Buffer) => {
    const view = new StoredView().read(payload);
    return readProperties(payload, view.propertiesAt, view.propertiesAt + view.propertiesBytes);
  };

  test('carry x-death as RabbitMQ writes it and go under the target exchange and key', () => {
    const letter = codec.deadLetter!(stored({ expiration: '100', headers: { a: 'b' } }, Buffer.from('x')), 0, {
      ...death,
      reason: 'expired',
      target: { exchange: 'dlx', routingKey: 'dead' },
    });
    const message = decode(letter.payload);
    expect([message.exchange, message.routingKey, message.expirationMs]).toEqual(['dlx', 'dead', undefined]);
    const headers = headersOf(letter.payload).headers!;
    expect(headers.map((entry) => entry.key)).toEqual([
      'a',
      'x-death',
      'x-first-death-exchange',
      'x-first-death-queue',
      'x-first-death-reason',
      'x-last-death-exchange',
      'x-last-death-queue',
      'x-last-death-reason',
    ]);
    const text = (value: string) => ({ type: 'S', value: Buffer.from(value) });
    expect(fieldOf(headers, 'x-death')?.value).toEqual([
      {
        type: 'F',
        value: [
          { key: 'count', field: { type: 'l', value: 1n } },
          { key: 'reason', field: text('expired') },
          { key: 'queue', field: text('work') },
          { key: 'time', field: { type: 'T', value: 1_700_000_001n } },
          { key: 'exchange', field: text('orders') },
          { key: 'routing-keys', field: { type: 'A', value: [text('eu.new')] } },
          { key: 'original-expiration', field: text('100') },
        ],
      },
    ]);
  });

  test('the same queue and reason count up and come first', () => {
    let payload = stored({}, Buffer.from('x'));
    const die = (topic: string) => {
      payload = codec.deadLetter!(payload, 0, { ...death, topic }).payload;
    };
    for (const queue of ['a', 'b', 'a']) die(queue);
    const deaths = fieldOf(headersOf(payload).headers!, 'x-death');
    const tables = deaths?.type === 'A' ? deaths.value.map((entry) => (entry.type === 'F' ? entry.value : [])) : [];
    expect(tables.map((table) => ['count', 'queue'].map((key) => fieldOf(table, key)?.value))).toEqual([
      [2n, Buffer.from('a')],
      [1n, Buffer.from('b')],
    ]);
    // As RabbitMQ 3.10.8 was seen to write what comes in front of earlier deaths.
    expect(tables[0]!.map(({ key }) => key)).toEqual(['count', 'exchange', 'queue', 'reason', 'routing-keys', 'time']);
    expect(fieldOf(headersOf(payload).headers!, 'x-first-death-queue')?.value).toEqual(Buffer.from('a'));
  });

  test('do not count above what the field holds, whatever count a publisher has sent', () => {
    const text = (value: string): FieldValue => ({ type: 'S', value: Buffer.from(value) });
    const count: FieldValue = { type: 'l', value: 2n ** 63n - 1n };
    const forged: FieldValue = {
      type: 'F',
      value: [
        { key: 'queue', field: text('work') },
        { key: 'reason', field: text('rejected') },
        { key: 'count', field: count },
      ],
    };
    const headers: FieldTable = [{ key: 'x-death', field: { type: 'A', value: [forged] } }];
    const letter = codec.deadLetter!(makeStored(0, '', 'work', { headers }, Buffer.from('x')), 0, death);
    const deaths = fieldOf(headersOf(letter.payload).headers!, 'x-death');
    const [first] = deaths?.type === 'A' ? deaths.value : [];
    expect(first?.type === 'F' && fieldOf(first.value, 'count')).toEqual(count);
  });

  test('keep further routing keys, unless another takes their place, and know where they must not go again', () => {
    const headers = { CC: ['cc', 'dd'] };
    const first = codec.deadLetter!(stored({ headers }, Buffer.from('x')), 0, {
      ...death,
      topic: 'a',
      reason: 'expired',
    });
    expect([first.copies, first.avoid]).toEqual([['cc', 'dd'], ['a']]);
    const second = codec.deadLetter!(first.payload, 0, { ...death, topic: 'b', reason: 'max-length' });
    expect(second.avoid).toEqual(['b', 'a']);
    const third = codec.deadLetter!(second.payload, 0, {
      ...death,
      topic: 'c',
      reason: 'rejected',
      target: { exchange: '', routingKey: 'elsewhere' },
    });
    expect([third.copies, third.avoid]).toEqual([[], []]);
    expect(fieldOf(headersOf(third.payload).headers!, 'CC')).toBeUndefined();
  });
});

function sorted(headers: ReturnType<typeof readProperties>['headers']): unknown[] {
  return (headers ?? []).filter((entry) => entry.key !== 'timestamp_in_ms').map((entry) => entry);
}
