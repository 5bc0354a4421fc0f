/**
 * The methods of AMQP 0-9-1 as rows, with RabbitMQ's additions (basic.nack, confirm, exchange.bind, connection.blocked,
 * connection.update-secret). Codec, dispatch table and tests are derived from these rows and from nothing else.
 *
 * Field order is wire order; consecutive `bit` fields share octets, lowest bit first (spec 4.2.5.1). Fields that the
 * specification reserves are named `reserved1…`: a reader skips them, a writer sends zero.
 * `from` tells which peer may send it. `sync` marks a method that its receiver must answer before the same channel
 * is used for another one (answers themselves are not `sync`). `content` marks methods followed by header and body.
 */

export type FieldType = 'bit' | 'octet' | 'short' | 'long' | 'longlong' | 'shortstr' | 'longstr' | 'table';

export interface MethodRow {
  readonly classId: number;
  readonly methodId: number;
  readonly from: 'client' | 'server' | 'both';
  readonly sync: boolean;
  readonly content: boolean;
  readonly fields: Readonly<Record<string, FieldType>>;
}

const row = <const S extends MethodRow['from'], const F extends Readonly<Record<string, FieldType>>>(
  classId: number,
  methodId: number,
  from: S,
  kind: 'sync' | 'async' | 'content',
  fields: F,
) => ({ classId, methodId, from, sync: kind === 'sync', content: kind === 'content', fields });

export const methods = {
  'connection.start': row(10, 10, 'server', 'sync', {
    versionMajor: 'octet',
    versionMinor: 'octet',
    serverProperties: 'table',
    mechanisms: 'longstr',
    locales: 'longstr',
  }),
  'connection.start-ok': row(10, 11, 'client', 'async', {
    clientProperties: 'table',
    mechanism: 'shortstr',
    response: 'longstr',
    locale: 'shortstr',
  }),
  'connection.secure': row(10, 20, 'server', 'sync', { challenge: 'longstr' }),
  'connection.secure-ok': row(10, 21, 'client', 'async', { response: 'longstr' }),
  'connection.tune': row(10, 30, 'server', 'sync', { channelMax: 'short', frameMax: 'long', heartbeat: 'short' }),
  'connection.tune-ok': row(10, 31, 'client', 'async', { channelMax: 'short', frameMax: 'long', heartbeat: 'short' }),
  'connection.open': row(10, 40, 'client', 'sync', {
    virtualHost: 'shortstr',
    reserved1: 'shortstr',
    reserved2: 'bit',
  }),
  'connection.open-ok': row(10, 41, 'server', 'async', { reserved1: 'shortstr' }),
  'connection.close': row(10, 50, 'both', 'sync', {
    replyCode: 'short',
    replyText: 'shortstr',
    classId: 'short',
    methodId: 'short',
  }),
  'connection.close-ok': row(10, 51, 'both', 'async', {}),
  'connection.blocked': row(10, 60, 'server', 'async', { reason: 'shortstr' }),
  'connection.unblocked': row(10, 61, 'server', 'async', {}),
  'connection.update-secret': row(10, 70, 'client', 'sync', { newSecret: 'longstr', reason: 'shortstr' }),
  'connection.update-secret-ok': row(10, 71, 'server', 'async', {}),

  'channel.open': row(20, 10, 'client', 'sync', { reserved1: 'shortstr' }),
  'channel.open-ok': row(20, 11, 'server', 'async', { reserved1: 'longstr' }),
  'channel.flow': row(20, 20, 'both', 'sync', { active: 'bit' }),
  'channel.flow-ok': row(20, 21, 'both', 'async', { active: 'bit' }),
  'channel.close': row(20, 40, 'both', 'sync', {
    replyCode: 'short',
    replyText: 'shortstr',
    classId: 'short',
    methodId: 'short',
  }),
  'channel.close-ok': row(20, 41, 'both', 'async', {}),

  'access.request': row(30, 10, 'client', 'sync', {
    realm: 'shortstr',
    exclusive: 'bit',
    passive: 'bit',
    active: 'bit',
    write: 'bit',
    read: 'bit',
  }),
  'access.request-ok': row(30, 11, 'server', 'async', { ticket: 'short' }),

  'exchange.declare': row(40, 10, 'client', 'sync', {
    reserved1: 'short',
    exchange: 'shortstr',
    type: 'shortstr',
    passive: 'bit',
    durable: 'bit',
    autoDelete: 'bit',
    internal: 'bit',
    nowait: 'bit',
    arguments: 'table',
  }),
  'exchange.declare-ok': row(40, 11, 'server', 'async', {}),
  'exchange.delete': row(40, 20, 'client', 'sync', {
    reserved1: 'short',
    exchange: 'shortstr',
    ifUnused: 'bit',
    nowait: 'bit',
  }),
  'exchange.delete-ok': row(40, 21, 'server', 'async', {}),
  'exchange.bind': row(40, 30, 'client', 'sync', {
    reserved1: 'short',
    destination: 'shortstr',
    source: 'shortstr',
    routingKey: 'shortstr',
    nowait: 'bit',
    arguments: 'table',
  }),
  'exchange.bind-ok': row(40, 31, 'server', 'async', {}),
  'exchange.unbind': row(40, 40, 'client', 'sync', {
    reserved1: 'short',
    destination: 'shortstr',
    source: 'shortstr',
    routingKey: 'shortstr',
    nowait: 'bit',
    arguments: 'table',
  }),
  'exchange.unbind-ok': row(40, 51, 'server', 'async', {}),

  'queue.declare': row(50, 10, 'client', 'sync', {
    reserved1: 'short',
    queue: 'shortstr',
    passive: 'bit',
    durable: 'bit',
    exclusive: 'bit',
    autoDelete: 'bit',
    nowait: 'bit',
    arguments: 'table',
  }),
  'queue.declare-ok': row(50, 11, 'server', 'async', {
    queue: 'shortstr',
    messageCount: 'long',
    consumerCount: 'long',
  }),
  'queue.bind': row(50, 20, 'client', 'sync', {
    reserved1: 'short',
    queue: 'shortstr',
    exchange: 'shortstr',
    routingKey: 'shortstr',
    nowait: 'bit',
    arguments: 'table',
  }),
  'queue.bind-ok': row(50, 21, 'server', 'async', {}),
  'queue.purge': row(50, 30, 'client', 'sync', { reserved1: 'short', queue: 'shortstr', nowait: 'bit' }),
  'queue.purge-ok': row(50, 31, 'server', 'async', { messageCount: 'long' }),
  'queue.delete': row(50, 40, 'client', 'sync', {
    reserved1: 'short',
    queue: 'shortstr',
    ifUnused: 'bit',
    ifEmpty: 'bit',
    nowait: 'bit',
  }),
  'queue.delete-ok': row(50, 41, 'server', 'async', { messageCount: 'long' }),
  'queue.unbind': row(50, 50, 'client', 'sync', {
    reserved1: 'short',
    queue: 'shortstr',
    exchange: 'shortstr',
    routingKey: 'shortstr',
    arguments: 'table',
  }),
  'queue.unbind-ok': row(50, 51, 'server', 'async', {}),

  'basic.qos': row(60, 10, 'client', 'sync', { prefetchSize: 'long', prefetchCount: 'short', global: 'bit' }),
  'basic.qos-ok': row(60, 11, 'server', 'async', {}),
  'basic.consume': row(60, 20, 'client', 'sync', {
    reserved1: 'short',
    queue: 'shortstr',
    consumerTag: 'shortstr',
    noLocal: 'bit',
    noAck: 'bit',
    exclusive: 'bit',
    nowait: 'bit',
    arguments: 'table',
  }),
  'basic.consume-ok': row(60, 21, 'server', 'async', { consumerTag: 'shortstr' }),
  'basic.cancel': row(60, 30, 'both', 'sync', { consumerTag: 'shortstr', nowait: 'bit' }),
  'basic.cancel-ok': row(60, 31, 'both', 'async', { consumerTag: 'shortstr' }),
  'basic.publish': row(60, 40, 'client', 'content', {
    reserved1: 'short',
    exchange: 'shortstr',
    routingKey: 'shortstr',
    mandatory: 'bit',
    immediate: 'bit',
  }),
  'basic.return': row(60, 50, 'server', 'content', {
    replyCode: 'short',
    replyText: 'shortstr',
    exchange: 'shortstr',
    routingKey: 'shortstr',
  }),
  'basic.deliver': row(60, 60, 'server', 'content', {
    consumerTag: 'shortstr',
    deliveryTag: 'longlong',
    redelivered: 'bit',
    exchange: 'shortstr',
    routingKey: 'shortstr',
  }),
  'basic.get': row(60, 70, 'client', 'sync', { reserved1: 'short', queue: 'shortstr', noAck: 'bit' }),
  'basic.get-ok': row(60, 71, 'server', 'content', {
    deliveryTag: 'longlong',
    redelivered: 'bit',
    exchange: 'shortstr',
    routingKey: 'shortstr',
    messageCount: 'long',
  }),
  'basic.get-empty': row(60, 72, 'server', 'async', { reserved1: 'shortstr' }),
  'basic.ack': row(60, 80, 'both', 'async', { deliveryTag: 'longlong', multiple: 'bit' }),
  'basic.reject': row(60, 90, 'client', 'async', { deliveryTag: 'longlong', requeue: 'bit' }),
  'basic.recover-async': row(60, 100, 'client', 'async', { requeue: 'bit' }),
  'basic.recover': row(60, 110, 'client', 'sync', { requeue: 'bit' }),
  'basic.recover-ok': row(60, 111, 'server', 'async', {}),
  'basic.nack': row(60, 120, 'both', 'async', { deliveryTag: 'longlong', multiple: 'bit', requeue: 'bit' }),

  'confirm.select': row(85, 10, 'client', 'sync', { nowait: 'bit' }),
  'confirm.select-ok': row(85, 11, 'server', 'async', {}),

  'tx.select': row(90, 10, 'client', 'sync', {}),
  'tx.select-ok': row(90, 11, 'server', 'async', {}),
  'tx.commit': row(90, 20, 'client', 'sync', {}),
  'tx.commit-ok': row(90, 21, 'server', 'async', {}),
  'tx.rollback': row(90, 30, 'client', 'sync', {}),
  'tx.rollback-ok': row(90, 31, 'server', 'async', {}),
} as const satisfies Readonly<Record<string, MethodRow>>;

export type MethodName = keyof typeof methods;

/** The methods that a client may send. */
export type ClientMethod = { [N in MethodName]: (typeof methods)[N]['from'] extends 'server' ? never : N }[MethodName];

/** The 32 bits at the start of a method frame's payload: class in the upper half, method in the lower one. */
export const methodKey = (classId: number, methodId: number): number => classId * 0x10000 + methodId;

export const methodNames = Object.keys(methods) as readonly MethodName[];
