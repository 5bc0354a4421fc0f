/**
 * The sets of queues that large fan-outs name in place of each queue. A list of queues becomes a set when it has been
 * used some times, so that lists which change with every message stay out of the log's memory.
 */
import type { Queue } from './log/queue.ts';
import type { Tables } from './state/tables.ts';

/** A list of queues is a set from this use on. */
const SET_AFTER_USES = 8;

export interface QueueSet {
  /** -1 until it is to be logged. */
  id: number;
  readonly queues: Queue[];
  uses: number;
}

export class QueueSets {
  private readonly tables: Tables;
  /** By the routes that the exchange gave, then by their first queue and the priority. */
  private readonly byRoutes = new WeakMap<readonly string[], Map<number, QueueSet>>();

  constructor(tables: Tables) {
    this.tables = tables;
  }

  /**
   * The set for these queues; null while naming each is cheaper. Of queues that have a line for each priority it names
   * the one for this priority.
   */
  of(routes: readonly string[], queues: readonly Queue[], priority: number): QueueSet | null {
    let sets = this.byRoutes.get(routes);
    if (sets === undefined) {
      sets = new Map();
      this.byRoutes.set(routes, sets);
    }
    const key = queues[0]!.number * 256 + priority;
    let set = sets.get(key);
    // A queue of the set may have been deleted since: then the rows differ and it is another set.
    if (
      set === undefined ||
      set.queues.length !== queues.length ||
      set.queues.some((queue, n) => queue !== queues[n])
    ) {
      set = { id: -1, queues: [...queues], uses: 0 };
      sets.set(key, set);
    }
    if (++set.uses < SET_AFTER_USES) return null;
    if (set.id < 0) set.id = this.tables.catalog.nextSet++;
    return set;
  }
}
