// PushTelemetry (72): a client's own metrics (KIP-714). They show up on the metrics page of the broker.
import { pushTelemetry } from '../../../specs/kafka/clients.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';

export const pushTelemetryRoute: Route = { api: pushTelemetry, handle: push };

function push(call: Call): void {
  const { clientInstanceId, subscriptionId, compressionType, metrics, terminating } = call.request(pushTelemetry);
  const { telemetry, counts, settings } = call.node;
  const code = telemetry.push(clientInstanceId, call.clientId, subscriptionId, compressionType, metrics, terminating);
  if (code !== ERROR.NONE) counts.errors++;
  const throttleTimeMs = code === ERROR.THROTTLING_QUOTA_EXCEEDED ? settings.telemetryIntervalMs : 0;
  call.reply(pushTelemetry, { errorCode: code, throttleTimeMs });
}
