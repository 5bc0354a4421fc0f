// DeleteRecords (21): moves a partition's start forward; -1 means up to the high watermark. A topic
// that is only compacted keeps what it has.
import { deleteRecords } from '../../../specs/kafka/data.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Call } from '../call.ts';
import { losesRecords } from '../config/topic-config.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { topicNamed } from '../names.ts';

export const deleteRecordsRoute: Route = { api: deleteRecords, handle: remove };

async function remove(call: Call): Promise<void> {
  const request = call.request(deleteRecords);
  const topics = [];
  for (const { name, partitions } of request.topics) {
    const outcomes = [];
    for (const { partitionIndex, offset } of partitions) {
      const { lowWatermark, code } = await removeOne(call, name, partitionIndex, offset);
      outcomes.push({ partitionIndex, lowWatermark, errorCode: code });
    }
    topics.push({ name, partitions: outcomes });
  }
  call.reply(deleteRecords, { topics });
}

async function removeOne(
  call: Call,
  name: string,
  partition: number,
  wanted: number,
): Promise<{ lowWatermark: number; code: number }> {
  const { broker, settings } = call.node;
  const refused = (code: number) => ({ lowWatermark: -1, code });
  const topic = topicNamed(broker, settings.namespace, name);
  const number = topic?.queues[partition];
  const queue = number === undefined ? null : broker.queue(number);
  if (topic === null || queue === null) return refused(ERROR.UNKNOWN_TOPIC_OR_PARTITION);
  if (!losesRecords(topic)) return refused(ERROR.POLICY_VIOLATION);
  const offset = wanted === -1 ? queue.endOffset : wanted;
  if (offset < 0 || offset > queue.endOffset) return refused(ERROR.OFFSET_OUT_OF_RANGE);
  try {
    return { lowWatermark: await broker.moveStart(call.principal, queue.number, offset), code: ERROR.NONE };
  } catch (error) {
    call.node.counts.errors++;
    return refused(errorCode(error, 'topic'));
  }
}
