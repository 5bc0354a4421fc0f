// Cuts a byte stream into frames.
//
// A frame that lies whole in a chunk is delivered in place. A frame that crosses chunks is gathered into a buffer of
// its own, copied once, so that a frame of any size is always contiguous and nothing is concatenated twice.
//
// Invariants:
// - without a pool the bytes delivered stay as they are for as long as the chunk does: no memory is reused, so a frame
//   may outlive the callback wherever the stream does not reuse its chunks. With a pool, or with reads into the same
//   memory (reused-reads.ts), a frame is only good until the callback returns;
// - no memory is taken for a frame before its head has been read and its size found within the limit;
// - after `stop` no frame is delivered, not even from the chunk at hand.

import type { BufferPool } from './buffer-pool.ts';
import { WireError } from './wire-error.ts';

/** How a protocol marks its frames. */
export interface FrameLayout {
  /** Bytes that must be there before the size can be told. */
  readonly headBytes: number;
  /** Where the delivered part begins, counted from the frame's first byte. */
  readonly bodyAt: number;
  /** The size of the whole frame whose head begins at `at`. Throws WireError when it is negative or over the limit. */
  totalBytes(buffer: Buffer, at: number): number;
}

/** Frames led by an int32 that counts the bytes behind it; these are what is delivered. */
export class Int32Frames implements FrameLayout {
  readonly headBytes = 4;
  readonly bodyAt = 4;
  /** Largest frame accepted, without its length. May change while the connection lives, for example after login. */
  frameBytesMax: number;

  constructor(frameBytesMax: number) {
    this.frameBytesMax = frameBytesMax;
  }

  totalBytes(buffer: Buffer, at: number): number {
    const bytes = buffer.readInt32BE(at);
    if (bytes < 0) throw new WireError(`a frame of ${bytes} bytes`);
    if (bytes > this.frameBytesMax) throw new WireError(`a frame of ${bytes} bytes exceeds ${this.frameBytesMax}`);
    return bytes + 4;
  }
}

export type FrameHandler = (buffer: Buffer, start: number, end: number) => void;

export class Framer {
  readonly #layout: FrameLayout;
  readonly #onFrame: FrameHandler;
  readonly #pool: BufferPool | null;
  /** The head of a frame whose size is not known yet. */
  readonly #head: Buffer;
  #headHave = 0;
  /** The frame being gathered, with `#have` of its `#total` bytes in it. */
  #frame: Buffer | null = null;
  #total = 0;
  #have = 0;
  #stopped = false;

  constructor(layout: FrameLayout, onFrame: FrameHandler, pool: BufferPool | null = null) {
    this.#layout = layout;
    this.#onFrame = onFrame;
    this.#pool = pool;
    this.#head = Buffer.alloc(layout.headBytes);
  }

  /** Bytes held for a frame that is not complete. */
  get pendingBytes(): number {
    return this.#frame === null ? this.#headHave : this.#total;
  }

  /** Takes the next bytes of the stream and delivers every frame that they complete, in order. */
  push(chunk: Buffer): void {
    const layout = this.#layout;
    let at = 0;
    if (this.#stopped) return;
    if (this.#frame !== null || this.#headHave > 0) {
      at = this.#continue(chunk);
      if (at < 0 || this.#stopped) return;
    }
    const end = chunk.length;
    while (end - at >= layout.headBytes) {
      const total = layout.totalBytes(chunk, at);
      if (total > end - at) {
        this.#begin(total);
        break;
      }
      const next = at + total;
      this.#onFrame(chunk, at + layout.bodyAt, next);
      if (this.#stopped) return;
      at = next;
    }
    if (at < end) this.#keep(chunk, at, end);
  }

  /** Delivers nothing any more and lets go of what is held. */
  stop(): void {
    this.#stopped = true;
    if (this.#frame !== null) this.#pool?.give(this.#frame);
    this.#frame = null;
    this.#headHave = 0;
  }

  /** Goes on with the frame that an earlier chunk began. Returns where the next one begins, or -1 if it is still open. */
  #continue(chunk: Buffer): number {
    let at = 0;
    if (this.#frame === null) {
      const headBytes = this.#layout.headBytes;
      at = chunk.copy(this.#head, this.#headHave, 0, headBytes - this.#headHave);
      this.#headHave += at;
      if (this.#headHave < headBytes) return -1;
      this.#begin(this.#layout.totalBytes(this.#head, 0));
      this.#head.copy(this.#frame!, 0);
      this.#have = headBytes;
      this.#headHave = 0;
    }
    const frame: Buffer = this.#frame!;
    const copied = chunk.copy(frame, this.#have, at, at + this.#total - this.#have);
    this.#have += copied;
    if (this.#have < this.#total) return -1;
    this.#frame = null;
    this.#onFrame(frame, this.#layout.bodyAt, this.#total);
    this.#pool?.give(frame);
    return at + copied;
  }

  #begin(total: number): void {
    // Small buffers come from Node's shared pool; a large one must not pin anything else, nor be zeroed first.
    if (this.#pool !== null) this.#frame = this.#pool.take(total);
    else this.#frame = total < 4096 ? Buffer.allocUnsafe(total) : Buffer.allocUnsafeSlow(total);
    this.#total = total;
    this.#have = 0;
  }

  #keep(chunk: Buffer, at: number, end: number): void {
    if (this.#frame !== null) this.#have = chunk.copy(this.#frame, 0, at, end);
    else this.#headHave = chunk.copy(this.#head, 0, at, end);
  }
}
