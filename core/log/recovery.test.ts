/** What a start makes of a directory from which files are gone or damaged beyond one bit. */
import { describe, expect, it } from 'vitest';
import { missing, reopen, Story } from '../testing/fault-story.ts';
import { SimBroker } from '../testing/sim-broker.ts';
import { SimRandom } from '../testing/sim-random.ts';
import { segmentPath } from './segment.ts';

async function told(rounds: number, options = {}): Promise<Story> {
  const story = await new Story(options).begin();
  story.tell(rounds);
  story.sim.rest(3000);
  return story;
}

describe('a start', () => {
  it('needs neither manifests nor indexes while no segment was dropped', async () => {
    const story = await told(1, { cleanRatio: -1 });
    const disk = story.disk.kill();
    expect(disk.paths()).toContain(segmentPath(0));
    const extra = disk.paths().filter((path) => /\.(idx|key|json|tab)$/.test(path));
    expect(extra.length).toBeGreaterThan(5);
    for (const path of extra) disk.remove(path);
    const { sim, warnings } = await reopen(story, disk);
    expect(warnings).toEqual([]);
    expect(missing(story, sim)).toBeNull();
  });

  it('refuses to forget: no manifest verifies and segments were dropped', async () => {
    const story = await told(5);
    const disk = story.disk.kill();
    expect(disk.paths()).not.toContain(segmentPath(0));
    const manifests = disk.paths().filter((path) => path.endsWith('.json'));
    for (const path of manifests) disk.flipBit(path, 30, 1);
    const before = disk.paths();
    await expect(reopen(story, disk)).rejects.toThrow(/no manifest verifies/);
    expect(disk.paths()).toEqual(before);
    for (const path of manifests) disk.flipBit(path, 30, 1);
    const { sim } = await reopen(story, disk.kill());
    expect(missing(story, sim)).toBeNull();
  });

  it('survives the loss of one head of a segment, and gives no position twice when both are lost', async () => {
    const sim = await SimBroker.open();
    const topic = await sim.topic('orders');
    for (let n = 0; n < 800; n++) sim.publish(topic, [`k|t|${n} ${'x'.repeat(500)}`]);
    sim.rest(2000);
    const queue = topic.queues[0]!;
    const all = sim.readFrom(queue, 0);
    const segments = sim.disk.paths().filter((path) => path.endsWith('.seg'));
    const active = segments.at(-1)!;
    const one = sim.disk.kill();
    for (const path of segments) one.patch(path, 0, Buffer.alloc(68));
    expect((await SimBroker.on(one, sim)).readFrom(queue, 0)).toEqual(all);

    const both = sim.disk.kill();
    both.patch(active, 0, Buffer.alloc(4096));
    const again = await SimBroker.on(both, sim);
    expect(again.broker.recovery.damage).toBe(1);
    const left = again.readFrom(queue, 0);
    expect(left.length).toBeLessThan(all.length);
    expect(left).toEqual(all.slice(0, left.length));
    again.publish(topic, ['k|t|after']);
    const bases = again.disk.paths().filter((path) => /^log.*seg$/.test(path));
    expect(Number(bases.at(-1)!.slice(4, 20))).toBeGreaterThan(Number(active.slice(4, 20)));
    const third = await again.restart(new SimRandom(4));
    expect(third.readFrom(queue, 0).at(-1)![1]).toBe('after');
    expect(third.broker.recovery.damage).toBe(0);
  });
});
