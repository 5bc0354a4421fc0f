/**
 * Members of groups, in memory only: who is there, until when, and which protocol holds the group. The protocols run
 * their group state machines on top of this table; the generation they reach is logged.
 */
import { BrokerError } from '../errors.ts';
import type { Clock, Group, GroupId, Member, QueueNumber, TimeMs } from '../types.ts';
import type { MemberSpec, MembershipListener } from '../verbs.ts';
import type { GroupState } from './catalog.ts';

interface MemberState extends Member {
  timeoutMs: number;
}

interface Lock {
  owner: string;
  untilMs: TimeMs;
}

interface Present {
  group: GroupState;
  members: Map<string, MemberState>;
  dueAtMs: TimeMs;
  changed: boolean;
}

const SWEEP_MS = 100;
const MEMBERS_PER_GROUP_MAX = 10_000;

export class Membership {
  private readonly clock: Clock;
  private readonly present = new Map<GroupId, Present>();
  private readonly listeners = new Map<string, MembershipListener>();
  private readonly locks = new Map<GroupId, Map<QueueNumber, Lock>>();
  private sweeping = false;
  private announcing: Present[] = [];

  constructor(clock: Clock) {
    this.clock = clock;
  }

  listen(protocol: string, listener: MembershipListener): void {
    this.listeners.set(protocol, listener);
  }

  /** Lets every protocol forget by age what it keeps in its groups. */
  tend(): void {
    const nowMs = this.clock.nowMs();
    for (const listener of this.listeners.values()) listener.tend?.(nowMs);
  }

  put(protocol: string, group: GroupState, spec: MemberSpec): Member {
    const row = this.row(group);
    if (row.members.size > 0 && group.protocol !== protocol) {
      throw new BrokerError(
        'group-in-use',
        `group '${group.name}' has ${row.members.size} ${group.protocol} members: stop them before ${protocol} members join`,
      );
    }
    if (row.members.size >= MEMBERS_PER_GROUP_MAX && !row.members.has(spec.id)) {
      throw new BrokerError('limit-exceeded', `group '${group.name}' has ${MEMBERS_PER_GROUP_MAX} members already`);
    }
    group.protocol = protocol;
    const before = row.members.get(spec.id);
    const member: MemberState = {
      group: group.id,
      id: spec.id,
      clientId: spec.clientId,
      host: spec.host,
      topics: spec.topics,
      data: spec.data,
      timeoutMs: spec.timeoutMs,
      deadlineMs: this.clock.nowMs() + spec.timeoutMs,
    };
    row.members.set(spec.id, member);
    // The same description again is a heartbeat, not a change.
    if (before === undefined || !sameMember(before, member)) this.announce(row);
    this.sweepLater();
    return member;
  }

  touch(group: Group, id: string): boolean {
    const member = this.present.get(group.id)?.members.get(id);
    if (member === undefined) return false;
    member.deadlineMs = this.clock.nowMs() + member.timeoutMs;
    return true;
  }

  remove(group: Group, id: string): boolean {
    const row = this.present.get(group.id);
    if (row === undefined || !row.members.delete(id)) return false;
    this.announce(row);
    return true;
  }

  members(group: Group): Member[] {
    return [...(this.present.get(group.id)?.members.values() ?? [])];
  }

  count(group: Group): number {
    return this.present.get(group.id)?.members.size ?? 0;
  }

  setDue(group: GroupState, atMs: TimeMs): void {
    this.row(group).dueAtMs = atMs;
    this.sweepLater();
  }

  forget(group: Group): void {
    this.present.delete(group.id);
    this.locks.delete(group.id);
  }

  lock(group: Group, queue: QueueNumber, owner: string, leaseMs: number): boolean {
    let locks = this.locks.get(group.id);
    if (locks === undefined) {
      locks = new Map();
      this.locks.set(group.id, locks);
    }
    const nowMs = this.clock.nowMs();
    const lock = locks.get(queue);
    if (lock !== undefined && lock.owner !== owner && lock.untilMs > nowMs) return false;
    locks.set(queue, { owner, untilMs: nowMs + leaseMs });
    return true;
  }

  unlock(group: Group, queue: QueueNumber, owner: string): void {
    const locks = this.locks.get(group.id);
    if (locks?.get(queue)?.owner === owner) locks.delete(queue);
  }

  /** Whether somebody holds a queue of the group now. */
  locked(group: Group): boolean {
    const nowMs = this.clock.nowMs();
    for (const lock of this.locks.get(group.id)?.values() ?? []) if (lock.untilMs > nowMs) return true;
    return false;
  }

  private row(group: GroupState): Present {
    let row = this.present.get(group.id);
    if (row === undefined) {
      row = { group, members: new Map(), dueAtMs: 0, changed: false };
      this.present.set(group.id, row);
    }
    return row;
  }

  private announce(row: Present): void {
    if (row.changed) return;
    row.changed = true;
    this.announcing.push(row);
    if (this.announcing.length === 1) this.clock.afterTurn(this.announceAll);
  }

  private readonly announceAll = (): void => {
    const rows = this.announcing;
    this.announcing = [];
    for (const row of rows) {
      row.changed = false;
      const listener = this.listeners.get(row.group.protocol);
      if (row.members.size === 0 && row.dueAtMs === 0) {
        this.present.delete(row.group.id);
        row.group.protocol = '';
      }
      listener?.membersChanged(row.group);
    }
  };

  private sweepLater(): void {
    if (this.sweeping) return;
    this.sweeping = true;
    this.clock.setTimer(SWEEP_MS, this.sweep);
  }

  private readonly sweep = (): void => {
    this.sweeping = false;
    const nowMs = this.clock.nowMs();
    let more = false;
    for (const row of [...this.present.values()]) {
      const listener = this.listeners.get(row.group.protocol);
      for (const member of row.members.values()) {
        if (member.deadlineMs > nowMs) continue;
        row.members.delete(member.id);
        this.announce(row);
        listener?.memberExpired?.(row.group, member);
      }
      if (row.dueAtMs > 0 && row.dueAtMs <= nowMs) {
        row.dueAtMs = 0;
        listener?.groupDue?.(row.group);
      }
      if (row.members.size > 0 || row.dueAtMs > 0) more = true;
    }
    if (more) this.sweepLater();
  };
}

function sameMember(a: Member, b: Member): boolean {
  if (a.clientId !== b.clientId || a.host !== b.host || a.topics.length !== b.topics.length) return false;
  for (let n = 0; n < a.topics.length; n++) if (a.topics[n] !== b.topics[n]) return false;
  if (a.data === null || b.data === null) return a.data === b.data;
  return a.data.equals(b.data);
}
