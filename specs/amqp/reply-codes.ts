/**
 * Reply codes of AMQP 0-9-1 (spec 1.2) as rows, with the scope that RabbitMQ gives them: a `channel` code closes the
 * channel it happened on, a `connection` code the whole connection, a `reply` code closes nothing. Reply texts on the
 * wire read `NAME - detail`; applications and client test suites match on them.
 */

export interface ReplyCodeRow {
  readonly code: number;
  readonly scope: 'reply' | 'channel' | 'connection';
}

export const replyCodes = {
  REPLY_SUCCESS: { code: 200, scope: 'reply' },
  CONTENT_TOO_LARGE: { code: 311, scope: 'channel' },
  NO_ROUTE: { code: 312, scope: 'reply' },
  NO_CONSUMERS: { code: 313, scope: 'reply' },
  CONNECTION_FORCED: { code: 320, scope: 'connection' },
  INVALID_PATH: { code: 402, scope: 'connection' },
  ACCESS_REFUSED: { code: 403, scope: 'channel' },
  NOT_FOUND: { code: 404, scope: 'channel' },
  RESOURCE_LOCKED: { code: 405, scope: 'channel' },
  PRECONDITION_FAILED: { code: 406, scope: 'channel' },
  FRAME_ERROR: { code: 501, scope: 'connection' },
  SYNTAX_ERROR: { code: 502, scope: 'connection' },
  COMMAND_INVALID: { code: 503, scope: 'connection' },
  CHANNEL_ERROR: { code: 504, scope: 'connection' },
  UNEXPECTED_FRAME: { code: 505, scope: 'connection' },
  RESOURCE_ERROR: { code: 506, scope: 'connection' },
  NOT_ALLOWED: { code: 530, scope: 'connection' },
  NOT_IMPLEMENTED: { code: 540, scope: 'connection' },
  INTERNAL_ERROR: { code: 541, scope: 'connection' },
} as const satisfies Readonly<Record<string, ReplyCodeRow>>;

export type ReplyCodeName = keyof typeof replyCodes;
