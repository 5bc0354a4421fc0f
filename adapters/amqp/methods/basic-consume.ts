/**
 * basic.consume: starts a consumer on a queue, or on a log topic, which it reads by lease with the group that the
 * argument `x-group` names.
 */

import { BrokerError } from '../../../core/errors.ts';
import { AmqpError } from '../amqp-error.ts';
import type { Channel } from '../channel.ts';
import { Consumer } from '../consumer.ts';
import type { FieldTable } from '../field-table.ts';
import { fieldOf } from '../field-table.ts';
import { beginAt, groupFor } from '../groups.ts';
import type { Arguments } from '../method-arguments.ts';
import { generatedName } from '../names.ts';
import { numberOf, textOf } from '../queue-arguments.ts';
import { queuePlace } from '../topology.ts';
import { queueNamed } from './queue-named.ts';

export function basicConsume(channel: Channel, args: Arguments<'basic.consume'>): void {
  const { connection } = channel;
  const name = queueNamed(channel, args.queue);
  const topic = connection.topology.require(connection, name);
  const tag = args.consumerTag === '' ? generatedName('amq.ctag-', connection.context.random) : args.consumerTag;
  if (channel.consumers.has(tag)) throw new AmqpError('NOT_ALLOWED', `attempt to reuse consumer tag '${tag}'`);
  if (channel.consumers.size >= connection.limits.consumersPerChannelMax) {
    throw new AmqpError(
      'NOT_ALLOWED',
      `number of consumers on the channel has reached ${connection.limits.consumersPerChannelMax}`,
    );
  }
  const group = groupFor(connection, topic, groupNamed(args.arguments));
  beginAt(connection, topic, group, fieldOf(args.arguments, 'x-stream-offset'));
  const consumer = new Consumer(channel, tag, topic, group, {
    priority: priorityIn(args.arguments),
    exclusive: args.exclusive,
    autoSettle: args.noAck,
    prefetch: args.noAck ? 0 : channel.prefetch,
  });
  try {
    connection.broker.subscribe(connection.principal, consumer);
  } catch (error) {
    if (!(error instanceof BrokerError) || error.code !== 'exclusive-consumer') throw error;
    throw new AmqpError('ACCESS_REFUSED', `${queuePlace(name, connection.virtualHost)} in exclusive use`, {
      cause: error,
    });
  }
  channel.consumers.set(tag, consumer);
  // Deliveries come in a later turn, so this is ahead of them.
  if (!args.nowait) connection.frames.method(channel.number, 'basic.consume-ok', { consumerTag: tag });
}

function priorityIn(table: FieldTable): number {
  const field = fieldOf(table, 'x-priority');
  if (field === undefined) return 0;
  const priority = numberOf(field);
  if (priority === null) throw new AmqpError('PRECONDITION_FAILED', "invalid arg 'x-priority': it must be an integer");
  return priority;
}

function groupNamed(table: FieldTable): string | null {
  const field = fieldOf(table, 'x-group');
  if (field === undefined) return null;
  const name = textOf(field);
  if (name === null || name === '')
    throw new AmqpError('PRECONDITION_FAILED', "invalid arg 'x-group': it must be a name");
  return name;
}
