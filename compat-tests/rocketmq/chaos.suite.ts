// A group under load while its members, each a process, are killed, paused and restarted: in order and side by side. Every
// delivery is written to a file by the member before it answers, so that what a killed member was given is known.
// Short: a few faults. Long (`--long`): two hundred, with pauses beyond the life of a queue's lock. COMPAT_FAULTS says
// another number.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { report } from '../harness/findings.ts';
import { seeded } from '../harness/random.ts';
import { scratch } from '../harness/work.ts';
import { Client, type Library } from './client.ts';
import { checkDeliveries, type Delivery } from './deliveries.ts';
import { Actor, fresh, Stage, sleep } from './stage.ts';

const isLong = process.env['COMPAT_LONG'] === '1';
const FAULTS = Number(process.env['COMPAT_FAULTS'] ?? (isLong ? 200 : 5));
const QUEUES = 8;
/** A killed member's locks end after 60 s, and the next rebalance is up to 20 s away. */
const DRAIN_MS = 110_000;
const stage = new Stage('chaos');

class Group {
  readonly #members: { name: string; library: Library; client: Client; consumer: string }[] = [];
  readonly #journals: string[] = [];
  readonly #fields: Record<string, unknown>;
  readonly #folder: string;
  readonly killed = new Set<string>();

  constructor(fields: Record<string, unknown>) {
    this.#fields = fields;
    this.#folder = scratch('rocketmq-journals');
  }

  async join(library: Library): Promise<void> {
    const name = fresh('member');
    const journal = join(this.#folder, name);
    this.#journals.push(journal);
    const client = await Client.start(library, stage.namesrv);
    const { consumer } = await client.call('subscribe', { ...this.#fields, journal, member: name });
    this.#members.push({ name, library, client, consumer });
  }

  /** One fault: kill and replace, pause and continue, or leave and come back. */
  async fault(random: () => number): Promise<string> {
    const at = Math.floor(random() * this.#members.length);
    const member = this.#members[at]!;
    const choice = random();
    if (choice < 0.4) {
      this.#members.splice(at, 1);
      await member.client.kill9();
      this.killed.add(member.name);
      await sleep(random() * 2_000);
      await this.join(member.library);
      return `killed ${member.name}`;
    }
    if (choice < 0.75) {
      const ms = isLong && random() < 0.1 ? 70_000 : 1_000 + random() * 4_000;
      member.client.signal('SIGSTOP');
      await sleep(ms);
      member.client.signal('SIGCONT');
      // A lock that ended while its holder was paused is another member's; what the holder had begun may come again.
      if (ms > 25_000) this.killed.add(member.name);
      return `paused ${member.name} for ${Math.round(ms)} ms`;
    }
    this.#members.splice(at, 1);
    await member.client.call('close', { consumer: member.consumer, waitMs: 3_000 });
    await member.client.stop();
    await this.join(member.library);
    return `${member.name} left`;
  }

  /** What all members were given, the dead ones' included. A last line that was cut by a kill is left out. */
  deliveries(): Delivery[] {
    return this.#journals.filter(existsSync).flatMap((file) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => {
          const [member, queue, offset, attempts, at, value] = line.split(' ') as [
            string,
            string,
            string,
            string,
            string,
            string,
          ];
          return { member, queue: +queue, offset: +offset, attempts: +attempts, at: BigInt(at), value };
        }),
    );
  }

  async stop(): Promise<void> {
    for (const { client } of this.#members) await client.kill9();
  }
}

/** Sends numbered messages to the queues in turn until told to stop; a value's send is acknowledged, or unknown. */
class Load {
  readonly acknowledged: string[] = [];
  readonly unknown: string[] = [];
  #isOver = false;
  readonly #done: Promise<void>;

  constructor(actor: Actor, topic: string, producer: object) {
    this.#done = this.#run(actor, topic, producer);
  }

  async #run(actor: Actor, topic: string, producer: object): Promise<void> {
    for (let next = 0; !this.#isOver; next += QUEUES * 4) {
      const messages = Array.from({ length: QUEUES * 4 }, (_, i) => ({
        body: `${(next + i) % 50 === 7 ? 'bad' : 'm'}-${next + i}`,
        queue: i % QUEUES,
      }));
      const { results } = await actor.call('send', { topic, messages, producer });
      for (const [i, one] of results.entries()) (one.error ? this.unknown : this.acknowledged).push(messages[i]!.body);
      await sleep(100);
    }
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }
}

async function run(isOrderly: boolean, say: (line: string) => void): Promise<void> {
  const { random, seed } = seeded();
  say(`seed ${seed}`);
  const actor = new Actor(stage, 'java-5');
  const topic = await actor.topic(QUEUES);
  const failures = (value: string): number => (value.startsWith('bad') ? 1 : 0);
  const rules = [{ body: 'bad', times: 1 }];
  const group = new Group({
    group: fresh('chaos'),
    topics: { [topic]: '*' },
    orderly: isOrderly,
    suspendMs: 100,
    retryLevel: 1,
    rules,
    threads: 8,
  });
  for (const library of ['java-5', 'java-4.9', 'java-5'] as const) await group.join(library);
  const load = new Load(actor, topic, { retries: 0, group: fresh('load') });
  const faults: string[] = [];
  for (let i = 0; i < FAULTS; i++) {
    await sleep(1_000 + random() * 2_000);
    faults.push(await group.fault(random));
  }
  await load.stop();
  say(`${load.acknowledged.length} acknowledged, ${load.unknown.length} unknown; ${faults.slice(-8).join(', ')}`);
  const expected = {
    acknowledged: load.acknowledged,
    unknown: load.unknown,
    failures,
    isOrderly,
    killed: group.killed,
  };
  const began = Date.now();
  const isWaiting = (): boolean =>
    checkDeliveries(group.deliveries(), expected).some((one) => one.kind === 'lost' || one.kind === 'not-retried');
  while (isWaiting() && Date.now() - began < DRAIN_MS) await sleep(1_000);
  // What comes late, when all is there, would be a duplicate: wait a moment for it.
  await sleep(2_000);
  const deliveries = group.deliveries();
  await group.stop();
  say(`${deliveries.length} deliveries, the last of them ${Math.round((Date.now() - began) / 1_000)} s after the load`);
  assert.ok(load.acknowledged.length > 100, 'the load has sent something');
  assert.equal(report(checkDeliveries(deliveries, expected)), '');
}

void describe('members killed, paused and restarted under load', { concurrency: 2 }, () => {
  void it('in order', (t) => run(true, (line) => t.diagnostic(line)));
  void it('side by side', (t) => run(false, (line) => t.diagnostic(line)));
});
