// Creating, growing, describing and deleting topics.
import type { Api } from './row.ts';

export const createTopics = {
  key: 19,
  name: 'CreateTopics',
  min: 0,
  max: 7,
  flexible: 5,
  request: [
    {
      name: 'topics',
      type: '[]',
      fields: [
        { name: 'name', type: 'string' },
        { name: 'numPartitions', type: 'int32' },
        { name: 'replicationFactor', type: 'int16' },
        {
          name: 'assignments',
          type: '[]',
          fields: [
            { name: 'partitionIndex', type: 'int32' },
            { name: 'brokerIds', type: '[]int32' },
          ],
        },
        {
          name: 'configs',
          type: '[]',
          fields: [
            { name: 'name', type: 'string' },
            { name: 'value', type: 'string', nullable: 0 },
          ],
        },
      ],
    },
    { name: 'timeoutMs', type: 'int32', default: 60000 },
    { name: 'validateOnly', type: 'bool', from: 1, default: false },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', from: 2, default: 0 },
    {
      name: 'topics',
      type: '[]',
      fields: [
        { name: 'name', type: 'string' },
        { name: 'topicId', type: 'uuid', from: 7 },
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', from: 1, nullable: 0 },
        { name: 'topicConfigErrorCode', type: 'int16', from: 5, tag: 0, default: 0 },
        { name: 'numPartitions', type: 'int32', from: 5, default: -1 },
        { name: 'replicationFactor', type: 'int16', from: 5, default: -1 },
        {
          name: 'configs',
          type: '[]',
          from: 5,
          nullable: 5,
          fields: [
            { name: 'name', type: 'string', from: 5 },
            { name: 'value', type: 'string', from: 5, nullable: 5 },
            { name: 'readOnly', type: 'bool', from: 5 },
            { name: 'configSource', type: 'int8', from: 5, default: -1 },
            { name: 'isSensitive', type: 'bool', from: 5 },
          ],
        },
      ],
    },
  ],
} as const satisfies Api;

export const deleteTopics = {
  key: 20,
  name: 'DeleteTopics',
  min: 0,
  max: 6,
  flexible: 4,
  request: [
    {
      name: 'topics',
      type: '[]',
      from: 6,
      fields: [
        { name: 'name', type: 'string', from: 6, nullable: 6, default: null },
        { name: 'topicId', type: 'uuid', from: 6 },
      ],
    },
    { name: 'topicNames', type: '[]string', to: 5 },
    { name: 'timeoutMs', type: 'int32' },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', from: 1, default: 0 },
    {
      name: 'responses',
      type: '[]',
      fields: [
        { name: 'name', type: 'string', nullable: 6 },
        { name: 'topicId', type: 'uuid', from: 6 },
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', from: 5, nullable: 5, default: null },
      ],
    },
  ],
} as const satisfies Api;

export const describeConfigs = {
  key: 32,
  name: 'DescribeConfigs',
  min: 0,
  max: 4,
  flexible: 4,
  request: [
    {
      name: 'resources',
      type: '[]',
      fields: [
        { name: 'resourceType', type: 'int8' },
        { name: 'resourceName', type: 'string' },
        { name: 'configurationKeys', type: '[]string', nullable: 0 },
      ],
    },
    { name: 'includeSynonyms', type: 'bool', from: 1, default: false },
    { name: 'includeDocumentation', type: 'bool', from: 3, default: false },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    {
      name: 'results',
      type: '[]',
      fields: [
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', nullable: 0 },
        { name: 'resourceType', type: 'int8' },
        { name: 'resourceName', type: 'string' },
        {
          name: 'configs',
          type: '[]',
          fields: [
            { name: 'name', type: 'string' },
            { name: 'value', type: 'string', nullable: 0 },
            { name: 'readOnly', type: 'bool' },
            { name: 'isDefault', type: 'bool', to: 0 },
            { name: 'configSource', type: 'int8', from: 1, default: -1 },
            { name: 'isSensitive', type: 'bool' },
            {
              name: 'synonyms',
              type: '[]',
              from: 1,
              fields: [
                { name: 'name', type: 'string', from: 1 },
                { name: 'value', type: 'string', from: 1, nullable: 0 },
                { name: 'source', type: 'int8', from: 1 },
              ],
            },
            { name: 'configType', type: 'int8', from: 3, default: 0 },
            { name: 'documentation', type: 'string', from: 3, nullable: 0, default: null },
          ],
        },
      ],
    },
  ],
} as const satisfies Api;

export const createPartitions = {
  key: 37,
  name: 'CreatePartitions',
  min: 0,
  max: 3,
  flexible: 2,
  request: [
    {
      name: 'topics',
      type: '[]',
      fields: [
        { name: 'name', type: 'string' },
        { name: 'count', type: 'int32' },
        {
          name: 'assignments',
          type: '[]',
          nullable: 0,
          fields: [{ name: 'brokerIds', type: '[]int32' }],
        },
      ],
    },
    { name: 'timeoutMs', type: 'int32' },
    { name: 'validateOnly', type: 'bool' },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    {
      name: 'results',
      type: '[]',
      fields: [
        { name: 'name', type: 'string' },
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', nullable: 0, default: null },
      ],
    },
  ],
} as const satisfies Api;

export const incrementalAlterConfigs = {
  key: 44,
  name: 'IncrementalAlterConfigs',
  min: 0,
  max: 1,
  flexible: 1,
  request: [
    {
      name: 'resources',
      type: '[]',
      fields: [
        { name: 'resourceType', type: 'int8' },
        { name: 'resourceName', type: 'string' },
        {
          name: 'configs',
          type: '[]',
          fields: [
            { name: 'name', type: 'string' },
            { name: 'configOperation', type: 'int8' },
            { name: 'value', type: 'string', nullable: 0 },
          ],
        },
      ],
    },
    { name: 'validateOnly', type: 'bool' },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    {
      name: 'responses',
      type: '[]',
      fields: [
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', nullable: 0 },
        { name: 'resourceType', type: 'int8' },
        { name: 'resourceName', type: 'string' },
      ],
    },
  ],
} as const satisfies Api;

/** Replaces the whole configuration of a resource: what is not named goes back to its default. */
export const alterConfigs = {
  key: 33,
  name: 'AlterConfigs',
  min: 0,
  max: 2,
  flexible: 2,
  request: [
    {
      name: 'resources',
      type: '[]',
      fields: [
        { name: 'resourceType', type: 'int8' },
        { name: 'resourceName', type: 'string' },
        {
          name: 'configs',
          type: '[]',
          fields: [
            { name: 'name', type: 'string' },
            { name: 'value', type: 'string', nullable: 0 },
          ],
        },
      ],
    },
    { name: 'validateOnly', type: 'bool' },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    {
      name: 'responses',
      type: '[]',
      fields: [
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', nullable: 0 },
        { name: 'resourceType', type: 'int8' },
        { name: 'resourceName', type: 'string' },
      ],
    },
  ],
} as const satisfies Api;
