// SaslAuthenticate (36): one token of the mechanism that SaslHandshake has chosen. PLAIN needs one.
//
// A refused client gets SASL_AUTHENTICATION_FAILED with a message that tells nothing of the reason, then the end of the
// connection. Logging in again on a connection that is in use is allowed (KIP-368); sessions do not end by themselves.
import type { Principal } from '../../../core/types.ts';
import { saslAuthenticate } from '../../../specs/kafka/cluster.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Call } from '../call.ts';
import type { Connection } from '../connection.ts';
import type { Route } from '../dispatch.ts';
import { plainToken } from '../sasl.ts';

const NO_BYTES = Buffer.alloc(0);

export const saslAuthenticateRoute: Route = { api: saslAuthenticate, handle: authenticate };

async function authenticate(call: Call): Promise<void> {
  const { authBytes } = call.request(saslAuthenticate);
  const { connection } = call;
  if (connection.sasl.mechanism === null) {
    refuse(call, ERROR.ILLEGAL_SASL_STATE, 'SaslHandshake comes first');
    return;
  }
  if (!(await logIn(connection, authBytes))) {
    refuse(call, ERROR.SASL_AUTHENTICATION_FAILED, 'Authentication failed: invalid user name or password');
    connection.endWhenAnswered();
    return;
  }
  call.reply(saslAuthenticate, { errorCode: ERROR.NONE, errorMessage: null, authBytes: NO_BYTES });
}

function refuse(call: Call, errorCode: number, errorMessage: string): void {
  call.node.counts.errors++;
  call.reply(saslAuthenticate, { errorCode, errorMessage, authBytes: NO_BYTES });
}

/** A bare token after SaslHandshake v0: answered by an empty one, or by the end of the connection. */
export function rawSaslToken(connection: Connection, token: Buffer): void {
  connection.sasl.rawTokens = false;
  logIn(connection, token).then(
    (known) => {
      if (known) connection.sendRaw(Buffer.alloc(4));
      else connection.cut();
    },
    () => connection.cut(),
  );
}

async function logIn(connection: Connection, token: Buffer): Promise<boolean> {
  const { sasl, node, info } = connection;
  const pair = plainToken(token);
  sasl.mechanism = null;
  const principal: Principal | null =
    pair === null ? null : await node.context.authenticate(pair.user, pair.password, info.remote.host);
  if (principal === null) return false;
  sasl.mayUse = true;
  connection.loggedIn(principal);
  return true;
}
