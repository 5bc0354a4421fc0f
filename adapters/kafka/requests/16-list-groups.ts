// ListGroups (16): the groups that the client may see. v4 filters by state, v5 by type; all of ours are classic.
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { listGroups } from '../../../specs/kafka/groups.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { groupSummary } from '../group/summary.ts';

const TYPE = 'classic';

export const listGroupsRoute: Route = { api: listGroups, handle: list };

function list(call: Call): void {
  const { statesFilter, typesFilter } = call.request(listGroups);
  const { broker, settings } = call.node;
  const states = new Set(statesFilter.map((state) => state.toLowerCase()));
  const types = new Set(typesFilter.map((type) => type.toLowerCase()));
  const groups = [];
  if (types.size === 0 || types.has(TYPE)) {
    for (const group of broker.groups(call.principal, settings.namespace)) {
      const { state, protocolType } = groupSummary(call.node, group);
      if (states.size > 0 && !states.has(state.toLowerCase())) continue;
      groups.push({ groupId: group.name, protocolType, groupState: state, groupType: TYPE });
    }
  }
  call.reply(listGroups, { errorCode: ERROR.NONE, groups });
}
