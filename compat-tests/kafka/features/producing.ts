// Producers: what is acknowledged when, where records come to stand, timestamps, limits, and what is refused with which code.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Actor, fresh, offsetsOf, texts, until, values } from '../stage.ts';

/** The codes of a produce's results; 0 for what was stored. */
const codes = (results: readonly { error?: { code: number | null; kind: string } }[]): (number | string)[] =>
  results.map((one) => (one.error ? (one.error.code ?? one.error.kind) : 0));

export function producing(actor: Actor): void {
  void it('idempotent: five batches in flight, dense offsets, in order, also over two thousand records', async () => {
    const topic = await actor.topic(1);
    const sent = texts(2_000);
    const results = await actor.produce(topic, sent, { idempotent: true, batchBytes: 400, lingerMs: 1 });
    assert.deepEqual(
      offsetsOf(results),
      sent.map((_, i) => i),
    );
    assert.deepEqual(values(await actor.read(topic, 2_000)), values(sent));
    const { producers } = (await actor.call('producers', { topic, partition: 0 })) as unknown as {
      producers: object[];
    };
    assert.equal(producers.length, 1);
  });

  void it('acks 0: no offset is told, and the records are there', async () => {
    const topic = await actor.topic(1);
    const results = await actor.produce(topic, texts(50), { acks: '0' });
    assert.deepEqual(new Set(offsetsOf(results)), new Set([-1]));
    assert.deepEqual(values(await actor.read(topic, 50)), values(texts(50)));
  });

  void it('acks 0: a record that is refused closes the connection, and the producer goes on', async () => {
    const topic = await actor.topic(1, { 'max.message.bytes': '1000' });
    await actor.attempt(topic, [{ value: 'x'.repeat(5_000) }], { producer: { acks: '0' } });
    await until('a small one is stored', async () => {
      await actor.produce(topic, texts(1), { acks: '0' });
      return (await actor.call('offsets', { topic })).end > 0;
    });
    assert.equal((await actor.read(topic, 1))[0]!.value, 'm-0');
  });

  void it('too large: for the topic (10), for the producer itself (10); others in the same call are stored', async () => {
    const topic = await actor.topic(1, { 'max.message.bytes': '20000' });
    const large = { value: Buffer.alloc(30_000, 'x') };
    const results = await actor.attempt(topic, [large], {});
    assert.deepEqual(codes(results), [10]);
    assert.deepEqual(codes(await actor.attempt(topic, [{ value: Buffer.alloc(2 << 20) }], {})), [10]);
    await actor.produce(topic, texts(3));
    assert.deepEqual(values(await actor.read(topic, 3)), values(texts(3)));
  });

  void it('a topic may take larger records than others', async () => {
    const topic = await actor.topic(1, { 'max.message.bytes': String(6 << 20) });
    const value = Buffer.alloc(5 << 20, 'large ').toString();
    await actor.produce(topic, [{ value }], { requestBytesMax: 7 << 20 });
    const config = { 'max.partition.fetch.bytes': '100000' };
    const [got] = await actor.read(topic, 1, { config });
    assert.equal(got!.value, value);
  });

  void it('an unknown topic that must not be made: 3 or a time-out, and nothing is made', async () => {
    const topic = fresh('none');
    assert.equal(await actor.codeOf('describeTopic', { topic }), 3);
    const config = { 'allow.auto.create.topics': 'false' };
    assert.notEqual(await actor.codeOf('read', { topic, count: 1, waitMs: 1_000, config, from: 0 }), 0);
    assert.ok(!(await actor.call('topics')).topics.includes(topic));
  });

  void it('a partition that is not there: a time-out of the client, which waits for it', async () => {
    const topic = await actor.topic(2);
    const config = { 'max.block.ms': '1500' };
    const [result] = await actor.attempt(topic, [{ value: 'x', partition: 7 }], { config });
    assert.equal(result!.error?.kind, 'TimeoutException');
  });

  void it('CreateTime: the producer’s own; LogAppendTime: the broker’s, for every record of a batch', async () => {
    const mine = await actor.topic(1);
    const long = 1_000_000_000_000;
    await actor.produce(mine, [{ value: 'old', timestamp: long }]);
    const [old] = await actor.read(mine, 1);
    assert.deepEqual([old!.timestamp, old!.timestampType], [long, 'CreateTime']);
    for (const compression of ['none', 'lz4']) {
      const theirs = await actor.topic(1, { 'message.timestamp.type': 'LogAppendTime' });
      const before = Date.now();
      const results = await actor.produce(
        theirs,
        texts(20).map((one) => ({ ...one, timestamp: long })),
        { compression, lingerMs: 50, idempotent: compression === 'lz4' },
      );
      const got = await actor.read(theirs, 20);
      assert.deepEqual(new Set(got.map((one) => one.timestampType)), new Set(['LogAppendTime']));
      for (const one of got) assert.ok(one.timestamp >= before - 5 && one.timestamp <= Date.now() + 5);
      assert.deepEqual(
        results.map((one) => one.timestamp),
        got.map((one) => one.timestamp),
      );
    }
  });

  void it('timestamps out of the topic’s bounds are refused (32)', async () => {
    const topic = await actor.topic(1, {
      'message.timestamp.before.max.ms': '60000',
      'message.timestamp.after.max.ms': '60000',
    });
    const day = 86_400_000;
    const results = [
      ...(await actor.attempt(topic, [{ value: 'old', timestamp: Date.now() - day }])),
      ...(await actor.attempt(topic, [{ value: 'new', timestamp: Date.now() + day }])),
      ...(await actor.attempt(topic, [{ value: 'now', timestamp: Date.now() }])),
    ];
    assert.deepEqual(codes(results), [32, 32, 0]);
  });

  void it('compression.type of a topic: what is stored is read back, whatever it came as', async () => {
    for (const wanted of ['gzip', 'lz4', 'uncompressed', 'producer']) {
      const topic = await actor.topic(1, { 'compression.type': wanted });
      const sent = texts(100, 'something that can be compressed');
      await actor.produce(topic, sent, { compression: 'snappy', lingerMs: 50 });
      await actor.produce(topic, sent, { lingerMs: 50 });
      assert.deepEqual(values(await actor.read(topic, 200)), [...values(sent), ...values(sent)]);
      assert.deepEqual(values(await actor.read(topic, 50, { from: 150 })), values(sent.slice(50)));
    }
  });

  void it('many headers, repeated names, null values and an empty name keep their order', async () => {
    const topic = await actor.topic(1);
    const headers = [
      ['a', '1'],
      ['b', null],
      ['a', '2'],
      ['', 'empty'],
      ['a', ''],
      ...Array.from({ length: 100 }, (_, i) => [`h${i}`, `${i}`] as const),
    ] as const;
    await actor.produce(topic, [{ value: 'x', headers }], { compression: 'zstd' });
    assert.deepEqual((await actor.read(topic, 1))[0]!.headers, headers);
  });

  void it('one request may carry many partitions and topics', async () => {
    const topics = [await actor.topic(6), await actor.topic(6)];
    const sent = Array.from({ length: 60 }, (_, i) => ({ value: `m-${i}`, partition: i % 6 }));
    for (const topic of topics) await actor.produce(topic, sent, { lingerMs: 20 });
    for (const topic of topics) {
      for (let partition = 0; partition < 6; partition++) {
        const got = await actor.read(topic, 10, { partition });
        assert.deepEqual(values(got), values(sent.filter((one) => one.partition === partition)));
      }
    }
  });

  void it('a key stays in its partition, as every Java client computes it', async () => {
    const topic = await actor.topic(8);
    const sent = Array.from({ length: 64 }, (_, i) => ({ key: `key-${i % 16}`, value: `m-${i}` }));
    const results = await actor.produce(topic, sent);
    for (const [i, one] of results.entries()) assert.equal(one.partition, results[i % 16]!.partition);
  });

  void it('delivery stays within a partition when batches of several topics are refused', async () => {
    const strict = await actor.topic(1, { 'max.message.bytes': '2000' });
    const sent = [...texts(3, 'a'), { value: 'x'.repeat(4_000) }, ...texts(3, 'b')];
    const results = await actor.attempt(strict, sent, { oneByOne: true, producer: { idempotent: true } });
    assert.deepEqual(codes(results), [0, 0, 0, 10, 0, 0, 0]);
    assert.deepEqual(values(await actor.read(strict, 6)), values([...texts(3, 'a'), ...texts(3, 'b')]));
  });
}
