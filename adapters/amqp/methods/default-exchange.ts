/** The default exchange is bound to every queue by its name and cannot be changed. */

import { AmqpError } from '../amqp-error.ts';

export function refuseDefaultExchange(name: string): void {
  if (name === '') throw new AmqpError('ACCESS_REFUSED', 'operation not permitted on the default exchange');
}
