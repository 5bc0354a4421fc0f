// What a group's members were given, and what must be true of it: every acknowledged message was delivered to the group,
// what failed was delivered again, a queue consumed in order never went back without a reason, and nobody was given a
// message twice without a reason. Reasons are what at-least-once allows: a member that was killed or paused, or a queue
// that changed hands. Kept apart from history.ts, which judges what is stored.

export interface Delivery {
  readonly value: string;
  readonly member: string;
  readonly queue: number;
  readonly offset: number;
  readonly attempts: number;
  /** Nanoseconds of the machine's monotonic clock, the same for all processes. */
  readonly at: bigint;
}

export interface Expectation {
  /** Values whose send was acknowledged. */
  readonly acknowledged: readonly string[];
  /** Values whose send was not acknowledged, and which may be there or not. */
  readonly unknown: readonly string[];
  /** How often the first deliveries of a value fail; most do not. */
  readonly failures: (value: string) => number;
  readonly isOrderly: boolean;
  /** Members that were killed at some time, as their names: what they had not committed may come again. */
  readonly killed: ReadonlySet<string>;
}

export interface Finding {
  readonly kind: 'lost' | 'never-sent' | 'not-retried' | 'went-back' | 'skipped' | 'needless-duplicate';
  readonly detail: string;
}

export function checkDeliveries(deliveries: readonly Delivery[], expected: Expectation): Finding[] {
  const inTime = deliveries.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return [
    ...checkPresence(inTime, expected),
    ...(expected.isOrderly ? checkOrder(inTime, expected) : checkDuplicates(inTime, expected)),
  ];
}

function checkPresence(deliveries: readonly Delivery[], expected: Expectation): Finding[] {
  const times = new Map<string, { count: number; attempts: number }>();
  for (const { value, attempts } of deliveries) {
    const seen = times.get(value) ?? { count: 0, attempts: 0 };
    times.set(value, { count: seen.count + 1, attempts: Math.max(seen.attempts, attempts) });
  }
  const findings: Finding[] = [];
  for (const value of expected.acknowledged) {
    const seen = times.get(value);
    if (!seen) findings.push({ kind: 'lost', detail: `${value} was acknowledged and never delivered` });
    else if (seen.count <= expected.failures(value))
      findings.push({ kind: 'not-retried', detail: `${value} failed and was delivered ${seen.count} times` });
  }
  const known = new Set([...expected.acknowledged, ...expected.unknown]);
  for (const value of times.keys())
    if (!known.has(value)) findings.push({ kind: 'never-sent', detail: `${value} was delivered and never sent` });
  return findings;
}

/**
 * In order: in each queue offsets rise one by one. The same offset comes again when its delivery failed; an earlier one
 * only when the member before was killed; and a higher one never before those between.
 */
function checkOrder(deliveries: readonly Delivery[], expected: Expectation): Finding[] {
  const findings: Finding[] = [];
  const lasts = new Map<number, { last: Delivery; highest: number }>();
  for (const one of deliveries) {
    const before = lasts.get(one.queue);
    const told = `queue ${one.queue}: ${one.member} was given ${one.offset}`;
    if (!before) {
      if (one.offset !== 0) findings.push({ kind: 'skipped', detail: `${told} first` });
    } else {
      const { last, highest } = before;
      const isSameOrNext = one.offset === last.offset || one.offset === last.offset + 1;
      const hasReason = one.member !== last.member && expected.killed.has(last.member);
      if (one.offset > highest + 1)
        findings.push({ kind: 'skipped', detail: `${told} when ${highest} was the highest` });
      else if (one.offset > last.offset + 1)
        findings.push({ kind: 'skipped', detail: `${told} after ${last.offset} again` });
      else if (one.offset === last.offset && one.member === last.member && expected.failures(one.value) === 0)
        findings.push({ kind: 'needless-duplicate', detail: `${told} twice` });
      else if (!isSameOrNext && !hasReason)
        findings.push({ kind: 'went-back', detail: `${told} after ${last.member} had ${last.offset}` });
    }
    lasts.set(one.queue, { last: one, highest: Math.max(one.offset, before?.highest ?? -1) });
  }
  return findings;
}

/**
 * Side by side: a member is given a value again only as a retry, or after another member had it, or after its own
 * failure. A retry is told by its count of attempts.
 */
function checkDuplicates(deliveries: readonly Delivery[], expected: Expectation): Finding[] {
  const findings: Finding[] = [];
  const lasts = new Map<string, Delivery>();
  for (const one of deliveries) {
    const last = lasts.get(one.value);
    if (last && last.member === one.member && last.attempts === one.attempts && expected.failures(one.value) === 0)
      findings.push({ kind: 'needless-duplicate', detail: `${one.member} was given ${one.value} twice` });
    lasts.set(one.value, one);
  }
  return findings;
}
