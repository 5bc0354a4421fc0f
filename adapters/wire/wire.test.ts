// The wire layer against Node's own Buffer methods, published vectors of varints, and hostile bytes.
import { Duplex, PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BufferPool } from './buffer-pool.ts';
import { Framer, Int32Frames } from './framer.ts';
import { Outbox } from './outbox.ts';
import { Reader } from './reader.ts';
import { WireError } from './wire-error.ts';
import { Writer } from './writer.ts';

describe('Reader and Writer', () => {
  it('agree with Node on fixed-width integers and floats', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -128, max: 127 }),
        fc.integer({ min: -32768, max: 32767 }),
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        fc.maxSafeInteger(),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.double({ noNaN: true }),
        (i8, i16, i32, i64, big, f64) => {
          const expected = Buffer.alloc(31);
          expected.writeInt8(i8, 0);
          expected.writeInt16BE(i16, 1);
          expected.writeInt32BE(i32, 3);
          expected.writeBigInt64BE(BigInt(i64), 7);
          expected.writeBigInt64BE(big, 15);
          expected.writeDoubleBE(f64, 23);
          const writer = new Writer({ slabBytes: 16 });
          writer.int8(i8);
          writer.int16(i16);
          writer.int32(i32);
          writer.int64(i64);
          writer.bigInt64(big);
          writer.float64(f64);
          const bytes = writer.take();
          expect(bytes).toEqual(expected);
          const reader = new Reader(bytes);
          expect(reader.int8()).toBe(i8);
          expect(reader.int16()).toBe(i16);
          expect(reader.int32()).toBe(i32);
          expect(reader.int64()).toBe(i64 === 0 ? 0 : i64);
          expect(reader.bigInt64()).toBe(big);
          expect(reader.float64()).toBe(f64);
          expect(reader.remaining).toBe(0);
        },
      ),
    );
  });

  it('writes the varints of the Protocol Buffers encoding guide', () => {
    // 150 -> 96 01; zigzag: 0 -> 0, -1 -> 1, 1 -> 2, -2 -> 3, 0x7fffffff -> 0xfffffffe, -0x80000000 -> 0xffffffff.
    const cases: [string, (w: Writer) => void][] = [
      ['9601', (w) => w.uvarint(150)],
      ['00', (w) => w.varint(0)],
      ['01', (w) => w.varint(-1)],
      ['02', (w) => w.varint(1)],
      ['03', (w) => w.varint(-2)],
      ['feffffff0f', (w) => w.varint(0x7fffffff)],
      ['ffffffff0f', (w) => w.varint(-0x80000000)],
      ['03', (w) => w.varlong(-2)],
    ];
    for (const [hex, write] of cases) {
      const writer = new Writer();
      write(writer);
      expect(writer.take().toString('hex')).toBe(hex);
    }
    expect(new Reader(Buffer.from('feffffff0f', 'hex')).varint()).toBe(0x7fffffff);
    expect(new Reader(Buffer.from('ffffffff0f', 'hex')).varint()).toBe(-0x80000000);
  });

  it('agrees with zigzag in BigInt on varlongs', () => {
    const reference = (value: number): Buffer => {
      let raw = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
      const out: number[] = [];
      while (raw >= 0x80n) {
        out.push(Number(raw & 0x7fn) | 0x80);
        raw >>= 7n;
      }
      out.push(Number(raw));
      return Buffer.from(out);
    };
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeInteger(), fc.integer()), (value) => {
        const writer = new Writer();
        writer.varlong(value);
        const bytes = writer.take();
        expect(bytes).toEqual(reference(value));
        expect(new Reader(bytes).varlong()).toBe(value === 0 ? 0 : value);
      }),
      { numRuns: 1000 },
    );
    for (const value of [
      2 ** 30 - 1,
      2 ** 30,
      -(2 ** 30),
      -(2 ** 30) - 1,
      Number.MAX_SAFE_INTEGER,
      -Number.MAX_SAFE_INTEGER,
    ]) {
      const writer = new Writer();
      writer.varlong(value);
      const bytes = writer.take();
      expect(bytes).toEqual(reference(value));
      expect(new Reader(bytes).varlong()).toBe(value);
    }
  });

  it('takes the nearest number where that is asked for', () => {
    const nearest = (hex: string): number => new Reader(Buffer.from(hex, 'hex')).nearestInt64();
    expect(nearest('7fffffffffffffff')).toBe(Number.MAX_SAFE_INTEGER);
    expect(nearest('0020000000000000')).toBe(Number.MAX_SAFE_INTEGER);
    expect(nearest('001fffffffffffff')).toBe(Number.MAX_SAFE_INTEGER);
    expect(nearest('001ffffffffffffe')).toBe(Number.MAX_SAFE_INTEGER - 1);
    expect(nearest('8000000000000000')).toBe(Number.MIN_SAFE_INTEGER);
    expect(nearest('ffffffffffffffff')).toBe(-1);
    expect(() => nearest('00000000000000')).toThrow(WireError);
  });

  it('refuses what does not fit', () => {
    expect(() => new Reader(Buffer.alloc(3)).int32()).toThrow(WireError);
    expect(() => new Reader(Buffer.from('7fffffffffffffff', 'hex')).int64()).toThrow(WireError);
    expect(() => new Reader(Buffer.from('ffdfffffffffffff', 'hex')).int64()).toThrow(WireError);
    expect(() => new Reader(Buffer.from('ffffffff1f', 'hex')).uvarint()).toThrow(WireError);
    expect(() => new Reader(Buffer.from('ffffffffff', 'hex')).uvarint()).toThrow(WireError);
    expect(() => new Reader(Buffer.from('ffffffffffffffffff01', 'hex')).varlong()).toThrow(WireError);
    expect(() => new Reader(Buffer.alloc(4)).slice(-1)).toThrow(WireError);
    expect(() => new Reader(Buffer.alloc(4)).slice(5)).toThrow(WireError);
    expect(() => new Writer({ frameBytesMax: 8, slabBytes: 8 }).bytes(Buffer.alloc(9))).toThrow(WireError);
  });

  it('keeps reserved lengths right when the frame moves to another slab', () => {
    const writer = new Writer({ slabBytes: 8 });
    writer.int16(1);
    const first = writer.take();
    const length = writer.reserveInt32();
    writer.bytes(Buffer.alloc(100, 7));
    writer.patchLength32(length);
    const second = writer.take();
    expect(second.readInt32BE(0)).toBe(100);
    expect(second.length).toBe(104);
    expect(first.toString('hex')).toBe('0001');
  });
});

const frame = (body: Buffer): Buffer => {
  const head = Buffer.alloc(4);
  head.writeInt32BE(body.length);
  return Buffer.concat([head, body]);
};

describe('Framer', () => {
  it('delivers the same frames however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 }),
        fc.boolean(),
        (bodies, cuts, pooled) => {
          const stream = Buffer.concat(bodies.map((body) => frame(Buffer.from(body))));
          const seen: string[] = [];
          const deliver = (buffer: Buffer, start: number, end: number): void => {
            seen.push(buffer.toString('hex', start, end));
          };
          const framer = new Framer(new Int32Frames(64), deliver, pooled ? new BufferPool() : null);
          let at = 0;
          for (let i = 0; at < stream.length; i++) {
            const next = Math.min(stream.length, at + cuts[i % cuts.length]!);
            framer.push(stream.subarray(at, next));
            at = next;
          }
          expect(seen).toEqual(bodies.map((body) => Buffer.from(body).toString('hex')));
          expect(framer.pendingBytes).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('parses in place what is whole and gathers once what is not', () => {
    const chunk = Buffer.concat([frame(Buffer.from('whole')), frame(Buffer.alloc(10_000, 1)).subarray(0, 5000)]);
    const buffers: Buffer[] = [];
    const framer = new Framer(new Int32Frames(20_000), (buffer) => buffers.push(buffer));
    framer.push(chunk);
    expect(buffers[0]).toBe(chunk);
    framer.push(Buffer.alloc(5004, 1));
    expect(buffers[1]?.length).toBe(10_004);
  });

  it('refuses negative and oversized frames before it takes memory for them', () => {
    const layout = new Int32Frames(100);
    const framer = new Framer(layout, () => {});
    expect(() => framer.push(Buffer.from('ffffffff', 'hex'))).toThrow(WireError);
    expect(() => new Framer(layout, () => {}).push(Buffer.from('00000065', 'hex'))).toThrow(WireError);
    const split = new Framer(layout, () => {});
    split.push(Buffer.from('7f', 'hex'));
    expect(() => split.push(Buffer.from('ffffff', 'hex'))).toThrow(WireError);
    expect(split.pendingBytes).toBeLessThanOrEqual(4);
  });

  it('delivers nothing after stop', () => {
    let seen = 0;
    const framer = new Framer(new Int32Frames(100), () => {
      seen++;
      framer.stop();
    });
    framer.push(Buffer.concat([frame(Buffer.from('a')), frame(Buffer.from('b'))]));
    framer.push(frame(Buffer.from('c')));
    expect(seen).toBe(1);
  });
});

describe('BufferPool', () => {
  it('gives each buffer to one user at a time and keeps no more than it may', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.integer({ min: 1, max: 40_000 }), fc.constant(-1)), { maxLength: 60 }),
        (steps) => {
          const pool = new BufferPool(100_000);
          const held: Buffer[] = [];
          for (const bytes of steps) {
            if (bytes > 0) {
              const buffer = pool.take(bytes);
              expect(buffer.length).toBeGreaterThanOrEqual(bytes);
              expect(held).not.toContain(buffer);
              held.push(buffer);
            } else if (held.length > 0) pool.give(held.pop()!);
            expect(pool.keptBytes).toBeLessThanOrEqual(100_000);
          }
        },
      ),
    );
    const pool = new BufferPool();
    const first = pool.take(5000);
    pool.give(first);
    expect(pool.take(8000)).toBe(first);
    pool.give(Buffer.alloc(5000));
    expect(pool.take(4097)).not.toHaveLength(5000);
  });
});

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Outbox', () => {
  it('writes the frames of a turn together, joining neighbours of a slab', async () => {
    const writes: string[][] = [];
    const stream = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        writes.push([chunk.toString()]);
        done();
      },
      writev(chunks, done) {
        writes.push(chunks.map(({ chunk }) => (chunk as Buffer).toString()));
        done();
      },
    });
    const outbox = new Outbox(stream);
    const writer = new Writer();
    writer.utf8('one ');
    outbox.pushFrame(writer);
    writer.utf8('two ');
    outbox.pushFrame(writer);
    outbox.push(Buffer.from('large'));
    expect(writes).toEqual([]);
    await tick();
    expect(writes).toEqual([['one two ', 'large']]);
    writer.utf8('three');
    outbox.pushFrame(writer);
    await tick();
    expect(writes).toEqual([['one two ', 'large'], ['three']]);
  });

  it('is congested while the peer does not read and says when that ends', async () => {
    let drains = 0;
    const stream = new PassThrough({ highWaterMark: 10 });
    const outbox = new Outbox(stream, { onDrain: () => drains++ });
    outbox.push(Buffer.alloc(100));
    await tick();
    expect(outbox.congested).toBe(true);
    stream.resume();
    await tick();
    await tick();
    expect(outbox.congested).toBe(false);
    expect(drains).toBe(1);
  });

  it('gives pooled buffers back when they have been sent, not before', async () => {
    const pool = new BufferPool();
    const finish: (() => void)[] = [];
    const sent: string[] = [];
    const stream = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        finish.push(() => {
          sent.push(chunk.toString());
          done();
        });
      },
    });
    const outbox = new Outbox(stream);
    const writer = new Writer({ pool });
    for (const text of ['first', 'second']) {
      writer.utf8(text);
      outbox.pushFrame(writer);
    }
    await tick();
    expect(pool.keptBytes).toBe(0);
    // What is written while both are under way goes into buffers of its own.
    writer.utf8('third');
    outbox.pushFrame(writer);
    finish.shift()!();
    await tick();
    expect(pool.keptBytes).toBe(4096);
    finish.shift()!();
    await tick();
    finish.shift()!();
    await tick();
    expect(sent).toEqual(['first', 'second', 'third']);
    expect(pool.keptBytes).toBe(3 * 4096);
    writer.utf8('lost');
    outbox.pushFrame(writer);
    await tick();
    stream.destroy();
    await tick();
    expect(pool.keptBytes).toBe(2 * 4096);
  });

  it('has a writer use its slabs again when they have been sent, not before', async () => {
    const taken: { bytes: Buffer; done: () => void }[] = [];
    const stream = new Duplex({
      read: () => undefined,
      write: (bytes: Buffer, _encoding, done) => void taken.push({ bytes, done }),
      writev: (pieces, done) =>
        void taken.push({ bytes: Buffer.concat(pieces.map(({ chunk }) => chunk as Buffer)), done }),
    });
    const outbox = new Outbox(stream, { heldBytesMax: 1 << 20 });
    const writer = new Writer({ slabBytes: 1024, sent: outbox });
    const slabs = new Set<Buffer>();
    let sent = 0;
    const send = async (frames: number): Promise<void> => {
      for (let n = 0; n < frames; n++) {
        for (let i = 0; i < 100; i++) writer.int32(sent);
        sent++;
        slabs.add(writer.buffer);
        outbox.pushFrame(writer);
      }
      await new Promise((resolve) => setImmediate(resolve));
    };
    const got: Buffer[] = [];
    const take = async (): Promise<void> => {
      for (let next = taken.shift(); next !== undefined; next = taken.shift()) {
        got.push(Buffer.from(next.bytes));
        next.done();
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    // Two frames a slab. While the peer takes nothing every slab is a new one.
    for (let n = 0; n < 20; n++) await send(1);
    expect(slabs.size).toBe(10);
    await take();
    expect(outbox.sentBytes).toBe(outbox.pushedBytes);
    for (let n = 0; n < 50; n++) {
      await send(4);
      await take();
    }
    expect(slabs.size).toBeLessThanOrEqual(10);
    const bytes = Buffer.concat(got);
    expect(bytes.length).toBe(sent * 400);
    for (let n = 0; n < sent * 100; n++) expect(bytes.readInt32BE(n * 4)).toBe(Math.floor(n / 100));
    stream.destroy();
    await new Promise((resolve) => setImmediate(resolve));
    expect(outbox.sentBytes).toBe(-1);
  });

  it('lets a peer go that never reads', async () => {
    const stream = new PassThrough({ highWaterMark: 10 });
    const outbox = new Outbox(stream, { heldBytesMax: 1000 });
    for (let i = 0; i < 20; i++) {
      outbox.push(Buffer.alloc(100));
      await tick();
    }
    expect(stream.destroyed).toBe(true);
    expect(outbox.heldBytes).toBeLessThanOrEqual(1000);
  });
});
