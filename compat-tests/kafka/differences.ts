// Where RosettaMQ answers Kafka's clients otherwise than Apache Kafka does, on purpose (harness/differences.ts).
import { type Differences, differsIn } from '../harness/differences.ts';

export const DIFFERENCES = {
  replicas: {
    what: 'CreateTopics with a replication factor of 3',
    apache: 38 as number | null,
    ours: null as number | null,
    apacheText: 'INVALID_REPLICATION_FACTOR with one broker',
    oursText: 'made, and told as 1 (`kafka.clampReplicas`)',
    why: 'tools ask for 3 because they want durability, which the flush level gives',
  },
  'names-that-collide': {
    what: 'CreateTopics of `a_b` beside `a.b`',
    apache: 17 as number | null,
    ours: null as number | null,
    apacheText: 'INVALID_TOPIC_EXCEPTION',
    oursText: 'two topics',
    why: 'Kafka refuses the second for the sake of its metrics; nothing here takes one for the other',
  },
  'future-timestamps': {
    what: 'the default of `message.timestamp.after.max.ms`',
    apache: '3600000' as string,
    ours: '9223372036854775807' as string,
    why: 'what other protocols publish has no such bound, and a clock that runs ahead should not stop a producer',
  },
} as const satisfies Differences;

export const differs = differsIn(DIFFERENCES);
