// 345 QUERY_SUBSCRIPTION_BY_CONSUMER: what a group that is online subscribes to in a topic; without that, the body has
// no subscription.

import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { isObject, type Json, list, parseObject, rawJson } from '../json-body.ts';
import { groupName, mayAskAbout } from '../look-up.ts';

const GROUP = fieldNumber('group');
const TOPIC = fieldNumber('topic');

export const querySubscriptionByConsumer: RequestHandler = (connection, header) => {
  const { broker, node } = connection;
  const wireGroup = header.string(GROUP);
  const wireTopic = header.string(TOPIC);
  const group = broker.group(node.namespace, groupName(wireGroup));
  if (group !== null) mayAskAbout(connection, 'group', group.name);
  let subscriptionData: Json = null;
  for (const { membership } of group === null ? [] : node.groups.members(group)) {
    const said = parseObject(membership.data, 0, membership.data.length);
    const found = list(said['subscriptionDataSet']).find((data) => isObject(data) && data['topic'] === wireTopic);
    if (found !== undefined) subscriptionData = found as Json;
  }
  connection.answerBody(header, rawJson({ group: wireGroup, subscriptionData, topic: wireTopic }));
};
