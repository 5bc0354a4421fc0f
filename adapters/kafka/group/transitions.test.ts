// The classic group's state machine, told step by step, and with random histories that must keep its invariants.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Effect, GroupState, JoinEvent, Rules } from './state.ts';
import { newGroupState } from './state.ts';
import { due, expire, heartbeat, join, leave, mayCommit, sync } from './transitions.ts';

const rules: Rules = {
  sessionTimeoutMsMin: 6000,
  sessionTimeoutMsMax: 60000,
  groupMembersMax: 10,
  initialRebalanceDelayMs: 0,
};

/** One group with a small vocabulary of what clients do; answers are kept by the name under which they were asked. */
class Story {
  readonly group: GroupState;
  readonly rules: Rules;
  readonly answers = new Map<string, { code: number } & Record<string, unknown>>();
  /** How long each member may be silent from when that was said last. */
  readonly silenceMs = new Map<string, number>();
  now = 1000;
  #ids = 0;

  constructor(change: Partial<Rules> = {}, generation = 0) {
    this.group = newGroupState(generation);
    this.rules = { ...rules, ...change };
  }

  take(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'generation') this.take(effect.joins);
      else if (effect.kind === 'member') this.silenceMs.set(effect.member.id, effect.timeoutMs);
      else if (effect.kind === 'join' || effect.kind === 'sync') {
        const { name } = effect.parked as { name: string };
        if (this.answers.has(name)) throw new Error(`${name} was answered twice`);
        this.answers.set(name, effect.result as never);
      }
    }
  }

  join(name: string, memberId: string, change: Partial<JoinEvent> = {}): void {
    this.answers.delete(name);
    const event: JoinEvent = {
      memberId,
      newMemberId: `m${++this.#ids}`,
      expected: memberId !== '',
      instanceId: null,
      clientId: 'c',
      host: '/h',
      sessionTimeoutMs: 10000,
      rebalanceTimeoutMs: 20000,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.from('topics') }],
      idRequired: false,
      skipsAssignment: false,
      parked: { name },
      ...change,
    };
    this.take(join(this.group, event, this.rules, this.now));
  }

  sync(
    name: string,
    memberId: string,
    assignments: Record<string, string> = {},
    generation = this.group.generation,
  ): void {
    this.answers.delete(name);
    this.take(
      sync(this.group, {
        memberId,
        instanceId: null,
        generation,
        protocolType: null,
        protocolName: null,
        assignments: Object.entries(assignments).map(([id, text]) => ({ memberId: id, assignment: Buffer.from(text) })),
        parked: { name },
      }),
    );
  }

  wait(ms: number): void {
    this.now += ms;
    this.take(due(this.group, this.rules, this.now));
  }

  code(name: string): number | undefined {
    return this.answers.get(name)?.code;
  }

  /** Two members with assignments in a stable group: m1 leads. */
  stable(): void {
    this.join('j1', '');
    this.sync('s1', 'm1', { m1: 'all' });
    this.join('j2', '');
    this.join('j1', 'm1');
    this.sync('s2', 'm2');
    this.sync('s1', 'm1', { m1: 'left', m2: 'right' });
  }
}

describe('a classic group', () => {
  it('assigns through its leader and shares with a second member', () => {
    const story = new Story();
    story.join('j1', '');
    expect(story.answers.get('j1')).toMatchObject({ code: 0, generation: 1, leader: 'm1', memberId: 'm1' });
    expect(story.answers.get('j1')!['members']).toHaveLength(1);
    story.sync('s1', 'm1', { m1: 'all' });
    expect(story.answers.get('s1')).toMatchObject({ code: 0, assignment: Buffer.from('all') });
    story.join('j2', '');
    expect(story.code('j2')).toBeUndefined();
    expect(heartbeat(story.group, 'm1', null, 1)).toBe(ERROR.REBALANCE_IN_PROGRESS);
    story.join('j1', 'm1');
    expect(story.answers.get('j2')).toMatchObject({ code: 0, generation: 2, leader: 'm1', members: [] });
    expect(story.answers.get('j1')!['members']).toHaveLength(2);
    story.sync('s2', 'm2');
    expect(story.code('s2')).toBeUndefined();
    story.sync('s1', 'm1', { m1: 'left', m2: 'right' });
    expect(story.answers.get('s2')).toMatchObject({ code: 0, assignment: Buffer.from('right') });
    expect(story.group.phase).toBe('stable');
    expect(heartbeat(story.group, 'm2', null, 2)).toBe(ERROR.NONE);
    expect(heartbeat(story.group, 'm2', null, 1)).toBe(ERROR.ILLEGAL_GENERATION);
    expect(heartbeat(story.group, 'nobody', null, 2)).toBe(ERROR.UNKNOWN_MEMBER_ID);
  });

  it('goes on from the generation that the log knows', () => {
    const story = new Story({}, 41);
    story.join('j1', '');
    expect(story.answers.get('j1')).toMatchObject({ generation: 42 });
  });

  it('asks new clients to come back with their id (KIP-394)', () => {
    const story = new Story();
    story.join('j1', '', { idRequired: true });
    expect(story.answers.get('j1')).toMatchObject({ code: ERROR.MEMBER_ID_REQUIRED, memberId: 'm1' });
    expect(story.group.members.size).toBe(0);
    story.join('j1', 'm1', { idRequired: true });
    expect(story.answers.get('j1')).toMatchObject({ code: 0, memberId: 'm1' });
    story.join('j2', 'forged', { expected: false });
    expect(story.code('j2')).toBe(ERROR.UNKNOWN_MEMBER_ID);
  });

  it('refuses what does not fit', () => {
    const story = new Story({ groupMembersMax: 1 });
    story.join('a', '', { sessionTimeoutMs: 1 });
    expect(story.code('a')).toBe(ERROR.INVALID_SESSION_TIMEOUT);
    story.join('b', '', { protocols: [] });
    expect(story.code('b')).toBe(ERROR.INCONSISTENT_GROUP_PROTOCOL);
    story.join('j1', '');
    story.join('c', '', { protocolType: 'connect' });
    expect(story.code('c')).toBe(ERROR.INCONSISTENT_GROUP_PROTOCOL);
    story.join('d', '', { protocols: [{ name: 'sticky', metadata: Buffer.alloc(0) }] });
    expect(story.code('d')).toBe(ERROR.INCONSISTENT_GROUP_PROTOCOL);
    story.join('e', '');
    expect(story.code('e')).toBe(ERROR.GROUP_MAX_SIZE_REACHED);
    story.sync('s', 'm3', {}, 7);
    expect(story.code('s')).toBe(ERROR.ILLEGAL_GENERATION);
  });

  it('lets a member wait for as long as the slowest one may take', () => {
    const story = new Story();
    story.join('slow', '', { rebalanceTimeoutMs: 300_000 });
    story.sync('s', 'm1', { m1: 'all' });
    story.join('quick', '');
    expect(story.silenceMs.get('m2')).toBe(300_000 + 10_000);
    story.wait(299_000);
    story.join('slow', 'm1', { rebalanceTimeoutMs: 300_000 });
    expect(story.code('quick')).toBe(ERROR.NONE);
    expect(story.silenceMs.get('m2')).toBe(10_000);
    story.sync('q', 'm2');
    expect(story.silenceMs.get('m2')).toBe(300_000 + 10_000);
    story.sync('s', 'm1', { m2: 'mine' });
    expect(story.code('q')).toBe(ERROR.NONE);
    expect(story.silenceMs.get('m2')).toBe(10_000);
  });

  it('looks at each protocol of each member a few times only, however many there are', () => {
    const story = new Story({ groupMembersMax: 200, initialRebalanceDelayMs: 3000 });
    let looks = 0;
    const protocolOf = (text: string) => ({
      get name() {
        looks++;
        return text;
      },
      metadata: Buffer.alloc(0),
    });
    // The last member knows only what the others name last.
    const protocols = [...Array.from({ length: 99 }, (_, n) => `p${n}`), 'last'].map(protocolOf);
    for (let n = 0; n < 100; n++) story.join(`j${n}`, '', { protocols });
    looks = 0;
    story.join('late', '', { protocols: [protocolOf('last')] });
    story.wait(3000);
    story.wait(3000);
    expect(story.answers.get('late')).toMatchObject({ code: 0, protocolName: 'last' });
    expect(looks).toBeLessThan(10 * 100 * protocols.length);
  });

  it('chooses the protocol that most members prefer among those all support', () => {
    const story = new Story({ initialRebalanceDelayMs: 100 });
    const of = (...names: string[]) => ({ protocols: names.map((name) => ({ name, metadata: Buffer.from(name) })) });
    story.join('j1', '', of('old', 'range', 'sticky'));
    story.join('j2', '', of('sticky', 'range'));
    story.join('j3', '', of('sticky', 'range'));
    story.wait(100);
    story.wait(100);
    expect(story.answers.get('j3')).toMatchObject({ code: 0, protocolName: 'sticky' });
  });

  it('waits for a new group to fill, at most as long as a rebalance may take', () => {
    const story = new Story({ initialRebalanceDelayMs: 9000 });
    story.join('j1', '');
    story.wait(8000);
    expect(story.code('j1')).toBeUndefined();
    story.join('j2', '');
    story.wait(1000);
    expect(story.code('j1')).toBeUndefined();
    story.wait(9000);
    expect(story.answers.get('j1')).toMatchObject({ generation: 1 });
    expect(story.answers.get('j1')!['members']).toHaveLength(2);
  });

  it('leaves behind who does not rejoin in time, and who does not sync', () => {
    const story = new Story();
    story.stable();
    story.join('j1', 'm1');
    story.wait(20000);
    expect(story.answers.get('j1')).toMatchObject({ code: 0, generation: 3 });
    expect([...story.group.members.keys()]).toEqual(['m1']);
    story.wait(20000);
    expect(story.group.phase).toBe('empty');
    expect(story.group.generation).toBe(4);
  });

  it('rebalances when a member leaves or is not heard of', () => {
    const story = new Story();
    story.stable();
    const { code, effects } = leave(story.group, 'm1', null, story.rules, story.now);
    story.take(effects);
    expect(code).toBe(ERROR.NONE);
    expect(story.group.phase).toBe('preparing');
    story.join('j2', 'm2');
    expect(story.answers.get('j2')).toMatchObject({ code: 0, generation: 3, leader: 'm2' });
    story.take(expire(story.group, 'm2', story.rules, story.now));
    expect(story.group.phase).toBe('empty');
    expect(leave(story.group, 'm2', null, story.rules, story.now).code).toBe(ERROR.UNKNOWN_MEMBER_ID);
  });

  it('lets a static member come back without a rebalance (KIP-345)', () => {
    const story = new Story();
    story.join('j1', '', { instanceId: 'i1' });
    story.sync('s1', 'm1', { m1: 'mine' });
    story.join('again', '', { instanceId: 'i1' });
    expect(story.answers.get('again')).toMatchObject({
      code: 0,
      generation: 1,
      memberId: 'm2',
      leader: 'm1',
      members: [],
    });
    story.sync('s2', 'm2');
    expect(story.answers.get('s2')).toMatchObject({ code: 0, assignment: Buffer.from('mine') });
    expect(heartbeat(story.group, 'm1', 'i1', 1)).toBe(ERROR.FENCED_INSTANCE_ID);
    story.join('third', '', { instanceId: 'i1', skipsAssignment: true });
    expect(story.answers.get('third')).toMatchObject({ code: 0, leader: 'm3', skipAssignment: true });
    story.join('fourth', '', { instanceId: 'i1', protocols: [{ name: 'range', metadata: Buffer.from('other') }] });
    expect(story.answers.get('fourth')).toMatchObject({ code: 0, generation: 2 });
    expect(leave(story.group, '', 'i1', story.rules, story.now).code).toBe(ERROR.NONE);
  });

  it('takes commits of members, and of strangers only while it is empty', () => {
    const story = new Story();
    expect(mayCommit(story.group, '', null, -1)).toBe(ERROR.NONE);
    story.join('j1', '');
    expect(mayCommit(story.group, '', null, -1)).toBe(ERROR.UNKNOWN_MEMBER_ID);
    expect(mayCommit(story.group, 'm1', null, 1)).toBe(ERROR.REBALANCE_IN_PROGRESS);
    story.sync('s1', 'm1', {});
    expect(mayCommit(story.group, 'm1', null, 1)).toBe(ERROR.NONE);
    expect(mayCommit(story.group, 'm1', null, 0)).toBe(ERROR.ILLEGAL_GENERATION);
  });

  it('keeps its invariants through any history', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('join' as const), who: fc.nat(4), isStatic: fc.boolean(), change: fc.nat(1) }),
      fc.record({ do: fc.constant('sync' as const), who: fc.nat(4) }),
      fc.record({ do: fc.constant('leave' as const), who: fc.nat(4) }),
      fc.record({ do: fc.constant('expire' as const), who: fc.nat(4) }),
      fc.record({ do: fc.constant('wait' as const), ms: fc.nat(25000) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.constantFrom(0, 3000), (steps, delay) => {
        const story = new Story({ initialRebalanceDelayMs: delay });
        const asked = new Set<string>();
        const ids = ['', '', '', '', ''];
        let n = 0;
        let generation = 0;
        for (const one of steps) {
          if (one.do === 'join') {
            const name = `join-${++n}`;
            asked.add(name);
            const known = story.group.members.has(ids[one.who]!) ? ids[one.who]! : '';
            story.join(name, known, {
              instanceId: one.isStatic && one.who < 2 ? `i${one.who}` : null,
              protocols: [{ name: 'range', metadata: Buffer.from(`${one.change}`) }],
            });
            const last = [...story.group.members.keys()].at(-1);
            if (known === '' && last !== undefined) ids[one.who] = last;
          } else if (one.do === 'sync') {
            const name = `sync-${++n}`;
            asked.add(name);
            const all = Object.fromEntries([...story.group.members.keys()].map((id) => [id, id]));
            story.sync(name, ids[one.who]!, all);
          } else if (one.do === 'leave') {
            story.take(leave(story.group, ids[one.who]!, null, story.rules, story.now).effects);
          } else if (one.do === 'expire') {
            story.take(expire(story.group, ids[one.who]!, story.rules, story.now));
          } else story.wait(one.ms);

          const { group } = story;
          const members = [...group.members.values()];
          expect(group.generation).toBeGreaterThanOrEqual(generation);
          generation = group.generation;
          expect(group.phase === 'empty').toBe(members.length === 0);
          if (group.phase === 'empty' || group.phase === 'stable') expect(group.dueAtMs).toBe(0);
          else expect(group.dueAtMs).toBeGreaterThan(0);
          if (group.phase !== 'preparing') expect(members.every(({ joining }) => joining === null)).toBe(true);
          if (group.phase !== 'completing') expect(members.every(({ syncing }) => syncing === null)).toBe(true);
          for (const [instance, id] of group.instances) expect(group.members.get(id)?.instanceId).toBe(instance);
          // Every request has been answered, or waits with a member that is still there.
          const parked = members.flatMap(({ joining, syncing }) => [joining, syncing]).filter((p) => p !== null);
          const open = [...asked].filter((name) => !story.answers.has(name));
          expect(parked.map((p) => (p as { name: string }).name).sort()).toEqual(open.sort());
        }
      }),
      { numRuns: 500 },
    );
  });
});
