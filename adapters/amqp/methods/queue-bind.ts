/** queue.bind: from an exchange, or from a log topic, whose records of any protocol the queue then receives too. */

import type { Channel } from '../channel.ts';
import type { Arguments } from '../method-arguments.ts';
import { cleanName } from '../names.ts';
import { mayRead, mayWrite } from '../permissions.ts';
import { bindingOf, checkWeight } from './binding-of.ts';
import { refuseDefaultExchange } from './default-exchange.ts';
import { queueNamed } from './queue-named.ts';

export async function queueBind(channel: Channel, args: Arguments<'queue.bind'>): Promise<void> {
  const { connection } = channel;
  const { topology } = connection;
  const name = queueNamed(channel, args.queue);
  // Both left out: the queue's name stands for both.
  const routingKey = args.queue === '' && args.routingKey === '' ? name : args.routingKey;
  const source = cleanName(args.exchange);
  refuseDefaultExchange(source);
  mayWrite(connection, 'queue', name);
  topology.requireQueue(connection, name, 'bind to anything');
  const exchange = topology.requireExchange(connection, source);
  mayRead(connection, 'exchange', source);
  checkWeight(exchange, routingKey);
  const binding = bindingOf(connection.namespace, exchange, 'queue', name, routingKey, args.arguments);
  await topology.materialise(connection, exchange);
  await connection.broker.bind(connection.principal, binding);
  if (!args.nowait) connection.frames.method(channel.number, 'queue.bind-ok', {});
}
