// The broker's configuration in Kafka's names: what tools look up before they create topics, and the defaults that
// topics have. All of it is read-only through Kafka: it is set where the broker is started.
import { NODE_ID, type Node } from '../node.ts';
import { type ConfigAnswer, SOURCE, TYPE } from './entry.ts';
import { defaultConfigs } from './topic-config.ts';

type Row = readonly [name: string, value: unknown, type: number, doc: string];

export function brokerConfigs(node: Node): ConfigAnswer[] {
  const { settings, limits } = node;
  const set: readonly Row[] = [
    [
      'auto.create.topics.enable',
      settings.autoCreateTopics,
      TYPE.boolean,
      'Whether asking for an unknown topic makes it.',
    ],
    ['broker.id', NODE_ID, TYPE.int, 'Id of the only node.'],
    ['node.id', NODE_ID, TYPE.int, 'Id of the only node.'],
    ['connections.max.reauth.ms', settings.reauthenticationMs, TYPE.long, 'How long a login lasts; 0 for ever.'],
    ['default.replication.factor', 1, TYPE.int, 'Replicas of a topic that asks for none.'],
    ['delete.topic.enable', true, TYPE.boolean, 'Whether topics can be deleted.'],
    [
      'group.initial.rebalance.delay.ms',
      settings.initialRebalanceDelayMs,
      TYPE.int,
      'Time that a new group waits for members.',
    ],
    ['group.max.session.timeout.ms', limits.sessionTimeoutMsMax, TYPE.int, 'Longest session timeout of a member.'],
    ['group.max.size', limits.groupMembersMax, TYPE.int, 'Most members of a group.'],
    ['group.min.session.timeout.ms', limits.sessionTimeoutMsMin, TYPE.int, 'Shortest session timeout of a member.'],
    ['num.partitions', settings.defaultPartitions, TYPE.int, 'Partitions of a topic that asks for none.'],
    ['offset.metadata.max.bytes', limits.offsetMetadataBytesMax, TYPE.int, 'Longest text beside a committed offset.'],
    [
      'offsets.retention.minutes',
      Math.round(settings.offsetsRetentionMs / 60_000),
      TYPE.int,
      'How long the offsets of an empty group stay.',
    ],
    ['producer.id.expiration.ms', 86_400_000, TYPE.int, 'How long an idle idempotent producer is remembered.'],
    ['sasl.enabled.mechanisms', 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512', TYPE.list, 'Ways to log in.'],
    ['socket.request.max.bytes', limits.frameBytesMax, TYPE.int, 'Largest request.'],
    ['fetch.max.bytes', limits.fetchBytesMax, TYPE.int, 'Most bytes of records in one Fetch response.'],
    ['log.retention.hours', 168, TYPE.int, 'Age at which records go, in hours.'],
    ['inter.broker.protocol.version', '3.9-IV0', TYPE.string, 'The protocol that clients find here.'],
  ];
  const answers = new Map<string, ConfigAnswer>();
  for (const [name, value, type, doc] of set) {
    const text = String(value);
    const synonyms = [{ name, value: text, source: SOURCE.staticBroker }];
    answers.set(name, { name, value: text, source: SOURCE.staticBroker, type, doc, synonyms });
  }
  // A topic's defaults have names of their own at the broker.
  for (const { value, source, type, doc, synonyms } of defaultConfigs(node.broker.topicDefaults)) {
    const name = synonyms[0]?.name;
    if (name === undefined || answers.has(name)) continue;
    answers.set(name, { name, value, source, type, doc, synonyms: [{ name, value, source }] });
  }
  return [...answers.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
