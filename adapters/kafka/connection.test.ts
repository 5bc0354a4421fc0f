// A connection in raw frames: order, login, hostile bytes, slow clients, and its end.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { APIS } from '../../specs/kafka/apis.ts';
import { apiVersions, metadata, saslAuthenticate, saslHandshake } from '../../specs/kafka/cluster.ts';
import { fetch, listOffsets, produce } from '../../specs/kafka/data.ts';
import { ERROR } from '../../specs/kafka/error-codes.ts';
import { joinGroup } from '../../specs/kafka/groups.ts';
import { ZERO_UUID } from './codec/rows.ts';
import {
  batchOf,
  client,
  contents,
  conversation,
  everybody,
  fetchOf,
  harness,
  makeTopic,
  produceOf,
  read,
  send,
} from './testing/conversation.ts';
import { RawClient, start } from './testing/harness.ts';

conversation();

describe('negotiation', () => {
  it('advertises exactly the rows, in every version', async () => {
    for (const version of [0, 1, 2, 3, 4]) {
      const request = { clientSoftwareName: 'test', clientSoftwareVersion: '1.0' };
      const { errorCode, apiKeys } = await client.ask(apiVersions, version, request);
      expect(errorCode).toBe(ERROR.NONE);
      expect(apiKeys).toEqual(APIS.map(({ key, min, max }) => ({ apiKey: key, minVersion: min, maxVersion: max })));
    }
  });

  it('answers an unknown version of ApiVersions in the shape of version 0', async () => {
    client.write(client.frame(apiVersions, 77, (writer) => writer.utf8('whatever this is')));
    const { errorCode, apiKeys } = await client.answer(apiVersions, 0);
    expect(errorCode).toBe(ERROR.UNSUPPORTED_VERSION);
    expect(apiKeys.find(({ apiKey }) => apiKey === 18)).toEqual({ apiKey: 18, minVersion: 0, maxVersion: 4 });
    expect(client.closed).toBe(false);
  });

  it('wants a proper name of the client software', async () => {
    const bad = { clientSoftwareName: '-x', clientSoftwareVersion: '1' };
    expect((await client.ask(apiVersions, 3, bad)).errorCode).toBe(ERROR.INVALID_REQUEST);
  });

  it('closes on what it has not advertised', async () => {
    client.write(client.frame({ key: 24, flexible: 3 }, 0, () => {}));
    await client.untilClosed();
    const other = new RawClient(harness.adapter);
    other.write(other.frame(produce, 2, () => {}));
    await other.untilClosed();
  });

  it('answers in order, whatever arrives when, also byte by byte', async () => {
    await makeTopic('t');
    const wait = client.encode(fetch, 12, fetchOf({ name: 't' }, { maxWaitMs: 300 }));
    const ask = client.encode(metadata, 4, { topics: [] });
    const send = client.encode(produce, 9, produceOf('t', batchOf('x')));
    const frames = Buffer.concat([wait, ask, send]);
    for (let i = 0; i < frames.length; i++) client.write(frames.subarray(i, i + 1));
    // The Produce behind it ends the wait of the Fetch in front, whose answer leaves first all the same.
    const fetched = await client.answer(fetch, 12);
    expect(contents(fetched.responses[0]!.partitions[0]!.records)).toEqual([[0, 'x']]);
    expect((await client.answer(metadata, 4)).brokers).toEqual([
      { nodeId: 1, host: '127.0.0.1', port: 9092, rack: null },
    ]);
    expect((await client.answer(produce, 9)).responses[0]!.partitionResponses[0]!.errorCode).toBe(ERROR.NONE);
  });
});

describe('a client that does not read', () => {
  it('holds up its own requests, not the memory', async () => {
    const topic = await makeTopic('t');
    const value = 'x'.repeat(500_000);
    for (let i = 0; i < 8; i++) await send('t', batchOf(value));
    const slow = new RawClient(harness.adapter, { highWaterMark: 1000 });
    slow.pause();
    const ask = slow.encode(fetch, 12, fetchOf(topic, { maxBytes: 1 << 22 }));
    // 1000 times 4 MB would be asked for; one answer waits, the others are not begun.
    slow.write(Buffer.concat(Array.from({ length: 1000 }, () => ask)));
    const before = harness.adapter.counts['fetches']!;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(harness.adapter.counts['fetches']! - before).toBeLessThan(5);
    // Others are served meanwhile.
    expect((await read(topic)).errorCode).toBe(ERROR.NONE);
    slow.resume();
    for (let i = 0; i < 20; i++) {
      const { responses } = await slow.answer(fetch, 12);
      expect(responses[0]!.partitions[0]!.records!.length).toBeGreaterThan(3_900_000);
    }
    slow.destroy();
  });
});

describe('login', () => {
  it('serves nothing but the login before it, in both forms', async () => {
    const guarded = await start({ users: { alice: 'secret' } });
    const early = new RawClient(guarded.adapter);
    early.write(early.encode(metadata, 1, { topics: null }));
    await early.untilClosed();

    const polite = new RawClient(guarded.adapter);
    expect((await polite.ask(saslHandshake, 1, { mechanism: 'GSSAPI' })).errorCode).toBe(
      ERROR.UNSUPPORTED_SASL_MECHANISM,
    );
    const tooSoon = await polite.ask(saslAuthenticate, 2, { authBytes: Buffer.from('\0alice\0secret') });
    expect(tooSoon.errorCode).toBe(ERROR.ILLEGAL_SASL_STATE);
    expect((await polite.ask(saslHandshake, 1, { mechanism: 'PLAIN' })).errorCode).toBe(ERROR.NONE);
    const done = await polite.ask(saslAuthenticate, 2, { authBytes: Buffer.from('\0alice\0secret') });
    expect(done.errorCode).toBe(ERROR.NONE);
    expect((await polite.ask(metadata, 1, { topics: null })).topics).toEqual([]);

    const wrong = new RawClient(guarded.adapter);
    await wrong.ask(saslHandshake, 1, { mechanism: 'PLAIN' });
    const refused = await wrong.ask(saslAuthenticate, 0, { authBytes: Buffer.from('\0alice\0guess') });
    expect(refused.errorCode).toBe(ERROR.SASL_AUTHENTICATION_FAILED);
    await wrong.untilClosed();

    const old = new RawClient(guarded.adapter);
    await old.ask(saslHandshake, 0, { mechanism: 'PLAIN' });
    const token = Buffer.from('\0alice\0secret');
    const length = Buffer.alloc(4);
    length.writeInt32BE(token.length);
    old.write(Buffer.concat([length, token]));
    expect(await old.next()).toEqual(Buffer.alloc(0));
    expect((await old.ask(metadata, 1, { topics: null })).topics).toEqual([]);

    const large = new RawClient(guarded.adapter);
    large.write(Buffer.from('00100000', 'hex'));
    await large.untilClosed();
    await guarded.stop();
  });
});

describe('a login that does not wait for its answer', () => {
  const users = { alice: 'secret' };
  const token = Buffer.from('\0alice\0secret');

  it('is one check of a password, and the end', async () => {
    const guarded = await start({ users });
    const hasty = new RawClient(guarded.adapter);
    const handshake = hasty.encode(saslHandshake, 1, { mechanism: 'PLAIN' });
    const authenticate = hasty.encode(saslAuthenticate, 2, { authBytes: token });
    hasty.write(Buffer.concat([handshake, authenticate, handshake, authenticate, authenticate]));
    expect((await hasty.answer(saslHandshake, 1)).errorCode).toBe(ERROR.NONE);
    expect((await hasty.answer(saslAuthenticate, 2)).errorCode).toBe(ERROR.NONE);
    expect((await hasty.answer(saslHandshake, 1)).errorCode).toBe(ERROR.ILLEGAL_SASL_STATE);
    await hasty.untilClosed();
    const twice = new RawClient(guarded.adapter);
    twice.write(Buffer.concat([handshake, authenticate, authenticate]));
    await twice.answer(saslHandshake, 1);
    expect((await twice.answer(saslAuthenticate, 2)).errorCode).toBe(ERROR.NONE);
    expect((await twice.answer(saslAuthenticate, 2)).errorCode).toBe(ERROR.ILLEGAL_SASL_STATE);
    await twice.untilClosed();
    await guarded.stop();
  });

  it('is cut when its tokens are bare', async () => {
    const guarded = await start({ users });
    const old = new RawClient(guarded.adapter);
    await old.ask(saslHandshake, 0, { mechanism: 'PLAIN' });
    const bare = Buffer.concat([Buffer.from([0, 0, 0, token.length]), token]);
    old.write(Buffer.concat([bare, bare]));
    await old.untilClosed();
    expect(old.frames).toHaveLength(0);
    await guarded.stop();
  });
});

describe('a silent client', () => {
  it('is let go before its first request, or its login, and not after', async () => {
    const quick = { limits: { handshakeTimeoutMs: 100 } };
    const open = await start(quick);
    const silent = new RawClient(open.adapter);
    const spoke = new RawClient(open.adapter);
    await spoke.ask(metadata, 1, { topics: [] });
    await silent.untilClosed();
    expect(spoke.closed).toBe(false);
    const guarded = await start({ ...quick, users: { alice: 'secret' } });
    const stranger = new RawClient(guarded.adapter);
    const alice = new RawClient(guarded.adapter);
    const software = { clientSoftwareName: 'test', clientSoftwareVersion: '1' };
    await stranger.ask(apiVersions, 3, software);
    await alice.ask(saslHandshake, 1, { mechanism: 'PLAIN' });
    await alice.ask(saslAuthenticate, 2, { authBytes: Buffer.from('\0alice\0secret') });
    await stranger.untilClosed();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(alice.closed).toBe(false);
    await open.stop();
    await guarded.stop();
  });
});

describe('hostile bytes', () => {
  it('end the connection and nothing else', async () => {
    await makeTopic('t');
    const valid: Buffer[] = [
      client.encode(produce, 9, produceOf('t', batchOf('a'))),
      client.encode(fetch, 12, fetchOf({ name: 't' }, { maxWaitMs: 1 })),
      client.encode(metadata, 9, { topics: [{ topicId: ZERO_UUID, name: 't' }] }),
      client.encode(listOffsets, 6, { replicaId: -1, isolationLevel: 0, topics: [] }),
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.nat(valid.length - 1),
        fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        fc.nat(200),
        async (pick, flips, cut) => {
          const frame = Buffer.from(valid[pick]!);
          for (const [at, value] of flips) frame[4 + (at % (frame.length - 4))] = value;
          const body = frame.subarray(4, frame.length - (cut % (frame.length - 4)));
          const head = Buffer.alloc(4);
          head.writeInt32BE(body.length);
          const other = new RawClient(harness.adapter);
          other.write(Buffer.concat([head, body]));
          await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
          other.destroy();
        },
      ),
      { numRuns: 300 },
    );
    expect((await client.ask(metadata, 1, { topics: null })).topics.length).toBeGreaterThan(0);
    await expect.poll(() => harness.adapter.connections).toBe(1);
  });

  it('that claim a frame of 2 GiB, or a negative one, are not believed', async () => {
    for (const hex of ['7fffffff', 'ffffffff']) {
      const other = new RawClient(harness.adapter);
      other.write(Buffer.from(hex, 'hex'));
      await other.untilClosed();
    }
  });
});

describe('the end', () => {
  it('answers what waits and closes', async () => {
    const topic = await makeTopic('t');
    client.write(client.encode(fetch, 12, fetchOf(topic, { maxWaitMs: 60000 })));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const drained = harness.adapter.drain(Date.now() + 5000);
    expect((await client.answer(fetch, 12)).responses[0]!.partitions[0]!.records).toHaveLength(0);
    client.destroy();
    await drained;
    expect(harness.adapter.connections).toBe(0);
  });

  it('answers a Fetch behind a write that waits for the disk without records', async () => {
    const slow = await start({ inlineSyncMs: 0 });
    await slow.broker.createTopic(everybody, { namespace: 'default', kind: 'topic', name: 't', queues: 1 });
    const writer = new RawClient(slow.adapter);
    await writer.ask(produce, 9, produceOf('t', batchOf('a')));
    slow.disk.latencyMs = (op) => (op === 'sync-async' ? 500 : 0);
    writer.write(writer.encode(produce, 9, produceOf('t', batchOf('b'))));
    writer.write(writer.encode(fetch, 12, fetchOf({ name: 't' }, { maxWaitMs: 60000 })));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(writer.frames).toHaveLength(0);
    const drained = slow.adapter.drain(Date.now() + 5000);
    const { responses } = await writer.answer(produce, 9);
    expect(responses[0]!.partitionResponses[0]!).toMatchObject({ errorCode: 0, baseOffset: 1 });
    expect((await writer.answer(fetch, 12)).responses[0]!.partitions[0]!.records).toHaveLength(0);
    writer.destroy();
    await drained;
    await slow.stop();
  });

  it('sends members that wait for others to another coordinator', async () => {
    const delayed = await start({ settings: { initialRebalanceDelayMs: 5000 } });
    const member = new RawClient(delayed.adapter);
    const protocols = [{ name: 'range', metadata: Buffer.alloc(0) }];
    const wish = {
      groupId: 'g',
      sessionTimeoutMs: 6000,
      rebalanceTimeoutMs: 6000,
      protocolType: 'consumer',
      protocols,
    };
    member.write(member.encode(joinGroup, 3, { ...wish, memberId: '' }));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const drained = delayed.adapter.drain(Date.now() + 5000);
    expect((await member.answer(joinGroup, 3)).errorCode).toBe(ERROR.NOT_COORDINATOR);
    member.destroy();
    await drained;
    await delayed.stop();
  });

  it('cuts without an answer', async () => {
    const topic = await makeTopic('t');
    client.write(client.encode(fetch, 12, fetchOf(topic, { maxWaitMs: 60000 })));
    await new Promise((resolve) => setTimeout(resolve, 20));
    harness.adapter.cut();
    await client.untilClosed();
    expect(client.frames).toHaveLength(0);
  });
});
