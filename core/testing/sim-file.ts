/**
 * A file of the simulated disk, apart from its names: what a reader sees (the page cache), what is durable, and the
 * changes between the two.
 *
 * Invariants: what was written before a sync that succeeded is durable, whatever came meanwhile; before it, any of it
 * may be, sector by sector, but a sector never holds a later write without the earlier ones (it is written as the cache
 * holds it). After a sync that failed, the pages it was to write are clean and not durable, as Linux leaves them: a
 * later sync says yes and does not write them, until they are written again.
 */
import { areZeros, PAGE_BYTES, PagedBytes } from './paged-bytes.ts';
import type { SimRandom } from './sim-random.ts';

const SECTOR_BYTES = 512;

type Change =
  | {
      readonly n: number;
      readonly kind: 'write';
      readonly position: number;
      readonly length: number;
      readonly data: Buffer | null;
    }
  | { readonly n: number; readonly kind: 'resize'; readonly length: number; readonly shrinks: boolean };

export interface SyncPoint {
  readonly content: PagedBytes;
  readonly upTo: number;
}

const SOME_ZEROS = Buffer.alloc(64 * 1024);

export class SimFile {
  current = new PagedBytes();
  private durable = new PagedBytes();
  private unsynced: Change[] = [];
  private changes = 0;
  private syncedTo = 0;
  /** Pages that a failed sync left clean and not durable. */
  private readonly doomed = new Set<number>();
  /** Open handles: an unlinked file keeps its room until the last is closed. */
  handles = 0;
  links = 0;

  get dirty(): boolean {
    return this.unsynced.length > 0;
  }

  /** The file as another process finds it when this one was killed: nothing is lost, nothing is synced. */
  copy(): SimFile {
    const copy = new SimFile();
    copy.current = this.current.copy();
    copy.durable = this.durable.copy();
    copy.unsynced = this.unsynced.slice();
    copy.changes = this.changes;
    copy.syncedTo = this.syncedTo;
    for (const page of this.doomed) copy.doomed.add(page);
    return copy;
  }

  write(source: Buffer, start: number, length: number, position: number): void {
    if (length === 0) return;
    this.current.write(source, start, length, position);
    const data = areZeros(source, start, start + length) ? null : Buffer.from(source.subarray(start, start + length));
    this.unsynced.push({ n: ++this.changes, kind: 'write', position, length, data });
    if (this.doomed.size > 0) for (const page of PagedBytes.pagesOf(position, length)) this.doomed.delete(page);
  }

  resize(length: number): void {
    if (length === this.current.size) return;
    const shrinks = length < this.current.size;
    this.current.resize(length);
    this.unsynced.push({ n: ++this.changes, kind: 'resize', length, shrinks });
    for (const page of this.doomed) if (page * PAGE_BYTES >= length) this.doomed.delete(page);
  }

  beginSync(): SyncPoint {
    return { content: this.current.copy(), upTo: this.changes };
  }

  finishSync(point: SyncPoint): void {
    if (point.upTo <= this.syncedTo) return;
    this.syncedTo = point.upTo;
    const before = this.durable;
    this.durable = point.content;
    for (const page of this.doomed) this.durable.takePage(page, before);
    const left: Change[] = [];
    for (const change of this.unsynced) {
      if (change.n > point.upTo) left.push(change);
      else if (change.kind === 'write') left.push(...this.doomedPieces(change));
    }
    this.unsynced = left;
  }

  failSync(): void {
    for (const change of this.unsynced) {
      if (change.kind !== 'write') continue;
      for (const page of PagedBytes.pagesOf(change.position, change.length)) this.doomed.add(page);
    }
  }

  /** Changes what lies on the medium, and so in the cache, behind the back of whoever has the file open. */
  patch(position: number, bytes: Buffer): void {
    for (const content of [this.current, this.durable]) content.write(bytes, 0, bytes.length, position);
  }

  cut(length: number): void {
    for (const content of [this.current, this.durable]) if (content.size > length) content.resize(length);
  }

  /**
   * What may be left after a power cut: each unsynced write lost, kept or torn at sectors; changes of the size by a cut
   * kept up to some point. Either all, none, all up to some write, or any mix.
   */
  crash(random: SimRandom): SimFile {
    const left = new SimFile();
    left.current = this.durable.copy();
    if (this.dirty) this.replay(left.current, random);
    left.durable = left.current.copy();
    return left;
  }

  private replay(content: PagedBytes, random: SimRandom): void {
    const mood = random.int(4);
    const tornAt = random.int(this.unsynced.length);
    let resizes = mood === 0 ? 0 : mood === 1 ? this.unsynced.length : random.int(this.unsynced.length + 1);
    const keptResizes = new Set<number>();
    // A write beyond a cut that was lost went into blocks that this file never had.
    let limit = Number.POSITIVE_INFINITY;
    /** Sector → the last write of which it shows something. */
    const shown = new Map<number, number>();
    this.unsynced.forEach((change, i) => {
      if (change.kind === 'resize') {
        if (resizes-- > 0) keptResizes.add(i);
        else if (change.shrinks) limit = Math.min(limit, change.length);
        return;
      }
      const fate =
        mood === 3 ? random.int(3) : mood === 1 || (mood === 2 && i < tornAt) ? 1 : mood === 2 && i === tornAt ? 2 : 0;
      if (fate === 0) return;
      const last = Math.floor((change.position + change.length - 1) / SECTOR_BYTES);
      for (let sector = Math.floor(change.position / SECTOR_BYTES); sector <= last; sector++) {
        if (sector * SECTOR_BYTES < limit && (fate === 1 || random.chance(0.5))) shown.set(sector, i);
      }
    });
    let grownTo = content.size;
    this.unsynced.forEach((change, i) => {
      if (change.kind === 'resize') {
        if (keptResizes.has(i)) content.resize(change.length);
        grownTo = content.size;
        return;
      }
      this.replayWrite(content, change, i, shown);
      // The size may be kept though the bytes are not: they read as zeros.
      if (change.position + change.length <= limit && mood === 3 && random.chance(0.2))
        grownTo = Math.max(grownTo, change.position + change.length);
    });
    if (grownTo > content.size) content.resize(grownTo);
  }

  private replayWrite(
    content: PagedBytes,
    change: Change & { kind: 'write' },
    i: number,
    shown: Map<number, number>,
  ): void {
    const end = change.position + change.length;
    let at = change.position;
    while (at < end) {
      let sector = Math.floor(at / SECTOR_BYTES);
      const kept = (shown.get(sector) ?? -1) >= i;
      do sector++;
      while (sector * SECTOR_BYTES < end && (shown.get(sector) ?? -1) >= i === kept);
      const until = Math.min(end, sector * SECTOR_BYTES);
      if (kept) writePiece(content, change, at, until);
      at = until;
    }
  }

  /** The parts of a change that lie in doomed pages. */
  private doomedPieces(change: Change & { kind: 'write' }): Change[] {
    if (this.doomed.size === 0) return [];
    const pieces: Change[] = [];
    for (const page of PagedBytes.pagesOf(change.position, change.length)) {
      if (!this.doomed.has(page)) continue;
      const position = Math.max(change.position, page * PAGE_BYTES);
      const length = Math.min(change.position + change.length, (page + 1) * PAGE_BYTES) - position;
      const from = position - change.position;
      pieces.push({
        n: change.n,
        kind: 'write',
        position,
        length,
        data: change.data?.subarray(from, from + length) ?? null,
      });
    }
    return pieces;
  }
}

function writePiece(content: PagedBytes, change: Change & { kind: 'write' }, start: number, end: number): void {
  if (change.data !== null) {
    content.write(change.data, start - change.position, end - start, start);
    return;
  }
  for (let at = start; at < end; at += SOME_ZEROS.length) {
    content.write(SOME_ZEROS, 0, Math.min(SOME_ZEROS.length, end - at), at);
  }
}
