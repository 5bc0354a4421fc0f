// Buffers for frames that cross chunks, used again and again: a connection under load gathers one frame after the
// other, and a new buffer for each keeps the collector busy.
//
// Invariants:
// - a buffer is with one user at a time, from `take` until `give`; what is given may not be looked at any more;
// - at most `keptBytesMax` bytes are kept for later; sizes are powers of two, so a kept one fits many frames.

const SMALLEST = 12;
const LARGEST = 24;
const KEPT_BYTES_MAX = 32 * 1024 * 1024;

/** Where a buffer goes back to. */
export interface Lender {
  give(buffer: Buffer): void;
}

export class BufferPool implements Lender {
  readonly #keptBytesMax: number;
  /** Kept buffers by the exponent of their size. */
  readonly #kept: Buffer[][] = Array.from({ length: LARGEST + 1 }, () => []);
  #keptBytes = 0;

  constructor(keptBytesMax: number = KEPT_BYTES_MAX) {
    this.#keptBytesMax = keptBytesMax;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** A buffer of at least so many bytes, with anything in it. */
  take(bytes: number): Buffer {
    const exponent = Math.max(SMALLEST, 32 - Math.clz32(bytes - 1));
    // Very large frames are rare and are not worth keeping memory for.
    if (exponent > LARGEST || bytes < 1) return Buffer.allocUnsafeSlow(bytes);
    const kept = this.#kept[exponent]!.pop();
    if (kept === undefined) return Buffer.allocUnsafeSlow(2 ** exponent);
    this.#keptBytes -= kept.length;
    return kept;
  }

  /** Gives back what `take` gave. */
  give(buffer: Buffer): void {
    const exponent = 31 - Math.clz32(buffer.length);
    if (2 ** exponent !== buffer.length || exponent < SMALLEST || exponent > LARGEST) return;
    if (this.#keptBytes + buffer.length > this.#keptBytesMax) return;
    this.#kept[exponent]!.push(buffer);
    this.#keptBytes += buffer.length;
  }
}
