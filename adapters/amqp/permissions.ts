/**
 * RabbitMQ's three permissions on the one access model: configure is `create` (and `delete`, for what ends), write is
 * `publish` on an exchange and `update` on a queue that is bound, read is `consume`. The core checks its verbs itself;
 * what is asked here comes in RabbitMQ's order and with its texts, and covers what has no verb: declaring what is there
 * already, and the exchanges that arguments name.
 */

import { BrokerError } from '../../core/errors.ts';
import type { Action } from '../../core/types.ts';
import { AmqpError } from './amqp-error.ts';
import type { Connection } from './connection.ts';

type Kind = 'queue' | 'exchange';

export const mayConfigure = (connection: Connection, kind: Kind, name: string): void =>
  require(connection, 'create', kind, name);

export const mayDelete = (connection: Connection, kind: Kind, name: string): void =>
  require(connection, 'delete', kind, name);

export const mayWrite = (connection: Connection, kind: Kind, name: string): void =>
  require(connection, kind === 'exchange' ? 'publish' : 'update', kind, name);

export const mayRead = (connection: Connection, kind: Kind, name: string): void =>
  require(connection, 'consume', kind, name);

function require(connection: Connection, action: Action, kind: Kind, name: string): void {
  const { broker, principal, namespace } = connection;
  if (!broker.secured) return;
  try {
    broker.authorise(principal, action, 'topic', namespace, name);
  } catch (error) {
    if (!(error instanceof BrokerError) || error.code !== 'access-denied') throw error;
    throw refusedAccess(connection, kind, name, error);
  }
}

export function refusedAccess(connection: Connection, kind: Kind, name: string, cause: unknown): AmqpError {
  const place = `${kind} '${name === '' ? 'amq.default' : name}' in vhost '${connection.virtualHost}'`;
  return new AmqpError('ACCESS_REFUSED', `access to ${place} refused for user '${connection.userName}'`, { cause });
}

/** A virtual host is there when something is in it, or when a rule gives somebody rights in it. */
export function virtualHostExists({ broker, context }: Connection, namespace: string): boolean {
  if (broker.namespaces().includes(namespace)) return true;
  if (context.internal === undefined) return false;
  return broker.rules(context.internal).some((rule) => rule.allow && rule.namespace === namespace);
}

/** A user who has no rule at all for a virtual host is not let in. */
export function mayEnter(connection: Connection, namespace: string): boolean {
  const { broker, context, principal } = connection;
  if (!broker.secured || context.internal === undefined) return true;
  return broker
    .rules(context.internal)
    .some(
      (rule) =>
        rule.allow &&
        rule.user === principal.name &&
        (rule.resource === 'cluster' || rule.namespace === namespace || rule.namespace === '*'),
    );
}
