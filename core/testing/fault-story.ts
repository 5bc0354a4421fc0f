/**
 * A short life of a broker that does everything the disk is asked for: appends, rolls, sealed indexes, snapshots, moved
 * segments, dropped ones. It notes what was acknowledged, so that a fault at any call of the disk can be judged.
 */
import type { BrokerOptions } from '../assembly.ts';
import { keyHash } from '../log/key-index.ts';
import type { Group, Offset, QueueNumber, Topic } from '../types.ts';
import { SimBroker } from './sim-broker.ts';
import { SimClock } from './sim-clock.ts';
import { SimDisk } from './sim-disk.ts';
import { SimRandom } from './sim-random.ts';

const STORY_OPTIONS: Partial<BrokerOptions> = {
  segmentBytes: 32 * 1024,
  reserveBytes: 4 * 1024,
  ballastBytes: 4096,
  hotBytes: 1,
  flushIntervalMs: 50,
  snapshotIntervalMs: 400,
  retentionIntervalMs: 200,
  cleanRatio: 0.9,
  jobSteps: 2,
};

export interface Kept {
  queue: QueueNumber;
  offset: Offset;
  body: string;
}

export class Story {
  readonly disk: SimDisk;
  readonly clock = new SimClock();
  readonly warnings: string[] = [];
  sim!: SimBroker;
  log!: Topic;
  work!: Topic;
  dead!: Topic;
  /** Appends that were answered, each at a level that promises that they stay. */
  readonly acknowledged: Kept[] = [];
  /** Offsets of the work queue whose settlement was asked for. */
  readonly settled = new Set<Offset>();
  private readonly sent = new Map<number, { topic: Topic; body: string }>();
  private readonly options: Partial<BrokerOptions>;
  private answers = 0;

  constructor(options: Partial<BrokerOptions> = {}) {
    this.disk = new SimDisk({ clock: this.clock });
    this.options = {
      ...STORY_OPTIONS,
      warn: (text, error) => void this.warnings.push(`${text}${error instanceof Error ? `: ${error.message}` : ''}`),
      ...options,
    };
  }

  /** The names; no fault is expected yet. */
  async begin(): Promise<this> {
    this.sim = await new SimBroker(this.disk, this.clock, new SimRandom(1), this.options).start();
    this.dead = await this.sim.queue('dead');
    this.log = await this.sim.topic('log');
    this.work = await this.sim.queue('work', { deadLetter: { exchange: '', routingKey: 'dead' } });
    return this;
  }

  /** Goes on until the end or until a fault stops it; errors of the disk never come out here. */
  tell(rounds = 5, isOver: () => boolean = () => false): void {
    const { sim } = this;
    const holder = {};
    const group = sim.ownGroup(this.work);
    for (let round = 0; round < rounds && !isOver(); round++) {
      for (let n = 0; n < 24; n++) {
        this.send(n % 3 === 0 ? this.log : this.work, `${round}.${n} ${'x'.repeat(900)}`);
        if (n % 4 === 3) this.hear(() => sim.turn());
        if (isOver()) return;
      }
      for (let n = 0; n < 14 && !isOver(); n++) {
        const taken = sim.take(group, this.work.queues[0]!, holder);
        if (taken === null) break;
        if (n === 5) continue;
        this.settled.add(taken.offset);
        sim.broker.settle(group, this.work.queues[0]!, taken.offset, n === 3 ? 'reject' : 'done');
      }
      for (let n = 0; n < 12 && !isOver(); n++) this.hear(() => sim.clock.advance(50));
    }
  }

  private send(topic: Topic, body: string): void {
    this.sent.set(this.sim.send(topic, [`k|t|${body}`], { keys: [keyHash(body.slice(0, 3))] }), { topic, body });
  }

  private hear(pass: () => void): void {
    pass();
    for (; this.answers < this.sim.answers.length; this.answers++) {
      const answer = this.sim.answers[this.answers]!;
      const { body } = this.sent.get(answer.token)!;
      this.acknowledged.push({ queue: answer.queue, offset: answer.base, body });
    }
  }
}

/** A broker on what is left; `calls` breaks its start. */
export async function reopen(story: Story, disk: SimDisk): Promise<{ sim: SimBroker; warnings: string[] }> {
  story.clock.forget();
  disk.capacityBytes = 2 ** 40;
  const warnings: string[] = [];
  const sim = new SimBroker(disk, story.clock, new SimRandom(2), {
    ...STORY_OPTIONS,
    warn: (text, error) => void warnings.push(`${text}${error instanceof Error ? `: ${error.message}` : ''}`),
  });
  await sim.start();
  return { sim, warnings };
}

/** What is wrong with the acknowledged set; null when nothing is. */
export function missing(story: Story, sim: SimBroker): string | null {
  const found = new Map<QueueNumber, Map<Offset, string>>();
  for (const topic of [story.log, story.work, story.dead]) {
    const queue = topic.queues[0]!;
    if (sim.broker.queue(queue) === null) return `queue ${queue} is gone`;
    const offsets = sim.readFrom(queue, 0);
    const bodies = new Map(offsets);
    if (bodies.size !== offsets.length) return `queue ${queue} serves an offset twice`;
    found.set(queue, bodies);
  }
  const work = story.work.queues[0]!;
  for (const { queue, offset, body } of story.acknowledged) {
    const there = found.get(queue)!.get(offset);
    if (there === undefined && queue === work && story.settled.has(offset)) continue;
    if (there !== body) return `queue ${queue} @${offset} is ${there?.slice(0, 8)}, it was ${body.slice(0, 8)}`;
  }
  // What nobody settled is still to be had, and a message is buried or there, never neither.
  const group: Group = sim.ownGroup(story.work);
  const end = sim.broker.queue(work)!.endOffset;
  const taken = new Set<Offset>();
  for (let one = sim.take(group, work, story); one !== null; one = sim.take(group, work, story)) taken.add(one.offset);
  sim.broker.release(story);
  for (let offset = 0; offset < end; offset++)
    if (!story.settled.has(offset) && !taken.has(offset)) return `queue ${work} @${offset} is not delivered again`;
  return null;
}
