// A group whose members are processes of their own with a journal each, faults that befall them, and a load for them.
import { join } from 'node:path';
import { scratch } from '../harness/work.ts';
import { Client, type Library } from './client.ts';
import { type Actor, fresh, sleep } from './stage.ts';
import { type Happened, readJournal } from './stints.ts';

/** Values of a load go to so many partitions. */
export const PARTITIONS = 8;
const SESSION_MS = 6_000;

interface Member {
  readonly name: string;
  readonly library: Library;
  readonly client: Client;
  readonly consumer: string;
}

export class Group {
  readonly #members: Member[] = [];
  readonly #journals = new Map<string, string>();
  readonly #fields: Record<string, unknown>;
  readonly #folder = scratch('kafka-journals');
  readonly faulted = new Set<string>();

  readonly #bootstrap: string;

  constructor(bootstrap: string, fields: Record<string, unknown>) {
    this.#bootstrap = bootstrap;
    this.#fields = { sessionMs: SESSION_MS, commitsEach: true, ...fields };
  }

  async join(library: Library): Promise<void> {
    const name = fresh('member');
    const journal = join(this.#folder, name);
    this.#journals.set(name, journal);
    const client = await Client.start(library, this.#bootstrap);
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

  get name(): string {
    return this.#fields['group'] as string;
  }

  /** The last member leaves. */
  async leave(): Promise<void> {
    const member = this.#members.pop()!;
    await member.client.call('close', { consumer: member.consumer });
    await member.client.stop();
  }

  /** Every member that there ever was. */
  everybody(): Set<string> {
    return new Set(this.#journals.keys());
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
export class Load {
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
