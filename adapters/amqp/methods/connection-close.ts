/** connection.close by the client. */

import type { Connection } from '../connection.ts';

export function connectionClose(connection: Connection): Promise<void> {
  return connection.closeInOrder();
}
