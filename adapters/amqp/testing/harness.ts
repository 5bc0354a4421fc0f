/** The adapter over the real broker, on a simulated disk and with a clock that tests move. */

import { Broker } from '../../../core/broker.ts';
import { crc32c } from '../../../core/log/crc32c.ts';
import { BROKER } from '../../../core/publish.ts';
import { SimDisk } from '../../../core/testing/sim-disk.ts';
import { SimRandom } from '../../../core/testing/sim-random.ts';
import type { Clock, Principal } from '../../../core/types.ts';
import type { Adapter, AdapterContext } from '../../adapter.ts';
import { codec, create } from '../adapter.ts';
import { RawClient } from './raw-client.ts';
import { TestClock } from './test-clock.ts';

export interface Harness {
  readonly clock: TestClock;
  readonly disk: SimDisk;
  readonly broker: Broker;
  readonly adapter: Adapter;
  /** Who may do everything. */
  readonly internal: Principal;
  /** What was logged as a warning or an error. */
  readonly warnings: string[];
  /** A client with the handshake behind it and channel 1 open. */
  readonly client: (options?: Parameters<RawClient['handshake']>[0]) => Promise<RawClient>;
  /** A client that has sent nothing. */
  readonly stranger: (peerName?: string) => RawClient;
}

export interface HarnessOptions {
  limits?: Readonly<Record<string, number>>;
  /** Begin with the disk that this one, which has been closed, left behind. */
  after?: Harness;
}

export async function harness({ limits = {}, after }: HarnessOptions = {}): Promise<Harness> {
  const clock = after?.clock ?? new TestClock();
  const disk = after?.disk ?? new SimDisk({ clock });
  const broker = await openBroker(disk, clock);
  const warnings: string[] = [];
  const adapter = create(contextOf(broker, clock, limits, warnings));
  const stranger = (peerName?: string): RawClient => new RawClient(adapter, peerName);
  const client: Harness['client'] = async (options) => {
    const made = stranger();
    await made.handshake(options);
    await made.open(1);
    return made;
  };
  return { clock, disk, broker, adapter, internal: BROKER, warnings, stranger, client };
}

function contextOf(
  broker: Broker,
  clock: Clock,
  limits: Readonly<Record<string, number>>,
  warnings: string[],
): AdapterContext {
  return {
    broker,
    clock,
    random: new SimRandom(7),
    log: {
      debug: () => {},
      info: () => {},
      warn: (_fields, text) => void warnings.push(text),
      error: (fields, text) => void warnings.push(`${text} ${JSON.stringify(fields)}`),
    },
    authenticate: async (name, password, host) => (password === 'guest' ? { name, host } : null),
    anonymous: (host) => ({ name: 'anonymous', host }),
    internal: BROKER,
    open: () => !broker.secured,
    limits,
    settings: {},
  };
}

function openBroker(disk: SimDisk, clock: Clock): Promise<Broker> {
  return Broker.open({
    disk,
    clock,
    random: new SimRandom(1),
    crc: crc32c,
    codecs: [codec],
    names: {
      topicsMax: 10_000,
      groupsMax: 10_000,
      queuesPerTopicMax: 100,
      reserved: [],
      attributes: {
        flush: 'sync',
        retention: { mode: 'log', timeMs: -1, bytes: -1 },
        messageBytesMax: 32 * 1024 * 1024,
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
    inlineSyncMs: Number.POSITIVE_INFINITY,
    retentionIntervalMs: 60_000,
    snapshotIntervalMs: 600_000,
    cleanRatio: 0.5,
    jobSteps: 4,
    warn(text, error) {
      throw new Error(text, { cause: error });
    },
  });
}
