/** basic.reject: the client cannot handle one delivery; it returns or is dead-lettered. */

import type { Channel } from '../channel.ts';
import type { Arguments } from '../method-arguments.ts';

export function basicReject(channel: Channel, { deliveryTag, requeue }: Arguments<'basic.reject'>): void {
  channel.answer(deliveryTag, false, requeue ? 'requeue' : 'reject');
}
