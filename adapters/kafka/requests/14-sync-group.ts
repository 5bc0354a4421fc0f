// SyncGroup (14): the leader brings the assignments, the others wait for theirs. v5 names protocol type and protocol.
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { syncGroup } from '../../../specs/kafka/groups.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';

export const syncGroupRoute: Route = { api: syncGroup, handle: sync };

const NO_BYTES = Buffer.alloc(0);

function refuse(call: Call, code: number): void {
  call.node.counts.errors++;
  call.reply(syncGroup, { errorCode: code, assignment: NO_BYTES });
}

function sync(call: Call): void {
  const request = call.request(syncGroup);
  const { broker, coordinator, settings, limits } = call.node;
  // Assignments stay in memory while the group does; anything real is a small part of this.
  const bytes = request.assignments.reduce((sum, { assignment }) => sum + assignment.length, 0);
  if (bytes > limits.assignmentBytesMax) return refuse(call, ERROR.INVALID_REQUEST);
  try {
    broker.authorise(call.principal, 'consume', 'group', settings.namespace, request.groupId);
  } catch (error) {
    return refuse(call, errorCode(error, 'group'));
  }
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
  // While it waits the broker may be told to stop: the client is sent to look for its coordinator again.
  if (!call.ended) call.onCancel = () => refuse(call, ERROR.NOT_COORDINATOR);
}
