/** Which group an AMQP consumer reads with: a queue's own one, on a log topic the one that it names. */

import type { Group, Topic } from '../../core/types.ts';
import type { OffsetCommit, QueueState } from '../../core/verbs.ts';
import { AmqpError } from './amqp-error.ts';
import type { Connection } from './connection.ts';
import type { FieldValue } from './field-table.ts';
import { numberOf, textOf } from './queue-arguments.ts';

/** The group of consumers on a log topic that name none: they share its messages, as consumers of a queue do. */
const defaultGroup = 'amqp';

export function groupFor(connection: Connection, topic: Topic, name: string | null): Group {
  const { broker, principal, namespace } = connection;
  if (topic.kind !== 'queue') return broker.ensureGroup(principal, namespace, name ?? defaultGroup);
  if (name !== null) {
    throw new AmqpError(
      'PRECONDITION_FAILED',
      `invalid arg 'x-group': '${topic.name}' is a queue, only a log topic has groups`,
    );
  }
  return ownGroup(connection, topic)!;
}

/** A queue's own group; on a log topic the default one, null while nobody has read with it. */
export function ownGroup(connection: Connection, topic: Topic): Group | null {
  if (topic.kind !== 'queue') return connection.broker.group(connection.namespace, defaultGroup);
  return connection.broker.groupById(topic.ownGroup);
}

/**
 * Queues that a topic has gained since the group read it: there the group begins at the start, since it would have read
 * them had it been there. The core lets a group that is new to a queue begin at its end.
 */
export function catchUp(connection: Connection, topic: Topic, group: Group): void {
  const { broker, principal } = connection;
  if (topic.kind === 'queue') return;
  const unknown = topic.queues.filter((number) => broker.committed(group, number) === null);
  if (unknown.length === 0 || unknown.length === topic.queues.length) return;
  const commits = unknown.map((queue) => ({
    queue,
    offset: broker.queue(queue)?.startOffset ?? 0,
    metadata: '',
    epoch: -1,
  }));
  broker.commitOffsets(principal, group, commits, null, 0);
}

/**
 * `x-stream-offset` of a consumer on a log topic: where a group begins that has no place there yet. Without it, and
 * with `next`, it begins with what is published from now on.
 */
export function beginAt(connection: Connection, topic: Topic, group: Group, field: FieldValue | undefined): void {
  if (field === undefined) return;
  if (topic.kind === 'queue') throw invalidOffset(`'${topic.name}' is a queue, only a log topic has offsets`);
  const { broker, principal } = connection;
  const commits: OffsetCommit[] = [];
  for (const number of topic.queues) {
    const queue = broker.queue(number);
    if (queue === null || broker.committed(group, number) !== null) continue;
    commits.push({ queue: number, offset: offsetIn(queue, field), metadata: '', epoch: -1 });
  }
  if (commits.length > 0) broker.commitOffsets(principal, group, commits, null, 0);
}

function offsetIn({ startOffset, endOffset }: QueueState, field: FieldValue): number {
  const offset = numberOf(field);
  if (offset !== null) return Math.min(Math.max(offset, startOffset), endOffset);
  switch (textOf(field)) {
    case 'first':
      return startOffset;
    case 'last':
      return Math.max(endOffset - 1, startOffset);
    case 'next':
      return endOffset;
    default:
      throw invalidOffset('first, last, next and numbers are served');
  }
}

function invalidOffset(detail: string): AmqpError {
  return new AmqpError('PRECONDITION_FAILED', `invalid arg 'x-stream-offset': ${detail}`);
}
