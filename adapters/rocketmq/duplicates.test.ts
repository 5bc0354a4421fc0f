// The window of unique keys: nothing is stored twice within it, also over a restart, and nothing is suppressed outside.

import { afterEach, expect, it } from 'vitest';
import { create } from './rocketmq.ts';
import type { Harness } from './testing/harness.ts';
import { harness, RawClient, type Response } from './testing/harness.ts';
import { sendFields } from './testing/requests.ts';

const clients: RawClient[] = [];
let current: Harness | undefined;
afterEach(async () => {
  for (const client of clients.splice(0)) client.stream.destroy();
  expect(current?.defects ?? []).toEqual([]);
  await current?.close();
  current = undefined;
});

function client(adapter = current!.adapter): RawClient {
  const made = new RawClient(adapter);
  clients.push(made);
  return made;
}

const send = (raw: RawClient, key: string, queue = 0, topic = 'T'): Promise<Response> =>
  raw.request(310, sendFields(topic, `UNIQ_KEY\u0001${key}\u0002`, { d: '2', e: String(queue) }), `body of ${key}`);
const stored = (topic = 'T'): number =>
  current!.broker.topic('default', topic)!.queues.reduce((sum, n) => sum + current!.broker.queue(n)!.endOffset, 0);

it('answers a repeated key with the place of the first, whoever sends it and whatever queue it names', async () => {
  current = await harness({ settings: { dedupeWindowMs: 60_000 } });
  const raw = client();
  const first = await send(raw, 'k1', 1);
  await send(raw, 'k2', 1);
  const again = await send(client(), 'k1', 0);
  expect(again).toMatchObject({ code: 0, ext: first.ext });
  expect(stored()).toBe(2);
  expect(current.adapter.counts['duplicatesSuppressed']).toBe(1);
  // Another topic, and a message without the key, are other messages.
  await send(raw, 'k1', 0, 'U');
  expect(stored('U')).toBe(1);
  await raw.request(310, sendFields('T'), 'x');
  await raw.request(310, sendFields('T'), 'x');
  expect(stored()).toBe(4);
});

it('appends one of several that come at the same time', async () => {
  current = await harness({ settings: { dedupeWindowMs: 60_000 } });
  const raws = [client(), client(), client()];
  await send(raws[0]!, 'before');
  const answers = await Promise.all(raws.flatMap((raw) => [send(raw, 'same'), send(raw, 'same')]));
  expect(new Set(answers.map(({ ext }) => ext['msgId'])).size).toBe(1);
  expect(stored()).toBe(2);
});

it('remembers over a restart by the key index, and for batches by their first key', async () => {
  current = await harness({ settings: { dedupeWindowMs: 60_000 } });
  const first = await send(client(), 'k1', 1);
  // The adapter's memory is new, the log is the same.
  const restarted = create({ ...current.context, settings: { dedupeWindowMs: 60_000 } });
  const raw = client(restarted);
  const [again, together] = await Promise.all([send(raw, 'k1'), send(raw, 'k1')]);
  expect(again.ext).toEqual(first.ext);
  expect(together.ext).toEqual(first.ext);
  expect(stored()).toBe(1);
  expect((await send(raw, 'k2')).code).toBe(0);
  expect(stored()).toBe(2);
  restarted.cut();
});

it('suppresses nothing when it is off, in retry topics, and after the window', async () => {
  current = await harness({ settings: {} });
  const raw = client();
  await send(raw, 'k1');
  await send(raw, 'k1');
  expect(stored()).toBe(2);
  await raw.request(25, {}, 'dedupeWindowMs=30');
  await send(raw, 'k3');
  await send(raw, 'k3');
  expect(stored()).toBe(3);
  await new Promise((resolve) => setTimeout(resolve, 60));
  await send(raw, 'k3');
  expect(stored()).toBe(4);
  await send(raw, 'r', 0, '%RETRY%CG');
  await send(raw, 'r', 0, '%RETRY%CG');
  const retry = current.broker.topicOfKind('default', 'retry', 'CG')!;
  expect(current.broker.queue(retry.queues[0]!)!.endOffset).toBe(2);
});
