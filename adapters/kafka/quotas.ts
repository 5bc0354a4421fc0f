// Quotas of clients (KIP-13, KIP-257): how many bytes a second a user or client id may produce or fetch. They are kept as
// settings of the core, in Kafka's words, and found again after a restart.
//
// A client over its quota is answered at once, with the time for which it is to be quiet, and nothing more is read from
// its connection for so long (KIP-219).
//
// Invariants:
// - without any quota a request costs one look at a field;
// - the entry that applies is the most specific one, in Kafka's order; what it covers shares one bucket;
// - a bucket is one number, the time at which all that was sent is paid for; at most BUCKETS_MAX are kept.

import { createHash } from 'node:crypto';
import type { Principal, TimeMs } from '../../core/types.ts';
import type { Verbs } from '../../core/verbs.ts';

/** What an entity is made of; null stands for everybody that has no entry of its own. */
export type Entity = ReadonlyMap<string, string | null>;
export type Direction = 'producer_byte_rate' | 'consumer_byte_rate';

export interface Quota {
  readonly entity: Entity;
  readonly values: ReadonlyMap<string, number>;
}

interface Share {
  readonly rate: number;
  readonly bucket: string;
}

const SCOPE = 'kafka.quotas';
const BUCKETS_MAX = 10_000;
/** So much may come at once before anybody has to wait. */
const BURST_MS = 1_000;
const THROTTLE_MS_MAX = 30_000;
/** Bytes a second: what is less stops a client altogether, as nothing would. */
const RATE_MIN = 1e-3;

/** Which entities have which quotas; the first three are kept and told, without effect. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  client: ['request_percentage', 'controller_mutation_rate', 'producer_byte_rate', 'consumer_byte_rate'],
  ip: ['connection_creation_rate'],
};

export class Quotas {
  readonly #broker: Verbs;
  #quotas = new Map<string, Quota>();
  readonly #paidAt = new Map<string, TimeMs>();
  /** What was found for who asked before; forgotten with every change. */
  readonly #shares = new Map<string, Share | null>();

  constructor(broker: Verbs) {
    this.#broker = broker;
    for (const [key, text] of broker.settings(SCOPE)) {
      const quota = parse(text);
      if (quota !== null) this.#quotas.set(key, quota);
    }
  }

  all(): Iterable<Quota> {
    return this.#quotas.values();
  }

  /** What is wrong with an entity or with the names of its quotas, null when nothing is. */
  static problemOf(entity: Entity, keys: Iterable<string>): string | null {
    const types = [...entity.keys()].sort().join(' ');
    if (!['user', 'client-id', 'client-id user', 'ip'].includes(types)) return `no quotas for ${types || 'nobody'}`;
    for (const name of entity.values()) if (name === '') return 'an empty name';
    const known = KEYS[types === 'ip' ? 'ip' : 'client']!;
    for (const key of keys) if (!known.includes(key)) return `no quota ${key} for ${types}`;
    return null;
  }

  /** Changes what the entity has; null removes. It holds when the promise resolves. */
  async alter(principal: Principal, entity: Entity, changes: ReadonlyMap<string, number | null>): Promise<void> {
    const key = keyOf(entity);
    const values = new Map(this.#quotas.get(key)?.values);
    for (const [name, value] of changes) {
      if (value === null) values.delete(name);
      else values.set(name, value);
    }
    const quota = { entity, values };
    await this.#broker.putSetting(principal, SCOPE, key, values.size === 0 ? null : format(quota));
    if (values.size === 0) this.#quotas.delete(key);
    else this.#quotas.set(key, quota);
    this.#paidAt.clear();
    this.#shares.clear();
  }

  /** Counts the bytes and returns for how long the client is to be quiet, in milliseconds. */
  throttleMs(direction: Direction, user: string, clientId: string, bytes: number, nowMs: TimeMs): number {
    if (this.#quotas.size === 0 || bytes === 0) return 0;
    const share = this.#shareOf(direction, user, clientId);
    return share === null ? 0 : this.#pay(share.bucket, (bytes * 1000) / share.rate, nowMs);
  }

  /** The quota that applies and the bucket it is counted in; null without one. */
  #shareOf(direction: Direction, user: string, clientId: string): Share | null {
    const key = `${direction}\0${user}\0${clientId}`;
    const known = this.#shares.get(key);
    if (known !== undefined) return known;
    let share: Share | null = null;
    for (const [userPart, clientPart] of candidates(user, clientId)) {
      const rate = this.#quotas.get(keyOf(entityOf(userPart, clientPart)))?.values.get(direction);
      if (rate === undefined) continue;
      // A default entry is everybody's, but each has a bucket for itself.
      const of = [direction, userPart === undefined ? '' : user, clientPart === undefined ? '' : clientId];
      share = { rate: Math.max(rate, RATE_MIN), bucket: JSON.stringify(of) };
      break;
    }
    if (this.#shares.size >= BUCKETS_MAX) this.#shares.clear();
    this.#shares.set(key, share);
    return share;
  }

  #pay(bucket: string, costMs: number, nowMs: TimeMs): number {
    const paidAt = Math.max(this.#paidAt.get(bucket) ?? 0, nowMs - BURST_MS) + costMs;
    this.#paidAt.delete(bucket);
    if (this.#paidAt.size >= BUCKETS_MAX) this.#paidAt.delete(this.#paidAt.keys().next().value!);
    // Nobody is held up for longer than the limit, so nothing beyond it is owed.
    this.#paidAt.set(bucket, Math.min(paidAt, nowMs + THROTTLE_MS_MAX));
    return Math.round(Math.min(Math.max(0, paidAt - nowMs), THROTTLE_MS_MAX));
  }
}

/** (user, client id) as entries may name them: null the default entry, undefined not part of it. */
function candidates(
  user: string,
  clientId: string,
): readonly (readonly [string | null | undefined, string | null | undefined])[] {
  return [
    [user, clientId],
    [user, null],
    [user, undefined],
    [null, clientId],
    [null, null],
    [null, undefined],
    [undefined, clientId],
    [undefined, null],
  ];
}

function entityOf(user: string | null | undefined, clientId: string | null | undefined): Entity {
  const entity = new Map<string, string | null>();
  if (user !== undefined) entity.set('user', user);
  if (clientId !== undefined) entity.set('client-id', clientId);
  return entity;
}

/** Names may be longer than a setting's key. */
function keyOf(entity: Entity): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(entity)))
    .digest('hex');
}

function sorted(entity: Entity): [string, string | null][] {
  return [...entity].sort(([a], [b]) => (a < b ? -1 : 1));
}

function format({ entity, values }: Quota): string {
  return JSON.stringify({ entity: sorted(entity), values: [...values] });
}

/** Null for a text that some other version has written. */
function parse(text: string): Quota | null {
  try {
    const { entity, values } = JSON.parse(text) as { entity: [string, string | null][]; values: [string, number][] };
    return { entity: new Map(entity), values: new Map(values) };
  } catch {
    return null;
  }
}
