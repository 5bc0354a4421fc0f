/** connection.open: chooses the virtual host, which is a namespace. */

import { AmqpError } from '../amqp-error.ts';
import type { Connection } from '../connection.ts';
import type { Arguments } from '../method-arguments.ts';
import { namespaceOf } from '../names.ts';
import { mayEnter, virtualHostExists } from '../permissions.ts';
import { expectState } from './expect-state.ts';

export async function connectionOpen(
  connection: Connection,
  { virtualHost }: Arguments<'connection.open'>,
): Promise<void> {
  expectState(connection, 'open');
  const namespace = namespaceOf(virtualHost);
  if (virtualHost !== '/' && !virtualHostExists(connection, namespace)) {
    throw new AmqpError('NOT_ALLOWED', `vhost ${virtualHost} not found`);
  }
  if (!mayEnter(connection, namespace)) {
    throw new AmqpError('NOT_ALLOWED', `access to vhost '${virtualHost}' refused for user '${connection.userName}'`);
  }
  await connection.shared.ready;
  connection.opened(virtualHost, namespace);
  connection.frames.method(0, 'connection.open-ok', {});
}
