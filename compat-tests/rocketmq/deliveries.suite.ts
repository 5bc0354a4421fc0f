// The checker of deliveries is judged itself: each rule catches what it is for, and lets through what at-least-once allows.
import assert from 'node:assert/strict';
import { test } from '../harness/test.ts';
import { checkDeliveries, type Delivery, type Expectation } from './deliveries.ts';

let now = 0n;
/** `A3` is: member A was given offset 3 of queue 0. */
const given = (...steps: string[]): Delivery[] =>
  steps.map((step) => {
    const [, member, offset, attempts] = /^(\w)(\d+)(?:\+(\d+))?$/.exec(step)!;
    return {
      value: `m-${offset}`,
      member: member!,
      queue: 0,
      offset: Number(offset),
      attempts: Number(attempts ?? 0),
      at: now++,
    };
  });

const expecting = (count: number, fields: Partial<Expectation> = {}): Expectation => ({
  acknowledged: Array.from({ length: count }, (_, i) => `m-${i}`),
  unknown: [],
  failures: () => 0,
  isOrderly: true,
  killed: new Set(),
  ...fields,
});
const kinds = (deliveries: Delivery[], expected: Expectation): string[] =>
  checkDeliveries(deliveries, expected).map((one) => one.kind);

test('in order: a clean run, a handover, a retry in place and a killed member have no findings', () => {
  assert.deepEqual(kinds(given('A0', 'A1', 'A2'), expecting(3)), []);
  assert.deepEqual(kinds(given('A0', 'A1', 'B2', 'A3'), expecting(4)), []);
  assert.deepEqual(kinds(given('A0', 'A1', 'A1', 'A2'), expecting(3, { failures: (value) => +(value === 'm-1') })), []);
  assert.deepEqual(kinds(given('A0', 'A1', 'A2', 'B1', 'B2', 'B3'), expecting(4, { killed: new Set(['A']) })), []);
});

test('in order: loss, a gap, going back without a reason and a needless duplicate are found', () => {
  assert.deepEqual(kinds(given('A0', 'A1'), expecting(3)), ['lost']);
  assert.deepEqual(kinds(given('A0', 'A2', 'A1'), expecting(3)), ['skipped', 'went-back']);
  assert.deepEqual(kinds(given('A1', 'A2'), expecting(3)), ['lost', 'skipped']);
  assert.deepEqual(kinds(given('A0', 'A1', 'A2', 'B0', 'B1', 'B2'), expecting(3)), ['went-back']);
  assert.deepEqual(kinds(given('A0', 'A1', 'A1', 'A2'), expecting(3)), ['needless-duplicate']);
  // Two members at once: each goes back behind the other.
  assert.deepEqual(kinds(given('A0', 'A1', 'A2', 'B1', 'A3', 'B2'), expecting(4)), [
    'went-back',
    'skipped',
    'went-back',
  ]);
});

test('side by side: retries and handovers are allowed, the same member twice is not, nor a failure without a retry', () => {
  const loose = { isOrderly: false };
  assert.deepEqual(kinds(given('A1', 'A0', 'B1', 'B2'), expecting(3, loose)), []);
  assert.deepEqual(kinds(given('A0', 'A0+1'), expecting(1, { ...loose, failures: () => 1 })), []);
  assert.deepEqual(kinds(given('A0', 'A0'), expecting(1, loose)), ['needless-duplicate']);
  assert.deepEqual(kinds(given('A0'), expecting(1, { ...loose, failures: () => 1 })), ['not-retried']);
  assert.deepEqual(kinds(given('A0', 'A1', 'A9'), expecting(2, loose)), ['never-sent']);
  assert.deepEqual(kinds(given('A0', 'A1'), expecting(1, { ...loose, unknown: ['m-1'] })), []);
});
