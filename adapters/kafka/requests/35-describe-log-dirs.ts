// DescribeLogDirs (35): how large each partition is. All lie in one log, which is shown as one directory; how much the
// disk holds is not told (-1), as brokers do whose directory cannot say it.
//
// An entry that several queues show is counted in each of them, because that is what each would have stored.

import type { Topic } from '../../../core/types.ts';
import { describeLogDirs } from '../../../specs/kafka/admin.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { spell, topicNamed } from '../names.ts';

const LOG_DIR = '/rosettamq';

export const describeLogDirsRoute: Route = { api: describeLogDirs, handle: describe };

function describe(call: Call): void {
  const { broker, settings } = call.node;
  const wanted = call.request(describeLogDirs).topics;
  try {
    broker.authorise(call.principal, 'describe', 'cluster', settings.namespace, '');
  } catch (error) {
    call.node.counts.errors++;
    call.reply(describeLogDirs, { errorCode: errorCode(error, 'cluster'), results: [] });
    return;
  }
  const topics = [];
  if (wanted === null) {
    for (const topic of broker.topics(call.principal, settings.namespace))
      topics.push(sized(call, topic, topic.queues.keys()));
  } else {
    for (const { topic: name, partitions } of wanted) {
      const topic = topicNamed(broker, settings.namespace, name);
      if (topic !== null) topics.push(sized(call, topic, partitions));
    }
  }
  call.reply(describeLogDirs, { results: [{ errorCode: ERROR.NONE, logDir: LOG_DIR, topics }] });
}

function sized(call: Call, topic: Topic, indexes: Iterable<number>) {
  const partitions = [];
  for (const partitionIndex of new Set(indexes)) {
    const number = topic.queues[partitionIndex];
    if (number === undefined) continue;
    partitions.push({
      partitionIndex,
      partitionSize: call.node.broker.facts.bytes(number),
      offsetLag: 0,
      isFutureKey: false,
    });
  }
  return { name: spell(topic.name), partitions };
}
