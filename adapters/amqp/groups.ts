/** Which group an AMQP consumer reads with: a queue's own one, on a log topic the one that it names. */

import type { Group, Topic } from '../../core/types.ts';
import { AmqpError } from './amqp-error.ts';
import type { Connection } from './connection.ts';

/** The group of consumers on a log topic that name none: they share its messages, as consumers of a queue do. */
export const defaultGroup = 'amqp';

export function groupFor(connection: Connection, topic: Topic, name: string | null): Group {
  const { broker, principal, namespace } = connection;
  if (topic.kind === 'topic') return broker.ensureGroup(principal, namespace, name ?? defaultGroup);
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
  if (topic.kind === 'topic') return connection.broker.group(connection.namespace, defaultGroup);
  return connection.broker.groupById(topic.ownGroup);
}
