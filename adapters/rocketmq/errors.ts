// The broker's errors as RocketMQ response codes. A client retries another broker on 1, 14, 16 and 17 and pauses on 2
// and 215, so what the same request cannot cure gets a code that says what is wrong (13, 29), and what passes by
// itself gets 2 or 14.

import { BrokerError, type BrokerErrorCode, InvariantError } from '../../core/errors.ts';
import { RESPONSE, type ResponseCode } from '../../specs/rocketmq/response-codes.ts';
import { WireError } from '../wire/wire-error.ts';
import { BatchError } from './batch.ts';
import { HeaderError } from './header.ts';
import { BodyError } from './json-body.ts';

const CODES = {
  'topic-not-found': RESPONSE.TOPIC_NOT_EXIST,
  'topic-exists': RESPONSE.TOPIC_EXIST_ALREADY,
  'queue-not-found': RESPONSE.INVALID_PARAMETER,
  'group-not-found': RESPONSE.SUBSCRIPTION_GROUP_NOT_EXIST,
  'group-not-empty': RESPONSE.SYSTEM_ERROR,
  'group-in-use': RESPONSE.SYSTEM_ERROR,
  'exchange-not-found': RESPONSE.TOPIC_NOT_EXIST,
  'exchange-exists': RESPONSE.TOPIC_EXIST_ALREADY,
  'in-use': RESPONSE.SYSTEM_ERROR,
  'not-empty': RESPONSE.SYSTEM_ERROR,
  inequivalent: RESPONSE.INVALID_PARAMETER,
  'exclusive-consumer': RESPONSE.SYSTEM_ERROR,
  'name-invalid': RESPONSE.INVALID_PARAMETER,
  'name-reserved': RESPONSE.INVALID_PARAMETER,
  'argument-invalid': RESPONSE.INVALID_PARAMETER,
  'limit-exceeded': RESPONSE.INVALID_PARAMETER,
  'message-too-large': RESPONSE.MESSAGE_ILLEGAL,
  'corrupt-message': RESPONSE.SYSTEM_ERROR,
  'timestamp-invalid': RESPONSE.MESSAGE_ILLEGAL,
  'sequence-out-of-order': RESPONSE.SYSTEM_ERROR,
  'producer-fenced': RESPONSE.SYSTEM_ERROR,
  'not-leased': RESPONSE.NO_MESSAGE,
  'member-unknown': RESPONSE.CONSUMER_NOT_ONLINE,
  'access-denied': RESPONSE.NO_PERMISSION,
  'storage-full': RESPONSE.SERVICE_NOT_AVAILABLE,
  'storage-failed': RESPONSE.SERVICE_NOT_AVAILABLE,
  damaged: RESPONSE.SYSTEM_ERROR,
  overloaded: RESPONSE.SYSTEM_BUSY,
  stopping: RESPONSE.SERVICE_NOT_AVAILABLE,
  unsupported: RESPONSE.SYSTEM_ERROR,
} as const satisfies Record<BrokerErrorCode, ResponseCode>;

/** A refusal that this adapter decides itself. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly code: ResponseCode;

  constructor(code: ResponseCode, remark: string) {
    super(remark);
    this.code = code;
  }
}

/** The response code of anything thrown while a request was served; null for a bug of ours, which is logged. */
export function responseCode(error: unknown): ResponseCode | null {
  if (error instanceof InvariantError) throw error;
  if (error instanceof BrokerError) return CODES[error.code];
  if (error instanceof RequestError) return error.code;
  if (error instanceof BatchError) return RESPONSE.MESSAGE_ILLEGAL;
  if (error instanceof HeaderError || error instanceof WireError || error instanceof BodyError) {
    return RESPONSE.SYSTEM_ERROR;
  }
  return null;
}
