/** exchange.unbind (RabbitMQ). What is not bound is no error. */

import type { Channel } from '../channel.ts';
import type { Arguments } from '../method-arguments.ts';
import { cleanName } from '../names.ts';
import { bindingOf } from './binding-of.ts';
import { refuseDefaultExchange } from './default-exchange.ts';

export async function exchangeUnbind(channel: Channel, args: Arguments<'exchange.unbind'>): Promise<void> {
  const { connection } = channel;
  const { topology } = connection;
  const [source, destination] = [cleanName(args.source), cleanName(args.destination)];
  refuseDefaultExchange(source);
  refuseDefaultExchange(destination);
  const from = topology.exchange(connection, source);
  if (from !== null) {
    const binding = bindingOf(connection.namespace, from, 'exchange', destination, args.routingKey, args.arguments);
    await topology.unbind(connection, binding);
  }
  if (!args.nowait) connection.frames.method(channel.number, 'exchange.unbind-ok', {});
}
