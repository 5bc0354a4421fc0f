// Every API in every version, both directions, byte by byte as the Java client writes it.
//
// The bytes were made by the message classes of kafka-clients 3.9.2, read from JSON (their JsonConverter classes) that
// holds what testing/samples.ts makes of the rows. Produce and Fetch are not among them: their records have no JSON; the
// golden batches and the clients cover them.
import { describe, expect, it } from 'vitest';
import { APIS } from '../../../specs/kafka/apis.ts';
import { isFlexible } from '../../../specs/kafka/row.ts';
import vectors from '../../../specs/kafka/vectors/messages.json' with { type: 'json' };
import { Reader } from '../../wire/reader.ts';
import { Writer } from '../../wire/writer.ts';
import { sampleOf } from '../testing/samples.ts';
import { decode, encode } from './rows.ts';

const bytesOf = new Map(Object.entries(vectors));
const covered = APIS.filter(({ name }) => name !== 'Produce' && name !== 'Fetch');

describe.each(covered.map((api) => [api.name, api] as const))('%s', (name, api) => {
  it.each(['request', 'response'] as const)('%s', (direction) => {
    for (let version = api.served ?? api.min; version <= api.max; version++) {
      for (const fullness of ['full', 'bare'] as const) {
        const of = `${name} ${direction} ${version} ${fullness}`;
        const flexible = isFlexible(api, version);
        const sample = sampleOf(api[direction], version, fullness);
        const writer = new Writer();
        encode(api[direction], sample as never, writer, version, flexible);
        expect([of, writer.take().toString('hex')]).toEqual([of, bytesOf.get(of)]);
        const reader = new Reader(Buffer.from(bytesOf.get(of)!, 'hex'));
        expect(decode(api[direction], reader, version, flexible)).toMatchObject(sample);
        expect(reader.remaining).toBe(0);
      }
    }
  });
});
