// The table codec against kafkajs's encoders and decoders, against itself in every version, and with hostile bytes.
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { APIS } from '../../../specs/kafka/apis.ts';
import { apiVersions, metadata } from '../../../specs/kafka/cluster.ts';
import { joinGroup, offsetCommit } from '../../../specs/kafka/groups.ts';
import type { Api } from '../../../specs/kafka/row.ts';
import { isFlexible } from '../../../specs/kafka/row.ts';
import { Reader } from '../../wire/reader.ts';
import { WireError } from '../../wire/wire-error.ts';
import { Writer } from '../../wire/writer.ts';
import { arbitrary } from '../testing/arbitrary.ts';
import { decode, encode, ZERO_UUID } from './rows.ts';

const require = createRequire(import.meta.url);
const requests = 'kafkajs/src/protocol/requests';

interface KafkajsRequest {
  encode(): Promise<{ buffer: Buffer }>;
}

const directions = (['request', 'response'] as const).flatMap((direction) =>
  APIS.map((api): [string, Api, 'request' | 'response'] => [`${api.name} ${direction}`, api, direction]),
);

describe('the table codec', () => {
  it.each(directions)('carries every version of a %s', (_name, api, direction) => {
    for (let version = api.served ?? api.min; version <= api.max; version++) {
      const flexible = isFlexible(api, version);
      fc.assert(
        fc.property(arbitrary(api[direction], version), (value) => {
          const writer = new Writer();
          encode(api[direction], value as never, writer, version, flexible);
          const bytes = writer.take();
          const reader = new Reader(bytes);
          const back = decode(api[direction], reader, version, flexible);
          expect(reader.remaining).toBe(0);
          expect(back).toMatchObject(value);
          // Every prefix is refused, never read beyond.
          for (let cut = 0; cut < Math.min(bytes.length, 40); cut++) {
            try {
              decode(api[direction], new Reader(bytes, 0, cut), version, flexible);
              throw new Error(`a prefix of ${cut} of ${bytes.length} bytes was accepted`);
            } catch (error) {
              expect(error).toBeInstanceOf(WireError);
            }
          }
        }),
        { numRuns: 15 },
      );
    }
  });

  it.each(directions)('survives noise as a %s', (_name, api, direction) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(20), (noise, pick) => {
        const version = (api.served ?? api.min) + (pick % (api.max - (api.served ?? api.min) + 1));
        try {
          decode(api[direction], new Reader(Buffer.from(noise)), version, isFlexible(api, version));
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('reads what kafkajs writes', async () => {
    const commit = require(`${requests}/offsetCommit/v5/request`) as (o: object) => KafkajsRequest;
    const written = await commit({
      groupId: 'g',
      groupGenerationId: 7,
      memberId: 'm-1',
      topics: [{ topic: 'orders', partitions: [{ partition: 2, offset: '9007199254740991', metadata: 'note' }] }],
    }).encode();
    expect(decode(offsetCommit.request, new Reader(written.buffer), 5, false)).toEqual({
      groupId: 'g',
      generationId: 7,
      memberId: 'm-1',
      groupInstanceId: null,
      retentionTimeMs: -1,
      topics: [
        {
          name: 'orders',
          partitions: [
            {
              partitionIndex: 2,
              committedOffset: Number.MAX_SAFE_INTEGER,
              committedLeaderEpoch: -1,
              committedMetadata: 'note',
            },
          ],
        },
      ],
    });
    const join = require(`${requests}/joinGroup/v5/request`) as (o: object) => KafkajsRequest;
    const joined = await join({
      groupId: 'g',
      sessionTimeout: 30000,
      rebalanceTimeout: 60000,
      memberId: '',
      groupInstanceId: null,
      protocolType: 'consumer',
      groupProtocols: [{ name: 'RoundRobin', metadata: Buffer.from('meta') }],
    }).encode();
    expect(decode(joinGroup.request, new Reader(joined.buffer), 5, false)).toMatchObject({
      sessionTimeoutMs: 30000,
      rebalanceTimeoutMs: 60000,
      groupInstanceId: null,
      protocols: [{ name: 'RoundRobin', metadata: Buffer.from('meta') }],
    });
  });

  it('writes what kafkajs reads', async () => {
    const response = require(`${requests}/metadata/v6/response`) as { decode(b: Buffer): Promise<unknown> };
    const writer = new Writer();
    encode(
      metadata.response,
      {
        brokers: [{ nodeId: 1, host: 'localhost', port: 9092 }],
        clusterId: 'cluster',
        controllerId: 1,
        topics: [
          {
            errorCode: 0,
            name: 'orders',
            topicId: ZERO_UUID,
            partitions: [
              {
                errorCode: 0,
                partitionIndex: 0,
                leaderId: 1,
                replicaNodes: [1],
                isrNodes: [1],
                offlineReplicas: [],
              },
            ],
          },
        ],
      },
      writer,
      6,
      false,
    );
    expect(await response.decode(writer.take())).toMatchObject({
      brokers: [{ nodeId: 1, host: 'localhost', port: 9092, rack: null }],
      clusterId: 'cluster',
      topicMetadata: [
        {
          topic: 'orders',
          partitionMetadata: [{ partitionId: 0, leader: 1, replicas: [1], isr: [1], offlineReplicas: [] }],
        },
      ],
    });
  });

  it('reads the ApiVersions v3 request of librdkafka, byte for byte', () => {
    // Captured from kcat 1.7.1 (librdkafka 2.0.2): client_software_name and _version as compact strings, no tags.
    const bytes = Buffer.from('0b6c696272646b61666b6106322e302e3200', 'hex');
    expect(decode(apiVersions.request, new Reader(bytes), 3, true)).toEqual({
      clientSoftwareName: 'librdkafka',
      clientSoftwareVersion: '2.0.2',
    });
  });

  it('refuses counts that the bytes cannot hold', () => {
    const writer = new Writer();
    writer.int32(0x7fffffff);
    expect(() => decode(metadata.request, new Reader(writer.take()), 1, false)).toThrow(WireError);
  });
});
