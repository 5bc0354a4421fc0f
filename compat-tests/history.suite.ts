// The checker judged by histories with one fault each: what it cannot see, no fault suite can find.
import assert from 'node:assert/strict';
import { test } from './harness/test.ts';
import { type Finding, History, type Outcome, type Read, type Send } from './history.ts';

const SENDER = 'a';

function sends(count: number, change: (i: number) => Partial<Send> = () => ({})): Send[] {
  return Array.from({ length: count }, (_, i) => ({
    value: `v${i}`,
    sender: SENDER,
    outcome: 'acknowledged' as Outcome,
    queue: 0,
    offset: i,
    isIdempotent: true,
    ...change(i),
  }));
}

const reads = (...values: number[]): Read[] =>
  values.map((value, offset) => ({ value: `v${value}`, queue: 0, offset }));

function kinds(sent: Send[], read: Read[]): Finding['kind'][] {
  const history = new History();
  history.sent(...sent);
  return history.check(read).map((finding) => finding.kind);
}

test('a faultless history has no findings', () => {
  assert.deepEqual(kinds(sends(5), reads(0, 1, 2, 3, 4)), []);
});

test('an acknowledged value that nobody can read is a lost write', () => {
  assert.deepEqual(kinds(sends(3), reads(0, 1)), ['lost-write']);
});

test('a lost value in the middle is found though later ones are there', () => {
  assert.ok(
    kinds(
      sends(3, () => ({ queue: undefined, offset: undefined })),
      reads(0, 2),
    ).includes('lost-write'),
  );
});

test('an unknown value may be there or not', () => {
  const unknown = (i: number): Partial<Send> =>
    i === 1 ? { outcome: 'unknown', queue: undefined, offset: undefined } : { offset: undefined };
  assert.deepEqual(kinds(sends(3, unknown), reads(0, 1, 2)), []);
  assert.deepEqual(kinds(sends(3, unknown), reads(0, 2)), []);
});

test('a refused value must not be there', () => {
  assert.deepEqual(
    kinds(
      sends(2, (i) => (i === 1 ? { outcome: 'refused' } : {})),
      reads(0, 1),
    ),
    ['refused-but-stored'],
  );
});

test('a value stored twice by an idempotent sender is a duplicate, by another it is not', () => {
  const twice = [...reads(0, 1), { value: 'v0', queue: 0, offset: 2 }];
  assert.deepEqual(kinds(sends(2), twice), ['duplicate']);
  assert.deepEqual(
    kinds(
      sends(2, () => ({ isIdempotent: false })),
      twice,
    ),
    [],
  );
});

test('a duplicate in another queue is found', () => {
  assert.deepEqual(kinds(sends(1), [...reads(0), { value: 'v0', queue: 1, offset: 0 }]), ['duplicate']);
});

test('values of one sender in one queue in the wrong order are found', () => {
  const anywhere = (): Partial<Send> => ({ queue: undefined, offset: undefined });
  assert.deepEqual(kinds(sends(3, anywhere), reads(0, 2, 1)), ['nonmonotonic-send']);
});

test('two senders have no order between them', () => {
  const sent = sends(4, (i) => ({ sender: i % 2 ? 'a' : 'b', queue: undefined, offset: undefined }));
  assert.deepEqual(kinds(sent, reads(1, 3, 0, 2)), []);
});

test('a value that nobody sent is found', () => {
  assert.deepEqual(kinds(sends(1), reads(0, 7)), ['unexpected-value']);
});

test('a value at another offset than acknowledged is found', () => {
  assert.deepEqual(kinds(sends(1), [{ value: 'v0', queue: 0, offset: 5 }]), ['inconsistent-offset']);
});

test('one offset that shows two values is found', () => {
  const read = [
    { value: 'v0', queue: 0, offset: 0 },
    { value: 'v1', queue: 0, offset: 0 },
  ];
  const found = kinds(
    sends(2, () => ({ queue: undefined, offset: undefined })),
    read,
  );
  assert.ok(found.includes('inconsistent-offset') && found.includes('nonmonotonic-read'), found.join());
});

test('a load that sends a value twice is told apart from a broker that stores it twice', () => {
  assert.ok(kinds([...sends(1), ...sends(1)], reads(0)).includes('sent-twice'));
});
