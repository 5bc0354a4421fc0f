// 308 QUERY_CORRECTION_OFFSET: the smallest place that any group but some has on each queue of a topic. Where another
// group lies behind that, Long.MAX_VALUE says that there is nothing to correct.

import type { Group, Topic } from '../../../core/types.ts';
import type { Connection } from '../connection.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { existingTopic, groupName } from '../look-up.ts';

const FILTER_GROUPS = fieldNumber('filterGroups');
const COMPARE_GROUP = fieldNumber('compareGroup');
const TOPIC = fieldNumber('topic');
/** Printed as text: no number of ours holds it. */
const NOTHING = '9223372036854775807';

export const queryCorrectionOffset: RequestHandler = (connection, header) => {
  const { broker, node, principal } = connection;
  const topic = existingTopic(connection, header.string(TOPIC));
  const filtered = header.string(FILTER_GROUPS);
  const without = new Set(filtered === '' ? [] : filtered.split(',').map((name) => groupName(name.trim())));
  const smallest = new Map<number, number>();
  for (const group of broker.groups(principal, node.namespace)) {
    if (without.has(group.name)) continue;
    for (const [queueId, offset] of placesOf(connection, group, topic)) {
      smallest.set(queueId, Math.min(offset, smallest.get(queueId) ?? offset));
    }
  }
  const compare = broker.group(node.namespace, groupName(header.string(COMPARE_GROUP)));
  const compared = compare === null ? new Map<number, number>() : placesOf(connection, compare, topic);
  const rows = [...smallest].map(([queueId, offset]) => {
    const other = compared.get(queueId);
    return `${queueId}:${other !== undefined && offset > other ? NOTHING : offset}`;
  });
  connection.answerBody(header, Buffer.from(`{"correctionOffsets":{${rows.join(',')}}}`));
};

/** Places that lie within what is still kept. */
function placesOf(connection: Connection, group: Group, topic: Topic): Map<number, number> {
  const places = new Map<number, number>();
  for (const [queueId, queue] of topic.queues.entries()) {
    const offset = connection.broker.committed(group, queue)?.offset;
    if (offset !== undefined && offset >= (connection.broker.queue(queue)?.startOffset ?? 0))
      places.set(queueId, offset);
  }
  return places;
}
