// GetTelemetrySubscriptions (71): which metrics a client is to send, how often and how (KIP-714).
import { getTelemetrySubscriptions } from '../../../specs/kafka/clients.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';

export const getTelemetrySubscriptionsRoute: Route = { api: getTelemetrySubscriptions, handle: subscribe };

function subscribe(call: Call): void {
  const { clientInstanceId } = call.request(getTelemetrySubscriptions);
  const subscription = call.node.telemetry.subscribe(clientInstanceId, call.clientId);
  call.reply(getTelemetrySubscriptions, { errorCode: ERROR.NONE, ...subscription });
}
