// The epoch that a client believes the leader to have, against ours (KIP-320).
import { ERROR, type ErrorCode } from '../../specs/kafka/error-codes.ts';
import type { Node } from './node.ts';

/** An older one means that the client has not heard of our last start; it asks for metadata. -1 is no claim. */
export function epochError({ broker: { epoch } }: Node, claimed: number): ErrorCode {
  if (claimed < 0 || claimed === epoch) return ERROR.NONE;
  return claimed < epoch ? ERROR.FENCED_LEADER_EPOCH : ERROR.UNKNOWN_LEADER_EPOCH;
}
