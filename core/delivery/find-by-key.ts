/** Messages by a word they were published with: candidates, since only hashes of words are kept. */
import type { IndexRepair } from '../log/index-repair.ts';
import type { KeyHit } from '../log/key-index.ts';
import type { Tables } from '../state/tables.ts';
import type { Clock, Offset, Position, QueueNumber, TimeMs, Topic } from '../types.ts';

export interface FoundPlace {
  queue: QueueNumber;
  offset: Offset;
}

/** The newest `limit` of them, oldest first. One segment a turn, and no more than it takes. */
export async function findByKey(
  { tables, repair, clock }: { tables: Tables; repair: IndexRepair; clock: Clock },
  topic: Topic,
  key: string,
  limit: number,
  fromMs: TimeMs,
  toMs: TimeMs,
): Promise<FoundPlace[]> {
  const found: FoundPlace[] = [];
  for (const base of tables.keys.segments()) {
    for (const hit of await hitsIn(tables, repair, base, key)) {
      const queue = tables.queues.get(hit.queue);
      if (queue === undefined || queue.topic !== topic.id || hit.offset < queue.start || hit.offset >= queue.visible)
        continue;
      if (hit.storeTimeMs < fromMs || hit.storeTimeMs > toMs) continue;
      // The records of a batch may share a word, and one record may have it twice.
      const last = found.at(-1);
      if (last?.queue === hit.queue && last.offset === hit.offset) continue;
      if (found.push({ queue: hit.queue, offset: hit.offset }) === limit) return found.reverse();
    }
    await new Promise<void>((resolve) => clock.afterTurn(resolve));
  }
  return found.reverse();
}

/** Candidates of one segment; a damaged file of keys is made again first. */
async function hitsIn(
  tables: Tables,
  repair: IndexRepair,
  base: Position | null,
  key: string,
): Promise<Iterable<KeyHit>> {
  for (;;) {
    const hits = tables.keys.findIn(base, key);
    if (hits !== null) return hits;
    await new Promise<void>((resolve) => repair.wait(base!, resolve));
  }
}
