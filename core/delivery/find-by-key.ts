/** Messages by a word they were published with: candidates, since only hashes of words are kept. */
import type { IndexRepair } from '../log/index-repair.ts';
import type { KeyHit } from '../log/key-index.ts';
import type { Tables } from '../state/tables.ts';
import type { Offset, QueueNumber, TimeMs, Topic } from '../types.ts';

export async function findByKey(
  tables: Tables,
  repair: IndexRepair,
  topic: Topic,
  key: string,
  limit: number,
  fromMs: TimeMs,
  toMs: TimeMs,
): Promise<{ queue: QueueNumber; offset: Offset }[]> {
  const found: { queue: QueueNumber; offset: Offset }[] = [];
  for (const hit of await hitsOf(tables, repair, key)) {
    if (found.length >= limit) break;
    const queue = tables.queues.get(hit.queue);
    if (queue === undefined || queue.topic !== topic.id || hit.offset < queue.start || hit.offset >= queue.visible)
      continue;
    if (hit.storeTimeMs < fromMs || hit.storeTimeMs > toMs) continue;
    // The records of a batch may share a word, and one record may have it twice.
    const last = found.at(-1);
    if (last?.queue === hit.queue && last.offset === hit.offset) continue;
    found.push({ queue: hit.queue, offset: hit.offset });
  }
  return found;
}

/** Candidates of all segments; a damaged file of keys is made again first. */
async function hitsOf(tables: Tables, repair: IndexRepair, key: string): Promise<KeyHit[]> {
  for (;;) {
    let damagedBase = -1;
    const hits = [
      ...tables.keys.find(key, (base) => {
        damagedBase = base;
      }),
    ];
    if (damagedBase < 0) return hits;
    await new Promise<void>((resolve) => repair.wait(damagedBase, resolve));
  }
}
