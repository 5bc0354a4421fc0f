// 343 QUERY_TOPICS_BY_CONSUMER: the topics on which a group has a place or to which it subscribes now.

import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { rawJson } from '../json-body.ts';
import { groupName, mayAskAbout, topicsOf } from '../look-up.ts';
import { wireTopic } from '../names.ts';

const GROUP = fieldNumber('group');

export const queryTopicsByConsumer: RequestHandler = (connection, header) => {
  const { broker, node } = connection;
  const group = broker.group(node.namespace, groupName(header.string(GROUP)));
  const topics = new Set<string>();
  if (group !== null) {
    mayAskAbout(connection, 'group', group.name);
    for (const topic of topicsOf(connection, group)) topics.add(wireTopic(topic.kind, topic.name));
    for (const topic of node.groups.subscriptions(group).keys()) topics.add(topic);
  }
  connection.answerBody(header, rawJson({ topicList: [...topics] }));
};
