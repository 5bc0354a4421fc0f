// The one error of the wire layer: bytes that cannot be what the peer claims they are.
//
// Invariant: everything in adapters/wire that meets bad input throws a WireError and nothing else, so that a
// connection needs one catch: WireError means "the peer's bytes are wrong", any other error is our own bug.

export class WireError extends Error {
  override readonly name = 'WireError';
}

/** Thrown when a field ends behind the bytes it was given. Kept out of line so that the readers stay small enough to inline. */
export function throwShort(offset: number, wanted: number, end: number): never {
  throw new WireError(`${wanted} bytes wanted at ${offset}, the frame ends at ${end}`);
}
