/** The handshake's methods come once and in order. */

import { AmqpError } from '../amqp-error.ts';
import type { Connection, State } from '../connection.ts';

export function expectState(connection: Connection, state: State): void {
  if (connection.state !== state) {
    throw new AmqpError('COMMAND_INVALID', `a method of state ${state} came in state ${connection.state}`);
  }
}
