// Every API in every version with random requests of the right shape: each gets a reply that its rows can read, waits,
// or ends its connection. None of them may hurt the broker or the other connections.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { APIS } from '../../../specs/kafka/apis.ts';
import { metadata } from '../../../specs/kafka/cluster.ts';
import { isFlexible } from '../../../specs/kafka/row.ts';
import { Reader } from '../../wire/reader.ts';
import { decode } from '../codec/rows.ts';
import { arbitrary } from '../testing/arbitrary.ts';
import { client, conversation, harness, makeTopic } from '../testing/conversation.ts';
import { RawClient } from '../testing/harness.ts';

conversation();

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

it.each(APIS.map((api) => [api.name, api] as const))('%s', async (_name, api) => {
  await makeTopic('t', 2);
  let replies = 0;
  for (let version = api.served ?? api.min; version <= api.max; version++) {
    const flexible = isFlexible(api, version);
    await fc.assert(
      fc.asyncProperty(arbitrary(api.request, version), async (request) => {
        const other = new RawClient(harness.adapter);
        other.write(other.encode(api, version, request as never));
        await turns(6);
        for (const frame of other.frames) {
          const reader = new Reader(frame);
          reader.int32();
          if (flexible && api.key !== 18) reader.uvarint();
          decode(api.response, reader, version, flexible);
          expect(reader.remaining).toBe(0);
          replies++;
        }
        other.destroy();
      }),
      { numRuns: 20 },
    );
  }
  expect(replies).toBeGreaterThan(0);
  expect((await client.ask(metadata, 1, { topics: [] })).brokers).toHaveLength(1);
});
