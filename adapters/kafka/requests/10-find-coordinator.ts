// FindCoordinator (10): who runs a group. We do, all of them. v4 asks for many keys at once.
//
// Transactions (type 1) and share groups (type 2) are not served: INVALID_REQUEST, which clients do not retry.
import { findCoordinator } from '../../../specs/kafka/cluster.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { NODE_ID } from '../node.ts';

const KEY_TYPE_GROUP = 0;

export const findCoordinatorRoute: Route = { api: findCoordinator, handle: find };

function find(call: Call): void {
  const request = call.request(findCoordinator);
  const { host, port } = call.node.address(call.connection.info);
  const served = request.keyType === KEY_TYPE_GROUP;
  const answer = served
    ? { nodeId: NODE_ID, host, port, errorCode: ERROR.NONE, errorMessage: null }
    : {
        nodeId: -1,
        host: '',
        port: -1,
        errorCode: ERROR.INVALID_REQUEST,
        errorMessage: 'only groups have coordinators',
      };
  call.reply(findCoordinator, { ...answer, coordinators: request.coordinatorKeys.map((key) => ({ key, ...answer })) });
}
