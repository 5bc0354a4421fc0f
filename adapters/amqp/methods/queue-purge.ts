/** queue.purge: settles what is ready; what consumers hold stays with them. */

import type { Channel } from '../channel.ts';
import type { Handled } from '../dispatch.ts';
import type { Arguments } from '../method-arguments.ts';
import { mayRead } from '../permissions.ts';
import { queueNamed } from './queue-named.ts';

export function queuePurge(channel: Channel, args: Arguments<'queue.purge'>): Handled {
  return channel.afterAppends(() => purge(channel, args));
}

async function purge(channel: Channel, { queue, nowait }: Arguments<'queue.purge'>): Promise<void> {
  const { connection } = channel;
  const name = queueNamed(channel, queue);
  // To RabbitMQ a purge is reading; to the core it changes the queue.
  mayRead(connection, 'queue', name);
  const topic = connection.topology.requireQueue(connection, name, 'purge');
  const messageCount = await connection.broker.purge(connection.context.internal ?? connection.principal, topic);
  if (!nowait) connection.frames.method(channel.number, 'queue.purge-ok', { messageCount });
}
