/**
 * One channel: its consumers, what they hold unanswered, its confirms, and the content being published on it.
 *
 * Life cycle: open → (the client closes: gone) or (an error closes it: `closing`, everything but close-ok is dropped) →
 * gone. Whatever ends it, consumers stop and everything unanswered returns to its place, once, in `release`.
 */

import { BrokerError } from '../../core/errors.ts';
import type { Group, Leased, Outcome, QueueNumber, Topic } from '../../core/types.ts';
import type { AppendTarget, Settle } from '../../core/verbs.ts';
import { AmqpError } from './amqp-error.ts';
import { AnswerDeadline } from './answer-deadline.ts';
import { Confirms } from './confirms.ts';
import type { Connection } from './connection.ts';
import { type Consumer, unackedMaxDefault } from './consumer.ts';
import { ContentAssembly } from './content-assembly.ts';
import { type Shown, shownOf } from './delivery-content.ts';
import type { ReplyConsumer } from './direct-replies.ts';
import type { Handled } from './dispatch.ts';
import { fieldOf } from './field-table.ts';
import { numberOf } from './queue-arguments.ts';
import { shapeOf } from './topology.ts';
import type { Transaction } from './transaction.ts';
import { Unacked } from './unacked.ts';

/** Where deliveries came from: answers need the group and queue, and find their consumer. Null for basic.get. */
interface Source {
  readonly group: Group;
  readonly queue: QueueNumber;
  readonly consumer: Consumer | null;
  inFlight: number;
}

interface Got {
  offset: number;
  redelivered: boolean;
  failure: BrokerError | null;
  shown: Shown;
  readonly sources: Map<QueueNumber, number>;
}

export class Channel implements AppendTarget {
  readonly connection: Connection;
  readonly number: number;
  closing = false;
  readonly content: ContentAssembly;
  readonly confirms = new Confirms();
  readonly consumers = new Map<string, Consumer>();
  /** For consumers started from now on. */
  prefetch = 0;
  /** Shared by all consumers of the channel, 0: none. */
  sharedPrefetch = 0;
  /** What an empty queue name means. */
  lastQueue = '';
  /** With the class tx selected: what waits for the commit. */
  transaction: Transaction | null = null;
  /** The channel consumes direct replies. */
  replies: ReplyConsumer | null = null;
  #pendingAppends = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #unacked = new Unacked();
  /** Unanswered deliveries to consumers: the shared prefetch does not count those of basic.get. */
  #consumed = 0;
  #deliveryTag = 0;
  readonly #unackedMax: number;
  readonly #deadline: AnswerDeadline;
  readonly #sources: (Source | null)[] = [];
  readonly #freeSources: number[] = [];
  /** Cancelled consumers that still hold deliveries. */
  readonly #cancelled = new Set<Consumer>();

  constructor(connection: Connection, number: number) {
    this.connection = connection;
    this.number = number;
    this.content = new ContentAssembly(connection.loan);
    this.#unackedMax = connection.context.limits['unackedPerChannelMax'] ?? unackedMaxDefault;
    this.#deadline = new AnswerDeadline(connection.context.clock, {
      oldestTag: () => (this.#unacked.count === 0 ? -1 : this.#unacked.tagAt(this.#unacked.firstSlot)),
      lastTag: () => this.#deliveryTag,
      timedOut: (timeoutMs) =>
        connection.fail(
          new AmqpError(
            'PRECONDITION_FAILED',
            `delivery acknowledgement on channel ${number} timed out. Timeout value used: ${timeoutMs} ms. ` +
              'This timeout value can be configured, see consumers doc guide to learn more',
          ),
          number,
          0,
        ),
    });
  }

  // ------------------------------------------------------------ deliveries

  room(): number {
    const room = this.#unackedMax - this.#unacked.count;
    return this.sharedPrefetch === 0 ? room : Math.min(room, this.sharedPrefetch - this.#consumed);
  }

  /** Deliveries of this topic are about to come. */
  expectAnswers(topic: Topic): void {
    const ofQueue = numberOf(fieldOf(shapeOf(topic).arguments, 'x-consumer-timeout'));
    this.#deadline.watch(ofQueue ?? this.connection.limits.consumerTimeoutMs);
  }

  nextTag(): number {
    return ++this.#deliveryTag;
  }

  deliver(consumer: Consumer, leased: Leased): void {
    const { connection } = this;
    const { queue, offset } = leased;
    try {
      connection.content.take(connection.broker, leased, consumer.shown);
    } catch (error) {
      this.#undeliverable(error, consumer, queue, offset);
      return;
    }
    const tag = ++this.#deliveryTag;
    const { payload, view } = connection.content;
    connection.frames.deliver(this.number, consumer.tagOctets, tag, leased.redelivered, payload, view);
    if (consumer.autoSettle) return;
    this.#unacked.push(tag, this.#source(consumer.group, queue, consumer), offset);
    consumer.taken();
    this.#consumed++;
  }

  /** A message that cannot be read would come back for ever: it goes where rejected messages go. */
  #undeliverable(error: unknown, consumer: Consumer, queue: QueueNumber, offset: number): void {
    if (!(error instanceof BrokerError)) throw error;
    this.connection.context.log.warn({ queue, offset, code: error.code }, `message is undeliverable: ${error.message}`);
    if (consumer.autoSettle) return;
    const { broker } = this.connection;
    this.connection.context.clock.afterTurn(() => broker.settle(consumer.group, queue, offset, 'reject'));
  }

  /** basic.get: takes one message now, or returns null when nothing is ready. Its content is in `connection.content`. */
  get(topic: Topic, group: Group, autoSettle: boolean): { tag: number; redelivered: boolean } | null {
    const { broker, principal } = this.connection;
    // Of a queue with priorities the last line holds the highest.
    for (let line = topic.queues.length - 1; line >= 0; line--) {
      const queue = topic.queues[line]!;
      const got = this.#got;
      got.failure = null;
      got.shown = shownOf(topic, 0);
      if (!broker.leaseOne(principal, group, queue, this, 0, this.#take)) continue;
      const failure = this.#got.failure;
      if (failure !== null) {
        this.connection.context.log.warn({ queue, offset: got.offset }, `message is undeliverable: ${failure.message}`);
        broker.settle(group, queue, got.offset, 'reject');
        continue;
      }
      const tag = ++this.#deliveryTag;
      if (autoSettle) broker.settle(group, queue, got.offset, 'done');
      else {
        this.expectAnswers(topic);
        this.#unacked.push(tag, this.#source(group, queue, null), got.offset);
      }
      return { tag, redelivered: got.redelivered };
    }
    return null;
  }

  /** What basic.get has just taken, and the sources of what it took earlier. */
  readonly #got: Got = {
    offset: 0,
    redelivered: false,
    failure: null,
    shown: { exchange: '', counter: null, countsFrom: 0 },
    sources: new Map(),
  };

  readonly #take = (leased: Leased): void => {
    this.#got.offset = leased.offset;
    this.#got.redelivered = leased.redelivered;
    try {
      this.connection.content.take(this.connection.broker, leased, this.#got.shown);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      this.#got.failure = error;
    }
  };

  /** The index of the source a delivery came from, counted up by it. */
  #source(group: Group, queue: QueueNumber, consumer: Consumer | null): number {
    const known = consumer === null ? this.#got.sources : consumer.sources;
    let index = known.get(queue);
    if (index === undefined) {
      index = this.#freeSources.pop() ?? this.#sources.length;
      this.#sources[index] = { group, queue, consumer, inFlight: 0 };
      known.set(queue, index);
    }
    this.#sources[index]!.inFlight++;
    return index;
  }

  /** Nothing of it is in flight and nothing will be. */
  #freeSource(index: number): void {
    const { queue, consumer } = this.#sources[index]!;
    (consumer === null ? this.#got.sources : consumer.sources).delete(queue);
    this.#sources[index] = null;
    this.#freeSources.push(index);
  }

  // ------------------------------------------------------------ answers

  /** basic.ack, nack and reject. Throws PRECONDITION_FAILED for a tag that is not outstanding. */
  answer(tag: number, multiple: boolean, outcome: Outcome): void {
    const unacked = this.#unacked;
    if (multiple && tag === 0) {
      this.#answerThrough(unacked.lastSlot, outcome);
      return;
    }
    const slot = unacked.find(tag);
    if (slot < 0 || this.transaction?.answers.has(tag))
      throw new AmqpError('PRECONDITION_FAILED', `unknown delivery tag ${tag}`);
    if (multiple) this.#answerThrough(slot, outcome);
    else if (this.transaction !== null) this.transaction.answers.set(tag, outcome);
    else this.#answerSlot(slot, outcome);
  }

  /** basic.recover: everything unanswered goes back, at once. What a transaction has answered waits for its commit. */
  recover(): void {
    const unacked = this.#unacked;
    const answers = this.transaction?.answers;
    for (let slot = unacked.firstSlot, last = unacked.lastSlot; slot <= last; slot++) {
      if (unacked.sourceAt(slot) >= 0 && answers?.has(unacked.tagAt(slot)) !== true) this.#answerSlot(slot, 'requeue');
    }
  }

  #answerThrough(last: number, outcome: Outcome): void {
    const unacked = this.#unacked;
    for (let slot = unacked.firstSlot; slot <= last; slot++) {
      if (unacked.sourceAt(slot) < 0) continue;
      const tag = unacked.tagAt(slot);
      if (this.transaction === null) this.#answerSlot(slot, outcome);
      else if (!this.transaction.answers.has(tag)) this.transaction.answers.set(tag, outcome);
    }
  }

  /** The leases that a commit ends. */
  settlesOf(transaction: Transaction): Settle[] {
    const settles: Settle[] = [];
    for (const [tag, outcome] of transaction.answers) {
      const slot = this.#unacked.find(tag);
      if (slot < 0 || outcome !== 'done') continue;
      const { group, queue } = this.#sources[this.#unacked.sourceAt(slot)]!;
      settles.push({ group, queue, offset: this.#unacked.offsetAt(slot) });
    }
    return settles;
  }

  /** What the commit has settled is forgotten; what it gives back or rejects goes its way. */
  answerCommitted(transaction: Transaction): void {
    for (const [tag, outcome] of transaction.answers) {
      const slot = this.#unacked.find(tag);
      if (slot >= 0) this.#answerSlot(slot, outcome);
    }
  }

  #answerSlot(slot: number, outcome: Outcome): void {
    const unacked = this.#unacked;
    const index = unacked.sourceAt(slot);
    const offset = unacked.offsetAt(slot);
    const source = this.#sources[index]!;
    const { consumer } = source;
    const channelWasFull = this.room() <= 0;
    unacked.remove(slot);
    if (--source.inFlight === 0 && (consumer === null || consumer.stopped)) this.#freeSource(index);
    this.connection.shared.counts.answered++;
    this.connection.broker.settle(source.group, source.queue, offset, outcome);
    if (consumer !== null) {
      this.#consumed--;
      const hasRoom = consumer.answered();
      if (consumer.stopped) this.#letGo(consumer);
      else if (hasRoom && !channelWasFull) this.connection.broker.resume(consumer);
    }
    if (channelWasFull) this.resumeConsumers();
  }

  #letGo(consumer: Consumer): void {
    if (consumer.inFlight === 0 && this.#cancelled.delete(consumer)) this.connection.broker.unsubscribe(consumer);
  }

  resumeConsumers(): void {
    for (const consumer of this.consumers.values()) this.connection.broker.resume(consumer);
  }

  // ------------------------------------------------------------ consumers

  /** basic.cancel: it stops, but what it holds stays held until answered or the channel ends. */
  cancel(consumer: Consumer): void {
    this.consumers.delete(consumer.tag);
    this.#stop(consumer);
    if (consumer.inFlight === 0) {
      this.connection.broker.unsubscribe(consumer);
      return;
    }
    this.connection.broker.unsubscribe(consumer, true);
    this.#cancelled.add(consumer);
  }

  endReplies(): void {
    if (this.replies !== null) this.connection.shared.replies.close(this.replies);
    this.replies = null;
  }

  #stop(consumer: Consumer): void {
    consumer.stopped = true;
    for (const index of consumer.sources.values()) {
      if (this.#sources[index]!.inFlight === 0) this.#freeSource(index);
    }
  }

  /** The queue was deleted under the consumer. */
  consumerGone(consumer: Consumer): void {
    if (this.consumers.get(consumer.tag) !== consumer) return;
    this.consumers.delete(consumer.tag);
    this.#stop(consumer);
    if (this.closing) return;
    if (this.connection.client.consumerCancelNotify) {
      this.connection.frames.method(this.number, 'basic.cancel', { consumerTag: consumer.tag, nowait: true });
    }
  }

  // ------------------------------------------------------------ publishes

  /** An append was accepted; `appended` will follow. */
  awaitAppend(sequence: number, bytes: number): void {
    this.#pendingAppends++;
    this.connection.unwritten.add(bytes);
    if (sequence > 0) this.confirms.awaited(sequence);
  }

  /** A publish was not taken by every queue, and its publisher is told so. */
  refuse(sequence: number): void {
    this.connection.frames.method(this.number, 'basic.nack', {
      deliveryTag: sequence,
      multiple: false,
      requeue: false,
    });
    this.confirms.refused();
  }

  /**
   * Runs a method that looks at what is in a queue. What the channel published before must be visible to it, as it is
   * in RabbitMQ, and a message is visible only once it is as safe as its topic says: so it may have to wait.
   */
  afterAppends(run: () => Handled): Handled {
    if (this.#pendingAppends === 0) return run();
    return new Promise<void>((resolve) => this.#waiting.push(resolve)).then(run);
  }

  /** An append is committed: the token is its sequence number, or 0 without confirms. */
  appended(token: number): void {
    this.connection.unwritten.done();
    if (--this.#pendingAppends === 0 && this.#waiting.length > 0) {
      for (const resolve of this.#waiting) resolve();
      this.#waiting.length = 0;
    }
    if (token > 0 && this.confirms.appended(token)) this.connection.confirmLater(this);
  }

  flushConfirms(): void {
    if (!this.closing) this.confirms.flush(this.#ack);
  }

  readonly #ack = (sequence: number, multiple: boolean): void => {
    this.connection.frames.ack(this.number, sequence, multiple);
  };

  // ------------------------------------------------------------ the end

  /** Closes the channel for an error of its client: from now on only close-ok counts. */
  fail(error: AmqpError, classId: number, methodId: number): void {
    this.closing = true;
    this.content.end();
    this.connection.frames.method(this.number, 'channel.close', {
      replyCode: error.code,
      replyText: error.message,
      classId,
      methodId,
    });
  }

  /** Stops all consumers and returns everything unanswered. Returns the queues that lost a consumer. */
  release(): Topic[] {
    const { broker } = this.connection;
    const lost = [...this.consumers.values()];
    this.consumers.clear();
    for (const consumer of [...lost, ...this.#cancelled]) broker.unsubscribe(consumer);
    this.#cancelled.clear();
    this.#deadline.stop();
    this.transaction = null;
    this.endReplies();
    broker.release(this);
    this.content.end();
    return lost.map((consumer) => consumer.topic);
  }
}
