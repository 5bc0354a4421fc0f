/** basic.get: one message now, or get-empty. Prefetch does not count it. */

import type { Channel } from '../channel.ts';
import type { Handled } from '../dispatch.ts';
import { catchUp, groupFor } from '../groups.ts';
import type { Arguments } from '../method-arguments.ts';
import { mayRead } from '../permissions.ts';
import { queueNamed } from './queue-named.ts';

export function basicGet(channel: Channel, args: Arguments<'basic.get'>): Handled {
  return channel.afterAppends(() => get(channel, args));
}

function get(channel: Channel, { queue, noAck }: Arguments<'basic.get'>): void {
  const { connection } = channel;
  const { frames, topology, content } = connection;
  const name = queueNamed(channel, queue);
  mayRead(connection, 'queue', name);
  const topic = topology.require(connection, name);
  const group = groupFor(connection, topic, null);
  catchUp(connection, topic, group);
  const got = channel.get(topic, group, noAck);
  if (got === null) {
    frames.method(channel.number, 'basic.get-empty', {});
    return;
  }
  const { payload, view } = content;
  frames.method(channel.number, 'basic.get-ok', {
    deliveryTag: got.tag,
    redelivered: got.redelivered,
    exchange: payload.toString('utf8', view.exchangeAt, view.exchangeAt + view.exchangeBytes),
    routingKey: payload.toString('utf8', view.routingKeyAt, view.routingKeyAt + view.routingKeyBytes),
    messageCount: topology.readyMessages(topic, group),
  });
  frames.content(channel.number, payload, view);
  // Small requests for large answers: a client that does not read them is not read either.
  connection.stall();
}
