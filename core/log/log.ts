/**
 * The log's tail: entries are encoded straight into it, all entries of a turn leave in one write, and all that wait
 * for a sync share one. Also the reader of whole entries: from the tail in memory, or cold through ColdReader.
 *
 * Invariants: writtenTo ≤ position; syncedTo ≤ writtenTo; nothing above writtenTo was seen by anybody; `committed` is
 * called with marks that never fall; memory of which a reader was given a slice is never written again.
 */
import { assert, BrokerError } from '../errors.ts';
import type { Clock, Crc32c, Position, TimeMs } from '../types.ts';
import { align8 } from './bytes.ts';
import type { Syncable } from './disk.ts';
import { ENTRY_HEAD, type EntryHead, sealEntry } from './entry.ts';
import { type Journal, JournalError } from './journal.ts';

interface Chunk {
  position: Position;
  bytes: Buffer;
  used: number;
  written: number;
  /** Somebody may hold a slice of it. */
  lent: boolean;
}

export interface LogOptions {
  journal: Journal;
  clock: Clock;
  crc: Crc32c;
  /** Bytes of the tail kept in memory for readers. */
  hotBytes: number;
  /** Entries of `async` topics are synced so often, in milliseconds. */
  flushIntervalMs: number;
  /** A sync that lately took less than this is done on the loop, which is fastest on a quick disk; 0 never, Infinity always. */
  inlineSyncMs: number;
}

export interface LogListener {
  /** Called at the start of a flush, to add what is written once per turn (settlements, offset commits). */
  beforeWrite(): void;
  /** All below `writtenTo` is in the journal, all below `syncedTo` is durable. */
  committed(writtenTo: Position, syncedTo: Position): void;
  /** A new segment takes entries from `base` on. */
  rolled(base: Position): void;
  /** The state in memory is void from here on. */
  lost(error: JournalError): void;
}

const CHUNK_BYTES = 4 * 1024 * 1024;
/** So much of `async` entries does not wait for the interval: the sync of a roll, which is on the loop, has little left to do. */
const SYNC_AHEAD_BYTES = 8 * 1024 * 1024;

export class Log {
  readonly journal: Journal;
  readonly crc: Crc32c;
  private readonly options: LogOptions;
  private readonly clock: Clock;
  private readonly listener: LogListener;
  private readonly chunks: Chunk[] = [];
  private chunk: Chunk;
  private hotBytes = 0;
  /** Memory of a chunk that is gone and was never lent, for the next one: new memory costs page faults and collections. */
  private spare: Buffer | null = null;
  /** Position of the next entry. */
  position: Position;
  writtenTo: Position;
  syncedTo: Position;
  /** Some entry up to here asked for a sync. */
  private syncWantedTo: Position = 0;
  private syncing = false;
  private quiet: (() => void) | null = null;
  private scheduled = false;
  private intervalArmed = false;
  private syncMs = 0;
  lost: JournalError | null = null;
  writes = 0;
  syncs = 0;
  private lastStoreTimeMs: TimeMs = 0;
  private readonly waiting: { upTo: Position; done: (error: null) => void }[] = [];
  private readonly head: EntryHead = { length: 0, epoch: 0, position: 0, durable: 0, storeTimeMs: 0, parts: 0 };
  /** Set by begin(): the buffer and where the first part goes. */
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  private entryStart = 0;

  constructor(options: LogOptions, listener: LogListener, storeTimeMs: TimeMs) {
    this.options = options;
    this.journal = options.journal;
    this.clock = options.clock;
    this.crc = options.crc;
    this.listener = listener;
    this.position = options.journal.tail;
    this.writtenTo = this.position;
    this.syncedTo = this.position;
    this.lastStoreTimeMs = storeTimeMs;
    this.chunk = this.newChunk(0);
    this.journal.onFailed = (error) => this.fail(error);
  }

  /** Never falls, whatever the clock does; one time for all that a turn appends. */
  storeTimeMs(): TimeMs {
    if (this.scheduled) return this.lastStoreTimeMs;
    const now = this.clock.nowMs();
    if (now > this.lastStoreTimeMs) this.lastStoreTimeMs = now;
    return this.lastStoreTimeMs;
  }

  private newChunk(atLeast: number): Chunk {
    const size = Math.max(CHUNK_BYTES, atLeast);
    this.hotBytes += size;
    for (let oldest = this.chunks[0]; oldest !== undefined; oldest = this.chunks[0]) {
      if (this.hotBytes <= this.options.hotBytes || oldest.written < oldest.used) break;
      this.chunks.shift();
      this.hotBytes -= oldest.bytes.length;
      if (!oldest.lent && oldest.bytes.length === CHUNK_BYTES) this.spare = oldest.bytes;
    }
    let bytes = this.spare;
    if (bytes !== null && size === CHUNK_BYTES) this.spare = null;
    else bytes = Buffer.allocUnsafeSlow(size);
    const chunk: Chunk = { position: this.position, bytes, used: 0, written: 0, lent: false };
    this.chunks.push(chunk);
    return chunk;
  }

  /**
   * Makes room for an entry whose parts take `bodyBytes`; the caller writes them from `bytes[at]` on, then calls end.
   * Throws storage-failed, and message-too-large for what fits into no segment.
   */
  begin(bodyBytes: number): void {
    this.alive();
    const length = align8(ENTRY_HEAD + bodyBytes);
    if (length > this.journal.room - (this.position - this.journal.tail)) {
      if (length > this.journal.roomMax)
        throw new BrokerError('message-too-large', `an entry of ${length} bytes fits into no segment`);
      this.roll();
    }
    if (this.chunk.used + length > this.chunk.bytes.length) this.chunk = this.newChunk(length);
    this.bytes = this.chunk.bytes;
    this.entryStart = this.chunk.used;
    this.at = this.entryStart + ENTRY_HEAD;
  }

  /** Completes the entry whose parts end at `end`. Returns its position. */
  end(end: number, parts: number, storeTimeMs: TimeMs, sync: boolean): Position {
    const head = this.head;
    head.length = end - this.entryStart;
    head.epoch = this.journal.epoch;
    head.position = this.position;
    head.durable = this.syncedTo;
    head.storeTimeMs = storeTimeMs;
    head.parts = parts;
    sealEntry(this.bytes, this.entryStart, head, this.journal.salt, this.crc);
    this.chunk.used += head.length;
    const position = this.position;
    this.position += head.length;
    if (sync) this.syncWantedTo = this.position;
    this.schedule();
    return position;
  }

  /** Length of the entry just completed. */
  get lastLength(): number {
    return this.head.length;
  }

  schedule(): void {
    if (this.scheduled) return;
    this.storeTimeMs();
    this.scheduled = true;
    this.clock.afterTurn(this.turn);
  }

  private readonly turn = (): void => {
    this.scheduled = false;
    if (this.lost === null) this.flush();
  };

  /** One write for all that was appended, then a sync if somebody waits for one and none is under way. */
  flush(): void {
    try {
      this.listener.beforeWrite();
      this.write();
    } catch (error) {
      if (this.lost === null) this.fail(error);
      return;
    }
    if (this.lost !== null) return;
    this.listener.committed(this.writtenTo, this.syncedTo);
    if (this.lost !== null) return;
    this.releaseWaiting();
    this.maybeSync();
    if (this.writtenTo - this.syncedTo >= SYNC_AHEAD_BYTES) this.startSync(false);
    if (this.syncedTo < this.writtenTo && !this.intervalArmed) {
      this.intervalArmed = true;
      this.clock.setTimer(this.options.flushIntervalMs, this.interval);
    }
  }

  private readonly interval = (): void => {
    this.intervalArmed = false;
    if (this.lost !== null || this.syncedTo === this.writtenTo) return;
    this.syncWantedTo = Math.max(this.syncWantedTo, this.writtenTo);
    this.startSync(false);
  };

  private write(): void {
    if (this.writtenTo === this.position) return;
    const from = this.writtenTo;
    for (let n = this.chunks.length - 1; n >= 0; n--) {
      if (n > 0 && this.chunks[n - 1]!.written < this.chunks[n - 1]!.used) continue;
      for (let m = n; m < this.chunks.length; m++) {
        const chunk = this.chunks[m]!;
        if (chunk.written === chunk.used) continue;
        this.journal.append(chunk.position + chunk.written, chunk.bytes, chunk.written, chunk.used - chunk.written);
        chunk.written = chunk.used;
        this.writes++;
      }
      break;
    }
    this.writtenTo = this.position;
    this.journal.prepare(this.position - from);
  }

  private roll(): void {
    try {
      this.write();
      this.journal.roll();
    } catch (error) {
      this.fail(error);
      throw this.failure();
    }
    this.rolled();
  }

  /** Ends the active segment now (for the cleaner and for tests). */
  rollNow(begin: () => void): void {
    this.write();
    begin();
    this.rolled();
  }

  private rolled(): void {
    this.position = this.journal.tail;
    this.writtenTo = this.position;
    // An error is told once: while another sync is under way, the one of the roll proves nothing.
    if (this.syncing) this.syncWantedTo = this.position;
    else this.syncedTo = this.position;
    this.chunk = this.newChunk(0);
    this.listener.rolled(this.position);
    this.schedule();
  }

  private maybeSync(): void {
    if (this.syncWantedTo > this.syncedTo && !this.syncing) this.startSync(this.syncMs < this.options.inlineSyncMs);
  }

  private startSync(inline: boolean): void {
    // What hears of a commit appends too, and so may be the one that finds the journal failing.
    if (this.syncing || this.lost !== null) return;
    const upTo = this.writtenTo;
    this.syncs++;
    if (inline) {
      const started = performance.now();
      try {
        this.journal.sync();
      } catch (error) {
        return this.fail(error);
      }
      this.synced(upTo, performance.now() - started);
      return;
    }
    this.syncing = true;
    this.journal.syncAsync((error, tookMs) => {
      this.syncing = false;
      if (this.lost !== null) return;
      if (error !== null) return this.fail(error);
      this.synced(upTo, tookMs);
      this.maybeSync();
      this.syncEnded();
    });
  }

  /** The time of the sync itself decides where the next one is done: the way to the other thread is longer than a quick one. */
  private synced(upTo: Position, tookMs: number): void {
    this.syncMs += (tookMs - this.syncMs) / 8;
    if (upTo <= this.syncedTo) return;
    this.syncedTo = upTo;
    this.listener.committed(this.writtenTo, this.syncedTo);
    this.releaseWaiting();
  }

  /** Everything appended so far, to be waited for. */
  readonly durable: Syncable = { sync: () => this.syncNow(), syncAsync: (done) => this.whenDurable(done) };

  private whenDurable(done: (error: null) => void): void {
    if (this.lost !== null) return;
    try {
      this.listener.beforeWrite();
      this.write();
    } catch (error) {
      this.fail(error);
      return;
    }
    this.waiting.push({ upTo: this.writtenTo, done });
    this.syncWantedTo = Math.max(this.syncWantedTo, this.writtenTo);
    this.listener.committed(this.writtenTo, this.syncedTo);
    if (!this.syncing && this.syncedTo < this.writtenTo) this.startSync(false);
    this.releaseWaiting();
  }

  /** After a lost journal nobody is told: the state is void. */
  private releaseWaiting(): void {
    while (this.waiting.length > 0 && this.waiting[0]!.upTo <= this.syncedTo) this.waiting.shift()!.done(null);
  }

  /** Calls back when no sync is under way: the outcome of one decides about what was written before it. */
  whenQuiet(done: () => void): void {
    this.quiet = done;
    this.syncEnded();
  }

  private syncEnded(): void {
    if (this.syncing && this.lost === null) return;
    const { quiet } = this;
    this.quiet = null;
    quiet?.();
  }

  /** Everything durable when it returns: at shutdown and before a manifest. No other sync may be under way. */
  syncNow(): void {
    assert(!this.syncing, 'an error of a sync is told once: two at a time would hide it from one of them');
    this.listener.beforeWrite();
    this.write();
    this.journal.sync();
    if (this.writtenTo > this.syncedTo) this.syncedTo = this.writtenTo;
    this.listener.committed(this.writtenTo, this.syncedTo);
  }

  private fail(error: unknown): void {
    if (!(error instanceof JournalError)) throw error;
    if (this.lost !== null) return;
    this.lost = error;
    this.syncEnded();
    this.listener.lost(error);
  }

  /** Throws once the journal is lost: nothing may be accepted that cannot be answered. */
  alive(): void {
    if (this.lost !== null) throw this.failure();
  }

  private failure(): BrokerError {
    return new BrokerError('storage-failed', 'the log failed; the broker is opening it again', { cause: this.lost });
  }

  /**
   * The chunk in memory that holds the position, null when it is cold. The entry starts at position - chunk.position. With
   * `brief` the bytes are good until the next append, else the caller may keep slices of them.
   */
  hot(position: Position, brief = false): { position: Position; bytes: Buffer } | null {
    const chunk = this.chunkOf(position);
    if (chunk !== null && !brief) chunk.lent = true;
    return chunk;
  }

  isHot(position: Position): boolean {
    return this.chunkOf(position) !== null;
  }

  private chunkOf(position: Position): Chunk | null {
    const chunks = this.chunks;
    for (let n = chunks.length - 1; n >= 0; n--) {
      const chunk = chunks[n]!;
      if (position >= chunk.position) return position < chunk.position + chunk.used ? chunk : null;
    }
    return null;
  }

  /** Nothing is written or delivered any more. */
  close(): void {
    this.lost ??= new JournalError('unknown', 'the log is closed');
  }
}
