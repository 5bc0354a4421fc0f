// What a group is called in lists and descriptions, whoever runs it.
import type { Group } from '../../../core/types.ts';
import type { Node } from '../node.ts';
import { PROTOCOL } from './coordinator.ts';
import { readGroupData } from './group-data.ts';
import type { Phase } from './state.ts';

const STATES = {
  empty: 'Empty',
  preparing: 'PreparingRebalance',
  completing: 'CompletingRebalance',
  stable: 'Stable',
} as const satisfies Record<Phase, string>;

export interface GroupSummary {
  readonly state: string;
  readonly protocolType: string;
  readonly protocolName: string;
}

export function groupSummary(node: Node, group: Group): GroupSummary {
  const running = node.coordinator.state(group);
  if (running !== null) {
    const protocolName = running.phase === 'preparing' ? '' : (running.protocolName ?? '');
    return { state: STATES[running.phase], protocolType: running.protocolType, protocolName };
  }
  if (node.broker.members(group).length > 0 && group.protocol !== PROTOCOL) {
    return { state: 'Stable', protocolType: group.protocol, protocolName: '' };
  }
  return { state: 'Empty', protocolType: readGroupData(group.data)?.protocolType ?? '', protocolName: '' };
}
