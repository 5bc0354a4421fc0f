// What every answer that describes partitions says of one: we lead it, we are its only replica.

import { ERROR } from '../../specs/kafka/error-codes.ts';
import { NODE_ID, type Node } from './node.ts';

const SELF: readonly number[] = [NODE_ID];
const NONE: readonly number[] = [];

export function partitionAnswer(node: Node, partitionIndex: number) {
  return {
    errorCode: ERROR.NONE,
    partitionIndex,
    leaderId: NODE_ID,
    leaderEpoch: node.broker.epoch,
    replicaNodes: SELF,
    isrNodes: SELF,
    offlineReplicas: NONE,
  };
}
