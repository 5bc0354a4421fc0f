// Duplicate suppression (dedupeWindowMs): a message whose UNIQ_KEY was stored in the same topic within the window is not
// stored again; its sender hears where the first one is. No other broker of the protocol does it, so it is off unless
// asked for. Retry and dead-letter topics are left out: there the same key comes again on purpose.
//
// What came lately is remembered here. What the window holds beyond that (after a start, or pushed out by the bound) is
// looked up in the core's key index, so a restart forgets nothing.
//
// Invariants: of several sends under way with one key one is appended, the others wait for it; an entry that failed is
// forgotten; entries are bounded. A batch counts by the key of its first message. A message that is not due yet has no
// place and is found here only while it is remembered.

import type { Offset, Principal, QueueNumber, TimeMs, Topic } from '../../core/types.ts';
import type { Verbs } from '../../core/verbs.ts';
import { PROPERTY } from '../../specs/rocketmq/constants.ts';
import { FORMAT } from '../adapter.ts';
import { readMessage } from './look-up.ts';
import { readProperties } from './properties.ts';
import { locate, newRecordPlace, recordAt } from './record.ts';

const ENTRIES_MAX = 500_000;
/** Index hits looked into: several only when hashes collide. */
const HITS_MAX = 16;

/** The first message of a key. */
export interface Original {
  readonly key: string;
  atMs: TimeMs;
  /** `clear`: the index knows none, the next send is the first. */
  state: 'clear' | 'pending' | 'stored';
  queue: QueueNumber;
  offset: Offset;
  /** Called once it is stored. */
  waiting: (() => void)[] | null;
}

export class Duplicates {
  readonly #broker: Verbs;
  readonly #originals = new Map<string, Original>();
  readonly #lookUps = new Map<string, Promise<void>>();
  /** Everything stored since then is remembered. */
  #knownSinceMs: TimeMs;

  constructor(broker: Verbs, bootMs: TimeMs) {
    this.#broker = broker;
    this.#knownSinceMs = bootMs;
  }

  /**
   * The first message of that key: to be appended by the caller when it is `clear`, else a duplicate of it is at hand.
   * A promise when it has to be looked up: ask again then.
   */
  first(principal: Principal, topic: Topic, uniqueKey: string, windowMs: number): Original | Promise<void> {
    const nowMs = this.#broker.nowMs();
    const key = `${topic.id} ${uniqueKey}`;
    this.#evict(nowMs - windowMs);
    const known = this.#originals.get(key);
    if (known !== undefined) return known;
    if (nowMs - windowMs >= this.#knownSinceMs) return this.#add(key, nowMs);
    let lookUp = this.#lookUps.get(key);
    if (lookUp === undefined) {
      lookUp = this.#lookUp(principal, topic, uniqueKey, key, nowMs - windowMs).finally(() =>
        this.#lookUps.delete(key),
      );
      this.#lookUps.set(key, lookUp);
    }
    return lookUp;
  }

  stored(original: Original, queue: QueueNumber, offset: Offset): void {
    original.state = 'stored';
    original.queue = queue;
    original.offset = offset;
    const { waiting } = original;
    original.waiting = null;
    for (const wake of waiting ?? []) wake();
  }

  failed(original: Original): void {
    this.#originals.delete(original.key);
  }

  #add(key: string, atMs: TimeMs): Original {
    const original: Original = { key, atMs, state: 'clear', queue: -1, offset: -1, waiting: null };
    this.#originals.set(key, original);
    return original;
  }

  #evict(beforeMs: TimeMs): void {
    for (const [key, original] of this.#originals) {
      const isOld = original.atMs < beforeMs;
      if (!isOld && this.#originals.size <= ENTRIES_MAX) return;
      if (original.state === 'pending') return;
      this.#originals.delete(key);
      if (!isOld) this.#knownSinceMs = Math.max(this.#knownSinceMs, original.atMs + 1);
    }
  }

  async #lookUp(principal: Principal, topic: Topic, uniqueKey: string, key: string, fromMs: TimeMs): Promise<void> {
    const broker = this.#broker;
    const hits = await broker.findByKey(principal, topic, uniqueKey, HITS_MAX, fromMs, Number.MAX_SAFE_INTEGER);
    for (const hit of hits) {
      const found = await readMessage(broker, principal, hit.queue, hit.offset);
      if (found === null || found.unit.format !== FORMAT.rocketmq) continue;
      const { unit, record } = found;
      const place = newRecordPlace();
      locate(unit.payload, recordAt(unit.payload, record), place);
      const properties = readProperties(unit.payload, place.propertiesStart, place.propertiesEnd);
      if (properties.get(PROPERTY.UNIQ_KEY) !== uniqueKey) continue;
      this.stored(this.#add(key, unit.storeTimeMs), hit.queue, hit.offset);
      return;
    }
    this.#add(key, broker.nowMs());
  }
}
