/** exchange.unbind (RabbitMQ). What is not bound is no error. */

import type { Channel } from '../channel.ts';
import type { Arguments } from '../method-arguments.ts';
import { cleanName } from '../names.ts';
import { mayRead, mayWrite } from '../permissions.ts';
import { bindingOf } from './binding-of.ts';
import { refuseDefaultExchange } from './default-exchange.ts';

export async function exchangeUnbind(channel: Channel, args: Arguments<'exchange.unbind'>): Promise<void> {
  const { connection } = channel;
  const { topology } = connection;
  const [source, destination] = [cleanName(args.source), cleanName(args.destination)];
  refuseDefaultExchange(source);
  refuseDefaultExchange(destination);
  mayWrite(connection, 'exchange', destination);
  mayRead(connection, 'exchange', source);
  const from = topology.exchange(connection, source);
  if (from !== null) {
    const binding = bindingOf(connection.namespace, from, 'exchange', destination, args.routingKey, args.arguments);
    await connection.broker.unbind(connection.principal, binding);
  }
  if (!args.nowait) connection.frames.method(channel.number, 'exchange.unbind-ok', {});
}
