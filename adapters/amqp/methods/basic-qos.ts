/**
 * basic.qos with RabbitMQ's meaning of `global`: false limits each consumer started from now on, true limits all
 * consumers of the channel together. Both hold at once.
 */

import { AmqpError } from '../amqp-error.ts';
import type { Channel } from '../channel.ts';
import type { Arguments } from '../method-arguments.ts';

export function basicQos(channel: Channel, { prefetchSize, prefetchCount, global }: Arguments<'basic.qos'>): void {
  if (prefetchSize !== 0) throw new AmqpError('NOT_IMPLEMENTED', `prefetch_size!=0 (${prefetchSize})`);
  if (global) {
    channel.sharedPrefetch = prefetchCount;
    channel.resumeConsumers();
  } else channel.prefetch = prefetchCount;
  channel.connection.frames.method(channel.number, 'basic.qos-ok', {});
}
