/**
 * First and last link of each queue's list, found by the queue's number in pages of 256 queues. Numbers are never given
 * out again, so a page is dropped when its last list ends.
 */
import type { QueueNumber } from '../types.ts';

const PAGE_BITS = 8;
const PAGE = 1 << PAGE_BITS;

class Page {
  /** Two per queue, each 1 more than the link's number, 0 for none. */
  readonly ends = new Int32Array(2 * PAGE);
  used = 0;
}

export class QueueLists {
  private readonly pages: (Page | undefined)[] = [];
  private spare: Page | null = null;
  /** How many queues have a list. */
  size = 0;

  /** -1 when the list is empty. */
  head(queue: QueueNumber): number {
    const page = this.pages[queue >>> PAGE_BITS];
    return page === undefined ? -1 : page.ends[2 * (queue & (PAGE - 1))]! - 1;
  }

  tail(queue: QueueNumber): number {
    const page = this.pages[queue >>> PAGE_BITS];
    return page === undefined ? -1 : page.ends[2 * (queue & (PAGE - 1)) + 1]! - 1;
  }

  /** Both are links, or both are -1: then the queue has no list any more. */
  set(queue: QueueNumber, head: number, tail: number): void {
    const number = queue >>> PAGE_BITS;
    let page = this.pages[number];
    if (page === undefined) {
      while (this.pages.length <= number) this.pages.push(undefined);
      page = this.spare ?? new Page();
      this.spare = null;
      this.pages[number] = page;
    }
    const at = 2 * (queue & (PAGE - 1));
    const change = (head >= 0 ? 1 : 0) - (page.ends[at] === 0 ? 0 : 1);
    page.ends[at] = head + 1;
    page.ends[at + 1] = tail + 1;
    page.used += change;
    this.size += change;
    if (page.used > 0) return;
    this.pages[number] = undefined;
    this.spare = page;
  }
}
