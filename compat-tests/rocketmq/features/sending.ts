// Producers: every way to send, where messages come to stand, what is refused and with which code.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Reply } from '../client.ts';
import { type Actor, bodies, fresh, texts, until } from '../stage.ts';

/**
 * Changes a topic until its route says so. Two changes of topics at once may reach Apache's name server in the wrong
 * order, and the older one then stays until the next change.
 */
async function change(
  actor: Actor,
  topic: string,
  fields: Record<string, number>,
  isDone: (route: Reply) => boolean,
): Promise<void> {
  await until(`the route of ${topic} with ${JSON.stringify(fields)}`, async () => {
    await actor.call('createTopic', { topic, ...fields });
    return isDone(await actor.call('route', { topic }));
  });
}

/** The messages of a queue, by pulling. */
async function stored(actor: Actor, topic: string, queue = 0, count = 32): Promise<string[]> {
  const all: string[] = [];
  let offset = 0;
  for (let i = 0; i < 50 && all.length < count; i++) {
    const pulled = await actor.call('pull', { topic, queue, offset });
    all.push(...bodies(pulled.messages));
    offset = pulled.next;
  }
  return all;
}

export function sending(actor: Actor): void {
  void it('sync: queues in turn, dense offsets, ids that decode to the broker', async () => {
    const topic = await actor.topic(4);
    const sent = await actor.send(topic, texts(40));
    assert.deepEqual(new Set(sent.map((one) => one.status)), new Set(['SEND_OK']));
    for (let queue = 0; queue < 4; queue++) {
      const offsets = sent.filter((one) => one.queue === queue).map((one) => one.offset);
      assert.deepEqual(
        offsets,
        offsets.map((_, i) => i),
      );
      assert.equal(offsets.length, 10);
    }
    assert.equal(new Set(sent.map((one) => one.offsetId)).size, 40);
    for (const { offsetId } of sent) assert.match(offsetId, /^7F000001[0-9A-F]{24}$/);
  });

  void it('async: every callback succeeds, nothing is lost or doubled', async () => {
    const topic = await actor.topic(1);
    const sent = await actor.send(topic, texts(500), { how: 'async' });
    assert.deepEqual(
      sent.map((one) => one.offset).sort((a, b) => a - b),
      Array.from({ length: 500 }, (_, i) => i),
    );
  });

  void it('oneway: no answer is waited for, the messages are there', async () => {
    const topic = await actor.topic(1);
    await actor.send(topic, texts(50), { how: 'oneway' });
    await until('fifty messages', async () => (await actor.call('offsets', { topic, queue: 0 })).max === 50);
    assert.deepEqual((await stored(actor, topic, 0, 50)).sort(), bodies(texts(50)).sort());
  });

  void it('batch: consecutive offsets in one queue, each message with its own key, tag and properties', async () => {
    const topic = await actor.topic(2);
    const messages = texts(30).map((one, i) => ({ ...one, key: `k${i}`, tag: `T${i % 3}`, properties: { n: `${i}` } }));
    const [sent] = await actor.send(topic, messages, { how: 'batch' });
    assert.equal(sent!.offsetId.split(',').length, 30);
    assert.equal(sent!.id.split(',').length, 30);
    const { messages: got } = await actor.call('pull', { topic, queue: sent!.queue, offset: sent!.offset });
    assert.deepEqual(
      got.map((one) => [one.body, one.key, one.tag, one.properties['n']]),
      messages.map((one) => [one.body, one.key, one.tag, one.properties.n]),
    );
    assert.deepEqual(
      got.map((one) => one.offset),
      messages.map((_, i) => i + sent!.offset),
    );
  });

  void it('selector: one key stays in one queue, in the order sent; a chosen queue is kept', async () => {
    const topic = await actor.topic(4);
    const sent = await actor.send(
      topic,
      texts(60).map((one, i) => ({ ...one, shard: `key-${i % 6}` })),
    );
    const queueOf = new Map<number, number>();
    sent.forEach((one, i) => {
      assert.equal(one.queue, queueOf.get(i % 6) ?? one.queue);
      queueOf.set(i % 6, one.queue);
    });
    const chosen = await actor.send(
      topic,
      texts(8).map((one, i) => ({ ...one, queue: i % 4 })),
    );
    assert.deepEqual(
      chosen.map((one) => one.queue),
      [0, 1, 2, 3, 0, 1, 2, 3],
    );
  });

  void it('bodies: empty, compressed, 1 MiB and 4 MiB − 1 KiB come back byte for byte', async () => {
    const topic = await actor.topic(1);
    const sizes = [1, 100_000, 1 << 20, (4 << 20) - 1_024];
    const plain = sizes.map((size) => ({ body: 'x', size, queue: 0 }));
    await actor.send(topic, plain);
    await actor.send(topic, plain.slice(1, 3), { producer: { compressOver: 4_096 } });
    const got = [];
    for (let offset = 0; offset < 6; offset++)
      got.push(...(await actor.call('pull', { topic, queue: 0, offset, max: 1 })).messages);
    assert.deepEqual(
      got.map((one) => one.bytes),
      [...sizes, 100_000, 1 << 20],
    );
    assert.equal(got[4]!.crc, got[1]!.crc);
    assert.equal(got[5]!.crc, got[2]!.crc);
    // What the broker stores stays compressed.
    assert.ok(got[1]!.storeSize > 100_000);
    assert.ok(got[4]!.storeSize < 10_000, `${got[4]!.storeSize} bytes are stored`);
  });

  void it('keys, tags, flag and properties come back unchanged, beside what the broker adds', async () => {
    const topic = await actor.topic(1);
    const properties = { 'kind of': 'ünï çödé', '0': 'zero' };
    const [sent] = await actor.send(topic, [{ body: 'hello', key: 'k1 k2', tag: 'T', flag: 77, properties }]);
    const { messages } = await actor.call('pull', { topic, queue: 0, offset: 0 });
    const one = messages[0]!;
    assert.deepEqual([one.key, one.tag, one.flag, one.id], ['k1 k2', 'T', 77, sent!.id]);
    assert.deepEqual({ ...one.properties, ...properties }, one.properties);
    assert.match(one.storeHost, /127\.0\.0\.1/);
    // Clients act on the absence of two of them: 5.x writes no trace of a delivery without a region, and a reply needs
    // the cluster.
    const added = Object.keys(one.properties).filter((name) => !(name in properties));
    // Which names the client itself sets differs between versions.
    const own = ['KEYS', 'TAGS', 'UNIQ_KEY', 'WAIT', 'MIN_OFFSET', 'MAX_OFFSET'];
    assert.deepEqual(added.filter((name) => !own.includes(name)).sort(), ['CLUSTER', 'MSG_REGION', 'TRACE_ON']);
  });

  void it('an unknown topic is made by sending to it: min(the client’s, the broker’s) queues', async () => {
    const topic = fresh('auto');
    await actor.send(topic, texts(1));
    await until('its route', async () => (await actor.call('route', { topic }))['write'] === 4);
    const many = fresh('auto');
    await actor.send(many, texts(1), { producer: { autoQueues: 32 } });
    await until('its route', async () => (await actor.call('route', { topic: many }))['write'] === 8);
  });

  void it('codes: a queue that is not there, properties and bodies beyond the limits', async () => {
    const topic = await actor.topic(2);
    const errorOf = async (
      to: string,
      one: Record<string, unknown>,
      producer = {},
    ): Promise<number | string | null> => {
      const { results } = await actor.call('send', {
        topic: to,
        messages: [one],
        producer: { retries: 0, ...producer },
      });
      return results[0]!.error ? (results[0]!.error.code ?? results[0]!.error.kind) : results[0]!.status;
    };
    assert.equal(await errorOf(topic, { body: 'x', queue: 9 }), 29);
    const long = { body: 'x', properties: { long: 'y'.repeat(33_000) } };
    assert.equal(await errorOf(topic, long), 13);
    const big = { body: 'x', size: (4 << 20) + 1 };
    assert.equal(await errorOf(topic, big, { maxMessageSize: 8 << 20 }), 13);
  });

  void it('codes: a topic that only reads refuses a producer', async () => {
    const topic = await actor.topic(1);
    await actor.send(topic, texts(1));
    await actor.call('createTopic', { topic, queues: 1, perm: 4 });
    await until('permission 4', async () => (await actor.call('topicConfig', { topic }))['perm'] === 4);
    const { results } = await actor
      .call('send', { topic, messages: [{ body: 'x', queue: 0 }], producer: { retries: 0 } })
      .catch((error: Error) => ({ results: [{ error }] }));
    assert.ok(results[0]!.error, 'the send should fail');
    assert.deepEqual(bodies((await actor.call('pull', { topic, queue: 0, offset: 0 })).messages), ['m-0']);
  });

  void it('queue counts: read and write queues, more of both, fewer to write', async () => {
    const topic = await actor.topic(2);
    await actor.send(topic, texts(2));
    await change(actor, topic, { queues: 6 }, (route) => route['write'] === 6);
    assert.deepEqual((await actor.call('readQueues', { topic }))['queues'], [0, 1, 2, 3, 4, 5]);
    await change(actor, topic, { queues: 2, readQueues: 6 }, (route) => route['write'] === 2);
    assert.equal((await actor.call('route', { topic }))['read'], 6);
  });
}
