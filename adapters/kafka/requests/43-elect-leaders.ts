// ElectLeaders (43): there is one node, which leads everything, so no election is ever needed. Without partitions the
// client means all that need one: none.
import { electLeaders } from '../../../specs/kafka/admin.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { describedPartition } from '../partitions.ts';

export const electLeadersRoute: Route = { api: electLeaders, handle: elect };

function elect(call: Call): void {
  const { broker, settings } = call.node;
  const { topicPartitions } = call.request(electLeaders);
  let code: number = ERROR.NONE;
  try {
    broker.authorise(call.principal, 'update', 'cluster', settings.namespace, '');
  } catch (error) {
    call.node.counts.errors++;
    code = errorCode(error, 'cluster');
  }
  const replicaElectionResults = (topicPartitions ?? []).map(({ topic, partitions }) => ({
    topic,
    partitionResult: partitions.map((partitionId) => ({
      partitionId,
      errorCode: code === ERROR.NONE ? outcome(call, topic, partitionId) : code,
    })),
  }));
  call.reply(electLeaders, { errorCode: code, replicaElectionResults });
}

function outcome(call: Call, topic: string, partition: number): number {
  try {
    const found = describedPartition(call, topic, partition);
    return found === null ? ERROR.UNKNOWN_TOPIC_OR_PARTITION : ERROR.ELECTION_NOT_NEEDED;
  } catch (error) {
    return errorCode(error, 'topic');
  }
}
