// The checker of a work queue's history catches what it is there for.
import assert from 'node:assert/strict';
import { test } from '../harness/test.ts';
import { Settled } from './settled.ts';

/** A history on a clock of its own, with one confirmed message. */
function history(): { settled: Settled; at: (ms: number) => void } {
  let now = 0;
  const settled = new Settled(() => now);
  settled.published('a');
  settled.confirmed('a');
  return { settled, at: (ms) => void (now = ms) };
}

const kinds = (settled: Settled): string[] => settled.findings().map((one) => one.kind);

test('a confirmed message that is never delivered is lost; an unconfirmed one is not', () => {
  const { settled } = history();
  settled.published('b');
  assert.deepEqual(settled.findings(), [{ kind: 'lost', value: 'a' }]);
});

test('a value that nobody published is found', () => {
  const { settled } = history();
  settled.delivered('a', false);
  settled.delivered('other', false);
  assert.deepEqual(kinds(settled), ['never-published']);
});

test('what was acknowledged must not come again, unless it was just before a kill', () => {
  const { settled, at } = history();
  settled.delivered('a', false);
  settled.acked('a');
  at(500);
  settled.killed();
  settled.delivered('a', true);
  assert.deepEqual(kinds(settled), []);
  const other = history();
  other.settled.delivered('a', false);
  other.settled.acked('a');
  other.at(2_000);
  other.settled.killed();
  other.settled.delivered('a', true);
  assert.deepEqual(kinds(other.settled), ['came-again']);
  const third = history();
  third.settled.delivered('a', false);
  third.settled.acked('a');
  third.settled.delivered('a', true);
  assert.deepEqual(kinds(third.settled), ['came-again']);
});

test('what comes again is marked, and what comes first is not, when no consumer ended', () => {
  const { settled } = history();
  settled.delivered('a', true);
  assert.deepEqual(kinds(settled), ['wrongly-marked']);
  const again = history();
  again.settled.delivered('a', false);
  again.settled.delivered('a', false);
  assert.deepEqual(kinds(again.settled), ['not-marked']);
  const killed = history();
  killed.settled.killed();
  killed.settled.delivered('a', true);
  assert.deepEqual(kinds(killed.settled), []);
  const late = history();
  late.settled.delivered('a', false);
  late.at(5_000);
  late.settled.killed();
  late.settled.delivered('a', false);
  assert.deepEqual(kinds(late.settled), []);
  assert.equal(late.settled.count().unmarked, 1);
  const left = history();
  left.settled.left();
  left.settled.delivered('a', true);
  assert.deepEqual(kinds(left.settled), []);
});
