// JoinGroup (11): a member joins and waits for the others. v0 has no rebalance timeout of its own, v4 asks for a member
// id first (KIP-394), v5 static members (KIP-345), v7 tells the protocol type, v9 may skip the assignment (KIP-814).
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { joinGroup } from '../../../specs/kafka/groups.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';

/** Room for a client id of its largest size and our random digits. */
const ID_CHARS_MAX = 2_048;
/** Clients bring one to five. */
const PROTOCOLS_MAX = 100;

export const joinGroupRoute: Route = { api: joinGroup, handle: join };

function join(call: Call): void {
  const request = call.request(joinGroup);
  const { node } = call;
  const { memberId, groupInstanceId, protocolType, sessionTimeoutMs } = request;
  if (request.groupId === '') return refuse(call, ERROR.INVALID_GROUP_ID, memberId);
  const bytes = request.protocols.reduce((sum, { name, metadata }) => sum + name.length + metadata.length, 0);
  if (
    bytes > node.limits.memberBytesMax ||
    request.protocols.length > PROTOCOLS_MAX ||
    memberId.length > ID_CHARS_MAX ||
    (groupInstanceId?.length ?? 0) > ID_CHARS_MAX
  ) {
    return refuse(call, ERROR.INVALID_REQUEST, '');
  }
  try {
    const { namespace } = node.settings;
    node.broker.authorise(call.principal, 'consume', 'group', namespace, request.groupId);
    const isNew = node.broker.group(namespace, request.groupId) === null;
    const group = node.broker.ensureGroup(call.principal, namespace, request.groupId);
    // Who is refused, or does not come back with its id, leaves a group that goes again.
    if (isNew) node.coordinator.adopt(group);
    node.coordinator.join(call, group, {
      memberId,
      instanceId: groupInstanceId,
      clientId: call.clientId,
      host: `/${call.connection.info.remote.host}`,
      sessionTimeoutMs,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs < 0 ? sessionTimeoutMs : request.rebalanceTimeoutMs,
      protocolType,
      // The frame's bytes are gone when the handler returns.
      protocols: request.protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) })),
      idRequired: call.version >= 4,
      skipsAssignment: call.version >= 9,
    });
  } catch (error) {
    refuse(call, errorCode(error, 'group'), memberId);
  }
  // While it waits the broker may be told to stop: the client is sent to look for its coordinator again.
  if (!call.ended) call.onCancel = () => refuse(call, ERROR.NOT_COORDINATOR, memberId);
}

function refuse(call: Call, code: number, memberId: string): void {
  call.node.counts.errors++;
  call.reply(joinGroup, { errorCode: code, protocolName: null, leader: '', memberId, members: [] });
}
