// Strings that come again and again (topics, groups, client ids) decoded once.
//
// Invariants: the cache is bounded, never wrong (bytes are compared), and holds only short texts. A slot is simply
// overwritten by the next text that falls into it: no ageing, no pointer chasing.

const SLOTS = 4096;
const TEXT_BYTES_MAX = 160;

const texts: string[] = Array.from({ length: SLOTS }, () => '');
const sources: (Buffer | null)[] = Array.from({ length: SLOTS }, () => null);

/** buffer[start, end) as text. */
export function byteText(buffer: Buffer, start: number, end: number): string {
  const length = end - start;
  if (length === 0) return '';
  if (length > TEXT_BYTES_MAX) return buffer.toString('utf8', start, end);
  let h = length;
  for (let i = start; i < end; i++) h = (Math.imul(h, 31) + buffer[i]!) | 0;
  const slot = (h ^ (h >>> 12)) & (SLOTS - 1);
  const source = sources[slot]!;
  if (source !== null && source.length === length) {
    let i = 0;
    while (i < length && source[i] === buffer[start + i]) i++;
    if (i === length) return texts[slot]!;
  }
  const text = buffer.toString('utf8', start, end);
  // A copy: a slice would keep the whole chunk alive.
  sources[slot] = Buffer.from(buffer.subarray(start, end));
  texts[slot] = text;
  return text;
}
