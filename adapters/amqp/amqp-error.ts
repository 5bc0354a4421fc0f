/**
 * The protocol's errors: a reply code with its text, closing the channel or the connection it happened on
 * (specs/amqp/reply-codes.ts). Whoever meets one throws it; only the connection catches it and answers.
 */

import type { ReplyCodeName } from '../../specs/amqp/reply-codes.ts';
import { replyCodes } from '../../specs/amqp/reply-codes.ts';

export class AmqpError extends Error {
  override readonly name = 'AmqpError';
  readonly codeName: ReplyCodeName;
  readonly code: number;
  readonly scope: 'channel' | 'connection';

  /** `scope` is given only where RabbitMQ closes more than the code's row says. */
  constructor(
    codeName: ReplyCodeName,
    detail: string,
    options?: { scope?: 'channel' | 'connection'; cause?: unknown },
  ) {
    super(`${codeName} - ${detail}`, options?.cause === undefined ? undefined : { cause: options.cause });
    this.codeName = codeName;
    this.code = replyCodes[codeName].code;
    const scope = options?.scope ?? replyCodes[codeName].scope;
    if (scope === 'reply') throw new RangeError(`${codeName} closes nothing and cannot be thrown`);
    this.scope = scope;
  }
}
