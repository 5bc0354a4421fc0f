// SaslHandshake (17): chooses the mechanism. v0: the tokens that follow are bare, each an int32 length and bytes.
// While a token is being looked at there is nothing to choose.
import { saslHandshake } from '../../../specs/kafka/cluster.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { MECHANISMS } from '../sasl.ts';

export const saslHandshakeRoute: Route = { api: saslHandshake, handle: handshake };

function handshake(call: Call): void {
  const { mechanism } = call.request(saslHandshake);
  const { sasl } = call.connection;
  if (sasl.busy) {
    call.node.counts.errors++;
    call.reply(saslHandshake, { errorCode: ERROR.ILLEGAL_SASL_STATE, mechanisms: MECHANISMS });
    call.connection.endWhenAnswered();
    return;
  }
  if (!MECHANISMS.includes(mechanism)) {
    call.reply(saslHandshake, { errorCode: ERROR.UNSUPPORTED_SASL_MECHANISM, mechanisms: MECHANISMS });
    return;
  }
  sasl.choose(mechanism);
  sasl.rawTokens = call.version === 0;
  call.reply(saslHandshake, { errorCode: ERROR.NONE, mechanisms: MECHANISMS });
}
