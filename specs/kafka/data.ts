// Produce, Fetch, ListOffsets, DeleteRecords and OffsetForLeaderEpoch as rows. Produce and Fetch have codecs of their own in the adapter, for
// speed; their rows stand here all the same, for tests, for ApiVersions and for the compatibility page.
import type { Api } from './row.ts';

/** `records` travels as bytes: an int32 (or compact) length and one batch. Version 12 would promise transactions V2. */
export const produce = {
  key: 0,
  name: 'Produce',
  // KAFKA-18659: librdkafka before 2.11 stops compressing when 0 is not advertised; 0-2 carry formats older than v2.
  min: 0,
  served: 3,
  max: 11,
  flexible: 9,
  request: [
    { name: 'transactionalId', type: 'string', from: 3, nullable: 3, default: null },
    { name: 'acks', type: 'int16' },
    { name: 'timeoutMs', type: 'int32' },
    {
      name: 'topicData',
      type: '[]',
      fields: [
        { name: 'name', type: 'string' },
        {
          name: 'partitionData',
          type: '[]',
          fields: [
            { name: 'index', type: 'int32' },
            { name: 'records', type: 'bytes', nullable: 0 },
          ],
        },
      ],
    },
  ],
  response: [
    {
      name: 'responses',
      type: '[]',
      fields: [
        { name: 'name', type: 'string' },
        {
          name: 'partitionResponses',
          type: '[]',
          fields: [
            { name: 'index', type: 'int32' },
            { name: 'errorCode', type: 'int16' },
            { name: 'baseOffset', type: 'int64' },
            { name: 'logAppendTimeMs', type: 'int64', from: 2, default: -1 },
            { name: 'logStartOffset', type: 'int64', from: 5, default: -1 },
            {
              name: 'recordErrors',
              type: '[]',
              from: 8,
              fields: [
                { name: 'batchIndex', type: 'int32', from: 8 },
                { name: 'batchIndexErrorMessage', type: 'string', from: 8, nullable: 8, default: null },
              ],
            },
            { name: 'errorMessage', type: 'string', from: 8, nullable: 8, default: null },
            {
              name: 'currentLeader',
              type: '{}',
              from: 10,
              tag: 0,
              fields: [
                { name: 'leaderId', type: 'int32', from: 10, default: -1 },
                { name: 'leaderEpoch', type: 'int32', from: 10, default: -1 },
              ],
            },
          ],
        },
      ],
    },
    { name: 'throttleTimeMs', type: 'int32', from: 1, default: 0 },
  ],
} as const satisfies Api;

/** 13 replaces names by topic ids. Fetch sessions (KIP-227) are declined: session 0 in every answer. */
export const fetch = {
  key: 1,
  name: 'Fetch',
  min: 4,
  max: 17,
  flexible: 12,
  request: [
    { name: 'clusterId', type: 'string', from: 12, nullable: 12, tag: 0, default: null },
    { name: 'replicaId', type: 'int32', to: 14, default: -1 },
    {
      name: 'replicaState',
      type: '{}',
      from: 15,
      tag: 1,
      fields: [
        { name: 'replicaId', type: 'int32', from: 15, default: -1 },
        { name: 'replicaEpoch', type: 'int64', from: 15, default: -1 },
      ],
    },
    { name: 'maxWaitMs', type: 'int32' },
    { name: 'minBytes', type: 'int32' },
    { name: 'maxBytes', type: 'int32', from: 3, default: 0x7fffffff },
    { name: 'isolationLevel', type: 'int8', from: 4, default: 0 },
    { name: 'sessionId', type: 'int32', from: 7, default: 0 },
    { name: 'sessionEpoch', type: 'int32', from: 7, default: -1 },
    {
      name: 'topics',
      type: '[]',
      fields: [
        { name: 'topic', type: 'string', to: 12 },
        { name: 'topicId', type: 'uuid', from: 13 },
        {
          name: 'partitions',
          type: '[]',
          fields: [
            { name: 'partition', type: 'int32' },
            { name: 'currentLeaderEpoch', type: 'int32', from: 9, default: -1 },
            { name: 'fetchOffset', type: 'int64' },
            { name: 'lastFetchedEpoch', type: 'int32', from: 12, default: -1 },
            { name: 'logStartOffset', type: 'int64', from: 5, default: -1 },
            { name: 'partitionMaxBytes', type: 'int32' },
            { name: 'replicaDirectoryId', type: 'uuid', from: 17, tag: 0 },
          ],
        },
      ],
    },
    {
      name: 'forgottenTopicsData',
      type: '[]',
      from: 7,
      fields: [
        { name: 'topic', type: 'string', from: 7, to: 12 },
        { name: 'topicId', type: 'uuid', from: 13 },
        { name: 'partitions', type: '[]int32', from: 7 },
      ],
    },
    { name: 'rackId', type: 'string', from: 11, default: '' },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', from: 1, default: 0 },
    { name: 'errorCode', type: 'int16', from: 7 },
    { name: 'sessionId', type: 'int32', from: 7, default: 0 },
    {
      name: 'responses',
      type: '[]',
      fields: [
        { name: 'topic', type: 'string', to: 12 },
        { name: 'topicId', type: 'uuid', from: 13 },
        {
          name: 'partitions',
          type: '[]',
          fields: [
            { name: 'partitionIndex', type: 'int32' },
            { name: 'errorCode', type: 'int16' },
            { name: 'highWatermark', type: 'int64' },
            { name: 'lastStableOffset', type: 'int64', from: 4, default: -1 },
            { name: 'logStartOffset', type: 'int64', from: 5, default: -1 },
            {
              name: 'currentLeader',
              type: '{}',
              from: 12,
              tag: 1,
              fields: [
                { name: 'leaderId', type: 'int32', from: 12, default: -1 },
                { name: 'leaderEpoch', type: 'int32', from: 12, default: -1 },
              ],
            },
            {
              name: 'abortedTransactions',
              type: '[]',
              from: 4,
              nullable: 4,
              fields: [
                { name: 'producerId', type: 'int64', from: 4 },
                { name: 'firstOffset', type: 'int64', from: 4 },
              ],
            },
            { name: 'preferredReadReplica', type: 'int32', from: 11, default: -1 },
            { name: 'records', type: 'bytes', nullable: 0 },
          ],
        },
      ],
    },
  ],
} as const satisfies Api;

export const listOffsets = {
  key: 2,
  name: 'ListOffsets',
  min: 1,
  max: 9,
  flexible: 6,
  request: [
    { name: 'replicaId', type: 'int32' },
    { name: 'isolationLevel', type: 'int8', from: 2 },
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
            { name: 'currentLeaderEpoch', type: 'int32', from: 4, default: -1 },
            { name: 'timestamp', type: 'int64' },
          ],
        },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', from: 2, default: 0 },
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
            { name: 'timestamp', type: 'int64', from: 1, default: -1 },
            { name: 'offset', type: 'int64', from: 1, default: -1 },
            { name: 'leaderEpoch', type: 'int32', from: 4, default: -1 },
          ],
        },
      ],
    },
  ],
} as const satisfies Api;

export const deleteRecords = {
  key: 21,
  name: 'DeleteRecords',
  min: 0,
  max: 2,
  flexible: 2,
  request: [
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
            { name: 'offset', type: 'int64' },
          ],
        },
      ],
    },
    { name: 'timeoutMs', type: 'int32' },
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
            { name: 'lowWatermark', type: 'int64' },
            { name: 'errorCode', type: 'int16' },
          ],
        },
      ],
    },
  ],
} as const satisfies Api;

/** How far a partition was written under an epoch (KIP-101, KIP-320): a client finds out what it has read and is gone. */
export const offsetForLeaderEpoch = {
  key: 23,
  name: 'OffsetForLeaderEpoch',
  min: 2,
  max: 4,
  flexible: 4,
  request: [
    { name: 'replicaId', type: 'int32', from: 3, default: -2 },
    {
      name: 'topics',
      type: '[]',
      fields: [
        { name: 'topic', type: 'string' },
        {
          name: 'partitions',
          type: '[]',
          fields: [
            { name: 'partition', type: 'int32' },
            { name: 'currentLeaderEpoch', type: 'int32', from: 2, default: -1 },
            { name: 'leaderEpoch', type: 'int32' },
          ],
        },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', from: 2, default: 0 },
    {
      name: 'topics',
      type: '[]',
      fields: [
        { name: 'topic', type: 'string' },
        {
          name: 'partitions',
          type: '[]',
          fields: [
            { name: 'errorCode', type: 'int16' },
            { name: 'partition', type: 'int32' },
            { name: 'leaderEpoch', type: 'int32', from: 1, default: -1 },
            { name: 'endOffset', type: 'int64', default: -1 },
          ],
        },
      ],
    },
  ],
} as const satisfies Api;
