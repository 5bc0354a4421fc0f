/**
 * The set of settled offsets of one (group, queue): everything below `floor`, and above it one bit per offset in pages
 * of 4,096. A page whose offsets are all settled shares one constant page, a page with none is null, so that millions
 * settled behind one hole cost 8 bytes per 4,096.
 *
 * Invariants: the offset `floor` itself is not settled; `first` is the page that holds it; `above` is the number of
 * settled offsets above the floor. Bits below the floor mean nothing.
 *
 * Snapshot form (varints of log/bytes.ts):
 *   settled := floor:varint blocks:varint block*          the first block begins with the page that holds the floor
 *   block   := 0 n:varint                                 n pages of which nothing is settled
 *            | 1 n:varint                                 n pages that are settled whole
 *            | 2 word:u32 × 128                           a page as bits: offset % 32 of word offset % 4096 / 32
 *            | 3 n:varint (gap:varint length:varint) × n  a page as settled runs, each `gap` behind the end before it
 */
import { assert } from '../errors.ts';
import type { ByteReader, ByteWriter } from '../log/bytes.ts';
import type { Offset } from '../types.ts';

const PAGE = 4096;
const WORDS = PAGE / 32;
/** A page with more runs than this is smaller as bits. */
const RUNS_MAX = 160;
const BLOCK = { none: 0, whole: 1, bits: 2, runs: 3 } as const;

class Page {
  readonly bits = new Uint32Array(WORDS);
  settled = 0;
}

/** Shared by all: never written to. */
const WHOLE = new Page();
WHOLE.bits.fill(0xffff_ffff);
WHOLE.settled = PAGE;

export class Settled {
  floor: Offset;
  private pages: (Page | null)[] = [];
  private head = 0;
  private first: number;
  private above = 0;
  /** End of the highest offset ever settled above the floor. */
  private top: Offset = 0;

  constructor(floor: Offset) {
    this.floor = floor;
    this.first = Math.floor(floor / PAGE);
  }

  has(offset: Offset): boolean {
    if (offset < this.floor) return true;
    if (this.above === 0) return false;
    const number = Math.floor(offset / PAGE);
    const page = this.page(number);
    if (page === null) return false;
    const bit = offset - number * PAGE;
    return ((page.bits[bit >>> 5]! >>> (bit & 31)) & 1) === 1;
  }

  /** The offset must not be settled yet. */
  add(offset: Offset): void {
    if (offset === this.floor) {
      this.floor = offset + 1;
      if (this.floor >= (this.first + 1) * PAGE) this.drop();
      if (this.above > 0) this.advance();
      return;
    }
    const number = Math.floor(offset / PAGE);
    const page = this.own(number);
    const bit = offset - number * PAGE;
    page.bits[bit >>> 5]! |= 1 << (bit & 31);
    if (++page.settled === PAGE) this.pages[this.head + number - this.first] = WHOLE;
    this.above++;
    if (offset >= this.top) this.top = offset + 1;
  }

  addRange(from: Offset, to: Offset): void {
    if (to <= this.floor || to <= from) return;
    if (from <= this.floor) {
      this.moveFloor(to);
      return;
    }
    for (let at = from; at < to; ) {
      const number = Math.floor(at / PAGE);
      const start = number * PAGE;
      const end = Math.min(to, start + PAGE);
      const page = this.own(number);
      if (page !== WHOLE) {
        const added = setBits(page.bits, at - start, end - start);
        page.settled += added;
        this.above += added;
        if (page.settled === PAGE) this.pages[this.head + number - this.first] = WHOLE;
      }
      at = end;
    }
    if (to > this.top) this.top = to;
  }

  /** The first offset from `from` on that is not settled. */
  nextUnsettled(from: Offset): Offset {
    let at = Math.max(from, this.floor);
    if (this.above === 0) return at;
    for (;;) {
      const number = Math.floor(at / PAGE);
      const page = this.page(number);
      if (page === null) return at;
      const start = number * PAGE;
      const bit = page === WHOLE ? PAGE : firstClear(page.bits, at - start);
      at = start + bit;
      if (bit < PAGE) return at;
    }
  }

  /** How many offsets in [from, to) are not settled. Constant from the floor to behind the last settled one, else by pages. */
  unsettledIn(from: Offset, to: Offset): number {
    let at = Math.max(from, this.floor);
    if (to <= at) return 0;
    let count = to - at;
    if (this.above === 0) return count;
    if (at === this.floor && to >= this.top) return count - this.above;
    const end = Math.min(to, (this.first + this.pages.length - this.head) * PAGE);
    while (at < end) {
      const number = Math.floor(at / PAGE);
      const start = number * PAGE;
      const pageEnd = Math.min(end, start + PAGE);
      const page = this.page(number);
      if (page !== null)
        count -= pageEnd - at === PAGE ? page.settled : countBits(page.bits, at - start, pageEnd - start);
      at = pageEnd;
    }
    return count;
  }

  /** `each` may settle the offset it is called with. */
  eachUnsettled(from: Offset, to: Offset, each: (offset: Offset) => void): void {
    for (let at = Math.max(from, this.floor); at < to; ) {
      const number = Math.floor(at / PAGE);
      const start = number * PAGE;
      const end = Math.min(to, start + PAGE);
      const page = number < this.first ? WHOLE : this.page(number);
      if (page === null) while (at < end) each(at++);
      else {
        while (page !== WHOLE) {
          at = start + firstClear(page.bits, at - start);
          if (at >= end) break;
          each(at++);
        }
        at = end;
      }
    }
  }

  write(writer: ByteWriter): void {
    writer.varint(this.floor);
    const blocksAt: number[] = [];
    const count = this.above === 0 ? 0 : this.pages.length - this.head;
    for (let n = 0; n < count; n++) if (n === 0 || this.repeat(n - 1, count) === n) blocksAt.push(n);
    writer.varint(blocksAt.length);
    const floorBits = new Uint32Array(WORDS);
    for (const n of blocksAt) {
      const page = this.pages[this.head + n]!;
      if (page === null || page === WHOLE) {
        writer.u8(page === null ? BLOCK.none : BLOCK.whole);
        writer.varint(this.repeat(n, count) - n);
        continue;
      }
      let bits = page.bits;
      if (n === 0) {
        floorBits.set(bits);
        clearBits(floorBits, this.floor - this.first * PAGE);
        bits = floorBits;
      }
      writePage(writer, bits);
    }
  }

  /** End of the run of equal pages without own bits that begins at page `n` (a page with bits is a run of one). */
  private repeat(n: number, count: number): number {
    const page = this.pages[this.head + n];
    let end = n + 1;
    if (page === null || page === WHOLE) while (end < count && this.pages[this.head + end] === page) end++;
    return end;
  }

  static read(reader: ByteReader): Settled {
    const settled = new Settled(reader.varint());
    for (let blocks = reader.varint(); blocks > 0; blocks--) {
      const kind = reader.u8();
      if (kind === BLOCK.none || kind === BLOCK.whole) {
        const page = kind === BLOCK.none ? null : WHOLE;
        for (let n = reader.varint(); n > 0; n--) settled.pages.push(page);
        continue;
      }
      const page = new Page();
      if (kind === BLOCK.bits) for (let word = 0; word < WORDS; word++) page.bits[word] = reader.u32();
      else {
        assert(kind === BLOCK.runs, 'a block of settled offsets is of a known kind');
        let at = 0;
        for (let runs = reader.varint(); runs > 0; runs--) {
          at += reader.varint();
          const end = at + reader.varint();
          assert(end <= PAGE, 'a settled run lies within its page');
          setBits(page.bits, at, end);
          at = end;
        }
      }
      page.settled = countBits(page.bits, 0, PAGE);
      settled.pages.push(page);
    }
    for (const page of settled.pages) settled.above += page?.settled ?? 0;
    settled.top = (settled.first + settled.pages.length) * PAGE;
    assert(settled.above === 0 || !settled.has(settled.floor), 'the floor is not settled');
    return settled;
  }

  // ---------------------------------------------------------------- pages

  private page(number: number): Page | null {
    const at = this.head + number - this.first;
    return at < this.pages.length ? this.pages[at]! : null;
  }

  private own(number: number): Page {
    const at = this.head + number - this.first;
    while (this.pages.length <= at) this.pages.push(null);
    let page = this.pages[at]!;
    if (page === null) {
      page = new Page();
      this.pages[at] = page;
    }
    return page;
  }

  private moveFloor(to: Offset): void {
    this.above -= to - this.floor - this.unsettledIn(this.floor, to);
    this.floor = to;
    this.drop();
    if (this.above > 0) this.advance();
  }

  /** Moves the floor over what is settled already. */
  private advance(): void {
    while (this.above > 0) {
      const page = this.pages[this.head];
      if (page === undefined || page === null) return;
      const start = this.first * PAGE;
      const from = this.floor - start;
      const to = page === WHOLE ? PAGE : firstClear(page.bits, from);
      this.above -= to - from;
      this.floor = start + to;
      if (to < PAGE) return;
      this.drop();
    }
  }

  /** Lets go of the pages below the floor's. */
  private drop(): void {
    const page = Math.floor(this.floor / PAGE);
    let gone = page - this.first;
    this.first = page;
    if (gone >= this.pages.length - this.head) {
      if (this.pages.length > 0) this.pages = [];
      this.head = 0;
      return;
    }
    for (; gone > 0; gone--) this.pages[this.head++] = null;
    if (this.head > 64 && this.head * 2 > this.pages.length) {
      this.pages = this.pages.slice(this.head);
      this.head = 0;
    }
  }
}

// ---------------------------------------------------------------- bits of a page

function popCount(word: number): number {
  let n = word - ((word >>> 1) & 0x5555_5555);
  n = (n & 0x3333_3333) + ((n >>> 2) & 0x3333_3333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

/** The bits of [from, to) that fall into word number `word`; the range must touch it. */
function maskOf(word: number, from: number, to: number): number {
  const low = Math.max(from - word * 32, 0);
  const high = Math.min(to - word * 32, 32);
  return (high === 32 ? -1 : (1 << high) - 1) & (-1 << low);
}

/** Returns how many were clear before. */
function setBits(bits: Uint32Array, from: number, to: number): number {
  let added = 0;
  for (let word = from >>> 5; word * 32 < to; word++) {
    const mask = maskOf(word, from, to);
    added += popCount(mask & ~bits[word]!);
    bits[word]! |= mask;
  }
  return added;
}

function clearBits(bits: Uint32Array, to: number): void {
  for (let word = 0; word * 32 < to; word++) bits[word]! &= ~maskOf(word, 0, to);
}

function countBits(bits: Uint32Array, from: number, to: number): number {
  let count = 0;
  for (let word = from >>> 5; word * 32 < to; word++) count += popCount(bits[word]! & maskOf(word, from, to));
  return count;
}

/** PAGE when there is none. */
function firstClear(bits: Uint32Array, from: number): number {
  if (from >= PAGE) return PAGE;
  let word = from >>> 5;
  let clear = ~bits[word]! & (-1 << (from & 31));
  while (clear === 0) {
    if (++word === WORDS) return PAGE;
    clear = ~bits[word]!;
  }
  return word * 32 + 31 - Math.clz32(clear & -clear);
}

function firstSet(bits: Uint32Array, from: number): number {
  for (let word = from >>> 5; word < WORDS; word++) {
    const set = bits[word]! & (word === from >>> 5 ? -1 << (from & 31) : -1);
    if (set !== 0) return word * 32 + 31 - Math.clz32(set & -set);
  }
  return PAGE;
}

function writePage(writer: ByteWriter, bits: Uint32Array): void {
  let runs = 0;
  let carry = 0;
  for (const word of bits) {
    runs += popCount(word & ~((word << 1) | carry));
    carry = word >>> 31;
  }
  if (runs > RUNS_MAX) {
    writer.u8(BLOCK.bits);
    for (const word of bits) writer.u32(word);
    return;
  }
  writer.u8(BLOCK.runs);
  writer.varint(runs);
  for (let end = 0; runs > 0; runs--) {
    const start = firstSet(bits, end);
    writer.varint(start - end);
    end = firstClear(bits, start);
    writer.varint(end - start);
  }
}
