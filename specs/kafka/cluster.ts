// What a client asks before it works: versions, metadata, login, coordinators, producer ids.
import type { Api } from './row.ts';

export const metadata = {
  key: 3,
  name: 'Metadata',
  min: 0,
  // 13 adds only a top-level error for rebootstrapping (KIP-1102), which a single broker has no use for.
  max: 12,
  flexible: 9,
  request: [
    {
      name: 'topics',
      type: '[]',
      nullable: 1,
      fields: [
        { name: 'topicId', type: 'uuid', from: 10 },
        { name: 'name', type: 'string', nullable: 10 },
      ],
    },
    { name: 'allowAutoTopicCreation', type: 'bool', from: 4, default: true },
    { name: 'includeClusterAuthorizedOperations', type: 'bool', from: 8, to: 10, default: false },
    { name: 'includeTopicAuthorizedOperations', type: 'bool', from: 8, default: false },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', from: 3, default: 0 },
    {
      name: 'brokers',
      type: '[]',
      fields: [
        { name: 'nodeId', type: 'int32' },
        { name: 'host', type: 'string' },
        { name: 'port', type: 'int32' },
        { name: 'rack', type: 'string', from: 1, nullable: 1, default: null },
      ],
    },
    { name: 'clusterId', type: 'string', from: 2, nullable: 2, default: null },
    { name: 'controllerId', type: 'int32', from: 1, default: -1 },
    {
      name: 'topics',
      type: '[]',
      fields: [
        { name: 'errorCode', type: 'int16' },
        { name: 'name', type: 'string', nullable: 12 },
        { name: 'topicId', type: 'uuid', from: 10 },
        { name: 'isInternal', type: 'bool', from: 1, default: false },
        {
          name: 'partitions',
          type: '[]',
          fields: [
            { name: 'errorCode', type: 'int16' },
            { name: 'partitionIndex', type: 'int32' },
            { name: 'leaderId', type: 'int32' },
            { name: 'leaderEpoch', type: 'int32', from: 7, default: -1 },
            { name: 'replicaNodes', type: '[]int32' },
            { name: 'isrNodes', type: '[]int32' },
            { name: 'offlineReplicas', type: '[]int32', from: 5 },
          ],
        },
        { name: 'topicAuthorizedOperations', type: 'int32', from: 8, default: -2147483648 },
      ],
    },
    { name: 'clusterAuthorizedOperations', type: 'int32', from: 8, to: 10, default: -2147483648 },
  ],
} as const satisfies Api;

export const findCoordinator = {
  key: 10,
  name: 'FindCoordinator',
  min: 0,
  max: 6,
  flexible: 3,
  request: [
    { name: 'key', type: 'string', to: 3 },
    { name: 'keyType', type: 'int8', from: 1, default: 0 },
    { name: 'coordinatorKeys', type: '[]string', from: 4 },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', from: 1, default: 0 },
    { name: 'errorCode', type: 'int16', to: 3 },
    { name: 'errorMessage', type: 'string', from: 1, to: 3, nullable: 1, default: null },
    { name: 'nodeId', type: 'int32', to: 3 },
    { name: 'host', type: 'string', to: 3 },
    { name: 'port', type: 'int32', to: 3 },
    {
      name: 'coordinators',
      type: '[]',
      from: 4,
      fields: [
        { name: 'key', type: 'string', from: 4 },
        { name: 'nodeId', type: 'int32', from: 4 },
        { name: 'host', type: 'string', from: 4 },
        { name: 'port', type: 'int32', from: 4 },
        { name: 'errorCode', type: 'int16', from: 4 },
        { name: 'errorMessage', type: 'string', from: 4, nullable: 4, default: null },
      ],
    },
  ],
} as const satisfies Api;

export const saslHandshake = {
  key: 17,
  name: 'SaslHandshake',
  min: 0,
  max: 1,
  flexible: null,
  request: [{ name: 'mechanism', type: 'string' }],
  response: [
    { name: 'errorCode', type: 'int16' },
    { name: 'mechanisms', type: '[]string' },
  ],
} as const satisfies Api;

export const apiVersions = {
  key: 18,
  name: 'ApiVersions',
  min: 0,
  max: 4,
  flexible: 3,
  request: [
    { name: 'clientSoftwareName', type: 'string', from: 3 },
    { name: 'clientSoftwareVersion', type: 'string', from: 3 },
  ],
  response: [
    { name: 'errorCode', type: 'int16' },
    {
      name: 'apiKeys',
      type: '[]',
      fields: [
        { name: 'apiKey', type: 'int16' },
        { name: 'minVersion', type: 'int16' },
        { name: 'maxVersion', type: 'int16' },
      ],
    },
    { name: 'throttleTimeMs', type: 'int32', from: 1, default: 0 },
  ],
} as const satisfies Api;

export const initProducerId = {
  key: 22,
  name: 'InitProducerId',
  min: 0,
  max: 5,
  flexible: 2,
  request: [
    { name: 'transactionalId', type: 'string', nullable: 0 },
    { name: 'transactionTimeoutMs', type: 'int32' },
    { name: 'producerId', type: 'int64', from: 3, default: -1 },
    { name: 'producerEpoch', type: 'int16', from: 3, default: -1 },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16' },
    { name: 'producerId', type: 'int64', default: -1 },
    { name: 'producerEpoch', type: 'int16' },
  ],
} as const satisfies Api;

export const saslAuthenticate = {
  key: 36,
  name: 'SaslAuthenticate',
  min: 0,
  max: 2,
  flexible: 2,
  request: [{ name: 'authBytes', type: 'bytes' }],
  response: [
    { name: 'errorCode', type: 'int16' },
    { name: 'errorMessage', type: 'string', nullable: 0 },
    { name: 'authBytes', type: 'bytes' },
    { name: 'sessionLifetimeMs', type: 'int64', from: 1, default: 0 },
  ],
} as const satisfies Api;

export const describeCluster = {
  key: 60,
  name: 'DescribeCluster',
  min: 0,
  max: 1,
  flexible: 0,
  request: [
    { name: 'includeClusterAuthorizedOperations', type: 'bool' },
    { name: 'endpointType', type: 'int8', from: 1, default: 1 },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16' },
    { name: 'errorMessage', type: 'string', nullable: 0, default: null },
    { name: 'endpointType', type: 'int8', from: 1, default: 1 },
    { name: 'clusterId', type: 'string' },
    { name: 'controllerId', type: 'int32', default: -1 },
    {
      name: 'brokers',
      type: '[]',
      fields: [
        { name: 'brokerId', type: 'int32' },
        { name: 'host', type: 'string' },
        { name: 'port', type: 'int32' },
        { name: 'rack', type: 'string', nullable: 0, default: null },
      ],
    },
    { name: 'clusterAuthorizedOperations', type: 'int32', default: -2147483648 },
  ],
} as const satisfies Api;
