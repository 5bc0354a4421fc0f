/**
 * exchange.declare: creates an exchange, or says that the one there is the same. One with a log topic's name is that
 * topic: a durable topic exchange without arguments.
 */

import type { Exchange } from '../../../core/types.ts';
import { AmqpError } from '../amqp-error.ts';
import type { Channel } from '../channel.ts';
import type { FieldTable } from '../field-table.ts';
import { fieldOf } from '../field-table.ts';
import type { Arguments } from '../method-arguments.ts';
import { cleanName, refuseReserved } from '../names.ts';
import { compareArguments, compareProperty } from '../queue-arguments.ts';
import { argumentsExtra, argumentsOf, exchangePlace } from '../topology.ts';
import { refuseDefaultExchange } from './default-exchange.ts';

const types: readonly string[] = ['direct', 'fanout', 'topic', 'headers'] satisfies Exchange['type'][];

export async function exchangeDeclare(channel: Channel, args: Arguments<'exchange.declare'>): Promise<void> {
  const { connection } = channel;
  const { topology } = connection;
  const name = cleanName(args.exchange);
  refuseDefaultExchange(name);
  if (args.passive) topology.requireExchange(connection, name);
  else {
    if (!types.includes(args.type)) throw new AmqpError('COMMAND_INVALID', `unknown exchange type '${args.type}'`);
    const current = topology.exchange(connection, name);
    if (current !== null) checkSame(args, current, exchangePlace(name, connection.virtualHost));
    else await create(channel, name, args);
  }
  if (!args.nowait) connection.frames.method(channel.number, 'exchange.declare-ok', {});
}

function checkSame(args: Arguments<'exchange.declare'>, current: Exchange, place: string): void {
  compareProperty('type', args.type, current.type, place);
  compareProperty('durable', args.durable, current.durable, place);
  compareProperty('auto_delete', args.autoDelete, current.autoDelete, place);
  compareProperty('internal', args.internal, current.internal, place);
  compareArguments(['alternate-exchange'], args.arguments, argumentsOf(current.extra), place);
}

async function create(channel: Channel, name: string, args: Arguments<'exchange.declare'>): Promise<void> {
  const { connection } = channel;
  refuseReserved('exchange', name);
  checkArguments(args.arguments, exchangePlace(name, connection.virtualHost));
  await connection.broker.createExchange(connection.principal, {
    namespace: connection.namespace,
    name,
    type: args.type as Exchange['type'],
    durable: args.durable,
    autoDelete: args.autoDelete,
    internal: args.internal,
    extra: argumentsExtra(args.arguments),
  });
}

function checkArguments(table: FieldTable, place: string): void {
  const alternate = fieldOf(table, 'alternate-exchange');
  if (alternate !== undefined && alternate.type !== 'S') {
    throw new AmqpError('PRECONDITION_FAILED', `invalid arg 'alternate-exchange' for ${place}: it must be a name`);
  }
}
