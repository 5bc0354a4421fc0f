// DescribeCluster (60): who we are (KIP-700). Endpoint type 1 asks for brokers, 2 for controllers, which we have none of.
import { describeCluster } from '../../../specs/kafka/cluster.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { NODE_ID } from '../node.ts';
import { allowedOperations } from '../operations.ts';

const ENDPOINT_BROKERS = 1;

export const describeClusterRoute: Route = { api: describeCluster, handle: describe };

function describe(call: Call): void {
  const { endpointType, includeClusterAuthorizedOperations } = call.request(describeCluster);
  const { host, port } = call.node.address(call.connection.info);
  const served = endpointType === ENDPOINT_BROKERS;
  call.reply(describeCluster, {
    errorCode: served ? ERROR.NONE : ERROR.INVALID_REQUEST,
    errorMessage: served ? null : 'this cluster has broker endpoints only',
    endpointType,
    clusterId: call.node.broker.clusterId,
    controllerId: NODE_ID,
    brokers: served ? [{ brokerId: NODE_ID, host, port }] : [],
    ...(includeClusterAuthorizedOperations
      ? { clusterAuthorizedOperations: allowedOperations(call, 'cluster', '') }
      : {}),
  });
}
