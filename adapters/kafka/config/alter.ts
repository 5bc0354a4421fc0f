// Changes a topic's configuration, whichever request asks for it: the entries it has, changed by the request, become
// its attributes again. Attributes that another protocol gave the topic and Kafka has no word for stay as they are.
import { BrokerError } from '../../../core/errors.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Call } from '../call.ts';
import { errorCode } from '../errors.ts';
import { topicNamed } from '../names.ts';
import { RESOURCE } from './resource.ts';
import { attributesOf, isForeign, ownConfigs } from './topic-config.ts';

interface Altered {
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly resourceType: number;
  readonly resourceName: string;
}

interface Resource {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly configs: readonly { readonly name: string }[];
}

/**
 * Changes each resource by itself, unless the request names it twice. `change` gets the entries that the topic has set
 * and makes them what they are to be, or says what is wrong.
 */
export function alterResources<R extends Resource>(
  call: Call,
  resources: readonly R[],
  change: (entries: Map<string, string>, configs: R['configs']) => string | null,
  validateOnly: boolean,
): Promise<Altered[]> {
  const mentions = new Map<string, number>();
  const keyOf = (one: Resource): string => `${one.resourceType} ${one.resourceName}`;
  for (const one of resources) mentions.set(keyOf(one), (mentions.get(keyOf(one)) ?? 0) + 1);
  return Promise.all(
    resources.map(async (one) => {
      const { resourceType, resourceName, configs } = one;
      const isTwice = mentions.get(keyOf(one)) !== 1;
      if (isTwice || new Set(configs.map(({ name }) => name)).size !== configs.length) {
        call.node.counts.errors++;
        const errorMessage = `${isTwice ? 'the resource' : 'an entry'} is named twice in one request`;
        return { errorCode: ERROR.INVALID_REQUEST, errorMessage, resourceType, resourceName };
      }
      return alterResource(call, resourceType, resourceName, (entries) => change(entries, configs), validateOnly);
    }),
  );
}

async function alterResource(
  call: Call,
  resourceType: number,
  resourceName: string,
  change: (entries: Map<string, string>) => string | null,
  validateOnly: boolean,
): Promise<Altered> {
  const { broker, settings } = call.node;
  const answer = (code: number, errorMessage: string | null): Altered => {
    if (code !== ERROR.NONE) call.node.counts.errors++;
    return { errorCode: code, errorMessage, resourceType, resourceName };
  };
  if (resourceType !== RESOURCE.topic) {
    return answer(ERROR.INVALID_REQUEST, 'only topics are configured through Kafka; the broker is where it is started');
  }
  try {
    const topic = topicNamed(broker, settings.namespace, resourceName);
    if (topic === null) throw new BrokerError('topic-not-found', `no topic ${resourceName}`);
    if (topic.kind !== 'topic') return answer(ERROR.POLICY_VIOLATION, 'a queue of another protocol');
    const entries = ownConfigs(topic, broker.topicDefaults);
    const problem = change(entries);
    if (problem !== null) return answer(ERROR.INVALID_CONFIG, problem);
    const pairs = [...entries].map(([name, value]) => ({ name, value }));
    const attributes = attributesOf(pairs, broker.topicDefaults);
    if (typeof attributes === 'string') return answer(ERROR.INVALID_CONFIG, attributes);
    if (validateOnly) broker.authorise(call.principal, 'update', 'topic', topic.namespace, topic.name);
    else {
      const others = Object.entries(topic.attributes.extra).filter(([name]) => isForeign(name));
      const extra = { ...Object.fromEntries(others), ...attributes.extra };
      await broker.alterTopic(call.principal, topic, { attributes: { ...attributes, extra } });
    }
    return answer(ERROR.NONE, null);
  } catch (error) {
    return answer(errorCode(error, 'topic'), (error as Error).message);
  }
}
