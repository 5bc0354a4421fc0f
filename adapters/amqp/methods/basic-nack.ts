/** basic.nack (RabbitMQ): the client cannot handle a delivery, or any up to it; they return or are dead-lettered. */

import type { Channel } from '../channel.ts';
import type { Arguments } from '../method-arguments.ts';

export function basicNack(channel: Channel, { deliveryTag, multiple, requeue }: Arguments<'basic.nack'>): void {
  channel.answer(deliveryTag, multiple, requeue ? 'requeue' : 'reject');
}
