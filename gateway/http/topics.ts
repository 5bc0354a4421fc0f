// /api/v1/topics: what there is, created, described with the offsets of every queue, deleted.
import { BrokerError } from '../../core/errors.ts';
import type { Principal, Topic, TopicAttributes, TopicKind } from '../../core/types.ts';
import type { Verbs } from '../../core/verbs.ts';
import type { Call, Handler } from './operation.ts';
import { pageOf } from './page.ts';

interface TopicCreation {
  readonly name: string;
  readonly namespace: string;
  readonly kind: 'topic' | 'queue';
  readonly queues?: number;
  readonly attributes?: Partial<TopicAttributes>;
}

/** Queues of a topic when nobody says how many. */
const QUEUES_DEFAULT = 4;

export function topicHandlers(broker: Verbs): Record<string, Handler> {
  return {
    listTopics: (call) => {
      const all = broker.topics(call.principal, String(call.query['namespace']), call.query['all'] === true);
      const { items, next } = pageOf(all, call);
      return { topics: items.map(summary), next };
    },
    createTopic: async (call) => {
      const { name, namespace, kind, queues, attributes } = call.body as TopicCreation;
      if (kind === 'queue' && queues !== undefined && queues !== 1) {
        throw new BrokerError(
          'argument-invalid',
          'A topic of the kind "queue" has exactly one queue; leave `queues` out.',
        );
      }
      const topic = await broker.createTopic(call.principal, {
        namespace,
        kind,
        name,
        queues: kind === 'queue' ? 1 : (queues ?? QUEUES_DEFAULT),
        ...(attributes !== undefined && { attributes }),
      });
      return detail(broker, topic);
    },
    describeTopic: (call) => detail(broker, find(broker, call)),
    deleteTopic: (call) => broker.deleteTopic(call.principal, find(broker, call)),
  };
}

function find(broker: Verbs, call: Call): Topic {
  const name = call.params['name']!;
  const namespace = String(call.query['namespace']);
  const kind = call.query['kind'] as TopicKind;
  describable(broker, call.principal, namespace, name);
  // Topics and queues share one name space, so asking for one finds the other.
  const topic = kind === 'topic' ? broker.topic(namespace, name) : broker.topicOfKind(namespace, kind, name);
  if (topic !== null) return topic;
  throw new BrokerError('topic-not-found', `There is no ${kind} "${name}"; GET /api/v1/topics lists what there is.`);
}

function describable(broker: Verbs, principal: Principal, namespace: string, name: string): void {
  broker.authorise(principal, 'describe', 'topic', namespace, name);
}

function summary(topic: Topic): object {
  const { name, namespace, kind, queues, attributes } = topic;
  return { name, namespace, kind, queues: queues.length, flush: attributes.flush, retention: attributes.retention };
}

function detail(broker: Verbs, topic: Topic): object {
  // The group that empties a queue has no name of its own, so it shows here and not among the groups.
  const ownGroup = broker.groupById(topic.ownGroup);
  const queues = topic.queues.map((number, id) => {
    const state = broker.queue(number);
    const startOffset = state?.startOffset ?? 0;
    const endOffset = state?.endOffset ?? 0;
    const stableOffset = state?.stableOffset ?? 0;
    const offsets = { id, number, startOffset, endOffset, stableOffset, messages: endOffset - startOffset };
    if (ownGroup === null) return offsets;
    const { ready, inFlight } = broker.ledger(ownGroup, number);
    return { ...offsets, ready, inFlight, consumers: broker.consumers(ownGroup, number) };
  });
  const { name, namespace, kind, id, uuid, attributes } = topic;
  return { name, namespace, kind, id, uuid, attributes, queues };
}
