/**
 * Opens a data directory and wires the parts of a broker: recovery, the log, the shard, and what works on it.
 */
import { DeadLetters } from './delivery/dead-letter.ts';
import { Hold } from './delivery/hold.ts';
import { Idle } from './delivery/idle.ts';
import { Leases } from './delivery/leases.ts';
import { OffsetReader } from './delivery/offset-reader.ts';
import { Waiters } from './delivery/waiters.ts';
import { assert } from './errors.ts';
import { align8 } from './log/bytes.ts';
import { ColdReader } from './log/cold-reader.ts';
import type { Disk } from './log/disk.ts';
import { PART_HEAD } from './log/entry.ts';
import { FileJournal } from './log/file-journal.ts';
import { IndexRepair } from './log/index-repair.ts';
import { Jobs } from './log/jobs.ts';
import { KeyIndex } from './log/key-index.ts';
import { PART } from './log/parts.ts';
import { type Queue, QueueTable } from './log/queue.ts';
import { canonicalCodec } from './log/record.ts';
import { type Recovered, recover } from './log/recovery.ts';
import { BlockCache } from './log/segment-index.ts';
import { Maintenance } from './maintenance.ts';
import { type NameLimits, Names } from './names.ts';
import { BROKER, Publisher } from './publish.ts';
import { Shard } from './shard.ts';
import { Signals } from './signals.ts';
import { Access } from './state/access.ts';
import { Membership } from './state/membership.ts';
import { authoriseOn } from './state/rights.ts';
import { Routing } from './state/routing.ts';
import { SEALING_KEY_BYTES } from './state/sealed.ts';
import { Tables } from './state/tables.ts';
import type {
  Action,
  Clock,
  Codec,
  Crc32c,
  FlushLevel,
  FormatTag,
  Principal,
  Random,
  ResourceKind,
  Topic,
} from './types.ts';

export interface BrokerOptions {
  disk: Disk;
  clock: Clock;
  random: Random;
  crc: Crc32c;
  codecs: readonly Codec[];
  names: NameLimits;
  /** How state changes (a new topic, a binding, a user) are acknowledged. */
  stateFlush: FlushLevel;
  segmentBytes: number;
  reserveBytes: number;
  ballastBytes: number;
  hotBytes: number;
  coldBytes: number;
  indexCacheBytes: number;
  flushIntervalMs: number;
  inlineSyncMs: number;
  retentionIntervalMs: number;
  snapshotIntervalMs: number;
  cleanRatio: number;
  /** Seals secrets that must be known again; 32 bytes. Without it none is kept, and nobody can sign. */
  sealingKey?: Buffer | null;
  /** Steps of background work per turn instead of a time, where a run must be the same each time; 0: by time. */
  jobSteps: number;
  /** Told what the broker noticed by itself: damage at start, work that failed without harm. */
  warn(text: string, error: unknown): void;
}

const HOLD_TOPIC = { namespace: '$system', kind: 'system', name: 'hold', queues: 1 } as const;
/** An idempotent producer that wrote nothing for so long is forgotten. */
const PRODUCER_EXPIRY_MS = 86_400_000;
const VERSION_TEXT = 'rosettamq log 1';

/** The parts of a running broker; broker.ts answers the verbs with them. */
export class Assembly {
  readonly signals = new Signals();
  readonly random: Random;
  readonly disk: Disk;
  readonly sealingKey: Buffer | null;
  readonly tables: Tables;
  readonly shard: Shard;
  readonly journal: FileJournal;
  readonly cold: ColdReader;
  readonly reader: OffsetReader;
  readonly repair: IndexRepair;
  readonly publisher: Publisher;
  readonly leases: Leases;
  readonly waiters: Waiters;
  readonly names: Names;
  readonly membership: Membership;
  readonly maintenance: Maintenance;
  readonly hold: Hold;
  readonly idle: Idle;
  readonly recovered: Recovered;
  private readonly warn: BrokerOptions['warn'];

  constructor(options: BrokerOptions) {
    const { disk, clock, crc, random } = options;
    this.warn = (text, error) => options.warn(text, error);
    this.random = random;
    this.disk = disk;
    this.sealingKey = options.sealingKey ?? null;
    assert(this.sealingKey === null || this.sealingKey.length === SEALING_KEY_BYTES, 'the master key has 32 bytes');
    const codecs = new Map<FormatTag, Codec>([[canonicalCodec.format, canonicalCodec]]);
    for (const codec of options.codecs) codecs.set(codec.format, codec);
    const cache = new BlockCache(options.indexCacheBytes);
    this.tables = new Tables(new Routing(), new Access(), new QueueTable(0), new KeyIndex(disk, crc));
    const recovered = recover({ disk, crc, cache }, this.tables);
    for (const damage of recovered.damage)
      options.warn(
        `bytes [${damage.from}, ${damage.to}) of the log did not verify and were set aside as ${damage.file}`,
        null,
      );
    this.recovered = recovered;
    this.journal = new FileJournal(
      { disk, clock, random, crc, segmentBytes: options.segmentBytes, reserveBytes: options.reserveBytes },
      recovered.epoch + 1,
      recovered.segments,
      recovered.beginAt,
    );
    // A wall clock that was set back while the broker was down must not make its time stand still.
    clock.notBefore(recovered.storeTimeMs);
    const active = this.journal.ranges()[this.journal.ranges().length - 1]!;
    if (this.tables.queues.active.base !== active.base || !this.tables.queues.indexes.has(active.base))
      this.tables.queues.roll(active.base);

    const jobs = new Jobs(clock, options.jobSteps);
    this.shard = new Shard(
      {
        journal: this.journal,
        clock,
        crc,
        hotBytes: options.hotBytes,
        flushIntervalMs: options.flushIntervalMs,
        inlineSyncMs: options.inlineSyncMs,
      },
      this.tables,
      jobs,
      this.signals,
      options.stateFlush,
      recovered.storeTimeMs,
      {
        advanced: (queue) => this.advanced(queue),
        rolled: (base) => this.maintenance.rolled(base),
        lost: (error) => this.signals.journalLost?.(error),
      },
    );
    this.cold = new ColdReader(this.journal, crc, options.coldBytes, {
      damaged: (from, to) => {
        options.warn(`bytes [${from}, ${to}) of the log did not verify; they are not served`, null);
        this.signals.damage?.(from, to, 'log');
      },
    });
    this.repair = new IndexRepair(this.tables, this.journal, jobs, clock, { disk, crc, cache, warn: options.warn });
    this.maintenance = new Maintenance(
      this.shard,
      this.journal,
      this.cold,
      this.repair,
      {
        disk,
        crc,
        random,
        cache,
        retentionIntervalMs: options.retentionIntervalMs,
        snapshotIntervalMs: options.snapshotIntervalMs,
        cleanRatio: options.cleanRatio,
        ballastBytes: options.ballastBytes,
        warn: options.warn,
        tended: () => {
          this.tables.producers.expire(this.shard.log.storeTimeMs() - PRODUCER_EXPIRY_MS);
          this.membership.tend();
        },
      },
      recovered,
    );
    this.names = new Names(this.shard, random, options.names, (...args) => this.authorise(...args));
    this.begin(random);
    const hold = this.tables.catalog.topic(HOLD_TOPIC.namespace, 'system', HOLD_TOPIC.name)!;
    const holdQueue = this.tables.queues.get(hold.queues[0]!)!;
    this.reader = new OffsetReader(this.shard.log, this.cold, codecs, this.tables.setSize, this.signals, this.repair);
    this.publisher = new Publisher(this.shard, codecs, holdQueue, {
      authorise: (principal, topic, namespace, exchange) => {
        if (topic === null) this.authorise(principal, 'publish', 'topic', namespace, exchange ?? '');
        else authoriseOn(this, principal, 'publish', topic);
      },
      held: (dueMs, offset) => this.hold.add(dueMs, offset),
      isFull: (queue, topic, bytes) => this.leases.deaths.isFull(queue, topic, bytes),
      refused: (queue, topic, append) => deadLetters.refused(queue, topic, append),
    });
    const deadLetters = new DeadLetters(
      this.publisher,
      this.reader,
      codecs,
      () => this.shard.log.storeTimeMs(),
      this.warn,
    );
    this.leases = new Leases(
      this.shard,
      this.reader,
      this.cold,
      codecs,
      (line, leased, reason, attempts) => deadLetters.publish(line, leased, reason, attempts),
      this.warn,
    );
    this.waiters = new Waiters(clock, (queue) => this.tables.queues.get(queue)?.visible ?? 0);
    this.membership = new Membership(clock);
    this.hold = new Hold(this.shard, this.reader, this.publisher, holdQueue, hold.ownGroup);
    this.idle = new Idle(this.shard, {
      consumers: (topic) => this.leases.consumersOf(topic),
      unused: (topic) => this.unused(topic),
    });
    this.leases.used = (queue) => this.idle.usedQueue(queue);
    this.maintenance.start();
  }

  /** The first entries of an epoch: who owns the log now, and on a new directory what must exist. */
  private begin(random: Random): void {
    const { log } = this.shard;
    // What recovery read from the page cache may not be on the disk yet, and readers will see it.
    this.journal.sync();
    const body = Buffer.from(VERSION_TEXT);
    log.begin(PART_HEAD + align8(body.length));
    log.end(this.shard.part(log.at, PART.open, body), 1, log.storeTimeMs(), true);
    if (this.tables.catalog.clusterId === '') {
      const id = random.bytes(Buffer.alloc(16)).toString('base64url');
      this.shard.appendEvents([{ k: 'cluster', id }]);
    }
    if (this.tables.catalog.topic(HOLD_TOPIC.namespace, 'system', HOLD_TOPIC.name) === null)
      this.names.createTopicNow({ ...HOLD_TOPIC });
  }

  /** Nobody waits for a queue that nobody used; what cannot be deleted now is gone after the next start at the latest. */
  private unused(topic: Topic): void {
    this.names.deleteTopic(BROKER, topic).catch((error: unknown) => this.warn(`'${topic.name}' stays unused`, error));
    this.leases.forget((line) => line.topic.id === topic.id);
    for (const queue of topic.queues) this.waiters.advanced(queue, Number.POSITIVE_INFINITY);
  }

  private advanced(queue: Queue): void {
    this.signals.committed?.(queue.number, queue.visible);
    this.waiters.advanced(queue.number, queue.visible);
    this.leases.advanced(queue);
  }

  authorise(principal: Principal, action: Action, resource: ResourceKind, namespace: string, name: string): void {
    if (principal === BROKER || !this.tables.access.secured) return;
    this.tables.access.authorise(principal, action, resource, namespace, name);
  }
}
