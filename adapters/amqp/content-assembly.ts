/**
 * Gathers one published message straight into its stored form: the head at basic.publish, the properties at the header
 * frame, the body as its pieces arrive. Each octet is copied once, from the chunk to where the core takes it.
 *
 * Invariants: one buffer per connection is lent from message to message (the core copies during append), unless
 * channels interleave their contents; memory grows with what has arrived, not with what a header announces; the buffers
 * that the channels of a connection gather in are bounded together.
 */

import { AmqpError } from './amqp-error.ts';
import { storedOverheadBytes, storedVersion } from './stored-message.ts';

/** A larger buffer is not kept for the next message. */
const keptBytesMax = 256 * 1024;
const slabBytesMin = 4096;
const empty = Buffer.alloc(0);

/** What the channels of a connection share: the buffer they take turns with, and a limit on what they gather together. */
export interface Loan {
  spare: Buffer;
  /** The sizes of the buffers that contents are being gathered in. */
  gatheringBytes: number;
  readonly gatheringBytesMax: number;
}

/**
 * The last part of a gathered message that was asked for: a publisher's messages are often alike, and a view of the same
 * octets of the same buffer is the same view.
 */
export class LastView {
  #source: Buffer = empty;
  #from = 0;
  #view: Buffer = empty;

  of(source: Buffer, from: number, to: number): Buffer {
    if (source === this.#source && from === this.#from && to - from === this.#view.length) return this.#view;
    const view = source.subarray(from, to);
    if (source.length > keptBytesMax) return view;
    this.#source = source;
    this.#from = from;
    this.#view = view;
    return view;
  }
}

export class ContentAssembly {
  /** What comes next on the channel. */
  expects: 'method' | 'header' | 'body' = 'method';
  buffer: Buffer = empty;
  exchangeAt = 0;
  exchangeBytes = 0;
  routingKeyAt = 0;
  routingKeyBytes = 0;
  propertiesAt = 0;
  propertiesBytes = 0;
  bodyAt = 0;
  /** Octets gathered so far: the stored message, when it is complete. */
  filled = 0;
  mandatory = false;
  #bodyBytes = 0;
  readonly #loan: Loan;

  constructor(loan: Loan) {
    this.#loan = loan;
  }

  /** basic.publish: the exchange and routing key lie in `source` as two short strings, one behind the other. */
  begin(
    publishedMs: number,
    source: Buffer,
    at: number,
    exchangeBytes: number,
    keyBytes: number,
    mandatory: boolean,
  ): void {
    if (this.buffer.length === 0) {
      this.#take(this.#loan.spare);
      this.#loan.spare = empty;
    }
    this.#reserve(0, storedOverheadBytes + exchangeBytes + keyBytes);
    const b = this.buffer;
    b[0] = storedVersion;
    const high = Math.floor(publishedMs / 0x1_0000_0000);
    b.writeUInt32BE(high, 1);
    b.writeUInt32BE(publishedMs - high * 0x1_0000_0000, 5);
    source.copy(b, 9, at, at + 2 + exchangeBytes + keyBytes);
    this.exchangeAt = 10;
    this.exchangeBytes = exchangeBytes;
    this.routingKeyAt = 11 + exchangeBytes;
    this.routingKeyBytes = keyBytes;
    this.filled = this.routingKeyAt + keyBytes;
    this.mandatory = mandatory;
    this.expects = 'header';
  }

  /** The content header: its properties, and how large the body will be. */
  header(source: Buffer, start: number, end: number, bodyBytes: number): void {
    const bytes = end - start;
    this.#reserve(this.filled, 4 + bytes + Math.min(bodyBytes, keptBytesMax));
    this.buffer.writeUInt32BE(bytes, this.filled);
    this.propertiesAt = this.filled + 4;
    this.propertiesBytes = bytes;
    source.copy(this.buffer, this.propertiesAt, start, end);
    this.bodyAt = this.propertiesAt + bytes;
    this.filled = this.bodyAt;
    this.#bodyBytes = bodyBytes;
    this.expects = bodyBytes === 0 ? 'method' : 'body';
  }

  /** Octets of the body announced and not yet there. */
  get missing(): number {
    return this.bodyAt + this.#bodyBytes - this.filled;
  }

  body(source: Buffer, start: number, end: number): void {
    const bytes = end - start;
    if (bytes > this.missing)
      throw new AmqpError('FRAME_ERROR', `body is larger than the ${this.#bodyBytes} octets announced`);
    this.#reserve(this.filled, bytes);
    source.copy(this.buffer, this.filled, start, end);
    this.filled += bytes;
  }

  /** The message is done with; what it was gathered in may be used again. */
  end(): void {
    this.expects = 'method';
    const loan = this.#loan;
    loan.gatheringBytes -= this.buffer.length;
    if (this.buffer.length <= keptBytesMax && this.buffer.length > loan.spare.length) loan.spare = this.buffer;
    this.buffer = empty;
  }

  #reserve(filled: number, bytes: number): void {
    const wanted = filled + bytes;
    if (wanted <= this.buffer.length) return;
    const before = this.buffer;
    this.#take(Buffer.allocUnsafeSlow(Math.max(slabBytesMin, wanted, Math.min(before.length * 2, this.#whole()))));
    before.copy(this.buffer, 0, 0, filled);
  }

  #take(buffer: Buffer): void {
    const loan = this.#loan;
    loan.gatheringBytes += buffer.length - this.buffer.length;
    this.buffer = buffer;
    if (loan.gatheringBytes <= loan.gatheringBytesMax) return;
    throw new AmqpError(
      'RESOURCE_ERROR',
      `contents being sent on this connection exceed ${loan.gatheringBytesMax} octets`,
    );
  }

  #whole(): number {
    return this.expects === 'body' ? this.bodyAt + this.#bodyBytes : 0;
  }
}
