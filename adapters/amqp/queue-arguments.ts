/**
 * The arguments of queue.declare: which are known, what they must be, what they become in the core, and when two
 * declarations of one queue are equivalent. Texts are RabbitMQ's; applications and client test suites match on them.
 *
 * Rules: numbers compare by value, not by type letter (clients choose letters by size); arguments that RabbitMQ does
 * not know are stored and never compared.
 */

import type { DeadLetterTarget, QueueRules, TopicAttributes } from '../../core/types.ts';
import { AmqpError } from './amqp-error.ts';
import { tableText } from './canonical-header.ts';
import type { FieldTable, FieldValue } from './field-table.ts';
import { fieldOf } from './field-table.ts';

/** What a type letter is called in RabbitMQ's texts. */
export const letterNames: Readonly<Record<FieldValue['type'], string>> = {
  t: 'bool',
  b: 'byte',
  B: 'unsignedbyte',
  s: 'short',
  u: 'unsignedshort',
  I: 'signedint',
  i: 'unsignedint',
  l: 'long',
  L: 'long',
  f: 'float',
  d: 'double',
  D: 'decimal',
  T: 'timestamp',
  V: 'void',
  S: 'longstr',
  x: 'binary',
  A: 'array',
  F: 'table',
};

type QueueType = 'classic' | 'quorum';

type Fail = (detail: string) => AmqpError;
type Check = (field: FieldValue, fail: Fail, place: string) => void;

/** The longest time that RabbitMQ takes, ten years: Celery makes queues with a time to live of more than four. */
const timeMaxMs = 315_360_000_000n;
const prioritiesMax = 255n;

const integer = (field: FieldValue, fail: Fail): bigint => {
  const value = integerOf(field);
  if (value === null) throw fail(`"expected integer, got ${letterNames[field.type]}"`);
  if (value < 0n) throw fail(`{value_negative,${value}}`);
  return value;
};

const notNegative: Check = (field, fail) => void integer(field, fail);

const time: Check = (field, fail) => {
  const value = integer(field, fail);
  if (value > timeMaxMs) throw fail(`{value_too_large,${value}}`);
};

const expires: Check = (field, fail, ...place) => {
  if (integer(field, fail) === 0n) throw fail('{value_zero,0}');
  time(field, fail, ...place);
};

const priorities: Check = (field, fail) => {
  const value = integer(field, fail);
  if (value > prioritiesMax) throw fail(`{max_value_exceeded,${value}}`);
};

const longString =
  (name: string): Check =>
  (field, _fail, place) => {
    if (field.type !== 'S') {
      throw new AmqpError(
        'PRECONDITION_FAILED',
        `invalid type '${letterNames[field.type]}' for arg '${name}' in ${place}`,
      );
    }
  };

const oneOf =
  (values: readonly string[], detail: (value: string) => string): Check =>
  (field, fail) => {
    const value = plainText(field);
    if (!values.includes(value)) throw fail(detail(value));
  };

const bool: Check = (field, fail) => {
  if (field.type !== 't') throw fail(`{unacceptable_type,${letterNames[field.type]}}`);
};

const accepted: Check = () => {};

const overflows = {
  'drop-head': 'drop-head',
  'reject-publish': 'refuse',
  'reject-publish-dlx': 'refuse-dead-letter',
} as const satisfies Record<string, QueueRules['overflow']>;

const both: readonly QueueType[] = ['classic', 'quorum'];

/** Arguments that take part in equivalence, the queue types that may have them, and what their values must be. */
const known: Readonly<Record<string, { readonly types: readonly QueueType[]; readonly check: Check }>> = {
  'x-expires': { types: both, check: expires },
  'x-message-ttl': { types: both, check: time },
  'x-dead-letter-exchange': { types: both, check: longString('x-dead-letter-exchange') },
  'x-dead-letter-routing-key': { types: both, check: longString('x-dead-letter-routing-key') },
  'x-dead-letter-strategy': {
    types: ['quorum'],
    check: oneOf(['at-most-once', 'at-least-once'], () => 'invalid_dlx_strategy'),
  },
  'x-max-length': { types: both, check: notNegative },
  'x-max-length-bytes': { types: both, check: notNegative },
  'x-max-priority': { types: ['classic'], check: priorities },
  'x-overflow': { types: both, check: oneOf(Object.keys(overflows), () => 'invalid_overflow') },
  'x-queue-mode': {
    types: ['classic'],
    check: oneOf(['default', 'lazy'], (value) => `"unsupported queue mode '${value}'"`),
  },
  'x-queue-version': {
    types: ['classic'],
    check: oneOf(['1', '2'], (value) => `"unsupported queue version '${value}'"`),
  },
  'x-single-active-consumer': { types: both, check: bool },
  // RabbitMQ looks at none of these values.
  'x-delivery-limit': { types: ['quorum'], check: accepted },
  'x-queue-master-locator': { types: ['classic'], check: accepted },
  'x-queue-leader-locator': { types: both, check: accepted },
  'x-quorum-initial-group-size': { types: ['quorum'], check: accepted },
  'x-quorum-target-group-size': { types: ['quorum'], check: accepted },
  'x-max-age': { types: [], check: accepted },
  'x-stream-max-segment-size-bytes': { types: [], check: accepted },
  'x-initial-cluster-size': { types: [], check: accepted },
};

const compared = ['x-queue-type', ...Object.keys(known)];

export interface QueueShape {
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
  readonly serverNamed: boolean;
  readonly arguments: FieldTable;
}

/** Throws PRECONDITION_FAILED for what a queue cannot be. `place` reads `queue 'q' in vhost '/'`. */
export function checkQueue(shape: QueueShape, place: string): void {
  const type = queueTypeOf(shape.arguments, place);
  if (type === 'quorum') checkQuorum(shape, place);
  for (const { key, field } of shape.arguments) {
    const row = known[key];
    if (row === undefined) continue;
    if (!row.types.includes(type)) {
      throw new AmqpError(
        'PRECONDITION_FAILED',
        `invalid arg '${key}' for ${place} of queue type rabbit_${type}_queue`,
      );
    }
    row.check(field, (detail) => invalid(key, place, detail), place);
  }
  const arguments_ = shape.arguments;
  if (fieldOf(arguments_, 'x-dead-letter-routing-key') && !fieldOf(arguments_, 'x-dead-letter-exchange')) {
    throw invalid('x-dead-letter-routing-key', place, 'routing_key_but_no_dlx_defined');
  }
}

function queueTypeOf(arguments_: FieldTable, place: string): QueueType {
  const field = fieldOf(arguments_, 'x-queue-type');
  if (field === undefined) return 'classic';
  if (field.type !== 'S') throw invalid('x-queue-type', place, `{unacceptable_type,${letterNames[field.type]}}`);
  const type = field.value.toString();
  if (type === 'classic' || type === 'quorum') return type;
  if (type === 'stream')
    throw invalid('x-queue-type', place, 'streams are not served: declare and read a log topic instead');
  throw invalid('x-queue-type', place, `"unsupported queue type '${type}'"`);
}

function checkQuorum(shape: QueueShape, place: string): void {
  const refuse = (property: string): AmqpError =>
    new AmqpError('PRECONDITION_FAILED', `invalid property '${property}' for ${place}`);
  if (shape.serverNamed) {
    throw new AmqpError('PRECONDITION_FAILED', 'Cannot declare a server-named queue for type rabbit_quorum_queue');
  }
  if (!shape.durable) throw refuse('non-durable');
  if (shape.autoDelete) throw refuse('auto-delete');
  if (shape.exclusive) throw refuse('exclusive-owner');
}

function invalid(key: string, place: string, detail: string): AmqpError {
  return new AmqpError('PRECONDITION_FAILED', `invalid arg '${key}' for ${place}: ${detail}`);
}

/** What the arguments mean to the core. `queues` are the lines of the queue, one for each priority. */
export function meaningOf(arguments_: FieldTable): { queues: number; attributes: Partial<TopicAttributes> } {
  const exchange = textOf(fieldOf(arguments_, 'x-dead-letter-exchange'));
  const routingKey = textOf(fieldOf(arguments_, 'x-dead-letter-routing-key'));
  const deadLetter: DeadLetterTarget | null = exchange === null ? null : { exchange, routingKey };
  const limit = numberOf(fieldOf(arguments_, 'x-delivery-limit'));
  const attributes: Partial<TopicAttributes> = {
    deadLetter,
    messageTtlMs: numberOf(fieldOf(arguments_, 'x-message-ttl')) ?? -1,
    // The limit counts how often a message may come back; the core counts how often it may be delivered.
    deliveriesMax: limit === null || limit < 0 ? -1 : limit + 1,
  };
  const rules = rulesOf(arguments_);
  if (Object.keys(rules).length > 0) attributes.rules = rules;
  // What a quorum queue promises is that a confirmed message survives.
  if (textOf(fieldOf(arguments_, 'x-queue-type')) === 'quorum') attributes.flush = 'sync';
  return { queues: (numberOf(fieldOf(arguments_, 'x-max-priority')) ?? 0) + 1, attributes };
}

function rulesOf(arguments_: FieldTable): QueueRules {
  const rules: QueueRules = {};
  const readyMax = numberOf(fieldOf(arguments_, 'x-max-length'));
  const readyBytesMax = numberOf(fieldOf(arguments_, 'x-max-length-bytes'));
  const unusedMs = numberOf(fieldOf(arguments_, 'x-expires'));
  const overflow = textOf(fieldOf(arguments_, 'x-overflow'));
  const single = fieldOf(arguments_, 'x-single-active-consumer');
  if (readyMax !== null) rules.readyMax = readyMax;
  if (readyBytesMax !== null) rules.readyBytesMax = readyBytesMax;
  if (unusedMs !== null) rules.unusedMs = unusedMs;
  if (overflow !== null) rules.overflow = overflows[overflow as keyof typeof overflows];
  if (single?.type === 't' && single.value) rules.singleActive = true;
  return rules;
}

/** Throws PRECONDITION_FAILED at the first argument that differs. */
export function compareArguments(
  keys: readonly string[],
  received: FieldTable,
  current: FieldTable,
  place: string,
): void {
  for (const key of keys) {
    const mine = fieldOf(received, key);
    const theirs = fieldOf(current, key);
    if (mine === undefined && theirs === undefined) continue;
    // A queue is classic whether it says so or not.
    if (key === 'x-queue-type' && [mine, theirs].every((field) => (textOf(field) ?? 'classic') === 'classic')) continue;
    if (mine !== undefined && theirs !== undefined) {
      const [a, b] = [plainText(mine), plainText(theirs)];
      if (a !== b || isNumber(mine) !== isNumber(theirs))
        throw inequivalent(key, place, `received '${a}' but current is '${b}'`);
    } else throw inequivalent(key, place, `received ${described(mine)} but current is ${described(theirs)}`);
  }
}

const isNumber = (field: FieldValue): boolean => integerOf(field) !== null;

export function compareQueueArguments(received: FieldTable, current: FieldTable, place: string): void {
  compareArguments(compared, received, current, place);
}

/** Throws PRECONDITION_FAILED when a property of the declaration differs from what is there. */
export function compareProperty(
  name: string,
  received: string | boolean,
  current: string | boolean,
  place: string,
): void {
  if (received !== current) throw inequivalent(name, place, `received '${received}' but current is '${current}'`);
}

function inequivalent(name: string, place: string, detail: string): AmqpError {
  return new AmqpError('PRECONDITION_FAILED', `inequivalent arg '${name}' for ${place}: ${detail}`);
}

function described(field: FieldValue | undefined): string {
  return field === undefined ? 'none' : `the value '${plainText(field)}' of type '${letterNames[field.type]}'`;
}

function plainText(field: FieldValue): string {
  if (field.type === 'S' || field.type === 'x') return field.value.toString();
  if (field.type === 'D') return `${field.value.digits}e-${field.value.scale}`;
  if (field.type === 'A' || field.type === 'F') return tableText([{ key: '', field }]);
  return String(field.value);
}

function integerOf(field: FieldValue): bigint | null {
  switch (field.type) {
    case 'b':
    case 'B':
    case 's':
    case 'u':
    case 'I':
    case 'i':
      return BigInt(field.value);
    case 'l':
    case 'L':
      return field.value;
    default:
      return null;
  }
}

export function numberOf(field: FieldValue | undefined): number | null {
  const value = field === undefined ? null : integerOf(field);
  return value === null ? null : Math.min(Number(value), Number.MAX_SAFE_INTEGER);
}

export function textOf(field: FieldValue | undefined): string | null {
  return field?.type === 'S' ? field.value.toString() : null;
}
