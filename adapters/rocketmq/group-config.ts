// What RocketMQ knows of a consumer group and the core does not, kept as text in the group's extra attributes. How often
// a message is retried is the core's own attribute.
//
// Invariant: a group without the text has the protocol's defaults.

import type { Group } from '../../core/types.ts';
import type { Json, JsonObject } from './json-body.ts';
import { retryTimesMax } from './retry.ts';

export const GROUP_CONFIG_KEY = 'rocketmq.group';
const CACHED_MAX = 10_000;

export interface GroupConfig {
  readonly consumeEnable: boolean;
  readonly consumeFromMinEnable: boolean;
  readonly consumeBroadcastEnable: boolean;
  readonly consumeMessageOrderly: boolean;
  readonly notifyConsumerIdsChangedEnable: boolean;
  readonly retryQueueNums: number;
  readonly brokerId: number;
  readonly whichBrokerWhenConsumeSlowly: number;
  readonly consumeTimeoutMinute: number;
  readonly groupSysFlag: number;
  readonly attributes: Readonly<Record<string, string>>;
  /** Topics that the group may not read (353). */
  readonly forbidden: readonly string[];
}

const DEFAULTS: GroupConfig = {
  consumeEnable: true,
  consumeFromMinEnable: true,
  consumeBroadcastEnable: true,
  consumeMessageOrderly: false,
  notifyConsumerIdsChangedEnable: true,
  retryQueueNums: 1,
  brokerId: 0,
  whichBrokerWhenConsumeSlowly: 1,
  consumeTimeoutMinute: 15,
  groupSysFlag: 0,
  attributes: {},
  forbidden: [],
};

const cached = new Map<string, GroupConfig>();

export function groupConfig(group: Group): GroupConfig {
  const text = group.attributes.extra[GROUP_CONFIG_KEY];
  if (text === undefined) return DEFAULTS;
  let config = cached.get(text);
  if (config === undefined) {
    config = { ...DEFAULTS, ...(JSON.parse(text) as Partial<GroupConfig>) };
    if (cached.size >= CACHED_MAX) cached.clear();
    cached.set(text, config);
  }
  return config;
}

/** The configuration that a request's body asks for; what it leaves out, or gives in another type, stays as it was. */
export function changedConfig(before: GroupConfig, body: Readonly<Record<string, unknown>>): GroupConfig {
  const changed: Record<string, unknown> = { ...before };
  for (const [name, value] of Object.entries(DEFAULTS)) {
    const given = body[name];
    if (name === 'attributes' || name === 'forbidden' || typeof given !== typeof value) continue;
    if (typeof given === 'number' && !Number.isSafeInteger(given)) continue;
    changed[name] = given;
  }
  return changed as unknown as GroupConfig;
}

export const groupConfigText = (config: GroupConfig): string => JSON.stringify(config);

/** As the protocol's tools read it. */
export function groupConfigJson(wireGroup: string, group: Group): JsonObject {
  const { forbidden: _, ...config } = groupConfig(group);
  return {
    ...(config as Record<string, Json>),
    groupName: wireGroup,
    groupRetryPolicy: { type: 'CUSTOMIZED' },
    retryMaxTimes: retryTimesMax(group),
  };
}
