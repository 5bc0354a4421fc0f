// DescribeProducers (61): the idempotent producers that a partition remembers (KIP-664). Without transactions no
// coordinator has an epoch, and none has begun anything.
import { describeProducers } from '../../../specs/kafka/admin.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Input } from '../../../specs/kafka/row.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { describedPartition, namedOnce } from '../partitions.ts';

type Answer = Input<(typeof describeProducers.response)[1]['fields'][1]['fields']>;

export const describeProducersRoute: Route = { api: describeProducers, handle: describe };

function describe(call: Call): void {
  const topics = [...namedOnce(call.request(describeProducers).topics)].map(([name, indexes]) => ({
    name,
    partitions: [...indexes].map((index) => describeOne(call, name, index)),
  }));
  call.reply(describeProducers, { topics });
}

function describeOne(call: Call, name: string, partitionIndex: number): Answer {
  const refused = (errorCode: number, errorMessage: string | null = null): Answer => ({
    partitionIndex,
    errorCode,
    errorMessage,
    activeProducers: [],
  });
  try {
    const found = describedPartition(call, name, partitionIndex);
    if (found === null) return refused(ERROR.UNKNOWN_TOPIC_OR_PARTITION);
    const { broker } = call.node;
    broker.authorise(call.principal, 'consume', 'topic', found.topic.namespace, found.topic.name);
    const activeProducers = broker.facts.producers(found.queue.number).map((producer) => ({
      producerId: producer.producerId,
      producerEpoch: producer.producerEpoch,
      lastSequence: producer.lastSequence,
      lastTimestamp: producer.lastTimeMs,
      coordinatorEpoch: -1,
    }));
    return { partitionIndex, errorCode: ERROR.NONE, activeProducers };
  } catch (error) {
    call.node.counts.errors++;
    return refused(errorCode(error, 'topic'), (error as Error).message);
  }
}
