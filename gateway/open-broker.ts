// Joins the core's parts into the broker that the gateway runs.
import { Broker } from '../core/broker.ts';
import { readMasterKey } from './master-key.ts';
import type { BrokerParts, RunningBroker } from './serving.ts';
import { crc32c } from './system/crc32c.ts';
import { systemRandom } from './system/random.ts';

/** A sync that lately took less than this is done on the loop, where it is fastest; a slower disk is synced elsewhere. */
const INLINE_SYNC_MS = 0.3;
/** A segment is cleaned when at most this share of it lives. */
const CLEAN_RATIO = 0.5;

export async function openBroker({ config, disk, clock, codecs, reserved, log }: BrokerParts): Promise<RunningBroker> {
  const { store } = config;
  const broker = await Broker.open({
    disk,
    clock,
    random: systemRandom,
    crc: crc32c,
    codecs,
    names: {
      topicsMax: store.topicsMax,
      groupsMax: store.groupsMax,
      queuesPerTopicMax: store.queuesPerTopicMax,
      reserved,
      attributes: {
        flush: store.flush,
        retention: { mode: 'log', timeMs: store.retentionTimeMs, bytes: store.retentionBytes },
        messageBytesMax: Math.min(store.messageBytesMax, Math.floor(store.segmentBytes / 2)),
        deadLetter: null,
        messageTtlMs: -1,
        deliveriesMax: -1,
        extra: {},
      },
    },
    stateFlush: 'sync',
    segmentBytes: store.segmentBytes,
    reserveBytes: Math.min(store.reserveBytes, Math.floor(store.segmentBytes / 4)),
    ballastBytes: store.ballastBytes,
    hotBytes: store.hotCacheBytes,
    coldBytes: store.coldCacheBytes,
    indexCacheBytes: store.indexCacheBytes,
    flushIntervalMs: store.flushIntervalMs,
    inlineSyncMs: INLINE_SYNC_MS,
    retentionIntervalMs: store.retentionCheckIntervalMs,
    snapshotIntervalMs: store.snapshotIntervalMs,
    cleanRatio: CLEAN_RATIO,
    jobSteps: 0,
    sealingKey: readMasterKey(config),
    warn: (text, error) => log.warn(error === null ? {} : { err: error }, text),
  });
  const { entries, tornBytes, damage } = broker.recovery;
  log.info({ entries, tornBytes, damage, epoch: broker.epoch }, 'the log was folded');
  return broker;
}
