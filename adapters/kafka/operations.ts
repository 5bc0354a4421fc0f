// The operations that a client is allowed on a thing, as Kafka's bit field (KIP-430): bit n stands for operation n of
// AclOperation. Told only to who asks.
import type { Action, ResourceKind } from '../../core/types.ts';
import type { Call } from './call.ts';

/** Operations of AclOperation and the right that each needs here. */
const OPERATIONS = {
  topic: [
    [3, 'consume'],
    [4, 'publish'],
    [5, 'create'],
    [6, 'delete'],
    [7, 'update'],
    [8, 'describe'],
    [10, 'describe'],
    [11, 'update'],
  ],
  group: [
    [3, 'consume'],
    [6, 'delete'],
    [8, 'describe'],
    [10, 'describe'],
    [11, 'update'],
  ],
  cluster: [
    [5, 'create'],
    [7, 'update'],
    [8, 'describe'],
    [9, 'update'],
    [10, 'describe'],
    [11, 'update'],
    [12, 'publish'],
  ],
} as const satisfies Partial<Record<ResourceKind, readonly (readonly [bit: number, action: Action])[]>>;

export function allowedOperations(call: Call, resource: keyof typeof OPERATIONS, name: string): number {
  const { broker, settings } = call.node;
  let bits = 0;
  for (const [bit, action] of OPERATIONS[resource]) {
    if (broker.allows(call.principal, action, resource, settings.namespace, name)) bits |= 1 << bit;
  }
  return bits;
}
