// Consumer groups as connections of this protocol make them: who is a member through which connection, and what the
// group subscribes to. The members themselves are the core's; here is only what a connection alone knows.
//
// Invariants:
// - a view exists while the group has a member of ours, and no longer;
// - a member belongs to the connection that heartbeat last under its id: an older connection that closes does not take
//   the member with it;
// - of a topic's subscriptions the newest version among the members holds for the whole group, as in the protocol's
//   broker; members that do not agree are reported, once per change;
// - a client is told of changes only while none of its heartbeats is unanswered.

import type { Group, Principal } from '../../core/types.ts';
import type { Verbs } from '../../core/verbs.ts';
import type { Logger } from '../adapter.ts';
import type { Connection } from './connection.ts';
import { groupConfig } from './group-config.ts';
import { Meter } from './rates.ts';

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

export interface Membership {
  readonly clientId: string;
  /** The group's name as its clients spell it. */
  readonly wireGroup: string;
  readonly host: string;
  readonly isBroadcast: boolean;
  readonly subscriptions: readonly Subscription[];
  /** The member's own description, word for word. */
  readonly data: Buffer;
}

/** One member as its connection made it. */
export interface Present {
  readonly connection: Connection;
  readonly membership: Membership;
  readonly language: string;
  readonly version: number;
  /** The newest version of a subscription that the client was asked about because its pulls named it. */
  askedVersion: number;
  /** Settles when it has answered. */
  asking: Promise<void> | null;
}

class GroupView {
  readonly group: Group;
  wireName: string;
  readonly members = new Map<string, Present>();
  /** By topic; null until it is asked for after a change. */
  subscriptions: Map<string, Subscription> | null = null;
  isBroadcast = false;
  /** What its members were given, by topic. */
  readonly deliveries = new Map<number, Meter>();

  constructor(group: Group, wireName: string) {
    this.group = group;
    this.wireName = wireName;
  }
}

export class Groups {
  readonly #broker: Verbs;
  readonly #log: Logger;
  readonly #views = new Map<number, GroupView>();
  /** Connections whose heartbeat is not answered yet, and what they will be told after it. */
  readonly #held = new Map<Connection, Set<string>>();
  readonly #counts: { inconsistentSubscriptions: number };

  constructor(broker: Verbs, log: Logger, counts: { inconsistentSubscriptions: number }) {
    this.#broker = broker;
    this.#log = log;
    this.#counts = counts;
    broker.onMembership(PROTOCOL, { membersChanged: (group) => this.#notify(group) });
  }

  /**
   * Joins, or says again that it is there. True when a member that was there subscribes to something else now. Throws
   * group-in-use while another protocol has the group.
   */
  join(principal: Principal, group: Group, present: Present): boolean {
    const { membership } = present;
    const { clientId } = membership;
    let view = this.#views.get(group.id);
    const before = view?.members.get(clientId);
    const isSame = before?.connection === present.connection && before.membership.data.equals(membership.data);
    if (!isSame || !this.#broker.touchMember(group, clientId)) {
      this.#broker.putMember(principal, PROTOCOL, group, {
        id: clientId,
        clientId,
        host: membership.host,
        topics: membership.subscriptions.map((subscription) => subscription.topic),
        data: membership.data,
        timeoutMs: MEMBER_TIMEOUT_MS,
      });
    }
    if (view === undefined) this.#views.set(group.id, (view = new GroupView(group, membership.wireGroup)));
    if (isSame) return false;
    view.wireName = membership.wireGroup;
    view.isBroadcast = membership.isBroadcast;
    view.members.set(clientId, present);
    view.subscriptions = null;
    const isChanged = before !== undefined && !before.membership.data.equals(membership.data);
    if (before === undefined || isChanged) this.#compare(view, membership);
    return isChanged;
  }

  /** The member heartbeats without saying again what it subscribes to. False when it is not known here. */
  touch(group: Group, clientId: string, connection: Connection): boolean {
    const present = this.#views.get(group.id)?.members.get(clientId);
    return present?.connection === connection && this.#broker.touchMember(group, clientId);
  }

  /** Leaves, if the member is still this connection's. */
  leave(group: Group, clientId: string, connection: Connection): void {
    const view = this.#views.get(group.id);
    if (view === undefined || view.members.get(clientId)?.connection !== connection) return;
    view.members.delete(clientId);
    view.subscriptions = null;
    if (view.members.size === 0) this.#views.delete(group.id);
    this.#broker.removeMember(group, clientId);
  }

  /**
   * Until release this connection hears of no change. A client rebalances as soon as it is told, and then says hello
   * again, but not while an earlier hello waits for its answer: its pulls would be refused (25) until the next one, half
   * a minute later. So a client is told of its own joining after its heartbeat is answered.
   */
  hold(connection: Connection): void {
    if (!this.#held.has(connection)) this.#held.set(connection, new Set());
  }

  release(connection: Connection): void {
    const untold = this.#held.get(connection);
    if (untold === undefined) return;
    this.#held.delete(connection);
    for (const wireName of untold) connection.notifyMembersChanged(wireName);
  }

  /** True when a client of this protocol is a member. */
  isOnline(group: Group): boolean {
    return this.#views.has(group.id);
  }

  isBroadcast(group: Group): boolean {
    return this.#views.get(group.id)?.isBroadcast === true;
  }

  members(group: Group): Present[] {
    return [...(this.#views.get(group.id)?.members.values() ?? [])];
  }

  member(group: Group, clientId: string): Present | null {
    return this.#views.get(group.id)?.members.get(clientId) ?? null;
  }

  /** Its members were given messages of a topic. */
  delivered(group: Group, topicId: number, count: number): void {
    const view = this.#views.get(group.id);
    if (view === undefined) return;
    let meter = view.deliveries.get(topicId);
    if (meter === undefined) view.deliveries.set(topicId, (meter = new Meter()));
    meter.add(count, this.#broker.nowMs());
  }

  /** Messages of a topic that its members are given per second. */
  deliveriesPerSecond(group: Group, topicId: number): number {
    return this.#views.get(group.id)?.deliveries.get(topicId)?.perSecond(this.#broker.nowMs()) ?? 0;
  }

  /** The member that this connection is; null when it is none. */
  memberOf(group: Group, connection: Connection): Present | null {
    return this.members(group).find((present) => present.connection === connection) ?? null;
  }

  subscription(group: Group, topic: string): Subscription | null {
    return this.subscriptions(group).get(topic) ?? null;
  }

  /** What the group subscribes to now, by topic. */
  subscriptions(group: Group): ReadonlyMap<string, Subscription> {
    const view = this.#views.get(group.id);
    if (view === undefined) return new Map();
    if (view.subscriptions === null) {
      view.subscriptions = new Map();
      for (const { membership } of view.members.values()) {
        for (const subscription of membership.subscriptions) {
          const before = view.subscriptions.get(subscription.topic);
          if (before === undefined || before.version <= subscription.version) {
            view.subscriptions.set(subscription.topic, subscription);
          }
        }
      }
    }
    return view.subscriptions;
  }

  /**
   * Members of one group share its queues, so what one of them does not subscribe to, or filters differently, is lost
   * for the group: the error in use that is hardest to find. Nothing is refused, since the protocol's brokers do not.
   */
  #compare(view: GroupView, joined: Membership): void {
    for (const { membership: other } of view.members.values()) {
      if (other.clientId === joined.clientId) continue;
      const difference = differenceOf(joined, other);
      if (difference === null) continue;
      this.#counts.inconsistentSubscriptions++;
      this.#log.warn(
        { group: view.wireName, clientId: joined.clientId, otherClientId: other.clientId, difference },
        'members of a RocketMQ group have different subscriptions: messages will be missed',
      );
      return;
    }
  }

  #notify(group: Group): void {
    const view = this.#views.get(group.id);
    if (view === undefined) return;
    // Members that expired in the core are forgotten here as well.
    const alive = new Set(this.#broker.members(group).map((member) => member.id));
    for (const clientId of view.members.keys()) {
      if (alive.has(clientId)) continue;
      view.members.delete(clientId);
      view.subscriptions = null;
    }
    if (view.members.size === 0) this.#views.delete(group.id);
    if (!groupConfig(group).notifyConsumerIdsChangedEnable) return;
    const connections = new Set([...view.members.values()].map(({ connection }) => connection));
    for (const connection of connections) {
      const untold = this.#held.get(connection);
      if (untold === undefined) connection.notifyMembersChanged(view.wireName);
      else untold.add(view.wireName);
    }
  }
}

/** In what two members of a group differ, as text for the log; null when they agree. */
function differenceOf(one: Membership, other: Membership): string | null {
  if (one.isBroadcast !== other.isBroadcast) return 'one broadcasts, one does not';
  const others = new Map(other.subscriptions.map((subscription) => [subscription.topic, subscription]));
  for (const { topic, expression, expressionType } of one.subscriptions) {
    const same = others.get(topic);
    if (same === undefined) return `${one.clientId} subscribes to ${topic}, ${other.clientId} does not`;
    if (same.expression !== expression || same.expressionType !== expressionType) {
      return `${topic} by "${expression}" in ${one.clientId}, by "${same.expression}" in ${other.clientId}`;
    }
    others.delete(topic);
  }
  for (const topic of others.keys()) return `${other.clientId} subscribes to ${topic}, ${one.clientId} does not`;
  return null;
}
