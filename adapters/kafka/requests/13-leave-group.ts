// LeaveGroup (13): members go. v3+ names several, and static ones by their instance id alone (administrators do).
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { leaveGroup } from '../../../specs/kafka/groups.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';

export const leaveGroupRoute: Route = { api: leaveGroup, handle: leave };

function leave(call: Call): void {
  const request = call.request(leaveGroup);
  const { broker, coordinator, settings } = call.node;
  try {
    const group = broker.group(settings.namespace, request.groupId);
    if (group !== null) broker.authorise(call.principal, 'consume', 'group', group.namespace, group.name);
    if (call.version < 3) {
      call.reply(leaveGroup, { errorCode: coordinator.leave(group, request.memberId, null), members: [] });
      return;
    }
    const members = request.members.map(({ memberId, groupInstanceId }) => ({
      memberId,
      groupInstanceId,
      errorCode: coordinator.leave(group, memberId, groupInstanceId),
    }));
    call.reply(leaveGroup, { errorCode: ERROR.NONE, members });
  } catch (error) {
    call.node.counts.errors++;
    call.reply(leaveGroup, { errorCode: errorCode(error, 'group'), members: [] });
  }
}
