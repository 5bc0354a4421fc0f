/** The broker compared with the model: what readers see, what ledgers hold, which names there are. */
import type { Broker } from '../broker.ts';
import type { Tables } from '../state/tables.ts';
import type { Group, Offset, QueueNumber, ReadBatch } from '../types.ts';
import type { Model, ModelLedger, ModelQueue } from './model.ts';
import { must, type Reopened } from './model-restart.ts';
import { TESTER } from './sim-broker.ts';

/** A look inside, for what no verb tells: which offsets are settled. */
function tablesOf(broker: Broker): Tables {
  return (broker as unknown as { tables: Tables }).tables;
}

export function asReopened(broker: Broker): Reopened {
  const tables = tablesOf(broker);
  const ledgerOf = (ledger: ModelLedger) => tables.ledger(ledger.group.id, ledger.queue.number);
  return {
    end: (queue) => broker.queue(queue.number)?.endOffset ?? 0,
    start: (queue) => broker.queue(queue.number)?.startOffset ?? 0,
    isSettled: (ledger, offset) => ledgerOf(ledger)?.unsettledIn(offset, offset + 1) === 0,
    isLeased: (ledger, offset) => ledgerOf(ledger)?.isLeased(offset) ?? false,
    deliveries: (ledger, offset) => ledgerOf(ledger)?.deliveries(offset) ?? 0,
    committed: (group, queue) => broker.committed(group, queue.number),
    generation: (group: Group) => broker.groupById(group.id)?.generation ?? 0,
  };
}

/** Bodies from an offset on; `wait` lets cold bytes come. */
export function readAll(broker: Broker, queue: QueueNumber, from: Offset, wait: () => void): Map<Offset, string> {
  const into: ReadBatch = { units: [], bytes: 0, nextOffset: 0, startOffset: 0, endOffset: 0 };
  const found = new Map<Offset, string>();
  const waiter = { wake: () => undefined };
  const limits = { bytesMax: 16 * 1024, recordsMax: 1000, tagHashes: null };
  let offset = from;
  for (let n = 0; n < 100_000; n++) {
    const status = broker.read(TESTER, queue, offset, limits, into, waiter);
    if (status === 'pending') wait();
    else if (status === 'too-small') offset = into.startOffset;
    else if (status === 'empty' || status === 'too-large') return found;
    else {
      for (const unit of into.units) {
        const messages = broker.messages(unit);
        for (let k = 0; k < unit.count; k++) {
          const at = unit.baseOffset + k;
          if (at < offset) continue;
          must(!found.has(at), `queue ${queue} @${at} is served twice`);
          found.set(at, messages[unit.firstRecord + k]!.body!.toString());
        }
      }
      must(into.nextOffset > offset, `a read of queue ${queue} at ${offset} does not move on`);
      offset = into.nextOffset;
    }
  }
  throw new Error(`the read of queue ${queue} does not end`);
}

/** Everything from the start on is there, in order, with its bytes; of a consumed queue, all that is not settled. */
export function checkQueue(broker: Broker, model: Model, queue: ModelQueue, wait: () => void): void {
  const state = broker.queue(queue.number);
  must(state !== null, `queue ${queue.number} is gone`);
  const { startOffset, endOffset } = state;
  const found = readAll(broker, queue.number, startOffset, wait);
  for (const [offset, body] of found) {
    must(
      body === queue.bodies[offset],
      `queue ${queue.number} @${offset} is '${short(body)}', it was '${short(queue.bodies[offset])}'`,
    );
  }
  const { kind, ownGroup } = state.topic;
  const ledger = kind !== 'topic' ? model.ledgers.get(`${ownGroup}@${queue.number}`) : undefined;
  // While cold bytes came, time has passed and the start may have moved.
  for (let offset = broker.queue(queue.number)!.startOffset; offset < endOffset; offset++) {
    if (ledger?.settled.has(offset) || ledger?.unsure.has(offset)) continue;
    must(found.has(offset), `queue ${queue.number} @${offset} of [${startOffset}, ${endOffset}) is not served`);
  }
  for (let offset = 0; kind !== 'topic' && offset < startOffset; offset++)
    if (ledger?.unsure.has(offset) !== true)
      must(
        ledger?.settled.has(offset) === true,
        `queue ${queue.number} starts at ${startOffset}, @${offset} is unsettled`,
      );
}

export function checkEnds(broker: Broker, model: Model): void {
  for (const topic of model.topics.values()) {
    for (const queue of topic.queues) {
      const state = broker.queue(queue.number);
      must(state !== null, `queue ${queue.number} is gone`);
      must(state.endOffset <= queue.bodies.length, `queue ${queue.number} ends at ${state.endOffset}: too far`);
      must(state.endOffset >= queue.durableTo, `queue ${queue.number} ends at ${state.endOffset}: too early`);
      must(state.startOffset >= queue.start, `the start of queue ${queue.number} fell to ${state.startOffset}`);
      if (topic.topic.kind === 'topic' && !topic.retained)
        must(state.startOffset === queue.start, `the start of queue ${queue.number} moved by itself`);
      queue.start = state.startOffset;
      // What readers may see of a topic with this level is durable.
      if (topic.flush === 'sync') queue.durableTo = Math.max(queue.durableTo, state.endOffset);
    }
  }
}

export function checkLedger(broker: Broker, ledger: ModelLedger): void {
  const actual = tablesOf(broker).ledger(ledger.group.id, ledger.queue.number);
  if (actual === undefined) {
    must(ledger.settled.size === 0, `the ledger of queue ${ledger.queue.number} is gone`);
    return;
  }
  const end = broker.queue(ledger.queue.number)!.endOffset;
  for (let offset = ledger.queue.start; offset < end; offset++) {
    if (ledger.unsure.has(offset)) continue;
    const settled = actual.unsettledIn(offset, offset + 1) === 0;
    const where = `queue ${ledger.queue.number} @${offset}, group ${ledger.group.id}`;
    must(settled === ledger.settled.has(offset), `${where}: settled is ${settled}`);
    if (settled || ledger.dying.has(offset)) continue;
    must(actual.isLeased(offset) === ledger.leases.has(offset), `${where}: leased is ${actual.isLeased(offset)}`);
    must(
      actual.deliveries(offset) === (ledger.counts.get(offset) ?? 0),
      `${where}: ${actual.deliveries(offset)} deliveries, ${ledger.counts.get(offset) ?? 0} happened`,
    );
  }
}

/** What was rejected and could not be buried came back: of a full disk by itself, or because its lease ended first. */
export function reconcileDying(broker: Broker, model: Model, nowMs: number): void {
  const tables = tablesOf(broker);
  for (const ledger of model.ledgers.values()) {
    for (const offset of ledger.dying) {
      const actual = tables.ledger(ledger.group.id, ledger.queue.number);
      if (actual === undefined || actual.isLeased(offset) || actual.unsettledIn(offset, offset + 1) === 0) continue;
      if (actual.deliveries(offset) > (ledger.counts.get(offset) ?? 0)) model.giveBack(ledger, offset, 0, nowMs);
      ledger.leases.delete(offset);
      ledger.dying.delete(offset);
    }
  }
}

export function checkPlaces(broker: Broker, model: Model, groups: readonly Group[]): void {
  for (const group of groups) {
    const there = broker.groupById(group.id);
    must(there !== null, `group ${group.name} is gone`);
    must(there.generation === (model.generations.get(group.id) ?? 0), `group ${group.name}: ${there.generation}`);
    for (const queue of model.queues.values()) {
      const place = model.places.get(`${group.id}@${queue.number}`);
      if (place === undefined) continue;
      const actual = broker.committed(there, queue.number);
      must(
        actual?.offset === place.offset && actual.metadata === place.metadata,
        `group ${group.name} on queue ${queue.number} is at ${actual?.offset} ${actual?.metadata}`,
      );
    }
  }
}

export function short(body: string | undefined): string {
  return body === undefined ? 'nothing' : body.slice(0, 12);
}
