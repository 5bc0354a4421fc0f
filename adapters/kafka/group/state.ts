// The nouns of the classic consumer group (KIP-62, KIP-345): its state, what can happen to it, what follows from that.
//
// The transitions in transitions.ts change a GroupState and return effects. They know no clock, no connection and no
// broker: time comes in as an argument, replies go out as effects, so every path can be told in a test.

import type { TimeMs } from '../../../core/types.ts';
import type { ErrorCode } from '../../../specs/kafka/error-codes.ts';

/**
 * `empty`: no members. `preparing`: members are asked to join again, and wait for the others. `completing`: all know
 * the generation and wait for the leader's assignment. `stable`: everybody has one.
 */
export type Phase = 'empty' | 'preparing' | 'completing' | 'stable';

/** A request that waits for its answer; the coordinator knows what it is. */
type Parked = object;

interface Protocol {
  readonly name: string;
  readonly metadata: Buffer;
}

export interface MemberState {
  readonly id: string;
  /** Of a static member (KIP-345), null for dynamic ones. */
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly host: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  /** In order of the member's preference. */
  protocols: readonly Protocol[];
  assignment: Buffer;
  joining: Parked | null;
  syncing: Parked | null;
}

export interface GroupState {
  phase: Phase;
  generation: number;
  protocolType: string;
  /** The assignment protocol chosen by vote, null before the first generation. */
  protocolName: string | null;
  leader: string | null;
  readonly members: Map<string, MemberState>;
  /** instance id -> member id. */
  readonly instances: Map<string, string>;
  /** When the phase runs out, 0 for never. */
  dueAtMs: TimeMs;
  /** A new group waits for more members (group.initial.rebalance.delay.ms): how long it still may, and who came. */
  initial: { leftMs: number; grew: boolean } | null;
}

export interface Rules {
  readonly sessionTimeoutMsMin: number;
  readonly sessionTimeoutMsMax: number;
  readonly groupMembersMax: number;
  readonly initialRebalanceDelayMs: number;
}

export interface JoinEvent {
  /** '' for a member that has none yet. */
  readonly memberId: string;
  /** The id for a member that has none. */
  readonly newMemberId: string;
  /** The id was handed out before, for this join. */
  readonly expected: boolean;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly host: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  readonly protocols: readonly Protocol[];
  /** JoinGroup v4+: a dynamic member asks for its id first (KIP-394). */
  readonly idRequired: boolean;
  /** JoinGroup v9+: a static leader may be told to skip the assignment (KIP-814). */
  readonly skipsAssignment: boolean;
  readonly parked: Parked;
}

export interface JoinResult {
  readonly code: ErrorCode;
  readonly generation: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leader: string;
  readonly memberId: string;
  readonly skipAssignment: boolean;
  /** For the leader only. */
  readonly members: readonly { memberId: string; groupInstanceId: string | null; metadata: Buffer }[];
}

export interface SyncEvent {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generation: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignments: readonly { memberId: string; assignment: Buffer }[];
  readonly parked: Parked;
}

export interface SyncResult {
  readonly code: ErrorCode;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignment: Buffer;
}

export type Effect =
  | { readonly kind: 'join'; readonly parked: Parked; readonly result: JoinResult }
  | { readonly kind: 'sync'; readonly parked: Parked; readonly result: SyncResult }
  /** A generation is to be logged as it is now; the joins are answered when it is. */
  | { readonly kind: 'generation'; readonly generation: number; readonly joins: readonly Effect[] }
  /** The member is there, with this long until it is taken for dead. */
  | { readonly kind: 'member'; readonly member: MemberState; readonly timeoutMs: number }
  | { readonly kind: 'gone'; readonly memberId: string }
  | { readonly kind: 'due'; readonly atMs: TimeMs };

/** A stable group as it was before the broker went away. */
export function stableGroupState(
  generation: number,
  protocolType: string,
  protocolName: string,
  leader: string | null,
  members: readonly MemberState[],
): GroupState {
  return {
    ...newGroupState(generation),
    phase: 'stable',
    protocolType,
    protocolName,
    leader,
    members: new Map(members.map((member) => [member.id, member])),
    instances: new Map(members.flatMap(({ id, instanceId }) => (instanceId === null ? [] : [[instanceId, id]]))),
  };
}

export function newGroupState(generation: number): GroupState {
  return {
    phase: 'empty',
    generation,
    protocolType: '',
    protocolName: null,
    leader: null,
    members: new Map(),
    instances: new Map(),
    dueAtMs: 0,
    initial: null,
  };
}
