/** The queue that a method names; an empty name is the queue declared last on the channel. */

import { AmqpError } from '../amqp-error.ts';
import type { Channel } from '../channel.ts';
import { cleanName } from '../names.ts';

export function queueNamed(channel: Channel, name: string): string {
  if (name !== '') return cleanName(name);
  if (channel.lastQueue === '') throw new AmqpError('NOT_FOUND', 'no previously declared queue');
  return channel.lastQueue;
}
