// A group under load while its members, each a process, are killed, paused and restarted: with eager and with cooperative
// rebalances. Every assignment, delivery and commit is written to a file by the member before it goes on, so that what a
// killed member was given is known. Short: a few faults. Long (`--long`): two hundred.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { report } from '../harness/findings.ts';
import { seeded } from '../harness/random.ts';
import { scratch } from '../harness/work.ts';
import { Client, type Library } from './client.ts';
import { Actor, fresh, Stage, sleep } from './stage.ts';
import { checkGroup, type Finding, type Happened, readJournal } from './stints.ts';

const isLong = process.env['COMPAT_LONG'] === '1';
const FAULTS = isLong ? 200 : 5;
const PARTITIONS = 8;
const SESSION_MS = 6_000;
const DRAIN_MS = 60_000;
const stage = new Stage('chaos');

interface Member {
  readonly name: string;
  readonly library: Library;
  readonly client: Client;
  readonly consumer: string;
}

class Group {
  readonly #members: Member[] = [];
  readonly #journals = new Map<string, string>();
  readonly #fields: Record<string, unknown>;
  readonly #folder = scratch('kafka-journals');
  readonly faulted = new Set<string>();

  constructor(fields: Record<string, unknown>) {
    this.#fields = fields;
  }

  async join(library: Library): Promise<void> {
    const name = fresh('member');
    const journal = join(this.#folder, name);
    this.#journals.set(name, journal);
    const client = await Client.start(library, stage.bootstrap);
    const { consumer } = await client.call('subscribe', { ...this.#fields, journal });
    this.#members.push({ name, library, client, consumer });
  }

  /** One fault: kill and replace, pause and continue, or leave and come back. */
  async fault(random: () => number): Promise<string> {
    const at = Math.floor(random() * this.#members.length);
    const member = this.#members[at]!;
    const choice = random();
    if (choice < 0.4) {
      this.#members.splice(at, 1);
      this.faulted.add(member.name);
      await member.client.kill9();
      await sleep(random() * 2_000);
      await this.join(member.library);
      return `killed ${member.library}`;
    }
    if (choice < 0.75) {
      // Some pauses are longer than a session: the member is missed, and finds out when it goes on.
      const ms = random() < 0.4 ? SESSION_MS + 2_000 : 500 + random() * 3_000;
      this.faulted.add(member.name);
      member.client.signal('SIGSTOP');
      await sleep(ms);
      member.client.signal('SIGCONT');
      return `paused ${member.library} for ${Math.round(ms)} ms`;
    }
    this.#members.splice(at, 1);
    await member.client.call('close', { consumer: member.consumer });
    await member.client.stop();
    await this.join(member.library);
    return `${member.library} left`;
  }

  /** What happened to all members, the dead ones included. */
  happened(): Happened[] {
    return [...this.#journals].flatMap(([name, file]) => readJournal(name, file));
  }

  async stop(): Promise<void> {
    for (const { client } of this.#members) await client.kill9();
  }
}

/** Sends numbered values to all partitions until told to stop; a value's send is acknowledged, or unknown. */
class Load {
  readonly acknowledged: string[] = [];
  readonly unknown: string[] = [];
  #isOver = false;
  readonly #done: Promise<void>;

  constructor(actor: Actor, topic: string) {
    this.#done = this.#run(actor, topic);
  }

  async #run(actor: Actor, topic: string): Promise<void> {
    for (let next = 0; !this.#isOver; next += PARTITIONS * 4) {
      const messages = Array.from({ length: PARTITIONS * 4 }, (_, i) => ({
        value: `m-${next + i}`,
        partition: i % PARTITIONS,
      }));
      const results = await actor.attempt(topic, messages, { producer: { idempotent: true } });
      for (const [i, one] of results.entries()) (one.error ? this.unknown : this.acknowledged).push(messages[i]!.value);
      await sleep(60);
    }
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }
}

async function run(assignor: string, libraries: readonly Library[], say: (line: string) => void): Promise<void> {
  const { random, seed } = seeded();
  say(`seed ${seed}`);
  const actor = new Actor(stage, 'java-4');
  const topic = await actor.topic(PARTITIONS);
  const group = new Group({
    group: fresh('chaos'),
    topics: [topic],
    assignor,
    commitsEach: true,
    sessionMs: SESSION_MS,
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

void describe('members killed, paused and restarted under load', { concurrency: 2 }, () => {
  void it('eager: Java 4.x, Java 3.x and franz-go', (t) =>
    run('range', ['java-4', 'java-3', 'franz'], (line) => t.diagnostic(line)));
  void it('cooperative: Java 4.x twice and Java 3.x', (t) =>
    run('cooperative', ['java-4', 'java-3', 'java-4'], (line) => t.diagnostic(line)));
});
