// What administrators ask: partitions page by page, log directories, leaders, reassignments, producers.
import type { Api } from './row.ts';

export const describeLogDirs = {
  key: 35,
  name: 'DescribeLogDirs',
  min: 1,
  max: 4,
  flexible: 2,
  request: [
    {
      name: 'topics',
      type: '[]',
      nullable: 0,
      fields: [
        { name: 'topic', type: 'string' },
        { name: 'partitions', type: '[]int32' },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16', from: 3, default: 0 },
    {
      name: 'results',
      type: '[]',
      fields: [
        { name: 'errorCode', type: 'int16' },
        { name: 'logDir', type: 'string' },
        {
          name: 'topics',
          type: '[]',
          fields: [
            { name: 'name', type: 'string' },
            {
              name: 'partitions',
              type: '[]',
              fields: [
                { name: 'partitionIndex', type: 'int32' },
                { name: 'partitionSize', type: 'int64' },
                { name: 'offsetLag', type: 'int64' },
                { name: 'isFutureKey', type: 'bool' },
              ],
            },
          ],
        },
        { name: 'totalBytes', type: 'int64', from: 4, default: -1 },
        { name: 'usableBytes', type: 'int64', from: 4, default: -1 },
      ],
    },
  ],
} as const satisfies Api;

export const electLeaders = {
  key: 43,
  name: 'ElectLeaders',
  min: 0,
  max: 2,
  flexible: 2,
  request: [
    { name: 'electionType', type: 'int8', from: 1, default: 0 },
    {
      name: 'topicPartitions',
      type: '[]',
      nullable: 0,
      fields: [
        { name: 'topic', type: 'string' },
        { name: 'partitions', type: '[]int32' },
      ],
    },
    { name: 'timeoutMs', type: 'int32', default: 60000 },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16', from: 1, default: 0 },
    {
      name: 'replicaElectionResults',
      type: '[]',
      fields: [
        { name: 'topic', type: 'string' },
        {
          name: 'partitionResult',
          type: '[]',
          fields: [
            { name: 'partitionId', type: 'int32' },
            { name: 'errorCode', type: 'int16' },
            { name: 'errorMessage', type: 'string', nullable: 0, default: null },
          ],
        },
      ],
    },
  ],
} as const satisfies Api;

export const listPartitionReassignments = {
  key: 46,
  name: 'ListPartitionReassignments',
  min: 0,
  max: 0,
  flexible: 0,
  request: [
    { name: 'timeoutMs', type: 'int32', default: 60000 },
    {
      name: 'topics',
      type: '[]',
      nullable: 0,
      fields: [
        { name: 'name', type: 'string' },
        { name: 'partitionIndexes', type: '[]int32' },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16' },
    { name: 'errorMessage', type: 'string', nullable: 0, default: null },
    {
      name: 'topics',
      type: '[]',
      fields: [
        { name: 'name', type: 'string' },
        {
          name: 'partitions',
          type: '[]',
          fields: [
            { name: 'partitionIndex', type: 'int32' },
            { name: 'replicas', type: '[]int32' },
            { name: 'addingReplicas', type: '[]int32' },
            { name: 'removingReplicas', type: '[]int32' },
          ],
        },
      ],
    },
  ],
} as const satisfies Api;

export const describeProducers = {
  key: 61,
  name: 'DescribeProducers',
  min: 0,
  max: 0,
  flexible: 0,
  request: [
    {
      name: 'topics',
      type: '[]',
      fields: [
        { name: 'name', type: 'string' },
        { name: 'partitionIndexes', type: '[]int32' },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    {
      name: 'topics',
      type: '[]',
      fields: [
        { name: 'name', type: 'string' },
        {
          name: 'partitions',
          type: '[]',
          fields: [
            { name: 'partitionIndex', type: 'int32' },
            { name: 'errorCode', type: 'int16' },
            { name: 'errorMessage', type: 'string', nullable: 0, default: null },
            {
              name: 'activeProducers',
              type: '[]',
              fields: [
                { name: 'producerId', type: 'int64' },
                { name: 'producerEpoch', type: 'int32' },
                { name: 'lastSequence', type: 'int32', default: -1 },
                { name: 'lastTimestamp', type: 'int64', default: -1 },
                { name: 'coordinatorEpoch', type: 'int32' },
                { name: 'currentTxnStartOffset', type: 'int64', default: -1 },
              ],
            },
          ],
        },
      ],
    },
  ],
} as const satisfies Api;

/** Metadata page by page (KIP-966): a client goes on at the cursor that it was given. */
export const describeTopicPartitions = {
  key: 75,
  name: 'DescribeTopicPartitions',
  min: 0,
  max: 0,
  flexible: 0,
  request: [
    { name: 'topics', type: '[]', fields: [{ name: 'name', type: 'string' }] },
    { name: 'responsePartitionLimit', type: 'int32', default: 2000 },
    {
      name: 'cursor',
      type: '{}',
      nullable: 0,
      fields: [
        { name: 'topicName', type: 'string' },
        { name: 'partitionIndex', type: 'int32' },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    {
      name: 'topics',
      type: '[]',
      fields: [
        { name: 'errorCode', type: 'int16' },
        { name: 'name', type: 'string', nullable: 0 },
        { name: 'topicId', type: 'uuid' },
        { name: 'isInternal', type: 'bool', default: false },
        {
          name: 'partitions',
          type: '[]',
          fields: [
            { name: 'errorCode', type: 'int16' },
            { name: 'partitionIndex', type: 'int32' },
            { name: 'leaderId', type: 'int32' },
            { name: 'leaderEpoch', type: 'int32', default: -1 },
            { name: 'replicaNodes', type: '[]int32' },
            { name: 'isrNodes', type: '[]int32' },
            { name: 'eligibleLeaderReplicas', type: '[]int32', nullable: 0, default: null },
            { name: 'lastKnownElr', type: '[]int32', nullable: 0, default: null },
            { name: 'offlineReplicas', type: '[]int32' },
          ],
        },
        { name: 'topicAuthorizedOperations', type: 'int32', default: -2147483648 },
      ],
    },
    {
      name: 'nextCursor',
      type: '{}',
      nullable: 0,
      default: null,
      fields: [
        { name: 'topicName', type: 'string' },
        { name: 'partitionIndex', type: 'int32' },
      ],
    },
  ],
} as const satisfies Api;
