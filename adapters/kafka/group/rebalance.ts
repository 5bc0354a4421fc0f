// The rebalance of a classic group: from the first member that asks for it to the generation that all know.
//
// Invariants: the generation grows with every completed rebalance; the chosen protocol is one that every member
// supports; the leader is one of those that are there.

import type { TimeMs } from '../../../core/types.ts';
import { ERROR, type ErrorCode } from '../../../specs/kafka/error-codes.ts';
import type { Effect, GroupState, JoinResult, MemberState, Rules, SyncResult } from './state.ts';
import { subscribedTopics } from './subscription.ts';

const NO_BYTES = Buffer.alloc(0);

/** Begins a rebalance, or goes on with the one that is under way. */
export function rebalance(group: GroupState, rules: Rules, nowMs: TimeMs, effects: Effect[]): void {
  if (group.phase !== 'preparing') {
    for (const member of group.members.values()) {
      if (member.syncing === null) continue;
      effects.push({ kind: 'sync', parked: member.syncing, result: refusedSync(ERROR.REBALANCE_IN_PROGRESS) });
      member.syncing = null;
    }
    const first = group.phase === 'empty' && rules.initialRebalanceDelayMs > 0;
    group.phase = 'preparing';
    if (first) {
      const limitMs = rebalanceTimeout(group);
      const delayMs = Math.min(rules.initialRebalanceDelayMs, limitMs);
      group.initial = { leftMs: limitMs - delayMs, grew: false };
      setDue(group, nowMs + delayMs, effects);
      return;
    }
    setDue(group, nowMs + rebalanceTimeout(group), effects);
  }
  completeIfAll(group, nowMs, effects);
}

export function completeIfAll(group: GroupState, nowMs: TimeMs, effects: Effect[]): void {
  if (group.phase !== 'preparing' || group.initial !== null) return;
  for (const member of group.members.values()) if (member.joining === null) return;
  complete(group, nowMs, effects);
}

/** Everybody is here: the next generation begins, and the leader is asked for its assignment. */
export function complete(group: GroupState, nowMs: TimeMs, effects: Effect[]): void {
  const present = [...group.members.values()].filter(({ joining }) => joining !== null);
  group.generation++;
  group.phase = 'completing';
  group.initial = null;
  group.protocolName = chosenProtocol(group);
  const leader = group.leader === null ? undefined : group.members.get(group.leader);
  if (leader === undefined || leader.joining === null) group.leader = present[0]!.id;
  const joins: Effect[] = [];
  for (const member of present) {
    const parked = member.joining!;
    member.joining = null;
    effects.push(alive(member));
    joins.push({ kind: 'join', parked, result: joined(group, member) });
  }
  effects.push({ kind: 'generation', generation: group.generation, joins });
  setDue(group, nowMs + rebalanceTimeout(group), effects);
}

/** Every member votes for the first of its protocols that all support; the most votes win, the earliest on a draw. */
function chosenProtocol(group: GroupState): string {
  const common = commonProtocols([...group.members.values()]);
  const votes = new Map<string, number>();
  for (const { protocols } of group.members.values()) {
    const vote = protocols.find(({ name }) => common.has(name));
    if (vote !== undefined) votes.set(vote.name, (votes.get(vote.name) ?? 0) + 1);
  }
  let chosen = '';
  let most = 0;
  for (const [name, count] of votes) {
    if (count <= most) continue;
    chosen = name;
    most = count;
  }
  return chosen;
}

/**
 * Whether a member says what the one before it said for the protocol that is in use, and the vote would not change. Of
 * consumers the topics count: what they owned lies in their metadata as well, and one that begins anew owns nothing.
 */
export function sameChosen(group: GroupState, a: MemberState, b: MemberState): boolean {
  const of = (member: MemberState): Buffer | undefined =>
    member.protocols.find(({ name }) => name === group.protocolName)?.metadata;
  const before = of(a);
  const after = of(b);
  if (before === undefined || after === undefined || chosenProtocol(group) !== group.protocolName) return false;
  if (before.equals(after)) return true;
  const topics = new Set(subscribedTopics(group.protocolType, before));
  const now = new Set(subscribedTopics(group.protocolType, after));
  return topics.size > 0 && topics.size === now.size && [...now].every((topic) => topics.has(topic));
}

/** The names that all of the members support. */
export function commonProtocols([first, ...others]: readonly MemberState[]): Set<string> {
  let common = (first?.protocols ?? []).map(({ name }) => name);
  for (const { protocols } of others) {
    const names = new Set(protocols.map(({ name }) => name));
    common = common.filter((name) => names.has(name));
  }
  return new Set(common);
}

export function becomeEmpty(group: GroupState, effects: Effect[]): void {
  group.phase = 'empty';
  group.leader = null;
  group.protocolName = null;
  group.initial = null;
  group.generation++;
  effects.push({ kind: 'generation', generation: group.generation, joins: [] });
  setDue(group, 0, effects);
}

export function rebalanceTimeout(group: GroupState): number {
  let longest = 0;
  for (const { rebalanceTimeoutMs } of group.members.values()) longest = Math.max(longest, rebalanceTimeoutMs);
  return longest;
}

export function setDue(group: GroupState, atMs: TimeMs, effects: Effect[]): void {
  group.dueAtMs = atMs;
  effects.push({ kind: 'due', atMs });
}

export function alive(member: MemberState): Effect {
  return { kind: 'member', member, timeoutMs: member.sessionTimeoutMs };
}

export function joined(group: GroupState, member: MemberState): JoinResult {
  const leads = group.leader === member.id;
  const members = leads ? [...group.members.values()] : [];
  return {
    code: ERROR.NONE,
    generation: group.generation,
    protocolType: group.protocolType,
    protocolName: group.protocolName,
    leader: group.leader ?? '',
    memberId: member.id,
    skipAssignment: false,
    members: members.map(({ id, instanceId, protocols }) => ({
      memberId: id,
      groupInstanceId: instanceId,
      metadata: protocols.find(({ name }) => name === group.protocolName)?.metadata ?? NO_BYTES,
    })),
  };
}

export function answerParked(group: GroupState, member: MemberState, code: ErrorCode, effects: Effect[]): void {
  if (member.joining !== null) {
    const result = { ...refusedResult(code, member.id), generation: group.generation };
    effects.push({ kind: 'join', parked: member.joining, result });
    member.joining = null;
  }
  if (member.syncing !== null) {
    effects.push({ kind: 'sync', parked: member.syncing, result: refusedSync(code) });
    member.syncing = null;
  }
}

export function refusedResult(code: ErrorCode, memberId: string): JoinResult {
  return {
    code,
    generation: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    memberId,
    skipAssignment: false,
    members: [],
  };
}

export function refusedSync(code: ErrorCode): SyncResult {
  return { code, protocolType: null, protocolName: null, assignment: NO_BYTES };
}
