// A small vocabulary for conversations with the adapter in raw frames: make, send, read.
import { afterEach, beforeEach, expect } from 'vitest';
import type { Message, Topic } from '../../../core/types.ts';
import { fetch, produce } from '../../../specs/kafka/data.ts';
import { Writer } from '../../wire/writer.ts';
import { AT, readInt64 } from '../codec/batch.ts';
import { crc32c } from '../codec/crc32c.ts';
import { decodeBatch, encodeBatch } from '../codec/records.ts';
import { ZERO_UUID } from '../codec/rows.ts';
import { type Harness, RawClient, start } from './harness.ts';

export let harness: Harness;
export let client: RawClient;

/** Gives each test of the file an adapter of its own with one client. */
export function conversation(): void {
  beforeEach(async () => {
    harness = await start();
    client = new RawClient(harness.adapter);
  });
  afterEach(() => harness.stop());
}

export const everybody = { name: 'test', host: '' };

export function batchOf(...values: string[]): Buffer {
  const writer = new Writer();
  const messages: Message[] = values.map((value, i) => ({
    body: Buffer.from(value),
    key: null,
    tag: null,
    headers: [],
    timestampMs: 1_700_000_000_000 + i,
  }));
  encodeBatch(writer, messages, 0, messages.length, 0, 0);
  return writer.take();
}

/** The same batch as an idempotent producer would send it. */
export function numbered(batch: Buffer, producerId: number, epoch: number, sequence: number): Buffer {
  const copy = Buffer.from(batch);
  copy.writeBigInt64BE(BigInt(producerId), AT.producerId);
  copy.writeInt16BE(epoch, AT.producerEpoch);
  copy.writeInt32BE(sequence, AT.baseSequence);
  copy.writeUInt32BE(crc32c(copy, AT.attributes, copy.length), AT.crc);
  return copy;
}

export function makeTopic(name: string, queues = 1): Promise<Topic> {
  return harness.broker.createTopic(everybody, { namespace: 'default', kind: 'topic', name, queues });
}

export const produceOf = (name: string, records: Buffer | null, acks = -1, index = 0) => ({
  acks,
  timeoutMs: 1000,
  topicData: [{ name, partitionData: [{ index, records }] }],
});

export async function send(name: string, records: Buffer | null, version = 9, acks = -1) {
  const { responses } = await client.ask(produce, version, produceOf(name, records, acks));
  return responses[0]!.partitionResponses[0]!;
}

interface FetchWish {
  readonly offset?: number;
  readonly minBytes?: number;
  readonly maxWaitMs?: number;
  readonly maxBytes?: number;
  readonly epoch?: number;
}

export const fetchOf = (topic: { name: string; uuid?: string }, wish: FetchWish = {}) => ({
  maxWaitMs: wish.maxWaitMs ?? 0,
  minBytes: wish.minBytes ?? 1,
  maxBytes: wish.maxBytes ?? 1 << 20,
  topics: [
    {
      topic: topic.name,
      topicId: topic.uuid ?? ZERO_UUID,
      partitions: [
        {
          partition: 0,
          fetchOffset: wish.offset ?? 0,
          partitionMaxBytes: wish.maxBytes ?? 1 << 20,
          currentLeaderEpoch: wish.epoch ?? -1,
        },
      ],
    },
  ],
  forgottenTopicsData: [],
});

export async function read(topic: { name: string; uuid?: string }, wish: FetchWish = {}, version = 12) {
  const { responses } = await client.ask(fetch, version, fetchOf(topic, wish));
  return responses[0]!.partitions[0]!;
}

/** The offsets and bodies of a record set. */
export function contents(records: Buffer | null): [number, string | null][] {
  const out: [number, string | null][] = [];
  for (let at = 0; records !== null && at < records.length; ) {
    const end = at + 12 + records.readInt32BE(at + AT.batchLength);
    const batch = records.subarray(at, end);
    expect(crc32c(batch, AT.attributes, batch.length)).toBe(batch.readUInt32BE(AT.crc));
    for (const [i, { body }] of decodeBatch(batch, 1 << 20).entries()) {
      out.push([readInt64(batch, 0) + i, body?.toString() ?? null]);
    }
    at = end;
  }
  return out;
}
