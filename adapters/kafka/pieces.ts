// A reply that is not one buffer: bytes that were written for it, and between them large slices of the log as they are.
//
// A slice stays good for as long as it is held (see ReadUnit), but it holds the whole buffer that it lies in. So only
// large payloads are taken as slices, and the buffers that one reply may hold are bounded; the rest is copied.
//
// Invariants:
// - order of pieces is order on the wire: piece i of the slices comes behind `cuts[i]` bytes of the written ones;
// - nobody writes into a slice.
import type { Writer } from '../wire/writer.ts';

/** Below this one more piece for the socket costs more than the copy that it saves (measured: even at 16 to 64 KiB). */
const SLICE_BYTES_MIN = 32 * 1024;
/** Buffers of the log that one reply may hold: two chunks of its tail. */
const HELD_BYTES_MAX = 8 * 1024 * 1024;

export class Pieces {
  readonly cuts: number[] = [];
  readonly slices: Buffer[] = [];
  /** Bytes of the slices. */
  bytes = 0;
  #heldBytes = 0;
  #last: ArrayBufferLike | null = null;

  /**
   * Puts the bytes into the reply, behind what the writer has written of it so far: as they are, or as a copy; as a copy
   * always when they are not `lasting`.
   */
  add(payload: Buffer, lasting: boolean, writer: Writer): void {
    if (!lasting || payload.length < SLICE_BYTES_MIN || !this.#mayHold(payload.buffer)) {
      writer.bytes(payload);
      return;
    }
    this.cuts.push(writer.length);
    this.slices.push(payload);
    this.bytes += payload.length;
  }

  #mayHold(memory: ArrayBufferLike): boolean {
    if (memory === this.#last) return true;
    if (this.#heldBytes + memory.byteLength > HELD_BYTES_MAX) return false;
    this.#last = memory;
    this.#heldBytes += memory.byteLength;
    return true;
  }
}
