/**
 * One basic.consume: a lease consumer of the core that writes what it is given as basic.deliver.
 *
 * Invariants: `inFlight` is the number of its deliveries that the client has not answered; it takes no more than its
 * prefetch, its channel's shared prefetch and its connection's outbox allow. Once its prefetch was full it takes nothing
 * until an eighth of it is free or a moment has passed: a client that answers one by one is otherwise written to for
 * each answer, and its work is to read those writes. Something is always taken in the end, as a client may wait for its
 * prefetch to be full before it answers.
 */

import type { Group, LeaseConsumer, Leased, QueueNumber, Topic } from '../../core/types.ts';
import type { Channel } from './channel.ts';
import { type Shown, shownOf } from './delivery-content.ts';

/** What a client without any prefetch may hold unanswered on a channel, unless the configuration says otherwise. */
export const unackedMaxDefault = 100_000;
/** How long it waits for that, in milliseconds. */
const roomWaitMs = 1;
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
  /** Of its prefetch, what has to be free before it goes on after it was full. */
  readonly #roomWanted: number;
  /** It was full, and so much has not become free since. */
  #waits = false;
  #timer = 0;
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
    this.#roomWanted = Math.max(1, this.prefetch >>> 3);
  }

  capacity(): number {
    if (this.#waits || this.channel.connection.congested) return 0;
    return this.autoSettle ? autoSettleBatch : this.room();
  }

  /** Deliveries it may have on top of those in flight, whatever the connection's state. */
  room(): number {
    const shared = this.channel.room();
    return this.prefetch === 0 ? shared : Math.min(shared, this.prefetch - this.inFlight);
  }

  /** One more is in flight. */
  taken(): void {
    if (++this.inFlight === this.prefetch) this.#waits = true;
  }

  /** One less is in flight. True when that is what it waited for. */
  answered(): boolean {
    this.inFlight--;
    if (!this.#waits) return false;
    if (this.prefetch - this.inFlight >= this.#roomWanted) {
      this.#waits = false;
      return true;
    }
    if (this.#timer === 0) this.#timer = this.channel.connection.context.clock.setTimer(roomWaitMs, this.#waitedLong);
    return false;
  }

  readonly #waitedLong = (): void => {
    this.#timer = 0;
    if (!this.#waits || this.stopped || this.inFlight === this.prefetch) return;
    this.#waits = false;
    if (this.channel.connection.state === 'running') this.channel.connection.broker.resume(this);
  };

  deliver(leased: Leased): void {
    this.channel.deliver(this, leased);
  }

  cancelled(): void {
    this.channel.consumerGone(this);
  }
}
