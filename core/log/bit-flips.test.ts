/**
 * One flipped bit in a directory with sealed segments, moved entries, indexes, keys, tables and manifests. It is found
 * or harmless: nothing wrong is served, at most one entry is missing and that is said, everything else is still there.
 * By default a sample of the bytes and all of the heads; FLIPS=all takes every byte of every file.
 */
import { expect, it } from 'vitest';
import { type Kept, Story } from '../testing/fault-story.ts';
import { SimBroker, TESTER } from '../testing/sim-broker.ts';
import type { SimDisk } from '../testing/sim-disk.ts';
import { SimRandom } from '../testing/sim-random.ts';
import { readAll } from '../testing/simulation-checks.ts';
import { keyHash } from './key-index.ts';

const OPTIONS = { segmentBytes: 16 * 1024, reserveBytes: 4 * 1024, ballastBytes: 0 };
const STRIDE = process.env['FLIPS'] === 'all' ? 1 : 61;
/** Of every file so many bytes from its beginning are all flipped. */
const HEAD = process.env['FLIPS'] === 'all' ? 0 : 72;

/** A directory that was used for a while, and everything that can be read in it. */
async function used(): Promise<{ story: Story; disk: SimDisk; kept: Kept[] }> {
  const story = await new Story(OPTIONS).begin();
  story.tell(3);
  story.sim.rest(2000);
  for (let n = 0; n < 6; n++)
    story.sim.publish(story.log, [`k|t|late ${n}`, `k|t|later ${n}`], { keys: [keyHash('late')] });
  const kept: Kept[] = [];
  for (const topic of [story.log, story.work, story.dead]) {
    const queue = topic.queues[0]!;
    for (const [offset, body] of story.sim.readFrom(queue, 0)) kept.push({ queue, offset, body });
  }
  return { story, disk: story.disk.kill(), kept };
}

function* places(disk: SimDisk, random: SimRandom): Generator<[string, number, number]> {
  for (const path of disk.paths()) {
    if (path === 'log/spare' || path.endsWith('.tmp')) continue;
    const bytes = disk.bytesOf(path);
    // The zeros behind the last entry are padding: a few of them stand for all.
    let end = bytes.length;
    while (end > 0 && bytes[end - 1] === 0) end--;
    for (let at = 0; at < bytes.length; at += at < HEAD ? 1 : at > end + 64 ? 1999 : 1 + random.int(2 * STRIDE - 1))
      yield [path, at, random.int(8)];
  }
}

it('a flipped bit is found or harmless, wherever it is', { timeout: 1e9 }, async () => {
  const { story, disk, kept } = await used();
  const files = disk.paths();
  for (const kind of ['.seg', '.idx', '.key', '.tab', '.json'])
    expect(files.filter((path) => path.endsWith(kind)).length, kind).toBeGreaterThan(1);
  const active = files.filter((path) => path.endsWith('.seg')).at(-1);
  let flips = 0;
  let reported = 0;
  for (const [path, at, bit] of places(disk, new SimRandom(3))) {
    flips++;
    const what = `bit ${bit} of byte ${at} of ${path}`;
    const flipped = disk.kill();
    flipped.flipBit(path, at, bit);
    story.clock.forget();
    const warnings: string[] = [];
    const sim = new SimBroker(flipped, story.clock, new SimRandom(1), {
      ...story.sim.options,
      disk: flipped,
      warn: (text) => void warnings.push(text),
    });
    await sim.start().catch((error: unknown) => {
      throw new Error(`${what}: the start failed`, { cause: error });
    });
    let missing = 0;
    for (const topic of [story.log, story.work, story.dead]) {
      const queue = topic.queues[0]!;
      const found = readAll(sim.broker, queue, 0, () => sim.clock.advance(1));
      const expected = kept.filter((one) => one.queue === queue);
      for (const { offset, body } of expected) {
        if (found.get(offset) === undefined) missing++;
        else if (found.get(offset) !== body) expect.unreachable(`${what}: queue ${queue} @${offset} is wrong`);
        found.delete(offset);
      }
      // What was settled may show itself as long as its bytes are there.
      if (topic !== story.work && found.size > 0) expect.unreachable(`${what}: queue ${queue} has more than there was`);
    }
    // An entry holds at most two messages here.
    if (missing > 2) expect.unreachable(`${what}: ${missing} messages are missing`);
    // The very last entry: nothing later says that it was durable, so it counts as torn, and that is said.
    const torn = missing <= 2 && sim.broker.recovery.tornBytes > 0 && path === active;
    if (missing > 0 && warnings.length === 0 && !torn) expect.unreachable(`${what}: nobody was told`);
    if (missing > 0 && !path.endsWith('.seg')) expect.unreachable(`${what}: a message is missing`);
    if (warnings.length > 0) reported++;
    if (path.endsWith('.key') && missing === 0) {
      const hits = await sim.run(sim.broker.findByKey(TESTER, story.log, 'late', 100, 0, 1e15));
      if (hits.length !== 6) expect.unreachable(`${what}: ${hits.length} hits`);
    }
    if (flips % 10 === 0) expect(sim.publish(story.log, ['k|t|x']).base, what).toBeGreaterThan(0);
  }
  expect(reported).toBeGreaterThan(100);
});
