import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AmqpError } from './amqp-error.ts';
import { FrameParser, type FrameSink } from './frame-parser.ts';
import { definitions, framing } from './testing/amqplib-encoder.ts';

/** Writes down what it is given; the pieces of a body are joined, as how they are cut is not the parser's promise. */
class Notes implements FrameSink {
  readonly seen: string[] = [];
  #body = '';
  method(channel: number, buffer: Buffer, start: number, end: number): void {
    this.seen.push(`method ${channel} ${buffer.toString('hex', start, end)}`);
  }
  header(channel: number, buffer: Buffer, start: number, end: number): void {
    this.seen.push(`header ${channel} ${buffer.toString('hex', start, end)}`);
  }
  bodyPart(_channel: number, buffer: Buffer, start: number, end: number): void {
    this.#body += buffer.toString('hex', start, end);
  }
  bodyEnd(channel: number): void {
    this.seen.push(`body ${channel} ${this.#body}`);
    this.#body = '';
  }
  heartbeat(channel: number, payloadBytes: number): void {
    this.seen.push(`heartbeat ${channel} ${payloadBytes}`);
  }
}

const stream = Buffer.concat([
  definitions.encodeMethod(0x003c0028, 7, { exchange: 'amq.topic', routingKey: 'a.b', mandatory: true }),
  definitions.encodeProperties(60, 7, 11, { contentType: 'text/plain', headers: { a: 1 } }),
  framing.makeBodyFrame(7, Buffer.from('hello ')),
  framing.makeBodyFrame(7, Buffer.from('world')),
  Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce]),
  framing.makeBodyFrame(9, Buffer.alloc(0)),
  definitions.encodeMethod(0x003c0050, 65535, { deliveryTag: 4294967297, multiple: true }),
]);

const parse = (chunks: readonly Buffer[], payloadBytesMax = 4096): string[] => {
  const notes = new Notes();
  const parser = new FrameParser(notes, payloadBytesMax);
  for (const chunk of chunks) {
    const copy = Buffer.from(chunk);
    parser.push(copy);
    copy.fill(0xee);
  }
  return notes.seen;
};

describe('FrameParser', () => {
  const whole = parse([stream]);

  test('reads a stream in one chunk', () => {
    expect(whole).toEqual([
      expect.stringMatching(/^method 7 003c0028/),
      expect.stringMatching(/^header 7 003c0000000000000000000b/),
      `body 7 ${Buffer.from('hello ').toString('hex')}`,
      `body 7 ${Buffer.from('world').toString('hex')}`,
      'heartbeat 0 0',
      'body 9 ',
      expect.stringMatching(/^method 65535 003c0050/),
    ]);
  });

  test('reads the same octet by octet', () => {
    expect(parse([...stream].map((octet) => Buffer.from([octet])))).toEqual(whole);
  });

  test('reads the same wherever the stream is cut in two', () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      expect(parse([stream.subarray(0, cut), stream.subarray(cut)]), `cut at ${cut}`).toEqual(whole);
    }
  });

  test('reads the same in any chunks', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 20 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), stream.length];
        expect(parse(at.slice(1).map((end, i) => stream.subarray(at[i], end)))).toEqual(whole);
      }),
    );
  });

  test.each([
    ['a wrong end octet', Buffer.from([1, 0, 0, 0, 0, 0, 1, 0xaa, 0xcd])],
    ['an unknown type', Buffer.from([4, 0, 0, 0, 0, 0, 0, 0xce])],
    ['a payload over the limit', Buffer.from([3, 0, 0, 0, 0, 0x10, 1])],
    ['a payload of 4 GiB', Buffer.from([1, 0, 0, 0xff, 0xff, 0xff, 0xff])],
  ])('refuses %s, in one chunk and octet by octet', (_what, bytes) => {
    expect(() => parse([bytes])).toThrow(AmqpError);
    expect(() => parse([...bytes].map((octet) => Buffer.from([octet])))).toThrow(/^FRAME_ERROR - /);
  });

  test('hands nothing over after stop, not even from the chunk at hand', () => {
    const notes = new Notes();
    const parser: FrameParser = new FrameParser(notes, 4096);
    notes.method = () => {
      notes.seen.push('method');
      parser.stop();
    };
    parser.push(stream);
    parser.push(stream);
    expect(notes.seen).toEqual(['method']);
  });

  test('any bytes either parse or are refused as a frame error', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 6 }), (chunks) => {
        try {
          parse(chunks.map((chunk) => Buffer.from(chunk)));
        } catch (error) {
          expect(error).toBeInstanceOf(AmqpError);
        }
      }),
    );
  });
});
