/** confirm.select (RabbitMQ): from now on each publish on the channel is answered. */

import { AmqpError } from '../amqp-error.ts';
import type { Channel } from '../channel.ts';
import type { Arguments } from '../method-arguments.ts';

export function confirmSelect(channel: Channel, { nowait }: Arguments<'confirm.select'>): void {
  if (channel.transaction !== null) throw new AmqpError('PRECONDITION_FAILED', 'cannot switch from tx to confirm mode');
  channel.confirms.selected = true;
  if (!nowait) channel.connection.frames.method(channel.number, 'confirm.select-ok', {});
}
