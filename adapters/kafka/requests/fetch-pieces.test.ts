// Fetch replies that are slices of the log: the same bytes whatever the sizes, from every offset, for slow readers too.
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Message } from '../../../core/types.ts';
import { fetch, produce } from '../../../specs/kafka/data.ts';
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
    expect(pieces.slices).toHaveLength(2);
    expect(writer.length + pieces.bytes).toBe(4 + 10 * 40_000);
    // Slices of one buffer cost it once.
    const same = Buffer.allocUnsafeSlow(4 * 1024 * 1024);
    const close = new Pieces();
    for (let i = 0; i < 10; i++) close.add(same.subarray(i * 40_000, (i + 1) * 40_000), true, writer);
    expect(close.slices).toHaveLength(10);
  });
});
