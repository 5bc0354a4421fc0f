// Applications that run beside a broker: Kafka Connect with its file connectors, MirrorMaker 2 from a real Kafka into the
// target.
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { after } from '../harness/test.ts';
import { scratch } from '../harness/work.ts';
import { startKafka } from '../peers/kafka/kafka.ts';
import { connectJars, startConnect, startMirrorMaker } from './apps/connect.ts';
import { Client } from './client.ts';
import { Actor, fresh, Stage, until } from './stage.ts';

const stage = new Stage('apps');
const java = new Actor(stage, 'java-4');
await connectJars();

const lines = (count: number, from = 0): string =>
  Array.from({ length: count }, (_, i) => `line ${from + i}\n`).join('');
const FILE = 'org.apache.kafka.connect.file.FileStream';
const STRING = 'org.apache.kafka.connect.storage.StringConverter';
const converters = { 'key.converter': STRING, 'value.converter': STRING };

void describe('applications', { concurrency: 3 }, () => {
  void it('Connect, standalone: lines of a file become records and lines of another, once each over a restart', async () => {
    const folder = scratch('connect-standalone');
    const topic = fresh('lines');
    const [input, output] = [join(folder, 'in.txt'), join(folder, 'out.txt')];
    writeFileSync(input, lines(500));
    const connectors = {
      source: { 'connector.class': `${FILE}SourceConnector`, file: input, topic, ...converters },
      sink: { 'connector.class': `${FILE}SinkConnector`, file: output, topics: topic, ...converters },
    };
    const settings = { 'offset.storage.file.filename': join(folder, 'offsets') };
    const read = (): string => (existsSync(output) ? readFileSync(output, 'utf8') : '');
    const first = await startConnect('standalone', folder, stage.bootstrap, settings, connectors);
    await until('all lines', async () => read() === lines(500));
    const group = 'connect-sink';
    await until('the sink has committed', async () => {
      const { offsets } = await java.call('committed', { group });
      return offsets[`${topic}/0`]?.offset === 500;
    });
    await first.server.stop();
    appendFileSync(input, lines(500, 500));
    const second = await startConnect('standalone', folder, stage.bootstrap, settings, connectors);
    await until('the rest', async () => read() === lines(1_000));
    const { state } = await java.call('describeGroup', { group });
    assert.equal(state, 'Stable');
    await second.server.stop();
    assert.equal((await java.call('offsets', { topic })).end, 1_000);
  });

  void it('Connect, distributed: a connector made over REST, which it remembers in topics of its own over a restart', async () => {
    const folder = scratch('connect-distributed');
    const settings = {
      'group.id': fresh('connect'),
      'config.storage.topic': fresh('configs'),
      'offset.storage.topic': fresh('offsets'),
      'status.storage.topic': fresh('status'),
      'config.storage.replication.factor': 1,
      'offset.storage.replication.factor': 1,
      'status.storage.replication.factor': 1,
    };
    const started = await startConnect('distributed', folder, stage.bootstrap, settings);
    const input = join(folder, 'in.txt');
    const topic = fresh('lines');
    writeFileSync(input, lines(100));
    const body = JSON.stringify({
      name: 'source',
      config: { 'connector.class': `${FILE}SourceConnector`, file: input, topic, ...converters },
    });
    const headers = { 'content-type': 'application/json' };
    await until(
      'the connector',
      async () => (await fetch(`${started.rest}/connectors`, { method: 'POST', headers, body })).ok,
    );
    await until('all lines', async () => (await java.call('offsets', { topic })).end === 100);
    await until('it is told to run', async () => {
      const status = (await (await fetch(`${started.rest}/connectors/source/status`)).json()) as {
        tasks: { state: string }[];
      };
      return status.tasks[0]?.state === 'RUNNING';
    });
    await started.server.stop();
    appendFileSync(input, lines(100, 100));
    const again = await startConnect('distributed', folder, stage.bootstrap, settings);
    await until('the rest', async () => (await java.call('offsets', { topic })).end === 200);
    await again.server.stop();
    assert.equal((await java.call('offsets', { topic })).end, 200);
  });

  void it('MirrorMaker 2: topics of a real Kafka come over with partitions, records, configuration and groups’ places', async () => {
    const folder = scratch('mirror');
    const { server, bootstrap } = await startKafka(scratch('mirror-source'), { heap: '384m' });
    const source = await Client.start('java-4', bootstrap);
    after(async () => [await source.stop(), await server.stop()]);
    const topic = fresh('mirrored');
    await source.call('createTopic', { topic, partitions: 3, configs: { 'retention.ms': '123456789' } });
    const base = Date.now() - 60_000;
    const messages = Array.from({ length: 300 }, (_, i) => ({
      key: Buffer.from(`k${i}`).toString('base64'),
      value: Buffer.from(`v${i}`).toString('base64'),
      partition: i % 3,
      timestamp: base + i,
      headers: [['n', Buffer.from(`${i}`).toString('base64')]],
    }));
    const send = async (part: typeof messages): Promise<unknown> =>
      source.call('produce', { topic, messages: part, producer: { compression: 'lz4', lingerMs: 20 } });
    await send(messages.slice(0, 150));
    const group = fresh('mirrored-group');
    const mirror = await startMirrorMaker(folder, {
      clusters: 'real, target',
      'real.bootstrap.servers': bootstrap,
      'target.bootstrap.servers': stage.bootstrap,
      'real->target.enabled': 'true',
      'target->real.enabled': 'false',
      'real->target.topics': topic,
      'real->target.groups': group,
      'replication.factor': 1,
      'checkpoints.topic.replication.factor': 1,
      'heartbeats.topic.replication.factor': 1,
      'offset-syncs.topic.replication.factor': 1,
      'offset.storage.replication.factor': 1,
      'status.storage.replication.factor': 1,
      'config.storage.replication.factor': 1,
      'refresh.topics.interval.seconds': 1,
      'refresh.groups.interval.seconds': 1,
      'sync.topic.configs.interval.seconds': 1,
      'sync.topic.acls.enabled': 'false',
      'sync.group.offsets.enabled': 'true',
      'sync.group.offsets.interval.seconds': 1,
      'emit.checkpoints.interval.seconds': 1,
      'offset.lag.max': 0,
      'tasks.max': 2,
    });
    const copy = `real.${topic}`;
    const ends = async (): Promise<number> => {
      let all = 0;
      for (let partition = 0; partition < 3; partition++)
        all += (await java.call('offsets', { topic: copy, partition })).end;
      return all;
    };
    await until(
      'the first half',
      async () => (await java.call('topics')).topics.includes(copy) && (await ends()) === 150,
      90_000,
    );
    await send(messages.slice(150));
    await source.call('createPartitions', { topic, count: 4 });
    await until('the second half', async () => (await ends()) === 300);
    for (let partition = 0; partition < 3; partition++) {
      const got = await java.read(copy, 100, { partition });
      assert.deepEqual(
        got.map((one) => [one.key, one.value, one.timestamp, one.headers[0]]),
        Array.from({ length: 100 }, (_, i) => i * 3 + partition).map((i) => [
          `k${i}`,
          `v${i}`,
          base + i,
          ['n', `${i}`],
        ]),
      );
    }
    await until(
      'the fourth partition',
      async () => (await java.call('describeTopic', { topic: copy })).partitions.length === 4,
    );
    await until(
      'the configuration',
      async () => (await java.call('configs', { name: copy })).configs['retention.ms']!.value === '123456789',
    );
    // A group that read half of a partition there may go on behind it here.
    await source.call('setOffsets', { group, offsets: { [`${topic}/1`]: 60 } });
    await until(
      'the group has its place',
      async () => {
        const { offsets } = await java.call('committed', { group });
        return offsets[`${copy}/1`]?.offset === 60;
      },
      60_000,
    );
    await mirror.stop();
  });
});
