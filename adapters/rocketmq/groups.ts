// Consumer groups as connections of this protocol make them: who is a member through which connection, and what the
// group subscribes to. The members themselves are the core's; here is only what a connection alone knows.
//
// Invariants:
// - a view exists while the group has a member of ours, and no longer;
// - a member belongs to the connection that heartbeat last under its id: an older connection that closes does not take
//   the member with it;
// - of a topic's subscriptions the newest version holds for the whole group, as in the protocol's broker.

import type { Group, Principal } from '../../core/types.ts';
import type { Verbs } from '../../core/verbs.ts';

export const PROTOCOL = 'rocketmq';
/** A member that has not heartbeat for so long is gone; clients do it every 30 s. */
const MEMBER_TIMEOUT_MS = 120_000;

export interface Subscription {
  readonly topic: string;
  readonly expression: string;
  readonly expressionType: string;
  readonly version: number;
  /** Tag hashes that pass, null for all. */
  readonly hashes: ReadonlySet<number> | null;
}

/** What the registry needs of a connection. */
export interface MemberConnection {
  /** Address and port of the client. */
  readonly remoteText: string;
  /** The client's version as its heartbeat said. */
  readonly clientVersion: number;
  notifyMembersChanged(group: string): void;
}

export interface Membership {
  readonly clientId: string;
  /** The group's name as its clients spell it. */
  readonly wireGroup: string;
  readonly host: string;
  readonly subscriptions: readonly Subscription[];
  /** The member's own description, word for word. */
  readonly data: Buffer;
}

class GroupView {
  readonly group: Group;
  wireName: string;
  readonly connections = new Map<string, MemberConnection>();
  readonly subscriptions = new Map<string, Subscription>();

  constructor(group: Group, wireName: string) {
    this.group = group;
    this.wireName = wireName;
  }
}

export class Groups {
  readonly #broker: Verbs;
  readonly #views = new Map<number, GroupView>();

  constructor(broker: Verbs) {
    this.#broker = broker;
    broker.onMembership(PROTOCOL, { membersChanged: (group) => this.#notify(group) });
  }

  /** Joins, or says again that it is there. Throws group-in-use while another protocol has the group. */
  join(principal: Principal, group: Group, member: Membership, connection: MemberConnection): void {
    let view = this.#views.get(group.id);
    const isKnown = view?.connections.get(member.clientId) === connection;
    const isSame = isKnown && this.#sameData(group, member);
    if (!isSame || !this.#broker.touchMember(group, member.clientId)) {
      this.#broker.putMember(principal, PROTOCOL, group, {
        id: member.clientId,
        clientId: member.clientId,
        host: member.host,
        topics: member.subscriptions.map((subscription) => subscription.topic),
        data: member.data,
        timeoutMs: MEMBER_TIMEOUT_MS,
      });
    }
    if (view === undefined) this.#views.set(group.id, (view = new GroupView(group, member.wireGroup)));
    view.wireName = member.wireGroup;
    view.connections.set(member.clientId, connection);
    for (const subscription of member.subscriptions) {
      const before = view.subscriptions.get(subscription.topic);
      if (before === undefined || before.version <= subscription.version) {
        view.subscriptions.set(subscription.topic, subscription);
      }
    }
  }

  /** Leaves, if the member is still this connection's. */
  leave(group: Group, clientId: string, connection: MemberConnection): void {
    const view = this.#views.get(group.id);
    if (view === undefined || view.connections.get(clientId) !== connection) return;
    view.connections.delete(clientId);
    if (view.connections.size === 0) this.#views.delete(group.id);
    this.#broker.removeMember(group, clientId);
  }

  /** True when a client of this protocol is a member. */
  isOnline(group: Group): boolean {
    return this.#views.has(group.id);
  }

  connectionOf(group: Group, clientId: string): MemberConnection | null {
    return this.#views.get(group.id)?.connections.get(clientId) ?? null;
  }

  subscription(group: Group, topic: string): Subscription | null {
    return this.#views.get(group.id)?.subscriptions.get(topic) ?? null;
  }

  #notify(group: Group): void {
    const view = this.#views.get(group.id);
    if (view === undefined) return;
    // Members that expired in the core are forgotten here as well.
    const alive = new Set(this.#broker.members(group).map((member) => member.id));
    for (const clientId of view.connections.keys()) if (!alive.has(clientId)) view.connections.delete(clientId);
    if (view.connections.size === 0) this.#views.delete(group.id);
    for (const connection of new Set(view.connections.values())) connection.notifyMembersChanged(view.wireName);
  }

  #sameData(group: Group, member: Membership): boolean {
    const known = this.#broker.members(group).find((other) => other.id === member.clientId);
    return known?.data?.equals(member.data) === true;
  }
}
