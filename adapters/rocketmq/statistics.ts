// The figures that 315 asks for, from totals that the core or the adapter has anyway: what grew since they were asked for
// earlier. Nothing is counted for them on the way of a message.
//
// Invariants: a figure that is asked for the first time is all zeros, as in a broker that has just started; figures and
// samples are bounded.

import type { TimeMs } from '../../core/types.ts';
import type { JsonObject } from './json-body.ts';
import { wireTopic } from './names.ts';
import type { BrokerNode } from './node.ts';

const FIGURES_MAX = 2000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Samples closer than this are not kept. */
const STEP_MS = 10_000;
const SAMPLES_MAX = 512;

interface Sample {
  readonly atMs: TimeMs;
  readonly total: number;
}

export class Statistics {
  readonly #figures = new Map<string, Sample[]>();

  /** The figure's rows, null when there is no such figure. */
  view(node: BrokerNode, name: string, key: string): JsonObject | null {
    const total = totalOf(node, name, key);
    if (total === null) return null;
    const nowMs = node.context.clock.nowMs();
    const id = `${name} ${key}`;
    const samples = this.#figures.get(id) ?? [];
    const row = (spanMs: number): JsonObject => {
      const from = samples.find((sample) => sample.atMs >= nowMs - spanMs);
      const sum = from === undefined ? 0 : Math.max(0, total - from.total);
      const seconds = from === undefined ? 0 : (nowMs - from.atMs) / 1000;
      return { avgpt: 0, sum, tps: seconds > 0 ? sum / seconds : 0 };
    };
    const rows = { statsDay: row(DAY_MS), statsHour: row(HOUR_MS), statsMinute: row(MINUTE_MS) };
    this.#keep(id, samples, { atMs: nowMs, total });
    return rows;
  }

  #keep(id: string, samples: Sample[], sample: Sample): void {
    const last = samples[samples.length - 1];
    if (last !== undefined && sample.atMs - last.atMs < STEP_MS) return;
    samples.push(sample);
    // Older samples are thinned, so that a day fits whatever the pace of asking.
    if (samples.length > SAMPLES_MAX) samples.splice(0, samples.length, ...samples.filter((_, i) => i % 2 === 0));
    while (samples.length > 1 && samples[0]!.atMs < sample.atMs - DAY_MS) samples.shift();
    this.#figures.delete(id);
    this.#figures.set(id, samples);
    if (this.#figures.size > FIGURES_MAX) this.#figures.delete(this.#figures.keys().next().value!);
  }
}

function totalOf(node: BrokerNode, name: string, key: string): number | null {
  switch (name) {
    case 'BROKER_PUT_NUMS':
      return node.counts.messagesIn;
    case 'BROKER_GET_NUMS':
      return node.counts.messagesOut;
    case 'TOPIC_PUT_NUMS':
      return endsOf(node, key);
    case 'GROUP_GET_NUMS': {
      const [topic = '', group = ''] = key.split('@');
      return placesOf(node, topic, group);
    }
    case 'SNDBCK_PUT_NUMS': {
      const group = key.split('@')[1] ?? '';
      return endsOf(node, wireTopic('retry', group)) ?? 0;
    }
    default:
      return null;
  }
}

/** Messages that were ever put into a topic. */
function endsOf(node: BrokerNode, wireName: string): number | null {
  const topic = node.topic(wireName);
  if (topic === null) return null;
  return topic.queues.reduce((sum, queue) => sum + (node.broker.queue(queue)?.endOffset ?? 0), 0);
}

/** Messages that a group has ever passed in a topic. */
function placesOf(node: BrokerNode, wireName: string, wireGroup: string): number | null {
  const topic = node.topic(wireName);
  const group = node.broker.group(node.namespace, node.coreName(wireGroup)?.name ?? '');
  if (topic === null || group === null) return null;
  return topic.queues.reduce((sum, queue) => sum + (node.broker.committed(group, queue)?.offset ?? 0), 0);
}
