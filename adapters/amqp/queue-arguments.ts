/**
 * The arguments of queue.declare: which are known, what they must be, what they become in the core, and when two
 * declarations of one queue are equivalent. Texts are RabbitMQ's; applications and client test suites match on them.
 *
 * Rules: numbers compare by value, not by type letter (clients choose letters by size); arguments that RabbitMQ does
 * not know are stored and never compared; those that it knows and we do not serve are refused, not ignored.
 */

import type { DeadLetterTarget, TopicAttributes } from '../../core/types.ts';
import { AmqpError } from './amqp-error.ts';
import { tableText } from './canonical-header.ts';
import type { FieldTable, FieldValue } from './field-table.ts';
import { fieldOf } from './field-table.ts';

/** What a type letter is called in RabbitMQ's texts. */
const letterNames: Readonly<Record<FieldValue['type'], string>> = {
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

type Check = (field: FieldValue, fail: (detail: string) => AmqpError, shape: QueueShape, place: string) => void;

const integerAbove =
  (least: bigint, tooSmall = ''): Check =>
  (field, fail) => {
    const value = integerOf(field);
    if (value === null) throw fail(`"expected integer, got ${letterNames[field.type]}"`);
    if (value < least) throw fail(value < 0n ? `{value_negative,${value}}` : tooSmall);
  };

const longString =
  (name: string): Check =>
  (field, _fail, _shape, place) => {
    if (field.type !== 'S') {
      throw new AmqpError(
        'PRECONDITION_FAILED',
        `invalid type '${letterNames[field.type]}' for arg '${name}' in ${place}`,
      );
    }
  };

const accepted: Check = () => {};

/**
 * Without a timer of its own a queue can only go with its readers. One that does (auto-delete, exclusive) goes at the
 * latest when it would have expired after them; on any other the argument would be an empty promise.
 */
const expires: Check = (field, fail, shape, place) => {
  integerAbove(1n, 'cannot_be_zero')(field, fail, shape, place);
  if (!shape.autoDelete && !shape.exclusive) throw fail('served on auto-delete and exclusive queues only');
};

const notServed: Check = (_field, fail) => {
  throw fail('not served by this broker');
};

/** Arguments that take part in equivalence, the queue types that may have them, and what their values must be. */
const known: Readonly<Record<string, { readonly types: readonly QueueType[]; readonly check: Check }>> = {
  'x-message-ttl': { types: ['classic', 'quorum'], check: integerAbove(0n) },
  'x-dead-letter-exchange': { types: ['classic', 'quorum'], check: longString('x-dead-letter-exchange') },
  'x-dead-letter-routing-key': { types: ['classic', 'quorum'], check: longString('x-dead-letter-routing-key') },
  'x-delivery-limit': { types: ['quorum'], check: integerAbove(0n) },
  'x-queue-mode': { types: ['classic'], check: accepted },
  'x-queue-version': { types: ['classic'], check: accepted },
  'x-queue-master-locator': { types: ['classic'], check: accepted },
  'x-queue-leader-locator': { types: ['classic', 'quorum'], check: accepted },
  'x-quorum-initial-group-size': { types: ['quorum'], check: accepted },
  'x-expires': { types: ['classic', 'quorum'], check: expires },
  'x-max-length': { types: ['classic', 'quorum'], check: notServed },
  'x-max-length-bytes': { types: ['classic', 'quorum'], check: notServed },
  'x-overflow': { types: ['classic', 'quorum'], check: notServed },
  'x-max-priority': { types: ['classic'], check: notServed },
  'x-single-active-consumer': { types: ['classic', 'quorum'], check: notServed },
  'x-dead-letter-strategy': { types: ['quorum'], check: notServed },
  'x-consumer-timeout': { types: ['classic', 'quorum'], check: notServed },
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
    row.check(field, (detail) => invalid(key, place, detail), shape, place);
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

/** What the arguments mean to the core. */
export function attributesOf(
  arguments_: FieldTable,
): Pick<TopicAttributes, 'deadLetter' | 'messageTtlMs' | 'deliveriesMax'> {
  const exchange = textOf(fieldOf(arguments_, 'x-dead-letter-exchange'));
  const routingKey = textOf(fieldOf(arguments_, 'x-dead-letter-routing-key'));
  const deadLetter: DeadLetterTarget | null = exchange === null ? null : { exchange, routingKey };
  return {
    deadLetter,
    messageTtlMs: numberOf(fieldOf(arguments_, 'x-message-ttl')) ?? -1,
    deliveriesMax: numberOf(fieldOf(arguments_, 'x-delivery-limit')) ?? -1,
  };
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
    if (mine !== undefined && theirs !== undefined) {
      const [a, b] = [plainText(mine), plainText(theirs)];
      if (a !== b) throw inequivalent(key, place, `received '${a}' but current is '${b}'`);
    } else throw inequivalent(key, place, `received ${described(mine)} but current is ${described(theirs)}`);
  }
}

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
