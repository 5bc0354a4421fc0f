// Producers as their heartbeats tell of them: for administrators only, nothing else depends on it.
//
// Invariant: a producer is listed while the connection that named it lasts; groups and producers are bounded.

import type { TimeMs } from '../../core/types.ts';
import type { Connection } from './connection.ts';

const PRODUCERS_MAX = 100_000;

export interface Producer {
  readonly clientId: string;
  readonly connection: Connection;
  readonly language: string;
  readonly version: number;
  lastSeenMs: TimeMs;
}

export class Producers {
  readonly #groups = new Map<string, Map<string, Producer>>();
  #count = 0;

  seen(group: string, producer: Producer): void {
    let producers = this.#groups.get(group);
    const before = producers?.get(producer.clientId);
    if (before?.connection === producer.connection) {
      before.lastSeenMs = producer.lastSeenMs;
      return;
    }
    if (before === undefined && this.#count >= PRODUCERS_MAX) return;
    if (producers === undefined) this.#groups.set(group, (producers = new Map()));
    if (before === undefined) this.#count++;
    producers.set(producer.clientId, producer);
  }

  leave(group: string, clientId: string, connection: Connection): void {
    const producers = this.#groups.get(group);
    if (producers?.get(clientId)?.connection !== connection) return;
    producers.delete(clientId);
    this.#count--;
    if (producers.size === 0) this.#groups.delete(group);
  }

  of(group: string): readonly Producer[] {
    return [...(this.#groups.get(group)?.values() ?? [])];
  }

  all(): ReadonlyMap<string, ReadonlyMap<string, Producer>> {
    return this.#groups;
  }
}
