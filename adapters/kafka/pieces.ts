// A reply that is not one buffer: a frame, and between its bytes payloads of the log.
//
// How long the reply is is known before a payload has been copied, so it leaves while it is put together: the client reads
// the first bytes while the last are being copied. Large payloads leave as they lie in the log. Such a slice stays good
// for as long as it is held (see ReadUnit), but it holds the whole buffer that it lies in, so the buffers that one reply
// may hold are bounded; the rest is copied.
//
// Invariants:
// - order of pieces is order on the wire: payload i comes behind `cuts[i]` bytes of the frame;
// - what is not lasting is good until the end of the turn in which it was added, and `send` is called in that turn;
// - nobody writes into a payload.
import type { BufferPool, Lender } from '../wire/buffer-pool.ts';
import type { Outbox } from '../wire/outbox.ts';
import type { Writer } from '../wire/writer.ts';

/** As long as the frame is so small, payloads are written into it. */
const FRAME_BYTES_MAX = 16 * 1024;
/** Below this one more piece for the socket costs more than the copy that it saves (measured: even at 16 to 64 KiB). */
const SLICE_BYTES_MIN = 32 * 1024;
/** Buffers of the log that one reply may hold: two chunks of its tail. */
const HELD_BYTES_MAX = 8 * 1024 * 1024;
/** So much is copied before it is given to the socket. */
const CHUNK_BYTES = 512 * 1024;

export class Pieces {
  readonly #cuts: number[] = [];
  readonly #payloads: Buffer[] = [];
  /** Whether the payload leaves as it lies. */
  readonly #held: boolean[] = [];
  /** Bytes of the payloads that are not in the frame. */
  bytes = 0;
  /** Those of them that are copied. */
  #copiedBytes = 0;
  #heldBytes = 0;
  #last: ArrayBufferLike | null = null;

  /** Adds the payload behind what the writer has written of the frame so far. */
  add(payload: Buffer, lasting: boolean, writer: Writer): void {
    if (writer.length + payload.length <= FRAME_BYTES_MAX) {
      writer.bytes(payload);
      return;
    }
    const held = lasting && payload.length >= SLICE_BYTES_MIN && this.#mayHold(payload.buffer);
    this.#cuts.push(writer.length);
    this.#payloads.push(payload);
    this.#held.push(held);
    this.bytes += payload.length;
    if (!held) this.#copiedBytes += payload.length;
  }

  /** How many payloads leave as they lie. */
  get slices(): number {
    return this.#held.filter(Boolean).length;
  }

  #mayHold(memory: ArrayBufferLike): boolean {
    if (memory === this.#last) return true;
    if (this.#heldBytes + memory.byteLength > HELD_BYTES_MAX) return false;
    this.#last = memory;
    this.#heldBytes += memory.byteLength;
    return true;
  }

  /**
   * Gives the reply to the socket: the frame, buffer[start, end), with its payloads. `onSent` is called when the
   * operating system has taken the last copied bytes, not when the stream breaks.
   */
  send(buffer: Buffer, start: number, end: number, outbox: Outbox, pool: BufferPool, onSent: () => void): void {
    const copies = new Copies(end - start + this.#copiedBytes, outbox, pool, onSent);
    let from = start;
    for (const [i, payload] of this.#payloads.entries()) {
      const to = start + this.#cuts[i]!;
      copies.add(buffer, from, to);
      from = to;
      if (this.#held[i]!) {
        copies.cut();
        outbox.push(payload);
      } else copies.add(payload, 0, payload.length);
    }
    copies.add(buffer, from, end);
  }
}

/** Copies `left` bytes into chunks from the pool and has each leave when it is full. */
class Copies {
  readonly #outbox: Outbox;
  readonly #pool: BufferPool;
  readonly #last: Lender;
  #left: number;
  #chunk: Buffer;
  /** What of the chunk has not been pushed: chunk[#from, #to). */
  #from = 0;
  #to = 0;

  constructor(bytes: number, outbox: Outbox, pool: BufferPool, onSent: () => void) {
    this.#outbox = outbox;
    this.#pool = pool;
    this.#left = bytes;
    this.#chunk = this.#take();
    this.#last = {
      give(buffer) {
        pool.give(buffer);
        onSent();
      },
    };
  }

  #take(): Buffer {
    return this.#pool.take(Math.min(this.#left, CHUNK_BYTES));
  }

  add(source: Buffer, start: number, end: number): void {
    for (let at = start; at < end; ) {
      const room = Math.min(end - at, Math.min(this.#chunk.length, CHUNK_BYTES) - this.#to);
      source.copy(this.#chunk, this.#to, at, at + room);
      at += room;
      this.#to += room;
      this.#left -= room;
      if (this.#left === 0) this.#push(this.#last);
      else if (this.#to === CHUNK_BYTES) {
        this.#push(this.#pool);
        this.#outbox.flush();
        this.#chunk = this.#take();
        this.#from = 0;
        this.#to = 0;
      }
    }
  }

  /** Something else comes next. */
  cut(): void {
    if (this.#from < this.#to) this.#push(null);
  }

  #push(lender: Lender | null): void {
    this.#outbox.push(this.#chunk, this.#from, this.#to, lender);
    this.#from = this.#to;
  }
}
