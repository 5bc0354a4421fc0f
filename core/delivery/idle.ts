/**
 * Queues that are deleted when nobody used them for so long (QueueRules.unusedMs): they had no consumer, nobody took a
 * message, and nobody asked for them. In memory only: a start begins the time anew.
 */
import type { Queue } from '../log/queue.ts';
import type { Shard } from '../shard.ts';
import { DueList } from '../state/due.ts';
import type { TimeMs, Topic, TopicId } from '../types.ts';

const DELETIONS_PER_TURN = 256;
/** A timer's longest wait; what is further away is looked at again. */
const TIMER_MAX_MS = 24 * 3600 * 1000;

export interface IdleHooks {
  consumers(topic: Topic): number;
  /** Nobody used it: it goes. */
  unused(topic: Topic): void;
}

export class Idle {
  private readonly shard: Shard;
  private readonly hooks: IdleHooks;
  private readonly usedMs = new Map<TopicId, TimeMs>();
  private readonly due = new DueList();
  private timer = 0;
  private timerAtMs = Number.POSITIVE_INFINITY;

  constructor(shard: Shard, hooks: IdleHooks) {
    this.shard = shard;
    this.hooks = hooks;
    for (const topic of shard.tables.catalog.allTopics()) this.used(topic);
  }

  usedQueue(queue: Queue): void {
    const topic = this.shard.tables.catalog.topicById(queue.topic);
    if (topic !== null) this.used(topic);
  }

  used(topic: Topic): void {
    const afterMs = topic.attributes.rules?.unusedMs;
    if (afterMs === undefined) return;
    const nowMs = this.shard.log.storeTimeMs();
    const isNew = !this.usedMs.has(topic.id);
    this.usedMs.set(topic.id, nowMs);
    if (!isNew) return;
    this.due.add(nowMs + afterMs, 0, topic.id, 0);
    this.arm();
  }

  private arm(): void {
    const atMs = this.due.nextMs();
    if (atMs >= this.timerAtMs || atMs === Number.POSITIVE_INFINITY) return;
    if (this.timer !== 0) this.shard.clock.clearTimer(this.timer);
    this.timerAtMs = atMs;
    this.timer = this.shard.clock.setTimer(
      Math.min(TIMER_MAX_MS, Math.max(1, atMs - this.shard.log.storeTimeMs())),
      this.fire,
    );
  }

  private readonly fire = (): void => {
    this.timer = 0;
    this.timerAtMs = Number.POSITIVE_INFINITY;
    if (this.shard.log.lost !== null) return;
    this.due.take(this.shard.log.storeTimeMs(), DELETIONS_PER_TURN, (_kind, id) => this.look(id));
    this.arm();
  };

  private look(id: TopicId): void {
    const topic = this.shard.tables.catalog.topicById(id);
    const usedMs = this.usedMs.get(id)!;
    this.usedMs.delete(id);
    if (topic === null) return;
    const nowMs = this.shard.log.storeTimeMs();
    const afterMs = topic.attributes.rules!.unusedMs!;
    const endMs = this.hooks.consumers(topic) > 0 ? nowMs + afterMs : usedMs + afterMs;
    if (endMs <= nowMs) return this.hooks.unused(topic);
    this.usedMs.set(id, usedMs);
    this.due.add(endMs, 0, id, 0);
  }
}
