/**
 * Random numbers that a seed repeats, so that a failed run can be told by one number. The generator is Jenkins's small
 * fast counting one (128 bits of state, of which 32 count), its state spread from the seed by the murmur3 finaliser.
 *
 * Invariant: the same seed and the same calls give the same answers on every machine.
 */
import type { Random } from '../types.ts';

const TWO32 = 0x1_0000_0000;

export class SimRandom implements Random {
  readonly seed: number;
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  /** `seed`: any safe integer. */
  constructor(seed: number) {
    this.seed = seed;
    const low = seed >>> 0;
    const high = Math.floor(seed / TWO32) >>> 0;
    this.a = mix(low ^ 0x9e3779b9);
    this.b = mix(high ^ 0x7f4a7c15);
    this.c = mix(low + Math.imul(high, 0x85ebca6b));
    for (let n = 0; n < 12; n++) this.u32();
  }

  u32(): number {
    const sum = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** 0 … n - 1, each as likely as the others; `n` up to 2^53. */
  int(n: number): number {
    if (!(n >= 1 && n <= Number.MAX_SAFE_INTEGER + 1)) throw new RangeError(`no random integer below ${n}`);
    if (n > TWO32) return Math.floor(this.fraction() * n);
    // What lies above the largest multiple of n would favour the small numbers.
    const limit = TWO32 - (TWO32 % n);
    let value = this.u32();
    while (value >= limit) value = this.u32();
    return value % n;
  }

  /** 0 ≤ x < 1, of 53 bits. */
  fraction(): number {
    return ((this.u32() >>> 5) * 0x4000000 + (this.u32() >>> 6)) / 0x20000000000000;
  }

  chance(p: number): boolean {
    return this.fraction() < p;
  }

  pick<T>(array: readonly T[]): T {
    return array[this.int(array.length)]!;
  }

  /** In place; returns the array. */
  shuffle<T>(array: T[]): T[] {
    for (let n = array.length - 1; n > 0; n--) {
      const other = this.int(n + 1);
      const kept = array[n]!;
      array[n] = array[other]!;
      array[other] = kept;
    }
    return array;
  }

  bytes(target: Buffer): Buffer {
    let at = 0;
    for (; at + 4 <= target.length; at += 4) target.writeUInt32LE(this.u32(), at);
    for (let rest = this.u32(); at < target.length; at++, rest >>>= 8) target[at] = rest & 0xff;
    return target;
  }
}

function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
