// Rows about clients themselves: their quotas, their SCRAM credentials, their telemetry.
import type { Api } from './row.ts';

export const describeClientQuotas = {
  key: 48,
  name: 'DescribeClientQuotas',
  min: 0,
  max: 1,
  flexible: 1,
  request: [
    {
      name: 'components',
      type: '[]',
      fields: [
        { name: 'entityType', type: 'string' },
        { name: 'matchType', type: 'int8' },
        { name: 'match', type: 'string', nullable: 0 },
      ],
    },
    { name: 'strict', type: 'bool' },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16' },
    { name: 'errorMessage', type: 'string', nullable: 0, default: null },
    {
      name: 'entries',
      type: '[]',
      nullable: 0,
      fields: [
        {
          name: 'entity',
          type: '[]',
          fields: [
            { name: 'entityType', type: 'string' },
            { name: 'entityName', type: 'string', nullable: 0 },
          ],
        },
        {
          name: 'values',
          type: '[]',
          fields: [
            { name: 'key', type: 'string' },
            { name: 'value', type: 'float64' },
          ],
        },
      ],
    },
  ],
} as const satisfies Api;

export const alterClientQuotas = {
  key: 49,
  name: 'AlterClientQuotas',
  min: 0,
  max: 1,
  flexible: 1,
  request: [
    {
      name: 'entries',
      type: '[]',
      fields: [
        {
          name: 'entity',
          type: '[]',
          fields: [
            { name: 'entityType', type: 'string' },
            { name: 'entityName', type: 'string', nullable: 0 },
          ],
        },
        {
          name: 'ops',
          type: '[]',
          fields: [
            { name: 'key', type: 'string' },
            { name: 'value', type: 'float64' },
            { name: 'remove', type: 'bool' },
          ],
        },
      ],
    },
    { name: 'validateOnly', type: 'bool' },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    {
      name: 'entries',
      type: '[]',
      fields: [
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', nullable: 0 },
        {
          name: 'entity',
          type: '[]',
          fields: [
            { name: 'entityType', type: 'string' },
            { name: 'entityName', type: 'string', nullable: 0 },
          ],
        },
      ],
    },
  ],
} as const satisfies Api;

export const describeUserScramCredentials = {
  key: 50,
  name: 'DescribeUserScramCredentials',
  min: 0,
  max: 0,
  flexible: 0,
  request: [{ name: 'users', type: '[]', nullable: 0, fields: [{ name: 'name', type: 'string' }] }],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16' },
    { name: 'errorMessage', type: 'string', nullable: 0, default: null },
    {
      name: 'results',
      type: '[]',
      fields: [
        { name: 'user', type: 'string' },
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', nullable: 0, default: null },
        {
          name: 'credentialInfos',
          type: '[]',
          fields: [
            { name: 'mechanism', type: 'int8' },
            { name: 'iterations', type: 'int32' },
          ],
        },
      ],
    },
  ],
} as const satisfies Api;

export const alterUserScramCredentials = {
  key: 51,
  name: 'AlterUserScramCredentials',
  min: 0,
  max: 0,
  flexible: 0,
  request: [
    {
      name: 'deletions',
      type: '[]',
      fields: [
        { name: 'name', type: 'string' },
        { name: 'mechanism', type: 'int8' },
      ],
    },
    {
      name: 'upsertions',
      type: '[]',
      fields: [
        { name: 'name', type: 'string' },
        { name: 'mechanism', type: 'int8' },
        { name: 'iterations', type: 'int32' },
        { name: 'salt', type: 'bytes' },
        { name: 'saltedPassword', type: 'bytes' },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    {
      name: 'results',
      type: '[]',
      fields: [
        { name: 'user', type: 'string' },
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', nullable: 0, default: null },
      ],
    },
  ],
} as const satisfies Api;

export const getTelemetrySubscriptions = {
  key: 71,
  name: 'GetTelemetrySubscriptions',
  min: 0,
  max: 0,
  flexible: 0,
  request: [{ name: 'clientInstanceId', type: 'uuid' }],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16' },
    { name: 'clientInstanceId', type: 'uuid' },
    { name: 'subscriptionId', type: 'int32' },
    { name: 'acceptedCompressionTypes', type: '[]int8' },
    { name: 'pushIntervalMs', type: 'int32' },
    { name: 'telemetryMaxBytes', type: 'int32' },
    { name: 'deltaTemporality', type: 'bool' },
    { name: 'requestedMetrics', type: '[]string' },
  ],
} as const satisfies Api;

export const pushTelemetry = {
  key: 72,
  name: 'PushTelemetry',
  min: 0,
  max: 0,
  flexible: 0,
  request: [
    { name: 'clientInstanceId', type: 'uuid' },
    { name: 'subscriptionId', type: 'int32' },
    { name: 'terminating', type: 'bool' },
    { name: 'compressionType', type: 'int8' },
    { name: 'metrics', type: 'bytes' },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16' },
  ],
} as const satisfies Api;
