/**
 * Where a keyed message goes when its producer leaves the choice to the broker: murmur2 over the key's bytes, the
 * function that most producers of partitioned logs use themselves, so that keys sent through any protocol meet in one queue.
 */

/** 32-bit murmur2 with the seed that producers of the field use. */
export function murmur2(bytes: Buffer): number {
  const m = 0x5bd1e995;
  const length = bytes.length;
  let h = 0x9747b28c ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let k = bytes.readInt32LE(at);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    k = Math.imul(k, m);
    h = Math.imul(h, m) ^ k;
  }
  const rest = length - at;
  if (rest === 3) h ^= bytes[at + 2]! << 16;
  if (rest >= 2) h ^= bytes[at + 1]! << 8;
  if (rest >= 1) h = Math.imul(h ^ bytes[at]!, m);
  h ^= h >>> 13;
  h = Math.imul(h, m);
  h ^= h >>> 15;
  return h | 0;
}

export function placeByKey(key: Buffer, queues: number): number {
  return (murmur2(key) & 0x7fffffff) % queues;
}
