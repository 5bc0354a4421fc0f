// Lag: how much a group has still to read.
import type { Group, QueueNumber } from '../core/types.ts';
import type { Verbs } from '../core/verbs.ts';

/**
 * Messages between the group's place on the queue and its end. What retention took is no longer ahead, and a group that
 * reads by lease has also settled some behind its floor: what is ready or handed out is the exact number there (and for
 * one that reads by offset an upper bound).
 */
export function lagOf(broker: Verbs, group: Group, number: QueueNumber): number {
  const queue = broker.queue(number);
  const committed = broker.committed(group, number);
  if (queue === null || committed === null) return 0;
  const { ready, inFlight } = broker.ledger(group, number);
  return Math.max(0, Math.min(queue.endOffset - Math.max(committed.offset, queue.startOffset), ready + inFlight));
}

/** The same by name of topic, for every topic on which the group has a place. */
export function lagByTopic(broker: Verbs, group: Group): Map<string, number> {
  const lags = new Map<string, number>();
  for (const number of broker.committedQueues(group)) {
    const name = broker.queue(number)?.topic.name;
    if (name !== undefined) lags.set(name, (lags.get(name) ?? 0) + lagOf(broker, group, number));
  }
  return lags;
}
