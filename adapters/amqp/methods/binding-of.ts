/** A binding as the core keeps it, from what a bind or unbind names. */

import type { Binding, Exchange } from '../../../core/types.ts';
import { AmqpError } from '../amqp-error.ts';
import { headerOfField, tableText } from '../canonical-header.ts';
import type { FieldTable } from '../field-table.ts';
import { fieldOf } from '../field-table.ts';
import { textOf } from '../queue-arguments.ts';

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

/** What a headers exchange compares: all or any of the arguments, except those whose names begin with `x-`. */
function matchOf(table: FieldTable): NonNullable<Binding['match']> {
  const field = fieldOf(table, 'x-match');
  const mode = field === undefined ? 'all' : textOf(field);
  if (mode === 'all-with-x' || mode === 'any-with-x') {
    throw new AmqpError('NOT_IMPLEMENTED', `x-match '${mode}' is not served`, { scope: 'channel' });
  }
  if (mode !== 'all' && mode !== 'any') {
    throw new AmqpError(
      'PRECONDITION_FAILED',
      `Invalid x-match field value <<"${mode ?? ''}">>; expected all, any, all-with-x, or any-with-x`,
    );
  }
  const headers = table
    .filter((entry) => !entry.key.startsWith('x-'))
    .map(({ key, field }) => headerOfField(key, field));
  return { mode, headers };
}
