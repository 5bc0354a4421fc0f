// Runs the groups: keeps their states while they have members, and carries out what the transitions ask for.
//
// Invariants:
// - a group's state is here exactly while it has members, who are also members in the core: there everybody sees them,
//   and no other protocol can hold the group at the same time;
// - offsets, generations and the group itself live in the core and survive us, and with them the members of a stable
//   group: after a restart they are here again, each with a whole session to be heard of. A group that was amid a
//   rebalance has no members then; they join again;
// - a join is answered when its generation is in the log;
// - requests have been authorised when they come here. What follows is done in the broker's own name: a step often
//   comes from a timer or from another member, and who asked for it may have lost the right since;
// - when the core refuses a step, nobody is left waiting.

import type { Group, Principal, TimeMs } from '../../../core/types.ts';
import type { CommitTarget, MembershipListener } from '../../../core/verbs.ts';
import type { ErrorCode } from '../../../specs/kafka/error-codes.ts';
import { joinGroup, syncGroup } from '../../../specs/kafka/groups.ts';
import type { Call } from '../call.ts';
import { errorCode } from '../errors.ts';
import { unspell } from '../names.ts';
import type { Node } from '../node.ts';
import { expiredOffsets, forget } from './expiry.ts';
import { groupData, readSavedMembers } from './group-data.ts';
import type { Effect, GroupState, JoinEvent, MemberState, Rules, SyncEvent } from './state.ts';
import { newGroupState, stableGroupState } from './state.ts';
import { subscribedTopics } from './subscription.ts';
import * as transitions from './transitions.ts';

export const PROTOCOL = 'kafka';
const EXPECTED_MAX = 100_000;
const TENDED_MAX = 200;
const NO_BYTES = Buffer.alloc(0);

interface Running {
  readonly group: Group;
  readonly state: GroupState;
}

export class Coordinator implements MembershipListener, CommitTarget {
  readonly #node: Node;
  readonly #self: Principal;
  readonly #rules: Rules;
  readonly #running = new Map<number, Running>();
  /** Member ids handed out with MEMBER_ID_REQUIRED (KIP-394) that have not joined yet, oldest first, and until when. */
  readonly #expected = new Map<string, TimeMs>();
  /** Joins that wait for their generation to be logged. */
  readonly #logging = new Map<number, readonly Effect[]>();
  #nextToken = 1;
  readonly #startedMs: TimeMs;
  /** Where the next look at old offsets begins. */
  #tended = 0;

  constructor(node: Node) {
    this.#node = node;
    this.#self = node.context.internal ?? node.context.anonymous('');
    this.#rules = { ...node.limits, initialRebalanceDelayMs: node.settings.initialRebalanceDelayMs };
    this.#startedMs = node.broker.nowMs();
    node.broker.onMembership(PROTOCOL, this);
    this.#restoreAll();
  }

  /** The members that were there when the broker went away, with their assignments. */
  #restoreAll(): void {
    const { broker, settings } = this.#node;
    for (const group of broker.groups(this.#self, settings.namespace)) {
      const saved = readSavedMembers(group.data);
      if (saved === null) continue;
      const { protocolType, protocolName, leader, members } = saved;
      const state = stableGroupState(group.generation, protocolType, protocolName, leader, members);
      const running: Running = { group, state };
      this.#running.set(group.id, running);
      this.#carryOut(
        running,
        members.map((member) => ({ kind: 'member', member, timeoutMs: member.sessionTimeoutMs })),
      );
    }
  }

  /** The state of a group that has members here, null otherwise. */
  state(group: Group | null): GroupState | null {
    return group === null ? null : (this.#running.get(group.id)?.state ?? null);
  }

  /** Answers the call, now or when all have joined. */
  join(call: Call, group: Group, event: Omit<JoinEvent, 'newMemberId' | 'expected' | 'parked'>): void {
    const { broker } = this.#node;
    const running = this.#running.get(group.id) ?? { group, state: newGroupState(group.generation) };
    const expected = this.#expected.delete(expectedKey(group, event.memberId));
    const newMemberId = `${event.instanceId ?? event.clientId}-${this.#node.randomHex()}`;
    const effects = transitions.join(
      running.state,
      { ...event, newMemberId, expected, parked: call },
      this.#rules,
      broker.nowMs(),
    );
    const only = effects.length === 1 ? effects[0]! : null;
    if (only?.kind === 'join' && only.result.memberId === newMemberId) {
      this.#expect(group, newMemberId, event.sessionTimeoutMs);
    }
    if (running.state.members.size > 0) this.#running.set(group.id, running);
    this.#carryOut(running, effects);
  }

  sync(call: Call, group: Group | null, event: Omit<SyncEvent, 'parked'>): void {
    const running = group === null ? undefined : this.#running.get(group.id);
    const state = running?.state ?? newGroupState(0);
    const effects = transitions.sync(state, { ...event, parked: call });
    if (running === undefined) for (const effect of effects) answer(effect);
    else this.#carryOut(running, effects);
  }

  heartbeat(group: Group | null, memberId: string, instanceId: string | null, generation: number): number {
    const state = this.state(group) ?? newGroupState(0);
    const code = transitions.heartbeat(state, memberId, instanceId, generation);
    if (state.members.has(memberId) && group !== null) this.#node.broker.touchMember(group, memberId);
    return code;
  }

  mayCommit(group: Group, memberId: string, instanceId: string | null, generation: number): number {
    const state = this.state(group);
    if (state === null) {
      // Members of another protocol work in it: nobody may move its offsets from outside.
      const others = this.#node.broker.members(group).length > 0;
      return transitions.mayCommit(newGroupState(0), others ? '?' : memberId, instanceId, generation);
    }
    const code = transitions.mayCommit(state, memberId, instanceId, generation);
    if (code === 0 && memberId !== '') this.#node.broker.touchMember(group, memberId);
    return code;
  }

  leave(group: Group | null, memberId: string, instanceId: string | null): number {
    if (group !== null && this.#expected.delete(expectedKey(group, memberId))) return 0;
    const running = group === null ? undefined : this.#running.get(group.id);
    const state = running?.state ?? newGroupState(0);
    const { code, effects } = transitions.leave(state, memberId, instanceId, this.#rules, this.#node.broker.nowMs());
    if (running !== undefined) this.#carryOut(running, effects);
    return code;
  }

  // ---------------------------------------------------------------- called by the core

  membersChanged(): void {
    // Members change through us, and memberExpired tells the rest.
  }

  memberExpired(group: Group, member: { readonly id: string }): void {
    const running = this.#running.get(group.id);
    if (running === undefined) return;
    this.#carryOut(running, transitions.expire(running.state, member.id, this.#rules, this.#node.broker.nowMs()));
  }

  groupDue(group: Group): void {
    const running = this.#running.get(group.id);
    if (running === undefined) return;
    this.#carryOut(running, transitions.due(running.state, this.#rules, this.#node.broker.nowMs()));
  }

  /** Forgets offsets by age, and groups of which nothing is left. */
  tend(nowMs: TimeMs): void {
    const { broker, settings, log } = this.#node;
    const groups = broker.groups(this.#self, settings.namespace);
    // Some at a time, in turn: a look at thousands would hold up everybody, and a week has many looks.
    const count = Math.min(groups.length, TENDED_MAX);
    for (let n = 0; n < count; n++) {
      const group = groups[(this.#tended + n) % groups.length]!;
      const state = this.state(group);
      const expired = expiredOffsets(broker, group, state, settings.offsetsRetentionMs, this.#startedMs, nowMs);
      if (expired === null) continue;
      this.#node.counts.offsetsExpired += expired.queues.length;
      forget(broker, this.#self, group, expired).catch((error: unknown) =>
        log.warn({ err: error, group: group.name }, 'offsets that are too old stay for now'),
      );
    }
    this.#tended = groups.length === 0 ? 0 : (this.#tended + count) % groups.length;
  }

  /** A group that nobody has worked in yet: it is Kafka's, its offsets go by their age, and it goes with the last. */
  adopt(group: Group): void {
    this.#node.broker.putGeneration(this.#self, group, group.generation, groupData(newGroupState(0), 0), null, 0);
  }

  committed(token: number): void {
    const joins = this.#logging.get(token) ?? [];
    this.#logging.delete(token);
    for (const effect of joins) answer(effect);
  }

  // ----------------------------------------------------------------

  #carryOut(running: Running, effects: readonly Effect[]): void {
    try {
      for (const effect of effects) this.#carryOutOne(running, effect);
    } catch (error) {
      this.#abandon(running, effects, errorCode(error, 'group'));
    }
    if (running.state.members.size === 0) this.#running.delete(running.group.id);
  }

  #carryOutOne(running: Running, effect: Effect): void {
    switch (effect.kind) {
      case 'member':
        this.#put(running, effect.member, effect.timeoutMs);
        break;
      case 'gone':
        this.#node.broker.removeMember(running.group, effect.memberId);
        break;
      case 'due':
        this.#node.broker.setGroupDue(running.group, effect.atMs);
        break;
      case 'generation':
        this.#log(running, effect.generation, effect.joins);
        break;
      default:
        answer(effect);
    }
  }

  /**
   * The core has refused a step: another protocol holds the group, nothing can be logged any more. The state here would
   * be ahead of what is true, so the group is given up: everybody who waits hears why, and who still can joins again.
   */
  #abandon({ group, state }: Running, effects: readonly Effect[], code: ErrorCode): void {
    this.#node.counts.errors++;
    for (const effect of effects) answerAll(effect, code);
    for (const member of state.members.values()) {
      if (member.joining !== null) refuse(member.joining as Call, code);
      if (member.syncing !== null) refuse(member.syncing as Call, code);
      this.#node.broker.removeMember(group, member.id);
    }
    state.members.clear();
    state.instances.clear();
    this.#node.broker.setGroupDue(group, 0);
  }

  #put({ group, state }: Running, member: MemberState, timeoutMs: number): void {
    // A later effect of the same event may have removed it again.
    if (state.members.get(member.id) !== member) return;
    const metadata = member.protocols[0]!.metadata;
    this.#node.broker.putMember(this.#self, PROTOCOL, group, {
      id: member.id,
      clientId: member.clientId,
      host: member.host,
      topics: subscribedTopics(state.protocolType, metadata).map((name) => unspell(name) ?? name),
      data: metadata,
      timeoutMs,
    });
  }

  #log({ group, state }: Running, generation: number, joins: readonly Effect[]): void {
    const token = this.#nextToken++;
    if (joins.length > 0) this.#node.counts.rebalances++;
    const emptySinceMs = state.phase === 'empty' ? this.#node.broker.nowMs() : 0;
    const data = groupData(state, emptySinceMs);
    // The answer comes in a later turn, so it finds the joins.
    this.#node.broker.putGeneration(this.#self, group, generation, data, this, token);
    this.#logging.set(token, joins);
  }

  #expect(group: Group, memberId: string, sessionTimeoutMs: number): void {
    const nowMs = this.#node.broker.nowMs();
    for (const [key, untilMs] of this.#expected) {
      if (untilMs > nowMs && this.#expected.size < EXPECTED_MAX) break;
      this.#expected.delete(key);
    }
    this.#expected.set(expectedKey(group, memberId), nowMs + sessionTimeoutMs);
  }
}

function expectedKey(group: Group, memberId: string): string {
  return `${group.id}:${memberId}`;
}

function answerAll(effect: Effect, code: ErrorCode): void {
  if (effect.kind === 'generation') for (const join of effect.joins) answerAll(join, code);
  else if (effect.kind === 'join' || effect.kind === 'sync') refuse(effect.parked as Call, code);
}

/** Answers a join or sync that waits, unless it has its answer already. */
function refuse(call: Call, errorCode: ErrorCode): void {
  if (call.api.key === joinGroup.key) {
    call.reply(joinGroup, { errorCode, protocolName: null, leader: '', memberId: '', members: [] });
  } else call.reply(syncGroup, { errorCode, assignment: NO_BYTES });
}

/** Sends the answer that an effect is. */
function answer(effect: Effect): void {
  if (effect.kind === 'join') {
    const { code, generation, members, protocolType, protocolName, leader, skipAssignment, memberId } = effect.result;
    (effect.parked as Call).reply(joinGroup, {
      errorCode: code,
      generationId: generation,
      protocolType,
      protocolName,
      leader,
      skipAssignment,
      memberId,
      members,
    });
  } else if (effect.kind === 'sync') {
    const { code, protocolType, protocolName, assignment } = effect.result;
    (effect.parked as Call).reply(syncGroup, { errorCode: code, protocolType, protocolName, assignment });
  }
}
