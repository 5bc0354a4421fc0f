/** The class tx is not served: it would have to make publishes and answers one entry of the log. */

import { AmqpError } from '../amqp-error.ts';

export function tx(): never {
  throw new AmqpError('NOT_IMPLEMENTED', 'transactions are not served, use confirm.select');
}
