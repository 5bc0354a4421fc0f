/** What is known of a queue beside its messages: under which epochs it was written, how large it is, who writes to it. */
import { BrokerError } from './errors.ts';
import type { Queue } from './log/queue.ts';
import type { Tables } from './state/tables.ts';
import type { Offset, QueueNumber } from './types.ts';
import type { EpochEnd, QueueFactVerbs, QueueProducer } from './verbs.ts';

export class QueueFacts implements QueueFactVerbs {
  private readonly tables: Tables;

  constructor(tables: Tables) {
    this.tables = tables;
  }

  epochEnd(number: QueueNumber, epoch: number): EpochEnd {
    return this.tables.epochs.end(number, epoch, this.queue(number).visible);
  }

  epochOf(number: QueueNumber, offset: Offset): number {
    return this.tables.epochs.of(number, offset);
  }

  bytes(number: QueueNumber): number {
    return this.queue(number).runs.reduce((sum, run) => sum + run.bytes, 0);
  }

  producers(number: QueueNumber): QueueProducer[] {
    return [...this.tables.producers.of(number)];
  }

  private queue(number: QueueNumber): Queue {
    const queue = this.tables.queues.get(number);
    if (queue === undefined) throw new BrokerError('queue-not-found', `there is no queue ${number}`);
    return queue;
  }
}
