/**
 * basic.consume: starts a consumer on a queue, or on a log topic, which it reads by lease with the group that the
 * argument `x-group` names.
 */

import { BrokerError } from '../../../core/errors.ts';
import { AmqpError } from '../amqp-error.ts';
import type { Channel } from '../channel.ts';
import { Consumer } from '../consumer.ts';
import { repliesName } from '../direct-replies.ts';
import type { FieldTable } from '../field-table.ts';
import { fieldOf } from '../field-table.ts';
import { beginAt, catchUp, groupFor } from '../groups.ts';
import type { Arguments } from '../method-arguments.ts';
import { generatedName } from '../names.ts';
import { mayRead } from '../permissions.ts';
import { letterNames, numberOf, textOf } from '../queue-arguments.ts';
import { queuePlace } from '../topology.ts';
import { queueNamed } from './queue-named.ts';

export function basicConsume(channel: Channel, args: Arguments<'basic.consume'>): void {
  const { connection } = channel;
  const name = queueNamed(channel, args.queue);
  if (name === repliesName) {
    consumeReplies(channel, args);
    return;
  }
  mayRead(connection, 'queue', name);
  const topic = connection.topology.require(connection, name);
  const place = queuePlace(name, connection.virtualHost);
  const tag = args.consumerTag === '' ? generatedName('amq.ctag-', connection.context.random) : args.consumerTag;
  if (channel.consumers.has(tag)) throw new AmqpError('NOT_ALLOWED', `attempt to reuse consumer tag '${tag}'`);
  if (channel.consumers.size >= connection.limits.consumersPerChannelMax) {
    throw new AmqpError(
      'NOT_ALLOWED',
      `number of consumers on the channel has reached ${connection.limits.consumersPerChannelMax}`,
    );
  }
  const group = groupFor(connection, topic, groupNamed(args.arguments));
  catchUp(connection, topic, group);
  beginAt(connection, topic, group, fieldOf(args.arguments, 'x-stream-offset'));
  const consumer = new Consumer(channel, tag, topic, group, {
    priority: priorityIn(args.arguments, place),
    exclusive: args.exclusive,
    autoSettle: args.noAck,
    prefetch: args.noAck ? 0 : channel.prefetch,
  });
  if (args.exclusive && topic.attributes.rules?.singleActive === true)
    throw new AmqpError('ACCESS_REFUSED', `${place} in exclusive use`);
  if (channel.sharedPrefetch > 0 && consumer.shown.counter === 'x-delivery-count')
    throw new AmqpError('NOT_IMPLEMENTED', `${place} does not support global qos`);
  try {
    connection.broker.subscribe(connection.principal, consumer);
  } catch (error) {
    if (!(error instanceof BrokerError) || error.code !== 'exclusive-consumer') throw error;
    throw new AmqpError('ACCESS_REFUSED', `${place} in exclusive use`, { cause: error });
  }
  channel.consumers.set(tag, consumer);
  if (!args.noAck) channel.expectAnswers(topic);
  // Deliveries come in a later turn, so this is ahead of them.
  if (!args.nowait) connection.frames.method(channel.number, 'basic.consume-ok', { consumerTag: tag });
}

/** Consumes what is published to the name that replaces `amq.rabbitmq.reply-to` in this channel's messages. */
function consumeReplies(channel: Channel, args: Arguments<'basic.consume'>): void {
  const { connection } = channel;
  if (!args.noAck) throw new AmqpError('PRECONDITION_FAILED', 'reply consumer cannot acknowledge');
  if (channel.replies !== null) throw new AmqpError('PRECONDITION_FAILED', 'reply consumer already set');
  const tag = args.consumerTag === '' ? generatedName('amq.ctag-', connection.context.random) : args.consumerTag;
  channel.replies = connection.shared.replies.open(channel, tag);
  if (!args.nowait) connection.frames.method(channel.number, 'basic.consume-ok', { consumerTag: tag });
}

function priorityIn(table: FieldTable, place: string): number {
  const field = fieldOf(table, 'x-priority');
  if (field === undefined) return 0;
  const priority = numberOf(field);
  if (priority !== null) return priority;
  throw new AmqpError(
    'PRECONDITION_FAILED',
    `invalid arg 'x-priority' for ${place}: "expected integer, got ${letterNames[field.type]}"`,
  );
}

function groupNamed(table: FieldTable): string | null {
  const field = fieldOf(table, 'x-group');
  if (field === undefined) return null;
  const name = textOf(field);
  if (name === null || name === '')
    throw new AmqpError('PRECONDITION_FAILED', "invalid arg 'x-group': it must be a name");
  return name;
}
