/** How each refusal of the core is told to an AMQP client. Handlers that know a better text check first. */

import type { BrokerErrorCode } from '../../core/errors.ts';
import { BrokerError } from '../../core/errors.ts';
import type { ReplyCodeName } from '../../specs/amqp/reply-codes.ts';
import { WireError } from '../wire/wire-error.ts';
import { AmqpError } from './amqp-error.ts';

interface Reply {
  readonly codeName: ReplyCodeName;
  readonly scope: 'channel' | 'connection';
}

const channel = (codeName: ReplyCodeName): Reply => ({ codeName, scope: 'channel' });
const connection = (codeName: ReplyCodeName): Reply => ({ codeName, scope: 'connection' });

const replies = {
  'topic-not-found': channel('NOT_FOUND'),
  'topic-exists': channel('PRECONDITION_FAILED'),
  'queue-not-found': channel('NOT_FOUND'),
  'group-not-found': channel('NOT_FOUND'),
  'group-not-empty': channel('PRECONDITION_FAILED'),
  // Another protocol reads there: locked, as a queue is that another connection holds.
  'group-in-use': channel('RESOURCE_LOCKED'),
  'exchange-not-found': channel('NOT_FOUND'),
  'exchange-exists': channel('PRECONDITION_FAILED'),
  'in-use': channel('PRECONDITION_FAILED'),
  'not-empty': channel('PRECONDITION_FAILED'),
  inequivalent: channel('PRECONDITION_FAILED'),
  'exclusive-consumer': channel('ACCESS_REFUSED'),
  'name-invalid': channel('PRECONDITION_FAILED'),
  'name-reserved': channel('ACCESS_REFUSED'),
  'argument-invalid': channel('PRECONDITION_FAILED'),
  'limit-exceeded': channel('PRECONDITION_FAILED'),
  'message-too-large': channel('PRECONDITION_FAILED'),
  'corrupt-message': channel('INTERNAL_ERROR'),
  'timestamp-invalid': channel('PRECONDITION_FAILED'),
  'sequence-out-of-order': channel('PRECONDITION_FAILED'),
  'producer-fenced': channel('PRECONDITION_FAILED'),
  'not-leased': channel('PRECONDITION_FAILED'),
  'member-unknown': channel('PRECONDITION_FAILED'),
  'access-denied': channel('ACCESS_REFUSED'),
  // The two that a publisher without confirms meets: it must learn that its message was not taken.
  'storage-full': channel('PRECONDITION_FAILED'),
  overloaded: channel('RESOURCE_ERROR'),
  'storage-failed': connection('INTERNAL_ERROR'),
  damaged: channel('INTERNAL_ERROR'),
  stopping: connection('CONNECTION_FORCED'),
  unsupported: channel('NOT_IMPLEMENTED'),
} as const satisfies Record<BrokerErrorCode, Reply>;

/** The protocol's error for whatever a handler threw, or null when it is a bug of ours and not the client's business. */
export function amqpErrorOf(error: unknown): AmqpError | null {
  if (error instanceof AmqpError) return error;
  if (error instanceof BrokerError) {
    const { codeName, scope } = replies[error.code];
    return new AmqpError(codeName, error.message, { scope, cause: error });
  }
  if (error instanceof WireError) {
    // RabbitMQ answers arguments that it cannot decode so.
    return new AmqpError('FRAME_ERROR', `cannot decode: ${error.message}`, { cause: error });
  }
  return null;
}
