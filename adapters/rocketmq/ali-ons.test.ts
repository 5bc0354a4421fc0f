// A Node.js client of the protocol (ali-ons) as producer and push consumer, in a process of its own, over TCP.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { harness, listen } from './testing/harness.ts';
import type { Told } from './testing/ons-client.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start() {
  const started = await harness();
  const { adapter, context, defects } = started;
  closing.push(() => started.close());
  // This client does not know automatic creation: an unknown topic is an error to it.
  const nobody = context.anonymous('');
  await context.broker.createTopic(nobody, { namespace: 'default', kind: 'topic', name: 'Orders', queues: 4 });
  const listener = await listen(adapter);
  closing.push(() => listener.close());
  return { defects, nameSrv: `127.0.0.1:${listener.port}` };
}

/** The line that the client prints; it is killed before the broker ends. */
async function told(nameSrv: string): Promise<Told> {
  const script = new URL('./testing/ons-client.ts', import.meta.url).pathname;
  const client = spawn(process.execPath, [script, nameSrv], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(client, 'close');
  closing.push(() => {
    client.kill('SIGKILL');
    return ended;
  });
  let out = '';
  let err = '';
  client.stderr.on('data', (bytes: Buffer) => (err += bytes.toString()));
  return new Promise((resolve, reject) => {
    client.stdout.on('data', (bytes: Buffer) => {
      out += bytes.toString();
      if (out.includes('\n')) resolve(JSON.parse(out) as Told);
    });
    void ended.then(() => reject(new Error(`the client ended: ${err}`)));
  });
}

describe('ali-ons', () => {
  it('sends, receives by tag, in every queue, and is given back what it could not handle', async () => {
    const { defects, nameSrv } = await start();
    const { first, received, failures, errors } = await told(nameSrv);
    expect(first).toMatchObject({ sendStatus: 'SEND_OK', queueOffset: 0 });
    expect(first.msgId).toMatch(/^7F000001[0-9A-F]{24}$/);
    const many = Array.from({ length: 40 }, (_, n) => `m${n}`);
    expect(received.toSorted()).toEqual(['first', 'second', 'third', ...many].toSorted());
    // What failed was taken back (its retry is 10 s away); for queues where the group is new the client says so.
    expect(failures).toBe(1);
    expect(errors.filter((text) => !/maybe this group consumer boot first|not yet/.test(text))).toEqual([]);
    expect(defects).toEqual([]);
  }, 60_000);
});
