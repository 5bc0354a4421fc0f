/**
 * Direct replies (RabbitMQ): a channel that consumes the name `amq.rabbitmq.reply-to` gets a name of its own put into
 * the reply-to property of what it publishes, and what is published to that name goes to it at once, through no queue.
 *
 * Invariant: a name is found while its consumer is there, and never given to another. Nothing is stored for a consumer:
 * replies wait with what else is written to its connection, and are dropped when that is too much.
 */

import type { Random } from '../../core/types.ts';
import type { Channel } from './channel.ts';
import { generatedName } from './names.ts';
import type { StoredView } from './stored-message.ts';

export const repliesName = 'amq.rabbitmq.reply-to';
/** Octets that wait for a client that does not read, before replies to it are dropped. */
const heldBytesMax = 32 * 1024 * 1024;
const prefix = `${repliesName}.`;

export const isReplyName = (name: string): boolean => name === repliesName || name.startsWith(prefix);

export interface ReplyConsumer {
  readonly channel: Channel;
  readonly tag: string;
  readonly tagOctets: Buffer;
  /** What stands in reply-to. */
  readonly name: string;
}

export class DirectReplies {
  readonly #consumers = new Map<string, ReplyConsumer>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  open(channel: Channel, tag: string): ReplyConsumer {
    const name = generatedName(prefix, this.#random);
    const consumer = { channel, tag, tagOctets: Buffer.from(tag), name };
    this.#consumers.set(name, consumer);
    return consumer;
  }

  close(consumer: ReplyConsumer): void {
    this.#consumers.delete(consumer.name);
  }

  find(name: string): ReplyConsumer | null {
    return this.#consumers.get(name) ?? null;
  }

  /** Hands a stored message over, if somebody is there for it. */
  deliver(name: string, payload: Buffer, view: StoredView): void {
    const consumer = this.find(name);
    if (consumer === null || consumer.channel.closing) return;
    const { channel, tagOctets } = consumer;
    if (channel.connection.heldBytes > heldBytesMax) return;
    channel.connection.frames.deliver(channel.number, tagOctets, channel.nextTag(), false, payload, view);
  }
}
