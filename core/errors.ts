/**
 * The table of broker errors. Each adapter maps every code to its protocol's error with
 * `satisfies Record<BrokerErrorCode, …>`, so a new code does not compile until it is mapped.
 *
 * `retriable` tells whether the same request may succeed later without a change by the client.
 */
const ERRORS = {
  'topic-not-found': { retriable: false },
  'topic-exists': { retriable: false },
  'queue-not-found': { retriable: false },
  'group-not-found': { retriable: false },
  'group-not-empty': { retriable: false },
  'group-in-use': { retriable: true },
  'exchange-not-found': { retriable: false },
  'exchange-exists': { retriable: false },
  'in-use': { retriable: false },
  'not-empty': { retriable: false },
  inequivalent: { retriable: false },
  'exclusive-consumer': { retriable: true },
  'name-invalid': { retriable: false },
  'name-reserved': { retriable: false },
  'argument-invalid': { retriable: false },
  'limit-exceeded': { retriable: false },
  'message-too-large': { retriable: false },
  'corrupt-message': { retriable: false },
  'timestamp-invalid': { retriable: false },
  'sequence-out-of-order': { retriable: false },
  'producer-fenced': { retriable: false },
  'not-leased': { retriable: false },
  'member-unknown': { retriable: false },
  'access-denied': { retriable: false },
  'storage-full': { retriable: true },
  'storage-failed': { retriable: true },
  damaged: { retriable: false },
  overloaded: { retriable: true },
  stopping: { retriable: true },
  unsupported: { retriable: false },
} as const satisfies Record<string, { retriable: boolean }>;

export type BrokerErrorCode = keyof typeof ERRORS;

/** A refusal by the core. The message says what was refused, why, and what to do, for the client's eyes. */
export class BrokerError extends Error {
  readonly code: BrokerErrorCode;

  constructor(code: BrokerErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'BrokerError';
    this.code = code;
  }

  get retriable(): boolean {
    return ERRORS[this.code].retriable;
  }
}

/** Thrown when the broker breaks its own invariant: a bug of ours, the process must not go on. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

export function assert(condition: unknown, invariant: string): asserts condition {
  if (!condition) throw new InvariantError(`invariant broken: ${invariant}`);
}
