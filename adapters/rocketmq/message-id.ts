// The id of a stored message as RocketMQ clients see it: `physicalOffset`, and `offsetMsgId` which is the store host
// and that offset in hexadecimal.
//
// To a client the physical offset is opaque, but it comes back in 33, 36 and 37, and clients written in JavaScript
// read it as a double. So it is not a log position but (queue number, queue offset), in one of two packings:
//
//   short  queue number (21 bits) · offset (32 bits)         below 2^53, exact as a double
//   long   1 · queue number (23 bits) · offset (39 bits)     bit 62 set, for queues or offsets beyond that
//
// Invariants: a packing is never negative, and (queue, offset) ↔ packing is one to one, since the long form is used
// only where the short one cannot.

const TWO_POW_32 = 0x1_0000_0000;
const SHORT_QUEUE_MAX = 0x1f_ffff;
const LONG_MARK = 0x4000_0000;

export interface MessagePlace {
  queue: number;
  offset: number;
}

/** High 32 bits of the packing. */
export function physicalHigh(queue: number, offset: number): number {
  if (queue <= SHORT_QUEUE_MAX && offset < TWO_POW_32) return queue;
  return LONG_MARK + queue * 0x80 + Math.floor(offset / TWO_POW_32);
}

/** Low 32 bits of the packing, unsigned. */
export function physicalLow(offset: number): number {
  return offset % TWO_POW_32;
}

/** Undoes the packing; null when it is none of ours. */
export function placeOf(physicalOffset: bigint): MessagePlace | null {
  if (physicalOffset < 0n) return null;
  const high = Number(physicalOffset >> 32n);
  const low = Number(physicalOffset & 0xffff_ffffn);
  if (high <= SHORT_QUEUE_MAX) return { queue: high, offset: low };
  if (high < LONG_MARK) return null;
  const queue = (high - LONG_MARK) >>> 7;
  const offset = (high & 0x7f) * TWO_POW_32 + low;
  if (queue <= SHORT_QUEUE_MAX && offset < TWO_POW_32) return null;
  return { queue, offset };
}

/** A host and port as stored in messages: address bytes and an int32. */
export class HostBytes {
  readonly bytes: Buffer;
  readonly isV6: boolean;

  constructor(host: string, port: number) {
    const address = addressBytes(host) ?? Buffer.alloc(4);
    this.isV6 = address.length === 16;
    this.bytes = Buffer.alloc(address.length + 4);
    address.copy(this.bytes);
    this.bytes.writeInt32BE(port, address.length);
  }
}

/** The 4 or 16 bytes of an address in text; null when it is a name. IPv4 inside of IPv6 counts as IPv4. */
export function addressBytes(host: string): Buffer | null {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host);
  const text = mapped?.[1] ?? host;
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) {
    const parts = text.split('.').map(Number);
    return parts.every((part) => part < 256) ? Buffer.from(parts) : null;
  }
  return text.includes(':') ? ipv6Bytes(text.replace(/%.*$/, '')) : null;
}

function ipv6Bytes(text: string): Buffer | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const left = halves[0] === '' ? [] : halves[0]!.split(':');
  const right = halves.length === 1 || halves[1] === '' ? [] : halves[1]!.split(':');
  const missing = 8 - left.length - right.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const groups = [...left, ...Array.from({ length: missing }, () => '0'), ...right];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null;
  const bytes = Buffer.alloc(16);
  for (const [i, group] of groups.entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), i * 2);
  return bytes;
}

/** The address that HostBytes wrote, in text. */
export function hostText(bytes: Buffer, start: number, end: number): string {
  const address = bytes.subarray(start, end - 4);
  const port = bytes.readInt32BE(end - 4);
  if (address.length === 4) return `${address.join('.')}:${port}`;
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(address.readUInt16BE(i).toString(16));
  return `[${groups.join(':')}]:${port}`;
}

/** Writes the bytes of an offsetMsgId (without hexadecimal) to target[at …); returns where they end. */
export function putOffsetMsgId(target: Buffer, at: number, host: HostBytes, queue: number, offset: number): number {
  let to = at;
  for (let i = 0; i < host.bytes.length; i++) target[to++] = host.bytes[i]!;
  // A message that is not due yet has no place: all bits set is an id that nothing has.
  const high = offset < 0 ? -1 : physicalHigh(queue, offset);
  const low = offset < 0 ? -1 : physicalLow(offset);
  to = target.writeInt32BE(high | 0, to);
  return target.writeInt32BE(low | 0, to);
}
