// The classic consumer groups: membership, committed offsets, and their administration.
import type { Api } from './row.ts';

export const offsetCommit = {
  key: 8,
  name: 'OffsetCommit',
  min: 2,
  max: 9,
  flexible: 8,
  request: [
    { name: 'groupId', type: 'string' },
    { name: 'generationId', type: 'int32', from: 1, default: -1 },
    { name: 'memberId', type: 'string', from: 1, default: '' },
    { name: 'groupInstanceId', type: 'string', from: 7, nullable: 7, default: null },
    { name: 'retentionTimeMs', type: 'int64', from: 2, to: 4, default: -1 },
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
            { name: 'committedOffset', type: 'int64' },
            { name: 'committedLeaderEpoch', type: 'int32', from: 6, default: -1 },
            { name: 'committedMetadata', type: 'string', nullable: 0 },
          ],
        },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', from: 3, default: 0 },
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
          ],
        },
      ],
    },
  ],
} as const satisfies Api;

/** 8 asks for many groups at once; 9 adds the member epoch of KIP-848 groups, which classic groups leave at -1. */
export const offsetFetch = {
  key: 9,
  name: 'OffsetFetch',
  min: 1,
  max: 9,
  flexible: 6,
  request: [
    { name: 'groupId', type: 'string', to: 7 },
    {
      name: 'topics',
      type: '[]',
      to: 7,
      nullable: 2,
      fields: [
        { name: 'name', type: 'string' },
        { name: 'partitionIndexes', type: '[]int32' },
      ],
    },
    {
      name: 'groups',
      type: '[]',
      from: 8,
      fields: [
        { name: 'groupId', type: 'string', from: 8 },
        { name: 'memberId', type: 'string', from: 9, nullable: 9, default: null },
        { name: 'memberEpoch', type: 'int32', from: 9, default: -1 },
        {
          name: 'topics',
          type: '[]',
          from: 8,
          nullable: 8,
          fields: [
            { name: 'name', type: 'string', from: 8 },
            { name: 'partitionIndexes', type: '[]int32', from: 8 },
          ],
        },
      ],
    },
    { name: 'requireStable', type: 'bool', from: 7, default: false },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', from: 3, default: 0 },
    {
      name: 'topics',
      type: '[]',
      to: 7,
      fields: [
        { name: 'name', type: 'string' },
        {
          name: 'partitions',
          type: '[]',
          fields: [
            { name: 'partitionIndex', type: 'int32' },
            { name: 'committedOffset', type: 'int64' },
            { name: 'committedLeaderEpoch', type: 'int32', from: 5, default: -1 },
            { name: 'metadata', type: 'string', nullable: 0 },
            { name: 'errorCode', type: 'int16' },
          ],
        },
      ],
    },
    { name: 'errorCode', type: 'int16', from: 2, to: 7, default: 0 },
    {
      name: 'groups',
      type: '[]',
      from: 8,
      fields: [
        { name: 'groupId', type: 'string', from: 8 },
        {
          name: 'topics',
          type: '[]',
          from: 8,
          fields: [
            { name: 'name', type: 'string', from: 8 },
            {
              name: 'partitions',
              type: '[]',
              from: 8,
              fields: [
                { name: 'partitionIndex', type: 'int32', from: 8 },
                { name: 'committedOffset', type: 'int64', from: 8 },
                { name: 'committedLeaderEpoch', type: 'int32', from: 8, default: -1 },
                { name: 'metadata', type: 'string', from: 8, nullable: 8 },
                { name: 'errorCode', type: 'int16', from: 8 },
              ],
            },
          ],
        },
        { name: 'errorCode', type: 'int16', from: 8, default: 0 },
      ],
    },
  ],
} as const satisfies Api;

export const joinGroup = {
  key: 11,
  name: 'JoinGroup',
  min: 0,
  max: 9,
  flexible: 6,
  request: [
    { name: 'groupId', type: 'string' },
    { name: 'sessionTimeoutMs', type: 'int32' },
    { name: 'rebalanceTimeoutMs', type: 'int32', from: 1, default: -1 },
    { name: 'memberId', type: 'string' },
    { name: 'groupInstanceId', type: 'string', from: 5, nullable: 5, default: null },
    { name: 'protocolType', type: 'string' },
    {
      name: 'protocols',
      type: '[]',
      fields: [
        { name: 'name', type: 'string' },
        { name: 'metadata', type: 'bytes' },
      ],
    },
    { name: 'reason', type: 'string', from: 8, nullable: 8, default: null },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', from: 2, default: 0 },
    { name: 'errorCode', type: 'int16' },
    { name: 'generationId', type: 'int32', default: -1 },
    { name: 'protocolType', type: 'string', from: 7, nullable: 7, default: null },
    { name: 'protocolName', type: 'string', nullable: 7 },
    { name: 'leader', type: 'string' },
    { name: 'skipAssignment', type: 'bool', from: 9, default: false },
    { name: 'memberId', type: 'string' },
    {
      name: 'members',
      type: '[]',
      fields: [
        { name: 'memberId', type: 'string' },
        { name: 'groupInstanceId', type: 'string', from: 5, nullable: 5, default: null },
        { name: 'metadata', type: 'bytes' },
      ],
    },
  ],
} as const satisfies Api;

export const heartbeat = {
  key: 12,
  name: 'Heartbeat',
  min: 0,
  max: 4,
  flexible: 4,
  request: [
    { name: 'groupId', type: 'string' },
    { name: 'generationId', type: 'int32' },
    { name: 'memberId', type: 'string' },
    { name: 'groupInstanceId', type: 'string', from: 3, nullable: 3, default: null },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', from: 1, default: 0 },
    { name: 'errorCode', type: 'int16' },
  ],
} as const satisfies Api;

export const leaveGroup = {
  key: 13,
  name: 'LeaveGroup',
  min: 0,
  max: 5,
  flexible: 4,
  request: [
    { name: 'groupId', type: 'string' },
    { name: 'memberId', type: 'string', to: 2 },
    {
      name: 'members',
      type: '[]',
      from: 3,
      fields: [
        { name: 'memberId', type: 'string', from: 3 },
        { name: 'groupInstanceId', type: 'string', from: 3, nullable: 3, default: null },
        { name: 'reason', type: 'string', from: 5, nullable: 5, default: null },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', from: 1, default: 0 },
    { name: 'errorCode', type: 'int16' },
    {
      name: 'members',
      type: '[]',
      from: 3,
      fields: [
        { name: 'memberId', type: 'string', from: 3 },
        { name: 'groupInstanceId', type: 'string', from: 3, nullable: 3 },
        { name: 'errorCode', type: 'int16', from: 3 },
      ],
    },
  ],
} as const satisfies Api;

export const syncGroup = {
  key: 14,
  name: 'SyncGroup',
  min: 0,
  max: 5,
  flexible: 4,
  request: [
    { name: 'groupId', type: 'string' },
    { name: 'generationId', type: 'int32' },
    { name: 'memberId', type: 'string' },
    { name: 'groupInstanceId', type: 'string', from: 3, nullable: 3, default: null },
    { name: 'protocolType', type: 'string', from: 5, nullable: 5, default: null },
    { name: 'protocolName', type: 'string', from: 5, nullable: 5, default: null },
    {
      name: 'assignments',
      type: '[]',
      fields: [
        { name: 'memberId', type: 'string' },
        { name: 'assignment', type: 'bytes' },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', from: 1, default: 0 },
    { name: 'errorCode', type: 'int16' },
    { name: 'protocolType', type: 'string', from: 5, nullable: 5, default: null },
    { name: 'protocolName', type: 'string', from: 5, nullable: 5, default: null },
    { name: 'assignment', type: 'bytes' },
  ],
} as const satisfies Api;

export const describeGroups = {
  key: 15,
  name: 'DescribeGroups',
  min: 0,
  max: 5,
  flexible: 5,
  request: [
    { name: 'groups', type: '[]string' },
    { name: 'includeAuthorizedOperations', type: 'bool', from: 3 },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', from: 1, default: 0 },
    {
      name: 'groups',
      type: '[]',
      fields: [
        { name: 'errorCode', type: 'int16' },
        { name: 'groupId', type: 'string' },
        { name: 'groupState', type: 'string' },
        { name: 'protocolType', type: 'string' },
        { name: 'protocolData', type: 'string' },
        {
          name: 'members',
          type: '[]',
          fields: [
            { name: 'memberId', type: 'string' },
            { name: 'groupInstanceId', type: 'string', from: 4, nullable: 4, default: null },
            { name: 'clientId', type: 'string' },
            { name: 'clientHost', type: 'string' },
            { name: 'memberMetadata', type: 'bytes' },
            { name: 'memberAssignment', type: 'bytes' },
          ],
        },
        { name: 'authorizedOperations', type: 'int32', from: 3, default: -2147483648 },
      ],
    },
  ],
} as const satisfies Api;

export const listGroups = {
  key: 16,
  name: 'ListGroups',
  min: 0,
  max: 5,
  flexible: 3,
  request: [
    { name: 'statesFilter', type: '[]string', from: 4 },
    { name: 'typesFilter', type: '[]string', from: 5 },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', from: 1, default: 0 },
    { name: 'errorCode', type: 'int16' },
    {
      name: 'groups',
      type: '[]',
      fields: [
        { name: 'groupId', type: 'string' },
        { name: 'protocolType', type: 'string' },
        { name: 'groupState', type: 'string', from: 4 },
        { name: 'groupType', type: 'string', from: 5 },
      ],
    },
  ],
} as const satisfies Api;

export const deleteGroups = {
  key: 42,
  name: 'DeleteGroups',
  min: 0,
  max: 2,
  flexible: 2,
  request: [{ name: 'groupsNames', type: '[]string' }],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    {
      name: 'results',
      type: '[]',
      fields: [
        { name: 'groupId', type: 'string' },
        { name: 'errorCode', type: 'int16' },
      ],
    },
  ],
} as const satisfies Api;

export const offsetDelete = {
  key: 47,
  name: 'OffsetDelete',
  min: 0,
  max: 0,
  flexible: null,
  request: [
    { name: 'groupId', type: 'string' },
    {
      name: 'topics',
      type: '[]',
      fields: [
        { name: 'name', type: 'string' },
        { name: 'partitions', type: '[]', fields: [{ name: 'partitionIndex', type: 'int32' }] },
      ],
    },
  ],
  response: [
    { name: 'errorCode', type: 'int16' },
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
          ],
        },
      ],
    },
  ],
} as const satisfies Api;
