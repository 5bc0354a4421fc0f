/**
 * The content of a simulated file: pages that copies share until one of them writes. A page that only ever held zeros
 * costs no memory, so a preallocated segment of many megabytes is an array of references.
 *
 * Invariants: a page is written only by the copy that made it; bytes at and beyond `size` are zero; a page is a hole
 * (null: takes no room on the disk) until something, zeros included, is written into it.
 */
export const PAGE_BYTES = 4096;

interface Page {
  readonly bytes: Buffer;
  readonly owner: object | null;
}

const ZEROS = Buffer.alloc(PAGE_BYTES);
/** Stands for every written page of zeros; owned by nobody, so it is copied before a write. */
const ZERO_PAGE: Page = { bytes: ZEROS, owner: null };

export class PagedBytes {
  size = 0;
  /** Pages that take room. */
  allocated = 0;
  private pages: (Page | null)[] = [];
  private pagesOwned = true;
  /** Given up with every copy, so that neither side writes into what is now shared. */
  private owner: object = {};

  copy(): PagedBytes {
    const copy = new PagedBytes();
    copy.size = this.size;
    copy.allocated = this.allocated;
    copy.pages = this.pages;
    copy.pagesOwned = false;
    this.pagesOwned = false;
    this.owner = {};
    return copy;
  }

  /** Bytes of [position, position + length) that can be written while only `pages` more pages may be taken. */
  fits(position: number, length: number, pages: number): number {
    let left = pages;
    const last = Math.floor((position + length - 1) / PAGE_BYTES);
    for (let n = Math.floor(position / PAGE_BYTES); n <= last; n++) {
      if ((this.pages[n] ?? null) === null && --left < 0) return Math.max(0, n * PAGE_BYTES - position);
    }
    return length;
  }

  read(target: Buffer, targetStart: number, length: number, position: number): number {
    const count = Math.max(0, Math.min(length, this.size - position));
    for (let done = 0; done < count; ) {
      const at = (position + done) % PAGE_BYTES;
      const step = Math.min(PAGE_BYTES - at, count - done);
      const page = this.pages[Math.floor((position + done) / PAGE_BYTES)] ?? ZERO_PAGE;
      page.bytes.copy(target, targetStart + done, at, at + step);
      done += step;
    }
    return count;
  }

  write(source: Buffer, sourceStart: number, length: number, position: number): void {
    for (let done = 0; done < length; ) {
      const at = (position + done) % PAGE_BYTES;
      const step = Math.min(PAGE_BYTES - at, length - done);
      const n = Math.floor((position + done) / PAGE_BYTES);
      const from = sourceStart + done;
      const page = this.pages[n] ?? null;
      if (!areZeros(source, from, from + step)) source.copy(this.own(n, step), at, from, from + step);
      else if (page === null || step === PAGE_BYTES) this.put(n, ZERO_PAGE);
      else if (page !== ZERO_PAGE) this.own(n, step).fill(0, at, at + step);
      done += step;
    }
    if (length > 0) this.size = Math.max(this.size, position + length);
  }

  resize(length: number): void {
    if (length < this.size) {
      const kept = Math.ceil(length / PAGE_BYTES);
      const pages = this.ownPages();
      for (let n = kept; n < pages.length; n++) if (pages[n] !== null) this.allocated--;
      if (pages.length > kept) pages.length = kept;
      const rest = length % PAGE_BYTES;
      const last = rest === 0 ? null : (pages[kept - 1] ?? null);
      if (last !== null && last !== ZERO_PAGE) this.own(kept - 1, 0).fill(0, rest);
    }
    this.size = length;
  }

  /** Takes one page as it is in `other`, as far as it lies below our size. */
  takePage(n: number, other: PagedBytes): void {
    if (n * PAGE_BYTES >= this.size) return;
    other.owner = {};
    this.put(n, other.pages[n] ?? null);
    const rest = this.size - n * PAGE_BYTES;
    if (rest < PAGE_BYTES && this.pages[n] !== null) this.own(n, 0).fill(0, rest);
  }

  /** Pages of which something is written in [position, position + length). */
  static *pagesOf(position: number, length: number): Generator<number> {
    const last = Math.floor((position + length - 1) / PAGE_BYTES);
    for (let n = Math.floor(position / PAGE_BYTES); n <= last; n++) yield n;
  }

  /** The bytes of page `n`, to be written by us; those that a whole page overwrites are not carried over. */
  private own(n: number, overwritten: number): Buffer {
    const page = this.pages[n] ?? ZERO_PAGE;
    if (page.owner === this.owner) return page.bytes;
    const bytes = Buffer.allocUnsafeSlow(PAGE_BYTES);
    if (overwritten < PAGE_BYTES) page.bytes.copy(bytes);
    this.put(n, { bytes, owner: this.owner });
    return bytes;
  }

  private put(n: number, page: Page | null): void {
    const pages = this.ownPages();
    while (pages.length <= n) pages.push(null);
    this.allocated += (page === null ? 0 : 1) - (pages[n] === null ? 0 : 1);
    pages[n] = page;
  }

  private ownPages(): (Page | null)[] {
    if (!this.pagesOwned) this.pages = this.pages.slice();
    this.pagesOwned = true;
    return this.pages;
  }
}

export function areZeros(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += PAGE_BYTES) {
    const step = Math.min(PAGE_BYTES, end - at);
    if (bytes[at] !== 0 || bytes.compare(ZEROS, 0, step, at, at + step) !== 0) return false;
  }
  return true;
}
