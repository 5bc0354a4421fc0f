// Every client library in its daily work: produce, read, groups and its administration. What a library cannot do is told
// in CAN.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LIBRARIES, type Library } from './client.ts';
import { whyMissing } from './libraries.ts';
import { Actor, fresh, inPartition, offsetsOf, Stage, texts, until, values } from './stage.ts';

const stage = new Stage('libraries');

/** What libraries differ in, each by its own limits. */
const CANNOT: Partial<Record<Library, readonly string[]>> = {
  // kafkajs has no zstd, lz4 and snappy of its own; its AlterConfigs replaces all; no static members.
  kafkajs: ['snappy', 'lz4', 'zstd', 'incremental', 'metadata', 'null header', 'low', 'instance'],
  platformatic: ['metadata', 'null header', 'null value'],
  'kafka-python': [],
  sarama: ['low', 'null header'],
};
const can = (library: Library, what: string): boolean => !(CANNOT[library] ?? []).includes(what);

// All of them before the first suite is there: the stage is taken down when the suites known by then have ended.
const reasons = new Map<Library, string | false>();
for (const library of LIBRARIES) reasons.set(library, await whyMissing(library));

for (const library of LIBRARIES) {
  void describe(library, { concurrency: 6, skip: reasons.get(library) }, () => {
    const actor = new Actor(stage, library);
    const java = new Actor(stage, 'java-4');

    void it('what is sent to a partition is read back in order with its offsets, by this library and by Java', async () => {
      const topic = await actor.topic(3);
      const sent = inPartition(1, texts(200));
      const results = await actor.produce(topic, sent);
      assert.deepEqual(
        offsetsOf(results),
        sent.map((_, i) => i),
      );
      for (const reader of [actor, java]) {
        const got = await reader.read(topic, 200, { partition: 1 });
        assert.deepEqual(values(got), values(sent));
        assert.deepEqual(offsetsOf(got), offsetsOf(results));
      }
      assert.deepEqual((await actor.call('offsets', { topic, partition: 1 })).end, 200);
    });

    void it('keys, null keys, null and empty values, headers, timestamps and bytes come back unchanged', async () => {
      const topic = await actor.topic(1);
      const nothing = can(library, 'null value') ? null : '';
      const sent = [
        {
          key: 'k1',
          value: 'v1',
          headers: [
            ['a', 'text'],
            ['ünï', 'çödé'],
          ] as const,
          timestamp: 1_700_000_000_123,
        },
        { key: null, value: 'no key' },
        { key: 'tombstone', value: nothing },
        { key: 'empty', value: '' },
        {
          key: 'bytes',
          value: new Uint8Array([1, 127, 13, 10, 0]),
          headers: [['raw', new Uint8Array([0, 1, 2])]] as const,
        },
      ];
      for (const one of sent) await actor.produce(topic, [one]);
      for (const reader of [actor, java]) {
        const got = await reader.read(topic, 5);
        assert.deepEqual(
          got.map((one) => [one.key, one.value]),
          [
            ['k1', 'v1'],
            [null, 'no key'],
            ['tombstone', nothing],
            ['empty', ''],
            ['bytes', '\u0001\u007f\r\n\u0000'],
          ],
        );
        assert.deepEqual(got[0]!.headers, [
          ['a', 'text'],
          ['ünï', 'çödé'],
        ]);
        assert.equal(got[0]!.timestamp, 1_700_000_000_123);
        assert.deepEqual(got[4]!.headers, [['raw', '\u0000\u0001\u0002']]);
      }
    });

    for (const compression of ['gzip', 'snappy', 'lz4', 'zstd'].filter((codec) => can(library, codec))) {
      void it(`${compression}: batches of this library are read by Java, and Java’s by this library, from the middle too`, async () => {
        const topic = await actor.topic(2);
        const sent = texts(300, 'a value that compresses well');
        await actor.produce(topic, inPartition(0, sent), { compression, lingerMs: 50 });
        await java.produce(topic, inPartition(1, sent), { compression, lingerMs: 50 });
        assert.deepEqual(values(await java.read(topic, 300, { partition: 0 })), values(sent));
        assert.deepEqual(values(await actor.read(topic, 300, { partition: 1 })), values(sent));
        const rest = await actor.read(topic, 143, { partition: 1, from: 157 });
        assert.deepEqual(values(rest), values(sent.slice(157)));
      });
    }

    for (const producer of [{ acks: '0' }, { acks: '1' }, { acks: 'all', idempotent: true }]) {
      void it(`acks ${producer.acks}${producer.idempotent ? ', idempotent' : ''}: all are there, once and in order`, async () => {
        const topic = await actor.topic(1);
        for (let i = 0; i < 5; i++) await actor.produce(topic, inPartition(0, texts(20, `m-${i}`)), producer);
        const wanted = Array.from({ length: 5 }, (_, i) => values(texts(20, `m-${i}`))).flat();
        await until('a hundred records', async () => (await java.call('offsets', { topic })).end === 100);
        assert.deepEqual(values(await actor.read(topic, 100)), wanted);
      });
    }

    void it('an unknown topic is made by sending to it', async () => {
      const topic = fresh('auto');
      await actor.produce(topic, texts(1));
      assert.deepEqual(values(await actor.read(topic, 1)), ['m-0']);
    });

    void it('a value of 900 KiB comes back byte for byte', async () => {
      const topic = await actor.topic(1);
      const big = Buffer.alloc(900 * 1024, 'the big one ').toString();
      await actor.produce(topic, [{ value: big }]);
      assert.equal((await actor.read(topic, 1))[0]!.value, big);
    });

    void it('group: a member commits, leaves, and the next one goes on there', async () => {
      const topic = await actor.topic(1);
      const group = fresh('g');
      await actor.produce(topic, inPartition(0, texts(20)));
      const first = await actor.subscribe(group, [topic]);
      assert.deepEqual(values(await actor.take(first, 20)), values(texts(20)));
      await actor.call('commit', { consumer: first, offsets: [{ topic, partition: 0, offset: 8, metadata: 'eight' }] });
      await actor.close(first);
      const { offsets } = await actor.call('committed', { group });
      assert.equal(offsets[`${topic}/0`]?.offset, 8);
      if (can(library, 'metadata')) assert.equal(offsets[`${topic}/0`]?.metadata, 'eight');
      const second = await actor.subscribe(group, [topic]);
      assert.deepEqual(values(await actor.take(second, 12)), values(texts(20).slice(8)));
      await actor.close(second);
    });

    void it('group: automatic commits', async () => {
      const topic = await actor.topic(2);
      const group = fresh('g');
      await actor.produce(topic, [...inPartition(0, texts(10)), ...inPartition(1, texts(10))]);
      const consumer = await actor.subscribe(group, [topic], { autoCommit: true });
      await actor.take(consumer, 20);
      await until('both are committed', async () => {
        const { offsets } = await java.call('committed', { group });
        return offsets[`${topic}/0`]?.offset === 10 && offsets[`${topic}/1`]?.offset === 10;
      });
      await actor.close(consumer);
    });

    void it('group: two members share the partitions; one takes over when the other leaves', async () => {
      const topic = await actor.topic(4);
      const group = fresh('g');
      const one = await actor.subscribe(group, [topic]);
      const other = await actor.subscribe(group, [topic]);
      const held = async (consumer: string): Promise<string[]> => actor.assigned(consumer);
      await until('the partitions are shared', async () => {
        const [a, b] = [await held(one), await held(other)];
        return a.length === 2 && b.length === 2 && new Set([...a, ...b]).size === 4;
      });
      await actor.close(other);
      await until('one has all', async () => (await held(one)).length === 4);
      await actor.produce(
        topic,
        [0, 1, 2, 3].flatMap((partition) => inPartition(partition, texts(5, `p${partition}`))),
      );
      const got = await actor.take(one, 20);
      for (let partition = 0; partition < 4; partition++)
        assert.deepEqual(values(got.filter((each) => each.partition === partition)), values(texts(5, `p${partition}`)));
      await actor.close(one);
    });

    void it('group: with a Java member in it, and back', async () => {
      if (library === 'kafkajs' || library === 'platformatic') return; // They name their assignors otherwise: not in one group.
      const topic = await actor.topic(2);
      const group = fresh('g');
      const [mine, theirs] = [await actor.subscribe(group, [topic]), await java.subscribe(group, [topic])];
      await until(
        'one each',
        async () => (await actor.assigned(mine)).length === 1 && (await java.assigned(theirs)).length === 1,
      );
      await java.produce(topic, [...inPartition(0, texts(5)), ...inPartition(1, texts(5))]);
      const got = [...(await actor.take(mine, 5)), ...(await java.take(theirs, 5))];
      assert.deepEqual(new Set(got.map((each) => each.partition)), new Set([0, 1]));
      await java.close(theirs);
      await until('both', async () => (await actor.assigned(mine)).length === 2);
      await actor.close(mine);
    });

    void it('administration: topics made with a configuration, grown, trimmed, deleted', async () => {
      const topic = await actor.topic(2, { 'retention.ms': '86400000' });
      await until('it is listed', async () => (await actor.call('topics')).topics.includes(topic));
      assert.equal((await actor.call('configs', { name: topic })).configs['retention.ms']?.value, '86400000');
      const op = can(library, 'incremental') ? [] : [{ name: 'retention.ms', value: '86400000' }];
      await actor.call('setConfigs', { name: topic, ops: [{ name: 'max.message.bytes', value: '500000' }, ...op] });
      await until('it is changed', async () => {
        const { configs } = await java.call('configs', { name: topic });
        return configs['max.message.bytes']?.value === '500000' && configs['retention.ms']?.value === '86400000';
      });
      await actor.call('createPartitions', { topic, count: 5 });
      await until('five partitions', async () => (await java.call('describeTopic', { topic })).partitions.length === 5);
      // A producer that knows the topic refuses the new partition by itself until it has heard of it.
      await until('the new partition is written', async () => {
        await actor.produce(topic, inPartition(4, texts(10)));
        return true;
      });
      // The administration client may know the topic as it was for a moment longer.
      let low: number | undefined;
      await until('records deleted', async () => {
        ({ low } = await actor.call('deleteRecords', { topic, partition: 4, before: 6 }));
        return true;
      });
      if (can(library, 'low')) assert.equal(low, 6);
      assert.equal((await actor.call('offsets', { topic, partition: 4 })).begin, 6);
      assert.deepEqual(values(await actor.read(topic, 4, { partition: 4 })), values(texts(10).slice(6)));
      await actor.call('deleteTopic', { topic });
      await until('it is gone', async () => !(await java.call('topics')).topics.includes(topic));
    });

    void it('administration: codes of what is refused', async () => {
      const topic = await actor.topic(1);
      assert.equal(await actor.codeOf('createTopic', { topic, partitions: 1 }), 36);
      assert.equal(await actor.codeOf('createTopic', { topic: 'not a name', partitions: 1 }), 17);
      assert.equal(
        await actor.codeOf('createTopic', { topic: fresh('t'), partitions: 1, configs: { 'no.such': '1' } }),
        40,
      );
      assert.equal(await actor.codeOf('createPartitions', { topic, count: 1 }), 37);
    });

    void it('administration: groups listed, described and deleted; the cluster', async () => {
      const topic = await actor.topic(1);
      const group = fresh('g');
      const consumer = await actor.subscribe(group, [topic]);
      await until('assigned', async () => (await actor.assigned(consumer)).length === 1);
      const described = await actor.call('describeGroup', { group });
      assert.equal(String(described.state).toUpperCase(), 'STABLE');
      assert.equal(described.members.length, 1);
      assert.match(described.members[0]!.host, /127\.0\.0\.1/);
      assert.ok((await actor.call('groups')).groups.some((one) => one.group === group));
      assert.notEqual(await actor.codeOf('deleteGroup', { group }), null);
      await actor.close(consumer);
      await actor.call('deleteGroup', { group });
      await until('it is gone', async () => !(await actor.call('groups')).groups.some((one) => one.group === group));
      const { nodes } = (await actor.call('cluster')) as unknown as { nodes: string[] };
      assert.deepEqual(
        nodes.map((one) => one.replace(/.* /, '')),
        [stage.bootstrap],
      );
    });
  });
}
