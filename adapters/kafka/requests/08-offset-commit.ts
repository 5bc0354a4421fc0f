// OffsetCommit (8): moves a group's place. v2 and up; v5 ends retention by the client, v6 brings the leader epoch,
// v7 static members, v9 the epochs of KIP-848 members, which classic groups leave at their generation.
//
// Generation -1 without a member (simple consumers, administrators) may only commit while nobody works in the group.
// The metadata text is kept and comes back word for word. The answer comes when the offsets are in the log.
import type { CommitTarget, OffsetCommit } from '../../../core/verbs.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { offsetCommit } from '../../../specs/kafka/groups.ts';
import type { Values } from '../../../specs/kafka/row.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { topicNamed } from '../names.ts';
import { mayUse } from '../partitions.ts';

type Topics = Values<(typeof offsetCommit)['request']>['topics'];

interface TopicAnswer {
  readonly name: string;
  readonly partitions: { readonly partitionIndex: number; errorCode: number }[];
}

export const offsetCommitRoute: Route = { api: offsetCommit, handle: commit };

function commit(call: Call): void {
  const { node, principal } = call;
  const { broker, settings, coordinator } = node;
  const request = call.request(offsetCommit);
  const offsets: OffsetCommit[] = [];
  const topics = request.topics.map((topic) => checked(call, topic, offsets));
  try {
    if (request.groupId === '') return refuse(call, topics, ERROR.INVALID_GROUP_ID);
    broker.authorise(principal, 'consume', 'group', settings.namespace, request.groupId);
    const { memberId, groupInstanceId, generationId } = request;
    const isNew = broker.group(settings.namespace, request.groupId) === null;
    // A generation of a group that is not there is not its generation.
    if (isNew && generationId >= 0) return refuse(call, topics, ERROR.ILLEGAL_GENERATION);
    const group = broker.ensureGroup(principal, settings.namespace, request.groupId);
    if (isNew) coordinator.adopt(group);
    const code = coordinator.mayCommit(group, memberId, groupInstanceId, generationId);
    if (code !== ERROR.NONE) return refuse(call, topics, code);
    if (offsets.length === 0) call.reply(offsetCommit, { topics });
    else broker.commitOffsets(principal, group, offsets, new Answer(call, topics), 0);
  } catch (error) {
    refuse(call, topics, errorCode(error, 'group'));
  }
}

class Answer implements CommitTarget {
  readonly #call: Call;
  readonly #topics: readonly TopicAnswer[];

  constructor(call: Call, topics: readonly TopicAnswer[]) {
    this.#call = call;
    this.#topics = topics;
  }

  committed(): void {
    this.#call.reply(offsetCommit, { topics: this.#topics });
  }
}

/** Looks at each partition; those that may be committed go into `offsets`. */
function checked(call: Call, { name, partitions }: Topics[number], offsets: OffsetCommit[]): TopicAnswer {
  const { broker, settings, limits } = call.node;
  const topic = topicNamed(broker, settings.namespace, name);
  const allowed = mayUse(call, 'consume', name);
  return {
    name,
    partitions: partitions.map(({ partitionIndex, committedOffset, committedMetadata, committedLeaderEpoch }) => {
      const metadata = committedMetadata ?? '';
      if (!allowed) return { partitionIndex, errorCode: ERROR.TOPIC_AUTHORIZATION_FAILED };
      const queue = topic?.queues[partitionIndex];
      if (queue === undefined) return { partitionIndex, errorCode: ERROR.UNKNOWN_TOPIC_OR_PARTITION };
      if (Buffer.byteLength(metadata) > limits.offsetMetadataBytesMax) {
        return { partitionIndex, errorCode: ERROR.OFFSET_METADATA_TOO_LARGE };
      }
      if (committedOffset < 0) return { partitionIndex, errorCode: ERROR.OFFSET_OUT_OF_RANGE };
      // Any number below 0 means that the client knows no epoch.
      offsets.push({ queue, offset: committedOffset, metadata, epoch: Math.max(-1, committedLeaderEpoch) });
      return { partitionIndex, errorCode: ERROR.NONE };
    }),
  };
}

function refuse(call: Call, topics: readonly TopicAnswer[], code: number): void {
  call.node.counts.errors++;
  for (const { partitions } of topics) for (const partition of partitions) partition.errorCode = code;
  call.reply(offsetCommit, { topics });
}
