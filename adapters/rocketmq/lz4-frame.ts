// Decodes LZ4 frames (LZ4 Frame Format 1.6, LZ4 Block Format) into at most `bytesMax` bytes.
//
// Only message bodies that other protocols read come here, so it is written for a bounded result rather than for
// speed: the size is not always told in advance, and a small frame can grow 255 times.
//
// Invariants: never writes more than bytesMax, never reads behind the frame; whatever is malformed is a RangeError.
// Checksums are passed over: the log's own checksum covers the bytes.

const MAGIC = 0x184d2204;

export function decodeLz4Frame(frame: Buffer, bytesMax: number): Buffer {
  need(frame.length >= 7 && frame.readUInt32LE(0) === MAGIC, 'no LZ4 frame');
  const flags = frame[4]!;
  need(flags >> 6 === 1, 'an unknown LZ4 frame version');
  const blockChecksums = (flags & 0x10) !== 0;
  let at = 6;
  if ((flags & 0x08) !== 0) at += 8;
  if ((flags & 0x01) !== 0) at += 4;
  at += 1;
  const output = new Output(bytesMax);
  for (;;) {
    need(at + 4 <= frame.length, 'an LZ4 frame that ends early');
    const head = frame.readUInt32LE(at);
    at += 4;
    if (head === 0) return output.take();
    const size = head & 0x7fff_ffff;
    const end = at + size;
    need(end <= frame.length, 'an LZ4 block that ends early');
    if (head >>> 31 === 1) output.copyFrom(frame, at, end);
    else decodeBlock(frame, at, end, output);
    at = blockChecksums ? end + 4 : end;
  }
}

function decodeBlock(block: Buffer, start: number, end: number, output: Output): void {
  let at = start;
  while (at < end) {
    const token = block[at++]!;
    let literals = token >> 4;
    if (literals === 15) {
      for (let more = 255; more === 255; literals += more) {
        need(at < end, 'an LZ4 length that ends early');
        more = block[at++]!;
      }
    }
    need(literals <= end - at, 'LZ4 literals that end early');
    output.copyFrom(block, at, at + literals);
    at += literals;
    // The last sequence of a block has literals only.
    if (at === end) return;
    need(at + 2 <= end, 'an LZ4 match that ends early');
    const distance = block.readUInt16LE(at);
    at += 2;
    let length = (token & 15) + 4;
    if (length === 19) {
      for (let more = 255; more === 255; length += more) {
        need(at < end, 'an LZ4 length that ends early');
        more = block[at++]!;
      }
    }
    output.repeat(distance, length);
  }
}

class Output {
  #buffer = Buffer.allocUnsafe(4096);
  #length = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  copyFrom(source: Buffer, start: number, end: number): void {
    this.#room(end - start);
    source.copy(this.#buffer, this.#length, start, end);
    this.#length += end - start;
  }

  /** Copies `length` bytes from `distance` back; they may overlap what is being written. */
  repeat(distance: number, length: number): void {
    need(distance > 0 && distance <= this.#length, 'an LZ4 match before the beginning');
    this.#room(length);
    const buffer = this.#buffer;
    let from = this.#length - distance;
    for (let i = 0; i < length; i++) buffer[this.#length++] = buffer[from++]!;
  }

  take(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #room(count: number): void {
    const wanted = this.#length + count;
    need(wanted <= this.#bytesMax, `more than ${this.#bytesMax} bytes decoded`);
    if (wanted <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.min(this.#bytesMax, Math.max(wanted, this.#buffer.length * 2)));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

function need(condition: boolean, what: string): void {
  if (!condition) throw new RangeError(what);
}
