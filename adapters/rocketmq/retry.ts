// Retry by sending back: how often, how late, and where to.

import type { Group } from '../../core/types.ts';
import { DELAY_LEVELS_MS, RETRY_LEVEL_FIRST, RETRY_TIMES_MAX_DEFAULT } from '../../specs/rocketmq/constants.ts';

/**
 * How many times a message is retried before it is a dead letter (`retryMaxTimes`). The core counts deliveries, of
 * which the first is no retry.
 */
export function retryTimesMax(group: Group): number {
  const { deliveriesMax } = group.attributes;
  return deliveriesMax > 0 ? deliveriesMax - 1 : RETRY_TIMES_MAX_DEFAULT;
}

/** How long a message that has been retried `times` times waits when the client leaves it to us (level 0) or not. */
export function retryDelayMs(level: number, times: number): number {
  const effective = level === 0 ? RETRY_LEVEL_FIRST + times : level;
  return DELAY_LEVELS_MS[Math.min(effective, DELAY_LEVELS_MS.length) - 1]!;
}
