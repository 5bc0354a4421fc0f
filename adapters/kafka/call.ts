// One request from its header to its reply.
//
// Invariants:
// - a call ends exactly once: with a reply, or without one (Produce with acks 0);
// - replies leave in the order of the requests, whatever order the calls end in (the connection sees to it);
// - `reader` is only good until the handler returns: what a parked call needs later it has copied.

import type { Principal } from '../../core/types.ts';
import type { Api, Field, Input, Values } from '../../specs/kafka/row.ts';
import { isFlexible } from '../../specs/kafka/row.ts';
import type { Outbox } from '../wire/outbox.ts';
import type { Reader } from '../wire/reader.ts';
import type { Writer } from '../wire/writer.ts';
import { decode, encode } from './codec/rows.ts';
import type { Connection } from './connection.ts';
import type { Node } from './node.ts';
import type { Pieces } from './pieces.ts';

const API_VERSIONS_KEY = 18;
const NO_BYTES = Buffer.alloc(0);
/** The length in front of a frame does not count itself. */
const LENGTH_BYTES = 4;
const nothing = (): void => undefined;

export class Call {
  readonly node: Node;
  readonly connection: Connection;
  readonly api: Api;
  readonly version: number;
  readonly flexible: boolean;
  readonly correlationId: number;
  readonly clientId: string;
  /** At the request's body. */
  readonly reader: Reader;
  /** The finished reply: buffer[start, end). */
  buffer: Buffer = NO_BYTES;
  start = 0;
  end = 0;
  /** What lies between the bytes of the buffer, null for a reply that is one piece. */
  pieces: Pieces | null = null;
  /** Called when the operating system has taken a reply of several pieces (see Pieces). */
  onSent: () => void = nothing;
  ended = false;
  /** Called when all earlier calls of the connection have been answered and the client reads. For calls that wait. */
  onHead: (() => void) | null = null;
  /** Called when the connection is gone, or the broker is about to stop: answer at once, or let go of what is held. */
  onCancel: (() => void) | null = null;

  constructor(
    connection: Connection,
    api: Api,
    version: number,
    correlationId: number,
    clientId: string,
    reader: Reader,
  ) {
    this.connection = connection;
    this.node = connection.node;
    this.api = api;
    this.version = version;
    this.flexible = isFlexible(api, version);
    this.correlationId = correlationId;
    this.clientId = clientId;
    this.reader = reader;
  }

  get principal(): Principal {
    return this.connection.principal;
  }

  /** The request, read by its rows. Throws WireError. */
  request<const Fields extends readonly Field[]>(api: Api & { readonly request: Fields }): Values<Fields> {
    return decode(api.request, this.reader, this.version, this.flexible);
  }

  /** Answers by the rows of the API. */
  reply<const Fields extends readonly Field[]>(api: Api & { readonly response: Fields }, value: Input<Fields>): void {
    if (this.ended) return;
    if (this.connection.closed) {
      this.finishSilently();
      return;
    }
    encode(api.response, value, this.begin(), this.version, this.flexible);
    this.finish();
  }

  /** Begins a reply that the caller writes itself: frame length and response header are there. */
  begin(): Writer {
    const { writer } = this.node;
    writer.truncate(0);
    writer.reserveInt32();
    writer.int32(this.correlationId);
    // KIP-511: a client that does not know our version must be able to read the answer, so its header has no tags.
    if (this.flexible && this.api.key !== API_VERSIONS_KEY) writer.uvarint(0);
    return writer;
  }

  /** Ends the reply that `begin` began; `pieces` belong to it from now on, and leave in this turn (see Pieces). */
  finish(pieces: Pieces | null = null): void {
    const { writer } = this.node;
    writer.patchInt32(0, writer.length - LENGTH_BYTES + (pieces?.bytes ?? 0));
    if (pieces !== null && pieces.bytes > 0) this.pieces = pieces;
    this.buffer = writer.buffer;
    this.start = writer.start;
    this.end = writer.offset;
    writer.next();
    this.#end();
  }

  /** Gives the finished reply to the socket. */
  push(outbox: Outbox): void {
    const { buffer, start, end, pieces } = this;
    if (pieces === null) outbox.push(buffer, start, end);
    else pieces.send(buffer, start, end, outbox, this.node.chunks, this.onSent);
    // What has left is not held for as long as the call is.
    this.pieces = null;
    this.buffer = NO_BYTES;
  }

  /** Ends the call without a reply. */
  finishSilently(): void {
    this.#end();
  }

  #end(): void {
    if (this.ended) return;
    this.ended = true;
    this.onHead = null;
    this.onCancel = null;
    this.connection.callEnded();
  }
}
