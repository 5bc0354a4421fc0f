// SaslAuthenticate (36): one token of the mechanism that SaslHandshake has chosen; SCRAM takes two. v1 tells how long the
// login lasts.
//
// A refused client gets SASL_AUTHENTICATION_FAILED with a message that tells nothing of the reason, then the end of the
// connection. A client logs in again on a connection in use before its session ends (KIP-368), under the same name.
import { saslAuthenticate } from '../../../specs/kafka/cluster.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Call } from '../call.ts';
import type { Connection } from '../connection.ts';
import type { Route } from '../dispatch.ts';
import { takeToken } from '../sasl.ts';

const NO_BYTES = Buffer.alloc(0);

export const saslAuthenticateRoute: Route = { api: saslAuthenticate, handle: authenticate };

async function authenticate(call: Call): Promise<void> {
  // The frame's bytes are gone when the handler returns.
  const token = Buffer.from(call.request(saslAuthenticate).authBytes);
  const { connection, node } = call;
  if (connection.sasl.busy) {
    refuse(call, ERROR.ILLEGAL_SASL_STATE, 'the answer to the token before it comes first');
    connection.endWhenAnswered();
    return;
  }
  if (connection.sasl.mechanism === null) {
    refuse(call, ERROR.ILLEGAL_SASL_STATE, 'SaslHandshake comes first');
    return;
  }
  const step = await takeToken(connection, token);
  if (step.is === 'refused') {
    refuse(call, ERROR.SASL_AUTHENTICATION_FAILED, 'Authentication failed: invalid user name or password');
    connection.endWhenAnswered();
    return;
  }
  const sessionLifetimeMs = step.is === 'done' ? node.settings.reauthenticationMs : 0;
  call.reply(saslAuthenticate, { errorCode: ERROR.NONE, errorMessage: null, authBytes: step.bytes, sessionLifetimeMs });
}

function refuse(call: Call, errorCode: number, errorMessage: string): void {
  call.node.counts.errors++;
  call.reply(saslAuthenticate, { errorCode, errorMessage, authBytes: NO_BYTES });
}

/** A bare token after SaslHandshake v0: answered by a bare one, or by the end of the connection. */
export function rawSaslToken(connection: Connection, token: Buffer): void {
  if (connection.sasl.busy) return connection.cut();
  takeToken(connection, token).then(
    (step) => {
      if (step.is === 'refused') return connection.cut();
      if (step.is === 'done') connection.sasl.rawTokens = false;
      const length = Buffer.alloc(4);
      length.writeInt32BE(step.bytes.length);
      connection.sendRaw(Buffer.concat([length, step.bytes]));
    },
    () => connection.cut(),
  );
}
