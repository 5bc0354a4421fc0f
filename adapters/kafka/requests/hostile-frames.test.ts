// Whole frames of every API and version with bytes changed, cut out and put in: each is answered, or ends its connection,
// and the broker serves others as before. Nothing that a changed byte says may cost memory out of proportion.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { APIS } from '../../../specs/kafka/apis.ts';
import { metadata } from '../../../specs/kafka/cluster.ts';
import { produce } from '../../../specs/kafka/data.ts';
import { batchOf, client, conversation, harness, makeTopic, produceOf, read } from '../testing/conversation.ts';
import { GOLDEN_BATCHES } from '../testing/golden-batches.ts';
import { RawClient } from '../testing/harness.ts';
import { sampleOf } from '../testing/samples.ts';

conversation();

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

const change = fc.record({
  how: fc.constantFrom('set', 'cut', 'insert'),
  at: fc.nat(),
  byte: fc.constantFrom(0, 1, 0x7f, 0x80, 0xff, 0xfe),
});

function mutated(frame: Buffer, changes: readonly { how: string; at: number; byte: number }[]): Buffer {
  // Behind the length, which always tells the truth here: a wrong one only waits, or cuts the next frame.
  let body: Buffer = Buffer.from(frame.subarray(4));
  for (const { how, at, byte } of changes) {
    const place = body.length === 0 ? 0 : at % body.length;
    const rest = body.subarray(how === 'cut' || how === 'set' ? place + 1 : place);
    const put = how === 'cut' ? [] : [byte];
    body = Buffer.concat([body.subarray(0, place), Buffer.from(put), rest]);
  }
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}

it('survives every API with changed bytes', async () => {
  await makeTopic('t', 2);
  const sane = new RawClient(harness.adapter);
  let answered = 0;
  let ended = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...APIS),
      fc.nat(),
      fc.constantFrom('full' as const, 'bare' as const),
      fc.array(change, { minLength: 1, maxLength: 6 }),
      async (api, pick, fullness, changes) => {
        const from = api.served ?? api.min;
        const version = from + (pick % (api.max - from + 1));
        const other = new RawClient(harness.adapter);
        const frame = other.encode(api, version, sampleOf(api.request, version, fullness) as never);
        other.write(mutated(frame, changes));
        await turns(6);
        if (other.closed) ended++;
        else answered += other.frames.length;
        other.destroy();
      },
    ),
    { numRuns: 2_000 },
  );
  expect(answered).toBeGreaterThan(100);
  expect(ended).toBeGreaterThan(100);
  expect((await sane.ask(metadata, 1, { topics: [] })).brokers).toHaveLength(1);
});

it('survives batches with changed bytes, and stores none of them', async () => {
  const topic = await makeTopic('t');
  const batches = [batchOf('a', 'b'), ...Object.values(GOLDEN_BATCHES).map((hex) => Buffer.from(hex, 'hex'))];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...batches),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      async (batch, at, xor) => {
        const bad = Buffer.from(batch);
        // Base offset and leader epoch are outside of the CRC: the one must be 0, the other is the broker's to write.
        const place = 16 + (at % (bad.length - 16));
        bad[place] = bad[place]! ^ xor;
        const { responses } = await client.ask(produce, 9, produceOf('t', bad));
        expect(responses[0]!.partitionResponses[0]!.errorCode).not.toBe(0);
      },
    ),
    { numRuns: 500 },
  );
  expect((await read(topic)).highWatermark).toBe(0);
});
