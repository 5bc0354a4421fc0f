// The memory of the tail: used again when nobody was given a slice of it, and never written again when somebody was.
import { describe, expect, it } from 'vitest';
import type { Clock } from '../types.ts';
import { crc32c } from './crc32c.ts';
import { ENTRY_HEAD } from './entry.ts';
import type { Journal } from './journal.ts';
import { Log } from './log.ts';

const MIB = 1024 * 1024;
const nothing = (): void => undefined;

function logOf(hotBytes: number) {
  const journal = {
    tail: 0,
    room: 1024 * MIB,
    roomMax: 1024 * MIB,
    epoch: 1,
    salt: 7,
    append: nothing,
    prepare: nothing,
    syncAsync: nothing,
  } as unknown as Journal;
  const clock = { nowMs: () => 1, afterTurn: nothing, setTimer: () => 0 } as unknown as Clock;
  const listener = { beforeWrite: nothing, committed: nothing, rolled: nothing, lost: nothing };
  const options = { journal, clock, crc: crc32c, hotBytes, flushIntervalMs: 1_000, inlineSyncMs: 0 };
  const log = new Log(options, listener, 1);
  /** Fills a chunk with entries of 1 MiB of this byte, and writes it. Returns the memory and the first position. */
  const chunk = (byte: number, isWritten = true) => {
    const first = log.position;
    for (let n = 0; n < 4; n++) {
      const bytes = MIB - ENTRY_HEAD;
      log.begin(bytes);
      log.bytes.fill(byte, log.at, log.at + bytes);
      log.end(log.at + bytes, 1, 1, false);
    }
    if (isWritten) log.flush();
    return { memory: log.bytes, first };
  };
  return { log, chunk };
}

describe('the memory of the tail', () => {
  it('is used again when its chunk is gone and was lent to nobody', () => {
    const { log, chunk } = logOf(8 * MIB);
    const one = chunk(1);
    const two = chunk(2);
    expect(log.isHot(one.first)).toBe(true);
    expect(chunk(3).memory).toBe(one.memory);
    expect(log.isHot(one.first)).toBe(false);
    expect(chunk(4).memory).toBe(two.memory);
  });

  it('is never written again when a reader was given a slice of it', () => {
    const { log, chunk } = logOf(8 * MIB);
    const one = chunk(1);
    const held = log.hot(one.first + MIB)!.bytes.subarray(MIB + ENTRY_HEAD, 2 * MIB);
    const later = [chunk(2), chunk(3), chunk(4), chunk(5), chunk(6)];
    expect(later.some(({ memory }) => memory === one.memory)).toBe(false);
    expect(held.every((byte) => byte === 1)).toBe(true);
  });

  it('stays while it is not written', () => {
    const { log, chunk } = logOf(1);
    const all = [chunk(1, false), chunk(2, false), chunk(3, false)];
    expect(new Set(all.map(({ memory }) => memory)).size).toBe(3);
    expect(all.every(({ first }) => log.isHot(first))).toBe(true);
    log.flush();
    expect(chunk(4).memory).toBe(all[2]!.memory);
    expect(log.isHot(all[0]!.first)).toBe(false);
  });
});
