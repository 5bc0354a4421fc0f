/**
 * Cuts a stream of chunks into frames (spec 4.2.3): type octet, channel, size, payload, end octet.
 *
 * Invariants:
 * - a frame that lies whole in a chunk is handed over in place, by offsets; nothing is copied or allocated for it;
 * - a method or header frame that is split is assembled in one slab, which the next such frame reuses;
 * - a body frame that is split is handed over in pieces and never assembled: its bytes are copied once, by the sink;
 * - after `push` returns the parser holds no reference to the chunk;
 * - `pause` ends `push` behind the frame at hand: the caller keeps the rest of the chunk and pushes it again later;
 * - a frame is complete only when its end octet was right. `bodyEnd` says so for bodies.
 */

import { AmqpError } from './amqp-error.ts';

export const frameMethod = 1;
export const frameHeader = 2;
export const frameBody = 3;
export const frameHeartbeat = 8;
export const frameEnd = 0xce;
/** Octets of a frame around its payload: seven in front, one behind. */
export const frameOverheadBytes = 8;

const headBytes = 7;
const slabBytesMin = 4096;

export interface FrameSink {
  method(channel: number, buffer: Buffer, start: number, end: number): void;
  header(channel: number, buffer: Buffer, start: number, end: number): void;
  bodyPart(channel: number, buffer: Buffer, start: number, end: number): void;
  bodyEnd(channel: number): void;
  heartbeat(channel: number, payloadBytes: number): void;
}

export class FrameParser {
  /** The largest payload accepted. */
  payloadBytesMax: number;
  readonly #sink: FrameSink;
  readonly #head = Buffer.alloc(headBytes);
  /** How many octets of the current frame's head have arrived; all of them while its payload is awaited. */
  #headFilled = 0;
  #payloadBytes = 0;
  #payloadFilled = 0;
  #slab: Buffer = Buffer.alloc(0);
  #stopped = false;
  #paused = false;

  constructor(sink: FrameSink, payloadBytesMax: number) {
    this.#sink = sink;
    this.payloadBytesMax = payloadBytesMax;
  }

  /** Nothing is handed over from now on, not even the rest of the chunk at hand. */
  stop(): void {
    this.#stopped = true;
  }

  /** Hands nothing more over in this push. */
  pause(): void {
    this.#paused = true;
  }

  /**
   * Parses chunk[start…) and returns the offset behind what was taken: the end of the chunk, unless a frame's handler
   * paused. Throws AmqpError (FRAME_ERROR) where the stream cannot be followed any further.
   */
  push(chunk: Buffer, start = 0): number {
    let at = start;
    const end = chunk.length;
    if (this.#stopped) return end;
    this.#paused = false;
    if (this.#headFilled > 0) at = this.#resume(chunk, at);
    while (!this.#stopped && !this.#paused && end - at >= headBytes) {
      const bytes = chunk.readUInt32BE(at + 3);
      this.#checkHead(chunk[at]!, bytes);
      const payloadAt = at + headBytes;
      if (end - payloadAt <= bytes) break;
      if (chunk[payloadAt + bytes] !== frameEnd) throw wrongEnd(chunk[payloadAt + bytes]!);
      this.#deliver(chunk[at]!, chunk.readUInt16BE(at + 1), chunk, payloadAt, payloadAt + bytes);
      at = payloadAt + bytes + 1;
    }
    if (this.#paused) return at;
    if (!this.#stopped && at < end) this.#begin(chunk, at);
    return end;
  }

  #checkHead(type: number, bytes: number): void {
    if (type !== frameMethod && type !== frameHeader && type !== frameBody && type !== frameHeartbeat) {
      throw new AmqpError('FRAME_ERROR', `unknown frame type ${type}`);
    }
    if (bytes > this.payloadBytesMax) {
      throw new AmqpError(
        'FRAME_ERROR',
        `frame payload of ${bytes} bytes exceeds the maximum of ${this.payloadBytesMax}`,
      );
    }
  }

  #deliver(type: number, channel: number, buffer: Buffer, start: number, end: number): void {
    switch (type) {
      case frameMethod:
        this.#sink.method(channel, buffer, start, end);
        return;
      case frameHeader:
        this.#sink.header(channel, buffer, start, end);
        return;
      case frameBody:
        this.#sink.bodyPart(channel, buffer, start, end);
        if (!this.#stopped) this.#sink.bodyEnd(channel);
        return;
      default:
        this.#sink.heartbeat(channel, end - start);
    }
  }

  /** Keeps the part of a frame with which a chunk ends. */
  #begin(chunk: Buffer, start: number): void {
    this.#headFilled = 0;
    this.#payloadFilled = 0;
    this.#resume(chunk, start);
  }

  /** Goes on with a frame that began in an earlier chunk. Returns the offset behind it, or the end of the chunk. */
  #resume(chunk: Buffer, start: number): number {
    let at = start;
    const end = chunk.length;
    if (this.#headFilled < headBytes) {
      const take = Math.min(headBytes - this.#headFilled, end - at);
      chunk.copy(this.#head, this.#headFilled, at, at + take);
      this.#headFilled += take;
      at += take;
      if (this.#headFilled < headBytes) return at;
      this.#payloadBytes = this.#head.readUInt32BE(3);
      this.#checkHead(this.#head[0]!, this.#payloadBytes);
      if (this.#head[0] !== frameBody && this.#slab.length < this.#payloadBytes) {
        this.#slab = Buffer.allocUnsafeSlow(Math.max(slabBytesMin, this.#payloadBytes));
      }
    }
    const type = this.#head[0]!;
    const channel = this.#head.readUInt16BE(1);
    const take = Math.min(this.#payloadBytes - this.#payloadFilled, end - at);
    if (take > 0) {
      if (type === frameBody) this.#sink.bodyPart(channel, chunk, at, at + take);
      else chunk.copy(this.#slab, this.#payloadFilled, at, at + take);
      this.#payloadFilled += take;
      at += take;
    }
    if (this.#stopped || this.#payloadFilled < this.#payloadBytes || at === end) return at;
    if (chunk[at] !== frameEnd) throw wrongEnd(chunk[at]!);
    this.#headFilled = 0;
    this.#payloadFilled = 0;
    if (type === frameBody) this.#sink.bodyEnd(channel);
    else this.#deliver(type, channel, this.#slab, 0, this.#payloadBytes);
    return at + 1;
  }
}

function wrongEnd(octet: number): AmqpError {
  return new AmqpError(
    'FRAME_ERROR',
    `frame end is octet 0x${octet.toString(16).padStart(2, '0')} where 0xce is expected`,
  );
}
