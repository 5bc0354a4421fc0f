/**
 * Records of a few integers and at most one float, kept in typed arrays and named by a small number: what is made and
 * dropped per request costs the collector nothing. Shrinks to its first size when the last record is given back.
 *
 * Invariant: a free record's first integer names the next free one, -1 at the end. `ints` and `floats` are replaced
 * when the slab grows: hold neither across a call of take.
 */
const FIRST_SIZE = 64;

export class Slab {
  ints: Int32Array;
  floats: Float64Array;
  used = 0;
  private readonly stride: number;
  private free = -1;
  /** Records from here on have never been taken. */
  private fresh = 0;

  /** `stride` is the number of integers per record. */
  constructor(stride: number) {
    this.stride = stride;
    this.ints = new Int32Array(FIRST_SIZE * stride);
    this.floats = new Float64Array(FIRST_SIZE);
  }

  get capacity(): number {
    return this.floats.length;
  }

  /** A record with whatever its fields held last. */
  take(): number {
    this.used++;
    if (this.free >= 0) {
      const id = this.free;
      this.free = this.ints[id * this.stride]!;
      return id;
    }
    if (this.fresh === this.floats.length) this.resize(this.fresh * 2);
    return this.fresh++;
  }

  give(id: number): void {
    if (--this.used === 0) {
      this.free = -1;
      this.fresh = 0;
      if (this.floats.length > FIRST_SIZE * 64) this.resize(FIRST_SIZE);
      return;
    }
    this.ints[id * this.stride] = this.free;
    this.free = id;
  }

  private resize(records: number): void {
    const ints = new Int32Array(records * this.stride);
    const floats = new Float64Array(records);
    ints.set(this.ints.subarray(0, this.fresh * this.stride));
    floats.set(this.floats.subarray(0, this.fresh));
    this.ints = ints;
    this.floats = floats;
  }
}
