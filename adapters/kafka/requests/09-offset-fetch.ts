// OffsetFetch (9): a group's place on some partitions, or on all that it has one on (topics null, v2+). v8+ asks for
// many groups at once. No place is offset -1 without an error; so is a group that nobody has heard of.
import type { CommittedOffset, Group } from '../../../core/types.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { offsetFetch } from '../../../specs/kafka/groups.ts';
import type { Input } from '../../../specs/kafka/row.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { spell, topicNamed } from '../names.ts';
import { mayUse, namedOnce } from '../partitions.ts';

type GroupAnswer = Input<(typeof offsetFetch.response)[3]['fields']>;
type TopicAnswer = GroupAnswer['topics'][number];
type PartitionAnswer = TopicAnswer['partitions'][number];
interface Wanted {
  readonly name: string;
  readonly partitionIndexes: readonly number[];
}

export const offsetFetchRoute: Route = { api: offsetFetch, handle: fetch };

function fetch(call: Call): void {
  const request = call.request(offsetFetch);
  if (call.version >= 8) {
    const seen = new Set<string>();
    const groups = request.groups.map(({ groupId, topics }) => {
      if (seen.has(groupId)) return { groupId, topics: [], errorCode: ERROR.INVALID_REQUEST };
      seen.add(groupId);
      return ofGroup(call, groupId, topics);
    });
    call.reply(offsetFetch, { topics: [], groups });
    return;
  }
  const { topics, errorCode: code } = ofGroup(call, request.groupId, request.topics);
  call.reply(offsetFetch, { topics, groups: [], errorCode: code ?? ERROR.NONE });
}

function ofGroup(call: Call, groupId: string, topicsWanted: readonly Wanted[] | null): GroupAnswer {
  const { broker, settings } = call.node;
  const wanted = topicsWanted === null ? null : [...namedOnce(topicsWanted)];
  try {
    broker.authorise(call.principal, 'describe', 'group', settings.namespace, groupId);
    const group = broker.group(settings.namespace, groupId);
    const topics = wanted === null ? everywhere(call, group) : wanted.map((topic) => onTopic(call, group, ...topic));
    return { groupId, topics, errorCode: ERROR.NONE };
  } catch (error) {
    call.node.counts.errors++;
    const code = errorCode(error, 'group');
    const topics = (wanted ?? []).map(([name, indexes]) => ({
      name,
      partitions: [...indexes].map((index) => place(index, null, code)),
    }));
    return { groupId, topics, errorCode: code };
  }
}

function onTopic(call: Call, group: Group | null, name: string, indexes: ReadonlySet<number>): TopicAnswer {
  const { broker, settings } = call.node;
  const topic = topicNamed(broker, settings.namespace, name);
  const code = mayUse(call, 'describe', name) ? ERROR.NONE : ERROR.TOPIC_AUTHORIZATION_FAILED;
  const partitions = [...indexes].map((index) => {
    const queue = topic?.queues[index];
    const committed =
      group === null || queue === undefined || code !== ERROR.NONE ? null : broker.committed(group, queue);
    return place(index, committed, code);
  });
  return { name, partitions };
}

function everywhere(call: Call, group: Group | null): TopicAnswer[] {
  const { broker, settings } = call.node;
  const topics = new Map<string, PartitionAnswer[]>();
  for (const number of group === null ? [] : broker.committedQueues(group)) {
    const queue = broker.queue(number);
    if (queue === null || queue.topic.namespace !== settings.namespace) continue;
    if (queue.topic.kind !== 'topic' && queue.topic.kind !== 'queue') continue;
    // Not even that there are places on them is told of topics that the client may not see.
    if (!broker.allows(call.principal, 'describe', 'topic', settings.namespace, queue.topic.name)) continue;
    const name = spell(queue.topic.name);
    const partitions = topics.get(name) ?? [];
    partitions.push(place(queue.id, broker.committed(group!, number), ERROR.NONE));
    topics.set(name, partitions);
  }
  return [...topics].map(([name, partitions]) => ({ name, partitions }));
}

function place(partitionIndex: number, committed: CommittedOffset | null, code: number): PartitionAnswer {
  return {
    partitionIndex,
    committedOffset: committed?.offset ?? -1,
    committedLeaderEpoch: committed?.epoch ?? -1,
    metadata: committed?.metadata ?? '',
    errorCode: code,
  };
}
