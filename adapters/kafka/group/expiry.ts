// Offsets that are too old (offsets.retention.minutes, KIP-211): those of a group count from when its last member has
// gone or from their commit, whichever is later; of a group at work only those on topics that nobody subscribes to any
// more. A group of which nothing is left goes as a whole.
//
// Invariant: only groups that Kafka clients have made or run last are looked at; other protocols keep theirs for ever.

import type { Group, Principal, TimeMs } from '../../../core/types.ts';
import type { Verbs } from '../../../core/verbs.ts';
import { readGroupData } from './group-data.ts';
import type { GroupState } from './state.ts';
import { subscribedTopics } from './subscription.ts';

export interface Expired {
  readonly queues: number[];
  /** Nothing is left: the group itself goes. */
  readonly isLast: boolean;
}

/** What of the group is too old at `nowMs`; null when nothing is. `startedMs` is when the broker began to look. */
export function expiredOffsets(
  broker: Verbs,
  group: Group,
  state: GroupState | null,
  retentionMs: number,
  startedMs: TimeMs,
  nowMs: TimeMs,
): Expired | null {
  const data = readGroupData(group.data);
  if (data === null) return null;
  const isEmpty = state === null;
  if (isEmpty && broker.members(group).length > 0) return null;
  if (!isEmpty && (state.phase !== 'stable' || state.protocolType !== 'consumer')) return null;
  const subscribed = isEmpty ? null : subscriptions(state);
  if (!isEmpty && subscribed === null) return null;
  // Members that a crash has taken left no word of their end: it is not before we began.
  const sinceMs = !isEmpty ? 0 : data.emptySinceMs > 0 ? data.emptySinceMs : data.protocolType === '' ? 0 : startedMs;
  const all = broker.committedQueues(group);
  const queues = all.filter((number) => {
    const committedAtMs = broker.committed(group, number)?.committedAtMs ?? nowMs;
    if (nowMs - Math.max(sinceMs, committedAtMs) < retentionMs) return false;
    const topic = broker.queue(number)?.topic.name;
    return subscribed === null || topic === undefined || !subscribed.has(topic);
  });
  const isLast = isEmpty && queues.length === all.length && nowMs - sinceMs >= retentionMs;
  return queues.length === 0 && !isLast ? null : { queues, isLast };
}

/** Null when some member does not say what it subscribes to. */
function subscriptions(state: GroupState): Set<string> | null {
  const topics = new Set<string>();
  for (const { protocols } of state.members.values()) {
    const of = subscribedTopics(state.protocolType, protocols[0]!.metadata);
    if (of.length === 0) return null;
    for (const topic of of) topics.add(topic);
  }
  return topics;
}

/** Forgets it. Outcomes are for the log alone: what fails is tried again with the next look. */
export async function forget(broker: Verbs, principal: Principal, group: Group, expired: Expired): Promise<void> {
  if (expired.isLast) await broker.deleteGroup(principal, group);
  else await broker.deleteOffsets(principal, group, expired.queues);
}
