// OffsetDelete (47): forgets a group's place on partitions of topics that no member subscribes to (KIP-496).
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { offsetDelete } from '../../../specs/kafka/groups.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { topicNamed } from '../names.ts';
import { mayUse } from '../partitions.ts';

export const offsetDeleteRoute: Route = { api: offsetDelete, handle: remove };

async function remove(call: Call): Promise<void> {
  const { groupId, topics } = call.request(offsetDelete);
  const { broker, coordinator, settings } = call.node;
  try {
    broker.authorise(call.principal, 'delete', 'group', settings.namespace, groupId);
  } catch (error) {
    return refuse(call, errorCode(error, 'group'));
  }
  const group = broker.group(settings.namespace, groupId);
  if (group === null) return refuse(call, ERROR.GROUP_ID_NOT_FOUND);
  const state = coordinator.state(group);
  // Only consumers say what they subscribe to: of other members all may be in use.
  if (state !== null && state.protocolType !== 'consumer') return refuse(call, ERROR.NON_EMPTY_GROUP);
  const subscribed = new Set(broker.members(group).flatMap((member) => member.topics));
  const queues: number[] = [];
  const answers = topics.map(({ name, partitions }) => {
    const topic = topicNamed(broker, settings.namespace, name);
    const allowed = mayUse(call, 'consume', name);
    const inUse = topic !== null && subscribed.has(topic.name);
    return {
      name,
      partitions: partitions.map(({ partitionIndex }) => {
        if (!allowed) return { partitionIndex, errorCode: ERROR.TOPIC_AUTHORIZATION_FAILED };
        const queue = topic?.queues[partitionIndex];
        if (queue === undefined) return { partitionIndex, errorCode: ERROR.UNKNOWN_TOPIC_OR_PARTITION };
        if (inUse) return { partitionIndex, errorCode: ERROR.GROUP_SUBSCRIBED_TO_TOPIC };
        queues.push(queue);
        return { partitionIndex, errorCode: ERROR.NONE };
      }),
    };
  });
  try {
    if (queues.length > 0) await broker.deleteOffsets(call.principal, group, queues);
    call.reply(offsetDelete, { errorCode: ERROR.NONE, topics: answers });
  } catch (error) {
    refuse(call, errorCode(error, 'group'));
  }
}

function refuse(call: Call, code: number): void {
  call.node.counts.errors++;
  call.reply(offsetDelete, { errorCode: code, topics: [] });
}
