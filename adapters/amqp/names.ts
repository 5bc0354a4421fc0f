/** Names of this protocol and of the core, see specs/amqp/MAPPING.md. */

import type { Random } from '../../core/types.ts';
import { AmqpError } from './amqp-error.ts';

/** A virtual host is a namespace; `/` is the one that protocols without namespaces use. */
export function namespaceOf(virtualHost: string): string {
  return virtualHost === '/' ? 'default' : virtualHost;
}

/** RabbitMQ drops line ends from the names of queues and exchanges. */
export function cleanName(name: string): string {
  return name.replace(/[\r\n]/g, '');
}

/** 22 characters that nobody can guess, behind a prefix that clients may not use themselves. */
export function generatedName(prefix: string, random: Random): string {
  return prefix + random.bytes(Buffer.alloc(16)).toString('base64url');
}

const reservedPrefix = 'amq.';

export const isReserved = (name: string): boolean => name.startsWith(reservedPrefix);

export function refuseReserved(kind: 'queue' | 'exchange', name: string): void {
  if (isReserved(name)) {
    throw new AmqpError('ACCESS_REFUSED', `${kind} name '${name}' contains reserved prefix 'amq.*'`);
  }
}
