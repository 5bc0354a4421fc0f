// Runs the groups: keeps their states while they have members, and carries out what the transitions ask for.
//
// Invariants:
// - a group's state is here exactly while it has members, who are also members in the core: there everybody sees them,
//   and no other protocol can hold the group at the same time;
// - offsets, generations and the group itself live in the core and survive us; members do not survive a restart, they
//   join again;
// - a join is answered when its generation is in the log.

import type { Group, Principal, TimeMs } from '../../../core/types.ts';
import type { CommitTarget, MembershipListener } from '../../../core/verbs.ts';
import { joinGroup, syncGroup } from '../../../specs/kafka/groups.ts';
import type { Call } from '../call.ts';
import { unspell } from '../names.ts';
import type { Node } from '../node.ts';
import { groupData } from './group-data.ts';
import type { Effect, GroupState, JoinEvent, MemberState, Rules, SyncEvent } from './state.ts';
import { newGroupState } from './state.ts';
import { subscribedTopics } from './subscription.ts';
import * as transitions from './transitions.ts';

export const PROTOCOL = 'kafka';
const EXPECTED_MAX = 100_000;

interface Running {
  readonly group: Group;
  readonly state: GroupState;
  /** In whose name the group's generations are logged: the last member that joined. */
  principal: Principal;
}

export class Coordinator implements MembershipListener, CommitTarget {
  readonly #node: Node;
  readonly #rules: Rules;
  readonly #running = new Map<number, Running>();
  /** Member ids handed out with MEMBER_ID_REQUIRED (KIP-394) that have not joined yet, oldest first, and until when. */
  readonly #expected = new Map<string, TimeMs>();
  /** Joins that wait for their generation to be logged. */
  readonly #logging = new Map<number, readonly Effect[]>();
  #nextToken = 1;

  constructor(node: Node) {
    this.#node = node;
    this.#rules = { ...node.limits, initialRebalanceDelayMs: node.settings.initialRebalanceDelayMs };
    node.broker.onMembership(PROTOCOL, this);
  }

  /** The state of a group that has members here, null otherwise. */
  state(group: Group | null): GroupState | null {
    return group === null ? null : (this.#running.get(group.id)?.state ?? null);
  }

  /** Throws BrokerError when the group may not be used or another protocol holds it. */
  join(call: Call, group: Group, event: Omit<JoinEvent, 'newMemberId' | 'expected' | 'parked'>): void {
    const { broker } = this.#node;
    const running = this.#running.get(group.id) ?? {
      group,
      state: newGroupState(group.generation),
      principal: call.principal,
    };
    running.principal = call.principal;
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
    try {
      this.#carryOut(running, effects);
    } catch (error) {
      // Another protocol holds the group: nobody of ours is in it, so its state goes with the refused member.
      if (broker.group(group.namespace, group.name)?.protocol !== PROTOCOL) this.#running.delete(group.id);
      throw error;
    }
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

  committed(token: number): void {
    const joins = this.#logging.get(token) ?? [];
    this.#logging.delete(token);
    for (const effect of joins) answer(effect);
  }

  // ----------------------------------------------------------------

  #carryOut(running: Running, effects: readonly Effect[]): void {
    for (const effect of effects) {
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
    if (running.state.members.size === 0) this.#running.delete(running.group.id);
  }

  #put({ group, state, principal }: Running, member: MemberState, timeoutMs: number): void {
    // A later effect of the same event may have removed it again.
    if (state.members.get(member.id) !== member) return;
    const metadata = member.protocols[0]!.metadata;
    this.#node.broker.putMember(principal, PROTOCOL, group, {
      id: member.id,
      clientId: member.clientId,
      host: member.host,
      topics: subscribedTopics(state.protocolType, metadata).map((name) => unspell(name) ?? name),
      data: metadata,
      timeoutMs,
    });
  }

  #log({ group, state, principal }: Running, generation: number, joins: readonly Effect[]): void {
    const token = this.#nextToken++;
    this.#logging.set(token, joins);
    this.#node.counts.rebalances++;
    const data = groupData(state.protocolType, state.protocolName);
    this.#node.broker.putGeneration(principal, group, generation, data, this, token);
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
