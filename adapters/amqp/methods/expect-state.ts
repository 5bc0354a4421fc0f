/** The handshake's methods come once and in order. */

import { AmqpError } from '../amqp-error.ts';
import type { Connection, State } from '../connection.ts';

export function expectState(connection: Connection, state: State): void {
  if (connection.state !== state) {
    throw new AmqpError('CHANNEL_ERROR', `unexpected method in connection state ${connection.state}`);
  }
}
