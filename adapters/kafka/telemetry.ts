// What clients measure of themselves and send us (KIP-714). The last numbers of each client are shown on the metrics
// page until it has been silent for three intervals.
//
// Invariants: at most CLIENTS_MAX clients with POINTS_MAX numbers each are kept, and POINTS_ALL_MAX in all, those of the
// client heard of longest ago go first; a client that pushes more often than it was told, or under a subscription that it
// was not given, is refused.

import { BrokerError } from '../../core/errors.ts';
import type { TimeMs } from '../../core/types.ts';
import { ERROR, type ErrorCode } from '../../specs/kafka/error-codes.ts';
import type { ClientMetric } from '../adapter.ts';
import { WireError } from '../wire/wire-error.ts';
import { CODEC } from './codec/batch.ts';
import { decompress } from './codec/compression.ts';
import { ZERO_UUID } from './codec/rows.ts';
import type { Node } from './node.ts';
import { type Point, readMetrics } from './otlp.ts';

const CLIENTS_MAX = 1_000;
const POINTS_MAX = 500;
const POINTS_ALL_MAX = 20_000;
const PUSH_BYTES_MAX = 1024 * 1024;
const UNPACKED_BYTES_MAX = 8 * 1024 * 1024;
const SILENT_INTERVALS = 3;
/** A push may come so much before its time, because clocks differ. */
const EARLY_SHARE = 0.5;
/** In our order of preference. */
const COMPRESSIONS: readonly number[] = [CODEC.zstd, CODEC.lz4, CODEC.gzip, CODEC.snappy];
/** One subscription for everybody: all metrics. */
const SUBSCRIPTION_ID = 1;
const ALL_METRICS: readonly string[] = [''];

interface Client {
  readonly clientId: string;
  pushedAtMs: TimeMs;
  seenAtMs: TimeMs;
  hasEnded: boolean;
  points: readonly Point[];
}

interface Subscription {
  readonly clientInstanceId: string;
  readonly subscriptionId: number;
  readonly acceptedCompressionTypes: readonly number[];
  readonly pushIntervalMs: number;
  readonly telemetryMaxBytes: number;
  readonly deltaTemporality: boolean;
  readonly requestedMetrics: readonly string[];
}

export class Telemetry {
  readonly #node: Node;
  /** By instance id, the one heard of longest ago first. */
  readonly #clients = new Map<string, Client>();
  #points = 0;

  constructor(node: Node) {
    this.#node = node;
  }

  /** What the client is to send; one that has no instance id yet gets one. */
  subscribe(instanceId: string, clientId: string): Subscription {
    const { telemetryIntervalMs } = this.#node.settings;
    const clientInstanceId = instanceId === ZERO_UUID ? this.#node.randomHex() : instanceId;
    this.#touch(clientInstanceId, clientId);
    return {
      clientInstanceId,
      subscriptionId: SUBSCRIPTION_ID,
      acceptedCompressionTypes: COMPRESSIONS,
      pushIntervalMs: telemetryIntervalMs > 0 ? telemetryIntervalMs : 300_000,
      telemetryMaxBytes: PUSH_BYTES_MAX,
      deltaTemporality: false,
      requestedMetrics: telemetryIntervalMs > 0 ? ALL_METRICS : [],
    };
  }

  push(
    instanceId: string,
    clientId: string,
    subscriptionId: number,
    compression: number,
    metrics: Buffer,
    terminating: boolean,
  ): ErrorCode {
    const { settings, counts, broker } = this.#node;
    const nowMs = broker.nowMs();
    const known = this.#clients.get(instanceId);
    if (instanceId === ZERO_UUID || known?.hasEnded === true) return ERROR.INVALID_REQUEST;
    if (subscriptionId !== SUBSCRIPTION_ID || settings.telemetryIntervalMs <= 0) return ERROR.UNKNOWN_SUBSCRIPTION_ID;
    if (compression !== CODEC.none && !COMPRESSIONS.includes(compression)) return ERROR.UNSUPPORTED_COMPRESSION_TYPE;
    if (metrics.length > PUSH_BYTES_MAX) return ERROR.TELEMETRY_TOO_LARGE;
    const isEarly = known !== undefined && nowMs - known.pushedAtMs < settings.telemetryIntervalMs * EARLY_SHARE;
    if (isEarly && !terminating) return ERROR.THROTTLING_QUOTA_EXCEEDED;
    const client = this.#touch(instanceId, clientId);
    client.pushedAtMs = nowMs;
    client.hasEnded = terminating;
    counts.telemetryPushes++;
    try {
      const isEmpty = metrics.length === 0;
      this.#keep(client, isEmpty ? [] : readMetrics(decompress(compression, metrics, UNPACKED_BYTES_MAX), POINTS_MAX));
    } catch (error) {
      if (!(error instanceof WireError || error instanceof BrokerError)) throw error;
      return ERROR.INVALID_RECORD;
    }
    return ERROR.NONE;
  }

  /** The last numbers of clients that are still there. */
  *metrics(): Generator<ClientMetric> {
    const nowMs = this.#node.broker.nowMs();
    const silentMs = SILENT_INTERVALS * this.#node.settings.telemetryIntervalMs;
    for (const [id, { clientId, seenAtMs, hasEnded, points }] of this.#clients) {
      if (nowMs - seenAtMs > silentMs) {
        this.#forget(id);
        continue;
      }
      if (hasEnded) continue;
      for (const { name, labels, value } of points) yield { name, client: `${clientId}/${id}`, labels, value };
    }
  }

  #touch(instanceId: string, clientId: string): Client {
    const seenAtMs = this.#node.broker.nowMs();
    const client = this.#clients.get(instanceId) ?? { clientId, pushedAtMs: 0, seenAtMs, hasEnded: false, points: [] };
    client.seenAtMs = seenAtMs;
    this.#clients.delete(instanceId);
    if (this.#clients.size >= CLIENTS_MAX) this.#forget(this.#clients.keys().next().value!);
    this.#clients.set(instanceId, client);
    return client;
  }

  #keep(client: Client, points: readonly Point[]): void {
    this.#points += points.length - client.points.length;
    client.points = points;
    for (const [id, oldest] of this.#clients) {
      if (this.#points <= POINTS_ALL_MAX || oldest === client) break;
      this.#forget(id);
    }
  }

  #forget(id: string): void {
    this.#points -= this.#clients.get(id)!.points.length;
    this.#clients.delete(id);
  }
}
