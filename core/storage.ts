/** What is kept of the log, for administrators. Looks at every queue, and into no file. */
import type { Disk } from './log/disk.ts';
import type { Journal } from './log/journal.ts';
import type { Queue } from './log/queue.ts';
import type { TimeMs } from './types.ts';
import type { StorageState } from './verbs.ts';

export function storageState(queues: Iterable<Queue>, journal: Journal, disk: Disk): StorageState {
  const ranges = journal.ranges();
  let oldestMs: TimeMs | null = null;
  for (const queue of queues) {
    const run = queue.runs.find((one) => one.units > 0 && one.end > queue.start);
    if (run !== undefined && (oldestMs === null || run.storeTimeFirstMs < oldestMs)) oldestMs = run.storeTimeFirstMs;
  }
  return {
    startPosition: ranges[0]?.base ?? journal.tail,
    endPosition: journal.tail,
    keptBytes: ranges.reduce((sum, { base, end }) => sum + end - base, 0),
    freeBytes: disk.freeBytes(),
    oldestMs,
  };
}
