// The checker of groups is judged itself: each fault that it is there for is found, and a clean history has none.
import assert from 'node:assert/strict';
import { test } from '../harness/test.ts';
import { checkGroup, type Expected, type Happened } from './stints.ts';

let clock = 0n;
const at = (member: string): { at: bigint; member: string } => ({ at: ++clock, member });
const assign = (member: string, generation: number, ...held: number[]): Happened => ({
  ...at(member),
  kind: 'A',
  generation,
  held,
});
const give = (member: string, partition: number, ...offsets: number[]): Happened[] =>
  offsets.map((offset) => ({ ...at(member), kind: 'D', partition, offset, value: `${partition}-${offset}` }));
const commit = (member: string, generation: number, partition: number, offset: number): Happened => {
  const base = at(member);
  return { ...base, kind: 'C', began: base.at, generation, offsets: new Map([[partition, offset]]) };
};
const expected = (values: readonly string[], faulted: string[] = []): Expected => ({
  acknowledged: values,
  unknown: ['0-9'],
  faulted: new Set(faulted),
});
const kinds = (happened: readonly Happened[], wanted: Expected): string[] =>
  checkGroup(happened, wanted).map((one) => one.kind);
const upTo = (count: number): string[] => Array.from({ length: count }, (_, i) => `0-${i}`);

test('a clean history, with a member that was killed and what it had not committed given again', () => {
  const happened = [
    assign('a', 1, 0, 1),
    ...give('a', 0, 0, 1, 2),
    commit('a', 1, 0, 2),
    assign('b', 2, 0),
    ...give('b', 0, 2, 3),
    commit('b', 2, 0, 4),
  ];
  assert.deepEqual(kinds(happened, expected(upTo(4), ['a'])), []);
});

test('what was acknowledged and given to nobody is lost; what nobody sent is told', () => {
  assert.deepEqual(kinds([assign('a', 1, 0), ...give('a', 0, 0)], expected(upTo(2))), ['lost']);
  assert.deepEqual(kinds([assign('a', 1, 0), ...give('a', 0, 0, 1)], expected(upTo(1))), ['never-sent']);
});

test('a gap within a stint and one between two members', () => {
  assert.deepEqual(kinds([assign('a', 1, 0), ...give('a', 0, 0, 2)], expected(['0-0', '0-2'])), ['gap']);
  const between = [assign('a', 1, 0), ...give('a', 0, 0), assign('b', 2, 0), ...give('b', 0, 2)];
  assert.deepEqual(kinds(between, expected(['0-0', '0-2'], ['a'])), ['gap']);
});

test('a duplicate without a reason, and the reasons', () => {
  const happened = [assign('a', 1, 0), ...give('a', 0, 0, 1), assign('b', 2, 0), ...give('b', 0, 1)];
  assert.deepEqual(kinds(happened, expected(upTo(2))), ['needless-duplicate']);
  assert.deepEqual(kinds(happened, expected(upTo(2), ['a'])), []);
  const refused: Happened = { at: happened[2]!.at, member: 'a', kind: 'F' };
  assert.deepEqual(kinds([...happened.slice(0, 3), refused, ...happened.slice(3)], expected(upTo(2))), []);
});

test('what a paused member had fetched is given by it late, in the stint that it was in', () => {
  const late = [assign('a', 1, 0), ...give('a', 0, 0), assign('b', 2, 0), ...give('b', 0, 1), ...give('a', 0, 1)];
  assert.deepEqual(kinds(late, expected(upTo(2), ['a'])), []);
  assert.deepEqual(kinds(late, expected(upTo(2))), ['needless-duplicate']);
});

test('a partition held twice in a generation, and a commit of an older one', () => {
  assert.deepEqual(kinds([assign('a', 3, 0), assign('b', 3, 0)], expected([])), ['held-twice']);
  assert.deepEqual(kinds([assign('a', 3, 0), assign('b', 4, 0), commit('a', 3, 0, 7)], expected([])), ['late-commit']);
  assert.deepEqual(kinds([assign('a', 3, 0), assign('b', 4, 1), commit('a', 3, 0, 7)], expected([])), []);
});
