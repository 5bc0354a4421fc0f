// IncrementalAlterConfigs (44): sets and deletes single entries of a topic's configuration (KIP-339). Appending to and
// subtracting from lists is refused: the only list with more than one value would be cleanup.policy.
//
// Attributes that another protocol gave the topic and Kafka has no word for stay as they are.
import { BrokerError } from '../../../core/errors.ts';
import type { TopicAttributes } from '../../../core/types.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Input, Values } from '../../../specs/kafka/row.ts';
import { incrementalAlterConfigs } from '../../../specs/kafka/topics.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { topicNamed } from '../names.ts';
import { attributesOf, isForeign, ownConfigs } from '../topic-config.ts';

type Resource = Values<(typeof incrementalAlterConfigs.request)[0]['fields']>;
type Outcome = Input<(typeof incrementalAlterConfigs.response)[1]['fields']>;

const RESOURCE_TOPIC = 2;
/** Its default is the store's, which is not known here. */
const UNDELETABLE = 'max.message.bytes';
const OPERATION = { set: 0, delete: 1 } as const;

export const incrementalAlterConfigsRoute: Route = { api: incrementalAlterConfigs, handle: alter };

async function alter(call: Call): Promise<void> {
  const request = call.request(incrementalAlterConfigs);
  const responses = await Promise.all(request.resources.map((one) => alterOne(call, one, request.validateOnly)));
  call.reply(incrementalAlterConfigs, { responses });
}

async function alterOne(call: Call, resource: Resource, validateOnly: boolean): Promise<Outcome> {
  const { resourceType, resourceName, configs } = resource;
  const { broker, settings } = call.node;
  const answer = (code: number, errorMessage: string | null): Outcome => {
    if (code !== ERROR.NONE) call.node.counts.errors++;
    return { errorCode: code, errorMessage, resourceType, resourceName };
  };
  if (resourceType !== RESOURCE_TOPIC) return answer(ERROR.INVALID_REQUEST, 'only topics are configured here');
  try {
    const topic = topicNamed(broker, settings.namespace, resourceName);
    if (topic === null) throw new BrokerError('topic-not-found', `no topic ${resourceName}`);
    if (topic.kind !== 'topic') return answer(ERROR.POLICY_VIOLATION, 'a queue of another protocol');
    const wanted = ownConfigs(topic);
    for (const { name, configOperation, value } of configs) {
      if (name === UNDELETABLE && configOperation === OPERATION.delete) {
        return answer(ERROR.INVALID_CONFIG, `${name} can be set, not deleted`);
      }
      if (configOperation === OPERATION.delete) wanted.delete(name);
      else if (configOperation === OPERATION.set && value !== null) wanted.set(name, value);
      else return answer(ERROR.INVALID_CONFIG, `${name}: only setting a value and deleting are served`);
    }
    const attributes = attributesOf([...wanted].map(([name, value]) => ({ name, value })));
    if (typeof attributes === 'string') return answer(ERROR.INVALID_CONFIG, attributes);
    if (validateOnly) {
      broker.authorise(call.principal, 'update', 'topic', topic.namespace, topic.name);
      return answer(ERROR.NONE, null);
    }
    const others = Object.entries(topic.attributes.extra).filter(([name]) => isForeign(name));
    const change: Partial<TopicAttributes> = {
      ...attributes,
      extra: { ...Object.fromEntries(others), ...attributes.extra },
    };
    await broker.alterTopic(call.principal, topic, { attributes: change });
    return answer(ERROR.NONE, null);
  } catch (error) {
    return answer(errorCode(error, 'topic'), (error as Error).message);
  }
}
