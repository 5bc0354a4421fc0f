// When reads are done on the loop, on a clock that the test moves.
import { describe, expect, it } from 'vitest';
import { QuickReads } from './quick-reads.ts';

const KIB = 1024;

function at(startMs = 1_000) {
  let nowMs = startMs;
  const quick = new QuickReads(() => nowMs);
  const told: number[] = [];
  let read = 0;
  return {
    told,
    pass: (ms: number): void => {
      nowMs += ms;
    },
    /** Whether it was done on the loop, and the disk took so long. */
    read: (bytes: number, tookMs = 0): boolean =>
      quick.try(
        bytes,
        () => {
          nowMs += tookMs;
          return ++read;
        },
        (result) => told.push(result),
      ),
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('reads on the loop', () => {
  it('are told of at the end of the turn, in order', async () => {
    const reads = at();
    expect([reads.read(KIB), reads.read(KIB)]).toEqual([true, true]);
    expect(reads.told).toEqual([]);
    await turn();
    expect(reads.told).toEqual([1, 2]);
  });

  it('are bounded in a turn', async () => {
    const reads = at();
    const done = Array.from({ length: 10 }, () => reads.read(KIB * KIB));
    expect(done.filter(Boolean)).toHaveLength(4);
    await turn();
    expect(reads.read(KIB * KIB)).toBe(true);
  });

  it('pause after a slow one, twice as long when the next is slow too, and briefly again after a quick one', () => {
    const reads = at();
    /** After a slow read, until one is done again, which takes so long. */
    const pauseMs = (tookMs: number): number => {
      let pausedMs = 0;
      while (!reads.read(KIB, tookMs)) {
        reads.pass(500);
        pausedMs += 500;
      }
      return pausedMs;
    };
    expect(reads.read(KIB, 20)).toBe(true);
    expect(Array.from({ length: 8 }, () => pauseMs(20))).toEqual([
      1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000,
    ]);
    expect(pauseMs(0)).toBe(30_000);
    expect(reads.read(KIB, 20)).toBe(true);
    expect(pauseMs(0)).toBe(1_000);
  });

  it('of many bytes may take longer', () => {
    const reads = at();
    expect(reads.read(KIB * KIB, 2)).toBe(true);
    expect(reads.read(KIB)).toBe(true);
    expect(reads.read(KIB, 2)).toBe(true);
    expect(reads.read(KIB)).toBe(false);
  });
});
