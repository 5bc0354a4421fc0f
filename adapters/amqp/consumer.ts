/**
 * One basic.consume: a lease consumer of the core that writes what it is given as basic.deliver.
 *
 * Invariants: `inFlight` is the number of its deliveries that the client has not answered; it takes no more than its
 * prefetch, its channel's shared prefetch and its connection's outbox allow.
 */

import type { Group, LeaseConsumer, Leased, QueueNumber, Topic } from '../../core/types.ts';
import type { Channel } from './channel.ts';
import { type Shown, shownOf } from './delivery-content.ts';

/** What a client without any prefetch may hold unanswered on a channel, unless the configuration says otherwise. */
export const unackedMaxDefault = 100_000;
/** How many messages that need no answer are taken at a time. */
const autoSettleBatch = 1000;

export class Consumer implements LeaseConsumer {
  readonly channel: Channel;
  readonly tag: string;
  readonly tagOctets: Buffer;
  readonly topic: Topic;
  readonly shown: Shown;
  readonly group: Group;
  readonly queues: readonly QueueNumber[];
  readonly priority: number;
  readonly exclusive: boolean;
  readonly autoSettle: boolean;
  /** 0: without limit of its own. */
  readonly prefetch: number;
  inFlight = 0;
  /** Cancelled, or its queue is gone: no delivery comes any more, answers may. */
  stopped = false;
  /** The channel's numbers for where its deliveries come from, by queue. */
  readonly sources = new Map<QueueNumber, number>();

  constructor(
    channel: Channel,
    tag: string,
    topic: Topic,
    group: Group,
    options: { priority: number; exclusive: boolean; autoSettle: boolean; prefetch: number },
  ) {
    this.channel = channel;
    this.tag = tag;
    this.tagOctets = Buffer.from(tag);
    this.topic = topic;
    this.shown = shownOf(topic, 1);
    this.group = group;
    this.queues = topic.queues;
    this.priority = options.priority;
    this.exclusive = options.exclusive;
    this.autoSettle = options.autoSettle;
    this.prefetch = options.prefetch;
  }

  capacity(): number {
    if (this.channel.connection.congested) return 0;
    return this.autoSettle ? autoSettleBatch : this.room();
  }

  /** Deliveries it may have on top of those in flight, whatever the connection's state. */
  room(): number {
    const shared = this.channel.room();
    return this.prefetch === 0 ? shared : Math.min(shared, this.prefetch - this.inFlight);
  }

  deliver(leased: Leased): void {
    this.channel.deliver(this, leased);
  }

  cancelled(): void {
    this.channel.consumerGone(this);
  }
}
