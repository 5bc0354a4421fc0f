// What happens to a classic consumer group: pure transitions of a GroupState. rebalance.ts has what they share.
//
// Invariants:
// - every parked join and sync is answered by exactly one effect, unless its member leaves, which answers it too;
// - the generation grows with every completed rebalance, and only members of the current one get an assignment;
// - the chosen protocol is one that every member supports;
// - a group without members is empty, has no leader, and no timer.

import type { TimeMs } from '../../../core/types.ts';
import { ERROR, type ErrorCode } from '../../../specs/kafka/error-codes.ts';
import {
  alive,
  answerParked,
  becomeEmpty,
  commonProtocols,
  complete,
  completeIfAll,
  joined,
  rebalance,
  rebalanceTimeout,
  refusedResult,
  refusedSync,
  sameChosen,
  setDue,
} from './rebalance.ts';
import type { Effect, GroupState, JoinEvent, MemberState, Rules, SyncEvent, SyncResult } from './state.ts';

const NO_BYTES = Buffer.alloc(0);

/** A member joins, joins again, or comes back. */
export function join(group: GroupState, event: JoinEvent, rules: Rules, nowMs: TimeMs): Effect[] {
  const code = joinRefusal(group, event, rules);
  if (code !== ERROR.NONE) return [refusedJoin(event, code, event.memberId)];
  const known = event.memberId === '' ? undefined : group.members.get(event.memberId);
  if (known !== undefined) return rejoin(group, known, event, rules, nowMs);
  const replaced = event.instanceId === null ? undefined : group.instances.get(event.instanceId);
  if (event.memberId === '' && replaced !== undefined) {
    return replaceStatic(group, group.members.get(replaced)!, event, rules, nowMs);
  }
  if (event.memberId === '' && event.instanceId === null && event.idRequired) {
    return [refusedJoin(event, ERROR.MEMBER_ID_REQUIRED, event.newMemberId)];
  }
  const effects: Effect[] = [];
  const member = addMember(group, event, event.memberId === '' ? event.newMemberId : event.memberId);
  park(group, member, event, effects);
  if (group.initial !== null) group.initial.grew = true;
  rebalance(group, rules, nowMs, effects);
  return effects;
}

function joinRefusal(group: GroupState, event: JoinEvent, rules: Rules): ErrorCode {
  const { memberId, instanceId } = event;
  if (event.sessionTimeoutMs < rules.sessionTimeoutMsMin || event.sessionTimeoutMs > rules.sessionTimeoutMsMax) {
    return ERROR.INVALID_SESSION_TIMEOUT;
  }
  if (instanceId !== null && memberId !== '') {
    const holder = group.instances.get(instanceId);
    if (holder !== undefined && holder !== memberId) return ERROR.FENCED_INSTANCE_ID;
  }
  if (memberId !== '' && !group.members.has(memberId) && !event.expected) return ERROR.UNKNOWN_MEMBER_ID;
  if (event.protocolType === '' || event.protocols.length === 0) return ERROR.INCONSISTENT_GROUP_PROTOCOL;
  const others = [...group.members.values()].filter(({ id }) => id !== memberId && !isReplaced(group, id, event));
  if (others.length > 0) {
    const common = commonProtocols(others);
    if (event.protocolType !== group.protocolType || !event.protocols.some(({ name }) => common.has(name))) {
      return ERROR.INCONSISTENT_GROUP_PROTOCOL;
    }
  }
  if (!group.members.has(memberId) && others.length >= rules.groupMembersMax) return ERROR.GROUP_MAX_SIZE_REACHED;
  return ERROR.NONE;
}

function isReplaced(group: GroupState, memberId: string, event: JoinEvent): boolean {
  return event.instanceId !== null && group.instances.get(event.instanceId) === memberId;
}

function rejoin(group: GroupState, member: MemberState, event: JoinEvent, rules: Rules, nowMs: TimeMs): Effect[] {
  const effects: Effect[] = [];
  const changed = !sameProtocols(member, event);
  const leads = group.leader === member.id;
  if (group.phase === 'completing' && !changed) {
    // The answer to its join was lost: the same one again.
    update(member, event);
    effects.push(alive(member), { kind: 'join', parked: event.parked, result: joined(group, member) });
    return effects;
  }
  if (group.phase === 'stable' && !changed && !leads) {
    update(member, event);
    effects.push(alive(member), { kind: 'join', parked: event.parked, result: joined(group, member) });
    return effects;
  }
  update(member, event);
  park(group, member, event, effects);
  rebalance(group, rules, nowMs, effects);
  return effects;
}

/** A static member came back under a new member id (KIP-345): no rebalance when nothing else has changed. */
function replaceStatic(group: GroupState, old: MemberState, event: JoinEvent, rules: Rules, nowMs: TimeMs): Effect[] {
  const effects: Effect[] = [];
  const leaderBefore = group.leader;
  answerParked(group, old, ERROR.FENCED_INSTANCE_ID, effects);
  group.members.delete(old.id);
  effects.push({ kind: 'gone', memberId: old.id });
  const member = addMember(group, event, event.newMemberId);
  member.assignment = old.assignment;
  if (leaderBefore === old.id) group.leader = member.id;
  const unchanged = group.phase === 'stable' && group.protocolName !== null && sameChosen(group, old, member);
  if (unchanged) {
    const leads = group.leader === member.id;
    effects.push(alive(member));
    // An old client would compute an assignment if it were told that it leads; one that knows better is told to skip it.
    const result = event.skipsAssignment
      ? { ...joined(group, member), skipAssignment: leads }
      : { ...joined(group, member), leader: leaderBefore ?? '', members: [] };
    effects.push(saved(group), { kind: 'join', parked: event.parked, result });
    return effects;
  }
  park(group, member, event, effects);
  rebalance(group, rules, nowMs, effects);
  return effects;
}

/** A member asks for its assignment; the leader brings everybody's. */
export function sync(group: GroupState, event: SyncEvent): Effect[] {
  const refuse = (code: ErrorCode): Effect[] => [
    {
      kind: 'sync',
      parked: event.parked,
      result: { code, protocolType: null, protocolName: null, assignment: NO_BYTES },
    },
  ];
  const code = memberRefusal(group, event.memberId, event.instanceId, event.generation);
  if (code !== ERROR.NONE) return refuse(code);
  const wrongType = event.protocolType !== null && event.protocolType !== group.protocolType;
  const wrongName = event.protocolName !== null && event.protocolName !== group.protocolName;
  if (wrongType || wrongName) return refuse(ERROR.INCONSISTENT_GROUP_PROTOCOL);
  const member = group.members.get(event.memberId)!;
  switch (group.phase) {
    case 'empty':
      return refuse(ERROR.UNKNOWN_MEMBER_ID);
    case 'preparing':
      return refuse(ERROR.REBALANCE_IN_PROGRESS);
    case 'stable':
      return [alive(member), { kind: 'sync', parked: event.parked, result: synced(group, member) }];
    case 'completing':
      return syncCompleting(group, member, event);
  }
}

function syncCompleting(group: GroupState, member: MemberState, event: SyncEvent): Effect[] {
  const effects: Effect[] = [];
  if (member.syncing !== null) {
    // Sent twice on two connections: the older one is told to come again.
    effects.push({ kind: 'sync', parked: member.syncing, result: refusedSync(ERROR.REBALANCE_IN_PROGRESS) });
  }
  member.syncing = event.parked;
  effects.push(waiting(group, member));
  if (member.id !== group.leader) return effects;
  for (const one of group.members.values()) one.assignment = NO_BYTES;
  for (const { memberId, assignment } of event.assignments) {
    const receiver = group.members.get(memberId);
    if (receiver !== undefined) receiver.assignment = assignment;
  }
  group.phase = 'stable';
  setDue(group, 0, effects);
  effects.push(saved(group));
  for (const one of group.members.values()) {
    if (one.syncing === null) continue;
    const parked = one.syncing;
    one.syncing = null;
    effects.push(alive(one), { kind: 'sync', parked, result: synced(group, one) });
  }
  return effects;
}

/** Says how a heartbeat is answered. On NONE and REBALANCE_IN_PROGRESS the member is alive. */
export function heartbeat(
  group: GroupState,
  memberId: string,
  instanceId: string | null,
  generation: number,
): ErrorCode {
  const code = memberRefusal(group, memberId, instanceId, generation);
  if (code !== ERROR.NONE) return code;
  return group.phase === 'preparing' ? ERROR.REBALANCE_IN_PROGRESS : ERROR.NONE;
}

/** Whether this member may commit offsets. A rebalance that waits for assignments holds commits up. */
export function mayCommit(
  group: GroupState,
  memberId: string,
  instanceId: string | null,
  generation: number,
): ErrorCode {
  if (generation < 0 && memberId === '' && instanceId === null) {
    // An administrator's or a simple consumer's commit: only while nobody works in the group.
    return group.members.size === 0 ? ERROR.NONE : ERROR.UNKNOWN_MEMBER_ID;
  }
  const code = memberRefusal(group, memberId, instanceId, generation);
  if (code !== ERROR.NONE) return code;
  return group.phase === 'completing' ? ERROR.REBALANCE_IN_PROGRESS : ERROR.NONE;
}

/** A member leaves. A static one may be removed by its instance id alone. */
export function leave(
  group: GroupState,
  memberId: string,
  instanceId: string | null,
  rules: Rules,
  nowMs: TimeMs,
): { code: ErrorCode; effects: Effect[] } {
  let id = memberId;
  if (instanceId !== null) {
    const holder = group.instances.get(instanceId);
    if (holder === undefined) return { code: ERROR.UNKNOWN_MEMBER_ID, effects: [] };
    if (memberId !== '' && holder !== memberId) return { code: ERROR.FENCED_INSTANCE_ID, effects: [] };
    id = holder;
  }
  if (!group.members.has(id)) return { code: ERROR.UNKNOWN_MEMBER_ID, effects: [] };
  const effects: Effect[] = [{ kind: 'gone', memberId: id }];
  remove(group, id, effects);
  afterLoss(group, rules, nowMs, effects);
  return { code: ERROR.NONE, effects };
}

/** A member was not heard of for its session timeout; the broker has dropped it already. */
export function expire(group: GroupState, memberId: string, rules: Rules, nowMs: TimeMs): Effect[] {
  const effects: Effect[] = [];
  if (!group.members.has(memberId)) return effects;
  remove(group, memberId, effects);
  afterLoss(group, rules, nowMs, effects);
  return effects;
}

/** The time of the phase is over. */
export function due(group: GroupState, rules: Rules, nowMs: TimeMs): Effect[] {
  const effects: Effect[] = [];
  if (group.dueAtMs === 0 || group.dueAtMs > nowMs) {
    setDue(group, group.dueAtMs, effects);
    return effects;
  }
  group.dueAtMs = 0;
  if (group.phase === 'preparing') duePreparing(group, rules, nowMs, effects);
  else if (group.phase === 'completing') {
    // Who has not asked for its assignment by now will not; the others begin again without it.
    for (const member of group.members.values()) {
      if (member.syncing !== null) continue;
      effects.push({ kind: 'gone', memberId: member.id });
      remove(group, member.id, effects);
    }
    afterLoss(group, rules, nowMs, effects);
  }
  return effects;
}

function duePreparing(group: GroupState, rules: Rules, nowMs: TimeMs, effects: Effect[]): void {
  const { initial } = group;
  if (initial?.grew && initial.leftMs > 0) {
    const moreMs = Math.min(rules.initialRebalanceDelayMs, initial.leftMs);
    initial.grew = false;
    initial.leftMs -= moreMs;
    setDue(group, nowMs + moreMs, effects);
    return;
  }
  group.initial = null;
  // Static members keep their place until their session ends (KIP-345); dynamic ones that stay away are out.
  for (const member of group.members.values()) {
    if (member.joining !== null || member.instanceId !== null) continue;
    effects.push({ kind: 'gone', memberId: member.id });
    remove(group, member.id, effects);
  }
  if (group.members.size === 0) becomeEmpty(group, effects);
  else if ([...group.members.values()].every(({ joining }) => joining === null)) {
    setDue(group, nowMs + rebalanceTimeout(group), effects);
  } else complete(group, nowMs, effects);
}

/** Members or assignments of the generation at work have changed. */
function saved(group: GroupState): Effect {
  return { kind: 'generation', generation: group.generation, joins: [] };
}

function addMember(group: GroupState, event: JoinEvent, id: string): MemberState {
  const member: MemberState = {
    id,
    instanceId: event.instanceId,
    clientId: event.clientId,
    host: event.host,
    sessionTimeoutMs: event.sessionTimeoutMs,
    rebalanceTimeoutMs: event.rebalanceTimeoutMs,
    protocols: event.protocols,
    assignment: NO_BYTES,
    joining: null,
    syncing: null,
  };
  if (group.members.size === 0) group.protocolType = event.protocolType;
  group.members.set(id, member);
  if (event.instanceId !== null) group.instances.set(event.instanceId, id);
  return member;
}

function update(member: MemberState, event: JoinEvent): void {
  member.protocols = event.protocols;
  member.sessionTimeoutMs = event.sessionTimeoutMs;
  member.rebalanceTimeoutMs = event.rebalanceTimeoutMs;
}

function park(group: GroupState, member: MemberState, event: JoinEvent, effects: Effect[]): void {
  answerParked(group, member, ERROR.REBALANCE_IN_PROGRESS, effects);
  member.joining = event.parked;
  effects.push(waiting(group, member));
}

/** While it waits for the others it cannot send heartbeats, and the phase lasts as long as the slowest may take. */
function waiting(group: GroupState, member: MemberState): Effect {
  return { kind: 'member', member, timeoutMs: rebalanceTimeout(group) + member.sessionTimeoutMs };
}

function remove(group: GroupState, memberId: string, effects: Effect[]): void {
  const member = group.members.get(memberId)!;
  answerParked(group, member, ERROR.UNKNOWN_MEMBER_ID, effects);
  group.members.delete(memberId);
  if (member.instanceId !== null && group.instances.get(member.instanceId) === memberId) {
    group.instances.delete(member.instanceId);
  }
  if (group.leader === memberId) group.leader = null;
}

function afterLoss(group: GroupState, rules: Rules, nowMs: TimeMs, effects: Effect[]): void {
  if (group.members.size === 0) becomeEmpty(group, effects);
  else if (group.phase === 'preparing') completeIfAll(group, nowMs, effects);
  else rebalance(group, rules, nowMs, effects);
}

function memberRefusal(group: GroupState, memberId: string, instanceId: string | null, generation: number): ErrorCode {
  if (instanceId !== null) {
    const holder = group.instances.get(instanceId);
    if (holder === undefined) return ERROR.UNKNOWN_MEMBER_ID;
    if (holder !== memberId) return ERROR.FENCED_INSTANCE_ID;
  }
  if (!group.members.has(memberId)) return ERROR.UNKNOWN_MEMBER_ID;
  return generation === group.generation ? ERROR.NONE : ERROR.ILLEGAL_GENERATION;
}

function refusedJoin(event: JoinEvent, code: ErrorCode, memberId: string): Effect {
  return { kind: 'join', parked: event.parked, result: refusedResult(code, memberId) };
}

function synced(group: GroupState, { assignment }: MemberState): SyncResult {
  return { code: ERROR.NONE, protocolType: group.protocolType, protocolName: group.protocolName, assignment };
}

function sameProtocols(member: MemberState, event: JoinEvent): boolean {
  if (member.protocols.length !== event.protocols.length) return false;
  return member.protocols.every(({ name, metadata }, i) => {
    const other = event.protocols[i]!;
    return other.name === name && other.metadata.equals(metadata);
  });
}
