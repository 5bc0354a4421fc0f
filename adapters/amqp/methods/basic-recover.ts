/** basic.recover and recover-async: everything unanswered on the channel returns, and may come back to the same client. */

import { AmqpError } from '../amqp-error.ts';
import type { Channel } from '../channel.ts';
import type { Arguments } from '../method-arguments.ts';

export function basicRecover(channel: Channel, args: Arguments<'basic.recover'>): void {
  basicRecoverAsync(channel, args);
  channel.connection.frames.method(channel.number, 'basic.recover-ok', {});
}

export function basicRecoverAsync(channel: Channel, { requeue }: Arguments<'basic.recover-async'>): void {
  // To keep messages with their consumer and send them again: RabbitMQ does not have it either.
  if (!requeue) throw new AmqpError('NOT_IMPLEMENTED', 'requeue=false');
  channel.recover();
}
