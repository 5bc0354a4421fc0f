// Cold windows: nothing is read twice while it is here or on its way, and only memory that nobody holds is used again.
import { describe, expect, it } from 'vitest';
import type { Position } from '../types.ts';
import { ColdReader } from './cold-reader.ts';
import { crc32c } from './crc32c.ts';
import { ENTRY_HEAD, sealEntry } from './entry.ts';
import type { Journal } from './journal.ts';

const SALT = 7;

/** A journal of `count` entries of `length` bytes, and what is read of it: `arrive` lets the oldest read come back. */
function journalOf(count: number, length: number) {
  const log = Buffer.alloc(count * length, 'x');
  for (let n = 0; n < count; n++) {
    const head = { length, epoch: 1, position: n * length, durable: 0, storeTimeMs: 0, parts: 0 };
    log.fill(n + 1, n * length + ENTRY_HEAD, (n + 1) * length);
    sealEntry(log, n * length, head, SALT, crc32c);
  }
  const read: { from: Position; to: Position; target: Buffer }[] = [];
  const under: (() => void)[] = [];
  const journal = {
    ranges: () => [{ base: 0, end: log.length, salt: SALT, moved: false }],
    readAsync(position: Position, target: Buffer, start: number, size: number, done: (error: null) => void) {
      read.push({ from: position, to: position + size, target });
      under.push(() => {
        log.copy(target, start, position, position + size);
        done(null);
      });
    },
  } as unknown as Journal;
  return { log, journal, read, arrive: () => under.shift()!() };
}

const fail = { damaged: () => expect.fail('nothing is damaged') };

describe('cold windows', () => {
  it('bring what lies in one that is on its way to all who ask, and end where the next begins', () => {
    const length = 8 * 1024;
    const { journal, read, arrive } = journalOf(64, length);
    const cold = new ColdReader(journal, crc32c, 1024 * 1024, fail);
    const heard: string[] = [];
    cold.load(10 * length, length, () => heard.push('ten'));
    cold.load(12 * length, length, () => heard.push('twelve'));
    cold.load(5 * length, length, () => heard.push('five'));
    expect(read.map(({ from, to }) => [from / length, to / length])).toEqual([
      [10, 18],
      [5, 10],
    ]);
    arrive();
    expect(heard).toEqual(['ten', 'twelve']);
    expect([5, 10, 12, 17, 18].map((n) => cold.find(n * length, length))).toEqual([false, true, true, true, false]);
    arrive();
    expect(heard).toEqual(['ten', 'twelve', 'five']);
    cold.load(2 * length, length, () => undefined, { wanted: 20 * length });
    expect([read[2]!.from / length, read[2]!.to / length]).toEqual([2, 5]);
  });

  it('hold no more than a large entry whose reader says that it stands alone', () => {
    const length = 40 * 1024;
    const { journal, read, arrive } = journalOf(32, length);
    const cold = new ColdReader(journal, crc32c, 1024 * 1024, fail);
    for (const n of [3, 4, 9]) {
      cold.load(n * length, length, () => undefined, { alone: true });
      arrive();
    }
    expect(read.map(({ from, to }) => [from / length, to / length])).toEqual([
      [3, 4],
      [4, 5],
      [9, 10],
    ]);
    // Who does not say so goes on where a window ends, and is given what follows.
    cold.load(10 * length, length, () => undefined);
    expect(read[3]!.to).toBeGreaterThan(16 * length);
  });

  it('that are fetched ahead are counted until their readers come', () => {
    const length = 64 * 1024;
    const { journal, read, arrive } = journalOf(32, length);
    const cold = new ColdReader(journal, crc32c, 4 * length, fail);
    let heard = 0;
    const ahead = (n: number): void => cold.load(n * length, length, () => heard++, { alone: true, ahead: true });
    expect(cold.aheadRoom).toBe(2 * length);
    ahead(0);
    ahead(4);
    expect(cold.aheadRoom).toBe(0);
    expect([0, 4, 8].map((n) => cold.isComing(n * length, length))).toEqual([true, true, false]);
    arrive();
    arrive();
    expect(cold.aheadRoom).toBe(0);
    expect([0, 4, 8].map((n) => cold.has(n * length, length))).toEqual([true, true, false]);
    // Its reader comes.
    expect(cold.find(4 * length, length, true)).toBe(true);
    expect(cold.find(4 * length, length, true)).toBe(true);
    expect(cold.aheadRoom).toBe(length);
    ahead(8);
    // A reader who comes while it is on its way waits for it like any other.
    cold.load(8 * length, length, () => heard++);
    expect(read).toHaveLength(3);
    arrive();
    expect(heard).toBe(4);
    // They are pushed out.
    for (const n of [20, 22, 24, 26]) {
      cold.load(n * length, length, () => undefined, { alone: true });
      arrive();
    }
    expect([0, 4, 8].map((n) => cold.has(n * length, length))).toEqual([false, false, false]);
    expect(cold.aheadRoom).toBe(2 * length);
    // Their segment is forgotten.
    ahead(12);
    arrive();
    expect(cold.aheadRoom).toBe(length);
    cold.forget(0, 32 * length);
    expect(cold.aheadRoom).toBe(2 * length);
    expect(cold.has(12 * length, length)).toBe(false);
  });

  it('that were to be fetched ahead and are damaged leave room', () => {
    const length = 64 * 1024;
    const { log, journal, arrive } = journalOf(4, length);
    log[length + 100]! ^= 1;
    const damaged: Position[] = [];
    const cold = new ColdReader(journal, crc32c, 4 * length, { damaged: (from) => damaged.push(from) });
    cold.load(length, length, () => undefined, { alone: true, ahead: true });
    expect(cold.aheadRoom).toBe(length);
    arrive();
    expect(damaged).toEqual([length]);
    expect(cold.aheadRoom).toBe(2 * length);
  });

  it('are used again only when all who looked at them were brief', () => {
    const length = 64 * 1024;
    const { log, journal, read, arrive } = journalOf(12, length);
    const cold = new ColdReader(journal, crc32c, 2 * length, fail);
    const held: Buffer[] = [];
    for (let n = 0; n < 12; n++) {
      cold.load(n * length, length, () => undefined);
      arrive();
      const brief = n % 3 !== 0;
      expect(cold.find(n * length, length, brief)).toBe(true);
      expect(cold.bytes.compare(log, n * length, (n + 1) * length, cold.at, cold.at + length)).toBe(0);
      if (!brief) held.push(cold.bytes.subarray(cold.at, cold.at + length));
    }
    for (const [i, slice] of held.entries()) expect(slice.compare(log, i * 3 * length, (i * 3 + 1) * length)).toBe(0);
    const buffers = new Set(read.map(({ target }) => target));
    expect(buffers.size).toBeLessThan(12);
    expect(buffers.size).toBeGreaterThanOrEqual(4);
  });
});
