/**
 * What each frame of one connection means in the state it comes in. The hot methods are known by their keys, all others
 * go through the dispatch table; whatever a handler throws is answered by the connection.
 */

import type { MethodName } from '../../specs/amqp/methods.ts';
import { methodKey, methods } from '../../specs/amqp/methods.ts';
import { Reader } from '../wire/reader.ts';
import { AmqpError } from './amqp-error.ts';
import type { Channel } from './channel.ts';
import type { Connection } from './connection.ts';
import { dispatchChannel, dispatchConnection } from './dispatch.ts';
import type { FrameSink } from './frame-parser.ts';
import { methodByKey } from './method-arguments.ts';
import { ackFast } from './methods/basic-ack.ts';
import { beginPublish, endPublish, publishBody, publishHeader } from './methods/basic-publish.ts';

const keyOf = (name: MethodName): number => methodKey(methods[name].classId, methods[name].methodId);
const publishKey = keyOf('basic.publish');
const ackKey = keyOf('basic.ack');
const channelOpenKey = keyOf('channel.open');
const channelCloseKey = keyOf('channel.close');
const channelCloseOkKey = keyOf('channel.close-ok');
const closeKey = keyOf('connection.close');
const closeOkKey = keyOf('connection.close-ok');

export class FrameHandler implements FrameSink {
  readonly #connection: Connection;
  readonly #reader = new Reader();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  method(number: number, buffer: Buffer, start: number, end: number): void {
    const key = end - start < 4 ? 0 : buffer.readUInt32BE(start);
    try {
      if (number > 0 && this.#connection.state === 'running') {
        this.#channelMethod(number, key, buffer, start + 4, end);
      } else this.#connectionMethod(number, key, buffer, start + 4, end);
    } catch (error) {
      this.#connection.fail(error, number, key);
    }
  }

  #channelMethod(number: number, key: number, buffer: Buffer, start: number, end: number): void {
    const connection = this.#connection;
    const channel = connection.channel(number);
    if (channel === null) {
      if (key !== channelOpenKey) throw new AmqpError('CHANNEL_ERROR', "expected 'channel.open'");
      // RabbitMQ names no method when there are too many.
      try {
        connection.openChannel(number);
      } catch (error) {
        connection.fail(error, 0, 0);
      }
    } else if (channel.closing) {
      if (key === channelCloseOkKey) connection.forget(channel);
      else if (key === channelCloseKey) connection.frames.method(number, 'channel.close-ok', {});
    } else if (channel.content.expects !== 'method') {
      // It is the publish that is at fault, not the method that came instead of its content.
      connection.fail(unexpected(channel, `non content ${channel.content.expects}`), number, publishKey);
    } else if (key === publishKey) beginPublish(channel, buffer, start, end);
    else if (key === ackKey) ackFast(channel, buffer, start, end);
    else {
      const name = methodByKey.get(key);
      if (name === undefined) throw unknownMethod(key);
      this.#reader.reset(buffer, start, end);
      const waits = dispatchChannel(channel, name, this.#reader);
      if (waits !== undefined) connection.holdFor(waits, number, key);
    }
  }

  #connectionMethod(number: number, key: number, buffer: Buffer, start: number, end: number): void {
    const connection = this.#connection;
    if (connection.state === 'closing') {
      if (number === 0 && key === closeKey) connection.frames.method(0, 'connection.close-ok', {});
      if (number === 0 && (key === closeKey || key === closeOkKey)) connection.finish();
      return;
    }
    if (number > 0) throw new AmqpError('CHANNEL_ERROR', `channel ${number} is used before the connection is open`);
    const name = methodByKey.get(key);
    if (name === undefined) throw unknownMethod(key);
    this.#reader.reset(buffer, start, end);
    const waits = dispatchConnection(connection, name, this.#reader);
    if (waits !== undefined) connection.holdFor(waits, number, key);
  }

  header(number: number, buffer: Buffer, start: number, end: number): void {
    let key = 0;
    try {
      const channel = this.#contentChannel(number, 'header');
      if (channel === null) return;
      key = publishKey;
      publishHeader(channel, buffer, start, end);
    } catch (error) {
      this.#connection.fail(error, number, key);
    }
  }

  bodyPart(number: number, buffer: Buffer, start: number, end: number): void {
    let key = 0;
    try {
      const channel = this.#contentChannel(number, 'body');
      if (channel === null) return;
      key = publishKey;
      publishBody(channel, buffer, start, end);
    } catch (error) {
      this.#connection.fail(error, number, key);
    }
  }

  bodyEnd(number: number): void {
    const channel = this.#connection.channel(number);
    if (channel === null || channel.closing || channel.content.expects !== 'body') return;
    try {
      endPublish(channel);
    } catch (error) {
      this.#connection.fail(error, number, publishKey);
    }
  }

  /** The channel that expects this content frame; null where it is to be dropped. */
  #contentChannel(number: number, kind: 'header' | 'body'): Channel | null {
    const { state } = this.#connection;
    if (state === 'closing' || state === 'closed') return null;
    const channel = number > 0 && state === 'running' ? this.#connection.channel(number) : null;
    if (channel === null) throw notAMethod();
    if (channel.closing) return null;
    if (channel.content.expects === 'header' && kind === 'body') {
      this.#connection.fail(unexpected(channel, 'non content header'), number, publishKey);
      return null;
    }
    if (channel.content.expects !== kind) throw unexpected(channel, `content ${kind}`);
    return channel;
  }

  heartbeat(number: number, payloadBytes: number): void {
    if (number === 0 && payloadBytes === 0) return;
    const detail = `heartbeat of ${payloadBytes} octets on channel ${number}`;
    this.#connection.fail(new AmqpError(payloadBytes > 0 ? 'FRAME_ERROR' : 'UNEXPECTED_FRAME', detail), 0, 0);
  }
}

function unexpected({ content }: Channel, got: string): AmqpError {
  if (content.expects === 'method') return notAMethod();
  const wanted = content.expects === 'header' ? 'content header for class 60' : 'content body';
  return new AmqpError('UNEXPECTED_FRAME', `expected ${wanted}, got ${got} frame instead`);
}

function notAMethod(): AmqpError {
  return new AmqpError('UNEXPECTED_FRAME', 'expected method frame, got non method frame instead');
}

function unknownMethod(key: number): AmqpError {
  return new AmqpError('COMMAND_INVALID', `unknown method (${key >>> 16},${key & 0xffff})`);
}
