/**
 * What comes in on one connection: the protocol header, then frames, and the means to stop reading for a while.
 *
 * Invariants: while somebody holds the intake nothing is handed over and the socket is not read; what had arrived by
 * then is kept, in order, and handed over first. Every hold is matched by one release.
 */

import type { Duplex } from 'node:stream';
import { takeReads } from '../wire/reused-reads.ts';
import type { FrameSink } from './frame-parser.ts';
import { FrameParser } from './frame-parser.ts';

export const protocolHeader = Buffer.from('AMQP\x00\x00\x09\x01', 'latin1');
/** Clients of 0-9 send this one and speak 0-9-1 well enough. */
const olderHeader = Buffer.from('AMQP\x01\x01\x00\x09', 'latin1');

export interface IntakeTarget {
  /** Octets came in and are about to be handed over. */
  turnBegins(octets: number): void;
  /** They were handed over, as far as nobody holds the intake. */
  turnEnds(): void;
  headerAccepted(): void;
  headerRefused(): void;
  /** The octets cannot be cut into frames any further; nothing more is handed over. */
  framingLost(error: unknown): void;
}

export class Intake {
  /** Octets received so far. */
  octets = 0;
  readonly #stream: Duplex;
  readonly #target: IntakeTarget;
  readonly #parser: FrameParser;
  readonly #head: number[] = [];
  readonly #kept: Buffer[] = [];
  #holds = 0;
  #stopped = false;

  constructor(stream: Duplex, sink: FrameSink, target: IntakeTarget, payloadBytesMax: number) {
    this.#stream = stream;
    this.#target = target;
    this.#parser = new FrameParser(sink, payloadBytesMax);
    takeReads(stream, (bytes) => this.#data(bytes));
  }

  set payloadBytesMax(bytes: number) {
    this.#parser.payloadBytesMax = bytes;
  }

  get isHeld(): boolean {
    return this.#holds > 0;
  }

  /** Nothing is handed over any more; what still comes in is read and dropped, so that the stream's end is seen. */
  stop(): void {
    this.#stopped = true;
    this.#parser.stop();
    this.#kept.length = 0;
  }

  hold(): void {
    this.#holds++;
    this.#parser.pause();
    this.#stream.pause();
  }

  release(): void {
    this.#holds--;
    while (this.#holds === 0 && this.#kept.length > 0) this.#take(this.#kept.shift()!, true);
    if (this.#holds === 0) this.#stream.resume();
  }

  #data(chunk: Buffer): void {
    this.octets += chunk.length;
    if (this.#stopped) return;
    if (this.#holds > 0) this.#kept.push(Buffer.from(chunk));
    else this.#take(chunk, false);
  }

  /** `lasts`: the chunk is good behind this call, too. */
  #take(chunk: Buffer, lasts: boolean): void {
    this.#target.turnBegins(chunk.length);
    const start = this.#head.length < protocolHeader.length ? this.#takeHeader(chunk) : 0;
    if (this.#stopped || this.#head.length < protocolHeader.length) return;
    try {
      const end = this.#parser.push(chunk, start);
      if (end < chunk.length) {
        const rest = chunk.subarray(end);
        this.#kept.unshift(lasts ? rest : Buffer.from(rest));
      }
      if (!this.#stopped) this.#target.turnEnds();
    } catch (error) {
      // Handlers of frames throw nothing, so it is the parser.
      this.stop();
      this.#target.framingLost(error);
    }
  }

  /** Returns the offset behind what it took. */
  #takeHeader(chunk: Buffer): number {
    const head = this.#head;
    let at = 0;
    while (at < chunk.length && head.length < protocolHeader.length) head.push(chunk[at++]!);
    const given = Buffer.from(head);
    if (![protocolHeader, olderHeader].some((header) => header.subarray(0, given.length).equals(given))) {
      this.stop();
      this.#target.headerRefused();
    } else if (head.length === protocolHeader.length) this.#target.headerAccepted();
    return at;
  }
}
