// A group's place that was moved by an administrator while its clients may be at work.
//
// The new place is committed at once under a mark (the text beside the offset), so that it holds for groups that are
// offline and over a restart. While the mark stands, what clients commit from where they were is passed over, and a
// pull from anywhere else is told the new place (21). A pull or commit at the new place ends it.
//
// Invariant: the mark ends by the first sign that a client knows the new place, and by any commit of another protocol.

import type { Group, Offset, Principal, QueueNumber } from '../../core/types.ts';
import type { OffsetCommit, Verbs } from '../../core/verbs.ts';

const MARK = 'reset';

/** Where the group was moved to, if no client has followed yet; null otherwise. */
export function pendingReset(broker: Verbs, group: Group, queue: QueueNumber): Offset | null {
  const place = broker.committed(group, queue);
  return place !== null && place.metadata === MARK ? place.offset : null;
}

export function markReset(
  broker: Verbs,
  principal: Principal,
  group: Group,
  places: ReadonlyMap<QueueNumber, Offset>,
): void {
  const offsets: OffsetCommit[] = [];
  for (const [queue, offset] of places) offsets.push({ queue, offset, metadata: MARK, epoch: -1 });
  broker.commitOffsets(principal, group, offsets, null, 0);
}
