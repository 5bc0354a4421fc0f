// /api/v1/groups: who reads, how far, and how much is left. Lag is what lies between a group's place and the visible end.
import { BrokerError } from '../../core/errors.ts';
import type { Group } from '../../core/types.ts';
import type { Verbs } from '../../core/verbs.ts';
import { lagByTopic, lagOf } from '../lag.ts';
import type { Handler } from './operation.ts';
import { pageOf } from './page.ts';

export function groupHandlers(broker: Verbs): Record<string, Handler> {
  return {
    listGroups: (call) => {
      const { items, next } = pageOf(broker.groups(call.principal, String(call.query['namespace'])), call);
      return { groups: items.map((group) => summary(broker, group)), next };
    },
    describeGroup: (call) => {
      const name = call.params['name']!;
      const namespace = String(call.query['namespace']);
      broker.authorise(call.principal, 'describe', 'group', namespace, name);
      const group = broker.group(namespace, name);
      if (group !== null) return detail(broker, group);
      throw new BrokerError('group-not-found', `There is no group "${name}"; GET /api/v1/groups lists what there is.`);
    },
  };
}

function summary(broker: Verbs, group: Group): object {
  const lags = lagByTopic(broker, group);
  const lag = [...lags.values()].reduce((sum, one) => sum + one, 0);
  const { name, namespace, protocol } = group;
  return { name, namespace, protocol, members: broker.members(group).length, topics: [...lags.keys()].sort(), lag };
}

function detail(broker: Verbs, group: Group): object {
  const queues = broker.committedQueues(group).flatMap((number) => {
    const queue = broker.queue(number);
    const committed = broker.committed(group, number);
    if (queue === null || committed === null) return [];
    const { committedAtMs } = committed;
    return [
      {
        topic: queue.topic.name,
        kind: queue.topic.kind,
        queue: queue.id,
        committed: committed.offset,
        endOffset: queue.endOffset,
        lag: lagOf(broker, group, number),
        inFlight: broker.ledger(group, number).inFlight,
        consumers: broker.consumers(group, number),
        committedAt: committedAtMs > 0 ? new Date(committedAtMs).toISOString() : null,
      },
    ];
  });
  queues.sort((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.queue - b.queue));
  return {
    name: group.name,
    namespace: group.namespace,
    protocol: group.protocol,
    generation: group.generation,
    deliveriesMax: group.attributes.deliveriesMax,
    lag: queues.reduce((sum, queue) => sum + queue.lag, 0),
    members: broker
      .members(group)
      .map(({ id, clientId, host, topics }) => ({ id, clientId, host, topics: [...topics] })),
    queues,
  };
}
