/** queue.unbind. A binding, queue or exchange that is not there is no error. */

import type { Channel } from '../channel.ts';
import type { Arguments } from '../method-arguments.ts';
import { cleanName } from '../names.ts';
import { mayRead, mayWrite } from '../permissions.ts';
import { bindingOf } from './binding-of.ts';
import { refuseDefaultExchange } from './default-exchange.ts';
import { queueNamed } from './queue-named.ts';

export async function queueUnbind(channel: Channel, args: Arguments<'queue.unbind'>): Promise<void> {
  const { connection } = channel;
  const { topology, broker } = connection;
  const name = queueNamed(channel, args.queue);
  // As when it was bound: both left out, the queue's name stands for both.
  const routingKey = args.queue === '' && args.routingKey === '' ? name : args.routingKey;
  const source = cleanName(args.exchange);
  refuseDefaultExchange(source);
  mayWrite(connection, 'queue', name);
  mayRead(connection, 'exchange', source);
  const exchange = topology.exchange(connection, source);
  if (exchange !== null && broker.topic(connection.namespace, name) !== null) {
    const binding = bindingOf(connection.namespace, exchange, 'queue', name, routingKey, args.arguments);
    topology.checkUnbind(connection, binding);
    await broker.unbind(connection.principal, binding);
  }
  connection.frames.method(channel.number, 'queue.unbind-ok', {});
}
