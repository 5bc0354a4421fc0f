/**
 * exchange.declare: creates an exchange, or says that the one there is the same. One with a log topic's name is that
 * topic: a durable topic exchange without arguments.
 */

import type { Exchange } from '../../../core/types.ts';
import type { Channel } from '../channel.ts';
import { alternateArgument, checkType, delayedTypeArgument, meaningOf, typeOf } from '../exchange-types.ts';
import type { Arguments } from '../method-arguments.ts';
import { cleanName, refuseReserved } from '../names.ts';
import { mayConfigure, mayRead, mayWrite } from '../permissions.ts';
import { compareArguments, compareProperty } from '../queue-arguments.ts';
import { argumentsExtra, argumentsOf, exchangePlace } from '../topology.ts';
import { refuseDefaultExchange } from './default-exchange.ts';

export async function exchangeDeclare(channel: Channel, args: Arguments<'exchange.declare'>): Promise<void> {
  const { connection } = channel;
  const { topology } = connection;
  const name = cleanName(args.exchange);
  refuseDefaultExchange(name);
  if (args.passive) topology.requireExchange(connection, name);
  else {
    checkType(args.type);
    mayConfigure(connection, 'exchange', name);
    const current = topology.exchange(connection, name);
    if (current !== null) checkSame(args, current, exchangePlace(name, connection.virtualHost));
    else await create(channel, name, args);
  }
  if (!args.nowait) connection.frames.method(channel.number, 'exchange.declare-ok', {});
}

function checkSame(args: Arguments<'exchange.declare'>, current: Exchange, place: string): void {
  compareProperty('type', args.type, typeOf(current), place);
  compareProperty('durable', args.durable, current.durable, place);
  compareProperty('auto_delete', args.autoDelete, current.autoDelete, place);
  compareProperty('internal', args.internal, current.internal, place);
  compareArguments([alternateArgument, delayedTypeArgument], args.arguments, argumentsOf(current.extra), place);
}

async function create(channel: Channel, name: string, args: Arguments<'exchange.declare'>): Promise<void> {
  const { connection } = channel;
  refuseReserved('exchange', name);
  const place = exchangePlace(name, connection.virtualHost);
  const meaning = meaningOf(args.type, args.arguments, place);
  if (meaning.alternate !== undefined) {
    mayRead(connection, 'exchange', name);
    mayWrite(connection, 'exchange', meaning.alternate);
  }
  await connection.broker.createExchange(connection.principal, {
    namespace: connection.namespace,
    name,
    ...meaning,
    durable: args.durable,
    autoDelete: args.autoDelete,
    internal: args.internal,
    extra: argumentsExtra(args.arguments),
  });
}
