/**
 * The ledger against a naive model (one Map row per offset), its fold, its snapshot, and its memory. fast-check prints
 * the seed of a failure.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../log/bytes.ts';
import type { Offset } from '../types.ts';
import { Ledger } from './ledger.ts';

const NEVER = Number.POSITIVE_INFINITY;

interface Row {
  state: 'leased' | 'returned' | 'settled';
  holder: number;
  deliveries: number;
  /** Deadline or not-before, 0 none. */
  timeMs: number;
}

class Model {
  readonly rows = new Map<Offset, Row>();
  readonly start: Offset;
  mark = 0;

  constructor(start: Offset) {
    this.start = start;
  }

  settled(offset: Offset): boolean {
    return offset < this.start || this.rows.get(offset)?.state === 'settled';
  }

  get floor(): Offset {
    let floor = this.start;
    while (this.settled(floor)) floor++;
    return floor;
  }

  count(state: Row['state']): number {
    return [...this.rows.values()].filter((row) => row.state === state).length;
  }

  held(which: (row: Row) => boolean): Offset[] {
    return [...this.rows]
      .filter(([, row]) => row.state !== 'settled' && which(row))
      .map(([offset]) => offset)
      .sort((a, b) => a - b);
  }

  unsettled(from: Offset, to: Offset): Offset[] {
    const offsets: Offset[] = [];
    for (let offset = Math.max(from, this.start); offset < to; offset++)
      if (!this.settled(offset)) offsets.push(offset);
    return offsets;
  }

  acquire(end: Offset, holder: number, deadlineMs: number, nowMs: number): Offset {
    this.promote(nowMs);
    for (let offset = this.start; offset < end; offset++) {
      const row = this.rows.get(offset);
      if (row !== undefined && !(row.state === 'returned' && row.timeMs === 0)) continue;
      this.rows.set(offset, { state: 'leased', holder, deliveries: row?.deliveries ?? 0, timeMs: deadlineMs });
      return offset;
    }
    return -1;
  }

  requeue(offset: Offset, counts: boolean, notBeforeMs: number): boolean {
    const row = this.rows.get(offset);
    if (row?.state !== 'leased') return false;
    const deliveries = row.deliveries + (counts ? 1 : 0);
    this.rows.set(offset, { state: 'returned', holder: -1, deliveries, timeMs: notBeforeMs });
    return true;
  }

  settle(from: Offset, count: number): void {
    for (let offset = Math.max(from, this.start); offset < from + count; offset++)
      this.rows.set(offset, { state: 'settled', holder: -1, deliveries: 0, timeMs: 0 });
  }

  /** Returned ones whose time has come wait for nothing any more. */
  promote(nowMs: number): void {
    for (const row of this.rows.values()) if (row.state === 'returned' && row.timeMs <= nowMs) row.timeMs = 0;
  }

  get dueMs(): number {
    return Math.min(NEVER, ...[...this.rows.values()].map((row) => row.timeMs).filter((timeMs) => timeMs > 0));
  }

  /** What a restart leaves: leases without deadline are gone; their count stays. */
  restart(): void {
    for (const [offset, row] of this.rows) {
      if (row.state !== 'leased') continue;
      if (row.timeMs > 0) row.holder = -1;
      else if (row.deliveries > 0) row.state = 'returned';
      else this.rows.delete(offset);
    }
  }
}

type Step =
  | { op: 'acquire'; holder: number; leaseMs: number; behind: number }
  | { op: 'settle' | 'requeue'; which: number; counts: boolean; delayMs: number }
  | { op: 'release'; holder: number }
  | { op: 'skip' | 'applySettled'; at: number; count: number }
  | { op: 'applyReturned' | 'applyLeased'; at: number; deliveries: number; timeMs: number }
  | { op: 'applyFloor' | 'applyDelivered'; at: number }
  | { op: 'pass'; ms: number }
  | { op: 'snapshot' };

const SPAN = 700;
const at = fc.nat(SPAN);
const count = fc.oneof({ weight: 8, arbitrary: fc.nat(40) }, { weight: 1, arbitrary: fc.nat(9000) });
const acquireStep = fc.record({
  op: fc.constant('acquire' as const),
  holder: fc.nat(4),
  leaseMs: fc.oneof(fc.constant(0), fc.nat(300)),
  behind: fc.oneof(fc.constant(0), fc.nat(SPAN)),
});
const liveStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: acquireStep },
  {
    weight: 10,
    arbitrary: fc.record({
      op: fc.constantFrom('settle' as const, 'requeue' as const),
      which: fc.nat(),
      counts: fc.boolean(),
      delayMs: fc.oneof(fc.constant(0), fc.nat(300)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('release' as const), holder: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('skip' as const), at, count }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('pass' as const), ms: fc.nat(120) }) },
);
const foldStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant('applySettled' as const), at, count }) },
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constantFrom('applyReturned' as const, 'applyLeased' as const),
      at,
      deliveries: fc.nat(3),
      timeMs: fc.integer({ min: 1, max: 5 }).map((n) => n * 400),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constantFrom('applyFloor' as const, 'applyDelivered' as const), at }) },
);
const anyStep = fc.oneof(
  { weight: 10, arbitrary: liveStep },
  { weight: 3, arbitrary: foldStep },
  { weight: 1, arbitrary: fc.constant<Step>({ op: 'snapshot' }) },
);
/** Around the edges of pages of 256 and 4,096, and above 2^32. */
const start = fc.constantFrom(0, 3, 200, 3900, 4095, 2 ** 33 + 4000);

function written(ledger: Ledger): Buffer {
  const writer = new ByteWriter(64);
  ledger.write(writer);
  return Buffer.from(writer.done());
}

function readBack(bytes: Buffer): Ledger {
  const reader = new ByteReader(bytes);
  const ledger = Ledger.read(reader);
  expect(reader.more).toBe(false);
  return ledger;
}

/** Applies one folded step to a ledger, and to the model when there is one. */
function fold(step: Step, from: Offset, ledger: Ledger, model: Model | null): boolean {
  switch (step.op) {
    case 'applySettled':
      ledger.applySettled(from + step.at, step.count);
      model?.settle(from + step.at, step.count);
      return true;
    case 'applyReturned':
    case 'applyLeased': {
      const offset = from + step.at;
      ledger[step.op](offset, step.deliveries, step.timeMs);
      if (model === null || model.settled(offset)) return true;
      const leased = step.op === 'applyLeased';
      const before = model.rows.get(offset);
      const holder = leased && before?.state === 'leased' ? before.holder : -1;
      model.rows.set(offset, {
        state: leased ? 'leased' : 'returned',
        holder,
        deliveries: step.deliveries,
        timeMs: step.timeMs,
      });
      return true;
    }
    case 'applyFloor':
      ledger.applyFloor(from + step.at);
      model?.settle(model.floor, from + step.at - model.floor);
      return true;
    case 'applyDelivered':
      ledger.applyDelivered(from + step.at);
      if (model !== null) model.mark = Math.max(model.mark, from + step.at);
      return true;
    default:
      return false;
  }
}

function compare(ledger: Ledger, model: Model, end: Offset): void {
  const floor = model.floor;
  expect(ledger.floor).toBe(floor);
  expect(ledger.inFlight).toBe(model.count('leased'));
  expect(ledger.returnedCount).toBe(model.count('returned'));
  expect(ledger.nextDueMs()).toBe(model.dueMs);
  const unsettled = model.unsettled(floor, end);
  expect(ledger.unsettledIn(floor, end)).toBe(unsettled.length);
}

function compareAll(ledger: Ledger, model: Model, end: Offset): void {
  for (let offset = Math.max(0, model.start - 2); offset < end; offset++) {
    const row = model.rows.get(offset);
    const seen = [ledger.isLeased(offset), ledger.holderOf(offset), ledger.deliveries(offset)];
    const leased = row?.state === 'leased';
    expect([offset, ...seen]).toEqual([offset, leased, leased ? row.holder : -1, row?.deliveries ?? 0]);
    const redelivered = !model.settled(offset) && ((row?.deliveries ?? 0) > 0 || offset < model.mark);
    expect([offset, ledger.redelivered(offset)]).toEqual([offset, redelivered]);
  }
  for (const [from, to] of [
    [model.start, end],
    [model.start + 100, model.start + 5000],
    [0, model.floor + 300],
    [model.floor + 7, model.floor + 4103],
  ] as const) {
    const found: Offset[] = [];
    ledger.eachUnsettled(from, to, (offset) => found.push(offset));
    const unsettled = model.unsettled(from, to);
    expect(found).toEqual(unsettled);
    expect(ledger.unsettledIn(from, to)).toBe(unsettled.length);
  }
}

describe('ledger against a naive model', () => {
  it('agrees after every step', () => {
    fc.assert(
      fc.property(start, fc.array(anyStep, { maxLength: 120 }), (from, steps) => {
        let ledger = new Ledger(from);
        const model = new Model(from);
        const end = from + SPAN;
        let nowMs = 1000;
        for (const step of steps) {
          if (!fold(step, from, ledger, model)) {
            switch (step.op) {
              case 'acquire': {
                const deadlineMs = step.leaseMs === 0 ? 0 : nowMs + step.leaseMs;
                const to = Math.max(from, end - step.behind);
                const offset = ledger.acquire(to, step.holder, deadlineMs, nowMs);
                expect(offset).toBe(model.acquire(to, step.holder, deadlineMs, nowMs));
                break;
              }
              case 'settle':
              case 'requeue': {
                // Mostly a leased one, sometimes any.
                const leased = model.held((row) => row.state === 'leased');
                const offset =
                  step.which % 8 === 0 || leased.length === 0
                    ? from + (step.which % SPAN)
                    : leased[step.which % leased.length]!;
                const isLeased = model.rows.get(offset)?.state === 'leased';
                if (step.op === 'settle') {
                  expect(ledger.settle(offset)).toBe(isLeased);
                  if (isLeased) model.settle(offset, 1);
                } else {
                  const notBeforeMs = step.delayMs === 0 ? 0 : nowMs + step.delayMs;
                  expect(ledger.requeue(offset, step.counts, notBeforeMs)).toBe(
                    model.requeue(offset, step.counts, notBeforeMs),
                  );
                }
                break;
              }
              case 'release': {
                const told: Offset[] = [];
                ledger.release(step.holder, (offset) => told.push(offset));
                const expected = model.held((row) => row.state === 'leased' && row.holder === step.holder);
                for (const offset of expected) model.requeue(offset, true, 0);
                expect(told).toEqual(expected);
                break;
              }
              case 'skip':
                ledger.skip(from + step.at, step.count);
                model.settle(from + step.at, step.count);
                break;
              case 'pass': {
                nowMs += step.ms;
                const told: Offset[] = [];
                ledger.expire(nowMs, (offset) => told.push(offset));
                const expected = model.held((row) => row.state === 'leased' && row.timeMs > 0 && row.timeMs <= nowMs);
                for (const offset of expected) model.requeue(offset, true, 0);
                expect(told.sort((a, b) => a - b)).toEqual(expected);
                model.promote(nowMs);
                break;
              }
              case 'snapshot': {
                const mark = Math.max(ledger.deliveredMark, ledger.next);
                ledger = readBack(written(ledger));
                model.restart();
                model.mark = mark;
                break;
              }
            }
          }
          compare(ledger, model, end);
        }
        expect(ledger.readyCount(end + 9000)).toBe(model.unsettled(from, end + 9000).length - model.count('leased'));
        compareAll(ledger, model, end);
      }),
      { numRuns: 400 },
    );
  });

  it('is folded to the same state when entries are applied again over what they led to', () => {
    fc.assert(
      fc.property(start, fc.array(foldStep, { maxLength: 60 }), fc.nat(), (from, steps, n) => {
        const once = new Ledger(from);
        const twice = new Ledger(from);
        for (const step of steps) {
          fold(step, from, once, null);
          fold(step, from, twice, null);
        }
        for (const step of steps.slice(n % (steps.length + 1))) fold(step, from, twice, null);
        expect(written(twice)).toEqual(written(once));
      }),
      { numRuns: 300 },
    );
  });

  it('is found again from the log of what happened and from its snapshot alike', () => {
    fc.assert(
      fc.property(start, fc.array(liveStep, { maxLength: 120 }), (from, steps) => {
        const live = new Ledger(from);
        const folded = new Ledger(from);
        const end = from + SPAN;
        let nowMs = 1000;
        const returned = (offset: Offset, notBeforeMs: number): void =>
          folded.applyReturned(offset, live.deliveries(offset), notBeforeMs);
        for (const step of steps) {
          if (step.op === 'acquire') {
            const deadlineMs = step.leaseMs === 0 ? 0 : nowMs + step.leaseMs;
            const offset = live.acquire(end, step.holder, deadlineMs, nowMs);
            if (offset < 0) continue;
            if (deadlineMs === 0) folded.applyDelivered(offset + 1);
            else folded.applyLeased(offset, live.deliveries(offset), deadlineMs);
          } else if (step.op === 'settle') {
            const offset = live.floor + (step.which % 20);
            if (live.settle(offset)) folded.applySettled(offset, 1);
          } else if (step.op === 'requeue') {
            const offset = live.floor + (step.which % 20);
            const notBeforeMs = step.delayMs === 0 ? 0 : nowMs + step.delayMs;
            if (live.requeue(offset, true, notBeforeMs)) returned(offset, notBeforeMs);
          } else if (step.op === 'release') live.release(step.holder, (offset) => returned(offset, 0));
          else if (step.op === 'skip') {
            live.skip(from + step.at, step.count);
            folded.applySettled(from + step.at, step.count);
          } else if (step.op === 'pass') live.expire((nowMs += step.ms), (offset) => returned(offset, 0));
        }
        const read = readBack(written(live));
        expect(folded.floor).toBe(live.floor);
        // Every lease and every delay is over by then: what is left comes out the same way.
        for (const ledger of [read, folded]) ledger.expire(nowMs + 10_000, () => {});
        for (;;) {
          const offset = read.acquire(end, 1, 0, nowMs + 10_000);
          expect(folded.acquire(end, 1, 0, nowMs + 10_000)).toBe(offset);
          if (offset < 0) break;
          expect(folded.deliveries(offset)).toBe(read.deliveries(offset));
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('ledger', () => {
  it('delivers in order, settles out of order, and moves the floor when the hole closes', () => {
    const ledger = new Ledger(10);
    expect([1, 2, 3, 4].map(() => ledger.acquire(13, 7, 0, 0))).toEqual([10, 11, 12, -1]);
    expect(ledger.settle(12)).toBe(true);
    expect(ledger.settle(11)).toBe(true);
    expect(ledger.settle(11)).toBe(false);
    expect([ledger.floor, ledger.inFlight, ledger.readyCount(15)]).toEqual([10, 1, 2]);
    expect(ledger.settle(10)).toBe(true);
    expect([ledger.floor, ledger.inFlight, ledger.next]).toEqual([13, 0, 13]);
  });

  it('says redelivered of what came back, and after a restart only of what may have been delivered', () => {
    const ledger = new Ledger(0);
    for (let n = 0; n < 4; n++) ledger.acquire(10, 1, 0, 0);
    expect(ledger.redelivered(0)).toBe(false);
    ledger.requeue(0, false, 0);
    ledger.requeue(1, true, 0);
    expect([ledger.redelivered(0), ledger.redelivered(1)]).toEqual([false, true]);
    const after = readBack(written(ledger));
    expect(after.inFlight).toBe(0);
    expect([0, 1, 2, 3, 4].map((offset) => after.redelivered(offset))).toEqual([true, true, true, true, false]);
    expect([after.deliveries(0), after.deliveries(1)]).toEqual([0, 1]);
    expect(after.acquire(10, 1, 0, 0)).toBe(0);
  });

  it('keeps a lease with a deadline over a restart, and lets its old holder settle it', () => {
    const ledger = new Ledger(0);
    ledger.acquire(10, 1, 500, 100);
    ledger.acquire(10, 1, 900, 100);
    const after = readBack(written(ledger));
    expect([after.isLeased(0), after.holderOf(0), after.inFlight, after.nextDueMs()]).toEqual([true, -1, 2, 500]);
    expect(after.acquire(10, 2, 0, 100)).toBe(2);
    expect(after.settle(1)).toBe(true);
    const told: Offset[] = [];
    after.expire(499, (offset) => told.push(offset));
    expect(told).toEqual([]);
    after.expire(500, (offset) => told.push(offset));
    expect(told).toEqual([0]);
    expect([after.deliveries(0), after.settle(0), after.nextDueMs()]).toEqual([1, false, NEVER]);
    expect(after.acquire(10, 2, 0, 500)).toBe(0);
  });

  it('takes a renewed deadline over the first one', () => {
    const ledger = new Ledger(0);
    ledger.acquire(10, 5, 500, 100);
    ledger.applyLeased(0, 0, 800);
    expect([ledger.holderOf(0), ledger.nextDueMs()]).toEqual([5, 800]);
    const told: Offset[] = [];
    ledger.expire(700, (offset) => told.push(offset));
    expect(told).toEqual([]);
    ledger.expire(800, (offset) => told.push(offset));
    expect(told).toEqual([0]);
  });

  it('holds the due back until their time, then gives them before newer ones', () => {
    const ledger = new Ledger(0);
    for (let n = 0; n < 3; n++) ledger.acquire(10, 1, 0, 0);
    ledger.requeue(1, true, 50);
    expect([ledger.nextDueMs(), ledger.acquire(10, 1, 0, 49), ledger.acquire(10, 1, 0, 50)]).toEqual([50, 3, 1]);
  });

  it('settles what is ready, and leaves what is leased, also after a restart', () => {
    const ledger = new Ledger(5);
    for (let n = 0; n < 4; n++) ledger.acquire(100, 1, n % 2 === 0 ? 900 : 0, 0);
    ledger.requeue(6, true, 50);
    const after = readBack(written(ledger));
    const ranges: [number, number][] = [];
    after.settleReady(10_000_000, (from, count) => ranges.push([from, count]));
    expect(ranges).toEqual([
      [6, 1],
      [8, 9_999_992],
    ]);
    expect([after.inFlight, after.returnedCount, after.readyCount(10_000_000), after.floor]).toEqual([2, 0, 0, 5]);
    expect([after.settle(7), after.settle(5), after.floor]).toEqual([true, true, 10_000_000]);
    const live: [number, number][] = [];
    ledger.settleReady(20, (from, count) => live.push([from, count]));
    expect(live).toEqual([
      [6, 1],
      [9, 11],
    ]);
    expect(ledger.inFlight).toBe(3);
  });

  it('keeps heaps in proportion when the same few are leased and settled for ever', () => {
    const ledger = new Ledger(0);
    const heaps = ledger as unknown as Record<'due' | 'waiting' | 'deadlines', { length: number }>;
    ledger.acquire(1e9, 1, 0, 0);
    for (let n = 0; n < 50_000; n++) {
      const offset = ledger.acquire(1e9, 1, 60_000 + n, n);
      ledger.requeue(offset, true, n + 1);
      const again = ledger.acquire(1e9, 1, 60_000 + n, n + 1);
      expect(again).toBe(offset);
      ledger.settle(again);
      if (n % 1000 !== 0) continue;
      for (const heap of [heaps.due, heaps.waiting, heaps.deadlines]) expect(heap.length).toBeLessThan(200);
    }
    expect(ledger.inFlight).toBe(1);
  });

  it('refuses a snapshot that was cut', () => {
    const ledger = new Ledger(0);
    for (let n = 0; n < 9000; n += 2) ledger.applySettled(1 + n, 1);
    ledger.applyReturned(0, 2, 0);
    const bytes = written(ledger);
    for (const length of [0, 1, 5, 600, bytes.length - 1])
      expect(() => Ledger.read(new ByteReader(bytes.subarray(0, length)))).toThrow();
  });
});

describe('memory of a ledger', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  /** What is alive, of this and of the tests before. */
  const bytes = (): number => {
    collect();
    const memory = process.memoryUsage();
    return memory.heapUsed + memory.arrayBuffers;
  };

  it('stays small with 10 million ready or settled behind one that is not acknowledged', () => {
    const before = bytes();
    const ledger = new Ledger(0);
    const total = 10_000_000;
    expect(ledger.acquire(total, 1, 0, 0)).toBe(0);
    expect(ledger.readyCount(total)).toBe(total - 1);
    for (let n = 1; n < total; n++) ledger.settle(ledger.acquire(total, 1, 0, 0));
    expect([ledger.floor, ledger.inFlight, ledger.unsettledIn(0, total)]).toEqual([0, 1, 1]);
    // 2,442 pages that are settled whole are 20 KB; the rest is one page and young garbage.
    expect(bytes() - before).toBeLessThan(8 * 1024 * 1024);
    expect(written(ledger).length).toBeLessThan(1024);
    ledger.settle(0);
    expect(ledger.floor).toBe(total);
  });

  it('holds in flight what it needs: 5 bytes for each of a million, and lets it go', () => {
    const ledger = new Ledger(0);
    const before = bytes();
    for (let n = 0; n < 1_000_000; n++) ledger.acquire(1_000_000, 1, 0, 0);
    expect(bytes() - before).toBeLessThan(5_500_000);
    for (let n = 999_999; n >= 0; n--) ledger.settle(n);
    expect([ledger.floor, ledger.inFlight, ledger.returnedCount]).toEqual([1_000_000, 0, 0]);
    const pages = (ledger as unknown as { sides: Map<number, unknown> }).sides;
    expect(pages.size).toBe(0);
  });
});
