// Heartbeat (12): a member is alive, and hears whether it must join again.
import { heartbeat } from '../../../specs/kafka/groups.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';

export const heartbeatRoute: Route = { api: heartbeat, handle: beat };

function beat(call: Call): void {
  const { groupId, generationId, memberId, groupInstanceId } = call.request(heartbeat);
  const { broker, coordinator, settings } = call.node;
  try {
    broker.authorise(call.principal, 'consume', 'group', settings.namespace, groupId);
    const group = broker.group(settings.namespace, groupId);
    call.reply(heartbeat, { errorCode: coordinator.heartbeat(group, memberId, groupInstanceId, generationId) });
  } catch (error) {
    call.node.counts.errors++;
    call.reply(heartbeat, { errorCode: errorCode(error, 'group') });
  }
}
