/**
 * The types of exchanges and their arguments: the four of the specification, and those of RabbitMQ's plugins
 * x-consistent-hash and x-delayed-message, as the core knows them.
 */

import type { Exchange, ExchangeType, HashedProperty } from '../../core/types.ts';
import { AmqpError } from './amqp-error.ts';
import type { FieldTable } from './field-table.ts';
import { fieldOf } from './field-table.ts';
import { letterNames, textOf } from './queue-arguments.ts';

export const alternateArgument = 'alternate-exchange';
export const delayedTypeArgument = 'x-delayed-type';
const hashType = 'x-consistent-hash';
const delayedType = 'x-delayed-message';

const types: Readonly<Record<string, ExchangeType>> = {
  direct: 'direct',
  fanout: 'fanout',
  topic: 'topic',
  headers: 'headers',
  [hashType]: 'hash',
};

const hashedProperties: Readonly<Record<string, HashedProperty>> = {
  message_id: 'messageId',
  correlation_id: 'correlationId',
  timestamp: 'timestampMs',
};

export function checkType(type: string): void {
  if (types[type] === undefined && type !== delayedType)
    throw new AmqpError('COMMAND_INVALID', `unknown exchange type '${type}'`);
}

/** The type as a client declares it. */
export function typeOf({ type, holds }: Exchange): string {
  if (holds === true) return delayedType;
  return type === 'hash' ? hashType : type;
}

/** What type and arguments mean to the core. Throws PRECONDITION_FAILED. */
export function meaningOf(
  type: string,
  table: FieldTable,
  place: string,
): Pick<Exchange, 'type' | 'alternate' | 'hashOn' | 'holds'> {
  const alternate = fieldOf(table, alternateArgument);
  if (alternate !== undefined && alternate.type !== 'S') {
    throw new AmqpError(
      'PRECONDITION_FAILED',
      `invalid type '${letterNames[alternate.type]}' for arg '${alternateArgument}' in ${place}`,
    );
  }
  const chosen = type === delayedType ? routesAs(table) : types[type]!;
  const hashOn = chosen === 'hash' ? hashOnOf(table) : null;
  return {
    type: chosen,
    ...(alternate === undefined ? {} : { alternate: alternate.value.toString() }),
    ...(hashOn === null ? {} : { hashOn }),
    ...(type === delayedType ? { holds: true } : {}),
  };
}

/** How an x-delayed-message exchange routes when the time has come. */
function routesAs(table: FieldTable): ExchangeType {
  const name = textOf(fieldOf(table, delayedTypeArgument));
  const type = name === null ? undefined : types[name];
  if (type !== undefined) return type;
  throw new AmqpError(
    'PRECONDITION_FAILED',
    `Invalid argument, '${delayedTypeArgument}' must be an existing exchange type`,
  );
}

function hashOnOf(table: FieldTable): NonNullable<Exchange['hashOn']> | null {
  const header = textOf(fieldOf(table, 'hash-header'));
  const property = textOf(fieldOf(table, 'hash-property'));
  if (header !== null && property !== null)
    throw new AmqpError('PRECONDITION_FAILED', 'hash-header and hash-property are mutually exclusive');
  if (header !== null) return { header };
  if (property === null) return null;
  const known = hashedProperties[property];
  if (known === undefined) throw new AmqpError('PRECONDITION_FAILED', `Unsupported property: ${property}`);
  return { property: known };
}
