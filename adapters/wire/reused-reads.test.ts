import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { takeReads } from './reused-reads.ts';

const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** An accepted socket and the one that connected to it. */
async function pair(): Promise<{ accepted: Socket; client: Socket; close: () => void }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepting = once(server, 'connection') as Promise<[Socket]>;
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [accepted] = await accepting;
  return { accepted, client, close: () => server.close() };
}

describe('reads of an accepted socket', () => {
  it('come into the same memory, all of them and in order', async () => {
    const pairs = await Promise.all([pair(), pair()]);
    const hashes = pairs.map(() => createHash('sha256'));
    const memories = new Set<ArrayBufferLike>();
    const sent = pairs.map((_, n) => Buffer.alloc(8 * 1024 * 1024, `${n} of two, `));
    for (const [n, { accepted }] of pairs.entries())
      takeReads(accepted, (bytes) => {
        memories.add(bytes.buffer);
        hashes[n]!.update(bytes);
      });
    const ends = pairs.map(({ accepted }) => once(accepted, 'end'));
    for (const [n, { client }] of pairs.entries()) client.end(sent[n]!);
    await Promise.all(ends);
    expect(hashes.map((hash) => hash.digest('hex'))).toEqual(sent.map(hashOf));
    expect(memories.size).toBe(1);
    for (const { client, close } of pairs) {
      client.destroy();
      close();
    }
  });

  it('pause and go on', async () => {
    const { accepted, client, close } = await pair();
    let got = 0;
    takeReads(accepted, (bytes) => {
      got += bytes.length;
      accepted.pause();
    });
    const bytes = 4 * 1024 * 1024;
    client.end(Buffer.alloc(bytes));
    while (got === 0) await sleep(1);
    const paused = got;
    await sleep(50);
    expect(got).toBe(paused);
    const ended = once(accepted, 'end');
    const going = setInterval(() => accepted.resume(), 1);
    await ended;
    clearInterval(going);
    expect(got).toBe(bytes);
    client.destroy();
    close();
  });

  it('that are there already come first', async () => {
    const { accepted, client, close } = await pair();
    accepted.pause();
    accepted.unshift(Buffer.from('begin '));
    const got: Buffer[] = [];
    takeReads(accepted, (bytes) => got.push(Buffer.from(bytes)));
    accepted.resume();
    const ended = once(accepted, 'end');
    client.end('and end');
    await ended;
    expect(Buffer.concat(got).toString()).toBe('begin and end');
    close();
  });
});

it('reads of any other stream come as they are', async () => {
  const stream = new PassThrough();
  const got: Buffer[] = [];
  takeReads(stream, (bytes) => got.push(bytes));
  stream.end('whole');
  await once(stream, 'end');
  expect(Buffer.concat(got).toString()).toBe('whole');
});
