/** What leasing knows of one (group, queue): its ledger, who consumes, and where its reader stands. */

import type { Queue } from '../log/queue.ts';
import { UnitCursor } from '../log/queue.ts';
import type { GroupState } from '../state/catalog.ts';
import type { Ledger } from '../state/ledger.ts';
import { SettleSection } from '../state/settle-notes.ts';
import type { LeaseConsumer, Offset, Topic } from '../types.ts';

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
  private next = 0;
  scheduled = false;
  /** Its group or queue is gone: whatever still knows it does nothing more with it. */
  isGone = false;
  /** Cold bytes are on their way; nothing is delivered meanwhile, so that order is kept. */
  loading = false;
  timer = 0;
  timerAtMs = Number.POSITIVE_INFINITY;
  /** The group is the queue's own: its rules hold for what the group reads. */
  readonly isOwn: boolean;
  /** With the rule that one consumer at a time is given messages: who that is. */
  private active: Holder | null = null;

  // What deaths.ts keeps here.
  headTimer = 0;
  headAtMs = Number.POSITIVE_INFINITY;
  /** The head's bytes are on their way. */
  headLoading = false;
  /** Came back once too often; not to be delivered again. */
  readonly doomed: Offset[] = [];
  /** From here on messages were committed in this very turn. */
  freshFrom = Number.POSITIVE_INFINITY;
  seenTo: Offset;
  /** Bytes of the bodies that are ready, of the offsets below `countedTo`; -1 says that they have to be counted. */
  readyBytes = 0;
  countedTo: Offset = -1;
  /** Below `countedTo` and ready, and yet not counted: they came back, and their bytes have to be read first. */
  readonly uncounted = new Set<Offset>();
  /** The count goes on by itself, in a later turn. */
  counting = false;
  /** Bytes of bodies from offset `pendingFrom` on that are not yet counted: most are not yet visible. */
  pendingBytes = 0;
  pendingFrom: Offset = 0;

  constructor(group: GroupState, queue: Queue, topic: Topic, ledger: Ledger) {
    this.group = group;
    this.queue = queue;
    this.topic = topic;
    this.ledger = ledger;
    this.section = new SettleSection(group.id, queue.number);
    this.isOwn = topic.ownGroup === group.id;
    this.seenTo = queue.visible;
  }

  addConsumer(holder: Holder): void {
    const priority = holder.consumer!.priority;
    let at = this.consumers.length;
    while (at > 0 && this.consumers[at - 1]!.consumer!.priority < priority) at--;
    this.consumers.splice(at, 0, holder);
    this.active ??= holder;
  }

  removeConsumer(holder: Holder): void {
    const at = this.consumers.indexOf(holder);
    if (at < 0) return;
    this.consumers.splice(at, 1);
    if (this.active === holder) this.active = this.consumers[0] ?? null;
  }

  /** The consumer picked last was given a message: another one is next. */
  served(): void {
    this.turn = this.next;
  }

  /** The next consumer with capacity: round robin among those of the highest priority that have any. Null when none has. */
  pick(): Holder | null {
    if (this.topic.attributes.rules?.singleActive === true && this.isOwn)
      return this.active !== null && this.active.consumer!.capacity() > 0 ? this.active : null;
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
          this.next = ((this.turn + n) % size) + 1;
          return holder;
        }
      }
      from = to;
    }
    return null;
  }
}
