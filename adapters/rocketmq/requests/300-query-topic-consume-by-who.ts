// 300 QUERY_TOPIC_CONSUME_BY_WHO: the groups that subscribe to a topic now or have a place on it.

import { GROUP_CHARS_MAX } from '../../../specs/rocketmq/constants.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { rawJson } from '../json-body.ts';
import { existingTopic } from '../look-up.ts';
import { spellWithin } from '../names.ts';

const TOPIC = fieldNumber('topic');

export const queryTopicConsumeByWho: RequestHandler = (connection, header) => {
  const { broker, node, principal } = connection;
  const wireTopic = header.string(TOPIC);
  const queues = new Set(existingTopic(connection, wireTopic).queues);
  const groupList = broker
    .groups(principal, node.namespace)
    .filter(
      (group) =>
        node.groups.subscription(group, wireTopic) !== null ||
        broker.committedQueues(group).some((queue) => queues.has(queue)),
    )
    .map((group) => spellWithin(group.name, GROUP_CHARS_MAX));
  connection.answerBody(header, rawJson({ groupList }));
};
