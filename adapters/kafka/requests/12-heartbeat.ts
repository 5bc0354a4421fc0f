// Heartbeat (12): a member is alive, and hears whether it must join again.
import { heartbeat } from '../../../specs/kafka/groups.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';

export const heartbeatRoute: Route = { api: heartbeat, handle: beat };

function beat(call: Call): void {
  const { groupId, generationId, memberId, groupInstanceId } = call.request(heartbeat);
  const { broker, coordinator, settings } = call.node;
  const group = broker.group(settings.namespace, groupId);
  call.reply(heartbeat, { errorCode: coordinator.heartbeat(group, memberId, groupInstanceId, generationId) });
}
