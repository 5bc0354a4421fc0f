// DescribeConfigs (32): of topics (resource type 2) and of the broker (4). v1+ tells sources and synonyms, v3+ types.
import { BrokerError } from '../../../core/errors.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Input, Values } from '../../../specs/kafka/row.ts';
import { describeConfigs } from '../../../specs/kafka/topics.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { topicNamed } from '../names.ts';
import { NODE_ID } from '../node.ts';
import { type ConfigAnswer, configsOf, SOURCE, TYPE } from '../topic-config.ts';

type Resource = Values<(typeof describeConfigs.request)[0]['fields']>;
type Outcome = Input<(typeof describeConfigs.response)[1]['fields']>;

const RESOURCE = { topic: 2, broker: 4 } as const;

export const describeConfigsRoute: Route = { api: describeConfigs, handle: describe };

function describe(call: Call): void {
  const request = call.request(describeConfigs);
  const results = request.resources.map((resource) => describeOne(call, resource, request.includeSynonyms));
  call.reply(describeConfigs, { results });
}

function describeOne(call: Call, resource: Resource, withSynonyms: boolean): Outcome {
  const { resourceType, resourceName, configurationKeys } = resource;
  try {
    const configs = held(call, resourceType, resourceName)
      .filter(({ name }) => configurationKeys === null || configurationKeys.includes(name))
      .map(({ name, value, source, type }) => ({
        name,
        value,
        readOnly: resourceType === RESOURCE.broker,
        isDefault: source === SOURCE.default,
        configSource: source,
        isSensitive: false,
        synonyms: withSynonyms ? [{ name, value, source }] : [],
        configType: type,
      }));
    return { errorCode: ERROR.NONE, errorMessage: null, resourceType, resourceName, configs };
  } catch (error) {
    call.node.counts.errors++;
    const code = errorCode(error, resourceType === RESOURCE.topic ? 'topic' : 'cluster');
    return { errorCode: code, errorMessage: (error as Error).message, resourceType, resourceName, configs: [] };
  }
}

function held(call: Call, type: number, name: string): ConfigAnswer[] {
  const { broker, settings } = call.node;
  if (type === RESOURCE.topic) {
    const topic = topicNamed(broker, settings.namespace, name);
    if (topic === null) throw new BrokerError('topic-not-found', `no topic ${name}`);
    broker.authorise(call.principal, 'describe', 'topic', topic.namespace, topic.name);
    return configsOf(topic);
  }
  if (type === RESOURCE.broker && (name === String(NODE_ID) || name === '')) {
    broker.authorise(call.principal, 'describe', 'cluster', settings.namespace, '');
    return brokerConfigs(call);
  }
  throw new BrokerError('argument-invalid', `no configuration of resource type ${type} named ${name}`);
}

/** What tools look up before they create topics. */
function brokerConfigs(call: Call): ConfigAnswer[] {
  const { settings, limits } = call.node;
  const entry = (name: string, value: unknown, type: number): ConfigAnswer => ({
    name,
    value: String(value),
    source: SOURCE.staticBroker,
    type,
  });
  return [
    entry('auto.create.topics.enable', settings.autoCreateTopics, TYPE.boolean),
    entry('broker.id', NODE_ID, TYPE.int),
    entry('default.replication.factor', 1, TYPE.int),
    entry('delete.topic.enable', true, TYPE.boolean),
    entry('group.initial.rebalance.delay.ms', settings.initialRebalanceDelayMs, TYPE.int),
    entry('group.max.session.timeout.ms', limits.sessionTimeoutMsMax, TYPE.int),
    entry('group.max.size', limits.groupMembersMax, TYPE.int),
    entry('group.min.session.timeout.ms', limits.sessionTimeoutMsMin, TYPE.int),
    entry('log.cleanup.policy', 'delete', TYPE.list),
    entry('log.message.timestamp.type', 'CreateTime', TYPE.string),
    entry('log.retention.ms', 604_800_000, TYPE.long),
    entry('min.insync.replicas', 1, TYPE.int),
    entry('num.partitions', settings.defaultPartitions, TYPE.int),
    entry('offset.metadata.max.bytes', limits.offsetMetadataBytesMax, TYPE.int),
    entry('socket.request.max.bytes', limits.frameBytesMax, TYPE.int),
  ];
}
