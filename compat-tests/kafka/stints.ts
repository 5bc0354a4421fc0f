// What the members of a group were assigned, given and allowed to commit, and what must be true of it: every acknowledged
// record was given to somebody, a partition is read in order without a gap, nothing comes twice without a reason, no two
// members hold a partition in one generation, and no commit of an older generation is taken once another member has the
// partition. Reasons to be given something again are what at-least-once allows: a member that was killed or paused, or whose
// commit was refused.
//
// A member's journal is lines of `<nanoseconds> <event>`, in the order in which they happened to it:
//   A <generation> <partitions it holds now>      R <generation> <partitions it still holds>
//   D <partition> <offset> <value>                given
//   C <began> <generation> <partition:offset,…>   committed        F <began> <generation> <why>   refused
import { existsSync, readFileSync } from 'node:fs';

interface Event {
  readonly at: bigint;
  readonly member: string;
}

type Assigned = Event & { readonly kind: 'A' | 'R'; readonly generation: number; readonly held: readonly number[] };
type Given = Event & {
  readonly kind: 'D';
  readonly partition: number;
  readonly offset: number;
  readonly value: string;
};
type Commit = Event & {
  readonly kind: 'C';
  readonly began: bigint;
  readonly generation: number;
  readonly offsets: ReadonlyMap<number, number>;
};
type Refused = Event & { readonly kind: 'F' };
export type Happened = Assigned | Given | Commit | Refused;

export interface Expected {
  /** Values whose send was acknowledged, and those whose send was not and which may be there or not. */
  readonly acknowledged: readonly string[];
  readonly unknown: readonly string[];
  /** Members that were killed or paused at some time. */
  readonly faulted: ReadonlySet<string>;
}

export interface Finding {
  readonly kind: 'lost' | 'never-sent' | 'gap' | 'needless-duplicate' | 'held-twice' | 'late-commit';
  readonly detail: string;
}

const numbers = (list: string | undefined): number[] => (list ? list.split(',').map(Number) : []);

/** A member's journal; a last line that was cut by a kill is left out. */
export function readJournal(member: string, file: string): Happened[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [at, kind, ...rest] = line.split(' ');
      const base = { at: BigInt(at!), member };
      switch (kind) {
        case 'A':
        case 'R':
          return { ...base, kind, generation: Number(rest[0]), held: numbers(rest[1]) };
        case 'D':
          return { ...base, kind, partition: Number(rest[0]), offset: Number(rest[1]), value: rest.slice(2).join(' ') };
        case 'C': {
          const offsets = new Map(
            (rest[2] ?? '').split(',').map((one) => one.split(':').map(Number) as [number, number]),
          );
          return { ...base, kind, began: BigInt(rest[0]!), generation: Number(rest[1]), offsets };
        }
        case 'F':
          return { ...base, kind };
        default:
          throw new Error(`the journal of ${member} has a line of no kind: ${line}`);
      }
    });
}

export function checkGroup(happened: readonly Happened[], expected: Expected): Finding[] {
  const inTime = happened.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return [
    ...checkPresence(inTime, expected),
    ...checkOrder(inTime, expected),
    ...checkHolders(inTime),
    ...checkCommits(inTime),
  ];
}

const given = (happened: readonly Happened[]): Given[] => happened.filter((one) => one.kind === 'D');
const assigned = (happened: readonly Happened[]): Assigned[] =>
  happened.filter((one): one is Assigned => one.kind === 'A');

function checkPresence(happened: readonly Happened[], expected: Expected): Finding[] {
  const seen = new Set(given(happened).map((one) => one.value));
  const known = new Set([...expected.acknowledged, ...expected.unknown]);
  return [
    ...expected.acknowledged
      .filter((value) => !seen.has(value))
      .map((value) => ({ kind: 'lost' as const, detail: `${value} was acknowledged and given to nobody` })),
    ...[...seen]
      .filter((value) => !known.has(value))
      .map((value) => ({ kind: 'never-sent' as const, detail: `${value} was given and never sent` })),
  ];
}

/** In a stint, from the assignment of a partition until it is taken away, a member is given one offset after another. */
function checkOrder(happened: readonly Happened[], expected: Expected): Finding[] {
  const findings: Finding[] = [];
  const held = new Map<string, Set<number>>();
  const last = new Map<string, number>();
  const highest = new Map<number, number>();
  const giver = new Map<string, string>();
  const refused = new Set<string>();
  for (const one of happened) {
    if (one.kind === 'F') refused.add(one.member);
    if (one.kind === 'A' || one.kind === 'R') {
      const before = held.get(one.member) ?? new Set<number>();
      for (const partition of before) if (!one.held.includes(partition)) last.delete(`${one.member} ${partition}`);
      held.set(one.member, new Set(one.held));
    }
    if (one.kind !== 'D') continue;
    const stint = `${one.member} ${one.partition}`;
    const told = `partition ${one.partition}: ${one.member} was given ${one.offset}`;
    const before = last.get(stint);
    const top = highest.get(one.partition) ?? -1;
    if (before !== undefined && one.offset !== before + 1)
      findings.push({ kind: 'gap', detail: `${told} after ${before}` });
    if (before === undefined && one.offset > top + 1)
      findings.push({ kind: 'gap', detail: `${told} first, when ${top} was the highest of all` });
    const earlier = giver.get(`${one.partition} ${one.offset}`);
    // One that was paused goes on with what it had fetched before; that others have it by now it hears with its commit.
    const goesOn = expected.faulted.has(one.member) && before !== undefined;
    if (earlier !== undefined && !goesOn && !expected.faulted.has(earlier) && !refused.has(earlier))
      findings.push({ kind: 'needless-duplicate', detail: `${told}, which ${earlier} had been given` });
    giver.set(`${one.partition} ${one.offset}`, one.member);
    last.set(stint, one.offset);
    highest.set(one.partition, Math.max(top, one.offset));
  }
  return findings;
}

function checkHolders(happened: readonly Happened[]): Finding[] {
  const findings: Finding[] = [];
  const holders = new Map<string, string>();
  for (const { generation, held, member } of assigned(happened)) {
    for (const partition of held) {
      const key = `generation ${generation}, partition ${partition}`;
      const other = holders.get(key);
      if (other !== undefined && other !== member)
        findings.push({ kind: 'held-twice', detail: `${key}: ${other} and ${member}` });
      holders.set(key, member);
    }
  }
  return findings;
}

function checkCommits(happened: readonly Happened[]): Finding[] {
  const findings: Finding[] = [];
  for (const commit of happened) {
    if (commit.kind !== 'C') continue;
    const later = assigned(happened).find(
      (one) =>
        one.member !== commit.member &&
        one.generation > commit.generation &&
        one.at < commit.began &&
        one.held.some((partition) => commit.offsets.has(partition)),
    );
    if (later)
      findings.push({
        kind: 'late-commit',
        detail: `${commit.member} committed in generation ${commit.generation} what ${later.member} held in ${later.generation}`,
      });
  }
  return findings;
}
