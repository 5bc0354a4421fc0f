/** What leasing knows of one (group, queue): its ledger, who consumes, and where its reader stands. */

import type { Queue } from '../log/queue.ts';
import { UnitCursor } from '../log/queue.ts';
import type { GroupState } from '../state/catalog.ts';
import type { Ledger } from '../state/ledger.ts';
import { SettleSection } from '../state/settle-notes.ts';
import type { LeaseConsumer, Topic } from '../types.ts';

export interface Holder {
  readonly slot: number;
  readonly consumer: LeaseConsumer | null;
  readonly lines: Set<LeaseLine>;
}

export class LeaseLine {
  readonly group: GroupState;
  readonly queue: Queue;
  readonly topic: Topic;
  readonly ledger: Ledger;
  readonly section: SettleSection;
  readonly cursor = new UnitCursor();
  /** Highest priority first; equal priorities in order of arrival. */
  readonly consumers: Holder[] = [];
  private turn = 0;
  scheduled = false;
  /** Cold bytes are on their way; nothing is delivered meanwhile, so that order is kept. */
  loading = false;
  timer = 0;
  timerAtMs = Number.POSITIVE_INFINITY;

  constructor(group: GroupState, queue: Queue, topic: Topic, ledger: Ledger) {
    this.group = group;
    this.queue = queue;
    this.topic = topic;
    this.ledger = ledger;
    this.section = new SettleSection(group.id, queue.number);
  }

  addConsumer(holder: Holder): void {
    const priority = holder.consumer!.priority;
    let at = this.consumers.length;
    while (at > 0 && this.consumers[at - 1]!.consumer!.priority < priority) at--;
    this.consumers.splice(at, 0, holder);
  }

  removeConsumer(holder: Holder): void {
    const at = this.consumers.indexOf(holder);
    if (at >= 0) this.consumers.splice(at, 1);
  }

  /** The next consumer with capacity: round robin among those of the highest priority that have any. Null when none has. */
  pick(): Holder | null {
    const consumers = this.consumers;
    const count = consumers.length;
    let from = 0;
    while (from < count) {
      const priority = consumers[from]!.consumer!.priority;
      let to = from + 1;
      while (to < count && consumers[to]!.consumer!.priority === priority) to++;
      const size = to - from;
      for (let n = 0; n < size; n++) {
        const holder = consumers[from + ((this.turn + n) % size)]!;
        if (holder.consumer!.capacity() > 0) {
          this.turn = ((this.turn + n) % size) + 1;
          return holder;
        }
      }
      from = to;
    }
    return null;
  }
}
