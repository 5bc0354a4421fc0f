// 314 CLONE_GROUP_OFFSET: gives a group the places that another has on one topic, or on all of them. While the source is
// online only topics that it still subscribes to are copied, unless `offline` says otherwise.

import type { OffsetCommit } from '../../../core/verbs.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { consumerGroup, existingGroup, existingTopic, topicsOf } from '../look-up.ts';
import { wireTopic } from '../names.ts';

const SOURCE = fieldNumber('srcGroup');
const DESTINATION = fieldNumber('destGroup');
const TOPIC = fieldNumber('topic');
const OFFLINE = fieldNumber('offline');

export const cloneGroupOffset: RequestHandler = (connection, header) => {
  const { broker, node, principal } = connection;
  const source = existingGroup(connection, header.string(SOURCE));
  const destination = consumerGroup(connection, header.string(DESTINATION));
  const asked = header.string(TOPIC).trim();
  const topics = asked === '' ? topicsOf(connection, source) : [existingTopic(connection, asked)];
  const subscriptions = node.groups.subscriptions(source);
  const offsets: OffsetCommit[] = [];
  for (const topic of topics) {
    const isRead = subscriptions.size === 0 || subscriptions.has(wireTopic(topic.kind, topic.name));
    if (!header.boolean(OFFLINE) && !isRead) continue;
    for (const queue of topic.queues) {
      const place = broker.committed(source, queue);
      if (place !== null) offsets.push({ queue, offset: place.offset, metadata: '', epoch: -1 });
    }
  }
  const slot = connection.sends.openPlain(header);
  try {
    broker.commitOffsets(principal, destination, offsets, connection, slot);
  } catch (error) {
    connection.sends.forget(slot);
    throw error;
  }
};
