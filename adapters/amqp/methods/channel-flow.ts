/** channel.flow: deliveries cannot be stopped this way, as in RabbitMQ; a prefetch does that. */

import { AmqpError } from '../amqp-error.ts';
import type { Channel } from '../channel.ts';
import type { Arguments } from '../method-arguments.ts';

export function channelFlow(channel: Channel, { active }: Arguments<'channel.flow'>): void {
  if (!active) throw new AmqpError('NOT_IMPLEMENTED', 'active=false');
  channel.connection.frames.method(channel.number, 'channel.flow-ok', { active });
}
