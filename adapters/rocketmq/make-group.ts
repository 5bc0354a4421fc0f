// Making and changing groups as 200 and 225 ask for it.

import { RESPONSE } from '../../specs/rocketmq/response-codes.ts';
import type { Connection } from './connection.ts';
import { RequestError } from './errors.ts';
import { changedConfig, GROUP_CONFIG_KEY, groupConfig, groupConfigText } from './group-config.ts';
import { text } from './json-body.ts';
import { groupName } from './look-up.ts';

const RETRY_QUEUES_MAX = 64;

/** Checks what is asked, before anything is changed. */
export function checkGroup(body: Readonly<Record<string, unknown>>): string {
  const { retryMaxTimes, retryQueueNums } = body;
  if (typeof retryMaxTimes === 'number' && (!Number.isInteger(retryMaxTimes) || retryMaxTimes < 0)) {
    throw new RequestError(RESPONSE.INVALID_PARAMETER, `retryMaxTimes[${retryMaxTimes}] is illegal`);
  }
  const isCount = Number.isInteger(retryQueueNums) && Number(retryQueueNums) >= 0;
  if (retryQueueNums !== undefined && (!isCount || Number(retryQueueNums) > RETRY_QUEUES_MAX)) {
    throw new RequestError(RESPONSE.INVALID_PARAMETER, `retryQueueNums is 0 to ${RETRY_QUEUES_MAX}`);
  }
  return groupName(text(body['groupName']));
}

export async function makeGroup(
  connection: Connection,
  name: string,
  body: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { broker, node, principal } = connection;
  // An administrator may make groups where clients may not.
  const group = broker.ensureGroup(principal, node.namespace, name);
  const config = changedConfig(groupConfig(group), body);
  const retryMaxTimes = body['retryMaxTimes'];
  await broker.alterGroup(principal, group, {
    // The first delivery is no retry.
    ...(typeof retryMaxTimes === 'number' ? { deliveriesMax: retryMaxTimes + 1 } : {}),
    extra: { ...group.attributes.extra, [GROUP_CONFIG_KEY]: groupConfigText(config) },
  });
  const retry = broker.topicOfKind(node.namespace, 'retry', name);
  if (retry !== null && config.retryQueueNums > retry.queues.length) {
    await broker.alterTopic(principal, retry, { queues: config.retryQueueNums });
  }
}
