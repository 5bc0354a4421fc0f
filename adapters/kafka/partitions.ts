// A partition as a request names it: by topic name and index. What is named more than once is answered once, so that
// no answer is longer than what it tells.
import type { Action, Topic } from '../../core/types.ts';
import type { QueueState } from '../../core/verbs.ts';
import type { Call } from './call.ts';
import { topicNamed, unspell } from './names.ts';

export interface NamedPartition {
  readonly topic: Topic;
  readonly queue: QueueState;
}

/** Null when there is none. Throws BrokerError when the topic may not be described. */
export function describedPartition(call: Call, name: string, index: number): NamedPartition | null {
  const { broker, settings } = call.node;
  const topic = topicNamed(broker, settings.namespace, name);
  const number = topic?.queues[index];
  const queue = number === undefined ? null : broker.queue(number);
  if (topic === null || queue === null) return null;
  broker.authorise(call.principal, 'describe', 'topic', topic.namespace, topic.name);
  return { topic, queue };
}

/** Whether the client may do it to the topic of this spelling, be there one or not. */
export function mayUse(call: Call, action: Action, spelling: string): boolean {
  const { broker, settings } = call.node;
  const name = topicNamed(broker, settings.namespace, spelling)?.name ?? unspell(spelling) ?? spelling;
  return broker.allows(call.principal, action, 'topic', settings.namespace, name);
}

/** The partitions that a request names, each once, by topic. */
export function namedOnce(
  topics: Iterable<{ readonly name: string; readonly partitionIndexes: readonly number[] }>,
): Map<string, Set<number>> {
  const once = new Map<string, Set<number>>();
  for (const { name, partitionIndexes } of topics) {
    const indexes = once.get(name) ?? new Set();
    for (const index of partitionIndexes) indexes.add(index);
    once.set(name, indexes);
  }
  return once;
}
