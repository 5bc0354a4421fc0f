// Every API that is served, by key. ApiVersions, the dispatch and the compatibility page are read off this list: an API
// that is not here does not exist for a client.
import {
  apiVersions,
  describeCluster,
  findCoordinator,
  initProducerId,
  metadata,
  saslAuthenticate,
  saslHandshake,
} from './cluster.ts';
import { deleteRecords, fetch, listOffsets, produce } from './data.ts';
import {
  deleteGroups,
  describeGroups,
  heartbeat,
  joinGroup,
  leaveGroup,
  listGroups,
  offsetCommit,
  offsetDelete,
  offsetFetch,
  syncGroup,
} from './groups.ts';
import type { Api } from './row.ts';
import { createPartitions, createTopics, deleteTopics, describeConfigs, incrementalAlterConfigs } from './topics.ts';

export const APIS: readonly Api[] = [
  produce,
  fetch,
  listOffsets,
  metadata,
  offsetCommit,
  offsetFetch,
  findCoordinator,
  joinGroup,
  heartbeat,
  leaveGroup,
  syncGroup,
  describeGroups,
  listGroups,
  saslHandshake,
  apiVersions,
  createTopics,
  deleteTopics,
  deleteRecords,
  initProducerId,
  describeConfigs,
  saslAuthenticate,
  createPartitions,
  deleteGroups,
  incrementalAlterConfigs,
  offsetDelete,
  describeCluster,
];
