// A group under load while its members, each a process, are killed, paused and restarted: with eager and with cooperative
// rebalances. Every assignment, delivery and commit is written to a file by the member before it goes on, so that what a
// killed member was given is known. Short: a few faults. Long (`--long`): two hundred.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { report } from '../harness/findings.ts';
import { seeded } from '../harness/random.ts';
import type { Library } from './client.ts';
import { Group, Load, PARTITIONS } from './group.ts';
import { whyMissing } from './libraries.ts';
import { Actor, fresh, Stage, sleep } from './stage.ts';
import { checkGroup, type Finding } from './stints.ts';

const isLong = process.env['COMPAT_LONG'] === '1';
const FAULTS = isLong ? 200 : 5;
const DRAIN_MS = 60_000;
const stage = new Stage('chaos');

async function run(assignor: string, libraries: readonly Library[], say: (line: string) => void): Promise<void> {
  const { random, seed } = seeded();
  say(`seed ${seed}`);
  const actor = new Actor(stage, 'java-4');
  const topic = await actor.topic(PARTITIONS);
  const group = new Group(stage.bootstrap, {
    group: fresh('chaos'),
    topics: [topic],
    assignor,
    pollMs: 15_000,
    pollRecords: 20,
  });
  for (const library of libraries) await group.join(library);
  const load = new Load(actor, topic);
  const faults: string[] = [];
  for (let i = 0; i < FAULTS; i++) {
    await sleep(500 + random() * 2_000);
    faults.push(await group.fault(random));
  }
  await load.stop();
  say(`${load.acknowledged.length} acknowledged, ${load.unknown.length} unknown; ${faults.slice(-8).join(', ')}`);
  const expected = { acknowledged: load.acknowledged, unknown: load.unknown, faulted: group.faulted };
  const found = (): Finding[] => checkGroup(group.happened(), expected);
  const began = Date.now();
  while (found().some((one) => one.kind === 'lost') && Date.now() - began < DRAIN_MS) await sleep(500);
  // What comes late, when all is there, would be a duplicate: wait a moment for it.
  await sleep(1_000);
  const happened = group.happened();
  await group.stop();
  const count = (kind: string): number => happened.filter((one) => one.kind === kind).length;
  say(`${count('D')} deliveries, ${count('A')} assignments, ${count('C')} commits, ${count('F')} refused`);
  assert.ok(load.acknowledged.length > 100, 'the load has sent something');
  assert.ok(count('C') > 10, 'members have committed');
  assert.equal(report(checkGroup(happened, expected)), '');
}

const withoutGo = await whyMissing('franz');

void describe('members killed, paused and restarted under load', { concurrency: 2 }, () => {
  void it(`eager: Java 4.x, Java 3.x and ${withoutGo ? 'Java 4.x again' : 'franz-go'}`, (t) =>
    run('range', ['java-4', 'java-3', withoutGo ? 'java-4' : 'franz'], (line) => t.diagnostic(line)));
  void it('cooperative: Java 4.x twice and Java 3.x', (t) =>
    run('cooperative', ['java-4', 'java-3', 'java-4'], (line) => t.diagnostic(line)));
});
