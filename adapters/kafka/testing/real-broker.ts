// The broker on a simulated disk in memory, running on the machine's clock: what tests of the adapter talk to.
import { Broker } from '../../../core/broker.ts';
import { crc32c } from '../../../core/log/crc32c.ts';
import { SimClock } from '../../../core/testing/sim-clock.ts';
import { SimDisk } from '../../../core/testing/sim-disk.ts';
import { SimRandom } from '../../../core/testing/sim-random.ts';
import type { Codec } from '../../../core/types.ts';
import { codec } from '../codec/codec.ts';

/** The simulated clock's place, but time passes by itself. */
export class TestClock extends SimClock {
  readonly #timers = new Map<number, NodeJS.Timeout>();
  #next = 1;

  /** Time that has been made to pass at once. */
  aheadMs = 0;

  override nowMs(): number {
    return Date.now() + this.aheadMs;
  }

  override setTimer(delayMs: number, callback: (argument: unknown) => void, argument?: unknown): number {
    const handle = this.#next++;
    const timer = setTimeout(() => {
      this.#timers.delete(handle);
      callback(argument);
    }, delayMs);
    this.#timers.set(handle, timer.unref());
    return handle;
  }

  override clearTimer(handle: number): void {
    clearTimeout(this.#timers.get(handle));
    this.#timers.delete(handle);
  }

  override afterTurn(callback: () => void): void {
    setImmediate(callback);
  }
}

export function openBroker(
  clock: TestClock,
  codecs: readonly Codec[] = [codec],
  disk: SimDisk = new SimDisk({ clock }),
  inlineSyncMs = Number.POSITIVE_INFINITY,
): Promise<Broker> {
  return Broker.open({
    disk,
    clock,
    random: new SimRandom(1),
    crc: crc32c,
    codecs,
    names: {
      topicsMax: 10_000,
      groupsMax: 10_000,
      queuesPerTopicMax: 10_000,
      reserved: [],
      attributes: {
        flush: 'sync',
        retention: { mode: 'log', timeMs: -1, bytes: -1 },
        messageBytesMax: 4 * 1024 * 1024,
        deadLetter: null,
        messageTtlMs: -1,
        deliveriesMax: -1,
        extra: {},
      },
    },
    stateFlush: 'sync',
    segmentBytes: 64 * 1024 * 1024,
    reserveBytes: 1024 * 1024,
    ballastBytes: 0,
    hotBytes: 16 * 1024 * 1024,
    coldBytes: 16 * 1024 * 1024,
    indexCacheBytes: 4 * 1024 * 1024,
    flushIntervalMs: 200,
    inlineSyncMs,
    retentionIntervalMs: 60_000,
    snapshotIntervalMs: 600_000,
    cleanRatio: 0.5,
    jobSteps: 64,
    warn(text, error) {
      throw new Error(text, { cause: error });
    },
  });
}
