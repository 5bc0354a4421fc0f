// The suites, as rows: a file of tests, what it needs on the machine, and where it belongs. The runner refuses to start
// when a *.suite.ts file has no row here.
export interface SuiteRow {
  readonly name: string;
  readonly file: string;
  readonly what: string;
  readonly needs: readonly ('java' | 'python' | 'kcat' | 'loop' | 'tmpfs' | 'go')[];
  /** Also makes sense against the real brokers (`--peers`). */
  readonly hasOracle?: boolean;
}

export const SUITES: readonly SuiteRow[] = [
  {
    name: 'history',
    file: 'history.suite.ts',
    what: 'the history checker catches loss, reordering and duplicates',
    needs: [],
  },
  {
    name: 'process',
    file: 'process.suite.ts',
    what: 'start, drain on SIGTERM, a taken port, one process per directory',
    needs: [],
  },
  {
    name: 'clients/kafka',
    file: 'clients/kafka.suite.ts',
    what: 'Java client and kafkajs: produce, groups, idempotence, codecs',
    needs: ['java'],
    hasOracle: true,
  },
  {
    name: 'clients/kcat',
    file: 'clients/kcat.suite.ts',
    what: 'kcat: produce, consume, groups, codecs, metadata',
    needs: ['kcat'],
    hasOracle: true,
  },
  {
    name: 'clients/rocketmq',
    file: 'clients/rocketmq.suite.ts',
    what: 'Java client and ali-ons: producer, push consumer, tags, retry',
    needs: ['java'],
    hasOracle: true,
  },
  {
    name: 'clients/amqp',
    file: 'clients/amqp.suite.ts',
    what: 'amqplib, pika, Java: confirms, mandatory, prefetch, requeue, get',
    needs: ['java', 'python'],
    hasOracle: true,
  },
  {
    name: 'cross/matrix',
    file: 'cross/matrix.suite.ts',
    what: 'each of the three publishes, each of the three receives',
    needs: ['java'],
  },
  {
    name: 'cross/batch',
    file: 'cross/batch.suite.ts',
    what: 'a compressed batch of a thousand records in three AMQP queues',
    needs: ['java'],
  },
  {
    name: 'cross/groups',
    file: 'cross/groups.suite.ts',
    what: 'dead letters and groups that change their protocol',
    needs: ['java'],
  },
  {
    name: 'kafka/features',
    file: 'kafka/features.suite.ts',
    what: 'what Java applications do, with the last 3.x and the newest 4.x client',
    needs: ['java'],
    hasOracle: true,
  },
  {
    name: 'kafka/libraries',
    file: 'kafka/libraries.suite.ts',
    what: 'eight client libraries of five languages: produce, read, groups, administration',
    needs: ['java', 'python'],
    hasOracle: true,
  },
  {
    name: 'kafka/stints',
    file: 'kafka/stints.suite.ts',
    what: 'the checker of groups catches loss, gaps, duplicates, partitions held twice, late commits',
    needs: [],
  },
  {
    name: 'kafka/chaos',
    file: 'kafka/chaos.suite.ts',
    what: 'members of a group killed, paused and restarted under load',
    needs: ['java'],
    hasOracle: true,
  },
  {
    name: 'kafka/access',
    file: 'kafka/access.suite.ts',
    what: 'TLS, SASL PLAIN and SCRAM, users made by an application, logging in again',
    needs: ['java'],
    hasOracle: true,
  },
  {
    name: 'kafka/faults',
    file: 'kafka/faults.suite.ts',
    what: 'a bad network, kill -9 in a rebalance, 5,000 partitions, a silent reader, hostile bytes',
    needs: ['java', 'python'],
  },
  {
    name: 'kafka/apps',
    file: 'kafka/apps.suite.ts',
    what: 'Kafka Connect with files, MirrorMaker 2 from a real Kafka',
    needs: ['java'],
    hasOracle: true,
  },
  {
    name: 'rocketmq/features',
    file: 'rocketmq/features.suite.ts',
    what: 'what Apache’s Java clients do in daily work, 4.9 and 5.x',
    needs: ['java'],
    hasOracle: true,
  },
  {
    name: 'rocketmq/examples',
    file: 'rocketmq/examples.suite.ts',
    what: 'Apache’s own examples, unchanged',
    needs: ['java'],
    hasOracle: true,
  },
  {
    name: 'rocketmq/access',
    file: 'rocketmq/access.suite.ts',
    what: 'Java clients that sign their requests',
    needs: ['java'],
    hasOracle: true,
  },
  {
    name: 'rocketmq/old',
    file: 'rocketmq/old.suite.ts',
    what: 'where a new group begins on a topic whose first messages are gone',
    needs: ['java'],
    hasOracle: true,
  },
  {
    name: 'rocketmq/go',
    file: 'rocketmq/go.suite.ts',
    what: 'the Go client v2 beside Java, in one group with it',
    needs: ['java'],
    hasOracle: true,
  },
  {
    name: 'rocketmq/ons',
    file: 'rocketmq/ons.suite.ts',
    what: 'ali-ons in one group with Java',
    needs: ['java'],
    hasOracle: true,
  },
  {
    name: 'rocketmq/deliveries',
    file: 'rocketmq/deliveries.suite.ts',
    what: 'the checker of deliveries catches loss, disorder and duplicates',
    needs: [],
  },
  {
    name: 'rocketmq/chaos',
    file: 'rocketmq/chaos.suite.ts',
    what: 'members of a group killed, paused and restarted under load',
    needs: ['java'],
    hasOracle: true,
  },
  {
    name: 'amqp/features',
    file: 'amqp/features.suite.ts',
    what: 'RabbitMQ’s extensions with amqplib, pika and the Java client',
    needs: ['java', 'python'],
    hasOracle: true,
  },
  {
    name: 'amqp/faults',
    file: 'amqp/faults.suite.ts',
    what: 'kill -9 with confirms and acks, vanished connections, fuzzed frames',
    needs: [],
  },
  {
    name: 'amqp/settled',
    file: 'amqp/settled.suite.ts',
    what: 'the checker of a work queue catches loss, returns and missing marks',
    needs: [],
  },
  {
    name: 'amqp/scale',
    file: 'amqp/scale.suite.ts',
    what: 'a million ready, 10,000 queues, fan-out to 100, deaf readers: bounded memory',
    needs: [],
  },
  {
    name: 'amqp/spring',
    file: 'amqp/spring.suite.ts',
    what: 'Spring AMQP: templates, containers, confirms, direct replies, retries',
    needs: ['java'],
    hasOracle: true,
  },
  {
    name: 'amqp/celery',
    file: 'amqp/celery.suite.ts',
    what: 'Celery with real workers: rpc results, retries, ETA, prefetch, late acks',
    needs: ['python'],
    hasOracle: true,
  },
  {
    name: 'amqp/go',
    file: 'amqp/go.suite.ts',
    what: 'amqp091-go: what the other clients do in clients/amqp and amqp/features',
    needs: ['go'],
    hasOracle: true,
  },
  { name: 'faults/kill', file: 'faults/kill.suite.ts', what: 'kill -9 under mixed load', needs: ['java'] },
  {
    name: 'faults/image',
    file: 'faults/image.suite.ts',
    what: 'the method of the power cuts: a copied image keeps what was synced alone',
    needs: ['loop'],
  },
  {
    name: 'faults/power',
    file: 'faults/power.suite.ts',
    what: 'power cuts with a copied loop-device image',
    needs: ['java', 'loop'],
  },
  {
    name: 'mutants',
    file: 'mutants.suite.ts',
    what: 'faults put into the source of the core are each caught by a named test',
    needs: [],
  },
  { name: 'faults/full', file: 'faults/full.suite.ts', what: 'a disk that is full', needs: ['java', 'tmpfs'] },
];
