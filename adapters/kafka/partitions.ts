// A partition as a request names it: by topic name and index.
import type { Topic } from '../../core/types.ts';
import type { QueueState } from '../../core/verbs.ts';
import type { Call } from './call.ts';
import { topicNamed } from './names.ts';

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
