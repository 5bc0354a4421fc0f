// OffsetForLeaderEpoch (23): how far a partition was written under an epoch (KIP-101, KIP-320). v2 is the first that
// consumers send; v4 is flexible.
//
// A consumer that held offset 100 of epoch 3 and hears that epoch 3 ended at 90 knows that ten records were lost (with
// flush level `async` that is what a crash may do) and that what lies there now is something else. An epoch that is not
// known, because it is newer than ours, is answered with -1 and -1.
import { offsetForLeaderEpoch } from '../../../specs/kafka/data.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Input } from '../../../specs/kafka/row.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { epochError } from '../epoch-check.ts';
import { errorCode } from '../errors.ts';
import { describedPartition } from '../partitions.ts';

type Answer = Input<(typeof offsetForLeaderEpoch.response)[1]['fields'][1]['fields']>;

export const offsetForLeaderEpochRoute: Route = { api: offsetForLeaderEpoch, handle: find };

function find(call: Call): void {
  const topics = call.request(offsetForLeaderEpoch).topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition, currentLeaderEpoch, leaderEpoch }) =>
      findOne(call, topic, partition, currentLeaderEpoch, leaderEpoch),
    ),
  }));
  call.reply(offsetForLeaderEpoch, { topics });
}

function findOne(call: Call, name: string, partition: number, claimed: number, asked: number): Answer {
  const { broker } = call.node;
  try {
    const found = describedPartition(call, name, partition);
    if (found === null) return { partition, errorCode: ERROR.UNKNOWN_TOPIC_OR_PARTITION };
    const code = epochError(call.node, claimed);
    if (code !== ERROR.NONE) return { partition, errorCode: code };
    if (asked < 0 || asked > broker.epoch) return { partition, errorCode: ERROR.NONE };
    const { epoch, offset } = broker.facts.epochEnd(found.queue.number, asked);
    return { partition, errorCode: ERROR.NONE, leaderEpoch: epoch, endOffset: offset };
  } catch (error) {
    call.node.counts.errors++;
    return { partition, errorCode: errorCode(error, 'topic') };
  }
}
