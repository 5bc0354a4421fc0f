// The administration client: topics, partitions, configuration, the cluster.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { differs } from '../differences.ts';
import { type Actor, fresh, inPartition, texts, until, values } from '../stage.ts';

export function administering(actor: Actor): void {
  void it('topics: made with defaults, validated only, told, deleted; a new one of the same name has another id', async () => {
    const topic = fresh('t');
    const dry = await actor.call('createTopic', { topic, partitions: 3, validateOnly: true });
    assert.equal(dry.partitions as unknown as number, 3);
    assert.ok(!(await actor.call('topics')).topics.includes(topic));
    const made = await actor.call('createTopic', { topic });
    assert.deepEqual([made.partitions, made['replicas']], [1, 1]);
    assert.equal((made.configs as unknown as Record<string, string>)['retention.ms'], '604800000');
    const told = (await actor.call('describeTopic', { topic })) as unknown as {
      topicId: string;
      internal: boolean;
      partitions: { leader: number; replicas: number[]; isr: number[] }[];
    };
    assert.equal(told.topicId, made['topicId']);
    assert.equal(told.internal, false);
    const { leader, replicas, isr } = told.partitions[0]!;
    assert.deepEqual([replicas, isr], [[leader], [leader]]);
    await actor.call('deleteTopic', { topic });
    await until('it is gone', async () => (await actor.codeOf('describeTopic', { topic })) === 3);
    assert.equal(await actor.codeOf('deleteTopic', { topic }), 3);
    const again = await actor.call('createTopic', { topic, partitions: 2 });
    assert.notEqual(again['topicId'], made['topicId']);
    await actor.produce(topic, inPartition(1, texts(1)));
    assert.deepEqual(values(await actor.read(topic, 1, { partition: 1 })), ['m-0']);
    // A producer that knows a topic makes it again when it refreshes what it knows: this one is known to none.
    const other = fresh('t');
    const { topicId } = await actor.call('createTopic', { topic: other });
    await actor.call('deleteTopic', { topicId });
    await until('the other is gone', async () => !(await actor.call('topics')).topics.includes(other));
  });

  void it('topics: what is refused, with its code', async () => {
    const topic = await actor.topic(1);
    const create = (fields: Record<string, unknown>): Promise<unknown> =>
      actor.codeOf('createTopic', { topic: fresh('t'), partitions: 1, ...fields });
    assert.equal(await create({ topic }), 36);
    for (const name of ['', '.', '..', 'a/b', 'x'.repeat(250)]) assert.equal(await create({ topic: name }), 17, name);
    assert.equal(await create({ partitions: 0 }), 37);
    assert.equal(await create({ configs: { 'no.such.thing': '1' } }), 40);
    assert.equal(await create({ configs: { 'retention.ms': 'soon' } }), 40);
    assert.equal(await create({ configs: { 'cleanup.policy': 'sometimes' } }), 40);
    assert.equal(await create({ configs: { 'min.insync.replicas': '0' } }), 40);
  });

  void it('topics: replicas beyond the brokers, names that differ in a dot, compaction, times to come', async () => {
    const create = (fields: Record<string, unknown>): Promise<unknown> =>
      actor.codeOf('createTopic', { topic: fresh('t'), partitions: 1, ...fields });
    assert.equal(await create({ replicas: 3 }), differs('replicas'));
    const name = fresh('t');
    assert.equal(await create({ topic: `${name}.x` }), null);
    assert.equal(await create({ topic: `${name}_x` }), differs('names-that-collide'));
    assert.equal(await create({ configs: { 'cleanup.policy': 'compact' } }), null);
    const made = await actor.topic(1);
    await until('a new topic is known', async () => (await actor.codeOf('configs', { name: made })) === null);
    const { configs } = await actor.call('configs', { name: made });
    assert.equal(configs['message.timestamp.after.max.ms']!.value, differs('future-timestamps'));
  });

  void it('partitions: more, validated only, not fewer, not of an unknown topic', async () => {
    const topic = await actor.topic(2);
    await actor.produce(topic, inPartition(0, texts(3)));
    await actor.call('createPartitions', { topic, count: 6, validateOnly: true });
    const count = async (): Promise<number> => (await actor.call('describeTopic', { topic })).partitions.length;
    assert.equal(await count(), 2);
    await actor.call('createPartitions', { topic, count: 6 });
    await until('six', async () => (await count()) === 6);
    assert.equal(await actor.codeOf('createPartitions', { topic, count: 6 }), 37);
    assert.equal(await actor.codeOf('createPartitions', { topic, count: 2 }), 37);
    assert.equal(await actor.codeOf('createPartitions', { topic: fresh('none'), count: 2 }), 3);
    await actor.produce(topic, inPartition(5, texts(2)));
    assert.deepEqual(values(await actor.read(topic, 2, { partition: 5 })), values(texts(2)));
    assert.deepEqual(values(await actor.read(topic, 3)), values(texts(3)));
  });

  void it('configuration of a topic: every name that Kafka knows, with value, source, type and synonyms', async () => {
    const topic = await actor.topic(1, { 'retention.ms': '1000000', 'cleanup.policy': 'delete' });
    const { configs } = await actor.call('configs', { name: topic, documentation: true });
    for (const name of [
      'cleanup.policy',
      'compression.type',
      'delete.retention.ms',
      'file.delete.delay.ms',
      'flush.messages',
      'flush.ms',
      'index.interval.bytes',
      'max.compaction.lag.ms',
      'max.message.bytes',
      'message.timestamp.after.max.ms',
      'message.timestamp.before.max.ms',
      'message.timestamp.type',
      'min.cleanable.dirty.ratio',
      'min.compaction.lag.ms',
      'min.insync.replicas',
      'preallocate',
      'retention.bytes',
      'retention.ms',
      'segment.bytes',
      'segment.index.bytes',
      'segment.jitter.ms',
      'segment.ms',
      'unclean.leader.election.enable',
      'remote.storage.enable',
      'local.retention.ms',
      'local.retention.bytes',
      'compression.gzip.level',
      'compression.lz4.level',
      'compression.zstd.level',
    ])
      assert.ok(configs[name], `${name} is told`);
    const retention = configs['retention.ms']!;
    assert.deepEqual(
      [retention.value, retention.source, retention.type, retention.isReadOnly, retention.isSensitive],
      ['1000000', 'DYNAMIC_TOPIC_CONFIG', 'LONG', false, false],
    );
    assert.equal(retention.synonyms[0], 'retention.ms=1000000 DYNAMIC_TOPIC_CONFIG');
    assert.equal(configs['max.compaction.lag.ms']!.source, 'DEFAULT_CONFIG');
    assert.deepEqual([configs['cleanup.policy']!.type, configs['preallocate']!.type], ['LIST', 'BOOLEAN']);
  });

  void it('configuration changed: set, delete, append, subtract, validated only; what is refused changes nothing', async () => {
    const topic = await actor.topic(1);
    const set = (ops: object[], fields: object = {}): Promise<unknown> =>
      actor.codeOf('setConfigs', { name: topic, ops, ...fields });
    const value = async (name: string): Promise<string | null> =>
      (await actor.call('configs', { name: topic })).configs[name]!.value;
    assert.equal(
      await set([
        { name: 'retention.ms', value: '5000' },
        { name: 'segment.bytes', value: '2000000' },
      ]),
      null,
    );
    await until(
      'set',
      async () => (await value('retention.ms')) === '5000' && (await value('segment.bytes')) === '2000000',
    );
    assert.equal(await set([{ op: 'delete', name: 'retention.ms' }]), null);
    await until('back to the default', async () => (await value('retention.ms')) === '604800000');
    assert.equal(await value('segment.bytes'), '2000000');
    assert.equal(await set([{ name: 'retention.ms', value: '7000' }], { validateOnly: true }), null);
    assert.equal(await value('retention.ms'), '604800000');
    assert.equal(
      await set([
        { name: 'retention.ms', value: 'x' },
        { name: 'segment.bytes', value: '3000000' },
      ]),
      40,
    );
    assert.equal(await set([{ name: 'nothing.of.this', value: 'x' }]), 40);
    assert.equal(await value('segment.bytes'), '2000000');
    assert.equal(
      await actor.codeOf('setConfigs', { name: fresh('none'), ops: [{ name: 'retention.ms', value: '1' }] }),
      3,
    );
    assert.equal(await actor.codeOf('configs', { name: fresh('none') }), 3);
  });

  void it('max.message.bytes is obeyed as soon as it is changed', async () => {
    const topic = await actor.topic(1);
    await actor.produce(topic, [{ value: 'x'.repeat(10_000) }]);
    await actor.call('setConfigs', { name: topic, ops: [{ name: 'max.message.bytes', value: '5000' }] });
    await until(
      'refused',
      async () => (await actor.attempt(topic, [{ value: 'x'.repeat(10_000) }]))[0]!.error?.code === 10,
    );
    await actor.produce(topic, [{ value: 'x'.repeat(1_000) }]);
  });

  void it('min.insync.replicas beyond the replicas that a topic has asks for those that it has', async () => {
    const topic = await actor.topic(1, { 'min.insync.replicas': '2' });
    assert.equal((await actor.call('configs', { name: topic })).configs['min.insync.replicas']!.value, '2');
    await actor.produce(topic, texts(1));
    await actor.produce(topic, texts(1), { acks: '1' });
  });

  void it('configuration of the broker: auto.create.topics.enable, default.replication.factor and num.partitions are told', async () => {
    const { nodes } = (await actor.call('cluster')) as unknown as { nodes: string[] };
    const { configs } = await actor.call('configs', { type: 'broker', name: nodes[0]!.split(' ')[0] });
    for (const [name, value] of [
      ['auto.create.topics.enable', 'true'],
      ['default.replication.factor', '1'],
      ['num.partitions', '1'],
      ['message.max.bytes', null],
      ['log.retention.hours', null],
    ] as const) {
      assert.ok(configs[name], `${name} is told`);
      if (value !== null) assert.equal(configs[name]!.value, value);
    }
  });

  void it('the cluster: an id, a controller that is a node, its address', async () => {
    const one = await actor.call('cluster');
    const two = await actor.call('cluster');
    assert.match(one['clusterId'] as string, /^[A-Za-z0-9_-]{22}$/);
    assert.equal(one['clusterId'], two['clusterId']);
    const nodes = one['nodes'] as string[];
    assert.ok(nodes.some((node) => node.startsWith(`${one['controller'] as number} `)));
  });

  void it('log directories: sizes of partitions grow with what is stored', async () => {
    const topic = await actor.topic(2);
    await actor.produce(topic, [{ value: 'x'.repeat(100_000), partition: 1 }]);
    await until('the sizes', async () => {
      const { sizes } = (await actor.call('logDirs')) as unknown as { sizes: Record<string, number> };
      return sizes[`${topic}/0`] === 0 && sizes[`${topic}/1`]! > 100_000;
    });
  });

  void it('quotas, reassignments, elections: asked by tools, answered', async () => {
    const topic = await actor.topic(1);
    assert.equal((await actor.call('reassignments'))['reassignments'], 0);
    const { outcome } = (await actor.call('electLeaders', { topic })) as unknown as {
      outcome: { code: number } | null;
    };
    assert.equal(outcome?.code, 84);
    const client = fresh('client');
    await actor.call('setQuota', { client, key: 'producer_byte_rate', value: 1_000_000 });
    await until('the quota', async () => JSON.stringify((await actor.call('quotas'))['quotas']).includes(client));
    await actor.call('setQuota', { client, key: 'producer_byte_rate' });
    await until('no quota', async () => !JSON.stringify((await actor.call('quotas'))['quotas']).includes(client));
  });
}
