/**
 * connection.update-secret (RabbitMQ) renews a token before it expires. There are none here that could expire: as with
 * RabbitMQ's own users, the connection stays what it is.
 */

import type { Connection } from '../connection.ts';
import { expectState } from './expect-state.ts';

export function connectionUpdateSecret(connection: Connection): void {
  expectState(connection, 'running');
  connection.frames.method(0, 'connection.update-secret-ok', {});
}
