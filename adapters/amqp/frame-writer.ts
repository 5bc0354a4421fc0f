/**
 * Writes the server's frames of one connection. All frames of a turn lie in one slab and leave in one write (outbox).
 *
 * Invariants: a message's method, header and body frames are written without anything between them; body frames never
 * exceed the negotiated frame-max; bodies are copied, as the core's memory may change after a few turns.
 */

import type { MethodName } from '../../specs/amqp/methods.ts';
import { methodKey, methods } from '../../specs/amqp/methods.ts';
import type { Outbox } from '../wire/outbox.ts';
import { Writer } from '../wire/writer.ts';
import { frameBody, frameEnd, frameHeader, frameHeartbeat, frameMethod, frameOverheadBytes } from './frame-parser.ts';
import type { Arguments } from './method-arguments.ts';
import { writeMethod } from './method-arguments.ts';
import type { StoredView } from './stored-message.ts';

const deliverKey = methodKey(methods['basic.deliver'].classId, methods['basic.deliver'].methodId);
const ackKey = methodKey(methods['basic.ack'].classId, methods['basic.ack'].methodId);
const basicClass = methods['basic.publish'].classId;

const heartbeatFrame = Buffer.from([frameHeartbeat, 0, 0, 0, 0, 0, 0, frameEnd]);

export class FrameWriter {
  /** Largest frame the client accepts, overhead included. */
  frameMax: number;
  /** Frames written so far; the heartbeat looks whether it moved. */
  frames = 0;
  readonly #outbox: Outbox;
  #writer: Writer;

  constructor(outbox: Outbox, frameMax: number) {
    this.#outbox = outbox;
    this.#writer = new Writer({ sent: outbox });
    this.frameMax = frameMax;
  }

  method<N extends MethodName>(channel: number, name: N, args: Arguments<N>): void {
    this.#head(frameMethod, channel);
    const length = this.#writer.reserveInt32();
    writeMethod(this.#writer, name, args);
    this.#writer.patchLength32(length);
    this.#writer.uint8(frameEnd);
    this.#push();
  }

  /** basic.ack towards a publisher: its messages up to the tag (multiple), or that one, are safe. */
  ack(channel: number, deliveryTag: number, multiple: boolean): void {
    const writer = this.#writer;
    const at = writer.claim(21);
    const b = writer.buffer;
    b[at] = frameMethod;
    put16(b, at + 1, channel);
    put32(b, at + 3, 13);
    put32(b, at + 7, ackKey);
    put64(b, at + 11, deliveryTag);
    b[at + 19] = multiple ? 1 : 0;
    b[at + 20] = frameEnd;
    this.#push();
  }

  /** basic.deliver with its content, in one piece. `payload` is a stored message and `view` tells where its parts lie. */
  deliver(
    channel: number,
    consumerTag: Buffer,
    deliveryTag: number,
    redelivered: boolean,
    payload: Buffer,
    view: StoredView,
  ): void {
    const writer = this.#writer;
    const argumentsBytes = 16 + consumerTag.length + view.exchangeBytes + view.routingKeyBytes;
    let at = writer.claim(frameOverheadBytes + argumentsBytes);
    const b = writer.buffer;
    b[at] = frameMethod;
    put16(b, at + 1, channel);
    put32(b, at + 3, argumentsBytes);
    put32(b, at + 7, deliverKey);
    b[at + 11] = consumerTag.length;
    at += 12;
    at += consumerTag.copy(b, at);
    put64(b, at, deliveryTag);
    b[at + 8] = redelivered ? 1 : 0;
    b[at + 9] = view.exchangeBytes;
    at += 10;
    // Exchange, length of the routing key and routing key lie in the stored message as they do on the wire.
    at += payload.copy(b, at, view.exchangeAt, view.routingKeyAt + view.routingKeyBytes);
    b[at] = frameEnd;
    this.frames++;
    this.content(channel, payload, view);
  }

  /** Header and body frames of a message; the method's frame must have been written just before. */
  content(channel: number, payload: Buffer, view: StoredView): void {
    const writer = this.#writer;
    const changed = view.changedProperties;
    const headerBytes = 12 + (changed === null ? view.propertiesBytes : changed.length);
    let at = writer.claim(frameOverheadBytes + headerBytes);
    const b = writer.buffer;
    b[at] = frameHeader;
    put16(b, at + 1, channel);
    put32(b, at + 3, headerBytes);
    put32(b, at + 7, basicClass * 0x10000);
    put64(b, at + 11, view.bodyBytes);
    at += 19;
    if (changed !== null) at += changed.copy(b, at);
    else at += payload.copy(b, at, view.propertiesAt, view.propertiesAt + view.propertiesBytes);
    b[at] = frameEnd;
    const partBytesMax = this.frameMax - frameOverheadBytes;
    const bodyEnd = view.bodyAt + view.bodyBytes;
    for (let from = view.bodyAt; from < bodyEnd; from += partBytesMax) {
      const to = Math.min(from + partBytesMax, bodyEnd);
      // A frame of a large body begins anew, so that writing it never moves the frames before it.
      if (to - from > 4096) this.#push();
      this.#body(channel, payload, from, to);
    }
    this.#push();
  }

  #body(channel: number, payload: Buffer, from: number, to: number): void {
    const bytes = to - from;
    const at = this.#writer.claim(frameOverheadBytes + bytes);
    const b = this.#writer.buffer;
    b[at] = frameBody;
    put16(b, at + 1, channel);
    put32(b, at + 3, bytes);
    payload.copy(b, at + 7, from, to);
    b[at + 7 + bytes] = frameEnd;
  }

  heartbeat(): void {
    this.frames++;
    this.#outbox.push(heartbeatFrame);
  }

  /** Nothing has been written for a while: lets go of the slab, so that idle connections stay small. */
  rest(): void {
    this.#writer = new Writer({ sent: this.#outbox });
  }

  #head(type: number, channel: number): void {
    this.#writer.uint8(type);
    this.#writer.uint16(channel);
  }

  #push(): void {
    this.frames++;
    this.#outbox.pushFrame(this.#writer);
  }
}

function put16(b: Buffer, at: number, value: number): void {
  b[at] = value >>> 8;
  b[at + 1] = value;
}

function put32(b: Buffer, at: number, value: number): void {
  b[at] = value >>> 24;
  b[at + 1] = value >>> 16;
  b[at + 2] = value >>> 8;
  b[at + 3] = value;
}

function put64(b: Buffer, at: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  put32(b, at, high);
  put32(b, at + 4, value - high * 0x1_0000_0000);
}
