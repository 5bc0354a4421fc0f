// SyncGroup (14): the leader brings the assignments, the others wait for theirs. v5 names protocol type and protocol.
import { syncGroup } from '../../../specs/kafka/groups.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';

export const syncGroupRoute: Route = { api: syncGroup, handle: sync };

function sync(call: Call): void {
  const request = call.request(syncGroup);
  const { broker, coordinator, settings } = call.node;
  coordinator.sync(call, broker.group(settings.namespace, request.groupId), {
    memberId: request.memberId,
    instanceId: request.groupInstanceId,
    generation: request.generationId,
    protocolType: request.protocolType,
    protocolName: request.protocolName,
    assignments: request.assignments.map(({ memberId, assignment }) => ({
      memberId,
      assignment: Buffer.from(assignment),
    })),
  });
}
