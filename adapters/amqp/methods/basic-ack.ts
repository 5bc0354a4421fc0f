/** basic.ack: the client is done with a delivery, or with all up to it. */

import { AmqpError } from '../amqp-error.ts';
import type { Channel } from '../channel.ts';
import type { Arguments } from '../method-arguments.ts';

export function basicAck(channel: Channel, { deliveryTag, multiple }: Arguments<'basic.ack'>): void {
  channel.answer(deliveryTag, multiple, 'done');
}

/** The same from its octets: a 64-bit tag and one octet of bits. */
export function ackFast(channel: Channel, buffer: Buffer, start: number, end: number): void {
  if (end - start !== 9)
    throw new AmqpError('FRAME_ERROR', `basic.ack has ${end - start} octets of arguments instead of 9`);
  const tag = buffer.readUInt32BE(start) * 0x1_0000_0000 + buffer.readUInt32BE(start + 4);
  channel.answer(tag, (buffer[start + 8]! & 1) === 1, 'done');
}
