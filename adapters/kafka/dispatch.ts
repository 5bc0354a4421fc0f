// Which request goes to which file.
import type { Api } from '../../specs/kafka/row.ts';
import type { Call } from './call.ts';
import { produceRoute } from './requests/00-produce.ts';
import { fetchRoute } from './requests/01-fetch.ts';
import { listOffsetsRoute } from './requests/02-list-offsets.ts';
import { metadataRoute } from './requests/03-metadata.ts';
import { offsetCommitRoute } from './requests/08-offset-commit.ts';
import { offsetFetchRoute } from './requests/09-offset-fetch.ts';
import { findCoordinatorRoute } from './requests/10-find-coordinator.ts';
import { joinGroupRoute } from './requests/11-join-group.ts';
import { heartbeatRoute } from './requests/12-heartbeat.ts';
import { leaveGroupRoute } from './requests/13-leave-group.ts';
import { syncGroupRoute } from './requests/14-sync-group.ts';
import { describeGroupsRoute } from './requests/15-describe-groups.ts';
import { listGroupsRoute } from './requests/16-list-groups.ts';
import { saslHandshakeRoute } from './requests/17-sasl-handshake.ts';
import { apiVersionsRoute } from './requests/18-api-versions.ts';
import { createTopicsRoute } from './requests/19-create-topics.ts';
import { deleteTopicsRoute } from './requests/20-delete-topics.ts';
import { deleteRecordsRoute } from './requests/21-delete-records.ts';
import { initProducerIdRoute } from './requests/22-init-producer-id.ts';
import { offsetForLeaderEpochRoute } from './requests/23-offset-for-leader-epoch.ts';
import { describeConfigsRoute } from './requests/32-describe-configs.ts';
import { alterConfigsRoute } from './requests/33-alter-configs.ts';
import { describeLogDirsRoute } from './requests/35-describe-log-dirs.ts';
import { saslAuthenticateRoute } from './requests/36-sasl-authenticate.ts';
import { createPartitionsRoute } from './requests/37-create-partitions.ts';
import { deleteGroupsRoute } from './requests/42-delete-groups.ts';
import { electLeadersRoute } from './requests/43-elect-leaders.ts';
import { incrementalAlterConfigsRoute } from './requests/44-incremental-alter-configs.ts';
import { listPartitionReassignmentsRoute } from './requests/46-list-partition-reassignments.ts';
import { offsetDeleteRoute } from './requests/47-offset-delete.ts';
import { describeClientQuotasRoute } from './requests/48-describe-client-quotas.ts';
import { alterClientQuotasRoute } from './requests/49-alter-client-quotas.ts';
import { describeUserScramCredentialsRoute } from './requests/50-describe-user-scram-credentials.ts';
import { alterUserScramCredentialsRoute } from './requests/51-alter-user-scram-credentials.ts';
import { describeClusterRoute } from './requests/60-describe-cluster.ts';
import { describeProducersRoute } from './requests/61-describe-producers.ts';
import { getTelemetrySubscriptionsRoute } from './requests/71-get-telemetry-subscriptions.ts';
import { pushTelemetryRoute } from './requests/72-push-telemetry.ts';
import { describeTopicPartitionsRoute } from './requests/75-describe-topic-partitions.ts';

export interface Route {
  readonly api: Api;
  /** Answers through the call, now or later. A promise is only for what takes long; its rejection ends the connection. */
  handle(call: Call): void | Promise<void>;
}

const ROUTES: readonly Route[] = [
  produceRoute,
  fetchRoute,
  listOffsetsRoute,
  metadataRoute,
  offsetCommitRoute,
  offsetFetchRoute,
  findCoordinatorRoute,
  joinGroupRoute,
  heartbeatRoute,
  leaveGroupRoute,
  syncGroupRoute,
  describeGroupsRoute,
  listGroupsRoute,
  saslHandshakeRoute,
  apiVersionsRoute,
  createTopicsRoute,
  deleteTopicsRoute,
  deleteRecordsRoute,
  initProducerIdRoute,
  offsetForLeaderEpochRoute,
  describeConfigsRoute,
  alterConfigsRoute,
  describeLogDirsRoute,
  saslAuthenticateRoute,
  createPartitionsRoute,
  deleteGroupsRoute,
  electLeadersRoute,
  incrementalAlterConfigsRoute,
  listPartitionReassignmentsRoute,
  offsetDeleteRoute,
  describeClientQuotasRoute,
  alterClientQuotasRoute,
  describeUserScramCredentialsRoute,
  alterUserScramCredentialsRoute,
  describeClusterRoute,
  describeProducersRoute,
  getTelemetrySubscriptionsRoute,
  pushTelemetryRoute,
  describeTopicPartitionsRoute,
];

export const HANDLERS: ReadonlyMap<number, Route> = new Map(ROUTES.map((route) => [route.api.key, route]));

/** SaslHandshake, ApiVersions, SaslAuthenticate: what a client may ask before it has said who it is (KIP-43). */
export const BEFORE_LOGIN: ReadonlySet<number> = new Set([17, 18, 36]);
