// Errors of the HTTP API as application/problem+json (RFC 9457): what was refused, why, what to do.
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '../../adapters/adapter.ts';
import { BrokerError, type BrokerErrorCode, InvariantError } from '../../core/errors.ts';

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code?: string;
  retriable?: boolean;
}

const STATUS = {
  'topic-not-found': 404,
  'topic-exists': 409,
  'queue-not-found': 404,
  'group-not-found': 404,
  'group-not-empty': 409,
  'group-in-use': 409,
  'exchange-not-found': 404,
  'exchange-exists': 409,
  'in-use': 409,
  'not-empty': 409,
  inequivalent: 409,
  'exclusive-consumer': 409,
  'name-invalid': 400,
  'name-reserved': 403,
  'argument-invalid': 400,
  'limit-exceeded': 422,
  'message-too-large': 413,
  'corrupt-message': 400,
  'timestamp-invalid': 400,
  'sequence-out-of-order': 409,
  'producer-fenced': 409,
  'not-leased': 409,
  'member-unknown': 404,
  'access-denied': 403,
  'storage-full': 507,
  'storage-failed': 503,
  damaged: 500,
  overloaded: 503,
  stopping: 503,
  unsupported: 501,
} as const satisfies Record<BrokerErrorCode, number>;

/** A refusal by the HTTP API itself. `kind` becomes the last part of the type's URN. */
export class HttpRefusal extends Error {
  readonly kind: string;
  readonly status: number;
  constructor(status: number, kind: string, detail: string) {
    super(detail);
    this.name = 'HttpRefusal';
    this.kind = kind;
    this.status = status;
  }
}

/** Words of fastify's own errors and of validation; the rest are plain failures. */
const KIND_BY_STATUS: Readonly<Record<number, string>> = {
  400: 'request-invalid',
  404: 'path-not-found',
  413: 'body-too-large',
  414: 'uri-too-long',
  415: 'media-type-unsupported',
};

export function problemOf(error: unknown): Problem {
  if (error instanceof BrokerError) {
    const { code, retriable, message } = error;
    return { ...problem(STATUS[code], code, message), code, retriable };
  }
  if (error instanceof HttpRefusal) return problem(error.status, error.kind, error.message);
  const { statusCode, message, validation } = error as Partial<FastifyError>;
  const status = validation !== undefined ? 400 : (statusCode ?? 500);
  if (status >= 500) return problem(500, 'internal', 'The request failed for a reason of our own; the log has it.');
  return problem(status, KIND_BY_STATUS[status] ?? 'request-refused', message ?? '');
}

function problem(status: number, kind: string, detail: string): Problem {
  return { type: `urn:rosettamq:problem:${kind}`, title: kind.replaceAll('-', ' '), status, detail };
}

export function sendProblem(reply: FastifyReply, of: Problem): void {
  if (of.status === 401) reply.header('www-authenticate', 'Basic realm="RosettaMQ", charset="UTF-8"');
  if (of.retriable === true && of.status === 503) reply.header('retry-after', '1');
  reply.code(of.status).type('application/problem+json').send(JSON.stringify(of));
}

/** The error handler of the server. A broken invariant is not answered: the process must not go on. */
export function errorHandler(log: Logger) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    if (error instanceof InvariantError) {
      setImmediate(() => {
        throw error;
      });
      return;
    }
    const answer = problemOf(error);
    if (answer.status === 500) log.error({ err: error, method: request.method, url: request.url }, 'request failed');
    sendProblem(reply, answer);
  };
}
