// The broker's errors in Kafka's words.
import { BrokerError, type BrokerErrorCode } from '../../core/errors.ts';
import { ERROR, type ErrorCode } from '../../specs/kafka/error-codes.ts';

/** Where an error is answered: the same refusal has different codes for a topic, a group and the cluster. */
export type Scope = 'topic' | 'group' | 'cluster';

const CODES = {
  'topic-not-found': ERROR.UNKNOWN_TOPIC_OR_PARTITION,
  'topic-exists': ERROR.TOPIC_ALREADY_EXISTS,
  'queue-not-found': ERROR.UNKNOWN_TOPIC_OR_PARTITION,
  'group-not-found': ERROR.GROUP_ID_NOT_FOUND,
  'group-not-empty': ERROR.NON_EMPTY_GROUP,
  // A group that another protocol holds: its members share no assignment protocol with a Kafka client.
  'group-in-use': ERROR.INCONSISTENT_GROUP_PROTOCOL,
  'exchange-not-found': ERROR.UNKNOWN_TOPIC_OR_PARTITION,
  'exchange-exists': ERROR.TOPIC_ALREADY_EXISTS,
  'in-use': ERROR.POLICY_VIOLATION,
  'not-empty': ERROR.POLICY_VIOLATION,
  inequivalent: ERROR.POLICY_VIOLATION,
  'exclusive-consumer': ERROR.POLICY_VIOLATION,
  'name-invalid': ERROR.INVALID_TOPIC_EXCEPTION,
  'name-reserved': ERROR.INVALID_TOPIC_EXCEPTION,
  'argument-invalid': ERROR.INVALID_REQUEST,
  'limit-exceeded': ERROR.POLICY_VIOLATION,
  'message-too-large': ERROR.MESSAGE_TOO_LARGE,
  'corrupt-message': ERROR.CORRUPT_MESSAGE,
  'timestamp-invalid': ERROR.INVALID_TIMESTAMP,
  'sequence-out-of-order': ERROR.OUT_OF_ORDER_SEQUENCE_NUMBER,
  'producer-fenced': ERROR.INVALID_PRODUCER_EPOCH,
  'not-leased': ERROR.INVALID_REQUEST,
  'member-unknown': ERROR.UNKNOWN_MEMBER_ID,
  'access-denied': ERROR.TOPIC_AUTHORIZATION_FAILED,
  // Retriable for producers, as a broker whose disk fails is; the next try may find room.
  'storage-full': ERROR.KAFKA_STORAGE_ERROR,
  'storage-failed': ERROR.KAFKA_STORAGE_ERROR,
  // Not CORRUPT_MESSAGE: clients retry that for ever. What was damaged on disk stays so.
  damaged: ERROR.UNKNOWN_SERVER_ERROR,
  overloaded: ERROR.NOT_LEADER_OR_FOLLOWER,
  stopping: ERROR.NOT_LEADER_OR_FOLLOWER,
  unsupported: ERROR.UNSUPPORTED_VERSION,
} as const satisfies Record<BrokerErrorCode, ErrorCode>;

const GROUP_CODES: Partial<Record<BrokerErrorCode, ErrorCode>> = {
  'access-denied': ERROR.GROUP_AUTHORIZATION_FAILED,
  'name-invalid': ERROR.INVALID_GROUP_ID,
  'name-reserved': ERROR.INVALID_GROUP_ID,
  'storage-full': ERROR.COORDINATOR_NOT_AVAILABLE,
  'storage-failed': ERROR.COORDINATOR_NOT_AVAILABLE,
  overloaded: ERROR.COORDINATOR_NOT_AVAILABLE,
  stopping: ERROR.NOT_COORDINATOR,
};

const CLUSTER_CODES: Partial<Record<BrokerErrorCode, ErrorCode>> = {
  'access-denied': ERROR.CLUSTER_AUTHORIZATION_FAILED,
};

/** The code of a refusal by the core. Anything else is a bug of ours and is thrown on. */
export function errorCode(error: unknown, scope: Scope): ErrorCode {
  if (!(error instanceof BrokerError)) throw error;
  const special = scope === 'group' ? GROUP_CODES : scope === 'cluster' ? CLUSTER_CODES : undefined;
  return special?.[error.code] ?? CODES[error.code];
}
