// What a stream brings, in memory that is used again: a new buffer for each read keeps the collector busy, the more the
// faster clients send.
//
// Node offers this to sockets that connect (`onread` of net.connect), not to those that a server accepts; their side of it
// is reached here through fields of Socket that are not documented. Where they are not found, and for TLS and any other
// stream, reads come as 'data' events, as always.
//
// Invariant: the bytes are good until `take` returns, whichever way they came.
import type { Duplex } from 'node:stream';

/** As much as Linux usually has for a socket that was not read for a while. */
const READ_BYTES = 256 * 1024;
/** One for all sockets: what was read is taken before the next read. */
const memory = Buffer.allocUnsafeSlow(READ_BYTES);

interface Handle {
  useUserBuffer(buffer: Buffer): void;
}

export function takeReads(stream: Duplex, take: (bytes: Buffer) => void): void {
  if (!takeIntoMemory(stream, take)) stream.on('data', take);
}

/** Whether the socket reads into the memory from now on. */
function takeIntoMemory(stream: Duplex, take: (bytes: Buffer) => void): boolean {
  if (!('_handle' in stream) || 'encrypted' in stream) return false;
  const fields = stream as unknown as Record<symbol, unknown> & { readonly _handle: Partial<Handle> | null };
  const named = (name: string): symbol | undefined =>
    Object.getOwnPropertySymbols(stream).find(({ description }) => description === name);
  const [buffer, callback, generator] = [named('kBuffer'), named('kBufferCb'), named('kBufferGen')];
  const { _handle: handle } = fields;
  if (buffer === undefined || callback === undefined || generator === undefined) return false;
  if (typeof handle?.useUserBuffer !== 'function') return false;
  fields[buffer] = memory;
  fields[generator] = null;
  fields[callback] = (bytes: number): boolean => {
    take(memory.subarray(0, bytes));
    return true;
  };
  handle.useUserBuffer(memory);
  // What was read before this would never come; the next read is not before the next turn.
  const early = stream.read() as Buffer | null;
  if (early !== null) process.nextTick(() => take(early));
  stream.resume();
  return true;
}
