/** A transaction: messages and the ends of leases as one entry of the log, and then the same in memory. */
import type { Publisher } from '../publish.ts';
import type { GroupState } from '../state/catalog.ts';
import type { Principal } from '../types.ts';
import type { Append, AppendTarget, Settle } from '../verbs.ts';
import type { Leases } from './leases.ts';

export function transact(
  leases: Leases,
  publisher: Publisher,
  principal: Principal,
  appends: readonly Append[],
  settles: readonly Settle[],
  target: AppendTarget,
  token: number,
): number[] {
  // A lease that has ended meanwhile is not ours to settle.
  const held = settles.filter((one) => leases.isLeased(one.group as GroupState, one.queue, one.offset));
  const settlements = held.map(({ group, queue, offset }) => ({ group: group.id, queue, offset, count: 1 }));
  const taken = publisher.transact(principal, appends, settlements, target, token);
  for (const one of held) leases.settledAlready(one.group as GroupState, one.queue, one.offset);
  return taken;
}
