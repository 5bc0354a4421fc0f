// The replies of one turn for one stream, written together.
//
// Everything pushed between two ticks leaves in one cork and uncork, that is in one writev; what is large is flushed
// earlier. Frames that lie one behind the other in the same slab become one piece.
//
// Invariants:
// - order of pushes is order on the wire;
// - `heldBytes` counts what has been pushed and not yet been accepted by the operating system; whoever pushes looks at
//   `congested` before making more, and the outbox refuses (by ending the connection through `onOverflow`) what goes
//   over `heldBytesMax`, so that a peer that does not read cannot fill the memory;
// - a buffer from a pool goes back to it when the operating system has taken its bytes, and only then; when the stream
//   breaks it is left to the collector, because a write that was cancelled may still look at it;
// - after the stream has closed, pushes are dropped.

import type { Duplex } from 'node:stream';
import type { Lender } from './buffer-pool.ts';
import type { Writer } from './writer.ts';

export interface OutboxOptions {
  /** At how many held bytes the outbox calls itself congested even if the stream has not said so. */
  readonly congestedBytes?: number;
  /** The most bytes ever held for a peer that does not read. */
  readonly heldBytesMax?: number;
  /** Called once each time the outbox stops being congested. */
  readonly onDrain?: () => void;
  /** Called once when `heldBytesMax` is passed; the default destroys the stream. */
  readonly onOverflow?: () => void;
  /** Runs a function at the end of the turn; the default is process.nextTick. */
  readonly defer?: (run: () => void) => void;
}

const CONGESTED_BYTES = 1024 * 1024;
const HELD_BYTES_MAX = 256 * 1024 * 1024;

export class Outbox {
  readonly #stream: Duplex;
  readonly #congestedBytes: number;
  readonly #heldBytesMax: number;
  readonly #onDrain: (() => void) | undefined;
  readonly #onOverflow: () => void;
  readonly #defer: (run: () => void) => void;
  readonly #flush = (): void => this.flush();
  // The pieces of this turn: buffers[i][starts[i], ends[i]).
  readonly #buffers: Buffer[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #pools: (Lender | null)[] = [];
  // Buffers under way that are to be given back, oldest first: a stream finishes its writes in order.
  readonly #lent: Buffer[] = [];
  readonly #lenders: Lender[] = [];
  readonly #written = (error?: Error | null): void => {
    const buffer = this.#lent.shift();
    const pool = this.#lenders.shift();
    // A stream that is being destroyed calls the writes done that it has cut off.
    if (buffer !== undefined && !error && !this.#dead && !this.#stream.destroyed) pool?.give(buffer);
  };
  #pendingBytes = 0;
  #scheduled = false;
  #blocked = false;
  #wasCongested = false;
  #dead = false;

  constructor(stream: Duplex, options: OutboxOptions = {}) {
    this.#stream = stream;
    this.#congestedBytes = options.congestedBytes ?? CONGESTED_BYTES;
    this.#heldBytesMax = options.heldBytesMax ?? HELD_BYTES_MAX;
    this.#onDrain = options.onDrain;
    this.#onOverflow = options.onOverflow ?? (() => stream.destroy());
    this.#defer = options.defer ?? ((run) => process.nextTick(run));
    stream.on('drain', () => {
      this.#blocked = false;
      this.#settle();
    });
    stream.once('close', () => this.#die());
  }

  /** Bytes pushed so far. */
  pushedBytes = 0;

  /** How many of them the operating system has taken; -1 when the stream is gone. */
  get sentBytes(): number {
    return this.#dead ? -1 : this.pushedBytes - this.heldBytes;
  }

  /** Bytes pushed that the stream has not passed on yet. */
  get heldBytes(): number {
    return this.#pendingBytes + this.#stream.writableLength;
  }

  /** True while the peer reads slower than we write: stop making replies, or stop reading requests. */
  get congested(): boolean {
    const congested = this.#blocked || this.heldBytes >= this.#congestedBytes;
    if (congested) this.#wasCongested = true;
    return congested;
  }

  /**
   * Adds buffer[start, end) to the turn. The bytes must not change afterwards. With a pool the buffer belongs to the
   * outbox from now on.
   */
  push(buffer: Buffer, start = 0, end: number = buffer.length, pool: Lender | null = null): void {
    if (this.#dead || start === end) return;
    const last = this.#buffers.length - 1;
    if (pool === null && last >= 0 && this.#buffers[last] === buffer && this.#ends[last] === start) {
      this.#ends[last] = end;
    } else {
      this.#buffers.push(buffer);
      this.#starts.push(start);
      this.#ends.push(end);
      this.#pools.push(pool);
    }
    this.#pendingBytes += end - start;
    this.pushedBytes += end - start;
    if (this.heldBytes > this.#heldBytesMax) {
      this.#die();
      this.#onOverflow();
      return;
    }
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.#defer(this.#flush);
    }
  }

  /** Adds the frame that the writer holds and lets the writer begin the next one. */
  pushFrame(writer: Writer): void {
    this.push(writer.buffer, writer.start, writer.offset, writer.pool);
    writer.next();
  }

  /** Writes what the turn has collected. Called by itself at the end of the turn. */
  flush(): void {
    this.#scheduled = false;
    const count = this.#buffers.length;
    if (this.#dead || count === 0) return;
    const stream = this.#stream;
    if (count > 1) stream.cork();
    for (let i = 0; i < count; i++) {
      const buffer = this.#buffers[i]!;
      const whole = this.#starts[i] === 0 && this.#ends[i] === buffer.length;
      const piece = whole ? buffer : buffer.subarray(this.#starts[i], this.#ends[i]);
      const pool = this.#pools[i]!;
      let more: boolean;
      if (pool === null) more = stream.write(piece);
      else {
        this.#lent.push(buffer);
        this.#lenders.push(pool);
        more = stream.write(piece, this.#written);
      }
      if (!more) this.#blocked = true;
    }
    this.#forget();
    if (count > 1) stream.uncork();
    if (this.#blocked) {
      this.#wasCongested = true;
      // A stream that drained while it was being written to has already said so.
      if (!stream.writableNeedDrain) this.#blocked = false;
    }
    this.#settle();
  }

  #settle(): void {
    if (!this.#wasCongested || this.#dead || this.congested) return;
    this.#wasCongested = false;
    this.#onDrain?.();
  }

  #forget(): void {
    this.#buffers.length = 0;
    this.#starts.length = 0;
    this.#ends.length = 0;
    this.#pools.length = 0;
    this.#pendingBytes = 0;
  }

  #die(): void {
    this.#dead = true;
    this.#forget();
  }
}
