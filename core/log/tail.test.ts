/**
 * The tail of the log cut, zeroed and garbled at every byte of its last 64 KiB: the entries in front of it are kept, all
 * of them and no more, and appends go on behind them. Most of it works on the scan alone; every so many bytes a whole
 * broker is opened on what is left.
 */
import { describe, expect, it } from 'vitest';
import { SimBroker } from '../testing/sim-broker.ts';
import type { SimDisk } from '../testing/sim-disk.ts';
import { SimRandom } from '../testing/sim-random.ts';
import { crc32c } from './crc32c.ts';
import type { DiskFile } from './disk.ts';
import { ENTRY_MAGIC_BYTES, sealEntry } from './entry.ts';
import { Segment } from './file-journal.ts';
import { findBehind, scanSegment } from './scan.ts';
import { decodeSegmentHead, SEGMENT_HEAD, saltSeed, segmentPath } from './segment.ts';

const TAIL = 64 * 1024;
const OPTIONS = { segmentBytes: 96 * 1024, reserveBytes: 8 * 1024, snapshotIntervalMs: 1e9, retentionIntervalMs: 1e9 };
const PATH = segmentPath(0);

/** A broker whose first segment holds a little more than the tail, message by message, each synced. */
async function filled(): Promise<{ sim: SimBroker; bodies: string[] }> {
  const sim = await SimBroker.open(OPTIONS);
  const topic = await sim.topic('orders');
  const random = new SimRandom(5);
  const bodies: string[] = [];
  for (let bytes = 0; bytes < TAIL + 4096; ) {
    const body = `${bodies.length} `.padEnd(8 + random.int(random.pick([40, 400, 2000])), 'y');
    sim.publish(topic, [`k|t|${body}`]);
    bodies.push(body);
    bytes += body.length + 130;
  }
  return { sim, bodies };
}

/** A file in memory, of which `size` bytes are there. */
class Bytes implements Pick<DiskFile, 'read'> {
  readonly content: Buffer;
  length: number;
  constructor(content: Buffer) {
    this.content = Buffer.from(content);
    this.length = content.length;
  }
  read(target: Buffer, targetStart: number, length: number, position: number): number {
    const count = Math.max(0, Math.min(length, this.length - position));
    this.content.copy(target, targetStart, position, position + count);
    return count;
  }
}

describe('the tail of the log', () => {
  it('is cut at exactly the last whole entry, at each of 65,536 bytes, three ways', { timeout: 600_000 }, async () => {
    const { sim } = await filled();
    const original = sim.disk.bytesOf(PATH);
    const head = decodeSegmentHead(original, crc32c)!;
    const segmentOf = (file: Bytes): Segment =>
      new Segment(head, saltSeed(head.salt, crc32c), file as unknown as DiskFile, head.base);
    const starts: number[] = [];
    const lengths: number[] = [];
    const whole = scanSegment(segmentOf(new Bytes(original)), 0, 0, crc32c, (bytes, start) => {
      starts.push(starts.length === 0 ? 0 : starts[starts.length - 1]! + lengths[lengths.length - 1]!);
      lengths.push(bytes.readUInt32LE(start + 4));
    });
    const nothing = (): void => undefined;
    const random = new SimRandom(9);
    for (const way of ['cut', 'zeroed', 'garbled'] as const) {
      const file = new Bytes(original);
      const segment = segmentOf(file);
      let entry = starts.length - 1;
      // From the end to the front: each step spoils one byte more. `changed` is the lowest byte that is not as it was.
      let changed = whole.end;
      for (let at = whole.end - 1; at >= whole.end - TAIL; at--) {
        const offset = SEGMENT_HEAD + at;
        if (way === 'cut') file.length = offset;
        else if (way === 'zeroed') file.content[offset] = 0;
        else file.content[offset] = original[offset]! ^ (1 + random.int(255));
        if (way === 'cut' || file.content[offset] !== original[offset]) changed = at;
        while (starts[entry]! > at) entry--;
        // Zeros in place of zeros at the end of an entry change nothing.
        const end = changed < starts[entry]! + lengths[entry]! ? starts[entry]! : starts[entry]! + lengths[entry]!;
        const from = starts[Math.max(0, entry - 1)]!;
        const scan = scanSegment(segment, from, head.epoch, crc32c, nothing);
        if (scan.end !== end)
          expect(`${way} at ${at}: valid up to ${scan.end}`).toBe(`${way} at ${at}: valid up to ${end}`);
        if (at % 16 === 0) expect(findBehind(segment, scan.end, crc32c).position).toBe(-1);
      }
    }
  });

  it('leaves a broker with the exact prefix, which goes on', { timeout: 600_000 }, async () => {
    const { sim, bodies } = await filled();
    const original = sim.disk.bytesOf(PATH);
    const end = endOf(original);
    const random = new SimRandom(11);
    for (let at = end - TAIL; at < end; at += 1 + random.int(4001)) {
      for (const way of ['cut', 'zeroed', 'garbled'] as const) {
        const disk = sim.disk.kill();
        spoil(disk, way, at, end, random);
        await check(disk, sim, bodies, `${way} at ${at}`);
      }
    }
  });

  it('is searched behind damage at positions of any size', () => {
    const base = 5 * 2 ** 40;
    const bytes = Buffer.alloc(SEGMENT_HEAD + 4096);
    const seal = (at: number, length: number): void =>
      sealEntry(
        bytes,
        SEGMENT_HEAD + at,
        { length, epoch: 1, position: base + at, durable: base, storeTimeMs: 1, parts: 0 },
        7,
        crc32c,
      );
    seal(0, 40);
    seal(40, 64);
    seal(104, 40);
    // The magic of an entry in a place where none can be.
    ENTRY_MAGIC_BYTES.copy(bytes, SEGMENT_HEAD + 45);
    bytes[SEGMENT_HEAD + 50]! ^= 1;
    const head = { moved: false, base, epoch: 1, capacity: 4096, salt: Buffer.alloc(16), sealedEnd: 0, createdMs: 0 };
    const segment = new Segment(head, 7, new Bytes(bytes) as unknown as DiskFile, base);
    expect(scanSegment(segment, base, 0, crc32c, () => undefined).end).toBe(base + 40);
    expect(findBehind(segment, base + 40, crc32c)).toEqual({ position: base + 104, durable: base });
  });

  it('never brings back what lay behind a cut', async () => {
    for (const shorter of [0, 8, 40]) {
      const sim = await SimBroker.open({ ...OPTIONS, inlineSyncMs: 0 });
      const topic = await sim.topic('orders');
      for (const body of ['a', 'b', 'c']) {
        sim.publish(topic, [`k|t|${body}`]);
        sim.clock.advance(10);
      }
      const from = endOf(sim.disk.bytesOf(PATH));
      // Written one after the other while no sync comes back: no mark says that the first of them was durable.
      sim.disk.latencyMs = () => 10_000;
      for (const body of ['lost', 'stale 1', 'stale 2']) {
        sim.send(topic, [`k|t|${body.padEnd(100, '.')}`]);
        sim.clock.step();
        sim.clock.step();
      }
      expect(sim.answers).toHaveLength(3);
      const disk = sim.disk.kill();
      disk.patch(PATH, SEGMENT_HEAD + from, Buffer.alloc(64));
      let again = await SimBroker.on(disk, sim);
      const queue = topic.queues[0]!;
      expect(again.readFrom(queue, 0).map(([, body]) => body)).toEqual(['a', 'b', 'c']);
      expect(again.broker.recovery).toMatchObject({ damage: 0 });
      // With `shorter` 0 the new entry is as long as the lost one, so that stale bytes would be in their right place.
      again.publish(topic, [`k|t|${'new'.padEnd(100 - shorter, '.')}`]);
      for (const how of ['kill', new SimRandom(shorter), 'close'] as const) {
        again = await again.restart(how);
        expect(again.readFrom(queue, 0).map(([, body]) => body.replace(/\.+$/, ''))).toEqual(['a', 'b', 'c', 'new']);
      }
    }
  });
});

function endOf(bytes: Buffer): number {
  let at = SEGMENT_HEAD;
  while (bytes.readUInt32LE(at) !== 0) at += bytes.readUInt32LE(at + 4);
  return at - SEGMENT_HEAD;
}

function spoil(disk: SimDisk, way: 'cut' | 'zeroed' | 'garbled', at: number, end: number, random: SimRandom): void {
  if (way === 'cut') disk.truncate(PATH, SEGMENT_HEAD + at);
  else
    disk.patch(
      PATH,
      SEGMENT_HEAD + at,
      way === 'zeroed' ? Buffer.alloc(end - at) : random.bytes(Buffer.alloc(end - at)),
    );
}

async function check(disk: SimDisk, before: SimBroker, bodies: readonly string[], what: string): Promise<void> {
  const again = await SimBroker.on(disk, before);
  const topic = again.broker.topic('default', 'orders')!;
  const queue = topic.queues[0]!;
  const found = again.readFrom(queue, 0).map(([, body]) => body);
  expect(found, what).toEqual(bodies.slice(0, found.length));
  expect(again.broker.recovery.damage, what).toBe(0);
  expect(again.publish(topic, ['k|t|after']).base, what).toBe(found.length);
  const third = await again.restart('kill');
  expect(
    third.readFrom(queue, 0).map(([, body]) => body),
    what,
  ).toEqual([...found, 'after']);
  expect(third.broker.recovery.damage, what).toBe(0);
}
