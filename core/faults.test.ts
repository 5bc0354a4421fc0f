/**
 * Faults at every call of the disk. The invariant, whatever happens: what was acknowledged is there at its offset with
 * its bytes, once; what was not settled is delivered again; nothing else is found damaged; and the broker goes on.
 */
import { describe, expect, it } from 'vitest';
import { DiskError } from './log/disk.ts';
import { missing, reopen, Story } from './testing/fault-story.ts';
import { type DiskCall, type DiskOperation, SimCrash, type SimDisk } from './testing/sim-disk.ts';
import { SimRandom } from './testing/sim-random.ts';

const READING: readonly DiskOperation[] = ['read', 'read-async', 'size', 'exists', 'list', 'free-bytes'];

/** Runs the story; from its beginning on, `fault` sees every call that changes the disk, numbered from 1. */
async function story(
  fault: (n: number, call: DiskCall) => void,
  options = {},
): Promise<{ story: Story; calls: number; over: boolean }> {
  const one = await new Story(options).begin();
  let calls = 0;
  let over = false;
  one.disk.beforeCall = (call) => {
    if (READING.includes(call.op)) return;
    try {
      fault(++calls, call);
    } catch (error) {
      over ||= error instanceof SimCrash;
      throw error;
    }
  };
  try {
    one.tell(4, () => over || one.sim.lost !== null);
  } catch (error) {
    if (!over && !(one.sim.lost !== null && (error as { code?: string }).code === 'storage-failed')) throw error;
  }
  one.disk.beforeCall = null;
  return { story: one, calls, over };
}

/** The disks that may be found after the end. */
function* ends(disk: SimDisk, seed: number, powers: number): Generator<[string, SimDisk]> {
  yield ['kill', disk.kill()];
  for (let n = 0; n < powers; n++) yield [`power cut ${n}`, disk.crash(new SimRandom(seed * 31 + n))];
  yield ['kill, then power cut', disk.kill().crash(new SimRandom(seed * 31 + 7))];
}

async function judge(told: Story, disk: SimDisk, what: string, goesOn = true): Promise<void> {
  const { sim, warnings } = await reopen(told, disk);
  expect(warnings, what).toEqual([]);
  expect(missing(told, sim), what).toBeNull();
  if (!goesOn) return;
  // It goes on, and what it does now survives as well.
  const answer = sim.publish(told.log, ['k|t|after']);
  const { sim: again } = await reopen(told, disk.crash(new SimRandom(1)));
  expect(missing(told, again), `${what}, then a power cut`).toBeNull();
  expect(again.readFrom(told.log.queues[0]!, answer.base), what).toEqual([[answer.base, 'after']]);
}

describe('a crash', () => {
  it('at no call loses what was acknowledged', { timeout: 600_000 }, async () => {
    const seen = new Set<string>();
    const { calls } = await story((_n, call) => {
      seen.add(`${call.op} ${call.path.replace(/\d+/g, 'N')}`);
    });
    // The story does what it is for.
    for (const what of [
      'rename log/spare',
      'rename log/N.idx.tmp',
      'rename log/N.key.tmp',
      'rename log/moving.tmp',
      'rename manifest/N.json.tmp',
      'remove log/N.seg',
      'remove log/N.idx',
    ])
      expect(seen).toContain(what);
    for (let n = 1; n <= calls; n++) {
      const { story: told } = await story((call, at) => {
        if (call !== n) return;
        if (at.op === 'write') at.writtenBytes = Math.floor(at.bytes / 2);
        throw new SimCrash();
      });
      for (const [how, disk] of ends(told.disk, n, 1))
        await judge(told, disk, `crash at call ${n}, ${how}`, n % 4 === 0);
    }
  });

  it('at any call leaves a start from the older manifest as well, when the newest is damaged', async () => {
    let tried = 0;
    for (let n = 1; ; n += 7) {
      const { story: told, over } = await story((call) => {
        if (call === n) throw new SimCrash();
      });
      if (!over) break;
      const disk = told.disk.kill();
      const manifests = disk.paths().filter((path) => path.endsWith('.json'));
      if (manifests.length < 2) continue;
      tried++;
      disk.flipBit(manifests.at(-1)!, 40, 3);
      const { sim, warnings } = await reopen(told, disk);
      expect(warnings).toHaveLength(1);
      expect(missing(told, sim), `crash at call ${n}, then the newest manifest damaged`).toBeNull();
    }
    expect(tried).toBeGreaterThan(15);
  });

  it('of the start itself, at any call, loses nothing either', { timeout: 600_000 }, async () => {
    for (const at of [200, 330]) {
      const { story: told } = await story((n) => {
        if (n === at) throw new SimCrash();
      });
      for (const [how, left] of ends(told.disk, at, 1)) {
        for (let n = 1; ; n++) {
          const disk = left.kill();
          let calls = 0;
          disk.beforeCall = () => {
            if (++calls === n) throw new SimCrash();
          };
          await begins(told, disk);
          if (calls < n) break;
          for (const [then, found] of ends(disk, n, 1))
            await judge(told, found, `${how} at ${at}, crash ${n} of start, ${then}`, n % 8 === 0);
        }
      }
    }
  });
});

/** As far as it comes. */
async function begins(told: Story, disk: SimDisk): Promise<void> {
  let over = false;
  const end = (): void => {
    over = true;
  };
  void reopen(told, disk).then(end, end);
  for (let n = 0; n < 50 && !over; n++) await Promise.resolve();
}

describe('an error of the disk', () => {
  for (const op of ['write', 'sync', 'sync-async', 'rename', 'sync-directory', 'open', 'remove'] as const) {
    it(`at any ${op} is never taken for an acknowledgement`, { timeout: 600_000 }, async () => {
      for (let n = 1; ; n++) {
        let seen = 0;
        const { story: told } = await story((_n, call) => {
          if (call.op === op && ++seen === n) throw new DiskError('io', 'injected');
        });
        if (seen < n) break;
        // Either the log is closed for good, or the work that failed was said to have failed.
        expect(told.sim.lost !== null || told.warnings.length > 0, `${op} ${n}`).toBe(true);
        await judge(told, told.disk.kill(), `error at ${op} ${n}`, n % 4 === 0);
        const { sim } = await reopen(told, told.disk.crash(new SimRandom(n)));
        expect(missing(told, sim), `error at ${op} ${n}, power cut`).toBeNull();
      }
    });
  }
});

describe('a full disk', () => {
  it('at any write is refused to publishers only, and lifts by itself', { timeout: 600_000 }, async () => {
    for (const room of [0, 8, 20, 60, 120]) {
      const told = await new Story().begin();
      const { sim } = told;
      told.disk.capacityBytes = told.disk.usedBytes + room * 1024;
      const group = sim.ownGroup(told.work);
      let refused = 0;
      const bodies: string[] = [];
      for (let n = 0; n < 300; n++) {
        try {
          const answer = sim.publish(told.work, [`k|t|${n} ${'x'.repeat(700)}`]);
          told.acknowledged.push({ queue: answer.queue, offset: answer.base, body: `${n} ${'x'.repeat(700)}` });
          bodies[answer.base] = `${n} ${'x'.repeat(700)}`;
        } catch (error) {
          expect((error as { code?: string }).code).toBe('storage-full');
          refused++;
        }
        if (n % 5 === 0) sim.clock.advance(50);
      }
      expect(refused).toBeGreaterThan(0);
      expect(sim.broker.storageFull).toBe(true);
      expect(sim.readFrom(told.work.queues[0]!, 0)).toHaveLength(bodies.length);
      for (let n = 0; n < Math.min(8, bodies.length); n++) {
        const taken = sim.take(group, told.work.queues[0]!, told)!;
        expect(taken.body).toBe(bodies[taken.offset]);
        expect(sim.broker.settle(group, told.work.queues[0]!, taken.offset, 'done')).toBe(true);
        told.settled.add(taken.offset);
        sim.clock.advance(100);
      }
      expect(sim.lost).toBeNull();
      const { sim: killed } = await reopen(told, told.disk.kill());
      expect(missing(told, killed)).toBeNull();
      expect(killed.broker.ledger(killed.ownGroup(told.work), told.work.queues[0]!).floor).toBe(told.settled.size);
    }
  });

  it('leaves settlements the reserve', async () => {
    const told = await new Story({ reserveBytes: 8 * 1024 }).begin();
    const { sim } = told;
    const queue = told.work.queues[0]!;
    told.disk.capacityBytes = told.disk.usedBytes;
    expect(() => {
      for (let n = 0; n < 2000; n++) sim.publish(told.work, ['k|t|small']);
    }).toThrow(/disk is full/);
    for (let n = 0; n < 120; n++) {
      expect(sim.take(sim.ownGroup(told.work), queue, told)).toMatchObject({ offset: 0, deliveries: n });
      sim.broker.settle(sim.ownGroup(told.work), queue, 0, 'requeue');
      sim.turn();
    }
    expect(sim.lost).toBeNull();
    const { sim: again } = await reopen(told, told.disk.kill());
    expect(again.take(again.ownGroup(told.work), queue, told)).toMatchObject({ offset: 0, deliveries: 120 });
  });

  it('lets publishers in again within two seconds of space', async () => {
    const told = await new Story().begin();
    told.disk.capacityBytes = told.disk.usedBytes;
    expect(() => {
      for (let n = 0; n < 300; n++) told.sim.publish(told.log, [`k|t|${'x'.repeat(900)}`]);
    }).toThrow(/disk is full/);
    told.disk.capacityBytes = 2 ** 40;
    told.sim.clock.advance(2000);
    expect(told.sim.broker.storageFull).toBe(false);
    told.sim.publish(told.log, ['k|t|again']);
    expect(told.sim.lost).toBeNull();
  });

  it('takes a burst of one turn for what it is', async () => {
    const told = await new Story().begin();
    told.disk.capacityBytes = told.disk.usedBytes + 8 * 1024;
    let refused = 0;
    for (let n = 0; n < 200; n++) {
      try {
        told.sim.send(told.log, [`k|t|${'x'.repeat(900)}`]);
      } catch {
        refused++;
      }
    }
    told.sim.turn();
    expect(told.sim.lost).toBeNull();
    expect(refused).toBeGreaterThan(100);
    expect(told.sim.answers.length).toBe(200 - refused);
  });
});
