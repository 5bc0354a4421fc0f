/** exchange.delete. One that is not there is no error; predeclared ones and log topics stay. */

import { AmqpError } from '../amqp-error.ts';
import type { Channel } from '../channel.ts';
import type { Arguments } from '../method-arguments.ts';
import { cleanName, isReserved } from '../names.ts';
import { mayDelete } from '../permissions.ts';
import { exchangePlace, onLogTopic } from '../topology.ts';
import { refuseDefaultExchange } from './default-exchange.ts';

export async function exchangeDelete(channel: Channel, args: Arguments<'exchange.delete'>): Promise<void> {
  const { connection } = channel;
  const { broker, topology, namespace, virtualHost } = connection;
  const name = cleanName(args.exchange);
  refuseDefaultExchange(name);
  if (isReserved(name)) {
    throw new AmqpError('ACCESS_REFUSED', `deletion of system ${exchangePlace(name, virtualHost)} not allowed`);
  }
  mayDelete(connection, 'exchange', name);
  if (broker.exchange(namespace, name) !== null) {
    if (args.ifUnused && topology.isSource(connection, name)) {
      throw new AmqpError('PRECONDITION_FAILED', `${exchangePlace(name, virtualHost)} in use`);
    }
    await broker.deleteExchange(connection.principal, namespace, name);
  } else if (topology.logTopic(connection, name) !== null) throw onLogTopic(name, 'delete');
  if (!args.nowait) connection.frames.method(channel.number, 'exchange.delete-ok', {});
}
