/** confirm.select (RabbitMQ): from now on each publish on the channel is answered. */

import type { Channel } from '../channel.ts';
import type { Arguments } from '../method-arguments.ts';

export function confirmSelect(channel: Channel, { nowait }: Arguments<'confirm.select'>): void {
  channel.confirms.selected = true;
  if (!nowait) channel.connection.frames.method(channel.number, 'confirm.select-ok', {});
}
