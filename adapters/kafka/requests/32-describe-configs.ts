// DescribeConfigs (32): of topics (resource type 2) and of the broker (4). v1+ tells sources and synonyms, v3+ types and
// a sentence about each entry.
//
// Groups (32) and client metrics (16) have no entries of their own here; loggers (8) are not told. They get an empty
// configuration, which is what tools that walk all resources expect.
import { BrokerError } from '../../../core/errors.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Input, Values } from '../../../specs/kafka/row.ts';
import { describeConfigs } from '../../../specs/kafka/topics.ts';
import type { Call } from '../call.ts';
import { brokerConfigs } from '../config/broker-config.ts';
import { type ConfigAnswer, SOURCE } from '../config/entry.ts';
import { RESOURCE } from '../config/resource.ts';
import { configsOf } from '../config/topic-config.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { topicNamed, unspell } from '../names.ts';
import { NODE_ID } from '../node.ts';

type Request = Values<(typeof describeConfigs)['request']>;
type Outcome = Input<(typeof describeConfigs.response)[1]['fields']>;

const WITHOUT_ENTRIES: readonly number[] = [RESOURCE.brokerLogger, RESOURCE.clientMetrics, RESOURCE.group];

export const describeConfigsRoute: Route = { api: describeConfigs, handle: describe };

function describe(call: Call): void {
  const request = call.request(describeConfigs);
  const seen = new Set<string>();
  const results = request.resources.map((resource) => {
    const { resourceType, resourceName } = resource;
    const key = `${resourceType} ${resourceName}`;
    if (seen.has(key)) {
      const errorMessage = 'the resource is named twice in one request';
      return { errorCode: ERROR.INVALID_REQUEST, errorMessage, resourceType, resourceName, configs: [] };
    }
    seen.add(key);
    return describeOne(call, request, resource);
  });
  call.reply(describeConfigs, { results });
}

function describeOne(call: Call, request: Request, resource: Request['resources'][number]): Outcome {
  const { resourceType, resourceName, configurationKeys } = resource;
  try {
    const configs = held(call, resourceType, resourceName)
      .filter(({ name }) => configurationKeys === null || configurationKeys.includes(name))
      .map(({ name, value, source, type, doc, synonyms }) => ({
        name,
        value,
        readOnly: resourceType === RESOURCE.broker,
        isDefault: source === SOURCE.default,
        configSource: source,
        isSensitive: false,
        synonyms: request.includeSynonyms ? synonyms : [],
        configType: type,
        documentation: request.includeDocumentation ? doc : null,
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
    if (topic === null) {
      throw unspell(name) === null
        ? new BrokerError('name-invalid', `${name} is no name of a topic`)
        : new BrokerError('topic-not-found', `no topic ${name}`);
    }
    broker.authorise(call.principal, 'describe', 'topic', topic.namespace, topic.name);
    return configsOf(topic.attributes, broker.topicDefaults);
  }
  if (type === RESOURCE.broker && (name === String(NODE_ID) || name === '')) {
    broker.authorise(call.principal, 'describe', 'cluster', settings.namespace, '');
    // The empty name means what was set at run time for all brokers: nothing is.
    return name === '' ? [] : brokerConfigs(call.node);
  }
  if (WITHOUT_ENTRIES.includes(type)) {
    broker.authorise(call.principal, 'describe', 'cluster', settings.namespace, '');
    return [];
  }
  throw new BrokerError('argument-invalid', `no configuration of resource type ${type} named ${name}`);
}
