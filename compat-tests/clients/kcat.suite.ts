// kcat as an operator uses it: librdkafka 2.0 of Debian, an old client that is still in many images.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fresh, stage } from '../harness/suite.ts';
import { test } from '../harness/test.ts';
import { execute, scratch } from '../harness/work.ts';

const here = stage('clients-kcat', ['kafka']);

const kcat = (...args: string[]): Promise<string> =>
  execute('timeout', ['60', 'kcat', '-b', here.target.endpoints.kafka, ...args]);

test('a listing names the broker and the topic with its partitions', async () => {
  const topic = await here.topic(3);
  const listed = JSON.parse(await kcat('-L', '-J', '-t', topic)) as {
    brokers: { name: string }[];
    topics: { topic: string; partitions: unknown[] }[];
  };
  assert.equal(listed.brokers[0]?.name, here.target.endpoints.kafka);
  assert.deepEqual(
    listed.topics.map((one) => [one.topic, one.partitions.length]),
    [[topic, 3]],
  );
});

for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
  test(`ten thousand lines with ${codec} come back identical, offsets without gaps`, async () => {
    const topic = await here.topic(1);
    const lines = Array.from({ length: 10_000 }, (_, i) => `line ${i} of a file that is published`);
    const file = join(scratch('kcat'), 'lines');
    writeFileSync(file, lines.join('\n') + '\n');
    await kcat('-P', '-t', topic, '-p', '0', ...(codec === 'none' ? [] : ['-z', codec]), '-l', file);
    const read = await kcat('-C', '-t', topic, '-p', '0', '-o', 'beginning', '-e', '-q', '-f', '%o %s\n');
    assert.deepEqual(
      read.trimEnd().split('\n'),
      lines.map((line, i) => `${i} ${line}`),
    );
  });
}

test('keys and headers are shown', async () => {
  const topic = await here.topic(1);
  const file = join(scratch('kcat'), 'keyed');
  writeFileSync(file, 'k1:v1\nk2:v2\n');
  await kcat('-P', '-t', topic, '-K', ':', '-H', 'color=blue', '-l', file);
  assert.equal(await kcat('-C', '-t', topic, '-e', '-q', '-f', '%k=%s %h\n'), 'k1=v1 color=blue\nk2=v2 color=blue\n');
});

test('idempotent production', async () => {
  const topic = await here.topic(1);
  const file = join(scratch('kcat'), 'lines');
  writeFileSync(file, 'a\nb\nc\n');
  await kcat('-P', '-t', topic, '-p', '0', '-X', 'enable.idempotence=true', '-l', file);
  assert.equal(await kcat('-C', '-t', topic, '-e', '-q'), 'a\nb\nc\n');
});

test('a group reads to the end and the next member begins there', async () => {
  const topic = await here.topic(2);
  const group = fresh('g');
  const folder = scratch('kcat');
  const publish = async (...lines: string[]): Promise<void> => {
    writeFileSync(join(folder, 'lines'), lines.join('\n') + '\n');
    await kcat('-P', '-t', topic, '-l', join(folder, 'lines'));
  };
  const consume = async (): Promise<string[]> =>
    (await kcat('-G', group, '-X', 'auto.offset.reset=earliest', '-e', '-q', topic)).trimEnd().split('\n').sort();
  await publish('a', 'b', 'c');
  assert.deepEqual(await consume(), ['a', 'b', 'c']);
  await publish('d', 'e');
  assert.deepEqual(await consume(), ['d', 'e']);
});

test('a query by time finds the first offset at or after it', async () => {
  const topic = await here.topic(1);
  const file = join(scratch('kcat'), 'lines');
  writeFileSync(file, 'a\nb\n');
  await kcat('-P', '-t', topic, '-p', '0', '-l', file);
  const wanted = Date.now() + 50;
  await new Promise((done) => setTimeout(done, 100));
  await kcat('-P', '-t', topic, '-p', '0', '-l', file);
  assert.match(await kcat('-Q', '-t', `${topic}:0:${wanted}`), /offset 2/);
});
