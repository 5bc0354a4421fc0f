// Fetch replies that are slices of the log: the same bytes whatever the sizes, from every offset, for slow readers too.
import { randomBytes } from 'node:crypto';
import { type Duplex, PassThrough, Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { Message } from '../../../core/types.ts';
import { fetch, produce } from '../../../specs/kafka/data.ts';
import { BufferPool } from '../../wire/buffer-pool.ts';
import { Outbox } from '../../wire/outbox.ts';
import { Writer } from '../../wire/writer.ts';
import { AT, readInt64 } from '../codec/batch.ts';
import { encodeBatch } from '../codec/records.ts';
import { Pieces } from '../pieces.ts';
import {
  batchOf,
  client,
  contents,
  conversation,
  fetchOf,
  harness,
  makeTopic,
  produceOf,
  read,
  send,
} from '../testing/conversation.ts';
import { GOLDEN_BATCHES } from '../testing/golden-batches.ts';
import { RawClient } from '../testing/harness.ts';

conversation();

/** A batch of so many records with so many random bytes in all. */
function noise(records: number, bytes: number): Buffer {
  const body = (): Buffer => randomBytes(Math.floor(bytes / records));
  const messages = Array.from({ length: records }, (): Message => {
    return { body: body(), key: null, tag: null, headers: [], timestampMs: 1 };
  });
  const writer = new Writer();
  encodeBatch(writer, messages, 0, records, 0, 0);
  return Buffer.from(writer.take());
}

/** The stored batches of a record set, without what the broker writes (base offset and epoch). */
function bodies(records: Buffer | null): Buffer[] {
  const out: Buffer[] = [];
  for (let at = 0; records !== null && at < records.length; ) {
    const end = at + 12 + records.readInt32BE(at + AT.batchLength);
    out.push(records.subarray(at + AT.magic, end));
    at = end;
  }
  return out;
}

describe('a Fetch', () => {
  it('gives the batches as they were sent, small and large in any order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(10, 4_000, 32_500, 32_768, 33_000, 70_000, 300_000), { minLength: 1, maxLength: 8 }),
        fc.constantFrom(4, 11, 12),
        fc.uuid(),
        async (sizes, version, name) => {
          const topic = await makeTopic(name);
          const sent = sizes.map((bytes, i) => noise(1 + (i % 3), bytes));
          for (const batch of sent) expect((await send(name, batch)).errorCode).toBe(0);
          const { records } = await read(topic, { maxBytes: 1 << 23 }, version);
          expect(bodies(records)).toEqual(sent.map((batch) => batch.subarray(AT.magic)));
        },
      ),
      { numRuns: 25 },
    );
  });

  it('of several partitions keeps each part in its place', async () => {
    await makeTopic('t', 4);
    const sent = [noise(2, 40_000), batchOf('small'), noise(1, 200_000), noise(1, 35_000)];
    for (const [partition, records] of sent.entries()) {
      const data = [{ name: 't', partitionData: [{ index: partition, records }] }];
      await client.ask(produce, 9, { acks: 1, timeoutMs: 1000, topicData: data });
    }
    const wish = fetchOf({ name: 't' }, { maxBytes: 1 << 23 });
    const partition = wish.topics[0]!.partitions[0]!;
    wish.topics[0]!.partitions = sent.map((_batch, index) => ({ ...partition, partition: index }));
    for (const version of [7, 12]) {
      const { responses } = await client.ask(fetch, version, wish);
      expect(responses[0]!.partitions.map(({ records }) => bodies(records))).toEqual(
        sent.map((batch) => [batch.subarray(AT.magic)]),
      );
    }
  });

  it('has the newest of many partitions in one answer, however far apart they lie', async () => {
    await makeTopic('more');
    await send('more', noise(1, 200_000));
    const topic = await makeTopic('t', 200);
    for (let index = 0; index < 200; index++)
      await client.ask(produce, 9, produceOf('t', batchOf(`${index}`), -1, index));
    const wish = fetchOf(topic, { maxBytes: 1 << 20 });
    const partition = wish.topics[0]!.partitions[0]!;
    wish.topics[0]!.partitions = Array.from({ length: 200 }, (_, index) => ({ ...partition, partition: index }));
    const { responses } = await client.ask(fetch, 12, wish);
    expect(responses[0]!.partitions.flatMap(({ records }) => contents(records))).toEqual(
      Array.from({ length: 200 }, (_, index) => [0, `${index}`]),
    );
  });

  it('of cold bytes has all of every partition in one answer, though their memory is used again and again', async () => {
    const partitions = 12;
    const topic = await makeTopic('t', partitions);
    const sent = Array.from({ length: partitions }, () => [noise(2, 60_000), noise(1, 3_000), noise(1, 180_000)]);
    for (let i = 0; i < 3; i++) {
      for (const [index, batches] of sent.entries())
        await client.ask(produce, 9, produceOf('t', batches[i]!, -1, index));
    }
    // The tail goes on until all of it has left the memory; then other cold bytes push these out between the rounds.
    await makeTopic('more');
    for (let i = 0; i < 40; i++) await send('more', noise(1, 1_000_000));
    const wish = fetchOf(topic, { maxBytes: 1 << 22 });
    const partition = wish.topics[0]!.partitions[0]!;
    wish.topics[0]!.partitions = sent.map((_batches, index) => ({ ...partition, partition: index }));
    for (let round = 0; round < 3; round++) {
      const { responses } = await client.ask(fetch, 12, wish);
      expect(responses[0]!.partitions.map(({ records }) => bodies(records))).toEqual(
        sent.map((batches) => batches.map((batch) => batch.subarray(AT.magic))),
      );
      for (let offset = 0; offset < 20; offset++) await read({ name: 'more' }, { offset, maxBytes: 1 << 20 });
    }
  });

  it('of cold bytes that lie far apart has a part of every partition, and the next ones have the rest', async () => {
    const topic = await makeTopic('t', 12);
    const sent = Array.from({ length: 12 }, () => Array.from({ length: 5 }, () => noise(1, 60_000)));
    for (let i = 0; i < 5; i++) {
      for (const [index, batches] of sent.entries())
        await client.ask(produce, 9, produceOf('t', batches[i]!, -1, index));
    }
    await makeTopic('more');
    for (let i = 0; i < 40; i++) await send('more', noise(1, 1_000_000));
    const wish = fetchOf(topic, { maxBytes: 1 << 21 });
    const partition = { ...wish.topics[0]!.partitions[0]!, partitionMaxBytes: 1 << 20 };
    const got = sent.map((): Buffer[] => []);
    for (let round = 0; round < 4; round++) {
      wish.topics[0]!.partitions = got.map(({ length }, index) => {
        return { ...partition, partition: index, fetchOffset: length };
      });
      const { responses } = await client.ask(fetch, 12, wish);
      for (const { partitionIndex, records } of responses[0]!.partitions) got[partitionIndex]!.push(...bodies(records));
      // The answer is as full as with all of the first partitions, and shared.
      if (round === 0) expect(got.filter(({ length }) => length > 0).length).toBeGreaterThan(10);
    }
    expect(got).toEqual(sent.map((batches) => batches.map((batch) => batch.subarray(AT.magic))));
  });

  it('of cold bytes is found in memory by a client that reads on', async () => {
    const partitions = 12;
    const topic = await makeTopic('t', partitions);
    for (let i = 0; i < 12; i++) {
      for (let index = 0; index < partitions; index++)
        await client.ask(produce, 9, produceOf('t', noise(1, 60_000), -1, index));
    }
    await makeTopic('more');
    for (let i = 0; i < 40; i++) await send('more', noise(1, 1_000_000));
    const { signals } = harness.broker as unknown as { signals: { counts: { coldReads: number } } };
    const wish = fetchOf(topic, { maxBytes: 1 << 20 });
    const partition = wish.topics[0]!.partitions[0]!;
    const offsets = new Map(Array.from({ length: partitions }, (_, index) => [index, 0]));
    const coldReads: number[] = [];
    const original = harness.broker.prefetch.bind(harness.broker);
    for (let round = 0; round < 4; round++) {
      // What was fetched ahead has come.
      await new Promise((resolve) => setTimeout(resolve, 50));
      const before = signals.counts.coldReads;
      let during = -1;
      const prefetch = vi.spyOn(harness.broker, 'prefetch').mockImplementation((...args) => {
        // The first of what is fetched for the next one.
        if (args[4] === null && during < 0) during = signals.counts.coldReads - before;
        original(...args);
      });
      wish.topics[0]!.partitions = [...offsets].map(([index, fetchOffset]) => {
        return { ...partition, partition: index, fetchOffset };
      });
      const { responses } = await client.ask(fetch, 12, wish);
      for (const { partitionIndex, records } of responses[0]!.partitions) {
        const count = bodies(records).length;
        if (count === 0) continue;
        // As clients do: those that something was given of come last.
        const next = offsets.get(partitionIndex)! + count;
        offsets.delete(partitionIndex);
        offsets.set(partitionIndex, next);
      }
      await expect.poll(() => during).toBeGreaterThanOrEqual(0);
      prefetch.mockRestore();
      coldReads.push(during);
    }
    expect(coldReads[0]).toBeGreaterThan(5);
    expect(coldReads.slice(1)).toEqual([0, 0, 0]);
  });

  it('at every offset of compressed batches gives the batch that holds it, whole', async () => {
    const topic = await makeTopic('t');
    const sent = Object.values(GOLDEN_BATCHES).map((hex) => Buffer.from(hex, 'hex'));
    for (const batch of sent) expect((await send('t', batch)).errorCode).toBe(0);
    const all = contents((await read(topic)).records);
    expect(all.map(([offset]) => offset)).toEqual(Array.from({ length: sent.length * 3 }, (_, offset) => offset));
    for (let offset = 0; offset < all.length; offset++) {
      const { records } = await read(topic, { offset, maxBytes: 1 });
      expect(readInt64(records!, 0)).toBe(offset - (offset % 3));
      expect(bodies(records)).toEqual([sent[Math.floor(offset / 3)]!.subarray(AT.magic)]);
      const from = offset - (offset % 3);
      expect(contents(records)).toEqual(all.slice(from, from + 3));
    }
  });

  it('that nobody reads for a while has the right bytes all the same', async () => {
    const topic = await makeTopic('t');
    const sent = Array.from({ length: 10 }, () => noise(1, 100_000));
    for (const batch of sent) await send('t', batch);
    const slow = new RawClient(harness.adapter, { highWaterMark: 1000 });
    slow.pause();
    slow.write(slow.encode(fetch, 12, fetchOf(topic, { maxBytes: 1 << 22 })));
    await new Promise((resolve) => setTimeout(resolve, 30));
    // The tail goes on over many chunks, and what the reply holds has left the memory for readers.
    const more = noise(1, 1_000_000);
    for (let i = 0; i < 40; i++) await send('t', more);
    slow.resume();
    const { responses } = await slow.answer(fetch, 12);
    expect(bodies(responses[0]!.partitions[0]!.records)).toEqual(sent.map((batch) => batch.subarray(AT.magic)));
    slow.destroy();
  });
});

describe('the pieces of a reply', () => {
  it('hold no more of the log than they may', () => {
    const pieces = new Pieces();
    const writer = new Writer();
    writer.int32(0);
    for (let i = 0; i < 10; i++) pieces.add(Buffer.allocUnsafeSlow(4 * 1024 * 1024).subarray(0, 40_000), true, writer);
    expect(pieces.slices).toBe(2);
    expect(writer.length + pieces.bytes).toBe(4 + 10 * 40_000);
    // Slices of one buffer cost it once.
    const same = Buffer.allocUnsafeSlow(4 * 1024 * 1024);
    const close = new Pieces();
    for (let i = 0; i < 10; i++) close.add(same.subarray(i * 40_000, (i + 1) * 40_000), true, writer);
    expect(close.slices).toBe(10);
  });

  it('leave in their order, and what is not lasting may change when they have been sent', async () => {
    const part = fc.record({
      head: fc.nat(300),
      payload: fc.constantFrom(0, 10, 12_000, 32_000, 40_000, 524_288, 700_000),
      lasting: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 6 }), fc.nat(20), async (parts, tail) => {
        const stream = new PassThrough({ highWaterMark: 50_000 });
        const got: Buffer[] = [];
        stream.on('data', (bytes: Buffer) => got.push(Buffer.from(bytes)));
        const writer = new Writer();
        writer.int32(7);
        const pieces = new Pieces();
        const expected: Buffer[] = [Buffer.from([0, 0, 0, 7])];
        const brief: Buffer[] = [];
        for (const { head, payload, lasting } of parts) {
          const bytes = randomBytes(head + payload);
          writer.bytes(bytes.subarray(0, head));
          pieces.add(bytes.subarray(head), lasting, writer);
          expected.push(Buffer.from(bytes));
          if (!lasting) brief.push(bytes);
        }
        writer.bytes(Buffer.alloc(tail, 9));
        expected.push(Buffer.alloc(tail, 9));
        const whole = Buffer.concat(expected);
        expect(writer.length + pieces.bytes).toBe(whole.length);
        const pool = new BufferPool();
        let sent = 0;
        pieces.send(writer.buffer, writer.start, writer.offset, new Outbox(stream), pool, () => sent++);
        for (const bytes of brief) bytes.fill(1);
        await expect.poll(() => got.reduce((sum, { length }) => sum + length, 0)).toBe(whole.length);
        expect(Buffer.concat(got).equals(whole)).toBe(true);
        await expect.poll(() => sent).toBe(1);
        expect(pool.keptBytes).toBeGreaterThan(0);
        stream.destroy();
        await new Promise((resolve) => setImmediate(resolve));
        expect(sent).toBe(1);
      }),
      { numRuns: 60 },
    );
  });

  it('leave while the last of them are being copied, and nobody is told when the stream has been cut', async () => {
    const writes: (() => void)[] = [];
    let taken = 0;
    const stream = new Writable({
      write(bytes: Buffer, _encoding, done) {
        taken += bytes.length;
        writes.push(done);
      },
      destroy(_error, done) {
        // As a socket does.
        for (const written of writes) written();
        done(null);
      },
    });
    const writer = new Writer();
    writer.int32(7);
    const pieces = new Pieces();
    for (let i = 0; i < 3; i++) pieces.add(randomBytes(400_000), false, writer);
    let sent = 0;
    const outbox = new Outbox(stream as unknown as Duplex);
    pieces.send(writer.buffer, writer.start, writer.offset, outbox, new BufferPool(), () => sent++);
    expect(taken).toBe(512 * 1024);
    stream.destroy();
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toBe(0);
  });
});
