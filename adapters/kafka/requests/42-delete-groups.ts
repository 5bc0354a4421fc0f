// DeleteGroups (42): groups without members, with their offsets.
import { BrokerError } from '../../../core/errors.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { deleteGroups } from '../../../specs/kafka/groups.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';

export const deleteGroupsRoute: Route = { api: deleteGroups, handle: remove };

async function remove(call: Call): Promise<void> {
  const { groupsNames } = call.request(deleteGroups);
  const results = [];
  for (const groupId of groupsNames) results.push({ groupId, errorCode: await removeOne(call, groupId) });
  call.reply(deleteGroups, { results });
}

async function removeOne(call: Call, groupId: string): Promise<number> {
  const { broker, settings } = call.node;
  try {
    broker.authorise(call.principal, 'delete', 'group', settings.namespace, groupId);
    const group = broker.group(settings.namespace, groupId);
    if (group === null) return ERROR.GROUP_ID_NOT_FOUND;
    if (broker.members(group).length > 0) throw new BrokerError('group-not-empty', `group ${groupId} has members`);
    await broker.deleteGroup(call.principal, group);
    return ERROR.NONE;
  } catch (error) {
    call.node.counts.errors++;
    return errorCode(error, 'group');
  }
}
