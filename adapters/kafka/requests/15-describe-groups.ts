// DescribeGroups (15): state and members. A group that nobody knows is "Dead" without an error (GROUP_ID_NOT_FOUND comes
// with v6). A group that another protocol runs is shown with its members and that protocol's name as its type.
import { BrokerError } from '../../../core/errors.ts';
import type { Group } from '../../../core/types.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { describeGroups } from '../../../specs/kafka/groups.ts';
import type { Input } from '../../../specs/kafka/row.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { groupSummary } from '../group/summary.ts';
import { allowedOperations } from '../operations.ts';

type Answer = Input<(typeof describeGroups.response)[1]['fields']>;

const NO_BYTES = Buffer.alloc(0);

export const describeGroupsRoute: Route = { api: describeGroups, handle: describe };

function describe(call: Call): void {
  const { groups, includeAuthorizedOperations } = call.request(describeGroups);
  const answers = [...new Set(groups)].map((groupId) => {
    const answer = describeOne(call, groupId);
    if (!includeAuthorizedOperations || answer.errorCode !== ERROR.NONE) return answer;
    return { ...answer, authorizedOperations: allowedOperations(call, 'group', groupId) };
  });
  call.reply(describeGroups, { groups: answers });
}

function describeOne(call: Call, groupId: string): Answer {
  const { broker, settings } = call.node;
  const nobody = { groupId, groupState: 'Dead', protocolType: '', protocolData: '', members: [] };
  try {
    broker.authorise(call.principal, 'describe', 'group', settings.namespace, groupId);
    const group = broker.group(settings.namespace, groupId);
    if (group === null) return { ...nobody, errorCode: ERROR.NONE };
    const { state, protocolType, protocolName } = groupSummary(call.node, group);
    return {
      errorCode: ERROR.NONE,
      groupId,
      groupState: state,
      protocolType,
      protocolData: protocolName,
      members: members(call, group),
    };
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    return { ...nobody, errorCode: errorCode(error, 'group') };
  }
}

function members(call: Call, group: Group): Answer['members'] {
  const state = call.node.coordinator.state(group);
  if (state === null) {
    return call.node.broker.members(group).map(({ id, clientId, host }) => ({
      memberId: id,
      clientId,
      clientHost: host,
      memberMetadata: NO_BYTES,
      memberAssignment: NO_BYTES,
    }));
  }
  return [...state.members.values()].map((member) => ({
    memberId: member.id,
    groupInstanceId: member.instanceId,
    clientId: member.clientId,
    clientHost: member.host,
    memberMetadata: member.protocols.find(({ name }) => name === state.protocolName)?.metadata ?? NO_BYTES,
    memberAssignment: member.assignment,
  }));
}
