/** connection.update-secret (RabbitMQ) renews a token; there are no tokens here that could expire. */

import { AmqpError } from '../amqp-error.ts';

export function connectionUpdateSecret(): never {
  throw new AmqpError('NOT_IMPLEMENTED', 'credentials of a connection cannot be renewed');
}
