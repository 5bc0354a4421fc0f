// Metrics for Prometheus. The hot path counts in plain fields; they are copied here when somebody asks.
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Adapter } from '../adapters/adapter.ts';
import { BROKER } from '../core/publish.ts';
import type { Signals } from '../core/signals.ts';
import type { Verbs } from '../core/verbs.ts';
import { Answer, type Handler } from './http/operation.ts';
import { lagByTopic } from './lag.ts';
import { type Status, VERSION } from './status.ts';
import type { BrokerClock } from './system/broker-clock.ts';

export interface MetricsOptions {
  readonly broker: Verbs;
  readonly adapters: () => readonly Adapter[];
  readonly clock: BrokerClock;
  readonly status: Status;
  /** Connections turned away per listener: over the limit, or too slow to begin. */
  readonly refusals: () => Iterable<readonly [listener: string, reason: string, count: number]>;
}

/** A scrape stays small, whatever clients create. */
const LAG_SERIES_MAX = 10_000;
const LAG_HELP = `Messages a group has still to read, by topic (the first ${LAG_SERIES_MAX}).`;

const CLIENT_SERIES_MAX = 10_000;
const CLIENT_HELP = `What clients measure of themselves and send us, by its own name (the first ${CLIENT_SERIES_MAX}).`;

const BROKER_COUNTS = {
  appends: 'Appends accepted into the log.',
  records: 'Messages in those appends.',
  bytes: 'Bytes of their payloads.',
  writes: 'Writes to the log.',
  syncs: 'Syncs of the log.',
  reads: 'Reads by offset.',
  readBytes: 'Bytes of payload read by offset.',
  coldReads: 'Reads that had to wait for the disk.',
  leased: 'Messages handed out by lease.',
  settled: 'Messages settled.',
  requeued: 'Messages returned to their place.',
  deadLettered: 'Messages dead-lettered.',
  refusedFull: 'Appends refused for lack of space.',
  conversions: 'Payloads decoded for a reader of another protocol.',
} as const satisfies Record<keyof Signals['counts'], string>;

export function newRegistry(options: MetricsOptions): Registry {
  const registry = new Registry();
  const registers = [registry];
  const { broker, clock, status } = options;
  collectDefaultMetrics({ register: registry });

  for (const [name, help] of Object.entries(BROKER_COUNTS) as [keyof Signals['counts'], string][]) {
    const snake = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    new Counter({
      name: `rosettamq_${snake}_total`,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(broker.signals.counts[name]);
      },
    });
  }
  new Counter({
    name: 'rosettamq_protocol_events_total',
    help: 'What the adapters count, by protocol and event.',
    labelNames: ['protocol', 'event'],
    registers,
    collect() {
      this.reset();
      for (const { protocol, counts } of options.adapters()) {
        for (const [event, count] of Object.entries(counts)) this.inc({ protocol, event }, count);
      }
    },
  });
  new Counter({
    name: 'rosettamq_connections_refused_total',
    help: 'Connections closed before a protocol saw them, by listener and reason.',
    labelNames: ['listener', 'reason'],
    registers,
    collect() {
      this.reset();
      for (const [listener, reason, count] of options.refusals()) this.inc({ listener, reason }, count);
    },
  });
  gauge('rosettamq_connections', 'Connections alive, by protocol.', ['protocol'], function () {
    for (const { protocol, connections } of options.adapters()) this.set({ protocol }, connections);
  });
  gauge('rosettamq_up', '1 while clients are served.', [], function () {
    this.set(status.phase === 'up' ? 1 : 0);
  });
  gauge('rosettamq_storage_full', '1 while publishers are refused for lack of space.', [], function () {
    this.set(broker.storageFull ? 1 : 0);
  });
  gauge('rosettamq_clock_difference_seconds', 'Wall clock less broker time.', [], function () {
    this.set(clock.differenceMs() / 1000);
  });
  gauge('rosettamq_group_lag_messages', LAG_HELP, ['namespace', 'group', 'topic'], function () {
    this.reset();
    let series = 0;
    for (const namespace of broker.namespaces()) {
      for (const group of broker.groups(BROKER, namespace)) {
        for (const [topic, lag] of lagByTopic(broker, group)) {
          if (++series <= LAG_SERIES_MAX) this.set({ namespace, group: group.name, topic }, lag);
        }
        if (series >= LAG_SERIES_MAX) return;
      }
    }
  });
  gauge('rosettamq_client_metric', CLIENT_HELP, ['protocol', 'client', 'name', 'labels'], function () {
    this.reset();
    let series = 0;
    for (const adapter of options.adapters()) {
      for (const { name, client, labels, value } of adapter.clientMetrics?.() ?? []) {
        if (++series > CLIENT_SERIES_MAX) return;
        this.set({ protocol: adapter.protocol, client, name, labels }, value);
      }
    }
  });
  gauge('rosettamq_timers', 'Timers waiting.', [], function () {
    this.set(clock.timers);
  });
  gauge('rosettamq_info', 'Version and durability.', ['version', 'flush', 'authentication'], function () {
    this.reset();
    this.set({ version: VERSION, flush: status.flush, authentication: broker.secured ? 'on' : 'off' }, 1);
  });
  return registry;

  function gauge(name: string, help: string, labelNames: string[], collect: (this: Gauge) => void): void {
    new Gauge({ name, help, labelNames, registers, collect });
  }
}

export function metricsHandlers(registry: Registry): Record<string, Handler> {
  return {
    metrics: async () => new Answer(200, registry.contentType, await registry.metrics()),
  };
}
