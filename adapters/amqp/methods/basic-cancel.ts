/** basic.cancel: no delivery follows cancel-ok. What the consumer holds stays held. A tag nobody knows is no error. */

import type { Channel } from '../channel.ts';
import type { Arguments } from '../method-arguments.ts';
import { shapeOf } from '../topology.ts';

export function basicCancel(
  channel: Channel,
  { consumerTag, nowait }: Arguments<'basic.cancel'>,
): void | Promise<void> {
  const consumer = channel.consumers.get(consumerTag);
  if (consumer !== undefined) channel.cancel(consumer);
  else if (channel.replies?.tag === consumerTag) channel.endReplies();
  if (!nowait) channel.connection.frames.method(channel.number, 'basic.cancel-ok', { consumerTag });
  if (consumer === undefined || consumer.topic.kind !== 'queue' || !shapeOf(consumer.topic).autoDelete) return;
  return channel.connection.removeUnused([consumer.topic]);
}
