/** An index that is damaged under a running broker: everybody who needs it waits for the new one, none is told wrong. */
import { expect, it } from 'vitest';
import { SimBroker, TESTER } from '../testing/sim-broker.ts';
import { readAll } from '../testing/simulation-checks.ts';
import { keyHash } from './key-index.ts';

const MESSAGES = 600;

async function damaged(): Promise<{ sim: SimBroker; warnings: string[]; queue: number; bases: string[] }> {
  const before = await SimBroker.open({ segmentBytes: 128 * 1024, reserveBytes: 8 * 1024, hotBytes: 1 });
  const work = await before.queue('work');
  for (let n = 0; n < MESSAGES; n++)
    before.publish(work, [`k|t|${n} ${'x'.repeat(500)}`], { keys: [keyHash(`key ${n}`)] });
  before.rest(3000);
  const disk = before.disk.kill();
  const bases = disk.paths().filter((path) => path.endsWith('.idx'));
  // In the units, which are read when they are asked for, and in the buckets of the keys.
  for (const path of bases) disk.flipBit(path, disk.bytesOf(path).length - 20, 2);
  for (const path of disk.paths().filter((one) => one.endsWith('.key'))) disk.flipBit(path, 100, 1);
  before.clock.forget();
  const warnings: string[] = [];
  const sim = new SimBroker(disk, before.clock, before.options.random as never, {
    ...before.options,
    disk,
    warn: (text) => void warnings.push(text),
  });
  await sim.start();
  return { sim, warnings, queue: work.queues[0]!, bases };
}

const numberOf = (body: string): number => Number(body.split(' ')[0]);

it('is made again for readers by offset, once', async () => {
  const { sim, warnings, queue, bases } = await damaged();
  expect(bases.length).toBeGreaterThan(1);
  const found = readAll(sim.broker, queue, 0, () => sim.clock.advance(1));
  expect([...found.values()].map(numberOf)).toEqual(Array.from({ length: MESSAGES }, (_, n) => n));
  expect(warnings.length).toBe(bases.length);
  sim.rest(500);
  const again = await sim.restart('kill');
  expect(again.readFrom(queue, 0)).toHaveLength(MESSAGES);
});

it('is made again for leases, which keep their order', async () => {
  const { sim, warnings, queue } = await damaged();
  const work = sim.broker.topic('default', 'work')!;
  const got: number[] = [];
  sim.broker.subscribe(TESTER, {
    group: sim.ownGroup(work),
    queues: [queue],
    priority: 0,
    exclusive: false,
    autoSettle: true,
    capacity: () => 10,
    deliver: (leased) => void got.push(numberOf(sim.broker.messages(leased.unit)[leased.record]!.body!.toString())),
    cancelled: () => undefined,
  });
  sim.clock.advance(3000);
  expect(got).toEqual(Array.from({ length: MESSAGES }, (_, n) => n));
  expect(warnings.length).toBeGreaterThan(0);
});

it('is made again for lookups by time and by key', async () => {
  const { sim, queue } = await damaged();
  const work = sim.broker.topic('default', 'work')!;
  expect(await sim.run(sim.broker.offsetByRecordTime(queue, 1000))).toEqual({ offset: 0, timeMs: 1000 });
  for (const n of [0, 77, MESSAGES - 1]) {
    const hits = await sim.run(sim.broker.findByKey(TESTER, work, `key ${n}`, 10, 0, 1e15));
    expect(hits).toEqual([{ queue, offset: n }]);
  }
});
