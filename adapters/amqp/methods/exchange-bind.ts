/** exchange.bind (RabbitMQ): what the source routes also goes through the destination. */

import type { Channel } from '../channel.ts';
import type { Arguments } from '../method-arguments.ts';
import { cleanName } from '../names.ts';
import { mayRead, mayWrite } from '../permissions.ts';
import { bindingOf, checkWeight } from './binding-of.ts';
import { refuseDefaultExchange } from './default-exchange.ts';

export async function exchangeBind(channel: Channel, args: Arguments<'exchange.bind'>): Promise<void> {
  const { connection } = channel;
  const { topology } = connection;
  const [source, destination] = [cleanName(args.source), cleanName(args.destination)];
  refuseDefaultExchange(source);
  refuseDefaultExchange(destination);
  mayWrite(connection, 'exchange', destination);
  mayRead(connection, 'exchange', source);
  const from = topology.requireExchange(connection, source);
  checkWeight(from, args.routingKey);
  const to = topology.requireExchange(connection, destination);
  await topology.materialise(connection, from);
  await topology.materialise(connection, to);
  const binding = bindingOf(connection.namespace, from, 'exchange', destination, args.routingKey, args.arguments);
  await connection.broker.bind(connection.principal, binding);
  if (!args.nowait) connection.frames.method(channel.number, 'exchange.bind-ok', {});
}
