// Reading without a group: assigned partitions, offsets by every way to ask, the middle of batches, long polling, simple
// consumers that commit without being members.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Actor, fresh, inPartition, offsetsOf, sleep, texts, until, values } from '../stage.ts';

export function reading(actor: Actor): void {
  for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    void it(`${compression}: a reader may begin at every offset of a batch`, async () => {
      const topic = await actor.topic(1);
      const sent = texts(64, 'something in a batch');
      await actor.produce(topic, sent, { compression, lingerMs: 100 });
      for (let from = 0; from < 64; from += from < 8 ? 1 : 7) {
        const got = await actor.read(topic, 64 - from, { from });
        assert.deepEqual(values(got), values(sent.slice(from)), `from ${from}`);
        assert.equal(got[0]!.offset, from);
      }
    });
  }

  void it('begin, end, and an offset out of range with each way to reset', async () => {
    const topic = await actor.topic(1);
    await actor.produce(topic, texts(10));
    await actor.call('deleteRecords', { topic, before: 4 });
    assert.deepEqual(offsetsOf(await actor.read(topic, 6)), [4, 5, 6, 7, 8, 9]);
    assert.deepEqual(await actor.read(topic, 1, { from: 'end', waitMs: 500 }), []);
    assert.equal((await actor.read(topic, 1, { from: 1, reset: 'earliest' }))[0]!.offset, 4);
    assert.deepEqual(await actor.read(topic, 1, { from: 100, reset: 'latest', waitMs: 700 }), []);
    const outside = await actor.codeOf('read', { topic, from: 2, count: 1, waitMs: 3_000 });
    assert.equal(outside, 'OffsetOutOfRangeException');
    assert.deepEqual(await actor.read(topic, 1, { from: 10, waitMs: 500 }), []);
  });

  void it('offsets by time: exact to the record inside a batch, null after the last', async () => {
    const topic = await actor.topic(1);
    const base = Date.now() - 100_000;
    const sent = Array.from({ length: 50 }, (_, i) => ({ value: `m-${i}`, timestamp: base + i * 100 }));
    await actor.produce(topic, sent, { lingerMs: 100, compression: 'lz4' });
    const at = async (timestamp: number): Promise<unknown[]> => {
      const found = await actor.call('timeOffset', { topic, timestamp });
      return [found.offset, found.timestamp === null ? null : found.timestamp - base];
    };
    assert.deepEqual(await at(0), [0, 0]);
    assert.deepEqual(await at(base), [0, 0]);
    assert.deepEqual(await at(base + 1), [1, 100]);
    assert.deepEqual(await at(base + 2_300), [23, 2_300]);
    assert.deepEqual(await at(base + 2_301), [24, 2_400]);
    assert.deepEqual(await at(base + 4_900), [49, 4_900]);
    assert.deepEqual(await at(base + 4_901), [null, null]);
  });

  void it('offsets by time: records whose times are out of order', async () => {
    const topic = await actor.topic(1);
    const base = Date.now() - 100_000;
    const times = [500, 100, 900, 300, 700];
    for (const one of times) await actor.produce(topic, [{ value: `t-${one}`, timestamp: base + one }]);
    await actor.produce(
      topic,
      [50, 950, 20].map((one) => ({ value: `t-${one}`, timestamp: base + one })),
      { lingerMs: 100 },
    );
    const found = async (timestamp: number): Promise<unknown> =>
      (await actor.call('timeOffset', { topic, timestamp: base + timestamp })).offset;
    assert.deepEqual([await found(0), await found(600), await found(901), await found(951)], [0, 2, 6, null]);
    const max = await actor.call('listOffset', { topic, at: 'max' });
    assert.deepEqual([max.offset, max.timestamp! - base], [6, 950]);
  });

  void it('ListOffsets: earliest, latest, the record with the highest time; nothing in an empty partition', async () => {
    const topic = await actor.topic(2);
    await actor.produce(
      topic,
      inPartition(0, texts(7)).map((one, i) => ({ ...one, timestamp: Date.now() - 1_000 + i })),
    );
    await actor.call('deleteRecords', { topic, before: 3 });
    const at = async (what: string, partition = 0): Promise<unknown> =>
      (await actor.call('listOffset', { topic, partition, at: what })).offset;
    assert.deepEqual([await at('earliest'), await at('latest'), await at('max')], [3, 7, 6]);
    assert.deepEqual([await at('earliest', 1), await at('latest', 1), await at('max', 1)], [0, 0, -1]);
  });

  void it('long polling: a waiting reader has the next record soon, and none too early', async () => {
    const topic = await actor.topic(1);
    await actor.produce(topic, texts(1));
    const config = { 'fetch.max.wait.ms': '5000' };
    const waiting = actor.call('read', { topic, partition: 0, count: 1, from: 1, config });
    await sleep(1_500);
    await actor.produce(topic, texts(1, 'next'));
    const { records, tookMs } = (await waiting) as unknown as { records: unknown[]; tookMs: number };
    assert.equal(records.length, 1);
    // Until the record, and far from the end of the wait.
    assert.ok(tookMs >= 1_000 && tookMs < 4_500, `${tookMs} ms`);
  });

  void it('fetch.min.bytes: a fetch waits for more, at most as long as it says', async () => {
    const topic = await actor.topic(1);
    await actor.produce(topic, texts(1));
    const config = { 'fetch.min.bytes': '1000000', 'fetch.max.wait.ms': '1500' };
    const began = Date.now();
    assert.deepEqual(values(await actor.read(topic, 1, { config })), ['m-0']);
    assert.ok(Date.now() - began >= 1_400);
  });

  void it('a batch larger than every limit of the fetch is given whole', async () => {
    const topic = await actor.topic(1);
    const value = Buffer.alloc(500_000, 'x').toString();
    await actor.produce(topic, [{ value }, { value: 'small' }]);
    const config = { 'max.partition.fetch.bytes': '1000', 'fetch.max.bytes': '1000' };
    assert.deepEqual(values(await actor.read(topic, 2, { config })), [value, 'small']);
  });

  void it('read_committed reads what is not transactional like any other', async () => {
    const topic = await actor.topic(1);
    await actor.produce(topic, texts(20), { idempotent: true });
    const config = { 'isolation.level': 'read_committed' };
    assert.deepEqual(values(await actor.read(topic, 20, { config })), values(texts(20)));
    assert.equal((await actor.call('offsets', { topic, config })).end, 20);
  });

  void it('records carry the leader’s epoch; it is the one that metadata tells', async () => {
    const topic = await actor.topic(1);
    await actor.produce(topic, texts(1));
    const [got] = await actor.read(topic, 1);
    const { epoch } = await actor.call('listOffset', { topic, at: 'latest' });
    assert.equal(typeof got!.epoch, 'number');
    assert.equal(got!.epoch, epoch);
  });

  void it('delete records: offsets before are gone for readers, the high watermark for all (-1), beyond the end refused (1)', async () => {
    const topic = await actor.topic(1);
    await actor.produce(topic, texts(30), { lingerMs: 50 });
    assert.equal((await actor.call('deleteRecords', { topic, before: 13 })).low, 13);
    assert.deepEqual(offsetsOf(await actor.read(topic, 17))[0], 13);
    assert.equal((await actor.call('deleteRecords', { topic, before: 5 })).low, 13);
    assert.equal(await actor.codeOf('deleteRecords', { topic, before: 31 }), 1);
    assert.equal((await actor.call('deleteRecords', { topic, before: -1 })).low, 30);
    assert.deepEqual(await actor.call('offsets', { topic }), { begin: 30, end: 30 });
    await actor.produce(topic, texts(1, 'next'));
    assert.equal((await actor.read(topic, 1))[0]!.offset, 30);
  });

  void it('simple consumers: offsets set and deleted from outside while nobody is a member', async () => {
    const topic = await actor.topic(2);
    const group = fresh('g');
    await actor.produce(topic, [...inPartition(0, texts(10)), ...inPartition(1, texts(10))]);
    await actor.call('setOffsets', { group, offsets: { [`${topic}/0`]: 4, [`${topic}/1`]: 7 }, metadata: 'by hand' });
    const { offsets } = await actor.call('committed', { group });
    assert.deepEqual(
      [offsets[`${topic}/0`]!.offset, offsets[`${topic}/0`]!.metadata, offsets[`${topic}/1`]!.offset],
      [4, 'by hand', 7],
    );
    await actor.call('deleteOffsets', { group, topic, partition: 1 });
    assert.deepEqual(Object.keys((await actor.call('committed', { group })).offsets), [`${topic}/0`]);
    const { groups } = await actor.call('groups');
    assert.equal(groups.find((one) => one.group === group)?.state, 'Empty');
    const consumer = await actor.subscribe(group, [topic]);
    const got = await actor.take(consumer, 16);
    assert.deepEqual(values(got.filter((one) => one.partition === 0)), values(texts(10).slice(4)));
    await actor.close(consumer);
  });

  void it('a group that has a member refuses commits from outside (25) and deleted offsets of its topics (86)', async () => {
    const topic = await actor.topic(1);
    const group = fresh('g');
    const consumer = await actor.subscribe(group, [topic]);
    await until('assigned', async () => (await actor.assigned(consumer)).length === 1);
    assert.equal(await actor.codeOf('setOffsets', { group, offsets: { [`${topic}/0`]: 0 } }), 25);
    await actor.call('commit', { consumer, offsets: [{ topic, partition: 0, offset: 0 }] });
    assert.equal(await actor.codeOf('deleteOffsets', { group, topic }), 86);
    await actor.close(consumer);
  });
}
