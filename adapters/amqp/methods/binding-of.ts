/** A binding as the core keeps it, from what a bind or unbind names. */

import type { Binding, Exchange, WantedHeader } from '../../../core/types.ts';
import { AmqpError } from '../amqp-error.ts';
import { headerOfField, markerOf, tableText } from '../canonical-header.ts';
import type { FieldTable, FieldValue } from '../field-table.ts';
import { fieldOf } from '../field-table.ts';
import { letterNames } from '../queue-arguments.ts';

export function bindingOf(
  namespace: string,
  source: Exchange,
  destinationKind: Binding['destinationKind'],
  destination: string,
  routingKey: string,
  table: FieldTable,
): Binding {
  return {
    namespace,
    source: source.name,
    destinationKind,
    destination,
    routingKey,
    arguments: table.length === 0 ? '' : tableText(table),
    match: source.type === 'headers' ? matchOf(table) : null,
  };
}

/** What a headers exchange compares: all or any of the arguments, without `…-with-x` not those whose names begin with `x-`. */
function matchOf(table: FieldTable): NonNullable<Binding['match']> {
  const field = fieldOf(table, 'x-match');
  if (field !== undefined && field.type !== 'S') {
    throw new AmqpError(
      'PRECONDITION_FAILED',
      `Invalid x-match field type ${letterNames[field.type]} (value ${String(field.value)}); expected longstr`,
    );
  }
  const text = field === undefined ? 'all' : field.value.toString();
  const mode = matchModes[text];
  if (mode === undefined) {
    throw new AmqpError(
      'PRECONDITION_FAILED',
      `Invalid x-match field value <<"${text}">>; expected all, any, all-with-x, or any-with-x`,
    );
  }
  const headers = table
    .filter((entry) => entry.key !== 'x-match' && (text.endsWith('-with-x') || !entry.key.startsWith('x-')))
    .map(({ key, field: value }) => wanted(key, value));
  return { mode, headers };
}

const matchModes: Readonly<Record<string, 'all' | 'any'>> = {
  all: 'all',
  any: 'any',
  'all-with-x': 'all',
  'any-with-x': 'any',
};

/** RabbitMQ compares numbers with numbers and octets with octets, whatever their letters. */
function wanted(key: string, field: FieldValue): WantedHeader {
  const header = headerOfField(key, field);
  if (numbers.includes(field.type)) return { ...header, types: numbers.map(markerOf) };
  if (octets.includes(field.type)) return { ...header, types: ['', ...octets.map(markerOf)] };
  return header;
}

const numbers: readonly FieldValue['type'][] = ['b', 'B', 's', 'u', 'I', 'i', 'l', 'L', 'f', 'd', 'T'];
const octets: readonly FieldValue['type'][] = ['S', 'x'];

/** A binding of an x-consistent-hash exchange says its weight in the routing key. */
export function checkWeight(source: Exchange, routingKey: string): void {
  if (source.type === 'hash' && !/^[+-]?\d+$/.test(routingKey))
    throw new AmqpError('PRECONDITION_FAILED', `The binding key must be an integer: <<"${routingKey}">>`);
}
