/**
 * Strings by their octets, for the names that every publish repeats: decoding costs more than comparing.
 *
 * Invariants: made at first use, as connections that only read need none; bounded (one entry per slot, names up to
 * 255 octets); the octets of an entry are its own copy.
 */

const slots = 256;

export class TextCache {
  #octets: (Buffer | undefined)[] = [];
  #texts: string[] = [];

  get(buffer: Buffer, at: number, bytes: number): string {
    if (bytes === 0) return '';
    if (this.#texts.length === 0) {
      this.#octets = Array.from({ length: slots });
      this.#texts = Array.from({ length: slots }, () => '');
    }
    let hash = bytes;
    for (let i = at; i < at + bytes; i++) hash = (Math.imul(hash, 31) + buffer[i]!) | 0;
    const slot = (hash ^ (hash >>> 11)) & (slots - 1);
    const known = this.#octets[slot];
    if (known !== undefined && known.length === bytes && known.compare(buffer, at, at + bytes) === 0) {
      return this.#texts[slot]!;
    }
    const text = buffer.toString('utf8', at, at + bytes);
    this.#octets[slot] = Buffer.from(buffer.subarray(at, at + bytes));
    this.#texts[slot] = text;
    return text;
  }
}
