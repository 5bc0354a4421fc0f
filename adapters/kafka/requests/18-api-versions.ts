// ApiVersions (18): which versions we serve. The first request of nearly every client.
//
// v3 names the client's software, which must look like a name (KIP-511). A version that we do not know is answered in
// the shape of v0 with UNSUPPORTED_VERSION and the range of this API, so that the client can ask again; such a client
// also reads no tag in the header, so no answer to ApiVersions has one.
import { APIS } from '../../../specs/kafka/apis.ts';
import { apiVersions } from '../../../specs/kafka/cluster.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { Reader } from '../../wire/reader.ts';
import { Call } from '../call.ts';
import type { Connection } from '../connection.ts';
import type { Route } from '../dispatch.ts';

const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;
const API_KEYS = APIS.map(({ key, min, max }) => ({ apiKey: key, minVersion: min, maxVersion: max }));

export const apiVersionsRoute: Route = { api: apiVersions, handle: answer };

function answer(call: Call): void {
  const request = call.request(apiVersions);
  if (
    call.version >= 3 &&
    !(SOFTWARE.test(request.clientSoftwareName) && SOFTWARE.test(request.clientSoftwareVersion))
  ) {
    call.reply(apiVersions, { errorCode: ERROR.INVALID_REQUEST, apiKeys: [] });
    return;
  }
  call.reply(apiVersions, { errorCode: ERROR.NONE, apiKeys: API_KEYS });
}

/** Answers a version that we do not know. */
export function apiVersionsFallback(connection: Connection, correlationId: number): void {
  const call = new Call(connection, apiVersions, 0, correlationId, '', new Reader());
  connection.enqueue(call);
  call.reply(apiVersions, { errorCode: ERROR.UNSUPPORTED_VERSION, apiKeys: API_KEYS });
}
